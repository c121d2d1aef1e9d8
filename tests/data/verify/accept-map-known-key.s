# accept
# An array has every element below its size: with a known key a lookup always finds it (since Linux 6.15).
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    *(u32 *)(r10 - 8) = 1
    r2 = r10
    r2 += -8
    r1 = acc ll
    call 1
    r0 = *(u64 *)(r0 + 0)
    exit
.license "GPL"
