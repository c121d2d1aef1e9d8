# accept
# Division by a register cannot fault: by zero it gives zero.
.section socket, "ax"
.globl prog
prog:
    r0 = 1
    r2 = *(u32 *)(r1 + 0)
    r0 /= r2
    exit
.license "GPL"
