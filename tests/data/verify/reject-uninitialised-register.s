# r2 holds nothing when a program begins.
.section socket, "ax"
.globl prog
prog:
    r0 = r2   # reject: R2 !read_ok
    exit
.license "GPL"
