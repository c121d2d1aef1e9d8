"""What belongs to single instructions: the ``.BTF.ext`` section.

    header: magic, version, flags, hdr_len, then (offset, length) of three tables, counted from the header's end

    table:   u32 record size | for each section with code:  u32 section name | u32 count | count records

    func_info   instruction offset, id of the FUNC                       where a function begins
    line_info   instruction offset, file, text of the line, line and column    where an instruction came from
    core_relo   instruction offset, id of the type, access string, kind  what to adapt to the running kernel's types

Names and texts are offsets into the strings of ``.BTF``, so both sections are encoded together (``encode_both``).
Records may be longer than the fields known here; the rest is skipped. The tables' frames are checked when decoding,
their records are made when asked for.

Units: ``offset`` counts bytes from the section's start, as the file does.

Source: Linux 6.12, Documentation/bpf/btf.rst section 4 and include/uapi/linux/bpf.h (struct bpf_core_relo).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from toolchain.btf.codec import Btf, detect_endian
from toolchain.btf.encode import encode_types
from toolchain.btf.strings import StringBuilder, StringTable
from toolchain.errors import ObjectError, SectionPlace

_MIN_HEADER, _HEADER = 24, 32
_TABLES = (("func_info", 8), ("line_info", 16), ("core_relo", 16))
"""Each table and the bytes of a record that are known here."""
_R = TypeVar("_R")


class FuncRecord(NamedTuple):
    """A function begins here; ``type_id`` is its FUNC."""

    offset: int
    type_id: int


class LineRecord(NamedTuple):
    """The source of this instruction and those after it."""

    offset: int
    path: str
    text: str
    line: int
    column: int


class CoreKind(IntEnum):
    """``enum bpf_core_relo_kind``: what a CO-RE relocation asks of the target's types."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12


class CoreRelocation(NamedTuple):
    """A CO-RE relocation. ``access`` is "0:1:2" (indices from the root type), or an enumerator's index.

    ``kind`` is a CoreKind, or any other number where the file holds one.
    """

    offset: int
    type_id: int
    access: str
    kind: int


class _Table(Mapping[str, tuple[_R, ...]], Generic[_R]):
    """Section name -> records, made when a section is asked for."""

    __slots__ = ("_made", "_parts", "_unpack")

    def __init__(self, parts: dict[str, list[bytes]], unpack: Callable[[bytes], tuple[_R, ...]]) -> None:
        self._parts = parts
        self._unpack = unpack
        self._made: dict[str, tuple[_R, ...]] = {}

    def __getitem__(self, section: str) -> tuple[_R, ...]:
        made = self._made.get(section)
        if made is None:
            made = tuple(each for part in self._parts[section] for each in self._unpack(part))
            self._made[section] = made
        return made

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


class BtfExt:
    """Records by section name: ``func_info``, ``line_info``, ``core_relocations``. Immutable by convention."""

    __slots__ = ("core_relocations", "func_info", "line_info")

    def __init__(
        self,
        func_info: Mapping[str, tuple[FuncRecord, ...]] | None = None,
        line_info: Mapping[str, tuple[LineRecord, ...]] | None = None,
        core_relocations: Mapping[str, tuple[CoreRelocation, ...]] | None = None,
    ) -> None:
        self.func_info: Mapping[str, tuple[FuncRecord, ...]] = func_info or {}
        self.line_info: Mapping[str, tuple[LineRecord, ...]] = line_info or {}
        self.core_relocations: Mapping[str, tuple[CoreRelocation, ...]] = core_relocations or {}

    @classmethod
    def decode(
        cls, data: bytes, btf: Btf, endian: str | None = None, path: str = "<memory>", section: str = ".BTF.ext"
    ) -> BtfExt:
        """The records of a ``.BTF.ext`` section. Raises ObjectError at the section and offset."""
        place = SectionPlace(path, section)
        endian = detect_endian(data, endian, place)
        mark = "<" if endian == "little" else ">"
        frames = _decode_frames(data, btf.strings, mark, place)
        strings = btf.strings
        func_info = _Table(frames[0][1], lambda part: _unpack_functions(part, mark, frames[0][0]))
        line_info = _Table(frames[1][1], lambda part: _unpack_lines(part, mark, frames[1][0], strings))
        core = _Table(frames[2][1], lambda part: _unpack_core(part, mark, frames[2][0], strings))
        return cls(func_info, line_info, core)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BtfExt):
            return False
        return all(dict(getattr(self, name)) == dict(getattr(other, name)) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((len(self.func_info), len(self.line_info), len(self.core_relocations)))

    def __repr__(self) -> str:
        return f"<BtfExt of sections {', '.join(self.func_info)}>"


def _unpack_functions(part: bytes, mark: str, size: int) -> tuple[FuncRecord, ...]:
    return tuple(map(FuncRecord._make, struct.iter_unpack(f"{mark}II{size - 8}x", part)))


def _unpack_lines(part: bytes, mark: str, size: int, strings: StringTable) -> tuple[LineRecord, ...]:
    at = strings.at
    return tuple(
        LineRecord(offset, at(path), at(text), place >> 10, place & 1023)
        for offset, path, text, place in struct.iter_unpack(f"{mark}IIII{size - 16}x", part)
    )


def _unpack_core(part: bytes, mark: str, size: int, strings: StringTable) -> tuple[CoreRelocation, ...]:
    at = strings.at
    return tuple(
        CoreRelocation(offset, type_id, at(access), kind)
        for offset, type_id, access, kind in struct.iter_unpack(f"{mark}IIII{size - 16}x", part)
    )


def _decode_frames(
    data: bytes, strings: StringTable, mark: str, place: SectionPlace
) -> list[tuple[int, dict[str, list[bytes]]]]:
    """Of each table its record size and, by section name, the bytes of its records."""

    def fault(message: str, offset: int) -> ObjectError:
        return ObjectError(message, SectionPlace(place.path, place.section, offset))

    if len(data) < _MIN_HEADER:
        raise fault(f"header cut short: {len(data)} bytes ({_MIN_HEADER})", 0)
    version, flags, header_size = struct.unpack_from(f"{mark}BBI", data, 2)
    if version != 1 or flags:
        raise fault(f"unknown version or flags: {version}, {flags} (1, 0)", 2)
    if not _MIN_HEADER <= header_size <= len(data):
        raise fault(f"header size out of range: {header_size} ({_MIN_HEADER}..{len(data)})", 4)
    word = struct.Struct(f"{mark}I").unpack_from
    pair = struct.Struct(f"{mark}II").unpack_from
    frames: list[tuple[int, dict[str, list[bytes]]]] = []
    for index, (name, known_size) in enumerate(_TABLES):
        parts: dict[str, list[bytes]] = {}
        start = length = 0
        if header_size >= 16 + 8 * index:
            start, length = pair(data, 8 + 8 * index)
        position, end = header_size + start, header_size + start + length
        if length == 0:
            frames.append((known_size, parts))
            continue
        if end > len(data) or start % 4 or length < 4:
            raise fault(f"{name} lies outside the section: offset {start}, size {length}", 8 + 8 * index)
        size = word(data, position)[0]
        if size < known_size or size % 4:
            raise fault(f"{name} has records of {size} bytes (a multiple of 4, from {known_size})", position)
        position += 4
        while position < end:
            if position + 8 > end:
                raise fault(f"{name} cut short", position)
            section_name, count = pair(data, position)
            if count == 0 or count * size > end - position - 8:
                raise fault(f"{name} with a count out of range: {count}", position + 4)
            part = data[position + 8 : position + 8 + count * size]
            parts.setdefault(strings.at(section_name), []).append(part)
            position += 8 + count * size
        frames.append((size, parts))
    return frames


def encode_both(btf: Btf, ext: BtfExt, endian: str = "little") -> tuple[bytes, bytes]:
    """The bytes of ``.BTF`` and ``.BTF.ext``, which share the former's strings. Raises ObjectError."""
    mark = "<" if endian == "little" else ">"
    strings = StringBuilder()
    intern = strings.add
    tables: list[bytes] = []
    try:
        tables.append(_encode_table(ext.func_info, 8, mark, intern, lambda each: each))
        tables.append(
            _encode_table(
                ext.line_info, 16, mark, intern,
                lambda each: (
                    each.offset, intern(each.path), intern(each.text), each.line << 10 | min(each.column, 1023)
                ),
            )
        )  # fmt: skip
        tables.append(
            _encode_table(
                ext.core_relocations, 16, mark, intern,
                lambda each: (each.offset, each.type_id, intern(each.access), each.kind),
            )
        )  # fmt: skip
    except (struct.error, ValueError) as error:
        raise ObjectError(f"cannot be encoded: {error}", SectionPlace(btf.place.path, ".BTF.ext")) from error
    header = struct.pack(f"{mark}HBBI", 0xEB9F, 1, 0, _HEADER)
    offset = 0
    for table in tables:
        header += struct.pack(f"{mark}II", offset, len(table))
        offset += len(table)
    return encode_types(btf.types, strings, endian, btf.place), header + b"".join(tables)


def _encode_table(
    table: Mapping[str, tuple[_R, ...]],
    size: int,
    mark: str,
    intern: Callable[[str], int],
    fields: Callable[[_R], tuple[int, ...]],
) -> bytes:
    if not any(table.values()):
        return b""
    pack = struct.Struct(f"{mark}{size // 4}I").pack
    parts = [struct.pack(f"{mark}I", size)]
    for section, records in table.items():
        if records:
            parts.append(struct.pack(f"{mark}II", intern(section), len(records)))
            parts += (pack(*fields(each)) for each in records)
    return b"".join(parts)
