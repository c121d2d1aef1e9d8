/*
 * From a definition to a layout, and from a file to a mapped map.
 *
 * The checks are the kernel's own. Source: kernel/bpf/arraymap.c (array_map_alloc_check),
 * kernel/bpf/hashtab.c (htab_map_alloc_check, htab_map_alloc), kernel/bpf/syscall.c (map_create,
 * bpf_get_file_flag), Linux 6.12.
 */
#include "map_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define F_NO_PREALLOC 0x1U
#define F_NO_COMMON_LRU 0x2U
#define F_NUMA_NODE 0x4U
#define F_RDONLY 0x8U
#define F_WRONLY 0x10U
#define F_ZERO_SEED 0x40U
#define F_RDONLY_PROG 0x80U
#define F_WRONLY_PROG 0x100U
#define F_MMAPABLE 0x400U
#define F_INNER_MAP 0x1000U
#define F_ACCESS (F_RDONLY | F_WRONLY | F_RDONLY_PROG | F_WRONLY_PROG)

#define ARRAY_FLAGS (F_NUMA_NODE | F_MMAPABLE | F_ACCESS | F_INNER_MAP)
#define HASH_FLAGS (F_NO_PREALLOC | F_NO_COMMON_LRU | F_NUMA_NODE | F_ACCESS | F_ZERO_SEED)

#define PERCPU_VALUE_MAX (32U << 10)          /* kernel: PCPU_MIN_UNIT_SIZE */
#define HASH_ELEMENT_MAX ((4ULL << 20) - 48)  /* kernel: KMALLOC_MAX_SIZE less struct htab_elem, x86-64 */
#define HASH_BUCKETS_MAX (0xffffffffULL / 16) /* kernel: U32_MAX / sizeof(struct bucket) */
#define ENTRIES_PER_GROUP 64

static int has_both(uint32_t flags, uint32_t pair) {
    return (flags & pair) == pair;
}

static int check_array(const struct vm_map_def *def) {
    int is_percpu = def->type == TYPE_PERCPU_ARRAY;

    if (def->max_entries == 0 || def->key_size != 4 || def->value_size == 0 ||
        (def->flags & ~ARRAY_FLAGS) != 0)
        return -EINVAL;
    if (has_both(def->flags, F_RDONLY_PROG | F_WRONLY_PROG))
        return -EINVAL;
    if (is_percpu && (def->flags & (F_NUMA_NODE | F_MMAPABLE | F_INNER_MAP)) != 0)
        return -EINVAL;
    if (def->value_size > 0x7fffffffU || (is_percpu && round_up(def->value_size, 8) > PERCPU_VALUE_MAX))
        return -E2BIG;
    return 0;
}

/* Source: kernel/bpf/arraymap.c, fd_array_map_alloc_check; kernel/bpf/hashtab.c, fd_htab_map_alloc_check. */
static int check_holder(const struct vm_map_def *def) {
    int is_array = def->type != TYPE_HASH_OF_MAPS;
    uint32_t refused = is_array ? F_RDONLY_PROG | F_WRONLY_PROG | F_MMAPABLE | F_INNER_MAP : 0;

    return def->value_size != sizeof(uint32_t) || (def->flags & refused) != 0 ? -EINVAL : 0;
}

static uint64_t bucket_count(const struct vm_map_def *def) {
    uint64_t count = 1;

    while (count < def->max_entries)
        count *= 2;
    return count;
}

static int check_hash(const struct vm_map_def *def) {
    int is_lru = def->type == TYPE_LRU_HASH;

    if ((def->flags & ~HASH_FLAGS) != 0 || has_both(def->flags, F_RDONLY_PROG | F_WRONLY_PROG))
        return -EINVAL;
    if (!is_lru && (def->flags & F_NO_COMMON_LRU) != 0)
        return -EINVAL;
    if (is_lru && (def->flags & F_NO_PREALLOC) != 0)
        return -KERNEL_ENOTSUPP;
    if (has_both(def->flags, F_NUMA_NODE | F_NO_COMMON_LRU))
        return -EINVAL;
    if (def->max_entries == 0 || def->key_size == 0 || def->value_size == 0)
        return -EINVAL;
    if ((uint64_t)def->key_size + def->value_size >= HASH_ELEMENT_MAX || bucket_count(def) > HASH_BUCKETS_MAX)
        return -E2BIG;
    return 0;
}

static void lay_out_array(struct vm_map *map, uint64_t *data_size) {
    map->cpu_count = map->def.type == TYPE_PERCPU_ARRAY ? map->def.cpu_count : 1;
    map->elem_stride = round_up(map->def.value_size, 8);
    map->cpu_stride = round_up(map->elem_stride * map->def.max_entries, 64);
    map->staging_size = map->elem_stride * map->cpu_count;
    if (map->staging_size == 8)
        map->staging_size = 0;
    *data_size = MAP_HEADER_SIZE + map->cpu_stride * map->cpu_count;
    map->values = map->area + MAP_HEADER_SIZE;
    map->staging = map->area + *data_size;
    *data_size += map->staging_size;
}

static void lay_out_hash(struct vm_map *map, uint64_t *data_size) {
    uint64_t buckets = bucket_count(&map->def);
    uint64_t buckets_size = round_up(buckets * sizeof(uint32_t), 64);

    map->cpu_count = 1;
    while (map->def.type == TYPE_HASH && map->group_count < MAP_GROUPS_MAX &&
           (uint64_t)map->group_count * ENTRIES_PER_GROUP < map->def.max_entries)
        map->group_count *= 2;
    map->bucket_mask = (uint32_t)(buckets - 1);
    map->node_count =
        map->def.max_entries + map->group_count; /* one spare each: what a full map swaps an element with */
    map->value_offset = (uint32_t)(sizeof(struct map_node) + round_up(map->def.key_size, 8));
    map->node_stride = map->value_offset + round_up(map->def.value_size, 8);
    map->buckets = (uint32_t *)(void *)(map->area + MAP_HEADER_SIZE);
    map->nodes = map->area + MAP_HEADER_SIZE + buckets_size;
    *data_size = MAP_HEADER_SIZE + buckets_size + map->node_stride * map->node_count;
}

int map_lay_out(struct vm_map *map, uint64_t *data_size) {
    int is_array = map->def.type == TYPE_ARRAY || map->def.type == TYPE_PERCPU_ARRAY ||
                   map->def.type == TYPE_PROG_ARRAY || map->def.type == TYPE_ARRAY_OF_MAPS;
    int is_hash =
        map->def.type == TYPE_HASH || map->def.type == TYPE_LRU_HASH || map->def.type == TYPE_HASH_OF_MAPS;
    int status = 0;

    if (!is_array && !is_hash)
        return -EOPNOTSUPP;
    if (map->def.cpu_count == 0 || map->def.cpu_count > MAP_CPUS_MAX ||
        has_both(map->def.flags, F_RDONLY | F_WRONLY))
        return -EINVAL;
    map->holds = map->def.type == TYPE_PROG_ARRAY                                            ? VM_HOLDS_PROGS
                 : map->def.type == TYPE_ARRAY_OF_MAPS || map->def.type == TYPE_HASH_OF_MAPS ? VM_HOLDS_MAPS
                                                                                             : 0;
    if (map->holds != 0)
        status = check_holder(&map->def);
    if (status == 0)
        status = is_array ? check_array(&map->def) : check_hash(&map->def);
    if (status != 0)
        return status;
    map->group_count = 1;
    if (is_array)
        lay_out_array(map, data_size);
    else
        lay_out_hash(map, data_size);
    *data_size = round_up(*data_size, MAP_HEADER_SIZE);
    return *data_size > MAP_DATA_MAX ? -ENOMEM : 0;
}

int vm_map_size(const struct vm_map_def *def, uint64_t *data_size) {
    struct vm_map map = {.def = *def};

    return map_lay_out(&map, data_size);
}

int vm_map_format(int fd, uint64_t offset, const struct vm_map_def *def, uint64_t seed) {
    struct vm_map map = {.def = *def};
    struct map_header *header;
    uint64_t data_size;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t skip = offset % page;
    uint8_t *mapping;
    int status = map_lay_out(&map, &data_size);

    if (status != 0)
        return status;
    mapping =
        mmap(NULL, skip + MAP_HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(offset - skip));
    if (mapping == MAP_FAILED)
        return -errno;
    map.area = mapping + skip;
    header = map_header(&map);
    header->version = MAP_VERSION;
    header->abi = MAP_ABI;
    header->def = *def;
    header->seed = (def->flags & F_ZERO_SEED) != 0 ? 0 : seed;
    header->data_size = data_size;
    for (uint32_t group = 0; group < map.group_count && status == 0; group++)
        status = map_lock_create(map_group(&map, group));
    header->magic = MAP_MAGIC;
    munmap(mapping, skip + MAP_HEADER_SIZE);
    return status;
}

/* Whether the shared header says what the caller expects. Reads each field once. */
static int is_header_of(const struct vm_map *map, uint64_t data_size) {
    const struct map_header *header = map_header(map);

    if (header->magic != MAP_MAGIC || header->version != MAP_VERSION || header->abi != MAP_ABI)
        return 0;
    if (memcmp(&header->def, &map->def, sizeof(map->def)) != 0 || header->data_size != data_size)
        return 0;
    for (uint32_t group = 0; group < map->group_count; group++)
        if (!map_lock_is_sane(map_group(map, group)))
            return 0;
    return 1;
}

static int map_file(struct vm_map *map, int fd, uint64_t offset) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t skip = offset % page;
    uint64_t data_size;
    struct stat stat;
    int protection = PROT_READ | (map->is_writable ? PROT_WRITE : 0);
    int status = map_lay_out(map, &data_size);
    uint8_t *mapping;

    if (status != 0)
        return status;
    if (fstat(fd, &stat) != 0)
        return -errno;
    if (!S_ISREG(stat.st_mode) || stat.st_size < 0 || (uint64_t)stat.st_size < offset ||
        (uint64_t)stat.st_size - offset < data_size)
        return -EINVAL;
    mapping = mmap(NULL, skip + data_size, protection, MAP_SHARED, fd, (off_t)(offset - skip));
    if (mapping == MAP_FAILED)
        return -errno;
    map->mapping = mapping;
    map->mapping_size = skip + data_size;
    map->area = mapping + skip;
    (void)map_lay_out(map, &data_size);
    if (!is_header_of(map, data_size))
        return -EINVAL;
    map->seed = map_header(map)->seed;
    return 0;
}

int vm_map_open(int fd, uint64_t offset, const struct vm_map_def *def, uint32_t access, uint32_t is_writable,
                struct vm_map **out) {
    struct vm_map *map = calloc(1, sizeof(*map));
    int status;

    if (map == NULL)
        return -ENOMEM;
    map->def = *def;
    map->access = access;
    map->is_writable = is_writable;
    status = map_file(map, fd, offset);
    if (status != 0) {
        vm_map_close(map);
        return status;
    }
    vm_map_settle(map);
    *out = map;
    return 0;
}

void vm_map_close(struct vm_map *map) {
    if (map == NULL)
        return;
    if (map->mapping != NULL)
        munmap(map->mapping, map->mapping_size);
    free(map);
}
