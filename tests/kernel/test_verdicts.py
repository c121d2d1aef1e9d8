"""Every case file asked of the live kernel again: verdict, message, guilty slot where its log names one."""

import os
import platform
import re

import pytest

from tests.kernel import oracle
from tests.verifier.cases import CASES, Case

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

EXACT = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2]) == (6, 18)
"""Messages are those of 6.18; other kernels are only asked for the verdict."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    program = case.program()
    fds = [
        oracle.map_create(spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.map_flags)
        for spec in program.maps
    ]
    with oracle.closing(*fds):
        verdict, fd = oracle.prog_load(
            program.prog_type,
            oracle.with_map_fds(program.code, fds),
            program.licence,
            program.expected_attach_type,
            program.prog_flags,
        )
        if fd >= 0:
            os.close(fd)
    assert verdict.accepted == (not case.message), verdict.log
    if EXACT and case.message:
        assert verdict.message == case.message
        slots = re.findall(r"^(\d+): \(", verdict.log, re.M)
        assert not slots or int(slots[-1]) == case.slot
