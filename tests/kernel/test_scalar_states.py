"""Our scalar domain against the live kernel's, number by number of its log at level 2.

The expected numbers are 6.18.44's; other versions follow byte swaps, products or contradictions
otherwise, and are skipped with the version they have.
"""

from __future__ import annotations

import os

import pytest

from tests.kernel import oracle
from tests.kernel.scalar_programs import compared, differences, generate, why_not_comparable

pytestmark = pytest.mark.kernel

PROGRAMS = 120
"""Seeds 0..119, 60 steps each: about 80,000 numbers compared."""


@pytest.mark.parametrize("first", range(0, PROGRAMS, 20))
def test_states_equal_the_kernels(first: int) -> None:
    if reason := why_not_comparable():
        pytest.skip(reason)
    shown = 0
    for seed in range(first, first + 20):
        program = generate(seed)
        verdict, fd = oracle.prog_load(1, program.code, log_level=2)
        if fd >= 0:
            os.close(fd)
        assert verdict.accepted, f"seed {seed}: {verdict.message}"
        assert differences(program, verdict.log) == [], f"seed {seed}"
        shown += compared(verdict.log)
    assert shown > 5000, "the log's form changed: too few numbers found in it"
