# 14 bytes were proved, the 15th is read.
.section xdp, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 14
    r0 = 1
    if r4 > r3 goto out
    r0 = *(u8 *)(r2 + 14)   # reject: R2 offset is outside of the packet
    r0 = 2
out:
    exit
.license "GPL"
