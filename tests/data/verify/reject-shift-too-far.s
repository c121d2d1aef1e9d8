# A constant shift by the width or more.
.section socket, "ax"
.globl prog
prog:
    r0 = 1
    r0 <<= 64   # reject: invalid shift 64
    exit
.license "GPL"
