#!/usr/bin/env python3
"""fuzz_scalar.py [--seconds N] [--seed N] [--count N]: the number domain against concrete arithmetic and the kernel.

Invariants: the result of an operation holds every concrete result, and each outcome of a comparison the numbers that
lead to it; where this machine's kernel may be asked and is of the version modelled, every number of its log is ours.
What breaks one is printed with its seed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.kernel import oracle
from tests.kernel.scalar_programs import compared, differences, generate, why_not_comparable
from tests.verifier.scalar_cases import ALU_OPS, JUMP_OPS, abstract, execute, holds, members, random_numbers
from toolchain.verifier.arith import alu
from toolchain.verifier.branch import decide, refine
from toolchain.verifier.scalar import violation

ROUNDS = 200
"""Operations tried on each seed."""


def check_soundness(seed: int) -> list[str]:
    """What a seed's operations lost."""
    rng = random.Random(seed)
    found = []
    for _ in range(ROUNDS):
        xs, ys = random_numbers(rng), random_numbers(rng)
        dst, src = abstract(xs, rng), abstract(ys, rng)
        xs, ys = xs + members(dst, rng, 1), ys + members(src, rng, 1)
        op, is64, jump = rng.choice(ALU_OPS), rng.random() < 0.5, rng.choice(JUMP_OPS)
        result = alu(op, is64, dst, src)
        decision = decide(jump, is64, dst, src)
        sides = refine(jump, is64, dst, src)
        if violation(result):
            found.append(f"{op!r} is64={is64} {dst} {src}: {violation(result)}")
        for x in xs:
            for y in ys:
                if not result.contains(execute(op, is64, x, y)):
                    found.append(f"{op!r} is64={is64} {dst} {src}: {x:#x}, {y:#x} not in {result}")
                outcome = holds(jump, is64, x, y)
                first, second = sides[0] if outcome else sides[1]
                if decision not in (None, outcome) or not first.contains(x) or not second.contains(y):
                    found.append(
                        f"{jump!r} is64={is64} {dst} {src}: {x:#x}, {y:#x} lost ({decision}, {first}, {second})"
                    )
    return found


def check_kernel(seed: int) -> tuple[list[str], int]:
    """Where the kernel's states differ on a seed's program, and how many numbers were compared."""
    program = generate(seed)
    verdict, fd = oracle.prog_load(1, program.code, log_level=2)
    if fd >= 0:
        os.close(fd)
    return differences(program, verdict.log), compared(verdict.log)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 40))
    parser.add_argument("--count", type=int, default=0)
    arguments = parser.parse_args()
    reason = why_not_comparable()
    print(f"fuzz_scalar: seed {arguments.seed}" + (f", without the kernel: {reason}" if reason else ""), flush=True)
    end = time.monotonic() + arguments.seconds
    seed, failures, numbers = arguments.seed, 0, 0
    while seed - arguments.seed < arguments.count if arguments.count else time.monotonic() < end:
        found = check_soundness(seed)
        if not reason:
            wrong, shown = check_kernel(seed)
            found += wrong
            numbers += shown
        failures += bool(found)
        for line in found[:5]:
            print(f"seed {seed}: {line}", flush=True)
        seed += 1
    tried = seed - arguments.seed
    print(f"{tried * ROUNDS:,} operations and comparisons, {numbers:,} numbers of kernel logs, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
