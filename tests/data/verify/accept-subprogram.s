# accept
# A function gets a pointer into the frame of its caller.
.section socket, "ax"
.globl prog
prog:
    *(u64 *)(r10 - 8) = 0
    r1 = r10
    r1 += -8
    call fill
    r0 = *(u64 *)(r10 - 8)
    exit
fill:
    r2 = 42
    *(u64 *)(r1 + 0) = r2
    r0 = 0
    exit
.license "GPL"
