/*
 * The helpers, by their kernel numbers. One row of the table is one helper: its function, the program types
 * that have it, and what its arguments are, one letter each, for the checked interpreter:
 *
 *   c  the context              m  a map               k  a key of that map      v  a value of that map
 *   t  a prog array
 *   r  readable memory, its size is the next argument  w  the same, written      n  as r, but NULL with size
 * 0 will do
 *   -  anything
 *
 * Helpers of packets are in helpers_packet.c and helpers_resize.c. Time and random numbers differ from run to
 * run, as they do in the kernel. Source of ids and semantics: include/uapi/linux/bpf.h; kernel/bpf/helpers.c
 * and kernel/trace/bpf_trace.c of Linux 6.12.
 */
#define _GNU_SOURCE
#include "helpers.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define F_RDONLY_PROG (1u << 7)
#define F_WRONLY_PROG (1u << 8)
#define MAP_PERCPU_HASH 5
#define MAP_PERCPU_ARRAY 6

static struct vm_map *map_of(uint64_t value) {
    return (struct vm_map *)(uintptr_t)value;
}

HELPER(map_lookup_elem) {
    struct vm_map *map = map_of(r1);
    void *value = vm_map_lookup(map, pointer(r2), state->cpu);

    UNUSED3(r3, r4, r5);
    if (__builtin_expect(map->holds != 0, 0))
        value = vm_inner_map(state, map, value);
    return (uint64_t)(uintptr_t)value;
}

HELPER(map_update_elem) {
    UNUSED1(r5);
    return error(vm_map_update(map_of(r1), pointer(r2), pointer(r3), r4, state->cpu));
}

HELPER(map_delete_elem) {
    UNUSED3(r3, r4, r5);
    (void)state;
    return error(vm_map_delete(map_of(r1), pointer(r2)));
}

HELPER(map_lookup_percpu_elem) {
    const struct vm_map *map = map_of(r1);

    UNUSED2(r4, r5);
    (void)state;
    if ((uint32_t)r3 >= map->def.cpu_count)
        return 0;
    return (uint64_t)(uintptr_t)vm_map_lookup(map_of(r1), pointer(r2), (uint32_t)r3);
}

static uint64_t clock_of(clockid_t clock) {
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define CLOCK_HELPER(name, clock) \
    HELPER(name) {                \
        UNUSED3(r1, r2, r3);      \
        UNUSED2(r4, r5);          \
        (void)state;              \
        return clock_of(clock);   \
    }
CLOCK_HELPER(ktime_get_ns, CLOCK_MONOTONIC)
CLOCK_HELPER(ktime_get_boot_ns, CLOCK_BOOTTIME)
CLOCK_HELPER(ktime_get_coarse_ns, CLOCK_MONOTONIC_COARSE)
CLOCK_HELPER(ktime_get_tai_ns, CLOCK_TAI)

/* xorshift64*, whose upper half has no known weakness for this use. */
HELPER(get_prandom_u32) {
    uint64_t *random = &state->machine->random;

    UNUSED3(r1, r2, r3);
    UNUSED2(r4, r5);
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (*random * 0x2545f4914f6cdd1du) >> 32;
}

HELPER(get_smp_processor_id) {
    UNUSED3(r1, r2, r3);
    UNUSED2(r4, r5);
    return state->cpu;
}

/* What a packet or process without a net_cls class, a route or a memory node of its own has. */
HELPER(zero) {
    UNUSED3(r1, r2, r3);
    UNUSED2(r4, r5);
    (void)state;
    return 0;
}

HELPER(strncmp) {
    const uint8_t *left = pointer(r1);
    const uint8_t *right = pointer(r3);

    UNUSED2(r4, r5);
    (void)state;
    for (uint32_t at = 0; at < (uint32_t)r2; at++) {
        if (left[at] != right[at])
            return left[at] < right[at] ? (uint64_t)-1 : 1;
        if (!left[at])
            break;
    }
    return 0;
}

#define ALL (1u << VM_PROG_SOCKET_FILTER | SKB | XDP)
#define SKB (TC | 1u << VM_PROG_CGROUP_SKB)
#define TC (1u << VM_PROG_SCHED_CLS | 1u << VM_PROG_SCHED_ACT)
#define XDP (1u << VM_PROG_XDP)
#define FILTERS (1u << VM_PROG_SOCKET_FILTER | SKB)

static const struct helper {
    helper_fn function;
    uint32_t types; /* bit N: programs of type N have it */
    char arguments[6];
} helpers[VM_HELPER_COUNT] = {
    [1] = {vm_map_lookup_elem, ALL, "mk---"},
    [2] = {vm_map_update_elem, ALL, "mkv--"},
    [3] = {vm_map_delete_elem, ALL, "mk---"},
    [5] = {vm_ktime_get_ns, ALL, "-----"},
    [6] = {vm_trace_printk, ALL, "r----"},
    [7] = {vm_get_prandom_u32, ALL, "-----"},
    [8] = {vm_get_smp_processor_id, ALL, "-----"},
    [9] = {vm_skb_store_bytes, TC, "c-r--"},
    [10] = {vm_l3_csum_replace, TC, "c----"},
    [11] = {vm_l4_csum_replace, TC, "c----"},
    [12] = {vm_zero, ALL, "ct---"}, /* tail_call, which the interpreters do themselves */
    [17] = {vm_zero, TC, "c----"},  /* get_cgroup_classid */
    [18] = {vm_skb_vlan_push, TC, "c----"},
    [19] = {vm_skb_vlan_pop, TC, "c----"},
    [23] = {vm_redirect, TC | XDP, "-----"},
    [24] = {vm_zero, TC, "c----"}, /* get_route_realm */
    [26] = {vm_skb_load_bytes, FILTERS, "c-w--"},
    [28] = {vm_csum_diff, TC | XDP, "n-n--"},
    [32] = {vm_skb_change_type, TC, "c----"},
    [38] = {vm_skb_change_tail, TC, "c----"},
    [39] = {vm_skb_pull_data, TC, "c----"},
    [40] = {vm_csum_update, TC, "c----"},
    [41] = {vm_skb_set_hash_invalid, TC, "c----"},
    [42] = {vm_zero, ALL, "-----"}, /* get_numa_node_id */
    [44] = {vm_xdp_adjust_head, XDP, "c----"},
    [48] = {vm_skb_set_hash, TC, "c----"},
    [54] = {vm_xdp_adjust_meta, XDP, "c----"},
    [65] = {vm_xdp_adjust_tail, XDP, "c----"},
    [68] = {vm_skb_load_bytes_relative, FILTERS, "c-w--"},
    [125] = {vm_ktime_get_boot_ns, ALL, "-----"},
    [160] = {vm_ktime_get_coarse_ns, ALL, "-----"},
    [182] = {vm_strncmp, ALL, "r----"},
    [188] = {vm_xdp_get_buff_len, XDP, "c----"},
    [189] = {vm_xdp_load_bytes, XDP, "c-w--"},
    [190] = {vm_xdp_store_bytes, XDP, "c-r--"},
    [195] = {vm_map_lookup_percpu_elem, ALL, "mk---"},
    [208] = {vm_ktime_get_tai_ns, ALL, "-----"},
};

helper_fn vm_helper(uint32_t id, uint32_t prog_type) {
    if (id >= VM_HELPER_COUNT || prog_type > 31 || !(helpers[id].types >> prog_type & 1))
        return NULL;
    return helpers[id].function;
}

int vm_has_helper(uint32_t id) {
    return id < VM_HELPER_COUNT && helpers[id].function != NULL;
}

static const struct vm_map *map_argument(const struct vm_state *state, uint64_t value) {
    for (uint32_t index = 0; index < state->prog->map_count; index++)
        if ((uint64_t)(uintptr_t)state->prog->maps[index] == value)
            return state->prog->maps[index];
    for (uint32_t index = 0; index < state->machine->target_space; index++) {
        const struct vm_target *target = &state->machine->targets[index];

        if (target->what && target->holder->holds == VM_HOLDS_MAPS &&
            (uint64_t)(uintptr_t)target->what == value)
            return target->what;
    }
    return NULL;
}

static bool is_argument_fine(struct vm_state *state, uint32_t id, char kind, unsigned int index,
                             const uint64_t *args) {
    const uint64_t value = args[index];
    const struct vm_map *map = kind == '-' ? NULL : map_argument(state, args[0]);

    switch (kind) {
    case 'c':
        return value == (uint64_t)(uintptr_t)state;
    case 'm':
        return map && (map->holds == 0 || (map->holds == VM_HOLDS_MAPS && id == 1)) &&
               !(map->def.flags & (id == 2 || id == 3 ? F_RDONLY_PROG : F_WRONLY_PROG)) &&
               (id != 195 || map->def.type == MAP_PERCPU_ARRAY || map->def.type == MAP_PERCPU_HASH);
    case 't':
        map = map_argument(state, value);
        return map && map->holds == VM_HOLDS_PROGS;
    case 'k':
        return map && vm_may_access(state, value, map->def.key_size, false);
    case 'v':
        return map && vm_may_access(state, value, map->def.value_size, false);
    case 'n':
        if (value == 0 && (uint32_t)args[index + 1] == 0)
            return true;
        return vm_may_access(state, value, (uint32_t)args[index + 1], false);
    case 'r':
    case 'w':
        return vm_may_access(state, value, (uint32_t)args[index + 1], kind == 'w');
    default:
        return true;
    }
}

bool vm_helper_arguments(struct vm_state *state, uint32_t id, const uint64_t *regs) {
    const uint64_t *args = regs + 1;

    for (unsigned int index = 0; index < 5; index++) {
        if (!is_argument_fine(state, id, helpers[id].arguments[index], index, args)) {
            state->fault_address = args[index];
            return false;
        }
    }
    /* strncmp reads as much of its third argument as of its first */
    if (id == 182 && !vm_may_access(state, args[2], (uint32_t)args[1], false)) {
        state->fault_address = args[2];
        return false;
    }
    return true;
}
