# A number cannot be followed.
.section socket, "ax"
.globl prog
prog:
    r1 = 4096
    r0 = *(u64 *)(r1 + 0)   # reject: R1 invalid mem access 'scalar'
    exit
.license "GPL"
