# A jump that leaves the program.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    if r0 == 0 goto +4   # reject: jump out of range from insn 1 to 6
    exit
.license "GPL"
