"""Programs that Linux 6.18.44 accepts although they are not safe: here we differ, each with a row in docs/parity.md."""

from __future__ import annotations

import pytest

from toolchain.asm import assemble_text
from toolchain.elf.extract import extract
from toolchain.errors import Rejected
from toolchain.loader.link import link_all
from toolchain.spec.stages import BoundProgram, LinkedProgram
from toolchain.verifier import verify

SIGN_EXTENDING_FILL = """
.map acc, array, key=4, value=64, entries=1
.section socket, "ax"
.globl prog
prog:
    *(u32 *)(r10 - 12) = 0
    r2 = r10
    r2 += -12
    r1 = acc ll
    call 1
    if r0 == 0 goto out
    r6 = r0
    call 7
    r0 &= 255
    *(u64 *)(r10 - 8) = r0
    r1 = *(s8 *)(r10 - 8)
    if r0 <= 200 goto out
    r1 += -201
    r6 += r1
    r0 = *(u8 *)(r6 + 0)
    exit
out:
    r0 = 0
    exit
.license "GPL"
"""
"""The kernel takes r1 for a copy of r0 (201..255), though it is -55..-1."""


def link_text(text: str) -> LinkedProgram:
    return link_all(extract(assemble_text(text, "stricter.s")))[0]


def test_a_sign_extending_fill_is_no_copy() -> None:
    with pytest.raises(Rejected) as caught:
        verify(BoundProgram.unpinned(link_text(SIGN_EXTENDING_FILL)))
    assert "R6" in caught.value.message or "map_value" in caught.value.message


def test_a_fill_that_keeps_the_number_stays_linked() -> None:
    safe = (
        SIGN_EXTENDING_FILL.replace("r0 &= 255", "r0 &= 127").replace("r0 <= 200", "r0 <= 100").replace("-201", "-101")
    )
    assert verify(BoundProgram.unpinned(link_text(safe))).stats.processed > 0


HALF_A_POINTER = """
.map acc, array, key=4, value=64, entries=1
.section socket, "ax"
.globl prog
prog:
    r1 = acc ll
    if w1 == 0 goto half
    r0 = 0
    exit
half:
    r0 = *(u64 *)(r9 + 0)
    exit
.license "GPL"
"""
"""The kernel takes r1 not being 0 for its lower half not being 0."""


def test_half_a_pointer_may_be_zero() -> None:
    with pytest.raises(Rejected, match="R9 !read_ok"):
        verify(BoundProgram.unpinned(link_text(HALF_A_POINTER)))
    whole = HALF_A_POINTER.replace("w1", "r1")
    assert verify(BoundProgram.unpinned(link_text(whole))).stats.processed == 4
