/*
 * Random operations on maps, and on maps whose shared memory was filled with anything: no access outside of
 * the memory, no endless loop, and as long as nobody scribbled, a sound map that agrees with a plain table.
 *
 *     map_fuzz SEED SECONDS
 */
#define _GNU_SOURCE
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KEYS 200
#define VALUE_MAX 512
#define LOCKS_END (256 + 16 * 128)

static uint64_t state;

static uint64_t random64(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint32_t below(uint32_t limit) {
    return (uint32_t)(random64() % limit);
}

static void require(int condition, const char *what) {
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static struct vm_map_def random_def(void) {
    static const uint32_t types[] = {1, 1, 2, 6, 9};
    struct vm_map_def def = {.type = types[below(5)]};

    def.key_size = def.type == 2 || def.type == 6 ? 4 : 2 + below(20);
    def.value_size = 1 + below(below(3) ? 20 : 120);
    def.max_entries = 1 + below(below(4) ? KEYS : 20);
    def.cpu_count = def.type == 6 ? 1 + below(4) : 1;
    return def;
}

static struct vm_map *make_map(const struct vm_map_def *def, uint64_t *size) {
    struct vm_map *map = NULL;
    int fd = memfd_create("map", MFD_CLOEXEC);

    require(fd >= 0 && vm_map_size(def, size) == 0 && ftruncate(fd, (off_t)*size) == 0, "no file");
    require(vm_map_format(fd, 0, def, random64()) == 0, "no format");
    require(vm_map_open(fd, 0, def, VM_MAP_READ | VM_MAP_WRITE, 1, &map) == 0, "not opened");
    close(fd);
    return map;
}

static void make_key(const struct vm_map *map, uint32_t number, uint8_t *key) {
    memset(key, 0, map->def.key_size);
    memcpy(key, &number, map->def.key_size < 4 ? map->def.key_size : 4);
}

/* present[i]: what the value of key i consists of, plus 1; 0: not there. */
static void operate(struct vm_map *map, uint32_t *present, uint32_t *count) {
    uint8_t key[32], next[32], value[VALUE_MAX], *address;
    uint32_t number = below(KEYS);
    uint8_t byte = (uint8_t)random64();
    int is_array = map->values != NULL;
    uint32_t there = is_array ? number < map->def.max_entries : present[number] != 0;
    int status;

    make_key(map, number, key);
    switch (below(6)) {
    case 0:
    case 1:
        memset(value, byte, sizeof(value));
        status = vm_map_write(map, key, value, 0);
        if (!there && (is_array || (map->def.type != 9 && *count == map->def.max_entries)))
            require(status == -E2BIG, "written into a full map");
        else {
            require(status == 0, "not written");
            *count += !there;
            present[number] = byte + 1U;
        }
        break;
    case 2:
        status = vm_map_erase(map, key);
        require(status == (is_array ? -EINVAL : there ? 0 : -ENOENT) || map->def.type == 9, "not erased");
        *count -= !is_array && there;
        if (!is_array)
            present[number] = 0;
        break;
    case 3:
        status = vm_map_read(map, key, value);
        require((status == 0) == (int)there || map->def.type == 9, "read what is not there, or not what is");
        if (status == 0)
            for (uint64_t at = 0; at < vm_map_value_size(map);
                 at++) /* what is in padding is nobody's business */
                require(at % ((map->def.value_size + 7) / 8 * 8) >= map->def.value_size ||
                            value[at] == (uint8_t)(present[number] ? present[number] - 1 : 0),
                        "wrong value");
        break;
    case 4:
        address = vm_map_lookup(map, key, below(8));
        require((address != NULL) == (int)there || map->def.type == 9, "looked up wrongly");
        if (address != NULL)
            require(vm_map_has_range(map, address, map->def.value_size), "an address outside");
        break;
    default:
        (void)vm_map_next_key(map, key, next);
    }
}

/* The same calls on memory that anybody wrote into: only that they end, inside of it. */
static void operate_blindly(struct vm_map *map) {
    static uint8_t keys[64 * 32], values[64 * VALUE_MAX];
    uint8_t key[32];
    char message[64];
    uint64_t cursor = random64() & (below(2) ? ~0ULL : 0xff000000ffULL);
    uint8_t *address;

    make_key(map, below(KEYS), key);
    address = vm_map_lookup(map, key, below(8));
    if (address != NULL)
        memset(address, 0x5a, map->def.value_size);
    (void)vm_map_write(map, key, values, below(3));
    (void)vm_map_update(map, key, values, 0, below(9));
    (void)vm_map_read(map, key, values);
    (void)vm_map_next_key(map, key, keys);
    (void)vm_map_erase(map, key);
    (void)vm_map_dump(map, &cursor, keys, values, 64);
    (void)vm_map_count(map);
    (void)vm_map_check(map, message, sizeof(message));
    vm_map_settle(map);
}

static void scribble(struct vm_map *map, uint64_t size) {
    uint32_t count = 1 + below(below(2) ? 4 : 400);

    while (count-- > 0) {
        uint64_t at = below(3) ? LOCKS_END + random64() % (size - LOCKS_END) : 64 + below(128);
        uint32_t group = below(map->group_count);

        if (below(4) == 0) /* a group's fields, behind its lock */
            at = 256 + 128 * group + 64 + below(64);
        map->area[at] = (uint8_t)(below(3) ? random64() : below(2) * 0xff);
    }
}

static void one_map(void) {
    static uint32_t present[KEYS];
    struct vm_map_def def = random_def();
    uint32_t count = 0;
    char message[128];
    uint64_t size;
    struct vm_map *map = make_map(&def, &size);

    memset(present, 0, sizeof(present));
    for (uint32_t steps = below(2000); steps > 0; steps--)
        operate(map, present, &count);
    require(vm_map_check(map, message, sizeof(message)) == 0, message);
    require(map->values != NULL || def.type == 9 || vm_map_count(map) == count, "the counter is wrong");
    for (uint32_t rounds = below(20); rounds > 0; rounds--) {
        scribble(map, size);
        for (uint32_t steps = below(8); steps > 0; steps--)
            operate_blindly(map);
    }
    vm_map_close(map);
}

int main(int argc, char **argv) {
    time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 1);
    unsigned long maps = 0;

    state = 0x9e3779b97f4a7c15ULL ^ (uint64_t)(argc > 1 ? atoll(argv[1]) : 1);
    for (; time(NULL) < end; maps++)
        one_map();
    printf("%lu maps\n", maps);
    return 0;
}
