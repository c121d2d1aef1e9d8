"""Type information in the kernel: an object's ``.BTF``, loaded once however many maps and programs refer to it.

Maps and programs that share types (locks, lists, kernel pointers) must refer to the *same* loaded section, for the
kernel compares sections by identity. So a section is known here by its bytes, and its fd lives as long as the runtime.

    .BTF bytes --mended--> BTF_LOAD --> fd        the strings of line records are looked up in the section's own
                                                  table, and added at its end where they are not there

Mended is what compilers leave to the loader: an undefined function (.ksyms) gets names for its parameters and becomes
a global one; undefined variables and the sections that list undefined symbols make place for integers.

A kernel that does not take the section (too old, too strict) loses only the types: the caller goes on without.

Source: kernel/bpf/btf.c, btf_parse(); kernel/bpf/verifier.c, check_btf_func() and check_btf_line(), for the rules on
records; libbpf.c, bpf_object__collect_externs(), for what is mended.
"""

from __future__ import annotations

import contextlib
import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from toolchain.btf.types import Kind
from toolchain.errors import ObjectError
from toolchain.kernel import calls
from toolchain.spec.stages import FunctionInfo, LineInfo, LinkedProgram

if TYPE_CHECKING:
    from toolchain.btf import Btf

_HEADER = struct.Struct("<HBBIIIII")
_STRING_OFFSET, _STRING_SIZE = 6, 7
_COLUMN_LIMIT = 1023


class ProgramTypes(NamedTuple):
    """What a program says of its types: the section's fd and the records that refer to it."""

    btf_fd: int = 0
    func_info: bytes = b""
    line_info: bytes = b""


class TypeSections:
    """The sections that this process has loaded. Owns: their fds, until ``close``."""

    def __init__(self) -> None:
        self._fds: dict[bytes, int] = {}
        self._encoded: dict[int, tuple[Btf, bytes]] = {}

    def close(self) -> None:
        """Let go of every section; maps and programs keep those that they use."""
        for fd in self._fds.values():
            if fd >= 0:
                os.close(fd)
        self._fds.clear()
        self._encoded.clear()

    def fd_of(self, data: bytes, token_fd: int = 0) -> int:
        """The fd of a section, loaded now or before; 0 where the kernel does not take it, mended or not."""
        fd = self._fds.get(data)
        if fd is None:
            fd = calls.btf_load(data, token_fd)[0]
            if fd < 0 and (sound := mended(data)) != data:
                fd = calls.btf_load(sound, token_fd)[0]
            self._fds[data] = fd
        return max(fd, 0)

    def encoded(self, btf: Btf) -> bytes:
        """The bytes of a section; b'' where it cannot be encoded."""
        kept = self._encoded.get(id(btf))
        if kept is None:
            with contextlib.suppress(ObjectError):
                kept = btf, btf.encode()
            kept = self._encoded[id(btf)] = kept or (btf, b"")
        return kept[1]

    def of_program(self, program: LinkedProgram, token_fd: int = 0) -> ProgramTypes:
        """The section and the records of a program; empty where it has none that the kernel takes."""
        btf = program.btf
        if btf is None:
            return ProgramTypes()
        data = self.encoded(btf)
        if not data:
            return ProgramTypes()
        functions = func_records(program.functions)
        lines = _sound_lines(program)
        strings = _Strings(data)
        records = b"".join(_line_record(line, strings) for line in lines)
        fd = self.fd_of(strings.section(), token_fd)
        if not fd:
            return ProgramTypes()
        return ProgramTypes(fd, functions, records if functions else b"")


def func_records(functions: Sequence[FunctionInfo]) -> bytes:
    """``struct bpf_func_info`` of every function, or nothing unless each has a type: the kernel wants all or none."""
    if not all(each.type_id for each in functions):
        return b""
    return b"".join(struct.pack("=II", each.slot, each.type_id) for each in functions)


def _sound_lines(program: LinkedProgram) -> list[LineInfo]:
    """The line records in slot order, one a slot; none unless each function begins with one, as the kernel wants."""
    by_slot = {line.slot: line for line in program.line_info if 0 <= line.slot < program.slot_count}
    if not all(each.slot in by_slot for each in program.functions) or 0 not in by_slot:
        return []
    return [by_slot[slot] for slot in sorted(by_slot)]


def _line_record(line: LineInfo, strings: _Strings) -> bytes:
    """``struct bpf_line_info``: slot, file, text, and line and column in one word."""
    place = min(line.line, 0x3FFFFF) << 10 | min(line.column, _COLUMN_LIMIT)
    return struct.pack("=4I", line.slot, strings.offset_of(line.path), strings.offset_of(line.text), place)


class _Strings:
    """The string table of an encoded section: finds texts, and adds those that it has not."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._fields = list(_HEADER.unpack_from(data))
        self._start = self._fields[3] + self._fields[_STRING_OFFSET]
        self._table = data[self._start : self._start + self._fields[_STRING_SIZE]]
        self._added = bytearray()
        self._known = {"": 0}
        self._index: dict[bytes, int] | None = None

    def offset_of(self, text: str) -> int:
        """Where ``text`` stands in the table."""
        offset = self._known.get(text)
        if offset is None:
            raw = text.encode("utf-8", "backslashreplace").split(b"\0", 1)[0]
            offset = self._known[text] = self._place(raw)
        return offset

    def _place(self, raw: bytes) -> int:
        if self._index is None:
            self._index = _offsets(self._table)
        found = self._index.get(raw)
        if found is None:
            found = self._index[raw] = len(self._table) + len(self._added)
            self._added += raw + b"\0"
        return found

    def section(self) -> bytes:
        """The section, with what was added at its end."""
        if not self._added:
            return self._data
        fields = [*self._fields]
        fields[_STRING_SIZE] += len(self._added)
        end = self._start + self._fields[_STRING_SIZE]
        return _HEADER.pack(*fields) + self._data[_HEADER.size : end] + bytes(self._added)


def _offsets(table: bytes) -> dict[bytes, int]:
    offsets: dict[bytes, int] = {}
    at = 0
    for raw in table.split(b"\0"):
        offsets.setdefault(raw, at)
        at += len(raw) + 1
    return offsets


def mended(data: bytes) -> bytes:
    """A section without undefined symbols, which the kernel refuses; ids and strings stay as they are.

    In place of a DATASEC that lists some stands a struct of integers, which takes as many words; likewise an integer in
    place of a VAR.
    """
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
