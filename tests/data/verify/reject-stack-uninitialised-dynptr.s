# A helper is given 16 bytes of stack in which no dynptr was made.
.section socket, "ax"
.globl prog
prog:
    r1 = r10
    r1 += -16
    r2 = 0
    r3 = 8
    call 203   # reject: Expected an initialized dynptr as arg #0
    r0 = 0
    exit
.license "GPL"
