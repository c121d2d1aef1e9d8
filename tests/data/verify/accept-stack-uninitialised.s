# accept
# Who may see kernel memory may read stack that was never written.
.section socket, "ax"
.globl prog
prog:
    r0 = *(u64 *)(r10 - 8)
    exit
.license "GPL"
