# Register 11 is not for programs.
.section socket, "ax"
.globl prog
prog:
    .8byte 0x0000000000000bb7   # reject: R11 is invalid
    r0 = 0
    exit
.license "GPL"
