# A number less a pointer is no pointer.
.section socket, "ax"
.globl prog
prog:
    r2 = 8
    r2 -= r10   # reject: R2 tried to subtract pointer from scalar
    r0 = 0
    exit
.license "GPL"
