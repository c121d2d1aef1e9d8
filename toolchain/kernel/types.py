"""Type information in the kernel: an object's ``.BTF``, loaded once however many maps and programs refer to it.

Maps and programs that share types (locks, lists, kernel pointers) must refer to the *same* loaded section, for the
kernel compares sections by identity. So a section is known here by its bytes, and its fd lives as long as the runtime.

    .BTF bytes --> BTF_LOAD --> fd                the strings of line records are looked up in the section's own
                                                  table, and added at its end where they are not there
    refused: mended (mend.py), and again

A kernel that does not take the section (too old, too strict) loses only the types: the caller goes on without.

Source: kernel/bpf/btf.c, btf_parse(); kernel/bpf/verifier.c, check_btf_func() and check_btf_line(), for the rules on
records.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

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
            if fd < 0:
                from toolchain.kernel.mend import mended

                sound = mended(data)
                fd = calls.btf_load(sound, token_fd)[0] if sound != data else fd
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
