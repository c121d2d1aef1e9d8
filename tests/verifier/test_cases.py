"""Every case file: verdict, message and guilty slot."""

import pytest

from tests.verifier.cases import CASES, Case
from toolchain.errors import InsnPlace, Rejected
from toolchain.spec.stages import BoundProgram
from toolchain.verifier import verify


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    bound = BoundProgram.unpinned(case.program())
    if not case.message:
        assert verify(bound).stats.processed > 0
        return
    with pytest.raises(Rejected) as caught:
        verify(bound)
    assert caught.value.message == case.message
    assert isinstance(caught.value.where, InsnPlace)
    assert caught.value.where.slot in (case.slot, None)


def test_each_kind_of_case_is_there() -> None:
    assert sum(not case.message for case in CASES) >= 20
    assert sum(bool(case.message) for case in CASES) >= 50
