# accept
# An index bounded by a 32-bit comparison.
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
    w6 = w6
    if w6 > 15 goto out
    r0 += r6
    r1 = *(u8 *)(r0 + 0)
out:
    r0 = 0
    exit
.license "GPL"
