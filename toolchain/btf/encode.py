"""Types to the bytes of a ``.BTF`` section; the layout is in types.py and codec.py."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from toolchain.btf.strings import StringBuilder
from toolchain.btf.types import (
    HEADER_SIZE,
    MAGIC,
    Array,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    Void,
    Volatile,
    name_of,
)  # fmt: skip
from toolchain.errors import ObjectError, SectionPlace


def encode_types(types: Sequence[BtfType], strings: StringBuilder, endian: str, place: SectionPlace) -> bytes:
    """A ``.BTF`` section of ``types``. ``strings`` may hold what others refer to; names are added to it."""
    words: list[int] = []
    for type_id, each in enumerate(types):
        if type_id:
            try:
                words += encode_type(each, strings.add)
            except ValueError as error:
                raise ObjectError(f"type {type_id} ({each.kind.name.lower()}): {error}", place) from error
    mark = "<" if endian == "little" else ">"
    return frame(struct.pack(f"{mark}{len(words)}I", *words), bytes(strings.data), endian)


def frame(types: bytes, strings: bytes, endian: str) -> bytes:
    """A ``.BTF`` section of types and strings."""
    mark = "<" if endian == "little" else ">"
    header = struct.pack(f"{mark}HBBIIIII", MAGIC, 1, 0, HEADER_SIZE, 0, len(types), len(types), len(strings))
    return header + types + strings


def encode_type(each: BtfType, intern: Callable[[str], int]) -> list[int]:
    """The words of one type. Raises ValueError where something does not fit its place."""
    count, flag, word = 0, False, 0
    extra: list[int] = []
    match each:
        case Int():
            word = each.size
            extra = [each.encoding << 24 | each.bit_offset << 16 | each.bits]
        case Ptr() | Volatile() | Const() | Restrict() | Typedef():
            word = each.type_id
        case Array():
            extra = [each.type_id, each.index_type_id, each.count]
        case Struct() | Union():
            word, count, flag = each.size, len(each.members), each.kind_flag
            for member in each.members:
                if member.bitfield_size and not flag:
                    raise ValueError("bit-field size without kind_flag")
                if flag and member.bit_offset > 0xFFFFFF:
                    raise ValueError(f"bit offset does not fit in 24 bits: {member.bit_offset}")
                extra += (intern(member.name), member.type_id, member.bitfield_size << 24 | member.bit_offset)
        case Enum():
            word, count, flag = each.size, len(each.values), each.is_signed
            for value in each.values:
                extra += (intern(value.name), value.value & 0xFFFFFFFF)
        case Enum64():
            word, count, flag = each.size, len(each.values), each.is_signed
            for value in each.values:
                extra += (intern(value.name), value.value & 0xFFFFFFFF, value.value >> 32 & 0xFFFFFFFF)
        case Fwd():
            flag = each.is_union
        case Func():
            word, count = each.type_id, each.linkage
        case FuncProto():
            word, count = each.type_id, len(each.params)
            for param in each.params:
                extra += (intern(param.name), param.type_id)
        case Var():
            word, extra = each.type_id, [each.linkage]
        case Datasec():
            word, count = each.size, len(each.variables)
            for variable in each.variables:
                extra += (variable.type_id, variable.offset, variable.size)
        case Float():
            word = each.size
        case DeclTag():
            word, flag, extra = each.type_id, each.kind_flag, [each.component_index & 0xFFFFFFFF]
        case TypeTag():
            word, flag = each.type_id, each.kind_flag
        case Void():
            raise ValueError("void has no encoding")
    if count > 0xFFFF:
        raise ValueError(f"too many elements: {count} (at most 65535)")
    words = [intern(name_of(each)), flag << 31 | each.kind << 24 | count, word, *extra]
    for number in words:
        if not 0 <= number <= 0xFFFFFFFF:
            raise ValueError(f"number does not fit in 32 bits: {number}")
    return words
