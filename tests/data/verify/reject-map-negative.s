# A signed check that forgets the negative half.
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    r6 = *(u32 *)(r1 + 0)
    r6 <<= 32
    r6 s>>= 32
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = acc ll
    call 1
    if r0 == 0 goto out
    if r6 s> 8 goto out
    r0 += r6   # reject: value -2147483648 makes map_value pointer be out of bounds
    r1 = *(u8 *)(r0 + 0)
out:
    r0 = 0
    exit
.license "GPL"
