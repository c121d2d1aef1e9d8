"""The live kernel walks as we do: the same figures, and the same log of every instruction and state."""

from __future__ import annotations

import re

import pytest

from tests.kernel import oracle
from tests.verifier.walks import Walk, walks
from toolchain.spec.stages import BoundProgram
from toolchain.verifier import VerifyOptions, verify

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

_OWN_TO_THE_KERNEL = re.compile(
    r"\([\d,]+\) (frame|live)|Live regs before insn|\s*(\d+ +)?\d+: [0-9.]{10,11} \([0-9a-f]{2}\) |$"
)
"""Lines of its data flow tables, which our log does not have."""


def _lines(log: str) -> list[str]:
    return [line.rstrip() for line in log.splitlines() if not _OWN_TO_THE_KERNEL.match(line)]


@pytest.mark.parametrize("walk", walks(), ids=lambda walk: walk.name)
def test_walk(walk: Walk) -> None:
    program = walk.program
    verdict, fd = oracle.prog_load(int(program.prog_type), program.code, log_level=2)
    with oracle.closing(fd):
        assert verdict.accepted, verdict.message
    ours = verify(BoundProgram.unpinned(program), VerifyOptions(log_level=2))
    assert _lines(ours.log) == _lines(verdict.log)
    assert ours.stats.processed == verdict.processed == walk.figures["processed"]
