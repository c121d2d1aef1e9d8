# A socket filter cannot redirect.
.section socket, "ax"
.globl prog
prog:
    r1 = 1
    r2 = 0
    call 23   # reject: program of this type cannot use helper bpf_redirect#23
    exit
.license "GPL"
