# Only additions and subtractions make sense on a pointer.
.section socket, "ax"
.globl prog
prog:
    r1 *= 2   # reject: R1 pointer arithmetic with *= operator prohibited
    r0 = 0
    exit
.license "GPL"
