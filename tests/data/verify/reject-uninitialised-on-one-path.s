# r3 is set on one path only.
.section socket, "ax"
.globl prog
prog:
    r0 = *(u32 *)(r1 + 0)
    if r0 == 0 goto skip
    r3 = 1
skip:
    r0 = r3   # reject: R3 !read_ok
    exit
.license "GPL"
