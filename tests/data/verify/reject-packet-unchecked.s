# No byte of a packet may be read before it was compared with data_end.
.section tc, "ax"
.globl prog
prog:
    r2 = *(u32 *)(r1 + 76)
    r0 = *(u8 *)(r2 + 0)   # reject: R2 offset is outside of the packet
    exit
.license "GPL"
