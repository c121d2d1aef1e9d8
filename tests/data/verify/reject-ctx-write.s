# xdp_md cannot be written.
.section xdp, "ax"
.globl prog
prog:
    r0 = 2
    *(u32 *)(r1 + 12) = r0   # reject: invalid bpf_context access off=12 size=4
    exit
.license "GPL"
