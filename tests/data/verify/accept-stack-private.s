# accept
# Functions of probes have stacks of their own (since Linux 6.13): together they may need more than 512 bytes.
.section tracepoint/syscalls/sys_enter_write, "ax"
.globl prog
prog:
    *(u64 *)(r10 - 512) = 0
    call deep
    exit
deep:
    *(u64 *)(r10 - 264) = 0
    r0 = 0
    exit
.license "GPL"
