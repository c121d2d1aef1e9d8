/*
 * The packet and its context at the start and the end of a run, as BPF_PROG_TEST_RUN has them.
 *
 *   machine->packet
 *   | headroom 256        | Ethernet header 14 | network ...           | tailroom
 *   ^ room                ^ mac_header         ^ network_header        ^ data_end      ^ room_end
 *
 * XDP, sched_cls and sched_act programs have data at the Ethernet header, socket filters and cgroup_skb
 * behind it.
 *
 * Source: net/bpf/test_run.c of Linux 6.12, bpf_prog_test_run_skb(), convert___skb_to_skb(),
 * convert_skb_to___skb() and bpf_prog_test_run_xdp(); net/ethernet/eth.c, eth_type_trans();
 * net/core/filter.c, bpf_skb_load_helper_*().
 */
#include "state.h"

#include <string.h>

#define ETH_P_802_3 0x0001
#define ETH_P_802_2 0x0004
#define ETH_P_802_3_MIN 0x0600
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define PACKET_HOST 0
#define PACKET_BROADCAST 1
#define PACKET_MULTICAST 2
#define PACKET_OTHERHOST 3
#define LOOPBACK_IFINDEX 1
#define GSO_LEGACY_MAX_SIZE 65536
#define GSO_MAX_SEGS 65535
#define META_MAX 255
#define NET_OFFSET (-0x100000) /* SKF_NET_OFF: offsets below it count from the network header */
#define LL_OFFSET (-0x200000)  /* SKF_LL_OFF: from the Ethernet header */

static bool is_l2(uint32_t prog_type) {
    return prog_type == VM_PROG_SCHED_CLS || prog_type == VM_PROG_SCHED_ACT;
}

/* eth_type_trans() on the loopback device, whose address and broadcast address are all zero. */
static uint32_t packet_type(const uint8_t *eth) {
    static const uint8_t zero[6];

    if (memcmp(eth, zero, sizeof(zero)) == 0)
        return PACKET_HOST;
    return eth[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

uint16_t vm_packet_protocol(const uint8_t *eth, uint32_t size) {
    const uint16_t type = vm_big16(load16(eth + 12));

    if (type >= ETH_P_802_3_MIN)
        return vm_big16(type);
    if (size >= ETH_HEADER_SIZE + 2 && eth[14] == 0xff && eth[15] == 0xff)
        return vm_big16(ETH_P_802_3);
    return vm_big16(ETH_P_802_2);
}

static bool is_zero(const uint8_t *bytes, uint32_t from, uint32_t to) {
    for (uint32_t at = from; at < to; at++)
        if (bytes[at])
            return false;
    return true;
}

/* The fields that a caller may set; all others must be zero. */
static enum vm_status take_skb_ctx(struct vm_state *state, const uint8_t *given, uint32_t len) {
    static const struct {
        uint32_t offset, size;
    } fields[] = {
        {SKB_MARK, 4},   {SKB_PRIORITY, 4}, {SKB_INGRESS_IFINDEX, 4}, {SKB_IFINDEX, 4},  {SKB_CB, 20},
        {SKB_TSTAMP, 8}, {SKB_WIRE_LEN, 4}, {SKB_GSO_SEGS, 4},        {SKB_GSO_SIZE, 4}, {SKB_HWTSTAMP, 8},
    };
    const uint32_t wire_len = load32(given + SKB_WIRE_LEN);
    uint32_t end = 0;

    for (size_t index = 0; index < sizeof(fields) / sizeof(fields[0]); index++) {
        if (!is_zero(given, end, fields[index].offset))
            return VM_BAD_CONTEXT;
        memcpy(state->ctx + fields[index].offset, given + fields[index].offset, fields[index].size);
        end = fields[index].offset + fields[index].size;
    }
    if (!is_zero(given, end, VM_CTX_SIZE))
        return VM_BAD_CONTEXT;
    if (wire_len == 0)
        ctx_set32(state, SKB_WIRE_LEN, len);
    else if (wire_len < len || wire_len > GSO_LEGACY_MAX_SIZE)
        return VM_BAD_CONTEXT;
    return load32(given + SKB_GSO_SEGS) > GSO_MAX_SEGS ? VM_BAD_CONTEXT : VM_OK;
}

static enum vm_status begin_skb(struct vm_state *state, const struct vm_run *run) {
    const uint8_t *eth = state->mac_header;
    const uint16_t protocol = vm_packet_protocol(eth, run->data_size);
    const uint32_t network_size = run->data_size - ETH_HEADER_SIZE;
    uint32_t len;

    if ((protocol == vm_big16(ETH_P_IP) && network_size < 20) ||
        (protocol == vm_big16(ETH_P_IPV6) && network_size < 40))
        return VM_BAD_PACKET;
    state->data = is_l2(state->prog->prog_type) ? state->mac_header : state->network_header;
    state->data_meta = state->data;
    len = (uint32_t)(state->data_end - state->data);
    ctx_set32(state, SKB_LEN, len);
    ctx_set32(state, SKB_PKT_TYPE, packet_type(eth));
    ctx_set32(state, SKB_PROTOCOL, protocol);
    if (run->has_ctx) {
        enum vm_status status = take_skb_ctx(state, run->ctx, len);

        if (status)
            return status;
    }
    if (ctx_get32(state, SKB_IFINDEX) == 0)
        ctx_set32(state, SKB_IFINDEX, LOOPBACK_IFINDEX);
    return VM_OK;
}

static enum vm_status begin_xdp(struct vm_state *state, const struct vm_run *run) {
    uint32_t meta_size = 0;

    ctx_set32(state, XDP_INGRESS_IFINDEX, LOOPBACK_IFINDEX);
    if (run->has_ctx) {
        const uint32_t ifindex = load32(run->ctx + XDP_INGRESS_IFINDEX);

        meta_size = load32(run->ctx + XDP_DATA);
        if (load32(run->ctx + XDP_DATA_META) || load32(run->ctx + XDP_DATA_END) != run->data_size ||
            load32(run->ctx + XDP_EGRESS_IFINDEX) || (!ifindex && load32(run->ctx + XDP_RX_QUEUE_INDEX)))
            return VM_BAD_CONTEXT;
        if (meta_size % 4 || meta_size > META_MAX || meta_size > HEADROOM - XDP_FRAME_SIZE ||
            meta_size + ETH_HEADER_SIZE > run->data_size)
            return VM_BAD_CONTEXT;
        if (ifindex)
            ctx_set32(state, XDP_INGRESS_IFINDEX, ifindex);
        ctx_set32(state, XDP_RX_QUEUE_INDEX, load32(run->ctx + XDP_RX_QUEUE_INDEX));
    }
    /* What a program finds where it grows its packet must not be another packet's. */
    memset(state->room, 0, HEADROOM);
    /* Meta data comes out of the headroom, so that the packet itself stays where it is. */
    memmove(state->mac_header - meta_size, state->mac_header, run->data_size);
    state->data_meta = state->mac_header - meta_size;
    state->data = state->mac_header;
    state->data_end -= meta_size;
    state->room_end = state->room + XDP_PAGE_SIZE - XDP_TAILROOM;
    if (state->room_end < state->data_end)
        state->room_end = state->data_end;
    return VM_OK;
}

enum vm_status vm_packet_begin(struct vm_state *state, const struct vm_run *run) {
    if (run->data_size < ETH_HEADER_SIZE || run->data_size > VM_MAX_PACKET)
        return VM_BAD_PACKET;
    memset(state->ctx, 0, sizeof(state->ctx));
    state->room = state->machine->packet;
    state->room_end = state->room + PACKET_ROOM;
    state->mac_header = state->room + HEADROOM;
    state->network_header = state->mac_header + ETH_HEADER_SIZE;
    memcpy(state->mac_header, run->data, run->data_size);
    state->data_end = state->mac_header + run->data_size;
    return state->prog->prog_type == VM_PROG_XDP ? begin_xdp(state, run) : begin_skb(state, run);
}

static void end_skb_ctx(const struct vm_state *state, uint8_t *out) {
    static const struct {
        uint32_t offset, size;
    } fields[] = {
        {SKB_MARK, 4},   {SKB_PRIORITY, 4}, {SKB_INGRESS_IFINDEX, 4}, {SKB_IFINDEX, 4},  {SKB_CB, 20},
        {SKB_TSTAMP, 8}, {SKB_WIRE_LEN, 4}, {SKB_GSO_SEGS, 4},        {SKB_HWTSTAMP, 8},
    };

    for (size_t index = 0; index < sizeof(fields) / sizeof(fields[0]); index++)
        memcpy(out + fields[index].offset, state->ctx + fields[index].offset, fields[index].size);
}

void vm_packet_end(const struct vm_state *state, struct vm_run *run) {
    const uint32_t prog_type = state->prog->prog_type;
    const uint8_t *start = prog_type == VM_PROG_XDP ? state->data_meta : state->data;
    const uint32_t size = (uint32_t)(state->data_end - start);
    const uint32_t hidden = prog_type == VM_PROG_XDP || is_l2(prog_type) ? 0 : ETH_HEADER_SIZE;

    run->redirect_ifindex = state->redirect_ifindex;
    run->redirect_flags = state->redirect_flags;
    run->out_size = hidden + size;
    if (run->out && run->out_size <= run->out_capacity) {
        /* The kernel pushes an Ethernet header of zeros where the program did not see one. */
        memset(run->out, 0, hidden);
        memcpy(run->out + hidden, start, size);
    }
    if (!run->has_ctx)
        return;
    if (prog_type != VM_PROG_XDP) {
        end_skb_ctx(state, run->ctx);
        return;
    }
    store32(run->ctx + XDP_DATA, (uint32_t)(state->data - state->data_meta));
    store32(run->ctx + XDP_DATA_END, size);
}

bool vm_packet_load(const struct vm_state *state, int64_t offset, uint32_t size, uint64_t *value) {
    const uint8_t *base = state->data;
    const uint8_t *from;

    if (offset < LL_OFFSET)
        return false;
    if (offset < 0) {
        if (offset >= NET_OFFSET) {
            base = state->network_header;
            offset -= NET_OFFSET;
        } else {
            base = state->mac_header;
            offset -= LL_OFFSET;
        }
    }
    if (offset + size > state->data_end - base)
        return false;
    from = base + offset;
    *value = 0;
    for (uint32_t at = 0; at < size; at++)
        *value = *value << 8 | from[at];
    return true;
}
