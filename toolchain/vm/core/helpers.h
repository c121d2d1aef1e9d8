/* What the files of helpers share: how one is declared, and the list of those that helpers.c's table takes
 * from elsewhere. */
#pragma once

#include "state.h"

#define HELPER(name)                                                                           \
    static uint64_t vm_##name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, \
                              struct vm_state *state)
#define SHARED_HELPER(name)                                                             \
    uint64_t vm_##name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, \
                       struct vm_state *state)

#define UNUSED1(a) (void)(a)
#define UNUSED2(a, b) UNUSED1(a), UNUSED1(b)
#define UNUSED3(a, b, c) UNUSED2(a, b), UNUSED1(c)

/* helpers_trace.c */
SHARED_HELPER(trace_printk);

/* helpers_packet.c */
SHARED_HELPER(skb_store_bytes);
SHARED_HELPER(skb_load_bytes);
SHARED_HELPER(skb_load_bytes_relative);
SHARED_HELPER(skb_pull_data);
SHARED_HELPER(skb_change_type);
SHARED_HELPER(skb_set_hash);
SHARED_HELPER(skb_set_hash_invalid);
SHARED_HELPER(csum_update);
SHARED_HELPER(l3_csum_replace);
SHARED_HELPER(l4_csum_replace);
SHARED_HELPER(csum_diff);
SHARED_HELPER(redirect);
SHARED_HELPER(xdp_adjust_head);
SHARED_HELPER(xdp_adjust_meta);
SHARED_HELPER(xdp_adjust_tail);
SHARED_HELPER(xdp_get_buff_len);
SHARED_HELPER(xdp_load_bytes);
SHARED_HELPER(xdp_store_bytes);

/* helpers_resize.c */
SHARED_HELPER(skb_vlan_push);
SHARED_HELPER(skb_vlan_pop);
SHARED_HELPER(skb_change_tail);

static inline void *pointer(uint64_t value) {
    return (void *)(uintptr_t)value;
}

/* A negative errno as a program sees it in R0. */
static inline uint64_t error(int number) {
    return (uint64_t)(int64_t)number;
}
