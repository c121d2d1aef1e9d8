# Some helpers are for programs under the GPL.
.section socket, "ax"
.globl prog
prog:
    r1 = r10
    r1 += -8
    r2 = 1
    r3 = 0
    call 113   # reject: cannot call GPL-restricted function from non-GPL compatible program
    r0 = 0
    exit
.license "Proprietary"
