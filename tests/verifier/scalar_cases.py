"""Concrete arithmetic, and abstract numbers made from concrete ones, for the soundness tests of the scalar domain.

Everything is written from RFC 9669's tables of operations, without a look at the domain: it is the other
side of the check.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from toolchain.isa.opcodes import Alu, Jmp
from toolchain.verifier import tnum
from toolchain.verifier.scalar import M32, M64, S32_MAX, S32_MIN, S64_MAX, S64_MIN, Scalar, sync

EDGES = (
    0, 1, 2, 5, M64, M64 - 1, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, M32, M32 + 1, M32 + 2, S64_MAX, 1 << 63,
    (1 << 63) + 1, M64 - M32, M64 - M32 - 1, M64 - 0x7FFF_FFFF, M64 - 0x8000_0000, 0xFF, 0x100, 0x7FFF_FFFF << 32,
)  # fmt: skip
"""Numbers where some view ends."""

ALU_OPS = (Alu.ADD, Alu.SUB, Alu.MUL, Alu.DIV, Alu.OR, Alu.AND, Alu.LSH, Alu.RSH, Alu.NEG, Alu.MOD, Alu.XOR, Alu.ARSH)
JUMP_OPS = (
    Jmp.JEQ, Jmp.JNE, Jmp.JSET, Jmp.JGT, Jmp.JGE, Jmp.JLT, Jmp.JLE, Jmp.JSGT, Jmp.JSGE, Jmp.JSLT, Jmp.JSLE,
)  # fmt: skip


def signed(number: int, bits: int) -> int:
    """Two's complement."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def execute(op: Alu, is64: bool, a: int, b: int) -> int:
    """``a op b`` on unsigned 64-bit registers; 32-bit forms zero the high half. RFC 9669 section 4.1."""
    bits = 64 if is64 else 32
    width = (1 << bits) - 1
    a &= width
    b &= width
    amount = b & (bits - 1)
    table: dict[Alu, Callable[[], int]] = {
        Alu.ADD: lambda: a + b,
        Alu.SUB: lambda: a - b,
        Alu.MUL: lambda: a * b,
        Alu.DIV: lambda: a // b if b else 0,
        Alu.MOD: lambda: a % b if b else a,
        Alu.OR: lambda: a | b,
        Alu.AND: lambda: a & b,
        Alu.XOR: lambda: a ^ b,
        Alu.LSH: lambda: a << amount,
        Alu.RSH: lambda: a >> amount,
        Alu.ARSH: lambda: signed(a, bits) >> amount,
        Alu.NEG: lambda: -a,
    }
    return table[op]() & width


def move(is64: bool, number: int, off: int) -> int:
    """MOV with ``off`` 0, 8, 16 or 32 (sign-extending). RFC 9669 section 4.1."""
    extended = signed(number, off) if off else number
    return extended & (M64 if is64 else M32)


def swap(number: int, width: int, is_swapped: bool) -> int:
    """Byte swaps and cuts on a little-endian machine. RFC 9669 section 4.2."""
    low = number & (1 << width) - 1
    return int.from_bytes(low.to_bytes(width // 8, "little"), "big") if is_swapped else low


def holds(op: Jmp, is64: bool, a: int, b: int) -> bool:
    """``a op b``. RFC 9669 section 4.3."""
    bits = 64 if is64 else 32
    a &= (1 << bits) - 1
    b &= (1 << bits) - 1
    sa, sb = signed(a, bits), signed(b, bits)
    return {
        Jmp.JEQ: a == b,
        Jmp.JNE: a != b,
        Jmp.JSET: a & b != 0,
        Jmp.JGT: a > b,
        Jmp.JGE: a >= b,
        Jmp.JLT: a < b,
        Jmp.JLE: a <= b,
        Jmp.JSGT: sa > sb,
        Jmp.JSGE: sa >= sb,
        Jmp.JSLT: sa < sb,
        Jmp.JSLE: sa <= sb,
    }[op]


def hull_tnum(numbers: Iterable[int]) -> tuple[int, int]:
    """The least tnum that holds all of ``numbers``, bit by bit."""
    numbers = list(numbers)
    ones, zeros = M64, M64
    for number in numbers:
        ones &= number
        zeros &= ~number
    return ones, M64 & ~(ones | zeros)


def abstract(numbers: Iterable[int], rng: random.Random | None = None) -> Scalar:
    """A scalar that holds all of ``numbers``: the tightest one, or, with ``rng``, one that forgot some of its views."""
    points = sorted(set(numbers))
    value, mask = hull_tnum(points)
    s64 = [signed(n, 64) for n in points]
    u32 = [n & M32 for n in points]
    s32 = [signed(n, 32) for n in points]
    smin, smax, umin, umax = min(s64), max(s64), points[0], points[-1]
    u32_min, u32_max, s32_min, s32_max = min(u32), max(u32), min(s32), max(s32)
    if rng is not None:
        if rng.random() < 0.4:
            value, mask = tnum.union(value, mask, *tnum.const(rng.choice(EDGES)))
        if rng.random() < 0.5:
            smin, smax = rng.choice((S64_MIN, smin)), rng.choice((S64_MAX, smax))
        if rng.random() < 0.5:
            umin, umax = rng.choice((0, umin)), rng.choice((M64, umax))
        if rng.random() < 0.5:
            u32_min, u32_max = rng.choice((0, u32_min)), rng.choice((M32, u32_max))
        if rng.random() < 0.5:
            s32_min, s32_max = rng.choice((S32_MIN, s32_min)), rng.choice((S32_MAX, s32_max))
    return sync(value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max)


def random_numbers(rng: random.Random) -> list[int]:
    """One to four numbers, near each other or near edges."""
    base = rng.choice(EDGES) if rng.random() < 0.7 else rng.getrandbits(rng.randint(1, 64))
    numbers = [base]
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(4)
        if kind == 0:
            numbers.append(base + rng.randint(-20, 20))
        elif kind == 1:
            numbers.append(rng.choice(EDGES))
        elif kind == 2:
            numbers.append(base ^ 1 << rng.randrange(64))
        else:
            numbers.append(base + (rng.randint(-3, 3) << rng.choice((8, 31, 32, 33, 62))))
    return [number & M64 for number in numbers]


def members(scalar: Scalar, rng: random.Random, tries: int = 6) -> list[int]:
    """Some of the numbers that the scalar holds, its ends preferred."""
    found = []
    for number in (
        scalar.umin,
        scalar.umax,
        scalar.smin & M64,
        scalar.smax & M64,
        scalar.value,
        scalar.value | scalar.mask,
    ):
        if scalar.contains(number):
            found.append(number)
    for _ in range(tries):
        number = scalar.value | rng.getrandbits(64) & scalar.mask
        if scalar.contains(number):
            found.append(number)
    return found
