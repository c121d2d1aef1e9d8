"""Every run vector on every engine of the user runtime: the checked interpreter, and the plain one after verification."""

from collections.abc import Iterator

import pytest

from tests.vm.engines import hand_verified, run_user
from tests.vm.vectors import Vector, vectors
from toolchain.errors import Unsupported
from toolchain.pin.store import ObjectStore
from toolchain.spec.stages import BoundProgram
from toolchain.verifier import verify

ALL = vectors()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    made = ObjectStore(str(tmp_path_factory.mktemp("pins")))
    yield made
    made.reap()


@pytest.mark.parametrize("vector", ALL, ids=lambda each: each.name)
def test_checked(vector: Vector, store: ObjectStore) -> None:
    assert run_user(vector, store, None).differences(vector) == []


@pytest.mark.parametrize("vector", [each for each in ALL if not each.fault], ids=lambda each: each.name)
def test_plain(vector: Vector, store: ObjectStore) -> None:
    try:
        verified = verify(BoundProgram.unpinned(vector.linked()))
    except Unsupported:
        verified = hand_verified(vector)
    assert run_user(vector, store, verified).differences(vector) == []


def test_vectors_cover_every_form() -> None:
    from toolchain.isa.codec import decode
    from toolchain.isa.opcodes import FORMS, form_of

    met = {form.name for vector in ALL for insn in decode(vector.linked().code) if (form := form_of(insn))}
    unsupported = {
        "lddw_src1",
        "lddw_src2",
        "lddw_src3",
        "lddw_src4",
        "call_kfunc",
        "callx",
        "gotox",
        "addr_space_cast",
    }
    assert {form.name for form in FORMS} - met == unsupported
