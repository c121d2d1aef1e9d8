/*
 * What an unverified program may touch: the checked interpreter asks here before each access, and again for
 * every argument of a helper that points to memory.
 *
 *   live stack frames        read, write
 *   packet (and meta data)   read, write
 *   values of its maps       read; write unless BPF_F_RDONLY_PROG; inner maps too; ids in slots not at all
 *   context                  by field, see vm_ctx_load and vm_ctx_store
 *
 * Linear in the number of maps; the stack, which nearly all accesses go to, is tried first.
 */
#include "state.h"

#define F_RDONLY_PROG (1u << 7)
#define F_WRONLY_PROG (1u << 8)

static bool is_within(uint64_t address, uint64_t size, const uint8_t *low, const uint8_t *high) {
    const uint64_t start = (uint64_t)(uintptr_t)low;
    const uint64_t length = (uint64_t)(high - low);

    return address >= start && address - start <= length && size <= length - (address - start);
}

/* Inside of one element's value: between two elements are hash links or padding, which are no program's
 * business. */
static bool is_in_value(const struct vm_map *map, uint64_t address, uint64_t size) {
    const uint64_t value_size = map->def.value_size;
    uint64_t offset;
    uint64_t in_element;

    if (map->values) {
        offset = address - (uint64_t)(uintptr_t)map->values;
        if (offset >= map->cpu_stride * map->cpu_count)
            return false;
        offset %= map->cpu_stride;
        if (offset / map->elem_stride >= map->def.max_entries)
            return false;
        in_element = offset % map->elem_stride;
        return in_element <= value_size && size <= value_size - in_element;
    }
    if (!map->nodes)
        return false;
    offset = address - (uint64_t)(uintptr_t)map->nodes;
    if (offset >= map->node_stride * map->node_count)
        return false;
    in_element = offset % map->node_stride;
    return in_element >= map->value_offset && in_element - map->value_offset <= value_size &&
           size <= value_size - (in_element - map->value_offset);
}

static bool is_in_map(const struct vm_map *map, uint64_t address, uint64_t size, bool is_write) {
    return map->holds == 0 && !(map->def.flags & (is_write ? F_RDONLY_PROG : F_WRONLY_PROG)) &&
           is_in_value(map, address, size);
}

bool vm_may_access(const struct vm_state *state, uint64_t address, uint64_t size, bool is_write) {
    const struct vm_prog *prog = state->prog;

    if (is_within(address, size, state->stack_low, state->stack_high))
        return true;
    if (is_within(address, size, state->data_meta, state->data_end))
        return true;
    for (uint32_t index = 0; index < prog->map_count; index++)
        if (is_in_map(prog->maps[index], address, size, is_write))
            return true;
    for (uint32_t index = 0; index < state->machine->target_space; index++) {
        const struct vm_target *target = &state->machine->targets[index];

        if (target->what && target->holder->holds == VM_HOLDS_MAPS &&
            is_in_map(target->what, address, size, is_write))
            return true;
    }
    return false;
}

int32_t vm_ctx_pointer(uint32_t prog_type, uint32_t offset, uint32_t size) {
    const bool is_xdp = prog_type == VM_PROG_XDP;

    if (size != 4)
        return -1;
    if (offset == (is_xdp ? (uint32_t)XDP_DATA : (uint32_t)SKB_DATA))
        return offsetof(struct vm_state, data);
    if (offset == (is_xdp ? (uint32_t)XDP_DATA_END : (uint32_t)SKB_DATA_END))
        return offsetof(struct vm_state, data_end);
    if (offset == (is_xdp ? (uint32_t)XDP_DATA_META : (uint32_t)SKB_DATA_META))
        return offsetof(struct vm_state, data_meta);
    return -1;
}

/* Whether all of the 4-byte words that the access touches are in the mask. */
static bool is_allowed(uint64_t mask, uint32_t offset, uint32_t size) {
    if (offset % size || offset + size > VM_CTX_SIZE)
        return false;
    for (uint32_t at = offset / 4; at <= (offset + size - 1) / 4; at++)
        if (!(mask >> at & 1))
            return false;
    return true;
}

bool vm_ctx_load(const struct vm_state *state, uint32_t offset, uint32_t size, uint64_t *value,
                 bool *is_pointer) {
    const int32_t pointer = vm_ctx_pointer(state->prog->prog_type, offset, size);

    *value = 0;
    *is_pointer = pointer >= 0;
    if (!is_allowed(state->prog->ctx_readable, offset, size))
        return false;
    if (*is_pointer)
        __builtin_memcpy(value, (const uint8_t *)state + pointer, sizeof(*value));
    else
        __builtin_memcpy(value, state->ctx + offset, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    if (!*is_pointer)
        *value >>= 64 - 8 * size;
#endif
    return true;
}

bool vm_ctx_store(struct vm_state *state, uint32_t offset, uint32_t size, uint64_t value) {
    if (!is_allowed(state->prog->ctx_writable, offset, size))
        return false;
    if (state->prog->prog_type != VM_PROG_XDP) {
        if (offset == SKB_QUEUE_MAPPING && (uint32_t)value >= UINT16_MAX)
            return true;
        if (offset == SKB_TC_INDEX || offset == SKB_TC_CLASSID)
            value &= UINT16_MAX;
    }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value <<= 64 - 8 * size;
#endif
    __builtin_memcpy(state->ctx + offset, &value, size);
    return true;
}
