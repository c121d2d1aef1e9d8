# accept
# A check of one copy of a pointer holds for all.
.map acc, hash, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = acc ll
    call 1
    r6 = r0
    r7 = r0
    if r6 != 0 goto found
    r0 = 0
    exit
found:
    r0 = *(u64 *)(r7 + 8)
    exit
.license "GPL"
