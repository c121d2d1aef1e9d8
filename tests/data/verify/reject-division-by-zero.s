# Division by a constant zero.
.section socket, "ax"
.globl prog
prog:
    r0 = 1
    r0 /= 0   # reject: div by zero
    exit
.license "GPL"
