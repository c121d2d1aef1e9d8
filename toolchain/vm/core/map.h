/* Maps in shared memory: the whole C interface.
 *
 * Read by the compiler and by cffi, so: declarations only, no includes, no guards. Include <stdint.h> and
 * <stddef.h> first.
 *
 * A map is the data area of an object file (everything from `offset` on). The file's bytes are shared with
 * other processes and never trusted after vm_map_open: sizes and bounds live in the private struct vm_map,
 * and every index read from the shared area is checked before use. What cannot be checked is a peer that
 * truncates the file while it is mapped (SIGBUS; bus.c).
 *
 * Results: 0 or a count, else a negative errno, the one that bpf(2) gives. Keys and values need no alignment.
 * Threads: a struct vm_map may be used by many threads at once, but for vm_map_open and vm_map_close.
 * Kill: whatever a process dies in, each element is as before or as after the operation that it died in.
 */

#define VM_MAP_READ 1    /* user side may read: lookup, next_key, dump */
#define VM_MAP_WRITE 2   /* user side may write: update, delete, freeze */
#define VM_HOLDS_PROGS 1 /* prog arrays */
#define VM_HOLDS_MAPS 2  /* arrays and hashes of maps */

/* What a map is made from. `type` is an enum bpf_map_type, `flags` are BPF_F_* of BPF_MAP_CREATE, cpu_count
 * >= 1. */
struct vm_map_def {
    uint32_t type;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t max_entries;
    uint32_t flags;
    uint32_t cpu_count;
};

/* A process's own handle on a map. The fields down to `elem_stride` are fixed at open and may be read by
 * compiled code: slot i of an array on CPU c is at values + c * cpu_stride + i * elem_stride, 8-byte aligned.
 * The rest is private to map*.c. */
struct vm_map {
    struct vm_map_def def;
    uint32_t cpu_count;   /* copies of each value: def.cpu_count for per-CPU types, else 1 */
    uint32_t access;      /* VM_MAP_READ | VM_MAP_WRITE of the user side */
    uint32_t is_writable; /* the mapping is writable at all: programs may run on it */
    uint32_t id;          /* for messages; 0 where it was not given */
    uint8_t *values;      /* arrays: slot 0 of CPU 0; NULL for hashes */
    uint64_t cpu_stride;  /* arrays: bytes from a slot to the same slot of the next CPU */
    uint64_t elem_stride; /* arrays: bytes from a slot to the next, value_size rounded up to 8 */
    uint32_t holds;       /* what a value of 4 bytes names by its id: VM_HOLDS_*, 0 for plain values */

    uint32_t group_count;  /* locks; a power of two */
    uint32_t bucket_mask;  /* hashes: buckets less one */
    uint32_t node_count;   /* hashes: elements, spares included */
    uint32_t value_offset; /* hashes: of the value in a node */
    uint64_t node_stride;
    uint64_t seed;
    uint8_t *area;         /* the mapped data area; the next four point into it */
    uint8_t *staging;      /* arrays: a value on its way to its slot */
    uint32_t *buckets;     /* hashes: heads of the chains */
    uint8_t *nodes;        /* hashes */
    uint64_t staging_size; /* 0 where one store writes a whole value */
    uint8_t *mapping;      /* what munmap takes */
    uint64_t mapping_size;
};

/* Bytes of data area that a map of this definition needs. Checks the definition as the kernel does:
 * -EINVAL, -E2BIG, -ENOMEM (more than 4 GiB), -ENOTSUPP (524, LRU without preallocation), -EOPNOTSUPP (a type
 * not built here). */
int vm_map_size(const struct vm_map_def *def, uint64_t *data_size);

/* Writes an empty map into the data area of `fd` (open read-write, zero-filled, at least offset + data_size
 * long). `offset` is a multiple of 4096. `seed` scatters a hash's keys (ignored with BPF_F_ZERO_SEED). Nobody
 * else may use it yet. */
int vm_map_format(int fd, uint64_t offset, const struct vm_map_def *def, uint64_t seed);

/* Maps and checks an existing one against `def`. `access`: the user side's rights. With is_writable 0 the
 * mapping is read only. Any bytes may be in the file: -EINVAL if they are not a map of this definition. Owns
 * nothing of `fd`, which may be closed. A mapping keeps the file's flock. *out is to be closed with
 * vm_map_close. */
int vm_map_open(int fd, uint64_t offset, const struct vm_map_def *def, uint32_t access, uint32_t is_writable,
                struct vm_map **out);
void vm_map_close(struct vm_map *map);

/* After a reboot with the file on disk: makes all locks anew and repairs what their dead holders left.
 * Only while no other process has the map open (the caller holds the file's exclusive flock). */
int vm_map_reset_locks(struct vm_map *map);

/* Program side: helpers 1, 2 and 3. `cpu` picks the copy in a per-CPU map (taken modulo the copies).
 * The pointer that lookup gives is valid until vm_map_close; as in the kernel's preallocated hash, a deleted
 * element's memory is used again at once. lookup takes no lock; it marks an LRU element as used. */
void *vm_map_lookup(struct vm_map *map, const void *key, uint32_t cpu);
int vm_map_update(struct vm_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu);
int vm_map_delete(struct vm_map *map, const void *key);

/* Finishes an array update that a killed process left half copied. One load when there is none, so call it
 * before each run or batch of runs: then no program meets half a value. vm_map_open does it too. */
void vm_map_settle(struct vm_map *map);

/* Whether [address, address + size) lies inside one value of the map: what the checked interpreter asks. */
int vm_map_has_range(const struct vm_map *map, const void *address, uint64_t size);

/* User side: the commands of bpf(2), with its rights (-EPERM) and errnos. A value is vm_map_value_size()
 * bytes: for a per-CPU type all CPUs' values, each padded to 8. read gives a value that some update wrote
 * whole (writes of programs in place excepted). */
uint64_t vm_map_value_size(const struct vm_map *map);
int vm_map_read(struct vm_map *map, const void *key, void *value);
int vm_map_write(struct vm_map *map, const void *key, const void *value, uint64_t flags);
int vm_map_erase(struct vm_map *map, const void *key);
/* key NULL: the first key. -ENOENT: there is none after it. A hash goes on from its first key when `key` is
 * not in it. */
int vm_map_next_key(struct vm_map *map, const void *key, void *next);
int vm_map_freeze(struct vm_map *map);
int vm_map_is_frozen(const struct vm_map *map);

/* Maps that hold programs or maps: a value is an id, and an array's slot of 0 is empty. These functions know
 * nothing of what the ids name; who writes keeps that alive first.
 * adopt: the first `owner` (not 0) that is given stays; -EINVAL for any other. names: whether some element
 * has this value. clear: empties an array, whatever the caller's rights. */
int vm_map_adopt(struct vm_map *map, uint32_t owner);
int vm_map_names(const struct vm_map *map, uint32_t id);
void vm_map_clear(struct vm_map *map);

/* Batches. write: `count` keys and values, end to end; stops at the first failure; *done says how many went
 * in. dump: copies up to `capacity` elements from *cursor (0 at first) on and moves it; gives how many, 0 at
 * the end. */
int vm_map_write_batch(struct vm_map *map, const void *keys, const void *values, uint64_t count,
                       uint64_t flags, uint64_t *done);
int64_t vm_map_dump(struct vm_map *map, uint64_t *cursor, void *keys, void *values, uint64_t capacity);

/* Elements in it: max_entries for arrays, exact for hashes. */
int64_t vm_map_count(struct vm_map *map);

/* Walks everything: chains, free lists, counters, journal, locks. Gives the number of faults (0: sound) and
 * the first one's text. Takes all locks if the mapping is writable, and so mends what a killed process left;
 * else assumes that nobody writes. */
int vm_map_check(struct vm_map *map, char *message, size_t message_size);
