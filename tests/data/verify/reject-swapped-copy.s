# What is learned of a number says nothing of its copy with the bytes swapped.
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = acc ll
    call 1
    if r0 == 0 goto out
    r6 = r0
    call 7
    r7 = r0
    r7 = be64 r7
    if r0 > 8 goto out
    r6 += r7   # reject: math between map_value pointer and register with unbounded min value is not allowed
    r0 = *(u8 *)(r6 + 0)
    exit
out:
    r0 = 0
    exit
.license "GPL"
