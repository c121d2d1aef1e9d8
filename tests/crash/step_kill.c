/*
 * Kills a process after every single machine instruction of a map operation, and looks at what is left.
 *
 *     for each scenario
 *         make a map, prepare it; a child does the operation under PTRACE_SINGLESTEP; after each instruction
 *             copy the shared memory; do to the copy what the kernel does to a dead thread's robust locks
 *             read the copy without locks: each element is as before the operation or as after it
 *             full check (which takes the locks, and so mends): sound; elements as read before
 *             do the operation again: the map is usable
 *         and, for a dozen of these moments, the same with a real SIGKILL instead of the copy
 *
 * Prints one line a scenario: name, instructions, moments at which a lock was held. Exit 1 at the first
 * fault, 77 where ptrace is not permitted. Source of what the kernel does: kernel/futex/core.c,
 * handle_futex_death, Linux 6.12.
 */
#define _GNU_SOURCE
#include "core.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALUE_MAX 256
#define ENTRIES_MAX 512
#define NO_PTRACE 77

struct scenario {
    const char *name;
    struct vm_map_def def;
    uint32_t filled; /* keys 0 .. filled-1 are in the map, value 1 */
    char operation; /* u: update by user space, p: by a program on CPU 1, d: delete, c: check (which mends) */
    uint32_t key;
    int is_dirty; /* a process died inside the map before */
    int may_lose; /* LRU: another element may be evicted */
};

#define HASH 1
#define ARRAY 2
#define PERCPU 6
#define LRU 9

static const struct scenario scenarios[] = {
    {"array word", {ARRAY, 4, 8, 4, 0, 1}, 4, 'u', 2, 0, 0},
    {"array 40 bytes", {ARRAY, 4, 40, 4, 0, 1}, 4, 'u', 2, 0, 0},
    {"array 40 bytes, after a death", {ARRAY, 4, 40, 4, 0, 1}, 4, 'u', 1, 1, 0},
    {"array 40 bytes, program", {ARRAY, 4, 40, 4, 0, 1}, 4, 'p', 3, 0, 0},
    {"per-CPU array", {PERCPU, 4, 12, 4, 0, 3}, 4, 'u', 2, 0, 0},
    {"per-CPU array, program", {PERCPU, 4, 12, 4, 0, 3}, 4, 'p', 2, 0, 0},
    {"hash insert", {HASH, 4, 24, 8, 0, 1}, 5, 'u', 6, 0, 0},
    {"hash replace", {HASH, 4, 24, 8, 0, 1}, 8, 'u', 6, 0, 0},
    {"hash replace a word", {HASH, 8, 8, 8, 0, 1}, 8, 'u', 6, 0, 0},
    {"hash delete", {HASH, 4, 24, 8, 0, 1}, 8, 'd', 6, 0, 0},
    {"hash insert, after a death", {HASH, 4, 24, 8, 0, 1}, 5, 'u', 6, 1, 0},
    {"hash delete, after a death", {HASH, 4, 24, 8, 0, 1}, 5, 'd', 2, 1, 0},
    {"hash insert of another group's node", {HASH, 4, 8, 129, 0, 1}, 128, 'u', 500, 0, 0},
    {"LRU insert", {LRU, 4, 24, 8, 0, 1}, 5, 'u', 6, 0, 0},
    {"LRU insert that evicts", {LRU, 4, 24, 8, 0, 1}, 8, 'u', 9, 0, 1},
    {"LRU replace", {LRU, 4, 24, 8, 0, 1}, 8, 'u', 3, 0, 0},
};

static void fail(const struct scenario *scenario, long step, const char *what) {
    fprintf(stderr, "%s: killed after %ld instructions: %s\n", scenario->name, step, what);
    exit(1);
}

static void make_key(const struct scenario *scenario, uint32_t number, uint8_t *key) {
    memset(key, 0, scenario->def.key_size);
    memcpy(key, &number, sizeof(number));
}

/* Each byte of version v is v. */
static void make_value(const struct vm_map *map, int version, uint8_t *value) {
    memset(value, version, vm_map_value_size(map));
}

static int operate(struct vm_map *map, const struct scenario *scenario, int version) {
    uint8_t key[64], value[VALUE_MAX];
    char message[128];

    make_key(scenario, scenario->key, key);
    make_value(map, version, value);
    switch (scenario->operation) {
    case 'u':
        return vm_map_write(map, key, value, 0);
    case 'p':
        return vm_map_update(map, key, value, 0, 1);
    case 'd':
        return vm_map_erase(map, key);
    default:
        return vm_map_check(map, message, sizeof(message));
    }
}

/* A child that stops before the operation and after it. */
static pid_t start(struct vm_map *map, const struct scenario *scenario, int version) {
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
            _exit(NO_PTRACE);
        raise(SIGSTOP);
        (void)operate(map, scenario, version);
        raise(SIGSTOP);
        _exit(0);
    }
    if (waitpid(child, &status, 0) < 0 || WIFEXITED(status))
        exit(NO_PTRACE);
    return child;
}

/* One instruction. 1: the operation is over. */
static int step_once(pid_t child) {
    int status;

    if (ptrace(PTRACE_SINGLESTEP, child, 0, 0) != 0 || waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
        exit(NO_PTRACE);
    return WSTOPSIG(status) == SIGSTOP;
}

static void end(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Runs the operation in a child and kills it after `steps` instructions. */
static int run_killed(struct vm_map *map, const struct scenario *scenario, int version, long steps) {
    int is_done = 0;
    pid_t child = start(map, scenario, version);

    for (long step = 0; step < steps && !is_done; step++)
        is_done = step_once(child);
    end(child);
    return is_done;
}

/* The version of an element: 0 if it is not there, -1 if it is neither the one nor the other. */
static int version_of(struct vm_map *map, const struct scenario *scenario, uint32_t number) {
    uint8_t key[64], value[VALUE_MAX];
    uint64_t size = vm_map_value_size(map);
    int status;

    make_key(scenario, number, key);
    status = vm_map_read(map, key, value);
    if (status == -ENOENT)
        return 0;
    if (status != 0)
        return -1;
    if (scenario->operation == 'p' && scenario->def.type == PERCPU && number == scenario->key) {
        uint64_t stride = (scenario->def.value_size + 7) / 8 * 8;

        for (uint64_t at = 0; at < size; at++) /* the others keep theirs, padding aside */
            if (at / stride != 1 && at % stride < scenario->def.value_size && value[at] != 1)
                return -1;
        for (uint32_t at = 1; at < scenario->def.value_size; at++)
            if (value[stride + at] != value[stride])
                return -1;
        return value[stride];
    }
    for (uint64_t at = 1; at < size; at++)
        if (value[at] != value[0])
            return -1;
    return value[0];
}

static struct vm_map *map_of_file(const struct scenario *scenario, int fd) {
    struct vm_map *map;

    if (vm_map_open(fd, 0, &scenario->def, VM_MAP_READ | VM_MAP_WRITE, 1, &map) != 0)
        fail(scenario, -1, "not opened");
    return map;
}

static int make_file(const struct scenario *scenario, uint64_t *size) {
    int fd = memfd_create("map", MFD_CLOEXEC);

    if (fd < 0 || vm_map_size(&scenario->def, size) != 0 || ftruncate(fd, (off_t)*size) != 0)
        fail(scenario, -1, "no file");
    return fd;
}

static struct vm_map *make_map(const struct scenario *scenario) {
    uint8_t key[64], value[VALUE_MAX];
    uint64_t size;
    struct vm_map *map;
    int fd = make_file(scenario, &size);

    if (vm_map_format(fd, 0, &scenario->def, 12345) != 0)
        fail(scenario, -1, "no format");
    map = map_of_file(scenario, fd);
    close(fd);
    make_value(map, 1, value);
    for (uint32_t number = 0; number < scenario->filled; number++) {
        make_key(scenario, number, key);
        if (vm_map_write(map, key, value, 0) != 0)
            fail(scenario, -1, "not filled");
    }
    return map;
}

#define LOCK_STRIDE 128
#define LOCKS_OFFSET 256
#define OWNER_DIED 0x40000000U /* Source: include/uapi/linux/futex.h */
#define OWNER_MASK 0x3fffffffU

/* The map as it would be if `child` died now, to a process that had it open already. */
static struct vm_map *copy_of(const struct scenario *scenario, const struct vm_map *map, pid_t child) {
    uint64_t size;
    int fd = make_file(scenario, &size);
    struct vm_map *copy;

    if (vm_map_format(fd, 0, &scenario->def, 12345) != 0)
        fail(scenario, -1, "no format");
    copy = map_of_file(scenario, fd);
    close(fd);
    memcpy(copy->area, map->area, size);
    for (uint32_t group = 0; group < map->group_count; group++) {
        uint8_t *lock = copy->area + LOCKS_OFFSET + LOCK_STRIDE * group;
        uint32_t word;

        memcpy(&word, lock, sizeof(word));
        if ((word & OWNER_MASK) == (uint32_t)child)
            word = (word & ~(OWNER_MASK | OWNER_DIED)) | OWNER_DIED;
        memcpy(lock, &word, sizeof(word));
    }
    return copy;
}

/* Whether a lock was left by a dead process. */
static int has_orphan(const struct vm_map *map) {
    for (uint32_t group = 0; group < map->group_count; group++) {
        uint32_t word;

        memcpy(&word, map->area + LOCKS_OFFSET + LOCK_STRIDE * group, sizeof(word));
        if ((word & OWNER_DIED) != 0)
            return 1;
    }
    return 0;
}

static int may_be(const struct scenario *scenario, uint32_t number, int version) {
    int before = number < scenario->filled;

    if (version == before)
        return 1;
    if (number == scenario->key)
        return version == (scenario->operation == 'd' ? 0 : 2);
    return scenario->may_lose && version == 0;
}

static void look(struct vm_map *map, const struct scenario *scenario, long step, int *versions) {
    for (uint32_t number = 0; number < ENTRIES_MAX; number++) {
        versions[number] = version_of(map, scenario, number);
        if (!may_be(scenario, number, versions[number]))
            fail(scenario, step, "an element is neither old nor new");
    }
}

/* What must hold of a map in which a process died. Closes it. */
static void examine(struct vm_map *map, const struct scenario *scenario, long step, int is_done) {
    static int before[ENTRIES_MAX], after[ENTRIES_MAX];
    char message[128];
    int64_t count = 0;

    look(map, scenario, step, before);
    if (vm_map_check(map, message, sizeof(message)) != 0)
        fail(scenario, step, message);
    look(map, scenario, step, after);
    if (memcmp(before, after, sizeof(before)) != 0)
        fail(scenario, step, "mending changed an element");
    for (uint32_t number = 0; number < ENTRIES_MAX; number++)
        count += after[number] != 0;
    if (vm_map_count(map) != count)
        fail(scenario, step, "the counter is wrong");
    if (is_done && after[scenario->key] == (int)(scenario->key < scenario->filled))
        fail(scenario, step, "the operation is done and has no effect");
    (void)operate(map, scenario, 2);
    if (version_of(map, scenario, scenario->key) != (scenario->operation == 'd' ? 0 : 2))
        fail(scenario, step, "the map is not usable");
    if (vm_map_check(map, message, sizeof(message)) != 0)
        fail(scenario, step, message);
    vm_map_close(map);
}

/* The map before the operation; where the scenario says so, with a lock that a dead process left. */
static struct vm_map *prepare(const struct scenario *scenario) {
    struct vm_map *map = make_map(scenario);
    struct scenario other = *scenario;

    other.operation = 'u';
    other.key = 0;
    for (long into = 100; scenario->is_dirty && !has_orphan(map); into += 10) {
        if (into > 2000)
            fail(scenario, into, "no lock was left");
        (void)run_killed(map, &other, 1, into);
    }
    return map;
}

static void run(const struct scenario *scenario) {
    struct vm_map *map = prepare(scenario);
    pid_t child = start(map, scenario, 2);
    long held = 0;
    long steps = 0;

    for (int is_done = 0; !is_done; steps++) {
        struct vm_map *copy;

        is_done = step_once(child);
        copy = copy_of(scenario, map, child);
        held += has_orphan(copy);
        examine(copy, scenario, steps, is_done);
    }
    end(child);
    vm_map_close(map);
    for (long step = steps / 24; step < steps; step += steps / 12 + 1) {
        map = prepare(scenario);
        (void)run_killed(map, scenario, 2, step);
        examine(map, scenario, step, 0);
    }
    printf("%s: %ld instructions, %ld with a lock\n", scenario->name, steps, held);
}

int main(void) {
    for (size_t index = 0; index < sizeof(scenarios) / sizeof(scenarios[0]); index++)
        run(&scenarios[index]);
    return 0;
}
