/*
 * What the files of the maps share: the layout of a data area, and what each file offers to the others.
 *
 *     0        128       192       256                        4096
 *     | header | journal |  -      | groups[1..16], 128 each  | values ... | staging                 an array
 *                                                             | buckets (4 bytes each) | nodes ...   a hash
 *
 * A group is a lock and what it guards. Arrays have one. A hash has up to 16: bucket b belongs to group b &
 * (groups - 1), and each node belongs to one group too, the one whose number is in the node (0: the group
 * whose range of nodes it lies in). All-zero bytes are an empty map but for header and locks, so that making
 * a large map touches one page.
 *
 *     node   0      4           8     12      13       14    16     16 + key_size rounded up to 8
 *            | next | free_next | seq | owner | linked | ref | key  | value, padded to 8
 *
 * A link (bucket head or next) is 0 (head of an empty chain), node number + 1, or LINK_END + bucket number at
 * a chain's end. The bucket number lets a reader that was carried into another chain, by a node used again
 * under its feet, see it and start over; the kernel does so too (hlist_nulls, kernel/bpf/hashtab.c,
 * lookup_nulls_elem_raw). free_next is a field of its own so that a reader standing on a node just freed
 * still finds its way along next.
 *
 * Why a kill leaves old or new, never half:
 *
 * In a hash, what counts is {owner of each node, chains}, and one 4-byte store links, unlinks or swaps a
 * node. All else (free lists, counters, marks) follows from these and is computed anew by whoever gets a lock
 * whose owner died.
 *
 * In an array, a value of one word is one store. A larger one is first copied to staging, then declared there
 * by one store (journal.seq becomes odd), then copied to its slot; whoever gets the dead owner's lock copies
 * it again. Readers take a declared value from staging, so that the declaration is the moment of change.
 */
#pragma once

#include "core.h"

#include <pthread.h>

#define MAP_MAGIC 0x3150414d46504245ULL /* "EBPFMAP1" */
#define MAP_VERSION 1
#define MAP_DATA_MAX (4ULL << 30)
#define MAP_HEADER_SIZE 4096
#define MAP_JOURNAL_OFFSET 128
#define MAP_GROUPS_OFFSET 256
#define MAP_GROUPS_MAX 16
#define MAP_CPUS_MAX 8192

#define LINK_END 0x80000000U
#define ALL_CPUS 0xffffffffU
#define KERNEL_ENOTSUPP 524

/* enum bpf_map_type, of those built here. Source: include/uapi/linux/bpf.h. */
#define TYPE_HASH 1
#define TYPE_ARRAY 2
#define TYPE_PROG_ARRAY 3
#define TYPE_PERCPU_ARRAY 6
#define TYPE_LRU_HASH 9
#define TYPE_ARRAY_OF_MAPS 12
#define TYPE_HASH_OF_MAPS 13

/* Update flags. Source: as above. */
#define UPDATE_NOEXIST 1
#define UPDATE_EXIST 2

/* Who made the locks: another C library or word size cannot use them. */
#define MAP_ABI ((uint32_t)(sizeof(pthread_mutex_t) << 8 | sizeof(void *)))

struct map_header {
    uint64_t magic;
    uint32_t version;
    uint32_t abi;
    struct vm_map_def def;
    uint64_t seed;
    uint64_t data_size;
    uint32_t frozen;
    uint32_t owner; /* prog arrays: what programs must be like, 0 until the first came */
    uint32_t padding[14];
};
_Static_assert(sizeof(struct map_header) <= MAP_JOURNAL_OFFSET, "the header ends where the journal begins");

struct map_journal {
    uint64_t seq; /* odd: staging holds the value of slot `index` on CPU `cpu`, or on all of them */
    uint32_t index;
    uint32_t cpu;
};

struct map_group {
    union {
        pthread_mutex_t lock;
        uint8_t lock_space[64];
    };
    uint32_t free_head; /* node number + 1, 0: none */
    uint32_t free_count;
    uint32_t fresh; /* nodes of the group's range that were ever handed out; those behind are free too */
    uint32_t used;  /* nodes in its chains */
    uint32_t hand;  /* LRU: where the search for a victim goes on */
    uint32_t padding[11];
};
_Static_assert(sizeof(struct map_group) == 128, "groups are 128 bytes");
_Static_assert(MAP_GROUPS_OFFSET + MAP_GROUPS_MAX * sizeof(struct map_group) <= MAP_HEADER_SIZE,
               "groups fit the first page");

struct map_node {
    uint32_t next;
    uint32_t free_next;
    uint32_t seq; /* odd while key and value are being written */
    uint8_t owner;
    uint8_t linked;
    uint8_t ref; /* LRU: looked up since the hand last passed */
    uint8_t padding;
    uint8_t key[];
};
_Static_assert(offsetof(struct map_node, key) == 16, "keys are 8-byte aligned");

static inline uint64_t round_up(uint64_t value, uint64_t step) {
    return (value + step - 1) / step * step;
}

static inline struct map_header *map_header(const struct vm_map *map) {
    return (struct map_header *)(void *)map->area;
}

static inline struct map_journal *map_journal(const struct vm_map *map) {
    return (struct map_journal *)(void *)(map->area + MAP_JOURNAL_OFFSET);
}

static inline struct map_group *map_group(const struct vm_map *map, uint32_t group) {
    return (struct map_group *)(void *)(map->area + MAP_GROUPS_OFFSET) + group;
}

static inline struct map_node *map_node(const struct vm_map *map, uint32_t number) {
    return (struct map_node *)(void *)(map->nodes + number * map->node_stride);
}

/* First node of a group's range; that of the group behind the last is node_count. */
static inline uint32_t map_range(const struct vm_map *map, uint32_t group) {
    return (uint32_t)((uint64_t)map->node_count * group / map->group_count);
}

static inline uint32_t map_node_owner(const struct vm_map *map, uint32_t number) {
    uint32_t owner = map_node(map, number)->owner;

    if (owner != 0)
        return owner - 1;
    for (owner = 0; owner + 1 < map->group_count && number >= map_range(map, owner + 1); owner++)
        ;
    return owner;
}

static inline int map_is_array(const struct vm_map *map) {
    return map->values != NULL;
}

/* map_layout.c: where things lie, from map->def alone. */
int map_lay_out(struct vm_map *map, uint64_t *data_size);

/* map_lock.c. lock and unlock pair up; lock mends what a dead holder left. -EPERM: read-only mapping;
 * -ETIMEDOUT: five seconds went by (the kernel's own locks give that too since 6.15). */
int map_lock(struct vm_map *map, uint32_t group);
int map_try_lock(struct vm_map *map, uint32_t group); /* -EBUSY: somebody alive has it */
void map_unlock(struct vm_map *map, uint32_t group);
int map_lock_all(struct vm_map *map);
void map_unlock_all(struct vm_map *map);
int map_lock_create(struct map_group *group);
int map_lock_is_sane(const struct map_group *group);

/* map_array.c */
void *map_array_lookup(const struct vm_map *map, const void *key, uint32_t cpu);
int map_array_update(struct vm_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu);
int map_array_read(struct vm_map *map, const void *key, void *value);
void map_array_redo(struct vm_map *map);
int map_array_erase(struct vm_map *map, const void *key);

/* map_hash.c */
void *map_hash_lookup(struct vm_map *map, const void *key);
int map_hash_update(struct vm_map *map, const void *key, const void *value, uint64_t flags);
int map_hash_delete(struct vm_map *map, const void *key);
int map_hash_read(struct vm_map *map, const void *key, void *value);
uint32_t map_hash_bucket(const struct vm_map *map, const void *key);
void map_hash_rebuild(struct vm_map *map, uint32_t group);

/* map_walk.c */
int map_hash_next_key(struct vm_map *map, const void *key, void *next);
int64_t map_hash_dump(struct vm_map *map, uint64_t *cursor, void *keys, void *values, uint64_t capacity);

/* map_hash.c: the element of a key, without a lock; NULL if there is none. *seq is its seq then: if it is
 * still the same after copying, the copy is whole. */
struct map_node *map_hash_find(struct vm_map *map, const void *key, uint32_t *seq);
