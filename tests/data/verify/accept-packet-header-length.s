# accept
# A header length from the packet, with the sum compared again.
.section tc, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 76)
    r3 = *(u32 *)(r1 + 80)
    r0 = 0
    r4 = r2
    r4 += 34
    if r4 > r3 goto out
    r5 = *(u8 *)(r2 + 14)
    r5 &= 15
    r5 <<= 2
    r2 += 14
    r2 += r5
    r4 = r2
    r4 += 8
    if r4 > r3 goto out
    r0 = *(u16 *)(r2 + 2)
out:
    exit
.license "GPL"
