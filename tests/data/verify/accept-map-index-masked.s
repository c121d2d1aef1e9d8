# accept
# An index that a mask bounds.
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    r6 = *(u32 *)(r1 + 0)
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = acc ll
    call 1
    if r0 == 0 goto out
    r6 &= 15
    r0 += r6
    r1 = *(u8 *)(r0 + 0)
out:
    r0 = 0
    exit
.license "GPL"
