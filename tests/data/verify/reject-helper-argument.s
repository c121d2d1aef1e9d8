# The first argument of map_lookup_elem is a map.
.section socket, "ax"
.globl prog
prog:
    r2 = r10
    r2 += -4
    call 1   # reject: R1 type=ctx expected=map_ptr
    r0 = 0
    exit
.license "GPL"
