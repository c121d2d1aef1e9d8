"""Pin trees of 1,000 and of 100,000 maps: what an operation costs, how that grows; a link's end for a running chain."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import Figure, run_process
from toolchain.asm import assemble_text
from toolchain.elf import read_spec, write
from toolchain.isa.map_types import MapType
from toolchain.loader.chain import Chain
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import Target
from toolchain.vm import UserRuntime

SMALL, LARGE = 1_000, 100_000
SAMPLE = 1_000
ROUNDS = 5
KILLS = 50
GOALS = {"pin": 100.0, "get": 100.0, "unlink": 100.0}
"""Microseconds, from Python."""
DROP = "r0 = 2\nexit\n"


def figures() -> Iterator[Figure]:
    """All of this file's figures."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield from _trees(folder)
        yield _a_links_end(folder)


def _trees(folder: str) -> Iterator[Figure]:
    medians = {size: _operations(f"{folder}/{size}", size) for size in (SMALL, LARGE)}
    for name, spent in medians[LARGE].items():
        ratio = spent / medians[SMALL][name]
        yield Figure(f"{name}, {LARGE:,} pins (Python)", spent * 1e6, "us", GOALS.get(name), ratio, f"with {SMALL:,}")
    bpf_load = str(Path(sys.executable).parent / "bpf-load")
    for name, words, goal in (
        ("map show of one pin", ["map", "show", "d/p7"], None),
        ("pin tree", ["pin", "tree"], 3.0),
    ):
        spent = {
            size: statistics.median(
                run_process([bpf_load, "--json", "--pin-root", f"{folder}/{size}", *words])[0] for _ in range(ROUNDS)
            )
            for size in (SMALL, LARGE)
        }
        title = f"bpf-load --json {name}, {LARGE:,} pins"
        yield Figure(title, spent[LARGE], "s", goal, spent[LARGE] / spent[SMALL], f"with {SMALL:,}")


def _operations(root: str, size: int) -> dict[str, float]:
    """Medians of the last operations on a tree that ends with ``size`` pins."""
    runtime, spec = UserRuntime(root), MapSpec("m", MapType.ARRAY, 4, 8, 1)
    os.makedirs(f"{root}/d", 0o700)
    made, pinned = [], []
    for number in range(size):
        begin = time.perf_counter()
        handle = runtime.map_create(spec)
        created = time.perf_counter()
        runtime.pin(handle, f"d/p{number}")
        made.append(created - begin)
        pinned.append(time.perf_counter() - created)
        handle.close()
    paths = [f"d/p{number}" for number in range(0, size, size // SAMPLE)]
    got = [_timed(lambda path=path: runtime.get(path).close()) for path in paths]
    gone = []
    for path in paths[:: SAMPLE // 200]:
        with runtime.get(path) as handle:
            runtime.pin(handle, f"{path}x")
        gone.append(_timed(lambda path=path: runtime.unpin(f"{path}x")))
    last = []
    for number in range(200):
        with runtime.map_create(spec) as handle:
            runtime.pin(handle, f"d/q{number}")
        last.append(_timed(lambda number=number: runtime.unpin(f"d/q{number}")))
    end = [_timed(runtime.close) for _ in range(20)]
    return {
        "create": statistics.median(made[-SAMPLE:]),
        "pin": statistics.median(pinned[-SAMPLE:]),
        "get": statistics.median(got),
        "unlink": statistics.median(gone),
        "unlink of an object's last pin": statistics.median(last),
        "the end of a command": statistics.median(end),
    }


def _timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _a_links_end(folder: str) -> Figure:
    """A chain runs packets; the only holder of its link is killed: milliseconds until a packet finds nobody."""
    root, target = f"{folder}/links", Target("eth0", "ingress")
    unit = write(assemble_text(f'.license "GPL"\n.section tc, "ax", @progbits\ndrop:\n{DROP}'))
    runtime = UserRuntime(root)
    with load(runtime, read_spec(unit, "drop.o"), LoadOptions(pin="drop")):
        pass
    return Figure(
        "a link's holder killed, seen by a running chain", statistics.median(_ends(runtime, target)), "ms", 10.0
    )


def _ends(runtime: UserRuntime, target: Target) -> Iterator[float]:
    packets = [bytes(64)] * 4096
    for _ in range(KILLS):
        holder = _holder(runtime, target)
        with Chain(runtime, target) as chain:
            list(chain.run(packets))  # long runs of packets, as in the middle of a replay
            outcomes = chain.run(packets)
            assert next(outcomes).retval is not None
            os.kill(holder, signal.SIGKILL)
            killed = time.perf_counter()
            while all(outcome.retval is not None for outcome in outcomes):
                outcomes = chain.run(packets)
            yield (time.perf_counter() - killed) * 1e3
        os.waitpid(holder, 0)
        runtime.close()


def _holder(runtime: UserRuntime, target: Target) -> int:
    """A process that holds the only handle on a link."""
    reader, writer = os.pipe()
    holder = os.fork()
    if not holder:
        try:
            with runtime.attach(runtime.get("drop"), target):
                os.write(writer, b"attached")
                signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    assert os.read(reader, 8) == b"attached"
    os.close(reader)
    return holder
