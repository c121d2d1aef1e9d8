# A call leaves nothing in r1 to r5.
.section socket, "ax"
.globl prog
prog:
    r4 = 7
    call 5
    r0 = r4   # reject: R4 !read_ok
    exit
.license "GPL"
