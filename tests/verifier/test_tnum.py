"""Known bits against brute force: every pair of small tnums, every member, at several places in the 64 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.verifier.scalar_cases import hull_tnum, signed
from toolchain.verifier import tnum
from toolchain.verifier.tnum import M64, Tnum

BITS = 4
PLACES = {"low": 0, "across 32": 30, "top": 60}


def small_tnums(bits: int = BITS) -> Iterator[Tnum]:
    for mask in range(1 << bits):
        for value in range(1 << bits):
            if not value & mask:
                yield value, mask


def members(value: int, mask: int) -> list[int]:
    found, subset = [], mask
    while True:
        found.append(value | subset)
        if not subset:
            return found
        subset = (subset - 1) & mask


ARITHMETIC: dict[str, tuple[Callable[[int, int, int, int], Tnum], Callable[[int, int], int], bool]] = {
    "add": (tnum.add, lambda a, b: a + b, True),
    "sub": (tnum.sub, lambda a, b: a - b, True),
    "and": (tnum.and_, lambda a, b: a & b, True),
    "or": (tnum.or_, lambda a, b: a | b, True),
    "xor": (tnum.xor, lambda a, b: a ^ b, True),
    "mul": (tnum.mul, lambda a, b: a * b, False),
}
"""name: (transfer function, operation, whether the result is the least tnum that holds all results)."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_holds_every_result(name: str, place: str) -> None:
    transfer, operation, is_least = ARITHMETIC[name]
    shift = PLACES[place]
    tnums = [(v << shift, m << shift) for v, m in small_tnums(BITS if place == "low" else 3)]
    for a in tnums:
        for b in tnums:
            value, mask = transfer(*a, *b)
            assert not value & mask
            results = {operation(x, y) & M64 for x in members(*a) for y in members(*b)}
            wrong = [r for r in results if not tnum.contains(value, mask, r)]
            assert not wrong, (name, a, b, wrong)
            if is_least:
                assert (value, mask) == hull_tnum(results), (name, a, b)


def test_product_of_a_constant_keeps_low_zeros() -> None:
    assert tnum.mul(0, 0xFF, 8, 0) == (0, 0x7F8)
    assert tnum.mul(3, 0, 5, 0) == (15, 0)


@pytest.mark.parametrize("shift", [0, 1, 3, 31, 32, 63])
def test_shifts(shift: int) -> None:
    for value, mask in [*small_tnums(3), (1 << 63, 6), (0, 1 << 63 | 1), (0xFFFF_FFFF_8000_0000, 0x30)]:
        for x in members(value, mask):
            assert tnum.contains(*tnum.lshift(value, mask, shift), x << shift & M64)
            assert tnum.contains(*tnum.rshift(value, mask, shift), x >> shift)
            assert tnum.contains(*tnum.arshift(value, mask, shift, 64), signed(x, 64) >> shift & M64)
            if shift < 32:
                expected = signed(x, 32) >> shift & 0xFFFF_FFFF
                assert tnum.contains(*tnum.arshift(value, mask, shift, 32), expected)


def test_range_is_the_least_tnum_of_its_ends_prefix() -> None:
    for low in range(40):
        for high in range(low, 40):
            value, mask = tnum.range_(low, high)
            assert all(tnum.contains(value, mask, x) for x in range(low, high + 1))
            assert (value, mask) == hull_tnum(range(low, high + 1))
    assert tnum.range_(0, M64) == tnum.UNKNOWN
    assert tnum.range_(1 << 62, 1 << 63) == tnum.UNKNOWN


def test_sets() -> None:
    tnums = list(small_tnums(3))
    for a in tnums:
        for b in tnums:
            in_a, in_b = set(members(*a)), set(members(*b))
            assert tnum.overlaps(*a, *b) == bool(in_a & in_b)
            assert tnum.includes(*a, *b) == (in_b <= in_a)
            assert tnum.union(*a, *b) == hull_tnum(in_a | in_b)
            if in_a & in_b:
                assert set(members(*tnum.intersect(*a, *b))) == in_a & in_b


def test_step_counts_through_the_members() -> None:
    for value, mask in small_tnums(5):
        ordered = sorted(members(value, mask))
        for number in range(34):
            above = [x for x in ordered if x > number]
            assert tnum.step(value, mask, number) == (above[0] if above else ordered[-1]), (value, mask, number)
    assert tnum.step(1, M64 ^ 1, M64 - 2) == M64


def test_constants() -> None:
    assert tnum.const(5) == (5, 0)
    assert tnum.const(-1) == (M64, 0)
    assert tnum.contains(*tnum.const(5), 5)
    assert not tnum.contains(*tnum.const(5), 4)


def test_widths_and_text() -> None:
    assert tnum.cast(0x1234, 0xFF0000, 2) == (0x1234, 0)
    assert tnum.swap_bytes(0x1122_3344, 0x0F, 4) == (0x4433_2211, 0x0F00_0000)
    assert tnum.with_subreg(0xA_0000_0001, 0xF0_0000_0002, 4, 8) == (0xA_0000_0004, 0xF0_0000_0008)
    assert tnum.is_aligned(8, 16, 8)
    assert not tnum.is_aligned(8, 4, 8)
    assert tnum.is_aligned(3, 0, 0)
    assert tnum.format_tnum(0, 0xFF) == "(0x0; 0xff)"
    assert tnum.format_tnum(5, 0) == "5"
    assert tnum.format_tnum(0x10000, 0) == "0x10000"
