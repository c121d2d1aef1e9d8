# A lookup may find nothing.
.map acc, hash, key=4, value=16, entries=2
.section socket, "ax"
.globl prog
prog:
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = acc ll
    call 1
    r0 = *(u64 *)(r0 + 0)   # reject: R0 invalid mem access 'map_value_or_null'
    exit
.license "GPL"
