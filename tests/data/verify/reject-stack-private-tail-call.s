# A tail call takes the private stacks away: what the functions of a probe need is added up again.
.map jumps, prog_array, key=4, value=4, entries=1
.section tracepoint/syscalls/sys_enter_write, "ax"
.globl prog
prog:
    *(u64 *)(r10 - 512) = 0
    r2 = jumps ll
    r3 = 0
    call 12
    call deep
    exit
deep:
    *(u64 *)(r10 - 264) = 0
    r0 = 0
    exit   # reject: combined stack size of 2 calls is 784. Too large
.license "GPL"
