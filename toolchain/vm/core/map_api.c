/*
 * The public operations: which kind of map, whose rights. Source of rights and order of errors:
 * kernel/bpf/syscall.c (map_lookup_elem, map_update_elem, map_delete_elem, map_get_next_key, map_freeze,
 * map_get_sys_perms), Linux 6.12.
 */
#include "map_internal.h"

#include <errno.h>
#include <string.h>

void *vm_map_lookup(struct vm_map *map, const void *key, uint32_t cpu) {
    return map_is_array(map) ? map_array_lookup(map, key, cpu) : map_hash_lookup(map, key);
}

int vm_map_update(struct vm_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu) {
    if (map_is_array(map))
        return map_array_update(map, key, value, flags, map->cpu_count == 1 ? 0 : cpu % map->cpu_count);
    return map_hash_update(map, key, value, flags);
}

int vm_map_delete(struct vm_map *map, const void *key) {
    return map_is_array(map) ? -EINVAL : map_hash_delete(map, key);
}

int vm_map_has_range(const struct vm_map *map, const void *address, uint64_t size) {
    uint64_t distance;

    if (size > map->def.value_size)
        return 0;
    if (map_is_array(map)) {
        distance = (uint64_t)((uintptr_t)address - (uintptr_t)map->values);
        if (distance >= map->cpu_stride * map->cpu_count ||
            distance % map->cpu_stride >= map->elem_stride * map->def.max_entries)
            return 0;
        return distance % map->cpu_stride % map->elem_stride <= map->def.value_size - size;
    }
    distance = (uint64_t)((uintptr_t)address - (uintptr_t)map->nodes);
    if (distance >= map->node_stride * map->node_count || distance % map->node_stride < map->value_offset)
        return 0;
    return distance % map->node_stride - map->value_offset <= map->def.value_size - size;
}

uint64_t vm_map_value_size(const struct vm_map *map) {
    return map->cpu_count > 1 || map->def.type == TYPE_PERCPU_ARRAY ? map->elem_stride * map->cpu_count
                                                                    : map->def.value_size;
}

static int may_read(const struct vm_map *map) {
    return (map->access & VM_MAP_READ) != 0;
}

static int may_write(const struct vm_map *map) {
    return (map->access & VM_MAP_WRITE) != 0 && map->is_writable && !vm_map_is_frozen(map);
}

int vm_map_read(struct vm_map *map, const void *key, void *value) {
    if (!may_read(map))
        return -EPERM;
    return map_is_array(map) ? map_array_read(map, key, value) : map_hash_read(map, key, value);
}

int vm_map_write(struct vm_map *map, const void *key, const void *value, uint64_t flags) {
    if (!may_write(map))
        return -EPERM;
    if (map_is_array(map))
        return map_array_update(map, key, value, flags, map->def.type == TYPE_PERCPU_ARRAY ? ALL_CPUS : 0);
    return map_hash_update(map, key, value, flags);
}

int vm_map_erase(struct vm_map *map, const void *key) {
    if (!may_write(map))
        return -EPERM;
    return map_is_array(map) && map->holds != 0 ? map_array_erase(map, key) : vm_map_delete(map, key);
}

int vm_map_next_key(struct vm_map *map, const void *key, void *next) {
    uint32_t index = 0;

    if (!may_read(map))
        return -EPERM;
    if (!map_is_array(map))
        return map_hash_next_key(map, key, next);
    if (key != NULL) {
        memcpy(&index, key, sizeof(index));
        if (index == map->def.max_entries - 1)
            return -ENOENT;
        index = index < map->def.max_entries ? index + 1 : 0;
    }
    memcpy(next, &index, sizeof(index));
    return 0;
}

int vm_map_freeze(struct vm_map *map) {
    if (!may_write(map))
        return -EPERM;
    __atomic_store_n(&map_header(map)->frozen, 1, __ATOMIC_RELEASE);
    return 0;
}

int vm_map_is_frozen(const struct vm_map *map) {
    return __atomic_load_n(&map_header(map)->frozen, __ATOMIC_ACQUIRE) != 0;
}

int vm_map_write_batch(struct vm_map *map, const void *keys, const void *values, uint64_t count,
                       uint64_t flags, uint64_t *done) {
    uint64_t value_size = vm_map_value_size(map);

    for (*done = 0; *done < count; ++*done) {
        int status = vm_map_write(map, (const uint8_t *)keys + *done * map->def.key_size,
                                  (const uint8_t *)values + *done * value_size, flags);

        if (status != 0)
            return status;
    }
    return 0;
}

static int64_t dump_array(struct vm_map *map, uint64_t *cursor, uint8_t *keys, uint8_t *values,
                          uint64_t capacity) {
    uint64_t value_size = vm_map_value_size(map);
    uint64_t done = 0;

    for (; done < capacity && *cursor < map->def.max_entries; ++*cursor) {
        uint32_t index = (uint32_t)*cursor;
        int status = map_array_read(map, &index, values + done * value_size);

        if (status == -ENOENT)
            continue;
        if (status != 0)
            return status;
        memcpy(keys + done++ * sizeof(index), &index, sizeof(index));
    }
    return (int64_t)done;
}

int64_t vm_map_dump(struct vm_map *map, uint64_t *cursor, void *keys, void *values, uint64_t capacity) {
    if (!may_read(map))
        return -EPERM;
    return map_is_array(map) ? dump_array(map, cursor, keys, values, capacity)
                             : map_hash_dump(map, cursor, keys, values, capacity);
}

int64_t vm_map_count(struct vm_map *map) {
    int64_t count = 0;

    if (map_is_array(map))
        return map->def.max_entries;
    for (uint32_t group = 0; group < map->group_count; group++) {
        int status = map->is_writable ? map_lock(map, group) : 0;

        if (status != 0)
            return status;
        count += map_group(map, group)->used;
        if (map->is_writable)
            map_unlock(map, group);
    }
    return count;
}
