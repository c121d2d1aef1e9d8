# An index into the stack of which nothing is known.
.section socket, "ax"
.globl prog
prog:
    *(u64 *)(r10 - 8) = 0
    r2 = *(u32 *)(r1 + 0)
    r3 = r10
    r3 -= r2   # reject: R3 subtraction from stack pointer prohibited
    r0 = *(u8 *)(r3 + 0)
    exit
.license "GPL"
