# The last instruction neither leaves nor jumps.
.section socket, "ax"
.globl prog
prog:
    r0 = 0   # reject: last insn is not an exit or jmp
.license "GPL"
