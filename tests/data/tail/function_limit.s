# 33 tail calls in a whole run, those of functions together. Each program tries twice, so the count is spent.
# returns 33
    .license "GPL"
    .section maps, "aw", @progbits
    .globl jumps
jumps:
    .long 3, 4, 4, 1, 0             # prog array, key and value size, entries, flags
    .long 7, 0, 0, 0                # id, pinning
    .globl count
count:
    .long 2, 4, 8, 1, 0             # array
    .long 8, 0, 0, 0
    .section "classifier", "ax", @progbits
    .globl entry
    .type entry, @function
entry:
    r6 = r1
    call jump
    r1 = r6
    call jump
    r1 = count ll
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto none
    r0 = *(u64 *)(r0 + 0)
none:
    exit
    .size entry, . - entry
    .type jump, @function
jump:
    r2 = jumps ll
    r3 = 0
    call 12
    r0 = 1
    exit
    .size jump, . - jump
    .section "7/0", "ax", @progbits
    .globl again
    .type again, @function
again:
    r6 = r1
    r1 = count ll
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto gone
    r2 = 1
    lock *(u64 *)(r0 + 0) += r2
gone:
    r1 = r6
    call jump2
    r1 = r6
    call jump2
    r0 = 5
    exit
    .size again, . - again
    .type jump2, @function
jump2:
    r2 = jumps ll
    r3 = 0
    call 12
    r0 = 1
    exit
    .size jump2, . - jump2
