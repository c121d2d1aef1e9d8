# The sum of two pointers points nowhere.
.section socket, "ax"
.globl prog
prog:
    r1 += r10   # reject: R1 pointer += pointer prohibited
    r0 = 0
    exit
.license "GPL"
