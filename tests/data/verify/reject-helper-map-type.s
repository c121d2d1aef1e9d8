# An array is no prog array.
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    r2 = acc ll
    r3 = 0
    call 12   # reject: expected prog array map for tail call
    r0 = 0
    exit
.license "GPL"
