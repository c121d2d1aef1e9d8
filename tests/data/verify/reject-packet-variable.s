# A length from the packet is added, and the sum is not compared again.
.section tc, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 76)
    r3 = *(u32 *)(r1 + 80)
    r4 = r2
    r4 += 14
    r0 = 0
    if r4 > r3 goto out
    r5 = *(u8 *)(r2 + 13)
    r2 += r5
    r0 = *(u8 *)(r2 + 0)   # reject: R2 offset is outside of the packet
out:
    exit
.license "GPL"
