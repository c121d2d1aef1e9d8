# A jump to the second half of a wide load.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    if r0 == 0 goto +1   # reject: jump into the middle of ldimm64 insn 2
    r1 = 0x123456789a ll
    exit
.license "GPL"
