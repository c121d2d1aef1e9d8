# pinning.s: a classic map for each way to be pinned. PINNING is the id.
    .license "GPL"
    .section maps, "aw", @progbits
    .globl counts
counts:
    .long 2, 4, 8, 1, 0             # array
    .long 0, PINNING, 0, 0
    .section classifier, "ax", @progbits
    .globl look
    .type look, @function
look:
    r1 = 0
    *(u32 *)(r10 - 4) = r1
    r1 = counts ll
    r2 = r10
    r2 += -4
    call 1
    r0 = 0
    exit
    .size look, . - look
