# xdp_md is read in words.
.section xdp, "ax"
.globl prog
prog:
    r0 = *(u16 *)(r1 + 12)   # reject: invalid bpf_context access off=12 size=2
    exit
.license "GPL"
