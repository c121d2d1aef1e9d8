"""Random programs that the verifier accepts, run on random inputs: nothing happens that it did not foresee."""

from __future__ import annotations

import contextlib
import random

import pytest

from tests.property.containment import NotModelled, accepted, check_run, check_states, observe, program_of
from tests.property.number_programs import number_program

PROGRAMS = 40
"""For each of five seeds; about a third of them are accepted."""


@pytest.mark.parametrize("first", range(0, 5000, 1000))
def test_runs_are_contained(first: int) -> None:
    judged = checked = 0
    for seed in range(first, first + PROGRAMS):
        program = program_of(seed)
        verified = accepted(program)
        if verified is None:
            continue
        rng = random.Random(seed)
        with contextlib.suppress(NotModelled):
            check_run(verified, rng)
            judged += 1
            seen = observe(program)
            if seen is not None:
                checked += check_states(program, seen, rng)
    assert judged >= 5
    assert checked > 200


@pytest.mark.parametrize("first", [0, 100])
def test_linked_numbers_are_contained(first: int) -> None:
    checked = 0
    for seed in range(first, first + 10):
        program = number_program(seed)
        verified = accepted(program)
        assert verified is not None, seed
        rng = random.Random(seed)
        check_run(verified, rng)
        seen = observe(program)
        if seen is not None:
            checked += check_states(program, seen, rng)
    assert checked > 200
