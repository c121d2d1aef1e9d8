# accept
# Fields of the context, whole and in part.
.section socket, "ax"
.globl prog
prog:
    r0 = *(u32 *)(r1 + 0)
    r2 = *(u16 *)(r1 + 16)
    r3 = *(u8 *)(r1 + 4)
    r0 += r2
    r0 += r3
    exit
.license "GPL"
