# accept
# A size with a lower and an upper bound.
.section socket, "ax"
.globl prog
prog:
    r4 = *(u32 *)(r1 + 0)
    if r4 == 0 goto out
    if r4 > 16 goto out
    r3 = r10
    r3 += -16
    r2 = 0
    call 26
out:
    r0 = 0
    exit
.license "GPL"
