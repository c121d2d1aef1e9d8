# An array has no element at or above its size, so a lookup with such a key may find nothing.
.map acc, array, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    *(u32 *)(r10 - 8) = 2
    r2 = r10
    r2 += -8
    r1 = acc ll
    call 1
    r0 = *(u64 *)(r0 + 0)   # reject: R0 invalid mem access 'map_value_or_null'
    exit
.license "GPL"
