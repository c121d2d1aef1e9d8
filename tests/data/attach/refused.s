# refused.s: makes a pinned map, but the verifier refuses the program
    .license "GPL"
    .map left_behind, array, key=4, value=8, entries=1, pin=name
    .section tc, "ax", @progbits
    .globl bad
    .type bad, @function
bad:
    r1 = left_behind ll
    r0 = *(u64 *)(r10 - 8)
    r0 = *(u64 *)(r0 + 0)
    exit
    .size bad, . - bad
