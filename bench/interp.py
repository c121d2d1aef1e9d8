"""The interpreters: nanoseconds an instruction in hot loops, and what a load and a run cost.

Each loop runs in the plain and the checked interpreter and, as a yardstick, as the same C compiled by `cc -O2`;
interleaved, medians of rounds. Nanoseconds are those the C core counts around the loop, so Python is not in them.
"""

from __future__ import annotations

import ctypes
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import Figure, medians
from toolchain.asm import assemble_text
from toolchain.isa.program_types import ProgType
from toolchain.spec.stages import BoundProgram, LinkedProgram, VerifiedProgram, VerifierStats
from toolchain.vm.engine import Code

ROUNDS = 15
LOOPS = 100_000
PACKET = bytes(64)

PROGRAMS: dict[str, tuple[str, str]] = {
    # name: (BPF, the same in C: what happens in one of LOOPS rounds, counted down in n)
    "alu64 (xorshift, multiply)": (
        """r3 = r0
           r3 <<= 13
           r0 ^= r3
           r3 = r0
           r3 >>= 7
           r0 ^= r3
           r3 = r0
           r3 <<= 17
           r0 ^= r3
           r3 = r0
           r3 *= 0x27220a95
           r0 += r3""",
        "uint64_t t; x ^= x << 13; x ^= x >> 7; x ^= x << 17; t = x * 0x27220a95; x += t;",
    ),
    "alu32 (mix, unpredictable branch)": (
        """w3 = w0
           w3 <<= 5
           w0 += w3
           w3 = w0
           w3 >>= 11
           w0 ^= w3
           w0 *= 0x45d9f3b
           if w0 s> 0 goto 2f
           w0 += 77
           2:""",
        "uint32_t w = (uint32_t)x; w += w << 5; w ^= w >> 11; w *= 0x45d9f3b; if ((int32_t)w <= 0) w += 77; x = w;",
    ),
    "chain (each needs the last)": (
        "r0 += r4\n" * 10,
        'for (int k = 10; k; k--) { __asm__ volatile("" : "+r"(x)); x += 3; }',
    ),
    "stack (store, load)": (
        """*(u64 *)(r10 - 8) = r0
           r3 = *(u64 *)(r10 - 8)
           r3 += 5
           *(u64 *)(r10 - 16) = r3
           r0 = *(u64 *)(r10 - 16)""",
        "volatile uint64_t a = x; volatile uint64_t b = a + 5; x = b;",
    ),
}  # fmt: skip


def linked(text: str) -> LinkedProgram:
    """A socket filter of that text."""
    section = next(each for each in assemble_text(text).sections if each.name == ".text")
    return LinkedProgram("bench", "bench", ProgType.SOCKET_FILTER, section.data, licence="GPL")


def in_loop(body: str, loops: int = LOOPS) -> LinkedProgram:
    """The body, executed that often."""
    return linked(f"r0 = 1\nr4 = 3\nr2 = {loops}\n1:\n{body}\nr2 += -1\nif r2 != 0 goto 1b\nexit\n")


def plain(program: LinkedProgram) -> Code:
    """The program in the plain interpreter; these need no verifier, and 100,000 rounds would take it minutes."""
    return Code(program, verified=VerifiedProgram(BoundProgram.unpinned(program), VerifierStats()))


def native(folder: str, name: int, statement: str) -> Callable[[], float]:
    """Nanoseconds of LOOPS rounds of a C statement on x, compiled by cc -O2."""
    source, target = Path(folder) / f"{name}.c", Path(folder) / f"{name}.so"
    source.write_text(
        "#include <stdint.h>\n#include <time.h>\n"
        "double run(void) { struct timespec a, b; volatile uint64_t start = 1; uint64_t x = start;\n"
        f"clock_gettime(CLOCK_MONOTONIC, &a); for (long n = {LOOPS}; n; n--) {{ {statement} }}\n"
        "clock_gettime(CLOCK_MONOTONIC, &b); start = x;\n"
        "return (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec); }\n"
    )
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    run: Callable[[], float] = ctypes.CDLL(str(target)).run
    run.restype = ctypes.c_double  # type: ignore[attr-defined]
    return run


def figures() -> Iterator[Figure]:
    """Hot loops, then decoding, an empty run, and a run asked for from Python."""
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, (text, statement)) in enumerate(PROGRAMS.items()):
            program = in_loop(text)
            fast, checked, compiled = plain(program), Code(program), native(folder, index, statement)
            executed = checked.run(PACKET).insn_count
            taken = medians(
                ROUNDS,
                lambda code=fast: code.run(PACKET).duration_ns,
                lambda code=checked: code.run(PACKET).duration_ns,
                compiled,
            )
            goal = None if "unpredictable" in name else 1.0
            per_insn = [each / executed for each in taken]
            yield Figure(f"interpreter, {name}", per_insn[0], "ns/insn", goal, taken[0] / taken[2], "cc -O2")
            yield Figure(f"checked interpreter, {name}", per_insn[1], "ns/insn", None, taken[1] / taken[0], "plain")
    yield from _costs()


def _costs() -> Iterator[Figure]:
    empty, straight = linked("r0 = 1\nexit"), linked("r0 += 1\n" * 9_999 + "exit")
    code = plain(empty)
    packets = [PACKET] * 256
    decode, run, one, batch = medians(
        ROUNDS,
        lambda: timed(lambda: plain(straight), 1) - timed(lambda: plain(empty), 1),
        lambda: float(code.run(PACKET, repeat=100_000).duration_ns),
        lambda: timed(lambda: code.run(PACKET), 1_000),
        lambda: timed(lambda: code.run_batch(packets), 10) / len(packets),
    )
    yield Figure("decoding 10,000 instructions", decode / 10_000, "ns/insn")
    yield Figure("an empty program, once more", run, "ns")
    yield Figure("one run, asked from Python", one, "ns")
    yield Figure("one of 256 packets in a batch, from Python", batch, "ns", None, batch / one, "one by one")


def timed(action: Callable[[], object], count: int) -> float:
    """Nanoseconds of CPU time of one of ``count`` calls."""
    taken = []
    for _ in range(3):
        start = time.thread_time_ns()
        for _ in range(count):
            action()
        taken.append((time.thread_time_ns() - start) / count)
    return statistics.median(taken)
