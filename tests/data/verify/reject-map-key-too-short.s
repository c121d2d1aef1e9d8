# The key reaches beyond the stack.
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    r2 = r10
    r2 += -2
    r1 = acc ll
    call 1   # reject: invalid read from stack R2 off=-2 size=4
    r0 = 0
    exit
.license "GPL"
