"""Tables of strings in an object, read and made: each ends with a zero byte, others refer to them by offset.

Any offset is good, so linkers let a string share the end of a longer one. That is also a trap: a thousand offsets
into one string of a megabyte are a gigabyte of text. Distinct offsets together give at most ``BUDGET`` times the
table's size.
"""

from __future__ import annotations

import re
from typing import Final

from toolchain.errors import ObjectError, SectionPlace

BUDGET: Final = 4
_FREE: Final = 1 << 16
"""Characters that a table may give in any case."""
_MAX_PLACES: Final = 256
_FLAVOUR = re.compile(r"(.*[^_])___[^_]", re.DOTALL)


def essential_name(name: str) -> str:
    """A type's name without its flavour, which does not count: ``task_struct___old`` -> ``task_struct``.

    Source: libbpf 1.7, src/libbpf.c, bpf_core_essential_name_len().
    """
    found = _FLAVOUR.match(name)
    return found[1] if found else name


class StringTable:
    """The strings in ``data``. Bytes that are no UTF-8 come out as backslash escapes."""

    __slots__ = ("_cache", "_left", "_place", "data")

    def __init__(self, data: bytes, place: SectionPlace) -> None:
        self.data = data
        self._place = place
        self._cache: dict[int, str] = {}
        self._left = BUDGET * len(data) + _FREE

    def at(self, offset: int) -> str:
        """The string that begins at ``offset``. Raises ObjectError where there is none."""
        text = self._cache.get(offset)
        if text is None:
            data = self.data
            end = data.find(b"\0", offset) if offset < len(data) else -1
            if end < 0:
                raise ObjectError(f"string offset beyond the strings: {offset} (below {len(data)})", self._place)
            self._left -= end - offset
            if self._left < 0:
                message = f"strings that overlap too much: over {BUDGET} times the table's {len(data)} bytes"
                raise ObjectError(message, self._place)
            text = self._cache[offset] = data[offset:end].decode("utf-8", "backslashreplace")
        return text

    def offsets_of(self, text: str) -> list[int] | None:
        """Every offset at which ``text`` may be read, in order; None where they are too many to look for."""
        wanted = text.encode("utf-8", "surrogateescape") + b"\0"
        found: list[int] = []
        offset = self.data.find(wanted)
        while offset >= 0:
            if len(found) == _MAX_PLACES:
                return None
            found.append(offset)
            offset = self.data.find(wanted, offset + 1)
        return found

    def __len__(self) -> int:
        return len(self.data)


class StringBuilder:
    """A table under construction: ``add`` gives a string's offset, ``data`` is the table so far. Offset 0 is ''."""

    __slots__ = ("_offsets", "data")

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._offsets: dict[str, int] = {"": 0}

    def add(self, text: str) -> int:
        """The offset of ``text``. Raises ValueError where a table cannot hold it."""
        offset = self._offsets.get(text)
        if offset is None:
            raw = text.encode("utf-8")
            if b"\0" in raw:
                raise ValueError(f"name holds a zero byte: {text!r}")
            offset = self._offsets[text] = len(self.data)
            self.data += raw + b"\0"
        return offset
