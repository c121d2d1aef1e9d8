"""Our scalar domain against the live kernel's, number by number of its log at level 2.

The expected numbers are 6.18.44's; other versions follow byte swaps, products or contradictions
otherwise, and are skipped with the version they have.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.kernel import oracle
from tests.kernel.scalar_programs import compared, differences, generate, slot, why_not_comparable

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


def test_the_kernel_links_sign_extending_fills() -> None:
    """A row of docs/parity.md: r1 is believed to be 201..255 and is -55..-1. If this fails, drop the row."""
    if reason := why_not_comparable():
        pytest.skip(reason)
    code = b"".join(
        (
            *(slot(0x85, imm=7), slot(0x57, imm=255), slot(0x7B, 10, 0, -8), slot(0x91, 1, 10, -8)),
            *(slot(0x25, 0, 0, 2, 200), slot(0xB7), slot(0x95)),
            *(slot(0xBF, 0, 1), slot(0x77, 0, 0, 0, 63), slot(0x95)),
        )
    )
    verdict, fd = oracle.prog_load(1, code, log_level=2)
    with oracle.closing(fd):
        assert re.search(r"^8: .*; R0=0$", verdict.log, re.M)
        assert 1 in {oracle.run(fd, bytes(64))[0] for _ in range(200)}


def test_the_kernel_decides_on_half_a_pointer() -> None:
    """A row of docs/parity.md: only a whole pointer is known not to be 0. If this fails, drop the row."""
    if reason := why_not_comparable():
        pytest.skip(reason)
    fd = oracle.map_create(2, 4, 8, 1)
    branch = b"".join((slot(0x16, 1, 0, 2), slot(0xB7), slot(0x95), slot(0x79, 0, 9), slot(0x95)))
    with oracle.closing(fd):
        verdict, loaded = oracle.prog_load(1, slot(0x18, 1, 1, 0, fd) + slot(0) + branch)
        with oracle.closing(loaded):
            assert verdict.accepted, verdict.log
