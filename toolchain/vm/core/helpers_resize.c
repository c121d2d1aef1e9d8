/*
 * Helpers by which a classifier changes the length of its packet: VLAN tags and the tail.
 *
 *   The first tag of a packet is not in its bytes but beside them, in the fields vlan_present, vlan_tci and
 * vlan_proto; push moves a tag that is there into the bytes, behind the two addresses, and pop does the
 * reverse:
 *
 *      | dst 6 | src 6 | 81 00 | tci 2 | type 2 | ...
 *                      `--- 4 bytes ---'
 *
 * Source: net/core/skbuff.c of Linux 6.12, skb_vlan_push(), skb_vlan_pop(); include/linux/if_vlan.h,
 * vlan_remove_tag(), vlan_set_encap_proto(); net/core/filter.c, bpf_skb_vlan_push(), bpf_skb_vlan_pop(),
 * __bpf_skb_change_tail().
 */
#include "helpers.h"

#include <errno.h>
#include <string.h>

#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define ADDRESSES_SIZE 12
#define TAG_SIZE 4
#define SKB_MAX_ALLOC 16064 /* four pages less struct skb_shared_info */

static bool is_vlan(uint16_t big_protocol) {
    const uint16_t protocol = vm_big16(big_protocol);

    return protocol == ETH_P_8021Q || protocol == ETH_P_8021AD;
}

static uint16_t protocol_field(const struct vm_state *state) {
    return (uint16_t)ctx_get32(state, SKB_PROTOCOL);
}

static void set_tag(struct vm_state *state, bool is_present, uint16_t big_protocol, uint16_t tci) {
    ctx_set32(state, SKB_VLAN_PRESENT, is_present);
    ctx_set32(state, SKB_VLAN_TCI, tci);
    ctx_set32(state, SKB_VLAN_PROTO, big_protocol);
}

/* Everything that follows from where the packet begins and ends now. */
static void moved(struct vm_state *state, uint8_t *start) {
    state->data = start;
    state->data_meta = start;
    state->mac_header = start;
    state->network_header = start + ETH_HEADER_SIZE;
    ctx_set32(state, SKB_LEN, (uint32_t)(state->data_end - start));
}

/* The tag beside the packet goes into its bytes. */
static int insert_tag(struct vm_state *state) {
    uint8_t *start = state->data - TAG_SIZE;
    const uint16_t protocol = (uint16_t)ctx_get32(state, SKB_VLAN_PROTO);

    if (state->data - state->room < TAG_SIZE)
        return -ENOMEM;
    memmove(start, state->data, ADDRESSES_SIZE);
    store16(start + ADDRESSES_SIZE, protocol);
    store16(start + ADDRESSES_SIZE + 2, vm_big16((uint16_t)ctx_get32(state, SKB_VLAN_TCI)));
    ctx_set32(state, SKB_PROTOCOL, protocol);
    moved(state, start);
    return 0;
}

/* The first tag in the bytes is taken out; *tci is what it said. */
static int remove_tag(struct vm_state *state, uint16_t *tci) {
    uint8_t *start = state->data + TAG_SIZE;

    if (state->data_end - state->data < ETH_HEADER_SIZE + TAG_SIZE)
        return -ENOMEM;
    *tci = vm_big16(load16(state->data + ADDRESSES_SIZE + 2));
    memmove(start, state->data, ADDRESSES_SIZE);
    moved(state, start);
    ctx_set32(state, SKB_PROTOCOL, vm_packet_protocol(start, (uint32_t)(state->data_end - start)));
    return 0;
}

SHARED_HELPER(skb_vlan_push) {
    const uint16_t protocol = is_vlan((uint16_t)r2) ? (uint16_t)r2 : vm_big16(ETH_P_8021Q);

    UNUSED3(r1, r4, r5);
    if (ctx_get32(state, SKB_VLAN_PRESENT)) {
        const int status = insert_tag(state);

        if (status)
            return error(status);
    }
    set_tag(state, true, protocol, (uint16_t)r3);
    return 0;
}

SHARED_HELPER(skb_vlan_pop) {
    uint16_t protocol;
    uint16_t tci;
    int status;

    UNUSED3(r1, r2, r3);
    UNUSED2(r4, r5);
    if (ctx_get32(state, SKB_VLAN_PRESENT)) {
        set_tag(state, false, 0, 0);
    } else {
        if (!is_vlan(protocol_field(state)))
            return 0;
        status = remove_tag(state, &tci);
        if (status)
            return error(status);
    }
    protocol = protocol_field(state);
    if (!is_vlan(protocol))
        return 0;
    status = remove_tag(state, &tci);
    if (status)
        return error(status);
    set_tag(state, true, protocol, tci);
    return 0;
}

SHARED_HELPER(skb_change_tail) {
    const uint32_t size = (uint32_t)r2;
    const uint32_t old_size = (uint32_t)(state->data_end - state->data);

    UNUSED3(r1, r4, r5);
    if (r3 || size > SKB_MAX_ALLOC || size < ETH_HEADER_SIZE)
        return error(-EINVAL);
    if (size > old_size)
        memset(state->data_end, 0, size - old_size);
    state->data_end = state->data + size;
    ctx_set32(state, SKB_LEN, size);
    return 0;
}
