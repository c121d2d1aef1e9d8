/*
 * Going through a hash without locks: next_key and dump.
 *
 * Order: bucket by bucket, each chain from its head. An element that stays in the map during the whole walk
 * is seen unless its chain is cut while the walk stands in it; the kernel promises no more
 * (kernel/bpf/hashtab.c, htab_map_get_next_key).
 */
#include "map_internal.h"

#include <errno.h>
#include <string.h>

#define TRIES 1000

/* Copies the element of a node. 0: whole; 1: it was used again meanwhile. value may be NULL; *next is the
 * link behind it. */
static int copy_element(const struct vm_map *map, struct map_node *node, void *key, void *value,
                        uint32_t *next) {
    uint32_t seq = __atomic_load_n(&node->seq, __ATOMIC_ACQUIRE);

    memcpy(key, node->key, map->def.key_size);
    if (value != NULL)
        memcpy(value, (uint8_t *)node + map->value_offset, map->def.value_size);
    *next = __atomic_load_n(&node->next, __ATOMIC_ACQUIRE);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return seq % 2 == 1 || __atomic_load_n(&node->seq, __ATOMIC_RELAXED) != seq;
}

/* The key of the first element in bucket `bucket` or behind it. */
static int first_key_from(const struct vm_map *map, uint64_t bucket, void *next) {
    uint32_t behind;
    int tries = 0;

    while (bucket <= map->bucket_mask) {
        uint32_t link = __atomic_load_n(&map->buckets[bucket], __ATOMIC_ACQUIRE);

        if (link == 0 || link > map->node_count)
            bucket++;
        else if (copy_element(map, map_node(map, link - 1), next, NULL, &behind) == 0)
            return 0;
        else if (++tries == TRIES)
            return -EBUSY;
    }
    return -ENOENT;
}

int map_hash_next_key(struct vm_map *map, const void *key, void *next) {
    uint32_t bucket;

    if (key == NULL)
        return first_key_from(map, 0, next);
    bucket = map_hash_bucket(map, key);
    for (int try = 0; try < TRIES; try++) {
        uint32_t seq = 0;
        uint32_t behind;
        struct map_node *node = map_hash_find(map, key, &seq);
        uint32_t link;

        if (node == NULL)
            return first_key_from(map, 0, next);
        link = __atomic_load_n(&node->next, __ATOMIC_ACQUIRE);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&node->seq, __ATOMIC_RELAXED) != seq)
            continue;
        if (link == 0 || link > map->node_count)
            return first_key_from(map, (uint64_t)bucket + 1, next);
        if (copy_element(map, map_node(map, link - 1), next, NULL, &behind) == 0)
            return 0;
    }
    return -EBUSY;
}

/* Copies a bucket's elements from the `skip`th on, at most `room`; how many. Sets *more if the chain went on.
 * Starts over when a node is used again under its feet; after many tries, what it has will do. */
static uint64_t copy_bucket(const struct vm_map *map, uint32_t bucket, uint64_t skip, uint8_t *keys,
                            uint8_t *values, uint64_t room, int *more) {
    uint64_t done = 0;

    *more = 0;
    for (int try = 0; try < TRIES; try++) {
        uint32_t link = __atomic_load_n(&map->buckets[bucket], __ATOMIC_ACQUIRE);
        uint64_t place = 0;
        int is_torn = 0;

        for (done = 0; link != 0 && link <= map->node_count && place <= map->node_count && !is_torn;
             place++) {
            struct map_node *node = map_node(map, link - 1);

            if (done == room) {
                *more = 1;
                return done;
            }
            if (place < skip) {
                link = __atomic_load_n(&node->next, __ATOMIC_ACQUIRE);
                continue;
            }
            is_torn = copy_element(map, node, keys + done * map->def.key_size,
                                   values + done * map->def.value_size, &link);
            done += !is_torn;
        }
        if (!is_torn && (link == 0 || link == (LINK_END | bucket)))
            break;
    }
    return done;
}

int64_t map_hash_dump(struct vm_map *map, uint64_t *cursor, void *keys, void *values, uint64_t capacity) {
    uint64_t bucket = *cursor & 0xffffffffU;
    uint64_t skip = *cursor >> 32;
    uint64_t done = 0;

    while (bucket <= map->bucket_mask && done < capacity) {
        int more;
        uint64_t count = copy_bucket(map, (uint32_t)bucket, skip, (uint8_t *)keys + done * map->def.key_size,
                                     (uint8_t *)values + done * map->def.value_size, capacity - done, &more);

        done += count;
        skip = more ? skip + count : 0;
        bucket += !more;
    }
    *cursor = bucket | skip << 32;
    return (int64_t)done;
}
