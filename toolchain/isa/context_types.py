"""How a context field may be touched, and what a load of it gives.

An access is an offset and a width. The kernel decides by the field in which the access begins; whether the offset is a
multiple of the width is asked first and for every field alike. What is left is which widths a field takes at its first
byte and which further in:

    narrow u32      first {1,2,4}  rest {1,2,4}       u8 *p = &ctx->len + 3 is fine
    exact u32       first {4}      rest {4}           arrays: every element, but no part of one
    start only      first {1,2,4}  rest {}            struct bpf_sock's family: narrow loads only at its start
    overhanging     first {1,2,4}  rest {1}           a u16 that may be read as u32

A width at the first byte is taken as listed; further in, the access must also end inside the field.

Source: include/linux/filter.h, bpf_ctx_range(), bpf_ctx_narrow_access_ok(), bpf_ctx_wide_access_ok(), Linux 6.12.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from toolchain.isa.program_types import AttachType


class CtxResult(StrEnum):
    """What kind of value a load of the field is."""

    SCALAR = "scalar"
    PACKET = "pkt"
    PACKET_META = "pkt_meta"
    PACKET_END = "pkt_end"
    SOCKET = "sock"
    SOCKET_OR_NULL = "sock_or_null"
    SOCK_COMMON_OR_NULL = "sock_common_or_null"
    FLOW_KEYS = "flow_keys"
    TP_BUFFER = "tp_buffer"
    BTF = "trusted_ptr"
    """A trusted pointer to the kernel struct that ``Field.btf`` names."""


class Widths(NamedTuple):
    """Widths in bytes: at the field's first byte, and further in."""

    first: frozenset[int]
    rest: frozenset[int]


def _widths(first: tuple[int, ...], rest: tuple[int, ...] | None = None) -> Widths:
    return Widths(frozenset(first), frozenset(first if rest is None else rest))


NEVER = _widths(())
ANY = _widths((1, 2, 4, 8))
EXACT4 = _widths((4,))
EXACT8 = _widths((8,))
EXACT4_OR_8 = _widths((4, 8))
NARROW2 = _widths((1, 2))
NARROW4 = _widths((1, 2, 4))
HALF_OR_WORD = _widths((2, 4))
START_NARROW4 = _widths((1, 2, 4), ())
START_EXACT1 = _widths((1,), ())
START_EXACT8 = _widths((8,), ())
HALF_READ_AS_WORD = _widths((1, 2, 4), (1,))


class Field(NamedTuple):
    """A run of bytes of a context.

    Units: ``offset`` and ``size`` in bytes. ``attach`` and ``write_attach`` are the only attach types under which it
    may be touched (written), None where all may. ``takes_sign_extending`` is False where a sign-extending load is
    refused.
    """

    name: str
    offset: int
    size: int
    read: Widths = NARROW4
    write: Widths = NEVER
    result: CtxResult = CtxResult.SCALAR
    btf: str = ""
    attach: frozenset[AttachType] | None = None
    write_attach: frozenset[AttachType] | None = None
    takes_sign_extending: bool = True

    @property
    def end(self) -> int:
        """One past its last byte."""
        return self.offset + self.size

    def allows(self, offset: int, width: int, attach_type: int, is_write: bool, is_sign_extending: bool) -> bool:
        """An access that begins in this field, aligned to its width, may be done."""
        if self.attach is not None and attach_type not in self.attach:
            return False
        if is_write and self.write_attach is not None and attach_type not in self.write_attach:
            return False
        if is_sign_extending and not self.takes_sign_extending:
            return False
        widths = self.write if is_write else self.read
        if offset == self.offset:
            return width in widths.first
        return width in widths.rest and offset + width <= self.end


class Context(NamedTuple):
    """The layout of a context. ``struct`` is its name in user space, ``size`` in bytes; bytes in no field are refused.

    ``source`` is the kernel function that checks accesses.
    """

    struct: str
    size: int
    fields: tuple[Field, ...]
    source: str

    def access(
        self, offset: int, width: int, attach_type: int, is_write: bool, is_sign_extending: bool = False
    ) -> Field | None:
        """The field touched, None where the access is refused. Units: bytes."""
        if offset < 0 or offset >= self.size or offset % width:
            return None
        for field in self.fields:
            if field.offset <= offset < field.end:
                allowed = field.allows(offset, width, attach_type, is_write, is_sign_extending)
                return field if allowed else None
        return None
