# accept
# A tail call that may fall through.
.map jumps, prog_array, key=4, value=4, entries=4
.section socket, "ax"
.globl prog
prog:
    r2 = jumps ll
    r3 = 0
    call 12
    r0 = 0
    exit
.license "GPL"
