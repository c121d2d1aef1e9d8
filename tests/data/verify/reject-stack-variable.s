# An index into the stack that may be too large by one.
.section socket, "ax"
.globl prog
prog:
    *(u64 *)(r10 - 8) = 0
    *(u64 *)(r10 - 16) = 0
    r2 = *(u32 *)(r1 + 0)
    r2 &= 16
    r3 = r10
    r3 += -16
    r3 += r2
    r0 = *(u8 *)(r3 + 0)   # reject: invalid variable-offset read from stack R3 var_off=(0x0; 0x10) off=-16 size=1
    exit
.license "GPL"
