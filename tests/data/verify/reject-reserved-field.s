# A move whose offset field is not zero.
.section socket, "ax"
.globl prog
prog:
    .8byte 0x00000007000100b7   # reject: BPF_MOV uses reserved fields
    exit
.license "GPL"
