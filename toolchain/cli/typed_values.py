"""Bytes as values of their type: numbers, strings, lists and dictionaries.

One walk over the type, two ways of writing what it finds:

                       for people (typed_value)          for scripts (bpftool_value)
    bitfield           5, -1                             "0x5": hex digits without a sign
    __int128           a number                          "0x..."
    pointer            0xffff8880..                      a number
    bool               true, or the byte that is none    true, whatever is not 0
    char[8] "eth0"     string                            string, if a zero ends it
    .data, .bss        {counter: 7}                      {".data": [{"counter": 7}]}

The latter is what ``bpftool -j map dump`` writes under "formatted", key by key, so that a script need not know which
of the two it reads. Where bpftool's text is no JSON, there is a value all the same: floating point numbers (it breaks
off), members without a name (it gives several the name ""; here their fields stand in the structure around them).

Source of bpftool's forms: tools/bpf/bpftool/btf_dumper.c of Linux 6.12, btf_dumper_int(), btf_dumper_bitfield(),
btf_dumper_enum(), is_str_array(), btf_dumper_datasec(); and its own output (tests/kernel/test_map_dump.py).
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.btf.types import Array, Datasec, Enum, Enum64, Int, Member

_MAX_DEPTH = 16
_MAX_FIELDS = 20_000
_FLOATS = {2: "e", 4: "f", 8: "d"}


def hex_list(data: bytes) -> list[str]:
    """Bytes as bpftool's JSON gives them."""
    return [f"0x{byte:02x}" for byte in data]


def typed_value(btf: Btf, type_id: int, data: bytes) -> Any:
    """``data`` as a value of the type, for people.

    What the type does not cover, or does not fit, comes out as a list of bytes; so does the rest of a type so large
    or so deeply nested that only an attacker can have made it.
    """
    return _Formatter(btf).value(type_id, data, 0)


def bpftool_value(btf: Btf, type_id: int, data: bytes) -> Any:
    """The same as bpftool writes it, ready for JSON."""
    return _BpftoolFormatter(btf).value(type_id, data, 0)


def _number(data: bytes, is_signed: bool = False) -> int:
    return int.from_bytes(data, sys.byteorder, signed=is_signed)


class _Formatter:
    """Takes a value apart by its type, as long as the budget of fields lasts. The methods below are the forms."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._left = _MAX_FIELDS

    def value(self, type_id: int, data: bytes, depth: int) -> Any:
        from toolchain.btf.types import Array, Datasec, Enum, Enum64, Float, Int, Ptr, Struct, Union

        self._left -= 1
        size = self._btf.size_of(type_id)
        if self._left < 0 or depth > _MAX_DEPTH or not 0 < size <= len(data):
            return [] if size == 0 and isinstance(self._btf.resolved(type_id), Array) else hex_list(data)
        each = self._btf.resolved(type_id)
        match each:
            case Int():
                return self.integer(each, data[: each.size])
            case Enum() | Enum64():
                return self.enumerator(each, data[: each.size])
            case Ptr():
                return self.pointer(_number(data[:8]))
            case Float():
                return _real(data[: each.size])
            case Array():
                return self.array(each, data, depth)
            case Struct() | Union():
                return self.members(each.members, data, depth)
            case Datasec():
                return self.section(each, data, depth)
        return hex_list(data[:size])

    def integer(self, each: Int, data: bytes) -> Any:
        if each.bits != 8 * each.size or each.bit_offset:
            return self.bits(_number(data) >> each.bit_offset, each.bits, each.is_signed)
        number = _number(data, each.is_signed)
        return bool(number) if each.is_bool and number in (0, 1) else number

    def bits(self, whole: int, width: int, is_signed: bool) -> Any:
        number = whole & ((1 << width) - 1)
        return number - (1 << width) if is_signed and number >> (width - 1) else number

    def enumerator(self, each: Enum | Enum64, data: bytes) -> Any:
        number = _number(data, each.is_signed)
        return next((name.name for name in each.values if name.value == number), self.unnamed(data, number))

    def unnamed(self, data: bytes, number: int) -> int:
        return number

    def pointer(self, number: int) -> Any:
        return f"0x{number:x}"

    def is_text(self, data: bytes) -> bool:
        text = data.rstrip(b"\0")
        return b"\0" not in text and text.isascii() and text.decode().isprintable()

    def array(self, each: Array, data: bytes, depth: int) -> Any:
        from toolchain.btf.types import Int

        size, element = self._btf.size_of(each.type_id), self._btf.resolved(each.type_id)
        if isinstance(element, Int) and element.name == "char" and self.is_text(data[: each.count]):
            return data[: each.count].split(b"\0", 1)[0].decode()
        return [self.value(each.type_id, data[at : at + size], depth + 1) for at in range(0, size * each.count, size)]

    def members(self, members: Sequence[Member], data: bytes, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for member in members:
            if self._left < 0:
                break
            value = self._member(member, data, depth)
            if not member.name and isinstance(value, dict):
                values |= value
            elif member.name or not member.bitfield_size:
                values[member.name] = value
        return values

    def _member(self, member: Member, data: bytes, depth: int) -> Any:
        if member.bitfield_size:
            self._left -= 1
            is_signed = getattr(self._btf.resolved(member.type_id), "is_signed", False)
            return self.bits(_number(data) >> member.bit_offset, member.bitfield_size, is_signed)
        start = member.bit_offset // 8
        part = data[start : start + self._btf.size_of(member.type_id)]
        return self.value(member.type_id, part, depth + 1)

    def section(self, each: Datasec, data: bytes, depth: int) -> Any:
        from toolchain.btf.types import Var

        values: dict[str, Any] = {}
        for place in each.variables:
            variable = self._btf.get(place.type_id)
            if isinstance(variable, Var):
                part = data[place.offset : place.offset + place.size]
                values[variable.name] = self.value(variable.type_id, part, depth + 1)
        return values


class _BpftoolFormatter(_Formatter):
    """bpftool's forms."""

    def integer(self, each: Int, data: bytes) -> Any:
        if each.is_bool:
            return any(data)
        if each.size > 8 and each.bits == 8 * each.size:
            return f"0x{_number(data):x}"
        return super().integer(each, data)

    def bits(self, whole: int, width: int, is_signed: bool) -> Any:
        return f"0x{whole & ((1 << width) - 1):x}"

    def unnamed(self, data: bytes, number: int) -> int:
        return _number(data, is_signed=True)

    def pointer(self, number: int) -> Any:
        return number

    def is_text(self, data: bytes) -> bool:
        text, end, _ = data.partition(b"\0")
        return bool(end) and all(0x1F < byte < 0x7F for byte in text)

    def section(self, each: Datasec, data: bytes, depth: int) -> Any:
        values = super().section(each, data, depth)
        return {each.name: [{name: value} for name, value in values.items()]}


def _real(data: bytes) -> Any:
    """A floating point number; what JSON has no number for as a word, what Python cannot read as bytes."""
    if len(data) not in _FLOATS:
        return hex_list(data)
    number: float = struct.unpack(f"={_FLOATS[len(data)]}", data)[0]
    return number if math.isfinite(number) else str(number)
