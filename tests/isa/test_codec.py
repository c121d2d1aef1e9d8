"""decode(encode(x)) == x and encode(decode(b)) == b, both endians; every form is found by its own instruction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.isa.codec import decode, encode, swap_endian
from toolchain.isa.forms import FORMS, form_of
from toolchain.isa.insn import Insn, wide
from toolchain.isa.opcodes import LDDW

S32 = st.integers(-(1 << 31), (1 << 31) - 1)
NARROW = st.builds(
    Insn,
    opcode=st.integers(0, 255).filter(lambda opcode: opcode != LDDW),
    dst=st.integers(0, 15),
    src=st.integers(0, 15),
    off=st.integers(-(1 << 15), (1 << 15) - 1),
    imm=S32,
    imm_high=st.none(),
)
WIDE = st.builds(
    lambda dst, src, value: wide(LDDW, dst, src, value),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(0, (1 << 64) - 1),
)


@pytest.mark.parametrize("endian", ["little", "big"])
@given(insns=st.lists(NARROW | WIDE, max_size=8))
def test_decode_inverts_encode(endian: str, insns: list[Insn]) -> None:
    assert decode(encode(insns, endian), endian) == tuple(insns)


@pytest.mark.parametrize("endian", ["little", "big"])
@given(data=st.binary(max_size=64).map(lambda data: data[: len(data) // 8 * 8]))
def test_every_bytes_decode_and_encode_back(endian: str, data: bytes) -> None:
    assert encode(decode(data, endian), endian) == data


@given(data=st.binary(max_size=64).map(lambda data: data[: len(data) // 8 * 8]))
def test_swapping_twice_changes_nothing(data: bytes) -> None:
    assert swap_endian(swap_endian(data, "little", "big"), "big", "little") == data


@given(size=st.integers(1, 63).filter(lambda size: size % 8))
def test_odd_lengths_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="not a multiple of 8"):
        decode(bytes(size))


@pytest.mark.parametrize(
    ("insn", "code"),
    [
        (Insn(0xB7, 1, imm=-1), "b7010000ffffffff"),
        (Insn(0x61, 2, 1, 76), "61124c0000000000"),
        (Insn(0x05, off=-2), "0500feff00000000"),
        (wide(LDDW, 1, 1, 3), "18110000030000000000000000000000"),
        (wide(LDDW, 0, 0, 0xFFFFFFFF_80000000), "180000000000008000000000ffffffff"),
    ],
)
def test_little_endian_bytes(insn: Insn, code: str) -> None:
    assert encode([insn]).hex() == code


def test_big_endian_swaps_register_nibbles() -> None:
    assert encode([Insn(0x61, 2, 1, 76)], "big").hex() == "6121004c00000000"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_each_form_is_found(form) -> None:
    insn = Insn(form.opcode, 1, form.src or 0, form.off or 0, form.imm or 0, 0 if form.opcode == LDDW else None)
    found = form_of(insn)
    assert found is not None
    assert found.opcode == form.opcode
    assert found.name == form.name or (form.src is None or form.off is None or form.imm is None)


@pytest.mark.parametrize("opcode", [0x00, 0x8E, 0xF7, 0xFF, 0xE4, 0x20 | 0x18])
def test_what_is_no_form(opcode: int) -> None:
    assert form_of(Insn(opcode, 1, 1)) is None


def test_wide_immediate() -> None:
    insn = wide(LDDW, 3, 0, 0x1122334455667788)
    assert (insn.imm64, insn.slot_count, insn.is_wide) == (0x1122334455667788, 2, True)
    assert Insn(0x95).slot_count == 1
