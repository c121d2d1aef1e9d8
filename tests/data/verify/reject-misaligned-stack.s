# Eight bytes of stack must lie on a multiple of eight.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    *(u64 *)(r10 - 12) = r0   # reject: misaligned stack access off 0+0+-12 size 8
    exit
.license "GPL"
