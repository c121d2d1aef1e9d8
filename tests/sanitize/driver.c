/*
 * Drives the C core under sanitizers: ./driver VECTORS ROUNDS
 *
 *   every vector     in the checked interpreter, and in the plain one where it was verified; results compared
 *   ROUNDS programs  of random instructions, and vectors with random bytes changed, in the checked
 * interpreter ROUNDS rounds    of random operations on maps of every kind, each map checked afterwards
 *
 * Exits 1 where a result differs; a sanitizer's finding aborts. The text format is export_vectors.py's.
 */
#define _GNU_SOURCE
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_MAPS 4
#define MAX_OTHERS 2
#define FIRST_PROG_ID 101 /* ids from 1 on are maps */
#define MAX_SETS 8
#define MAX_CODE 4096
#define LINE_SIZE 262144

struct element {
    uint32_t map;
    uint8_t key[64];
    uint8_t value[256];
};

/* A program that stands in a slot. */
struct other {
    uint8_t code[1024];
    uint8_t dead[1024 / 8];
    struct vm_ctx_access accesses[32];
    uint32_t slot_count;
    uint32_t access_count;
};

struct vector {
    char name[128];
    struct vm_source source;
    uint8_t code[MAX_CODE];
    uint8_t dead[MAX_CODE / 8];
    struct vm_ctx_access accesses[256];
    struct vm_map_def defs[MAX_MAPS];
    struct element sets[MAX_SETS];
    uint32_t set_count;
    struct other others[MAX_OTHERS];
    uint32_t other_count;
    uint8_t packet[4096];
    uint32_t packet_size;
    uint8_t ctx[VM_CTX_SIZE];
    bool has_ctx;
    bool is_plain;
    bool has_result;
    uint32_t returns;
    uint8_t after[8192];
    int64_t after_size; /* -1: any */
};

static unsigned long failures;
static struct vm_machine *machine;
static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t random_number(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint32_t below(uint32_t limit) {
    return (uint32_t)(random_number() % limit);
}

static void die(const char *what) {
    perror(what);
    exit(2);
}

static uint32_t unhex(const char *text, uint8_t *to, size_t capacity) {
    uint32_t count = 0;
    unsigned int byte;

    if (*text == '-')
        return 0;
    for (; sscanf(text, "%2x", &byte) == 1; text += 2) {
        if (count == capacity)
            die("hex too long");
        to[count++] = (uint8_t)byte;
    }
    return count;
}

static struct vm_map *make_map(const struct vm_map_def *def) {
    struct vm_map *map = NULL;
    uint64_t size = 0;
    const int fd = memfd_create("map", MFD_CLOEXEC);

    if (fd < 0 || vm_map_size(def, &size) < 0 || ftruncate(fd, (off_t)(size ? size : 1)) < 0)
        die("map");
    if (vm_map_format(fd, 0, def, random_number()) < 0 ||
        vm_map_open(fd, 0, def, VM_MAP_READ | VM_MAP_WRITE, 1, &map) < 0)
        die("map");
    close(fd);
    return map;
}

static void make_maps(const struct vector *vector, struct vm_map **maps) {
    for (uint32_t index = 0; index < vector->source.map_count; index++)
        maps[index] = make_map(&vector->defs[index]);
    for (uint32_t index = 0; index < vector->set_count; index++) {
        const struct element *set = &vector->sets[index];

        if (vm_map_write(maps[set->map], set->key, set->value, 0) < 0)
            die("set");
    }
}

static void check_maps(const struct vector *vector, struct vm_map **maps) {
    for (uint32_t index = 0; index < vector->source.map_count; index++) {
        char message[256];

        if (vm_map_check(maps[index], message, sizeof(message))) {
            fprintf(stderr, "%s: map %u: %s\n", vector->name, index, message);
            failures++;
        }
        vm_map_close(maps[index]);
    }
}

/* What ids in slots mean during one run. */
struct targets {
    const struct vm_source *source;
    const struct vector *vector;
    struct vm_prog *progs[MAX_OTHERS];
};

static void *resolve(void *resolver, uint64_t holder, uint32_t id) {
    struct targets *targets = resolver;
    const uint32_t index = id - FIRST_PROG_ID;
    struct vm_source source = *targets->source;
    struct vm_problem problem;

    if (((const struct vm_map *)(uintptr_t)holder)->holds == VM_HOLDS_MAPS)
        return id - 1 < source.map_count ? source.maps[id - 1] : NULL;
    if (index >= targets->vector->other_count)
        return NULL;
    source.code = targets->vector->others[index].code;
    source.slot_count = targets->vector->others[index].slot_count;
    source.accesses = targets->vector->others[index].accesses;
    source.access_count = targets->vector->others[index].access_count;
    source.dead_slots = source.is_checked ? NULL : targets->vector->others[index].dead;
    source.id = id;
    if (vm_prog_create(&source, &targets->progs[index], &problem) != VM_OK)
        die("target");
    return targets->progs[index];
}

/* Runs a vector's program; gives the status of load or run. */
static enum vm_status run(struct vector *vector, bool is_checked, struct vm_run *run) {
    struct vm_prog *prog = NULL;
    struct vm_problem problem;
    struct vm_map *maps[MAX_MAPS];
    struct vm_source source = vector->source;
    uint8_t *code = malloc((size_t)source.slot_count * 8);
    uint8_t *packet = malloc(vector->packet_size + 1);
    struct targets targets = {.source = &source, .vector = vector};
    enum vm_status status;

    /* Copies of their exact size, so that a read beyond them is seen. */
    memcpy(code, vector->code, (size_t)source.slot_count * 8);
    memcpy(packet, vector->packet, vector->packet_size);
    make_maps(vector, maps);
    source.code = code;
    source.maps = maps;
    source.is_checked = is_checked;
    source.accesses = vector->accesses;
    source.dead_slots = is_checked ? NULL : vector->dead;
    run->data = packet;
    run->data_size = vector->packet_size;
    run->has_ctx = vector->has_ctx;
    memcpy(run->ctx, vector->ctx, sizeof(run->ctx));
    status = vm_prog_create(&source, &prog, &problem);
    if (status == VM_OK)
        vm_machine_set_resolver(machine, resolve, &targets);
    status = vm_run_batch(machine, prog, run, 1, 1000000);
    vm_trace_clear(machine);
    vm_machine_forget(machine);
    for (uint32_t index = 0; index < MAX_OTHERS; index++)
        vm_prog_destroy(targets.progs[index]);
    vm_prog_destroy(prog);
    check_maps(vector, maps);
    free(packet);
    free(code);
    return status;
}

static void fail(const struct vector *vector, bool is_checked, const char *what, unsigned long got,
                 unsigned long want) {
    fprintf(stderr, "%s, %s: %s %lu, want %lu\n", vector->name, is_checked ? "checked" : "plain", what, got,
            want);
    failures++;
}

static void compare(struct vector *vector, bool is_checked) {
    static uint8_t out[8192];
    struct vm_run result = {.out = out, .out_capacity = sizeof(out)};
    const enum vm_status status = run(vector, is_checked, &result);

    if (!vector->has_result) {
        if (status < VM_FAULT_FIRST)
            fail(vector, is_checked, "status", status, VM_FAULT_FIRST);
        return;
    }
    if (status != VM_OK)
        fail(vector, is_checked, "status", status, VM_OK);
    else if (result.retval != vector->returns)
        fail(vector, is_checked, "returns", result.retval, vector->returns);
    else if (vector->after_size >= 0 && (result.out_size != vector->after_size ||
                                         memcmp(out, vector->after, (size_t)vector->after_size) != 0))
        fail(vector, is_checked, "packet of size", result.out_size, (unsigned long)vector->after_size);
}

static void take_line(struct vector *vector, char *line) {
    static char first[LINE_SIZE];
    static char second[LINE_SIZE];
    struct vm_source *source = &vector->source;
    struct vm_map_def *def = &vector->defs[source->map_count % MAX_MAPS];
    struct vm_ctx_access *access = &vector->accesses[source->access_count % 256];
    struct element *set = &vector->sets[vector->set_count % MAX_SETS];
    struct other *other = &vector->others[vector->other_count ? vector->other_count - 1 : 0];
    struct vm_ctx_access *elsewhere = &other->accesses[other->access_count % 32];
    uint32_t slot;

    if (sscanf(line, "vector %127s", first) == 1) {
        memset(vector, 0, sizeof(*vector));
        memcpy(vector->name, first, strlen(first) + 1);
        vector->after_size = -1;
    } else if (sscanf(line, "program %u %lu %lu %s", &source->prog_type, &source->ctx_readable,
                      &source->ctx_writable, first) == 4) {
        source->slot_count = unhex(first, vector->code, sizeof(vector->code)) / 8;
    } else if (sscanf(line, "map %u %u %u %u %u %u", &def->type, &def->key_size, &def->value_size,
                      &def->max_entries, &def->flags, &def->cpu_count) == 6) {
        source->map_count++;
    } else if (sscanf(line, "set %u %s %s", &set->map, first, second) == 3) {
        unhex(first, set->key, sizeof(set->key));
        unhex(second, set->value, sizeof(set->value));
        vector->set_count++;
    } else if (sscanf(line, "packet %s %s", first, second) == 2) {
        vector->packet_size = unhex(first, vector->packet, sizeof(vector->packet));
        vector->has_ctx = unhex(second, vector->ctx, sizeof(vector->ctx)) > 0;
    } else if (sscanf(line, "other-dead %u", &slot) == 1) {
        other->dead[slot] = 1;
    } else if (sscanf(line, "other-access %u %u %u %u", &elsewhere->slot, &elsewhere->offset,
                      &elsewhere->size, &elsewhere->is_write) == 4) {
        other->access_count++;
    } else if (sscanf(line, "other %s", first) == 1) {
        other = &vector->others[vector->other_count++ % MAX_OTHERS];
        other->slot_count = unhex(first, other->code, sizeof(other->code)) / 8;
    } else if (sscanf(line, "dead %u", &slot) == 1) {
        vector->dead[slot] = 1;
    } else if (sscanf(line, "access %u %u %u %u", &access->slot, &access->offset, &access->size,
                      &access->is_write) == 4) {
        source->access_count++;
    } else if (sscanf(line, "expect %u %s", &vector->returns, first) == 2) {
        vector->has_result = true;
        if (*first != '-')
            vector->after_size = unhex(first, vector->after, sizeof(vector->after));
    } else if (strcmp(line, "plain\n") == 0) {
        vector->is_plain = true;
    }
}

/* The next vector of the file; false at its end. */
static bool read_vector(FILE *file, struct vector *vector) {
    static char line[LINE_SIZE];

    while (fgets(line, sizeof(line), file)) {
        if (strcmp(line, "end\n") == 0)
            return true;
        take_line(vector, line);
    }
    return false;
}

static void random_code(struct vector *vector) {
    vector->source.slot_count = 1 + below(24);
    for (uint32_t at = 0; at < vector->source.slot_count * 8; at += 8) {
        uint8_t *slot = vector->code + at;
        const uint64_t bits = random_number();

        memcpy(slot, &bits, 8);
        slot[1] = (uint8_t)(below(11) | below(11) << 4);
        if (below(4))
            slot[3] = slot[2] & 0x80 ? 0xff : 0;
        if (below(4))
            memset(slot + 5, slot[4] & 0x80 ? 0xff : 0, 3);
    }
}

static void random_programs(struct vector *vectors, uint32_t count, unsigned long rounds) {
    static struct vector changed;
    static uint8_t out[8192];

    for (unsigned long round = 0; round < rounds; round++) {
        struct vm_run result = {.out = out, .out_capacity = sizeof(out)};

        changed = vectors[below(count)];
        if (below(8) == 0)
            random_code(&changed);
        for (uint32_t change = below(4); change; change--)
            changed.code[below(changed.source.slot_count * 8)] = (uint8_t)random_number();
        changed.packet_size = 14 + below(80);
        run(&changed, true, &result);
    }
}

static void random_operations(unsigned long rounds) {
    static const uint32_t types[] = {1, 2, 3, 6, 9, 12, 13};
    static uint8_t value[65536];
    char message[256];

    for (unsigned long round = 0; round < rounds; round += 500) {
        const uint32_t type = types[below(7)];
        const bool is_array = type != 1 && type != 9 && type != 13;
        const bool is_holder = type == 3 || type > 9;
        const struct vm_map_def def = {.type = type,
                                       .key_size = is_array ? 4 : 1 + below(20),
                                       .value_size = is_holder ? 4 : 1 + below(40),
                                       .max_entries = 1 + below(70),
                                       .cpu_count = type == 6 ? 1 + below(4) : 1};
        struct vm_map *map = make_map(&def);
        uint64_t cursor = 0;

        for (unsigned int step = 0; step < 500; step++) {
            uint8_t key[32] = {(uint8_t)below(90)};
            uint8_t next[32];
            const uint32_t cpu = below(8);

            switch (below(8)) {
            case 0:
                vm_map_delete(map, key);
                break;
            case 1:
                vm_map_erase(map, key);
                break;
            case 2:
                vm_map_next_key(map, below(4) ? key : NULL, next);
                break;
            case 3:
                vm_map_read(map, key, value);
                break;
            case 4:
                vm_map_write(map, key, value, below(3));
                break;
            case 5:
                vm_map_lookup(map, key, cpu);
                vm_map_names(map, below(4));
                break;
            default:
                vm_map_update(map, key, value, below(4), cpu);
            }
        }
        while (vm_map_dump(map, &cursor, value, value + 32768, 16) > 0)
            ;
        if (vm_map_check(map, message, sizeof(message))) {
            fprintf(stderr, "random operations: %s\n", message);
            failures++;
        }
        vm_map_close(map);
    }
}

int main(int argc, char **argv) {
    FILE *file = argc == 3 ? fopen(argv[1], "r") : NULL;
    const unsigned long rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    static struct vector vector;
    struct vector *kept = NULL;
    uint32_t count = 0;

    if (!file)
        die("usage: driver VECTORS ROUNDS");
    if (vm_machine_create(1, &machine))
        die("memory");
    while (read_vector(file, &vector)) {
        compare(&vector, true);
        if (vector.is_plain)
            compare(&vector, false);
        kept = realloc(kept, (count + 1) * sizeof(*kept));
        if (!kept)
            die("memory");
        kept[count++] = vector;
    }
    fclose(file);
    random_programs(kept, count, rounds);
    random_operations(rounds);
    free(kept);
    vm_machine_destroy(machine);
    printf("%u vectors, %lu random programs, %lu random map operations, %lu failures\n", count, rounds,
           rounds, failures);
    return failures ? 1 : 0;
}
