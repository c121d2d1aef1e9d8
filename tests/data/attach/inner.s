# inner.s: tc's classic map of maps. Slot 1 of "outer" is filled with "inner", which the outer record's inner_id names.
    .license "GPL"
    .section maps, "aw", @progbits
    .globl inner
inner:
    .long 2, 4, 8, 1, 0             # array: key and value size, entries, flags
    .long 3, 0, 0, 1                # id, pinning, inner_id, inner_idx: the slot
    .globl outer
outer:
    .long 12, 4, 4, 2, 0            # array of maps
    .long 4, 2, 3, 0                # id, pinning 2: tc/globals/outer, inner_id
    .section classifier, "ax", @progbits
    .globl look
    .type look, @function
look:
    r1 = 1
    *(u32 *)(r10 - 4) = r1
    r1 = outer ll
    r2 = r10
    r2 += -4
    call 1                          # bpf_map_lookup_elem: the inner map, if the slot is filled
    if r0 == 0 goto none
    r0 = 2                          # TC_ACT_SHOT
    exit
none:
    r0 = 0                          # TC_ACT_OK
    exit
    .size look, . - look
