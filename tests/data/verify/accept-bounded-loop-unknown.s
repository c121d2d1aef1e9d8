# accept
# A loop that ends at an unknown count, at most 20.
.section socket, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 0)
    if r2 > 20 goto out
    r0 = 0
again:
    if r2 == 0 goto out
    r2 += -1
    goto again
out:
    r0 = 0
    exit
.license "GPL"
