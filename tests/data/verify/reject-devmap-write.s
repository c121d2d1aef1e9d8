# What a lookup in a devmap gives is the kernel's own device number: programs may read it only, whatever the map's flags.
.map devices, devmap, key=4, value=4, entries=4
.section xdp, "ax"
.globl prog
prog:
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = devices ll
    call 1
    if r0 == 0 goto out
    *(u32 *)(r0 + 0) = 7   # reject: write into map forbidden, value_size=4 off=0 size=4
out:
    r0 = 2
    exit
.license "GPL"
