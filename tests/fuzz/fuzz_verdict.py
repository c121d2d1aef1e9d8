#!/usr/bin/env python3
"""fuzz_verdict.py [--seconds N] [--seed N] [--count N] [-v]: our verdicts beside the live kernel's, on random programs.

Invariant: what we accept, the kernel accepts. A program that breaks it is printed with its seed, its code and the
kernel's log, and the exit status is 1. The other way round (we refuse what the kernel takes) is counted, as are other
messages and other counts of processed instructions; ``-v`` prints them. Needs root; says so and ends with 0 where it
may not ask.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import pathlib
import random
import sys
import time
import traceback
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.fuzz.programs import EVERY, MAPS, generate
from tests.kernel import oracle
from toolchain.errors import Rejected, Unsupported
from toolchain.isa.codec import encode
from toolchain.isa.map_types import MapType
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, LinkedProgram
from toolchain.verifier import verify

LONG = 20_000
"""Programs that take the kernel more instructions are not judged here: one would cost as much as a thousand others."""


class Comparison:
    """One program's two verdicts. ``kind`` names the outcome; 'FALSE ACCEPT' and 'crash' are failures."""

    def __init__(self, seed: int, fds: list[int]) -> None:
        self.seed = seed
        self.errno = 0
        generated = generate(seed, EVERY)
        code = encode(generated.insns)
        self.program = LinkedProgram(
            name=f"seed {seed}",
            section="fuzz",
            prog_type=generated.prog_type,
            code=code,
            maps=MAPS,
            expected_attach_type=generated.attach_type,
            prog_flags=generated.flags,
            licence="GPL",
        )
        with _own_maps(fds) as own:
            self.theirs = _ask(self.program, own)
        if not self.theirs.accepted and not self.theirs.message:
            self.ours, self.message, self.processed, self.kind = "not asked", "", -1, "no reason given"
            return
        if self.theirs.processed > LONG:
            self.ours, self.message, self.processed, self.kind = "not asked", "", -1, "too long"
            return
        self.ours, self.message, self.processed = self._judge()
        self.kind = self._compare()

    def _judge(self) -> tuple[str, str, int]:
        try:
            verified = verify(BoundProgram.unpinned(self.program))
        except Unsupported as error:
            return "unsupported", error.message, -1
        except Rejected as error:
            self.errno = error.errno
            return "reject", error.message, getattr(error.stats, "processed", -1)
        except Exception:
            return "crash", traceback.format_exc(), -1
        return "accept", "", verified.stats.processed

    def _compare(self) -> str:
        if self.ours in ("unsupported", "crash"):
            return self.ours
        if self.ours != self.theirs.name:
            return f"FALSE {self.ours.upper()}"
        if self.message != self.theirs.message:
            return "other message"
        if self.errno != self.theirs.errno:
            return "other errno"
        return f"same {self.ours}" if self.processed == self.theirs.processed else "other work"

    def __str__(self) -> str:
        theirs = self.theirs
        lines = [f"{self.kind}: seed {self.seed}, {self.program.prog_type.label}"]
        lines.append(f"  kernel: {theirs.name} {theirs.message} (errno {theirs.errno}, processed {theirs.processed})")
        lines.append(f"  ours:   {self.ours} {self.message} (errno {self.errno}, processed {self.processed})")
        lines.append("  code:   " + self.program.code.hex())
        return "\n".join(lines)


def _ask(program: LinkedProgram, fds: list[int]) -> oracle.Verdict:
    """The kernel's verdict; asked again where it refuses without a word, as it does when it lacks memory."""
    code = oracle.with_map_fds(program.code, fds)
    for _ in range(4):
        verdict, fd = oracle.prog_load(
            program.prog_type, code, program.licence, program.expected_attach_type, program.prog_flags
        )
        if fd >= 0:
            os.close(fd)
        if verdict.accepted or verdict.message:
            break
        time.sleep(0.05)
    return verdict


def _make(spec: MapSpec) -> int:
    inner = _make(spec.inner) if spec.inner is not None else -1
    with oracle.closing(inner):
        sizes = (spec.key_size, spec.value_size, spec.max_entries)
        return oracle.map_create(spec.map_type, *sizes, spec.map_flags, max(inner, 0))


def make_maps() -> list[int]:
    """The generator's maps in the kernel."""
    return [_make(spec) for spec in MAPS]


_BELONGS_TO_A_TYPE = (MapType.PROG_ARRAY, MapType.DEVMAP)


@contextlib.contextmanager
def _own_maps(fds: list[int]) -> Iterator[list[int]]:
    """``fds`` with fresh maps where the first program that uses one decides of which type all others must be."""
    own = [_make(spec) if spec.map_type in _BELONGS_TO_A_TYPE else fd for spec, fd in zip(MAPS, fds, strict=True)]
    with oracle.closing(*(set(own) - set(fds))):
        yield own


def run(seed: int, seconds: float, count: int, verbose: bool) -> int:
    """Compare until time or ``count`` is up; gives the number of failures."""
    counts: collections.Counter[str] = collections.Counter()
    fds = make_maps()
    end = time.monotonic() + seconds
    failures = 0
    with oracle.closing(*fds):
        while (count and sum(counts.values()) < count) or (not count and time.monotonic() < end):
            comparison = Comparison(seed, fds)
            counts[comparison.kind] += 1
            failed = comparison.kind in ("FALSE ACCEPT", "crash")
            failures += failed
            if failed or (verbose and not comparison.kind.startswith("same")):
                print(comparison, flush=True)
                if failed:
                    print(comparison.theirs.log[-4000:], flush=True)
            seed += 1
    print(", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())), f"(last seed {seed - 1})")
    return failures


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 40))
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    if reason := oracle.why_unavailable():
        print(f"fuzz_verdict: not run: {reason}")
        return 0
    print(f"fuzz_verdict: seed {arguments.seed}", flush=True)
    return 1 if run(arguments.seed, arguments.seconds, arguments.count, arguments.verbose) else 0


if __name__ == "__main__":
    sys.exit(main())
