# A bitwise operation on the context pointer.
.section socket, "ax"
.globl prog
prog:
    r1 |= 8   # reject: R1 bitwise operator |= on pointer prohibited
    r0 = 0
    exit
.license "GPL"
