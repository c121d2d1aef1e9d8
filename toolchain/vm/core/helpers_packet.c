/*
 * Helpers that read and change packets, and the one that sends them elsewhere.
 *
 * A packet here is always one piece, so "make it writable" has nothing to do but to check the length.
 * Checksums are sums of 16-bit words with end-around carry (RFC 1071); they are computed on words as they lie
 * in memory, which gives the same bytes on either endian.
 *
 * Source: net/core/filter.c of Linux 6.12 and 6.18, bpf_skb_*(), bpf_l3_csum_replace(),
 * bpf_l4_csum_replace(), bpf_csum_diff(), bpf_xdp_*(), bpf_redirect(); include/net/checksum.h.
 */
#include "helpers.h"

#include <errno.h>
#include <string.h>

#define F_RECOMPUTE_CSUM 1u
#define F_INVALIDATE_HASH 2u
#define F_INGRESS 1u
#define F_HDR_FIELD_MASK 0xfu
#define F_PSEUDO_HDR 0x10u
#define F_MARK_MANGLED_0 0x20u
#define F_MARK_ENFORCE 0x40u
#define F_IPV6 0x80u
#define CSUM_MANGLED_0 0xffffu
#define HDR_START_MAC 0
#define HDR_START_NET 1
#define TC_ACT_SHOT 2
#define TC_ACT_REDIRECT 7
#define XDP_ABORTED 0
#define XDP_REDIRECT 4
#define PACKET_OTHERHOST 3
#define META_MAX 255
#define ENOTSUPP 524 /* include/linux/errno.h; no libc has it */

static uint64_t packet_size(const struct vm_state *state) {
    return (uint64_t)(state->data_end - state->data);
}

static bool is_inside(const struct vm_state *state, uint32_t offset, uint64_t size) {
    return offset <= INT32_MAX && offset + size <= packet_size(state);
}

SHARED_HELPER(skb_load_bytes) {
    const uint32_t offset = (uint32_t)r2;
    const uint32_t size = (uint32_t)r4;

    UNUSED2(r1, r5);
    if (!is_inside(state, offset, size)) {
        memset(pointer(r3), 0, size);
        return error(-EFAULT);
    }
    memcpy(pointer(r3), state->data + offset, size);
    return 0;
}

SHARED_HELPER(skb_load_bytes_relative) {
    const uint32_t offset = (uint32_t)r2;
    const uint32_t size = (uint32_t)r4;
    const uint8_t *start = (uint32_t)r5 == HDR_START_MAC ? state->mac_header : state->network_header;

    UNUSED1(r1);
    if (offset > 0xffff || (uint32_t)r5 > HDR_START_NET ||
        offset + (uint64_t)size > (uint64_t)(state->data_end - start)) {
        memset(pointer(r3), 0, size);
        return error(-EFAULT);
    }
    memcpy(pointer(r3), start + offset, size);
    return 0;
}

SHARED_HELPER(skb_store_bytes) {
    const uint32_t offset = (uint32_t)r2;
    const uint32_t size = (uint32_t)r4;

    UNUSED1(r1);
    if (r5 & ~(uint64_t)(F_RECOMPUTE_CSUM | F_INVALIDATE_HASH))
        return error(-EINVAL);
    if (!is_inside(state, offset, size))
        return error(-EFAULT);
    memmove(state->data + offset, pointer(r3), size);
    return 0;
}

SHARED_HELPER(skb_pull_data) {
    UNUSED2(r1, r3);
    UNUSED2(r4, r5);
    return (uint32_t)r2 > packet_size(state) ? error(-ENOMEM) : 0;
}

SHARED_HELPER(skb_change_type) {
    UNUSED2(r1, r3);
    UNUSED2(r4, r5);
    if ((uint32_t)r2 > PACKET_OTHERHOST)
        return error(-EINVAL);
    ctx_set32(state, SKB_PKT_TYPE, (uint32_t)r2);
    return 0;
}

SHARED_HELPER(skb_set_hash) {
    UNUSED2(r1, r3);
    UNUSED2(r4, r5);
    ctx_set32(state, SKB_HASH, (uint32_t)r2);
    return 0;
}

SHARED_HELPER(skb_set_hash_invalid) {
    UNUSED3(r1, r2, r3);
    UNUSED2(r4, r5);
    ctx_set32(state, SKB_HASH, 0);
    return 0;
}

/* Keeps a checksum that a device computed; no packet here comes from one. */
SHARED_HELPER(csum_update) {
    UNUSED3(r1, r2, r3);
    UNUSED2(r4, r5);
    (void)state;
    return error(-ENOTSUPP);
}

static uint32_t sum_add(uint32_t left, uint32_t right) {
    const uint32_t sum = left + right;

    return sum + (sum < right);
}

static uint16_t sum_fold(uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Any size, as Linux 6.13 and later take it: a rest of less than four bytes counts as if zeros followed. */
static uint32_t sum_of(const uint8_t *words, uint32_t size, uint32_t seed) {
    uint32_t sum = seed;
    uint32_t at = 0;

    for (; size - at >= 4; at += 4)
        sum = sum_add(sum, load32(words + at));
    if (at < size) {
        uint32_t rest = 0;

        memcpy(&rest, words + at, size - at);
        sum = sum_add(sum, rest);
    }
    return sum;
}

SHARED_HELPER(csum_diff) {
    const uint8_t *from = pointer(r1);
    const uint8_t *to = pointer(r3);
    const uint32_t from_size = (uint32_t)r2;
    const uint32_t to_size = (uint32_t)r4;
    uint32_t sum = (uint32_t)r5;

    (void)state;
    if (from_size && to_size)
        sum = sum_add(sum_of(to, to_size, sum), ~sum_of(from, from_size, 0));
    else if (to_size)
        sum = sum_of(to, to_size, sum);
    else if (from_size)
        sum = ~sum_of(from, from_size, ~sum);
    return sum_fold(sum);
}

/* The checksum at `field` after `from` became `to`; size 0: `to` is a difference already. */
static uint16_t replaced(uint16_t field, uint32_t from, uint32_t to, unsigned int size) {
    uint32_t sum = (uint16_t)~field;

    if (size == 2) {
        from = (uint16_t)from;
        to = (uint16_t)to;
    }
    if (size)
        sum = sum_add(sum, ~from);
    return (uint16_t)~sum_fold(sum_add(sum, to));
}

static uint64_t replace_at(struct vm_state *state, uint64_t r2, uint64_t from, uint64_t to, uint64_t flags) {
    const unsigned int size = flags & F_HDR_FIELD_MASK;
    const uint32_t offset = (uint32_t)r2;
    uint8_t *field = state->data + offset;

    if (offset > 0xffff || offset & 1 || !is_inside(state, offset, 2))
        return error(-EFAULT);
    if (flags & F_MARK_MANGLED_0 && !(flags & F_MARK_ENFORCE) && load16(field) == 0)
        return 0;
    if ((size != 0 && size != 2 && size != 4) || (size == 0 && from != 0))
        return error(-EINVAL);
    store16(field, replaced(load16(field), (uint32_t)from, (uint32_t)to, size));
    if (flags & F_MARK_MANGLED_0 && load16(field) == 0)
        store16(field, CSUM_MANGLED_0);
    return 0;
}

SHARED_HELPER(l3_csum_replace) {
    UNUSED1(r1);
    if (r5 & ~(uint64_t)F_HDR_FIELD_MASK)
        return error(-EINVAL);
    return replace_at(state, r2, r3, r4, r5);
}

SHARED_HELPER(l4_csum_replace) {
    UNUSED1(r1);
    if (r5 & ~(uint64_t)(F_HDR_FIELD_MASK | F_PSEUDO_HDR | F_MARK_MANGLED_0 | F_MARK_ENFORCE | F_IPV6))
        return error(-EINVAL);
    return replace_at(state, r2, r3, r4, r5);
}

SHARED_HELPER(redirect) {
    const bool is_xdp = state->prog->prog_type == VM_PROG_XDP;

    UNUSED3(r3, r4, r5);
    if (r2 & ~(uint64_t)(is_xdp ? 0 : F_INGRESS))
        return is_xdp ? XDP_ABORTED : TC_ACT_SHOT;
    state->redirect_ifindex = (uint32_t)r1;
    state->redirect_flags = r2;
    return is_xdp ? XDP_REDIRECT : TC_ACT_REDIRECT;
}

SHARED_HELPER(xdp_adjust_head) {
    const int64_t offset = (int32_t)r2;
    const int64_t meta_size = state->data - state->data_meta;
    const int64_t at = state->data - state->room + offset;

    UNUSED2(r1, r3);
    UNUSED2(r4, r5);
    if (at < XDP_FRAME_SIZE + meta_size || at > state->data_end - state->room - ETH_HEADER_SIZE)
        return error(-EINVAL);
    memmove(state->data_meta + offset, state->data_meta, (size_t)meta_size);
    state->data_meta += offset;
    state->data += offset;
    return 0;
}

SHARED_HELPER(xdp_adjust_meta) {
    const int64_t at = state->data_meta - state->room + (int32_t)r2;
    const int64_t size = state->data - state->room - at;

    UNUSED2(r1, r3);
    UNUSED2(r4, r5);
    if (at < XDP_FRAME_SIZE || size < 0)
        return error(-EINVAL);
    if (size % 4 || size > META_MAX)
        return error(-EACCES);
    state->data_meta = state->room + at;
    return 0;
}

SHARED_HELPER(xdp_adjust_tail) {
    const int64_t offset = (int32_t)r2;
    const int64_t end = state->data_end - state->room + offset;

    UNUSED2(r1, r3);
    UNUSED2(r4, r5);
    if (end > state->room_end - state->room || end < state->data - state->room + ETH_HEADER_SIZE)
        return error(-EINVAL);
    if (offset > 0)
        memset(state->data_end, 0, (size_t)offset);
    state->data_end += offset;
    return 0;
}

SHARED_HELPER(xdp_get_buff_len) {
    UNUSED3(r1, r2, r3);
    UNUSED2(r4, r5);
    return packet_size(state);
}

static int xdp_range(const struct vm_state *state, uint32_t offset, uint32_t size) {
    if (offset > 0xffff || size > 0xffff)
        return -EFAULT;
    return offset + (uint64_t)size > packet_size(state) ? -EINVAL : 0;
}

SHARED_HELPER(xdp_load_bytes) {
    const int status = xdp_range(state, (uint32_t)r2, (uint32_t)r4);

    UNUSED2(r1, r5);
    if (status == 0)
        memmove(pointer(r3), state->data + (uint32_t)r2, (uint32_t)r4);
    return error(status);
}

SHARED_HELPER(xdp_store_bytes) {
    const int status = xdp_range(state, (uint32_t)r2, (uint32_t)r4);

    UNUSED2(r1, r5);
    if (status == 0)
        memmove(state->data + (uint32_t)r2, pointer(r3), (uint32_t)r4);
    return error(status);
}
