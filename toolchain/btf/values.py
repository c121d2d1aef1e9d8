"""Bytes as values of their type, and back: numbers, strings, lists and dictionaries.

    int, bitfield     5, -1                      pointer    "0xffff8880.."
    enum              "GREEN", or 7              char[8]    "eth0", a list where it is no text
    bool              true                       array      [1, 2]
    struct, union     {"packets": 3}             .data      {"counter": 7}
    float, double     1.5, "inf"

The way back takes all of these forms: missing fields are zero, a name that there is not is an error that names it.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Mapping, Sequence
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
    return Formatter(btf).value(type_id, data, 0)


def number_of(data: bytes, is_signed: bool = False) -> int:
    """A number of any size, in the machine's byte order."""
    return int.from_bytes(data, sys.byteorder, signed=is_signed)


class Formatter:
    """Takes a value apart by its type, as long as the budget of fields lasts; a method for each form."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._left = _MAX_FIELDS

    def value(self, type_id: int, data: bytes, depth: int) -> Any:
        """A value of any type."""
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
                return self.pointer(number_of(data[:8]))
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
        """An integer, a bool, or one of which only some bits count."""
        if each.bits != 8 * each.size or each.bit_offset:
            return self.bits(number_of(data) >> each.bit_offset, each.bits, each.is_signed)
        number = number_of(data, each.is_signed)
        return bool(number) if each.is_bool and number in (0, 1) else number

    def bits(self, whole: int, width: int, is_signed: bool) -> Any:
        """The lowest ``width`` bits of a number."""
        number = whole & ((1 << width) - 1)
        return number - (1 << width) if is_signed and number >> (width - 1) else number

    def enumerator(self, each: Enum | Enum64, data: bytes) -> Any:
        """An enumerator's name, or a number that has none."""
        number = number_of(data, each.is_signed)
        return next((name.name for name in each.values if name.value == number), self.unnamed(data, number))

    def unnamed(self, data: bytes, number: int) -> int:
        """An enumeration's value that is no enumerator's."""
        return number

    def pointer(self, number: int) -> Any:
        """An address."""
        return f"0x{number:x}"

    def is_text(self, data: bytes) -> bool:
        """Whether an array of char is shown as a string."""
        text = data.rstrip(b"\0")
        return b"\0" not in text and text.isascii() and text.decode().isprintable()

    def array(self, each: Array, data: bytes, depth: int) -> Any:
        """A list, or a string."""
        from toolchain.btf.types import Int

        size, element = self._btf.size_of(each.type_id), self._btf.resolved(each.type_id)
        if isinstance(element, Int) and element.name == "char" and self.is_text(data[: each.count]):
            return data[: each.count].split(b"\0", 1)[0].decode()
        return [self.value(each.type_id, data[at : at + size], depth + 1) for at in range(0, size * each.count, size)]

    def members(self, members: Sequence[Member], data: bytes, depth: int) -> dict[str, Any]:
        """A structure or union; fields of members without a name stand beside the others."""
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
            return self.bits(number_of(data) >> member.bit_offset, member.bitfield_size, is_signed)
        start = member.bit_offset // 8
        part = data[start : start + self._btf.size_of(member.type_id)]
        return self.value(member.type_id, part, depth + 1)

    def section(self, each: Datasec, data: bytes, depth: int) -> Any:
        """A data section's variables."""
        from toolchain.btf.types import Var

        values: dict[str, Any] = {}
        for place in each.variables:
            variable = self._btf.get(place.type_id)
            if isinstance(variable, Var):
                part = data[place.offset : place.offset + place.size]
                values[variable.name] = self.value(variable.type_id, part, depth + 1)
        return values


def _real(data: bytes) -> Any:
    """A floating point number; what JSON has no number for as a word, what Python cannot read as bytes."""
    if len(data) not in _FLOATS:
        return hex_list(data)
    number: float = struct.unpack(f"={_FLOATS[len(data)]}", data)[0]
    return number if math.isfinite(number) else str(number)


def packed_value(btf: Btf, type_id: int, value: Any) -> bytes:
    """A value as the bytes of its type. Raises ValueError, which names the field and what it may hold."""
    data = bytearray(btf.size_of(type_id))
    _pack(btf, type_id, value, memoryview(data), "value", 0)
    return bytes(data)


def _pack(btf: Btf, type_id: int, value: Any, into: memoryview, path: str, depth: int) -> None:
    from toolchain.btf.types import Array, Enum, Enum64, Float, Int, Ptr, Struct, Union

    size = btf.size_of(type_id)
    into = into[:size]
    if depth > _MAX_DEPTH:
        raise ValueError(f"{path}: type nested too deeply")
    if isinstance(value, bytes):
        if len(value) != size:
            raise ValueError(f"{path}: {len(value)} bytes ({size})")
        into[:] = value
        return
    each = btf.resolved(type_id)
    match each:
        case Int():
            _pack_number(_as_number(value, path), each.size, each.is_signed, into, path)
        case Enum() | Enum64():
            named = {one.name: one.value for one in each.values}
            if isinstance(value, str) and value not in named:
                raise ValueError(f"{path}: no enumerator: {value} ({', '.join(list(named)[:8])})")
            _pack_number(named[value] if isinstance(value, str) else _as_number(value, path), size, each.is_signed,
                         into, path)  # fmt: skip
        case Ptr():
            _pack_number(_as_number(value, path), size, False, into, path)
        case Float() if size in _FLOATS:
            into[:] = struct.pack(f"={_FLOATS[size]}", float(value))
        case Array():
            _pack_array(btf, each, value, into, path, depth)
        case Struct() | Union():
            _pack_members(btf, each.members, value, into, path, depth)
        case _:
            raise ValueError(f"{path}: a value of this type is given as {size} bytes")


def _as_number(value: Any, path: str) -> int:
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            raise ValueError(f"{path}: no number: {value}") from None
    if not isinstance(value, int):
        raise ValueError(f"{path}: no number: {value!r}")
    return int(value)


def _pack_number(number: int, size: int, is_signed: bool, into: memoryview, path: str) -> None:
    try:
        into[:size] = number.to_bytes(size, sys.byteorder, signed=is_signed or number < 0)
    except OverflowError:
        raise ValueError(f"{path}: number too large for {size} bytes: {number}") from None


def _pack_array(btf: Btf, each: Array, value: Any, into: memoryview, path: str, depth: int) -> None:
    if isinstance(value, str):
        raw = value.encode()
        if btf.size_of(each.type_id) != 1 or len(raw) > each.count:
            raise ValueError(f"{path}: text of {len(raw)} bytes ({each.count} characters)")
        into[: len(raw)] = raw
        return
    if not isinstance(value, Sequence) or len(value) > each.count:
        raise ValueError(f"{path}: no list of {each.count} elements: {value!r}")
    size = btf.size_of(each.type_id)
    for at, one in enumerate(value):
        _pack(btf, each.type_id, one, into[at * size : (at + 1) * size], f"{path}[{at}]", depth + 1)


def _pack_members(btf: Btf, members: Sequence[Member], value: Any, into: memoryview, path: str, depth: int) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: fields by name are needed ({', '.join(_names(btf, members, depth))}): {value!r}")
    known = _names(btf, members, depth)
    unknown = [name for name in value if name not in known]
    if unknown:
        raise ValueError(f"{path}: no field: {unknown[0]} ({', '.join(known)})")
    for member in members:
        where = f"{path}.{member.name}"
        if not member.name:
            inner = {name: value[name] for name in _inner_names(btf, member, depth) if name in value}
            if inner:
                _pack(btf, member.type_id, inner, into[member.bit_offset // 8 :], path, depth + 1)
        elif member.name in value and member.bitfield_size:
            _pack_bits(member, _as_number(value[member.name], where), into, where)
        elif member.name in value:
            _pack(btf, member.type_id, value[member.name], into[member.bit_offset // 8 :], where, depth + 1)


def _pack_bits(member: Member, number: int, into: memoryview, path: str) -> None:
    width = member.bitfield_size
    if not -(1 << (width - 1)) <= number < 1 << width:
        raise ValueError(f"{path}: number too large for {width} bits: {number}")
    mask = ((1 << width) - 1) << member.bit_offset
    whole = number_of(bytes(into)) & ~mask | (number << member.bit_offset) & mask
    into[:] = whole.to_bytes(len(into), sys.byteorder)


def _names(btf: Btf, members: Sequence[Member], depth: int) -> list[str]:
    """The names of fields that a structure may be given by, those of members without a name included.

    Raises: ValueError for types that multiply without end.
    """
    from toolchain.btf.types import Struct, Union

    names: list[str] = []
    waiting = [(member, depth) for member in reversed(members)]
    for _ in range(_MAX_FIELDS):
        if not waiting:
            return names
        member, level = waiting.pop()
        inner = None if member.name else btf.resolved(member.type_id)
        if member.name:
            names.append(member.name)
        elif isinstance(inner, Struct | Union) and level < _MAX_DEPTH:
            waiting += [(each, level + 1) for each in reversed(inner.members)]
    raise ValueError(f"a structure of more than {_MAX_FIELDS} fields")


def _inner_names(btf: Btf, member: Member, depth: int) -> list[str]:
    from toolchain.btf.types import Struct, Union

    inner = btf.resolved(member.type_id)
    return _names(btf, inner.members, depth + 1) if isinstance(inner, Struct | Union) else []
