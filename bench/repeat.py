"""``run --repeat 1000000 -r kernel``: what is added to the time that the kernel says the runs took.

Two readings: what the call adds (the library's ``run``, timed in this process), and what the command adds with all of
its start. Only the kernel does anything once a run; the start is constant. It gives whole nanoseconds a run, cut
off: of a program of 15 ns up to 7 % of what seems added is its own. Needs root; gives nothing without.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import Figure

ROUNDS = 7
REPEAT = 1_000_000
TURNS = (0, 30, 300, 3000, 20000)
"""How often the loop of a program turns: 15 ns to 5 us a run."""

_SOURCE = """
    .license "GPL"
    .section tc, "ax", @progbits
    .globl turns
    .type turns, @function
turns:
    r1 = 0
again:
    r1 += 1
    if r1 < {turns} goto again
    r0 = 0
    exit
"""


def figures() -> Iterator[Figure]:
    """What is added, in percent of the kernel's own time, for programs of different length."""
    if os.geteuid():
        return
    binaries = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for turns in TURNS:
            source, target = Path(folder, "turns.s"), str(Path(folder, "turns.o"))
            source.write_text(_SOURCE.format(turns=turns))
            subprocess.run([binaries / "bpf-as", "-o", target, source], check=True)
            command = [str(binaries / "bpf-load"), "-r", "kernel", "--json", "run", target, "--repeat", str(REPEAT)]
            yield from _figures(target, command)


def _figures(target: str, command: list[str]) -> Iterator[Figure]:
    from toolchain.kernel import KernelRuntime
    from toolchain.loader.objects import read_object
    from toolchain.loader.pipeline import LoadOptions, load

    call, whole, own = [], [], []
    runtime = KernelRuntime()
    with load(runtime, read_object(target), LoadOptions(is_published=False)) as loaded:
        for _ in range(ROUNDS):
            begin = time.perf_counter_ns()
            duration = loaded.programs[0].handle.run(bytes(64), repeat=REPEAT).duration_ns
            call.append((time.perf_counter_ns() - begin) / (duration * REPEAT))
            begin = time.perf_counter_ns()
            out = subprocess.run(command, check=True, capture_output=True).stdout
            whole.append((time.perf_counter_ns() - begin) / (json.loads(out)["runs"][0]["duration_ns"] * REPEAT))
            own.append(duration)
    runtime.close()
    name = f"{statistics.median(own):.0f} ns a run, 1000000 runs"
    yield Figure(f"{name}: the call adds", (statistics.median(call) - 1) * 100, "%", 5.0)
    yield Figure(f"{name}: the command adds", (statistics.median(whole) - 1) * 100, "%")
