/*
 * What decoder, interpreters and helpers share.
 *
 *   struct vm_cell     one instruction, decoded: 16 bytes
 *      0        4     5     6        8                       16
 *      | handler | dst | src | off    | imm (64 bits)        |
 *   handler is the distance from the interpreter's first label to the one that does this instruction, so that
 * the next instruction is one load and one jump away. Cells stand one to a slot: jump offsets need no
 * translation, and a fault names its slot by subtraction. The cell behind a wide instruction is never reached
 * in a verified program.
 *
 *   struct vm_state    what R1 points to: the context as programs see it, then real pointers, then what
 * helpers need 0                     192     200       208          216 | struct __sk_buff    | data  |
 * data_end | data_meta | ... A program reads ctx->data as 4 bytes at offset 76. At load that instruction
 * becomes an 8-byte load at offset 192, so no packet must lie below 4 GiB. All other fields are plain loads
 * and stores at their own offsets.
 */
#pragma once

#include "core.h"
#include "forms.h"

#define STACK_SIZE 512
#define MAX_FRAMES 8
#define MAX_TAIL_CALLS 33 /* kernel: MAX_TAIL_CALL_CNT, include/linux/bpf.h */
/* A tail call out of a function replaces that function only, so each may leave callers behind. */
#define TOTAL_FRAMES (MAX_FRAMES * (MAX_TAIL_CALLS + 1))
#define MAX_MAY_GOTO 0x800000 /* kernel: BPF_MAX_LOOPS, include/linux/bpf_verifier.h */
#define HEADROOM 256          /* kernel: XDP_PACKET_HEADROOM */
#define XDP_FRAME_SIZE 40     /* kernel: struct xdp_frame stands at the start of the headroom */
#define XDP_PAGE_SIZE 4096    /* kernel: a test run's buffer is one page ... */
#define XDP_TAILROOM 320      /* ... less struct skb_shared_info */
#define ETH_HEADER_SIZE 14
#define TRACE_SIZE 65536
#define PACKET_ROOM (HEADROOM + VM_MAX_PACKET + XDP_PAGE_SIZE)

struct vm_cell {
    int32_t handler;
    uint8_t dst;
    uint8_t src;
    int16_t off;
    int64_t imm;
};
_Static_assert(sizeof(struct vm_cell) == 16, "a cell is 16 bytes");

/*
 * Forms that have a variant whose destination (d) or source (s) operand is the value that the instruction
 * before it wrote; see WRITE in interp.h.
 */
/* clang-format off */
#define ALU_VARIANTS(V, name) V(name##_reg, d) V(name##_reg, s) V(name##_imm, d)
#define BOTH_WIDTHS(V, name) ALU_VARIANTS(V, name##64) ALU_VARIANTS(V, name##32)
#define VARIANT_LIST(V) \
    BOTH_WIDTHS(V, add) BOTH_WIDTHS(V, sub) BOTH_WIDTHS(V, mul) BOTH_WIDTHS(V, div) BOTH_WIDTHS(V, mod) \
    BOTH_WIDTHS(V, or) BOTH_WIDTHS(V, and) BOTH_WIDTHS(V, xor) BOTH_WIDTHS(V, mov) BOTH_WIDTHS(V, lsh) \
    BOTH_WIDTHS(V, rsh) BOTH_WIDTHS(V, arsh) BOTH_WIDTHS(V, sdiv) BOTH_WIDTHS(V, smod) \
    BOTH_WIDTHS(V, jeq) BOTH_WIDTHS(V, jne) BOTH_WIDTHS(V, jgt) BOTH_WIDTHS(V, jge) BOTH_WIDTHS(V, jlt) \
    BOTH_WIDTHS(V, jle) BOTH_WIDTHS(V, jset) BOTH_WIDTHS(V, jsgt) BOTH_WIDTHS(V, jsge) BOTH_WIDTHS(V, jslt) \
    BOTH_WIDTHS(V, jsle) \
    V(be16, d) V(be32, d) V(be64, d) \
    V(ldxb, s) V(ldxh, s) V(ldxw, s) V(ldxdw, s) V(ldxsb, s) V(ldxsh, s) V(ldxsw, s) \
    V(stxb, s) V(stxh, s) V(stxw, s) V(stxdw, s)
/* clang-format on */

#define FORM_ENUM(name, opcode, src, off, imm) FORM_##name,
#define VARIANT_ENUM(form, letter) VARIANT_##form##_##letter,
/* Handlers: one for each form of the opcode table, then those that only the decoder makes. */
enum handler {
    FORM_LIST(FORM_ENUM) VARIANT_LIST(VARIANT_ENUM) HANDLER_ctx_queue_reg,
    HANDLER_ctx_queue_imm,
    HANDLER_tail_call,
    HANDLER_trap, /* imm is the enum vm_status to end with */
    HANDLER_COUNT
};

struct vm_prog {
    struct vm_cell *cells; /* slot_count, then one that traps */
    struct vm_map **maps;
    uint32_t slot_count;
    uint32_t map_count;
    uint32_t prog_type;
    uint32_t id; /* for messages, 0 where it was not given */
    bool is_checked;
    uint64_t ctx_readable;
    uint64_t ctx_writable;
};

/* Offsets in struct __sk_buff. Source: include/uapi/linux/bpf.h. */
enum skb_offset {
    SKB_LEN = 0,
    SKB_PKT_TYPE = 4,
    SKB_MARK = 8,
    SKB_QUEUE_MAPPING = 12,
    SKB_PROTOCOL = 16,
    SKB_VLAN_PRESENT = 20,
    SKB_VLAN_TCI = 24,
    SKB_VLAN_PROTO = 28,
    SKB_PRIORITY = 32,
    SKB_INGRESS_IFINDEX = 36,
    SKB_IFINDEX = 40,
    SKB_TC_INDEX = 44,
    SKB_CB = 48,
    SKB_HASH = 68,
    SKB_TC_CLASSID = 72,
    SKB_DATA = 76,
    SKB_DATA_END = 80,
    SKB_FAMILY = 88,
    SKB_DATA_META = 140,
    SKB_FLOW_KEYS = 144,
    SKB_TSTAMP = 152,
    SKB_WIRE_LEN = 160,
    SKB_GSO_SEGS = 164,
    SKB_SK = 168,
    SKB_GSO_SIZE = 176,
    SKB_TSTAMP_TYPE = 180,
    SKB_HWTSTAMP = 184,
};

/* Offsets in struct xdp_md. */
enum xdp_offset {
    XDP_DATA = 0,
    XDP_DATA_END = 4,
    XDP_DATA_META = 8,
    XDP_INGRESS_IFINDEX = 12,
    XDP_RX_QUEUE_INDEX = 16,
    XDP_EGRESS_IFINDEX = 20,
    XDP_MD_SIZE = 24,
};

struct vm_state {
    uint8_t ctx[VM_CTX_SIZE];
    uint8_t *data;
    uint8_t *data_end;
    uint8_t *data_meta;
    uint8_t *room;     /* the packet's buffer ... */
    uint8_t *room_end; /* ... and what a packet may grow to */
    uint8_t *mac_header;
    uint8_t *network_header;
    struct vm_machine *machine;
    const struct vm_prog *prog; /* that is executing, which tail calls change */
    uint32_t cpu;
    uint32_t redirect_ifindex;
    uint64_t redirect_flags;
    uint8_t *stack_low; /* live part of the stack */
    uint8_t *stack_high;
    uint64_t budget; /* checked only */
    uint32_t fault_slot;
    uint64_t fault_address;
};
_Static_assert(offsetof(struct vm_state, data) == 192, "the decoder rewrites loads to these offsets");

/* What the ids in slots mean to this process: an open hash table, empty where `what` is NULL. */
struct vm_target {
    const struct vm_map *holder;
    void *what; /* a struct vm_prog or vm_map, by holder->holds */
    uint32_t id;
};

struct vm_machine {
    struct vm_state state;
    const struct vm_prog *prog; /* that runs begin with */
    vm_resolve_fn resolve;
    void *resolver;
    struct vm_target *targets;
    uint32_t target_count;
    uint32_t target_space; /* 0 or a power of two, at least twice the count */
    uint8_t stack[TOTAL_FRAMES * STACK_SIZE] __attribute__((aligned(16)));
    uint8_t packet[PACKET_ROOM] __attribute__((aligned(16)));
    uint64_t random;
    uint32_t trace_used;
    uint64_t trace_dropped;
    uint8_t trace[TRACE_SIZE];
};

static inline uint16_t load16(const uint8_t *from) {
    uint16_t value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint32_t load32(const uint8_t *from) {
    uint32_t value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

static inline void store16(uint8_t *to, uint16_t value) {
    __builtin_memcpy(to, &value, sizeof(value));
}

static inline void store32(uint8_t *to, uint32_t value) {
    __builtin_memcpy(to, &value, sizeof(value));
}

static inline uint32_t ctx_get32(const struct vm_state *state, uint32_t offset) {
    return load32(state->ctx + offset);
}

static inline void ctx_set32(struct vm_state *state, uint32_t offset, uint32_t value) {
    store32(state->ctx + offset, value);
}

/* interp_plain.c, interp_checked.c: runs the program whose context is *state; *result is R0. */
enum vm_status vm_interp_plain(struct vm_state *state, uint64_t *result);
enum vm_status vm_interp_checked(struct vm_state *state, uint64_t *result);

/* The handler field of every enum handler, in that interpreter. */
const int32_t *vm_handlers_plain(void);
const int32_t *vm_handlers_checked(void);

/* access.c: what the checked interpreter asks before each access. */
bool vm_may_access(const struct vm_state *state, uint64_t address, uint64_t size, bool is_write);

/* access.c: where a load of `size` bytes at `offset` of the context goes in struct vm_state; a negative
 * number if nowhere. */
int32_t vm_ctx_pointer(uint32_t prog_type, uint32_t offset, uint32_t size);

/* access.c: loads and stores of the context by an unverified program; false where its type does not allow
 * them. */
bool vm_ctx_load(const struct vm_state *state, uint32_t offset, uint32_t size, uint64_t *value,
                 bool *is_pointer);
bool vm_ctx_store(struct vm_state *state, uint32_t offset, uint32_t size, uint64_t value);

/* packet.c: a packet becomes a state, and a state a packet. */
enum vm_status vm_packet_begin(struct vm_state *state, const struct vm_run *run);
void vm_packet_end(const struct vm_state *state, struct vm_run *run);

/* A 16-bit number whose bytes in memory are its big endian form, and back. */
static inline uint16_t vm_big16(uint16_t value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap16(value);
#else
    return value;
#endif
}

/* packet.c: the protocol of a packet, as eth_type_trans() tells it, in network order. */
uint16_t vm_packet_protocol(const uint8_t *eth, uint32_t size);

/* packet.c: what LD_ABS and LD_IND read, in host order; false when it lies outside of the packet. */
bool vm_packet_load(const struct vm_state *state, int64_t offset, uint32_t size, uint64_t *value);

/* slots.c: what a slot of a prog array leads to, and an element of a map of maps; NULL where nothing is
 * there.
 */
const struct vm_prog *vm_tail_target(struct vm_state *state, const struct vm_map *array, uint32_t index);
void *vm_inner_map(struct vm_state *state, const struct vm_map *outer, const void *value);

/* helpers.c */
typedef uint64_t (*helper_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                              struct vm_state *state);
#define VM_HELPER_COUNT 256
/* NULL where there is no such helper for programs of this type. */
helper_fn vm_helper(uint32_t id, uint32_t prog_type);
/* Checks a call's arguments; false, and state->fault_address set, where one points where it may not. */
bool vm_helper_arguments(struct vm_state *state, uint32_t id, const uint64_t *regs);
