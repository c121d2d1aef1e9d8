# The context cannot be indexed.
.section socket, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 0)
    r2 &= 4
    r1 += r2
    r0 = *(u32 *)(r1 + 0)   # reject: variable ctx access var_off=(0x0; 0x4) disallowed
    exit
.license "GPL"
