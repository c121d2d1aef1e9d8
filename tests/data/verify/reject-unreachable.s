# Code that no path reaches.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    exit
    r0 = 1   # reject: unreachable insn 2
    exit
.license "GPL"
