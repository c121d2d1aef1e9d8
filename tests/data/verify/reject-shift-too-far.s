# A constant shift by the width or more: r0 <<= 64.
.section socket, "ax"
.globl prog
prog:
    r0 = 1
    .8byte 0x0000004000000067   # reject: invalid shift 64
    exit
.license "GPL"
