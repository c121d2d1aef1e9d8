"""Benchmarks: what a figure is, and how whole processes are timed."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; ``goal`` is the project's bar in the same unit, ``yardstick`` what ``ratio`` compares
    with.
    """

    name: str
    median: float
    unit: str
    goal: float | None = None
    ratio: float | None = None
    yardstick: str = ""

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"   (goal <= {self.goal:g})"
        ratio = "" if self.ratio is None else f"   {self.ratio:.2f}x {self.yardstick}"
        return f"{self.name:58} {self.median:10.4g} {self.unit}{goal}{ratio}"


def run_process(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Run to its end and give (wall seconds, peak resident MB). Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment and {**os.environ, **environment})
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return wall, usage.ru_maxrss / 1024


def medians(rounds: int, *actions) -> list[float]:
    """The median of what each action returns, called in turn: a, b, a, b ..."""
    taken = [[action() for action in actions] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]
