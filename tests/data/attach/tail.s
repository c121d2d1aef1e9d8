# tail.s: tc's classic form of tail calls. "7/1" goes into slot 1 of the array with id 7; slot 0 stays empty.
    .license "GPL"
    .section maps, "aw", @progbits
    .globl jumps
jumps:
    .long 3, 4, 4, 4, 0             # prog array, key and value size, entries, flags
    .long 7, 2, 0, 0                # id, pinning 2: tc/globals/jumps
    .section classifier, "ax", @progbits
    .globl entry
    .type entry, @function
entry:
    r2 = jumps ll
    r3 = 1
    call 12                         # bpf_tail_call
    r0 = 0                          # TC_ACT_OK: there was nothing in the slot
    exit
    .size entry, . - entry
    .section "7/1", "ax", @progbits
    .globl drop
    .type drop, @function
drop:
    r0 = 2                          # TC_ACT_SHOT
    exit
    .size drop, . - drop
    .section "let", "ax", @progbits
    .globl let
    .type let, @function
let:
    r0 = 0
    exit
    .size let, . - let
