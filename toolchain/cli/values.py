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
from typing import TYPE_CHECKING

from toolchain.cli.typed_values import typed_value
from toolchain.errors import UsageError

if TYPE_CHECKING:
    from toolchain.btf import Btf


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
