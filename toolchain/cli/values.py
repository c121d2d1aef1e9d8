"""Keys and values of maps: words of a command line to bytes, and bytes to something readable.

In:     hex 0a 00 00 01 | hex 0a000001 | 0a:00:00:01      bytes as they stand
        10 0 0 1                                          as many numbers as bytes: one byte each
        167772161 | 0x0a000001                            one number of the whole size, in the machine's byte order
        3 222                                             k numbers, each of size / k bytes (2, 4 or 8)

Out:    by type information, where the map has it; else bytes, and numbers where the size suggests them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toolchain.errors import UsageError

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.btf.types import Member, VarSecinfo

_MAX_DEPTH = 16
_MAX_FIELDS = 20_000


def parse_bytes(words: Sequence[str], size: int, what: str) -> bytes:
    """The bytes that ``words`` mean for a key or value of ``size`` bytes. Raises UsageError."""
    data = _hex_bytes(words)
    if data is None:
        data = _number_bytes(words, size, what)
    if len(data) != size:
        raise UsageError(f"{what} of the wrong size: {len(data)} bytes ({size})")
    return data


def _hex_bytes(words: Sequence[str]) -> bytes | None:
    """Bytes written as such; None where the words are numbers."""
    if words and words[0] == "hex":
        digits = "".join(word.removeprefix("0x").rjust(2, "0") for word in words[1:])
    elif len(words) == 1 and ":" in words[0]:
        digits = "".join(part.rjust(2, "0") for part in words[0].split(":"))
    else:
        return None
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise UsageError(f"no hex bytes: {' '.join(words)}") from None


def _number_bytes(words: Sequence[str], size: int, what: str) -> bytes:
    count = len(words)
    width = 1 if count == size else size // count if count and size % count == 0 else 0
    if width == 0 or (width > 1 and count > 1 and width not in (2, 4, 8)):
        text = f"{what} takes {size} bytes, or numbers that fill them: {count} given"
        raise UsageError(text, hint="as bytes: hex 0a 00 ..; as one number: 10")
    data = b""
    for word in words:
        try:
            number = int(word, 0)
            data += number.to_bytes(width, sys.byteorder, signed=number < 0)
        except ValueError:
            raise UsageError(f"no number: {word}") from None
        except OverflowError:
            raise UsageError(f"number too large for {width} bytes: {word}") from None
    return data


def hex_list(data: bytes) -> list[str]:
    """Bytes as bpftool's JSON gives them."""
    return [f"0x{byte:02x}" for byte in data]


def plain_text(data: bytes, btf: Btf | None, type_id: int) -> str:
    """A key or value for people."""
    if btf is not None and type_id:
        return typed_text(typed_value(btf, type_id, data))
    if len(data) in (1, 2, 4, 8):
        return str(int.from_bytes(data, sys.byteorder))
    text = data.hex(" ")
    if data and len(data) % 8 == 0 and len(data) <= 64:
        numbers = (int.from_bytes(data[at : at + 8], sys.byteorder) for at in range(0, len(data), 8))
        return f"{text} ({' '.join(map(str, numbers))})"
    return text


def typed_text(value: object) -> str:
    """A typed value on one line: {packets: 3, bytes: 222}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {typed_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(typed_text, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def typed_value(btf: Btf, type_id: int, data: bytes) -> Any:
    """``data`` as a value of the type: numbers, strings, lists and dictionaries, ready for JSON.

    What the type does not cover, or does not fit, comes out as a list of bytes; so does the rest of a type so large
    or so deeply nested that only an attacker can have made it.
    """
    return _Formatter(btf).value(type_id, data, 0)


class _Formatter:
    """Takes a value apart by its type, as long as the budget of fields lasts."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._left = _MAX_FIELDS

    def value(self, type_id: int, data: bytes, depth: int) -> Any:
        from toolchain.btf.types import Array, Datasec, Enum, Enum64, Int, Ptr, Struct, Union

        self._left -= 1
        size = self._btf.size_of(type_id)
        if self._left < 0 or depth > _MAX_DEPTH or not 0 < size <= len(data):
            return hex_list(data)
        each = self._btf.resolved(type_id)
        match each:
            case Int():
                number = int.from_bytes(data[: each.size], sys.byteorder, signed=each.is_signed)
                return bool(number) if each.is_bool and number in (0, 1) else number
            case Enum() | Enum64():
                number = int.from_bytes(data[: each.size], sys.byteorder, signed=each.is_signed)
                return next((name.name for name in each.values if name.value == number), number)
            case Ptr():
                return f"0x{int.from_bytes(data[:8], sys.byteorder):x}"
            case Array():
                return self._array(each.type_id, each.count, data, depth)
            case Struct() | Union():
                return self._members(each.members, data, depth)
            case Datasec():
                return self._section(each.variables, data, depth)
        return hex_list(data[:size])

    def _array(self, type_id: int, count: int, data: bytes, depth: int) -> Any:
        from toolchain.btf.types import Int

        size, element = self._btf.size_of(type_id), self._btf.resolved(type_id)
        if isinstance(element, Int) and element.name == "char":
            text = data[:count].rstrip(b"\0")
            if b"\0" not in text and text.isascii() and text.decode().isprintable():
                return text.decode()
        return [self.value(type_id, data[at : at + size], depth + 1) for at in range(0, size * count, size)]

    def _members(self, members: Sequence[Member], data: bytes, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for member in members:
            if self._left < 0:
                break
            if member.bitfield_size:
                self._left -= 1
                whole = int.from_bytes(data, sys.byteorder) >> member.bit_offset
                value: Any = whole & ((1 << member.bitfield_size) - 1)
            else:
                start = member.bit_offset // 8
                part = data[start : start + self._btf.size_of(member.type_id)]
                value = self.value(member.type_id, part, depth + 1)
            if not member.name and isinstance(value, dict):
                values |= value
            else:
                values[member.name] = value
        return values

    def _section(self, variables: Sequence[VarSecinfo], data: bytes, depth: int) -> dict[str, Any]:
        from toolchain.btf.types import Var

        values: dict[str, Any] = {}
        for each in variables:
            variable = self._btf.get(each.type_id)
            if isinstance(variable, Var):
                part = data[each.offset : each.offset + each.size]
                values[variable.name] = self.value(variable.type_id, part, depth + 1)
        return values
