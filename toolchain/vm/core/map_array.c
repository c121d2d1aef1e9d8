/*
 * Arrays and per-CPU arrays: slots at fixed addresses, since programs keep pointers to them and data sections
 * are such slots.
 *
 * A value that is one word is written by one store, without a lock. A larger one passes through staging:
 *
 *     lock | copy to staging, name the slot | seq odd  <- the change | copy to the slot | seq even | unlock
 *
 * which is a redo journal of one entry and, for readers, a sequence lock: a reader that sees an odd seq for
 * its slot reads staging instead. Programs read and write slots in place and take no part in this, as in the
 * kernel.
 */
#include "map_internal.h"

#include <errno.h>
#include <string.h>

#define READ_TRIES 1000

static uint8_t *slot_of(const struct vm_map *map, uint32_t index, uint32_t cpu) {
    return map->values + cpu * map->cpu_stride + index * map->elem_stride;
}

static uint32_t index_of(const void *key) {
    uint32_t index;

    memcpy(&index, key, sizeof(index));
    return index;
}

void *map_array_lookup(const struct vm_map *map, const void *key, uint32_t cpu) {
    uint32_t index = index_of(key);

    return index < map->def.max_entries ? slot_of(map, index, map->cpu_count == 1 ? 0 : cpu % map->cpu_count)
                                        : NULL;
}

/* Copies the staged value to where the journal says. Both may be anything: they come from shared memory. */
static void copy_staged(struct vm_map *map, uint32_t index, uint32_t cpu) {
    if (index >= map->def.max_entries || (cpu >= map->cpu_count && cpu != ALL_CPUS))
        return;
    if (cpu != ALL_CPUS) {
        memcpy(slot_of(map, index, cpu), map->staging, map->elem_stride);
        return;
    }
    for (uint32_t each = 0; each < map->cpu_count; each++)
        memcpy(slot_of(map, index, each), map->staging + each * map->elem_stride, map->elem_stride);
}

void map_array_redo(struct vm_map *map) {
    struct map_journal *journal = map_journal(map);
    uint64_t seq = __atomic_load_n(&journal->seq, __ATOMIC_ACQUIRE);

    if (seq % 2 == 0)
        return;
    if (map->staging_size != 0)
        copy_staged(map, journal->index, journal->cpu);
    __atomic_store_n(&journal->seq, seq + 1, __ATOMIC_RELEASE);
}

void vm_map_settle(struct vm_map *map) {
    if (!map_is_array(map) || __atomic_load_n(&map_journal(map)->seq, __ATOMIC_ACQUIRE) % 2 == 0)
        return;
    if (map_try_lock(map, 0) == 0)
        map_unlock(map, 0);
}

/* Writes through staging. cpu: one CPU's copy, or ALL_CPUS, with the values end to end, each padded to 8. */
static int write_staged(struct vm_map *map, uint32_t index, uint32_t cpu, const void *value) {
    struct map_journal *journal = map_journal(map);
    uint64_t seq;
    int status = map_lock(map, 0);

    if (status != 0)
        return status;
    map_array_redo(map); /* for one that a reset machine left */
    if (cpu != ALL_CPUS) {
        memset(map->staging + map->elem_stride - 8, 0, 8);
        memcpy(map->staging, value, map->def.value_size);
    } else {
        memcpy(map->staging, value, map->staging_size);
    }
    journal->index = index;
    journal->cpu = cpu;
    seq = journal->seq & ~1ULL;
    __atomic_store_n(&journal->seq, seq + 1, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    copy_staged(map, index, cpu);
    __atomic_store_n(&journal->seq, seq + 2, __ATOMIC_RELEASE);
    map_unlock(map, 0);
    return 0;
}

/* Errors in the kernel's order. Source: kernel/bpf/arraymap.c, array_map_update_elem, Linux 6.12. */
static int check_update(const struct vm_map *map, uint32_t index, uint64_t flags) {
    if (flags > UPDATE_EXIST || (map->holds != 0 && flags != 0))
        return -EINVAL;
    if (index >= map->def.max_entries)
        return -E2BIG;
    return flags == UPDATE_NOEXIST ? -EEXIST : 0;
}

int map_array_update(struct vm_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu) {
    uint32_t index = index_of(key);
    int status = check_update(map, index, flags);
    uint64_t word = 0;

    if (status != 0)
        return status;
    if (map->cpu_count == 1)
        cpu = 0;
    else if (cpu != ALL_CPUS)
        cpu %= map->cpu_count;
    if (map->elem_stride > 8 || cpu == ALL_CPUS)
        return write_staged(map, index, cpu, value);
    if (!map->is_writable)
        return -EPERM;
    memcpy(&word, value, map->def.value_size);
    __atomic_store_n((uint64_t *)(void *)slot_of(map, index, cpu), word, __ATOMIC_RELEASE);
    return 0;
}

/* Source: kernel/bpf/arraymap.c, __fd_array_map_delete_elem, Linux 6.12. */
int map_array_erase(struct vm_map *map, const void *key) {
    uint32_t index = index_of(key);

    if (index >= map->def.max_entries)
        return -E2BIG;
    return __atomic_exchange_n((uint64_t *)(void *)slot_of(map, index, 0), 0, __ATOMIC_ACQ_REL) != 0
               ? 0
               : -ENOENT;
}

void vm_map_clear(struct vm_map *map) {
    for (uint32_t index = 0; map_is_array(map) && map->is_writable && index < map->def.max_entries; index++)
        __atomic_store_n((uint64_t *)(void *)slot_of(map, index, 0), 0, __ATOMIC_RELEASE);
}

/* Hashes are looked through node by node: one that is in no chain counts too, for it was or will be. */
int vm_map_names(const struct vm_map *map, uint32_t id) {
    uint32_t count = map_is_array(map) ? map->def.max_entries : map->node_count;
    const uint8_t *first = map_is_array(map) ? map->values : map->nodes + map->value_offset;
    uint64_t stride = map_is_array(map) ? map->elem_stride : map->node_stride;

    for (uint32_t index = 0; index < count; index++) {
        const uint8_t *value = first + index * stride;

        if (__atomic_load_n((const uint32_t *)(const void *)value, __ATOMIC_ACQUIRE) == id &&
            (map_is_array(map) || map_node(map, index)->linked))
            return 1;
    }
    return 0;
}

int vm_map_adopt(struct vm_map *map, uint32_t owner) {
    uint32_t before = 0;

    if (!map->is_writable)
        return -EPERM;
    if (__atomic_compare_exchange_n(&map_header(map)->owner, &before, owner, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return 0;
    return before == owner ? 0 : -EINVAL;
}

/* The copy on one CPU, from staging where that holds its newer value. */
static void read_copy(const struct vm_map *map, uint64_t seq, uint32_t index, uint32_t cpu, uint8_t *value,
                      uint64_t size) {
    const struct map_journal *journal = map_journal(map);
    const uint8_t *from = slot_of(map, index, cpu);

    if (seq % 2 == 1 && journal->index == index) {
        if (journal->cpu == ALL_CPUS)
            from = map->staging + cpu * map->elem_stride;
        else if (journal->cpu == cpu)
            from = map->staging;
    }
    memcpy(value, from, size);
}

int map_array_read(struct vm_map *map, const void *key, void *value) {
    const struct map_journal *journal = map_journal(map);
    uint32_t index = index_of(key);
    uint64_t word;
    uint64_t size;

    if (index >= map->def.max_entries)
        return -ENOENT;
    if (map->staging_size == 0) {
        word = __atomic_load_n((uint64_t *)(void *)slot_of(map, index, 0), __ATOMIC_ACQUIRE);
        if (map->holds != 0 && word == 0)
            return -ENOENT;
        memcpy(value, &word, vm_map_value_size(map));
        return 0;
    }
    size = vm_map_value_size(map) / map->cpu_count;
    for (int try = 0; try < READ_TRIES; try++) {
        uint64_t seq = __atomic_load_n(&journal->seq, __ATOMIC_ACQUIRE);

        for (uint32_t cpu = 0; cpu < map->cpu_count; cpu++)
            read_copy(map, seq, index, cpu, (uint8_t *)value + cpu * map->elem_stride, size);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&journal->seq, __ATOMIC_RELAXED) == seq)
            return 0;
    }
    return -EBUSY;
}
