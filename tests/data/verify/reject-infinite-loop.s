# A loop in which nothing changes: its second round begins in the state of the first.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
again:
    if r0 == 0 goto again   # reject: infinite loop detected at insn 1
    exit
.license "GPL"
