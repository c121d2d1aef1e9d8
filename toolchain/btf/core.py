"""What a CO-RE relocation's question comes to: a number, from the object's own types and from a kernel's.

    question (CoreKind)           own types        another's                          not there
    byte offset, byte size,       of the field     of the field of the same name      instruction must not be reached
      sign, shifts                                 (core_paths.py)
    field exists                  1                1                                  0
    type exists, matches, size,   1, 1, size, id   1, 1, size, id                     0
      target id                                    (core_types.py)
    enumerator's value            value            value of the same name             instruction must not be reached
    enumerator exists             1                1                                  0

The number from the own types is what the compiler wrote into the instruction; the loader checks that before it puts
the other one there. Several types may have the name asked for: all that have the field must agree on the answer.

A bit field is read as the smallest aligned integer that holds it; the shifts say how to cut it out of 64 bits:

    byte_offset .. byte_offset + byte_size        value << lshift >> rshift
    |      [bits of the field]       |            lshift = 64 - (end of the field in these bytes), rshift = 64 - width

Source: libbpf 1.7, src/relo_core.c: bpf_core_calc_field_relo(), bpf_core_calc_type_relo(),
bpf_core_calc_enumval_relo(), bpf_core_calc_relo(), bpf_core_calc_relo_insn(); src/libbpf.c, bpf_core_add_cands().
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from toolchain.btf.codec import Btf
from toolchain.btf.core_paths import (
    ENUMS,
    Budget,
    Path,
    are_kinds_alike,
    indices,
    match_path,
    read_path,
    size_of,
)
from toolchain.btf.core_types import are_types_compatible, do_types_match
from toolchain.btf.ext import CoreKind, CoreRelocation
from toolchain.btf.strings import essential_name
from toolchain.btf.types import COMPOSITES, INT_SIGNED, Array, BtfType, Enum, Enum64, Int, Ptr, name_of
from toolchain.errors import LinkError

__all__ = ["Answer", "Budget", "Found", "Number", "candidates", "decide", "find_other", "find_own"]

_U32 = 0xFFFFFFFF
_U64 = 0xFFFFFFFFFFFFFFFF

FIELD_KINDS = frozenset(CoreKind(number) for number in range(6))
ENUMERATOR_KINDS = frozenset({CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE})


class Found(NamedTuple):
    """What one type has: a field, an enumerator (``number`` its value) or the type itself. ``type_id`` is its root."""

    type_id: int
    path: Path | None = None
    number: int = 0


class Number(NamedTuple):
    """An answer, 64 bits unsigned. ``is_certain``: the compiler's instruction holds just this number.

    ``size`` and ``type`` are those of the field at a byte offset: 0 and None where the instruction's width stays.
    """

    value: int
    is_certain: bool = True
    size: int = 0
    type: BtfType | None = None


class Answer(NamedTuple):
    """``before`` is what the instruction holds, ``after`` what belongs there; None: it must not be reached."""

    before: Number
    after: Number | None

    @property
    def changes_size(self) -> bool:
        """A load or store of the field must become wider or narrower."""
        return self.after is not None and self.before.size != self.after.size

    @property
    def keeps_value(self) -> bool:
        """A load of another width gives the same value: pointers, and numbers without a sign."""
        if not self.changes_size or self.after is None:
            return True
        one, two = self.before.type, self.after.type
        if isinstance(one, Int) and isinstance(two, Int):
            return one.encoding != INT_SIGNED and two.encoding != INT_SIGNED
        return isinstance(one, Ptr) and isinstance(two, Ptr)


def candidates(own: Btf, type_id: int, other: Btf) -> list[int]:
    """The types of ``other`` that have the name of an own type, flavours aside, and its kind.

    Raises: LinkError where the type has no name, ObjectError.
    """
    root = own.get(type_id)
    if not name_of(root):
        raise LinkError(f"type without a name: [{type_id}]")
    named = other.ids_of_flavours(essential_name(name_of(root)))
    return [each for each in named if are_kinds_alike(root, other.types[each])]


def find_own(own: Btf, record: CoreRelocation) -> Found:
    """What a relocation asks about, in the object's own types. Raises LinkError, ObjectError."""
    if record.kind in FIELD_KINDS:
        return Found(record.type_id, read_path(own, record.type_id, record.access))
    if record.kind in ENUMERATOR_KINDS:
        index, *others = indices(record.access)
        each = own.resolved(record.type_id)
        if not isinstance(each, ENUMS) or others or index >= len(each.values):
            raise LinkError(f"access path names no enumerator: {record.access[:80]}")
        return Found(record.type_id, number=_enumerator_number(each, index))
    if record.access != "0":
        raise LinkError(f"malformed access path: {record.access[:80]} (0)")
    own.get(record.type_id)
    return Found(record.type_id)


def find_other(
    own: Btf, record: CoreRelocation, asked: Found, other: Btf, candidate: int, budget: Budget
) -> Found | None:
    """The same in a candidate; None where it has no such thing. Raises LinkError, ObjectError."""
    if asked.path is not None:
        path = match_path(own, asked.path, other, candidate, budget)
        return None if path is None else Found(candidate, path)
    if record.kind in ENUMERATOR_KINDS:
        mine, theirs = own.resolved(record.type_id), other.resolved(candidate)
        if not isinstance(mine, ENUMS) or not isinstance(theirs, ENUMS):
            return None
        name = essential_name(mine.values[int(record.access)].name)
        budget.spend(len(theirs.values))
        for index, each in enumerate(theirs.values):
            if essential_name(each.name) == name:
                return Found(candidate, number=_enumerator_number(theirs, index))
        return None
    compare = do_types_match if record.kind == CoreKind.TYPE_MATCHES else are_types_compatible
    return Found(candidate) if compare(own, record.type_id, other, candidate, budget) else None


def _enumerator_number(enum: Enum | Enum64, index: int) -> int:
    """An enumerator's value in 64 bits; one of 32 bits counts as signed even where its enum is not."""
    value = enum.values[index].value
    if isinstance(enum, Enum):
        value = (value & _U32) - ((value & 0x80000000) << 1)
    return value & _U64


def decide(own: Btf, record: CoreRelocation, asked: Found, other: Btf, found: Iterable[Found]) -> Answer:
    """The answer from all candidates that have what is asked for. Raises LinkError where they differ, ObjectError."""
    before = _number(own, record, asked)
    if before is None:
        raise LinkError("no answer in the object's own types")
    after: Number | None = None
    first: Found | None = None
    for each in found:
        number = _number(other, record, each)
        if first is None:
            first, after = each, number
        elif _offset(each) != _offset(first):
            raise LinkError(f"ambiguous: bit offset {_offset(each)} and {_offset(first)}")
        elif (number is None) != (after is None) or (number and after and number.value != after.value):
            raise LinkError(f"ambiguous: {number and number.value} and {after and after.value}")
    if first is None:
        after = Number(0) if _may_be_absent(record.kind) else None
    return Answer(before, after)


def _offset(found: Found) -> int:
    return found.path.bit_offset if found.path is not None else 0


def _may_be_absent(kind: int) -> bool:
    return kind in (CoreKind.FIELD_EXISTS, CoreKind.ENUMVAL_EXISTS) or kind not in FIELD_KINDS | ENUMERATOR_KINDS


def _number(btf: Btf, record: CoreRelocation, found: Found) -> Number | None:
    match record.kind:
        case CoreKind.FIELD_EXISTS | CoreKind.TYPE_EXISTS | CoreKind.TYPE_MATCHES | CoreKind.ENUMVAL_EXISTS:
            return Number(1)
        case CoreKind.TYPE_ID_LOCAL | CoreKind.TYPE_ID_TARGET:
            return Number(found.type_id, is_certain=False)
        case CoreKind.TYPE_SIZE:
            return Number(size_of(btf, found.type_id) & _U64)
        case CoreKind.ENUMVAL_VALUE:
            return Number(found.number)
    if found.path is None:
        return None
    if not found.path.steps[-1].name:
        return _element_number(btf, record.kind, found.path)
    return _member_number(btf, record.kind, found.path)


def _element_number(btf: Btf, kind: int, path: Path) -> Number:
    type_id = path.steps[-1].type_id
    if kind == CoreKind.FIELD_BYTE_OFFSET:
        return Number(path.bit_offset // 8, True, _access_size(btf, type_id), btf.types[type_id])
    if kind == CoreKind.FIELD_BYTE_SIZE:
        return Number(size_of(btf, type_id) & _U64)
    raise LinkError("an array's element has only an offset and a size")


def _member_number(btf: Btf, kind: int, path: Path) -> Number:
    owner = btf.types[path.steps[-1].type_id]
    assert isinstance(owner, COMPOSITES)
    member = owner.members[path.steps[-1].number]
    type_id = btf.resolve(member.type_id)
    each = btf.types[type_id]
    width, is_bitfield = member.bitfield_size, member.bitfield_size > 0
    if is_bitfield:
        offset, size = _bitfield_bytes(path.bit_offset, width, size_of(btf, type_id))
    else:
        offset, size = path.bit_offset // 8, size_of(btf, type_id)
        width = size * 8
    match kind:
        case CoreKind.FIELD_BYTE_OFFSET:
            if is_bitfield:
                return Number(offset, is_certain=False)
            return Number(offset, True, _access_size(btf, type_id), each)
        case CoreKind.FIELD_BYTE_SIZE:
            return Number(size & _U64, not is_bitfield)
        case CoreKind.FIELD_SIGNED:
            return Number(int((isinstance(each, Enum | Enum64 | Int)) and each.is_signed))
        case CoreKind.FIELD_LSHIFT_U64:
            return Number((64 - (path.bit_offset + width - offset * 8)) & _U32, not is_bitfield)
        case _:
            return Number((64 - width) & _U32)


def _bitfield_bytes(bit_offset: int, width: int, size: int) -> tuple[int, int]:
    """Where the smallest aligned integer that holds the bits begins, and its bytes. Raises LinkError."""
    if size not in (1, 2, 4, 8, 16):
        raise LinkError(f"bit field in a type of {size} bytes")
    while True:
        offset = bit_offset // 8 // size * size
        if bit_offset + width <= (offset + size) * 8:
            return offset, size
        if size >= 8:
            raise LinkError(f"bit field across more than 8 bytes: {width} bits at bit {bit_offset}")
        size *= 2


def _access_size(btf: Btf, type_id: int) -> int:
    """Bytes of one load of a value: of arrays, those of an element."""
    type_id = btf.resolve(type_id)
    for _ in range(64):
        each = btf.types[type_id]
        if not isinstance(each, Array):
            break
        type_id = btf.resolve(each.type_id)
    return size_of(btf, type_id)
