# Half of a pointer that was spilled is no number.
.section socket, "ax"
.globl prog
prog:
    *(u64 *)(r10 - 8) = r1
    r0 = *(u32 *)(r10 - 8)   # reject: invalid size of register fill
    exit
.license "GPL"
