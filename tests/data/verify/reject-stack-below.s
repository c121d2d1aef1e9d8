# The stack has 512 bytes below r10.
.section socket, "ax"
.globl prog
prog:
    r0 = 0
    *(u64 *)(r10 - 520) = r0   # reject: invalid write to stack R10 off=-520 size=8
    exit
.license "GPL"
