"""Maps of the user runtime: nanoseconds an operation, asked from C in batches and from Python one by one.

The C figures are those of a loop in a small program built with the core's own map files, so no Python is in them.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import Figure, medians
from toolchain.isa.map_types import MapType
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import Map, anonymous_map

ROUNDS = 7
COUNT = 100_000
MILLION = 1_000_000
CORE = Path(__file__).parents[1] / "toolchain/vm/core"

PROGRAM = r"""
#define _GNU_SOURCE
#include "core.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct vm_map *make(uint32_t type, uint32_t key, uint32_t value, uint32_t entries) {
    struct vm_map_def def = {type, key, value, entries, 0, 1};
    struct vm_map *map;
    uint64_t size;
    int fd = memfd_create("map", 0);

    if (vm_map_size(&def, &size) || ftruncate(fd, (off_t)size) || vm_map_format(fd, 0, &def, 7)
        || vm_map_open(fd, 0, &def, 3, 1, &map))
        exit(1);
    close(fd);
    return map;
}

/* Keys 0 .. n-1 in an order that caches do not like. */
#define EACH(n, name, what) do { \
    double best = 1e18; \
    for (int round = 0; round < 7; round++) { \
        double start = now(); \
        for (uint64_t i = 0; i < (n); i++) { uint64_t key = i * 7919 % (n); what; } \
        double spent = (now() - start) / (double)(n); \
        best = spent < best ? spent : best; \
    } \
    printf("%s\t%.2f\n", name, best); } while (0)

int main(void) {
    static volatile uint64_t sink;
    uint8_t value[64] = {1};
    uint64_t sizes[] = {1000, 100000};
    struct vm_map *array = make(2, 4, 8, 1000), *wide = make(2, 4, 64, 1000);

    EACH(1000, "array lookup", sink += *(uint8_t *)vm_map_lookup(array, &key, 0));
    EACH(1000, "array update, 8 bytes", vm_map_update(array, &key, value, 0, 0));
    EACH(1000, "array update, 64 bytes", vm_map_update(wide, &key, value, 0, 0));
    for (int which = 0; which < 2; which++) {
        uint64_t n = sizes[which];
        struct vm_map *hash = make(1, 8, 8, (uint32_t)n), *lru = make(9, 8, 8, (uint32_t)n);
        char name[64];

        for (uint64_t key = 0; key < n; key++) {
            vm_map_update(hash, &key, value, 0, 0);
            vm_map_update(lru, &key, value, 0, 0);
        }
#define NAME(text) (snprintf(name, sizeof(name), "hash of %llu, " text, (unsigned long long)n), name)
        EACH(n, NAME("lookup"), sink += *(uint8_t *)vm_map_lookup(hash, &key, 0));
        EACH(n, NAME("overwrite"), vm_map_update(hash, &key, value, 0, 0));
        EACH(n, NAME("delete and insert, both"),
             vm_map_delete(hash, &key); vm_map_update(hash, &key, value, 0, 0));
        EACH(n, NAME("LRU, evicting insert"), key += (uint64_t)rand() * n; vm_map_update(lru, &key, value, 0, 0));
    }
    return 0;
}
"""


def figures() -> Iterator[Figure]:
    """All of this file's figures."""
    yield from _from_c()
    yield from _from_python()
    yield _filling_a_million()


def _from_c() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        source, program = Path(directory) / "maps.c", Path(directory) / "maps"
        source.write_text(PROGRAM)
        files = [source, *sorted(CORE.glob("map_*.c"))]
        subprocess.run(["cc", "-std=gnu11", "-O2", f"-I{CORE}", "-o", program, *files, "-lpthread"], check=True)
        for line in subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines():
            name, spent = line.split("\t")
            yield Figure(f"{name} (C)", float(spent), "ns")


def _from_python() -> Iterator[Figure]:
    keys = [number.to_bytes(8, "little") for number in range(COUNT)]
    with anonymous_map(MapSpec("m", MapType.HASH, 8, 8, COUNT)) as real:
        real.update(zip(keys, keys, strict=True))
        actions = {
            "lookup": lambda: _each(real.lookup, keys),
            "update": lambda: _each(lambda key: real.update(key, key), keys),
            "next_key": lambda: _each(real.next_key, keys),
            "items, each": lambda: _timed(lambda: list(real.items())),
        }
        for name, spent in zip(actions, medians(ROUNDS, *actions.values()), strict=True):
            yield Figure(f"hash of {COUNT}, {name} (Python)", spent / COUNT * 1e9, "ns")


def _filling_a_million() -> Figure:
    pairs = [(number.to_bytes(8, "little"), number.to_bytes(8, "big")) for number in range(MILLION)]

    def fill() -> float:
        with anonymous_map(MapSpec("m", MapType.HASH, 8, 8, MILLION)) as real:
            return _timed(lambda: Map.update(real, pairs))

    return Figure("hash of 1,000,000 filled from Python", medians(ROUNDS, fill)[0], "s", goal=2.0)


def _each(call: Callable[[bytes], object], keys: list[bytes]) -> float:
    return _timed(lambda: [call(key) for key in keys])


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
