# Nothing at or above r10 belongs to the program.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    *(u64 *)(r10 + 0) = r0   # reject: invalid write to stack R10 off=0 size=8
    exit
.license "GPL"
