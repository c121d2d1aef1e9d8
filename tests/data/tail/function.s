# A tail call out of a function replaces that function only: its caller goes on with the other result.
# returns 180
    .license "GPL"
    .section maps, "aw", @progbits
    .globl jumps
jumps:
    .long 3, 4, 4, 1, 0             # prog array, key and value size, entries, flags
    .long 7, 0, 0, 0                # id, pinning
    .section "classifier", "ax", @progbits
    .globl entry
    .type entry, @function
entry:
    r6 = r1
    *(u64 *)(r10 - 8) = 100
    call jump
    r1 = *(u64 *)(r10 - 8)
    r0 += r1
    r2 = *(u32 *)(r6 + 0)
    r0 += r2
    r0 += -7
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
    .globl next
    .type next, @function
next:
    *(u64 *)(r10 - 8) = 5000
    r6 = 77
    call deeper
    r0 += 20
    exit
    .size next, . - next
    .type deeper, @function
deeper:
    r0 = 3
    exit
    .size deeper, . - deeper
