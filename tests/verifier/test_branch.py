"""Comparisons: a decision holds for all numbers, and the outcome that happens keeps the numbers that made it happen."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from tests.verifier.scalar_cases import EDGES, JUMP_OPS, abstract, holds, members, random_numbers
from toolchain.isa.opcodes import Jmp
from toolchain.verifier.branch import FLIP, REVERSE, decide, refine, refine_raw, refine_same
from toolchain.verifier.scalar import M64, UNKNOWN, Scalar, const, from_bounds, violation

WIDTHS = (True, False)


def check(op: Jmp, is64: bool, dst: Scalar, src: Scalar, xs: list[int], ys: list[int]) -> None:
    decision = decide(op, is64, dst, src)
    taken, fallen = refine(op, is64, dst, src)
    for x in xs:
        for y in ys:
            outcome = holds(op, is64, x, y)
            assert decision is None or decision == outcome, (op, is64, dst, src, x, y)
            first, second = taken if outcome else fallen
            assert first.contains(x), (op, is64, dst, src, x, y, outcome, first)
            assert second.contains(y), (op, is64, dst, src, x, y, outcome, second)


@pytest.mark.parametrize("op", JUMP_OPS)
def test_every_pair_of_small_scalars(op: Jmp) -> None:
    points = [k & M64 for k in range(-2, 3)]
    scalars = {abstract(part) for size in range(1, 6) for part in combinations(points, size)}
    cases = [(scalar, [p for p in points if scalar.contains(p)]) for scalar in scalars]
    for is64 in WIDTHS:
        for dst, xs in cases:
            for src, ys in cases:
                check(op, is64, dst, src, xs, ys)


@pytest.mark.parametrize("op", JUMP_OPS)
def test_edges(op: Jmp) -> None:
    cases = [(abstract(part), list(part)) for size in (1, 2) for part in combinations(EDGES[2:12], size)]
    for is64 in WIDTHS:
        for dst, xs in cases:
            for src, ys in cases:
                check(op, is64, dst, src, xs, ys)


@pytest.mark.parametrize("op", JUMP_OPS)
def test_loose_scalars(op: Jmp) -> None:
    rng = random.Random(int(op))
    for _ in range(500):
        xs, ys = random_numbers(rng), random_numbers(rng)
        if rng.random() < 0.3:
            ys = [rng.choice(xs) + rng.randint(-1, 1) & M64]
        dst, src = abstract(xs, rng), abstract(ys, rng)
        for is64 in WIDTHS:
            check(op, is64, dst, src, xs + members(dst, rng, 2), ys + members(src, rng, 2))


@pytest.mark.parametrize("op", JUMP_OPS)
def test_a_register_with_itself(op: Jmp) -> None:
    rng = random.Random(int(op))
    for _ in range(600):
        xs = random_numbers(rng)
        reg = abstract(xs, rng)
        for is64 in WIDTHS:
            taken, fallen = refine_same(op, is64, reg)
            for x in xs:
                side = taken if holds(op, is64, x, x) else fallen
                assert side.contains(x), (op, is64, reg, x, side)


def test_tables_are_involutions() -> None:
    for op in JUMP_OPS:
        assert FLIP[FLIP[op]] == op
        if op != Jmp.JSET:
            assert REVERSE[REVERSE[op]] == op
        for x in EDGES[:8]:
            for y in EDGES[:8]:
                assert holds(op, True, x, y) == holds(FLIP[op], True, y, x)
                assert op == Jmp.JSET or holds(op, True, x, y) != holds(REVERSE[op], True, x, y)


DECISIONS = [
    (Jmp.JEQ, True, from_bounds(umin=1, umax=5), const(7), False),
    (Jmp.JNE, True, from_bounds(umin=1, umax=5), const(7), True),
    (Jmp.JEQ, True, const(7), const(7), True),
    (Jmp.JEQ, False, const(7 + (1 << 32)), const(7), True),
    (Jmp.JSET, True, const(6), const(2), True),
    (Jmp.JSET, True, from_bounds(umax=3), const(4), False),
    (Jmp.JSET, True, UNKNOWN, UNKNOWN, None),
    (Jmp.JGT, True, from_bounds(umin=6), from_bounds(umax=5), True),
    (Jmp.JGT, True, from_bounds(umax=6), from_bounds(umin=6), False),
    (Jmp.JSLT, True, from_bounds(smax=-1), const(0), True),
    (Jmp.JLT, True, from_bounds(umin=4), const(5), None),
]


@pytest.mark.parametrize(("op", "is64", "dst", "src", "expected"), DECISIONS)
def test_decisions(op: Jmp, is64: bool, dst: Scalar, src: Scalar, expected: bool | None) -> None:
    assert decide(op, is64, dst, src) is expected


def test_bounds_check_narrows_both_outcomes() -> None:
    (taken, _), (fallen, _) = refine(Jmp.JGT, True, UNKNOWN, const(10))
    assert (taken.umin, taken.umax) == (11, M64)
    assert (fallen.umin, fallen.umax) == (0, 10)


def test_contradictions_are_seen_before_they_are_settled() -> None:
    bit, zero = from_bounds(umax=1), const(0)
    (_, raw), _ = refine_raw(Jmp.JLT, False, bit, zero)
    assert violation(raw) == "range bounds violation"
    (_, settled), _ = refine(Jmp.JLT, False, bit, zero)
    assert (settled.umin, settled.umax, settled.value, settled.mask) == (0, M64, raw.value, raw.mask)
