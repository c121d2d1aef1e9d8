# The context must be read at its own address.
.section socket, "ax"
.globl prog
prog:
    r1 += 8
    r0 = *(u32 *)(r1 + 0)   # reject: dereference of modified ctx ptr R1 off=8 disallowed
    exit
.license "GPL"
