# r10 cannot be written.
.section socket, "ax"
.globl prog
prog:
    r10 = 0   # reject: frame pointer is read only
    r0 = 0
    exit
.license "GPL"
