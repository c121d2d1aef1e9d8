# accept
# The control block is the program's to write.
.section socket, "ax"
.globl prog
prog:
    r2 = 7
    *(u32 *)(r1 + 48) = r2
    *(u8 *)(r1 + 67) = r2
    r0 = 0
    exit
.license "GPL"
