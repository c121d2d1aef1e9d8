# A socket filter does not see packet pointers.
.section socket, "ax"
.globl prog
prog:
    r0 = *(u32 *)(r1 + 76)   # reject: invalid bpf_context access off=76 size=4
    exit
.license "GPL"
