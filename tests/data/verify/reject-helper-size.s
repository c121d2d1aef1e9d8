# A size that may be larger than the buffer.
.section socket, "ax"
.globl prog
prog:
    r6 = r1
    r4 = *(u32 *)(r1 + 0)
    r4 &= 31
    r4 += 1
    r3 = r10
    r3 += -16
    r2 = 0
    call 26   # reject: invalid write to stack R3 off=-16 size=32
    r0 = 0
    exit
.license "GPL"
