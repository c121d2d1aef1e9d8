# Packet loads of the classic kind are not for this type of program.
.section xdp, "ax"
.globl prog
prog:
    r6 = r1
    r0 = *(u8 *)skb[0]   # reject: BPF_LD_[ABS|IND] instructions not allowed for this program type
    r0 = 2
    exit
.license "GPL"
