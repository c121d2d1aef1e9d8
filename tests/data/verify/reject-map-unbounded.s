# An index into the value of which nothing is known.
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
    r0 += r6
    r1 = *(u8 *)(r0 + 0)   # reject: R0 unbounded memory access, make sure to bounds check any such access
out:
    r0 = 0
    exit
.license "GPL"
