"""Types to the bytes of a ``.BTF`` section; the layout is in types.py and codec.py."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

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


def encode_types(
    types: Sequence[BtfType], offsets: dict[str, int], strings: bytearray, endian: str, place: SectionPlace
) -> bytes:
    """A ``.BTF`` section of ``types``.

    ``strings`` begins with what others refer to, indexed by ``offsets``; both grow.
    """

    def intern(text: str) -> int:
        if not text:
            return 0
        offset = offsets.get(text)
        if offset is None:
            offset = offsets[text] = len(strings)
            strings.extend(text.encode("utf-8") + b"\0")
        return offset

    mark = "<" if endian == "little" else ">"
    words: list[int] = []
    for type_id, each in enumerate(types):
        if type_id == 0:
            continue
        start = len(words)
        try:
            _encode_type(each, intern, words)
            if "\0" in name_of(each):
                raise ValueError("name holds a zero byte")
            for word in words[start:]:
                if not 0 <= word <= 0xFFFFFFFF:
                    raise ValueError(f"number does not fit in 32 bits: {word}")
        except ValueError as error:
            raise ObjectError(f"type {type_id} ({each.kind.name.lower()}): {error}", place) from error
    body = struct.pack(f"{mark}{len(words)}I", *words)
    header = struct.pack(f"{mark}HBBIIIII", MAGIC, 1, 0, HEADER_SIZE, 0, len(body), len(body), len(strings))
    return header + body + bytes(strings)


def _encode_type(each: BtfType, intern: Callable[[str], int], words: list[int]) -> None:
    """Append the words of one type."""
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
    words += (intern(name_of(each)), flag << 31 | each.kind << 24 | count, word)
    words += extra
