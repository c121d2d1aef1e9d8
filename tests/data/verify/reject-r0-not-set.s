# A program that leaves without a return value.
.section socket, "ax"
.globl prog
prog:
    r1 = 0
    exit   # reject: R0 !read_ok
.license "GPL"
