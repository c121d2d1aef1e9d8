# Functions may not call themselves.
.section socket, "ax"
.globl prog
prog:
    call again
    exit
again:
    call again   # reject: the call stack of 9 frames is too deep
    exit
.license "GPL"
