# accept
# An Ethernet header, after a comparison with data_end.
.section xdp, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 14
    r0 = 1
    if r4 > r3 goto out
    r5 = *(u16 *)(r2 + 12)
    r0 = 2
    if r5 == 8 goto out
    *(u8 *)(r2 + 0) = r5
out:
    exit
.license "GPL"
