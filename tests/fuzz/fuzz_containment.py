#!/usr/bin/env python3
"""fuzz_containment.py [--seconds N] [--seed N] [--count N]: accepted programs on random inputs, beside their states.

Invariant: a program that the verifier accepts never leaves an object, never runs an instruction that the verifier did
not reach, and, with pruning off, is always within a recorded state. A program that breaks it is printed with its seed,
and the exit status is 1. Needs no kernel.
"""

from __future__ import annotations

import argparse
import collections
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.property.containment import Fault, NotModelled, accepted, check_run, check_states, observe, program_of
from tests.property.number_programs import number_program


def check(seed: int, counts: collections.Counter[str]) -> str:
    """'' or what went wrong with the program of ``seed``."""
    program = number_program(seed) if seed % 4 == 0 else program_of(seed)
    verified = accepted(program)
    if verified is None:
        counts["refused"] += 1
        return ""
    counts["accepted"] += 1
    rng = random.Random(seed)
    try:
        check_run(verified, rng)
        seen = observe(program)
        if seen is not None:
            counts["instructions"] += check_states(program, seen, rng)
    except NotModelled as error:
        counts[f"not run: {error}"] += 1
    except (AssertionError, Fault) as error:
        return f"seed {seed}: {type(error).__name__}: {error}\n  code: {program.code.hex()}"
    return ""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 40))
    parser.add_argument("--count", type=int, default=0)
    arguments = parser.parse_args()
    print(f"fuzz_containment: seed {arguments.seed}", flush=True)
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + arguments.seconds
    seed, failures = arguments.seed, 0
    while seed - arguments.seed < arguments.count if arguments.count else time.monotonic() < end:
        if reason := check(seed, counts):
            failures += 1
            print(reason, flush=True)
        seed += 1
    print(", ".join(f"{number:,} {kind}" for kind, number in sorted(counts.items())), f"(last seed {seed - 1})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
