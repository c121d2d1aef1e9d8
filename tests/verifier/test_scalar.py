"""The views of a number: they agree, they hold what they held, and they print as the kernel prints them."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from tests.verifier.scalar_cases import EDGES, abstract, move, random_numbers, signed
from toolchain.verifier.scalar import (
    M32,
    M64,
    S32_MAX,
    S32_MIN,
    S64_MAX,
    S64_MIN,
    UNKNOWN,
    ZERO,
    Scalar,
    const,
    from_bounds,
    resync,
    settle,
    violation,
)
from toolchain.verifier.scalar_text import format_ranges, format_scalar, violation_text
from toolchain.verifier.width import sext, sext32, truncate_to_size, unknown_of_size, zext32


def test_small_constants_are_shared() -> None:
    assert const(-1) is const(M64)
    assert const(0) is ZERO
    assert const(1000) == const(1000)
    assert const(1000) is not const(1001)
    assert hash(const(1000)) == hash(const(1000))
    assert const(5) != 5
    assert const(-1).signed_value == -1
    assert const(-1).const_value == M64


def test_sync_keeps_every_number() -> None:
    rng = random.Random(1)
    for _ in range(20_000):
        numbers = random_numbers(rng)
        scalar = abstract(numbers, rng)
        assert all(scalar.contains(number) for number in numbers), (numbers, scalar)
        assert not violation(scalar), (numbers, scalar)
        assert settle(scalar) is scalar


def test_sync_of_every_small_range_around_the_edges() -> None:
    for edge in EDGES:
        for low in range(-3, 3):
            for high in range(low, 3):
                numbers = [(edge + k) & M64 for k in range(low, high + 1)]
                scalar = abstract(numbers)
                assert all(scalar.contains(number) for number in numbers), (numbers, scalar)


def test_an_only_common_number_is_a_constant() -> None:
    multiple_of_8 = Scalar(0, M64 & ~7, S64_MIN, S64_MAX, 1, 15, S32_MIN, S32_MAX, 0, M32)
    assert resync(multiple_of_8) == const(8)
    at_the_end = Scalar(0, M64 & ~7, S64_MIN, S64_MAX, 1, 8, S32_MIN, S32_MAX, 0, M32)
    assert resync(at_the_end) == const(8)
    at_the_start = Scalar(0, M64 & ~7, S64_MIN, S64_MAX, 8, 15, S32_MIN, S32_MAX, 0, M32)
    assert resync(at_the_start) == const(8)
    two = Scalar(0, M64 & ~7, S64_MIN, S64_MAX, 1, 16, S32_MIN, S32_MAX, 0, M32)
    assert not resync(two).is_const


def test_signed_range_beside_zero_follows_the_unsigned_one() -> None:
    low = from_bounds(smin=-5, smax=10, umin=2, umax=100)
    assert (low.smin, low.smax, low.umin, low.umax) == (2, 10, 2, 10)
    high = from_bounds(smin=-5, smax=10, umin=11, umax=M64 - 1)
    assert (high.smin, high.smax, high.umin, high.umax) == (-5, -2, M64 - 4, M64 - 1)


def test_a_cut_keeps_the_range_if_nothing_above_it_changes() -> None:
    cut = truncate_to_size(from_bounds(umin=0x102, umax=0x1FE), 1)
    assert (cut.umin, cut.umax) == (2, 0xFE)
    cut = truncate_to_size(from_bounds(umin=0x102, umax=0x2FE), 1)
    assert (cut.umin, cut.umax) == (0, 0xFF)


def test_inclusion() -> None:
    byte = unknown_of_size(1)
    assert UNKNOWN.includes(byte)
    assert not byte.includes(UNKNOWN)
    assert byte.includes(const(255))
    assert not byte.includes(const(256))
    assert UNKNOWN.is_unknown
    assert not byte.is_unknown
    for first, second in combinations([UNKNOWN, byte, const(3), from_bounds(umin=1, umax=9)], 2):
        if first.includes(second) and second.includes(first):
            assert first == second


FIELDS = ("value", "mask", "smin", "smax", "umin", "umax", "s32_min", "s32_max", "u32_min", "u32_max")


@pytest.mark.parametrize("field", FIELDS)
def test_every_view_counts(field: str) -> None:
    views = dict(zip(FIELDS, (0x100, 0xFF, 0x110, 0x1F0, 0x110, 0x1F0, 0x110, 0x1F0, 0x110, 0x1F0), strict=True))
    one = Scalar(**views)
    wider = {**views, field: 0x1FF if field == "mask" else views[field] + (-1 if field.endswith("min") else 1)}
    other = Scalar(**wider)
    assert one != other
    assert one == Scalar(**views)
    if field != "value":
        assert not one.includes(other)
        assert other.includes(one) or field == "mask"
    assert one.contains(0x110)
    assert not one.contains(0x10F)
    assert not one.contains(0x1F1)
    assert not one.contains(0x1_0000_0110)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_width_changes_hold_every_number(size: int) -> None:
    rng = random.Random(size)
    for _ in range(4000):
        numbers = random_numbers(rng)
        scalar = abstract(numbers, rng)
        cut, extended = truncate_to_size(scalar, size), sext(scalar, size)
        for number in numbers:
            assert cut.contains(number & (1 << size * 8) - 1), (scalar, cut, number)
            assert extended.contains(signed(number, size * 8) & M64), (scalar, extended, number)
            assert zext32(scalar).contains(number & M32), (scalar, number)
            if size < 4:
                assert sext32(scalar, size).contains(move(False, number, size * 8)), (scalar, number)


def test_contradictions_are_named_and_forgotten() -> None:
    crossed = Scalar(0, M64, S64_MIN, S64_MAX, 5, 4, S32_MIN, S32_MAX, 0, M32)
    assert violation(crossed) == "range bounds violation"
    assert settle(crossed) == UNKNOWN
    stale = Scalar(3, 0, S64_MIN, S64_MAX, 0, M64, S32_MIN, S32_MAX, 0, M32)
    assert violation(stale) == "const tnum out of sync with range bounds"
    half = Scalar(3, M64 ^ M32, S64_MIN, S64_MAX, 0, M64, S32_MIN, S32_MAX, 0, M32)
    assert violation(half) == "const subreg tnum out of sync with range bounds"
    assert violation_text(const(3), "alu") == ""
    assert violation_text(crossed, "alu") == (
        "verifier bug: REG INVARIANTS VIOLATION (alu): range bounds violation u64=[0x5, 0x4] "
        "s64=[0x8000000000000000, 0x7fffffffffffffff] u32=[0x0, 0xffffffff] s32=[0x80000000, 0x7fffffff] "
        "var_off=(0x0, 0xffffffffffffffff)"
    )


TEXTS = [
    (UNKNOWN, "scalar()"),
    (const(7), "7"),
    (const(-1), "-1"),
    (const(0x8000), "0x8000"),
    (const(-0x8001), "0xffffffffffff7fff"),
    (unknown_of_size(1), "scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))"),
    (unknown_of_size(4), "scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))"),
    (from_bounds(smax=4), "scalar(smax=4)"),
    (from_bounds(smin=-2, smax=1), "scalar(smin=smin32=-2,smax=smax32=1)"),
    (
        from_bounds(smin=5),
        "scalar(smin=umin=5,umax=0x7fffffffffffffff,var_off=(0x0; 0x7fffffffffffffff))",
    ),
]
"""As 6.18.44 prints them."""


@pytest.mark.parametrize(("scalar", "text"), TEXTS)
def test_text(scalar: Scalar, text: str) -> None:
    assert format_scalar(scalar) == text
    assert format_scalar(scalar, is_precise=True) == "P" + text


def test_text_of_parts() -> None:
    assert format_scalar(UNKNOWN, "id=1+4") == "scalar(id=1+4)"
    assert format_scalar(from_bounds(smax=4), "id=2") == "scalar(id=2,smax=4)"
    assert format_ranges(UNKNOWN) == ""
    assert repr(const(3)) == "<Scalar 3>"
