# accept
# Packet loads of the classic kind.
.section socket, "ax"
.globl prog
prog:
    r6 = r1
    r0 = *(u16 *)skb[12]
    r7 = r0
    r0 = *(u8 *)skb[r7]
    exit
.license "GPL"
