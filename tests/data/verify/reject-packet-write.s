# A cgroup program may read the packet, not write it.
.section cgroup_skb/ingress, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 76)
    r3 = *(u32 *)(r1 + 80)
    r4 = r2
    r4 += 1
    r0 = 1
    if r4 > r3 goto out
    *(u8 *)(r2 + 0) = 0   # reject: cannot write into packet
out:
    exit
.license "GPL"
