/*
 * Hash and LRU hash: chains of preallocated nodes.
 *
 *     buckets   | 0 | 3 | 0 | 7 |            3 and 7: node number + 1
 *                     |       '--> node 6 --> node 1 --> LINK_END + 3
 *                     '--> node 2 --> LINK_END + 1
 *
 * An element is never changed: a new value goes into a free node, which then takes the old one's place in its
 * chain by one store. So there is always one node more than may be in use, for each group. Programs that
 * still hold the old value's address read it until the node is used again, which is what the kernel's
 * preallocated hash does too.
 *
 * A group without free nodes takes some from another; for that it holds all locks, so that E2BIG is never a
 * guess. An LRU hash has one group and evicts instead: a hand goes round the nodes and takes the first that
 * was not looked up since it last came by (the clock algorithm). The kernel's LRU is an approximation too,
 * with other victims.
 *
 * Costs: lookup, update, delete O(1) expected; mending after a kill O(nodes).
 */
#include "map_internal.h"

#include <errno.h>
#include <string.h>

#define FIND_TRIES 64
#define MOVE_MAX 64

static uint64_t load_word(const uint8_t *from) {
    uint64_t word;

    memcpy(&word, from, sizeof(word));
    return word;
}

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return hash ^ hash >> 32;
}

uint32_t map_hash_bucket(const struct vm_map *map, const void *key) {
    const uint8_t *from = key;
    uint32_t size = map->def.key_size;
    uint64_t hash = map->seed;
    uint64_t last = 0;

    for (; size >= 8; size -= 8, from += 8)
        hash = mix(hash, load_word(from));
    if (size == 4) {
        uint32_t half;

        memcpy(&half, from, sizeof(half));
        last = half;
    } else if (size != 0) {
        memcpy(&last, from, size);
    }
    if (size != 0)
        hash = mix(hash, last);
    return (uint32_t)(mix(hash, map->def.key_size) >> 16) & map->bucket_mask;
}

static int is_key(const struct vm_map *map, const struct map_node *node, const void *key) {
    if (map->def.key_size == 8)
        return load_word(node->key) == load_word(key);
    if (map->def.key_size == 4)
        return memcmp(node->key, key, 4) == 0;
    return memcmp(node->key, key, map->def.key_size) == 0;
}

static uint8_t *value_of(const struct vm_map *map, struct map_node *node) {
    return (uint8_t *)node + map->value_offset;
}

static uint32_t link_to(uint32_t number) {
    return number + 1;
}

/* Whether a link leads to a node. False for an end, a head that is empty, and any number that is none of
 * ours. */
static int has_node(const struct vm_map *map, uint32_t link) {
    return link != 0 && link <= map->node_count;
}

/* One walk without a lock. Gives 0 with *found set or NULL, or 1 when the walk was carried into another
 * chain. */
static int try_find(const struct vm_map *map, const void *key, uint32_t bucket, struct map_node **found,
                    uint32_t *seq) {
    uint32_t link = __atomic_load_n(&map->buckets[bucket], __ATOMIC_ACQUIRE);

    *found = NULL;
    for (uint32_t steps = 0; has_node(map, link); steps++) {
        struct map_node *node = map_node(map, link - 1);
        uint32_t before = __atomic_load_n(&node->seq, __ATOMIC_ACQUIRE);

        if (steps > map->node_count)
            return 1;
        if (is_key(map, node, key)) {
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (before % 2 == 1 || __atomic_load_n(&node->seq, __ATOMIC_RELAXED) != before)
                return 1;
            *found = node;
            *seq = before;
            return 0;
        }
        link = __atomic_load_n(&node->next, __ATOMIC_ACQUIRE);
    }
    return link != 0 && link != (LINK_END | bucket);
}

struct map_node *map_hash_find(struct vm_map *map, const void *key, uint32_t *seq) {
    uint32_t bucket = map_hash_bucket(map, key);
    struct map_node *found = NULL;

    for (int try = 0; try < FIND_TRIES; try++)
        if (try_find(map, key, bucket, &found, seq) == 0)
            return found;
    if (map_lock(map, bucket & (map->group_count - 1)) != 0)
        return NULL;
    (void)try_find(map, key, bucket, &found, seq);
    map_unlock(map, bucket & (map->group_count - 1));
    return found;
}

void *map_hash_lookup(struct vm_map *map, const void *key) {
    uint32_t seq;
    struct map_node *node = map_hash_find(map, key, &seq);

    if (node == NULL)
        return NULL;
    if (map->def.type == TYPE_LRU_HASH && node->ref == 0)
        __atomic_store_n(&node->ref, 1, __ATOMIC_RELAXED);
    return value_of(map, node);
}

int map_hash_read(struct vm_map *map, const void *key, void *value) {
    for (int try = 0; try < FIND_TRIES; try++) {
        uint32_t seq = 0;
        struct map_node *node = map_hash_find(map, key, &seq);

        if (node == NULL)
            return -ENOENT;
        memcpy(value, value_of(map, node), map->def.value_size);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&node->seq, __ATOMIC_RELAXED) == seq)
            return 0;
    }
    return -EBUSY;
}

/* Below here, up to the public functions: the caller holds the group's lock. */

static uint32_t range_size(const struct vm_map *map, uint32_t group) {
    return map_range(map, group + 1) - map_range(map, group);
}

static uint32_t fresh_left(const struct vm_map *map, uint32_t group) {
    uint32_t size = range_size(map, group);
    uint32_t fresh = map_group(map, group)->fresh;

    return fresh < size ? size - fresh : 0;
}

static uint32_t free_nodes(const struct vm_map *map, uint32_t group) {
    return map_group(map, group)->free_count + fresh_left(map, group);
}

static void push_free(struct vm_map *map, uint32_t group, uint32_t number) {
    struct map_group *owner = map_group(map, group);

    map_node(map, number)->free_next = owner->free_head;
    owner->free_head = link_to(number);
    owner->free_count++;
}

/* Takes a free node out of the list; node_count if there is none. */
static uint32_t pop_free(struct vm_map *map, uint32_t group) {
    struct map_group *owner = map_group(map, group);
    uint32_t link = owner->free_head;

    if (has_node(map, link)) {
        owner->free_head = map_node(map, link - 1)->free_next;
        owner->free_count--;
        return link - 1;
    }
    if (fresh_left(map, group) == 0)
        return map->node_count;
    return map_range(map, group) + owner->fresh++;
}

static void fill(const struct vm_map *map, struct map_node *node, const void *key, const void *value,
                 uint32_t next) {
    uint32_t seq = node->seq | 1;

    __atomic_store_n(&node->seq, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(node->key, key, map->def.key_size);
    memcpy(value_of(map, node), value, map->def.value_size);
    node->ref = 0;
    node->linked = 1;
    __atomic_store_n(&node->next, next, __ATOMIC_RELEASE);
    __atomic_store_n(&node->seq, seq + 1, __ATOMIC_RELEASE);
}

/* The link that leads to the key's node, or NULL; *number is that node. */
static uint32_t *find_link(const struct vm_map *map, const void *key, uint32_t bucket, uint32_t *number) {
    uint32_t *link = &map->buckets[bucket];

    for (uint32_t steps = 0; has_node(map, *link) && steps <= map->node_count; steps++) {
        struct map_node *node = map_node(map, *link - 1);

        if (is_key(map, node, key)) {
            *number = *link - 1;
            return link;
        }
        link = &node->next;
    }
    return NULL;
}

static void unlink_node(struct vm_map *map, uint32_t group, uint32_t *link, uint32_t number) {
    struct map_node *node = map_node(map, number);

    __atomic_store_n(link, node->next, __ATOMIC_RELEASE);
    node->linked = 0;
    map_group(map, group)->used--;
    push_free(map, group, number);
}

static int replace(struct vm_map *map, uint32_t group, uint32_t *link, uint32_t old, const void *key,
                   const void *value) {
    uint32_t number = pop_free(map, group);

    if (number == map->node_count)
        return -ENOMEM;
    fill(map, map_node(map, number), key, value, map_node(map, old)->next);
    if (map->def.type == TYPE_LRU_HASH)
        map_node(map, number)->ref = 1;
    __atomic_store_n(link, link_to(number), __ATOMIC_RELEASE);
    map_node(map, old)->linked = 0;
    push_free(map, group, old);
    return 0;
}

static int insert(struct vm_map *map, uint32_t group, uint32_t bucket, const void *key, const void *value) {
    uint32_t number = pop_free(map, group);
    uint32_t head = map->buckets[bucket];

    if (number == map->node_count)
        return -ENOMEM;
    fill(map, map_node(map, number), key, value, head == 0 ? LINK_END | bucket : head);
    __atomic_store_n(&map->buckets[bucket], link_to(number), __ATOMIC_RELEASE);
    map_group(map, group)->used++;
    return 0;
}

/* LRU: frees one node, the first under the hand that was not looked up since the hand last passed. */
static int evict(struct vm_map *map) {
    struct map_group *group = map_group(map, 0);
    uint64_t steps = 3ULL * map->node_count;

    for (uint32_t hand = group->hand; steps-- > 0;) {
        uint32_t candidate = hand < map->node_count ? hand : 0;
        struct map_node *node = map_node(map, candidate);
        uint32_t *link;
        uint32_t number;

        hand = candidate + 1;
        if (!node->linked)
            continue;
        if (node->ref && steps > map->node_count) {
            node->ref = 0;
            continue;
        }
        group->hand = hand;
        link = find_link(map, node->key, map_hash_bucket(map, node->key), &number);
        if (link == NULL)
            continue;
        unlink_node(map, 0, link, number);
        return 0;
    }
    return -ENOMEM;
}

static void move_free(struct vm_map *map, uint32_t from, uint32_t to) {
    uint32_t count = free_nodes(map, from) / 2;

    for (count = count < MOVE_MAX ? count : MOVE_MAX; count > 0; count--) {
        uint32_t number = pop_free(map, from);

        if (number == map->node_count)
            return;
        map_node(map, number)->owner = (uint8_t)(to + 1);
        push_free(map, to, number);
    }
}

/* Gets nodes for `group` from the one that has most. Called without locks; returns 0 with the group's own
 * lock held. */
static int refill(struct vm_map *map, uint32_t group) {
    uint32_t richest = group;
    int status = map_lock_all(map);

    if (status != 0)
        return status;
    for (uint32_t other = 0; other < map->group_count; other++)
        if (free_nodes(map, other) > free_nodes(map, richest))
            richest = other;
    if (richest != group && free_nodes(map, group) < 2)
        move_free(map, richest, group);
    for (uint32_t other = 0; other < map->group_count; other++)
        if (other != group)
            map_unlock(map, other);
    if (free_nodes(map, group) >= 2)
        return 0;
    map_unlock(map, group);
    return -E2BIG;
}

static int is_own(const struct vm_map *map, uint32_t group, uint32_t number) {
    uint32_t owner = map_node(map, number)->owner;

    if (owner != 0)
        return owner == group + 1;
    return number >= map_range(map, group) && number < map_range(map, group + 1);
}

/* Computes all that follows from owners and chains. Links may be anything: a walk ends at the first that is
 * none. */
void map_hash_rebuild(struct vm_map *map, uint32_t group) {
    struct map_group *owner = map_group(map, group);

    owner->used = 0;
    owner->free_head = 0;
    owner->free_count = 0;
    owner->fresh = range_size(map, group);
    for (uint32_t number = 0; number < map->node_count; number++)
        if (is_own(map, group, number))
            map_node(map, number)->linked = 0;
    for (uint32_t bucket = group; bucket <= map->bucket_mask; bucket += map->group_count)
        for (uint32_t link = map->buckets[bucket]; has_node(map, link) && !map_node(map, link - 1)->linked;) {
            map_node(map, link - 1)->linked = 1;
            owner->used++;
            link = map_node(map, link - 1)->next;
        }
    for (uint32_t number = map->node_count; number-- > 0;)
        if (is_own(map, group, number) && !map_node(map, number)->linked)
            push_free(map, group, number);
}

/* One try under the group's lock; -EAGAIN: the group has no node to spare for a new element. */
static int update_locked(struct vm_map *map, uint32_t bucket, const void *key, const void *value,
                         uint64_t flags) {
    uint32_t group = bucket & (map->group_count - 1);
    uint32_t number;
    uint32_t *link = find_link(map, key, bucket, &number);

    if (link != NULL)
        return flags == UPDATE_NOEXIST ? -EEXIST : replace(map, group, link, number, key, value);
    if (flags == UPDATE_EXIST)
        return -ENOENT;
    if (free_nodes(map, group) < 2) {
        if (map->def.type != TYPE_LRU_HASH)
            return -EAGAIN;
        if (evict(map) != 0)
            return -ENOMEM;
    }
    return insert(map, group, bucket, key, value);
}

int map_hash_update(struct vm_map *map, const void *key, const void *value, uint64_t flags) {
    uint32_t bucket = map_hash_bucket(map, key);
    uint32_t group = bucket & (map->group_count - 1);
    int status;

    if (flags > UPDATE_EXIST)
        return -EINVAL;
    status = map_lock(map, group);
    if (status != 0)
        return status;
    status = update_locked(map, bucket, key, value, flags);
    if (status == -EAGAIN) {
        map_unlock(map, group);
        status = refill(map, group);
        if (status != 0)
            return status;
        status = update_locked(map, bucket, key, value, flags);
    }
    map_unlock(map, group);
    return status;
}

int map_hash_delete(struct vm_map *map, const void *key) {
    uint32_t bucket = map_hash_bucket(map, key);
    uint32_t group = bucket & (map->group_count - 1);
    uint32_t number;
    uint32_t *link;
    int status = map_lock(map, group);

    if (status != 0)
        return status;
    link = find_link(map, key, bucket, &number);
    if (link != NULL)
        unlink_node(map, group, link, number);
    map_unlock(map, group);
    return link == NULL ? -ENOENT : 0;
}
