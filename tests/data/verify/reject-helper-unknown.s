# There is no such helper.
.section socket, "ax"
.globl prog
prog:
    call 9999   # reject: invalid func unknown#9999
    exit
.license "GPL"
