"""Type information with undefined symbols, as compilers write it, in a form that the kernel takes.

    undefined function (.ksyms)             a global one, all of whose parameters have names
    undefined variable                      an integer
    DATASEC that lists undefined symbols    a struct of integers

Every replacement takes as many words as what it replaces, so ids and strings stay as they are. Never raises: what does
not have the form of type information is given back as it came, for the kernel to refuse.

Source: libbpf.c, bpf_object__collect_externs(), for what loaders mend; kernel/bpf/btf.c, btf_func_check(), for why.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence

from toolchain.btf.types import Kind

_HEADER = struct.Struct("<HBBIIIII")
_FIXED: dict[int, int] = {Kind.INT: 1, Kind.ARRAY: 3, Kind.VAR: 1, Kind.DECL_TAG: 1}
_PER_ELEMENT: dict[int, int] = {
    Kind.STRUCT: 3,
    Kind.UNION: 3,
    Kind.ENUM: 2,
    Kind.FUNC_PROTO: 2,
    Kind.DATASEC: 3,
    Kind.ENUM64: 3,
}
_EXTERN = 2


def mended(data: bytes) -> bytes:
    """A section without undefined symbols."""
    try:
        return _mended(data)
    except (IndexError, ValueError, struct.error):
        return data


def _mended(data: bytes) -> bytes:
    header = _HEADER.unpack_from(data)
    begin, end = header[3] + header[4], header[3] + header[4] + header[5]
    words = array("I", data[begin:end])
    starts = [0, *_starts(words)]
    kinds = [0, *(words[at + 1] >> 24 & 31 for at in starts[1:])]
    integer = next((i for i, kind in enumerate(kinds) if kind == Kind.INT and words[starts[i] + 2] == 4), 0)
    for at, kind in zip(starts, kinds, strict=True):
        if kind != Kind.DATASEC:
            continue
        count = words[at + 1] & 0xFFFF
        listed = [words[at + 3 + 3 * i] for i in range(count)]
        if any(_is_undefined(words, starts[each], kinds[each]) for each in listed):
            variables = [each for each in listed if kinds[each] == Kind.VAR]
            for each in variables:
                start = starts[each]
                words[start + 1 : start + 4] = array("I", (Kind.INT << 24, 4, 32))
            for each in set(listed) - set(variables):
                _define(words, starts, each)
            _as_struct(words, at, count, variables[0] if variables else integer)
    return data[:begin] + words.tobytes() + data[end:]


def _starts(words: array[int]) -> Iterator[int]:
    """The word at which each type begins."""
    at = 0
    while at < len(words):
        yield at
        kind, count = words[at + 1] >> 24 & 31, words[at + 1] & 0xFFFF
        at += 3 + _FIXED.get(kind, 0) + _PER_ELEMENT.get(kind, 0) * count


def _is_undefined(words: array[int], at: int, kind: int) -> bool:
    if kind == Kind.FUNC:
        return words[at + 1] & 0xFFFF == _EXTERN
    return kind == Kind.VAR and words[at + 3] == _EXTERN


def _define(words: array[int], starts: Sequence[int], function: int) -> None:
    """An undefined function becomes a global one, all of whose parameters have names (any will do)."""
    at = starts[function]
    words[at + 1] = Kind.FUNC << 24 | 1
    proto = starts[words[at + 2]]
    for i in range(words[proto + 1] & 0xFFFF):
        if not words[proto + 3 + 2 * i] and words[proto + 4 + 2 * i]:
            words[proto + 3 + 2 * i] = words[at]


def _as_struct(words: array[int], at: int, count: int, integer: int) -> None:
    words[at : at + 3] = array("I", (0, Kind.STRUCT << 24 | count, 4 * count))
    for i in range(count):
        words[at + 3 + 3 * i : at + 6 + 3 * i] = array("I", (0, integer, 32 * i))
