/*
 * The full check of a map: everything that map_internal.h promises, looked at element by element.
 *
 *     links      lead to nodes of ours; a chain ends in its own bucket's mark and holds no node twice
 *     elements   hash to their bucket, are whole (even seq), stand once in their chain, in a node of its
 * group groups     chains + free list + never used = the group's nodes, without overlap; counters say the
 * same; one node is left to swap with; all groups together use no more than max_entries arrays     no value
 * is under way
 */
#include "map_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_CHAIN 1
#define IN_FREE_LIST 2
#define DUPLICATE_STEPS 256

struct report {
    int faults;
    char *message;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void fault(struct report *report, const char *format, ...) {
    va_list arguments;

    if (report->faults++ > 0 || report->size == 0)
        return;
    va_start(arguments, format);
    vsnprintf(report->message, report->size, format, arguments);
    va_end(arguments);
}

/* Looks at the head of the chain only, so that a chain of a million elements costs no million squared. */
static int is_duplicate(const struct vm_map *map, uint32_t bucket, uint32_t number) {
    uint32_t link = map->buckets[bucket];

    for (int steps = 0; steps < DUPLICATE_STEPS && link != 0 && link <= map->node_count && link - 1 != number;
         steps++) {
        if (memcmp(map_node(map, link - 1)->key, map_node(map, number)->key, map->def.key_size) == 0)
            return 1;
        link = map_node(map, link - 1)->next;
    }
    return 0;
}

static void check_element(const struct vm_map *map, uint32_t bucket, uint32_t number, struct report *report) {
    const struct map_node *node = map_node(map, number);

    if (node->seq % 2 == 1)
        fault(report, "element %u is half written", number);
    if (map_hash_bucket(map, node->key) != bucket)
        fault(report, "element %u is in bucket %u, but its key belongs to %u", number, bucket,
              map_hash_bucket(map, node->key));
    if (map_node_owner(map, number) != (bucket & (map->group_count - 1)))
        fault(report, "element %u of bucket %u belongs to group %u", number, bucket,
              map_node_owner(map, number));
    if (!node->linked)
        fault(report, "element %u is in a chain but not marked so", number);
}

/* Gives the number of elements in the chain. */
static uint32_t check_chain(const struct vm_map *map, uint32_t bucket, uint8_t *seen, struct report *report) {
    uint32_t link = map->buckets[bucket];
    uint32_t count = 0;

    while (link != 0 && link <= map->node_count) {
        uint32_t number = link - 1;

        if (seen[number] != 0) {
            fault(report, "element %u is in two places, one of them bucket %u", number, bucket);
            return count;
        }
        seen[number] = IN_CHAIN;
        count++;
        check_element(map, bucket, number, report);
        if (is_duplicate(map, bucket, number))
            fault(report, "bucket %u holds the key of element %u twice", bucket, number);
        link = map_node(map, number)->next;
    }
    if (link != (LINK_END | bucket) && !(link == 0 && count == 0))
        fault(report, "the chain of bucket %u ends in 0x%x", bucket, link);
    return count;
}

static void check_free_list(const struct vm_map *map, uint32_t group, uint8_t *seen, struct report *report) {
    uint32_t link = map_group(map, group)->free_head;
    uint32_t count = 0;

    for (; link != 0; link = map_node(map, link - 1)->free_next, count++) {
        if (link > map->node_count || seen[link - 1] != 0 || map_node_owner(map, link - 1) != group) {
            fault(report, "the free list of group %u holds %u, which is in use, another's or none", group,
                  link);
            return;
        }
        seen[link - 1] = IN_FREE_LIST;
    }
    if (count != map_group(map, group)->free_count)
        fault(report, "the free list of group %u has %u nodes, its counter says %u", group, count,
              map_group(map, group)->free_count);
}

/* Every node that is nowhere must be one that its group never handed out. */
static void check_rest(const struct vm_map *map, uint32_t group, const uint8_t *seen, struct report *report) {
    uint32_t low = map_range(map, group);
    uint32_t high = map_range(map, group + 1);
    uint32_t fresh = map_group(map, group)->fresh;

    if (fresh > high - low) {
        fault(report, "group %u handed out %u of its %u nodes", group, fresh, high - low);
        return;
    }
    for (uint32_t number = low; number < high; number++)
        if ((seen[number] == 0) != (number - low >= fresh))
            fault(report, "element %u is %s", number,
                  seen[number] == 0 ? "lost" : "in use though never handed out");
    if (map_group(map, group)->free_count + (high - low - fresh) == 0)
        fault(report, "group %u has no free node left to swap with", group);
}

static void check_hash(const struct vm_map *map, uint8_t *seen, struct report *report) {
    uint64_t total = 0;

    for (uint32_t group = 0; group < map->group_count; group++) {
        uint32_t used = 0;

        for (uint32_t bucket = group; bucket <= map->bucket_mask; bucket += map->group_count)
            used += check_chain(map, bucket, seen, report);
        if (used != map_group(map, group)->used)
            fault(report, "group %u has %u elements, its counter says %u", group, used,
                  map_group(map, group)->used);
        check_free_list(map, group, seen, report);
        total += used;
    }
    for (uint32_t group = 0; group < map->group_count; group++)
        check_rest(map, group, seen, report);
    if (total > map->def.max_entries)
        fault(report, "%llu elements in a map of %u", (unsigned long long)total, map->def.max_entries);
}

static void check_locked(const struct vm_map *map, struct report *report) {
    const struct map_header *header = map_header(map);
    uint8_t *seen;

    if (memcmp(&header->def, &map->def, sizeof(map->def)) != 0 || header->magic != MAP_MAGIC)
        fault(report, "the header of the data was overwritten");
    if (header->seed != map->seed)
        fault(report, "the hash seed was overwritten");
    if (map_is_array(map)) {
        if (map_journal(map)->seq % 2 == 1)
            fault(report, "the update of slot %u is unfinished", map_journal(map)->index);
        return;
    }
    seen = calloc(map->node_count, 1);
    if (seen == NULL) {
        fault(report, "no memory for the check");
        return;
    }
    check_hash(map, seen, report);
    free(seen);
}

int vm_map_check(struct vm_map *map, char *message, size_t message_size) {
    struct report report = {.message = message, .size = message_size};
    int status = map->is_writable ? map_lock_all(map) : 0;

    if (message_size > 0)
        message[0] = 0;
    if (status != 0) {
        fault(&report, "a lock cannot be had: %s", strerror(-status));
        return report.faults;
    }
    check_locked(map, &report);
    if (map->is_writable)
        map_unlock_all(map);
    return report.faults;
}
