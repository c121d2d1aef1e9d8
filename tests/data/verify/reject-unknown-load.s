# A load in a mode that does not exist.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    .8byte 0x00000000000010f9   # reject: BPF_LDX uses reserved fields
    exit
.license "GPL"
