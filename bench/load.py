"""Whole processes: bpf-load and bpf-as on the ingress example, beside a bare Python."""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import Figure, run_process

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15


def figures() -> Iterator[Figure]:
    """Wall time and peak memory of ``bpf-load load`` and ``bpf-as``."""
    compileall.compile_dir(ROOT / "toolchain", quiet=1)  # with PYTHONDONTWRITEBYTECODE set, no run would keep it
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        binaries = Path(sys.executable).parent
        source, target = str(ROOT / "examples/ingress.s"), f"{folder}/ingress.o"
        assemble = [str(binaries / "bpf-as"), "-o", target, source]
        subprocess.run(assemble, check=True)
        load = [str(binaries / "bpf-load"), "--pin-root", f"{folder}/tree", "load", target]
        commands = {
            "bpf-load load ingress.o": load,
            "bpf-as ingress.s": assemble,
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                taken[name].append(run_process(command))
        bare = statistics.median(wall for wall, _ in taken["python -c pass"])
        for name, goal in (("bpf-load load ingress.o", 120.0), ("bpf-as ingress.s", None)):
            wall, memory = (statistics.median(column) for column in zip(*taken[name], strict=True))
            yield Figure(f"{name}, whole process", wall * 1e3, "ms", goal, wall / bare, "a bare Python")
            yield Figure(f"{name}, peak memory", memory, "MB", 60.0 if goal else None)
