# accept
# A loop whose counter ends it.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    r1 = 0
again:
    r0 += r1
    r1 += 1
    if r1 < 10 goto again
    exit
.license "GPL"
