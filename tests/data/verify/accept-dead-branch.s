# accept
# A branch that is never taken may hold anything.
.section socket, "ax"
.globl prog
prog:
    r0 = 5
    if r0 == 5 goto out
    r0 = *(u64 *)(r0 + 0)
out:
    exit
.license "GPL"
