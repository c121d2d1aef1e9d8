# 32-bit arithmetic would cut a pointer in half.
.section socket, "ax"
.globl prog
prog:
    w1 += 4   # reject: R1 32-bit pointer arithmetic prohibited
    r0 = 0
    exit
.license "GPL"
