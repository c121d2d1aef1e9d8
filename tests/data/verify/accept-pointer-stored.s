# accept
# Who may see kernel addresses may store them.
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    r6 = r1
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = acc ll
    call 1
    if r0 == 0 goto out
    *(u64 *)(r0 + 0) = r6
out:
    r0 = 0
    exit
.license "GPL"
