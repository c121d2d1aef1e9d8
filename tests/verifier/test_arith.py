"""Arithmetic: whatever the concrete operands are, the abstract result holds the concrete one."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.scalar_cases import ALU_OPS, EDGES, abstract, execute, members, move, random_numbers, swap
from toolchain.isa.opcodes import Alu
from toolchain.verifier.arith import alu, fork, pointer_offset, swap_bytes
from toolchain.verifier.scalar import M64, UNKNOWN, Scalar, const, from_bounds, violation

WIDTHS = (True, False)
Case = tuple[Scalar, tuple[int, ...]]


def small_cases() -> list[Case]:
    """Every scalar that some set of the numbers -3..2 gives, with all of -3..2 that it holds."""
    points = [k & M64 for k in range(-3, 3)]
    scalars = {abstract(part) for size in range(1, 7) for part in combinations(points, size)}
    return [(scalar, tuple(p for p in points if scalar.contains(p))) for scalar in scalars]


def edge_cases() -> list[Case]:
    """Every scalar that one or two edges give."""
    return [(abstract(part), part) for size in (1, 2) for part in combinations(EDGES[2:13], size)]


@pytest.mark.parametrize("op", ALU_OPS)
@pytest.mark.parametrize("cases", [small_cases, edge_cases])
def test_every_pair_of_small_scalars(op: Alu, cases: object) -> None:
    made = cases()  # type: ignore[operator]
    for is64 in WIDTHS:
        for dst, xs in made:
            for src, ys in made[:1] if op == Alu.NEG else made:
                result = alu(op, is64, dst, src)
                for x in xs:
                    for y in ys:
                        assert result.contains(execute(op, is64, x, y)), (op, is64, dst, src, x, y, result)


@pytest.mark.parametrize("op", ALU_OPS)
def test_loose_scalars(op: Alu) -> None:
    rng = random.Random(int(op))
    for _ in range(600):
        xs, ys = random_numbers(rng), random_numbers(rng)
        if op in (Alu.LSH, Alu.RSH, Alu.ARSH) and rng.random() < 0.8:
            ys = [rng.randrange(64)]
        dst, src = abstract(xs, rng), abstract(ys, rng)
        for is64 in WIDTHS:
            result = alu(op, is64, dst, src)
            assert not violation(result)
            for x in xs + members(dst, rng, 2):
                for y in ys + members(src, rng, 2):
                    assert result.contains(execute(op, is64, x, y)), (op, is64, dst, src, x, y, result)


def test_moves_and_swaps() -> None:
    rng = random.Random(7)
    for _ in range(3000):
        numbers = random_numbers(rng)
        scalar = abstract(numbers, rng)
        for is64, offs in ((True, (0, 8, 16, 32)), (False, (0, 8, 16))):
            for off in offs:
                result = alu(Alu.MOV, is64, UNKNOWN, scalar, off)
                assert all(result.contains(move(is64, number, off)) for number in numbers), (is64, off, scalar)
        for width in (16, 32, 64):
            for is_swapped in (True, False):
                result = swap_bytes(scalar, width, is_swapped)
                assert all(result.contains(swap(number, width, is_swapped)) for number in numbers), (width, scalar)


U64 = st.one_of(st.sampled_from(EDGES), st.integers(0, M64), st.integers(0, 300), st.integers(M64 - 300, M64))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(ALU_OPS),
    st.booleans(),
    st.lists(U64, min_size=1, max_size=4),
    st.lists(U64, min_size=1, max_size=4),
)
def test_whole_width(op: Alu, is64: bool, xs: list[int], ys: list[int]) -> None:
    result = alu(op, is64, abstract(xs), abstract(ys))
    for x in xs:
        for y in ys:
            assert result.contains(execute(op, is64, x, y))


def test_constants_fold() -> None:
    for op in ALU_OPS:
        for is64 in WIDTHS:
            for a, b in combinations(EDGES[:8], 2):
                result = alu(op, is64, const(a), const(b))
                if op in (Alu.DIV, Alu.MOD) or (op in (Alu.LSH, Alu.RSH, Alu.ARSH) and b >= (64 if is64 else 32)):
                    assert result is UNKNOWN
                else:
                    assert result == const(execute(op, is64, a, b)), (op, is64, a, b)


def test_64_bit_moves_share_the_scalar() -> None:
    scalar = from_bounds(umin=3, umax=900)
    assert alu(Alu.MOV, True, UNKNOWN, scalar) is scalar


def test_fork_covers_both_numbers() -> None:
    sign = alu(Alu.ARSH, True, UNKNOWN, const(63))
    parts = fork(Alu.AND, sign, const(0xF0))
    assert parts == (const(0), const(-1))
    assert fork(Alu.OR, sign, const(0xF0)) == parts
    assert fork(Alu.XOR, sign, const(0xF0)) is None
    assert fork(Alu.AND, sign, UNKNOWN) is None
    assert fork(Alu.AND, from_bounds(smin=-2, smax=0), const(1)) is None
    low = alu(Alu.ARSH, False, UNKNOWN, const(31))
    zero, ones = fork(Alu.AND, low, const(4)) or (UNKNOWN, UNKNOWN)
    assert zero.contains(0)
    assert not zero.contains(0xFFFF_FFFF)
    assert ones.contains(0xFFFF_FFFF)
    assert not ones.contains(0)


def test_pointer_offsets_hold_every_sum() -> None:
    rng = random.Random(3)
    for _ in range(4000):
        xs, ys = random_numbers(rng), random_numbers(rng)
        pointer, amount = abstract(xs, rng), abstract(ys, rng)
        added, taken = pointer_offset(True, pointer, amount), pointer_offset(False, pointer, amount)
        for x in xs:
            for y in ys:
                assert added.contains(x + y & M64), (pointer, amount, added, x, y)
                assert taken.contains(x - y & M64), (pointer, amount, taken, x, y)
