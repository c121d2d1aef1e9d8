# No instruction has this opcode: arithmetic operation 15.
.section socket, "ax"
.globl prog
prog:
    .8byte 0x00000000000000f7   # reject: unknown opcode f7
    exit
.license "GPL"
