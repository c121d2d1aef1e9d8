"""Every run vector on the engines of the user runtime: checked interpreter; plain one, after verification."""

from collections.abc import Iterator

import pytest
from toolchain.vm._core import lib

from tests.vm.engines import hand_verified, run_user
from tests.vm.vectors import Vector, vector_files
from toolchain.errors import Unsupported
from toolchain.isa.codec import decode
from toolchain.isa.forms import FORMS, form_of
from toolchain.isa.opcodes import CALL
from toolchain.pin.store import ObjectStore
from toolchain.spec.stages import BoundProgram, VerifiedProgram
from toolchain.verifier import verify

FILES = vector_files()
UNSUPPORTED = {"lddw_src1", "lddw_src2", "lddw_src3", "lddw_src4", "call_kfunc", "callx", "gotox", "addr_space_cast"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    made = ObjectStore(str(tmp_path_factory.mktemp("pins")))
    yield made
    made.reap()


@pytest.mark.parametrize("file", FILES, ids=lambda each: each[0].name)
def test_checked(file: tuple[Vector, ...], store: ObjectStore) -> None:
    for vector in file:
        assert run_user(vector, store, None).differences(vector) == []


@pytest.mark.parametrize("file", [each for each in FILES if not each[0].fault], ids=lambda each: each[0].name)
def test_plain(file: tuple[Vector, ...], store: ObjectStore) -> None:
    for vector in file:
        assert run_user(vector, store, _verified(vector)).differences(vector) == []


def _verified(vector: Vector) -> VerifiedProgram:
    try:
        return verify(BoundProgram.unpinned(vector.linked()))
    except Unsupported:
        return hand_verified(vector)


def test_vectors_cover_every_form() -> None:
    code = [insn for file in FILES for vector in file for insn in decode(vector.linked().code)]
    met = {form.name for insn in code if (form := form_of(insn))}
    assert {form.name for form in FORMS} - met == UNSUPPORTED


def test_vectors_cover_every_helper() -> None:
    called = {
        insn.imm for file in FILES for vector in file for insn in decode(vector.linked().code) if insn.opcode == CALL
    }
    assert [helper for helper in range(256) if lib.vm_has_helper(helper) and helper not in called] == []
