# Two frames that together need more than 512 bytes.
.section socket, "ax"
.globl prog
prog:
    *(u64 *)(r10 - 296) = 0
    call deep
    exit
deep:
    *(u64 *)(r10 - 264) = 0
    r0 = 0
    exit   # reject: combined stack size of 2 calls is 576. Too large
.license "GPL"
