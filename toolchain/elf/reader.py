"""Bytes to ObjectFile.

The structures are few and fixed (layout.py), so they are unpacked here with ``struct``: pyelftools gives the same
answers (the tests compare the two) but costs 35 ms to import and 30 times as long for relocations.

Every offset and count is untrusted: each is checked against the file's length before it is used, so time and memory
stay in proportion to the file. A NOBITS section takes no memory here whatever size it claims.

What is refused: no ELF, 32-bit ELF, linked files (only relocatable ones have what a loader needs), machines other than
BPF (0 is taken for BPF: old assemblers wrote it), and files whose tables lie outside the file.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from toolchain.btf.strings import StringTable
from toolchain.elf import layout
from toolchain.errors import FilePlace, ObjectError, SectionPlace
from toolchain.spec.objects import UNDEFINED, ObjectFile, Relocation, Section, Symbol, SymbolBind, SymbolType

_BINDS = {bind.value: bind for bind in SymbolBind}
_TYPES = {kind.value: kind for kind in SymbolType}
_MAX_OVERLAP = 2
"""Bytes that all sections may hold together, in lengths of the file. In a sound file none overlap."""
_SOURCES = (
    (".c", "compile it first: clang -O2 -g --target=bpf -c FILE"),
    ((".s", ".S"), "assemble it first, with bpf-as"),
)
"""How the names of files end that are not objects yet, and what makes objects of them."""


class _Header(NamedTuple):
    """A section header."""

    name_offset: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


def read(data: bytes, path: str = "<memory>", without_debug: bool = False) -> ObjectFile:
    """The object in ``data``. ``path`` names it in errors.

    ``without_debug`` leaves the contents and relocations of ``.debug_*`` sections out (they are DWARF,
    most of many files, and nothing that loads a program looks at them).

    Raises: ObjectError at the file's or the section's offset.
    """
    reader = _Reader(data, path)
    return reader.object_file(without_debug)


class _Reader:
    """One file while it is read."""

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self._read_file_header()
        self._read_section_headers()

    def fault(self, message: str, offset: int | None = None) -> ObjectError:
        return ObjectError(message, FilePlace(self.path, offset))

    def section_fault(self, number: int, message: str, offset: int | None = None) -> ObjectError:
        name = self.names[number] if self.names and self.names[number] else f"#{number}"
        return ObjectError(message, SectionPlace(self.path, name, offset))

    def _read_file_header(self) -> None:
        data = self.data
        if not data:
            raise self.fault("not an ELF file: empty")
        if data[:4] != layout.MAGIC:
            error = self.fault(f"not an ELF file: it begins with {data[:4].hex()} (7f454c46)", 0)
            error.hint = next((hint for ends, hint in _SOURCES if self.path.endswith(ends)), "")
            raise error
        if len(data) < layout.FILE_HEADER_SIZE:
            raise self.fault(f"file header cut short: {len(data)} bytes ({layout.FILE_HEADER_SIZE})", 0)
        if data[4] != layout.CLASS64:
            raise self.fault(f"not a 64-bit ELF file: class {data[4]} ({layout.CLASS64})", 4)
        if data[5] not in (1, 2):
            raise self.fault(f"unknown byte order: {data[5]} (1 little, 2 big)", 5)
        self.endian = "little" if data[5] == 1 else "big"
        self.mark = layout.MARK[self.endian]
        fields = struct.unpack_from(self.mark + layout.FILE_HEADER, data)
        kind, self.machine, self.header_offset, self.flags = fields[1], fields[2], fields[6], fields[7]
        size, self.count, self.name_table = fields[11:]
        if self.machine not in (layout.MACHINE_BPF, 0):
            raise self.fault(f"object of another machine: {self.machine} ({layout.MACHINE_BPF} BPF)", 18)
        if kind != layout.TYPE_RELOCATABLE:
            raise self.fault(f"not a relocatable object: type {kind} ({layout.TYPE_RELOCATABLE})", 16)
        if self.count == 0:
            raise self.fault("no section headers", 60)
        if size != layout.SECTION_HEADER_SIZE:
            raise self.fault(f"section header of unknown size: {size} ({layout.SECTION_HEADER_SIZE})", 58)
        if self.header_offset + self.count * size > len(data):
            message = f"section headers lie outside the file: {self.count} at 0x{self.header_offset:x}"
            raise self.fault(f"{message} (file of {len(data)} bytes)", 40)

    def _read_section_headers(self) -> None:
        end = self.header_offset + self.count * layout.SECTION_HEADER_SIZE
        table = memoryview(self.data)[self.header_offset : end]
        self.headers = [_Header._make(row) for row in struct.iter_unpack(self.mark + layout.SECTION_HEADER, table)]
        self.names: list[str] = []
        claimed = 0
        for number, header in enumerate(self.headers):
            if header.type in (layout.SHT_NULL, layout.SHT_NOBITS):
                continue
            if header.offset + header.size > len(self.data):
                message = f"section lies outside the file: {header.size} bytes at 0x{header.offset:x}"
                raise self.section_fault(number, f"{message} (file of {len(self.data)} bytes)")
            claimed += header.size
        if claimed > _MAX_OVERLAP * len(self.data):
            message = f"sections that overlap: {claimed} bytes together (file of {len(self.data)} bytes)"
            raise self.fault(message, self.header_offset)
        if not 0 < self.name_table < self.count or self.headers[self.name_table].type != layout.SHT_STRTAB:
            raise self.fault(f"no table of section names: section {self.name_table}", 62)
        strings = self._strings(self.name_table)
        self.names = [strings.at(header.name_offset) for header in self.headers]

    def _bytes(self, number: int) -> bytes:
        header = self.headers[number]
        return self.data[header.offset : header.offset + header.size]

    def _strings(self, number: int) -> StringTable:
        name = self.names[number] if self.names and self.names[number] else f"#{number}"
        return StringTable(self._bytes(number), SectionPlace(self.path, name))

    def object_file(self, without_debug: bool) -> ObjectFile:
        kept = [number for number, header in enumerate(self.headers) if header.type not in layout.BOOKKEEPING]
        places = {number: place for place, number in enumerate(kept)}
        symbols, symtab = self._symbols(places)
        relocations = self._relocations(places, len(symbols), symtab, without_debug)
        sections = []
        for number in kept:
            header, name = self.headers[number], self.names[number]
            has_bytes = header.type != layout.SHT_NOBITS
            leave_out = without_debug and self._is_debug(number)
            sections.append(
                Section(
                    name, header.type, header.flags, self._bytes(number) if has_bytes and not leave_out else b"",
                    header.align, header.entry_size, -1 if has_bytes else header.size,
                    tuple(relocations.get(number, ())),
                )
            )  # fmt: skip
        return ObjectFile(tuple(sections), symbols, self.endian, self.machine, self.flags, self.path)

    def _is_debug(self, number: int) -> bool:
        """Section ``number`` is for debuggers only."""
        in_use = self.headers[number].flags & (layout.SHF_ALLOC | layout.SHF_EXECINSTR)
        return not in_use and self.names[number].startswith(".debug_")

    def _symbols(self, places: dict[int, int]) -> tuple[tuple[Symbol, ...], int]:
        """All symbols but the null one, and the number of their section (0: there is none)."""
        tables = [number for number, header in enumerate(self.headers) if header.type == layout.SHT_SYMTAB]
        if not tables:
            return (), 0
        if len(tables) > 1:
            raise self.section_fault(tables[1], f"more than one symbol table: {len(tables)}")
        number = tables[0]
        header = self.headers[number]
        if header.size % layout.SYMBOL_SIZE:
            message = f"symbol table of a broken size: {header.size} (a multiple of {layout.SYMBOL_SIZE})"
            raise self.section_fault(number, message)
        if not 0 < header.link < self.count or self.headers[header.link].type != layout.SHT_STRTAB:
            raise self.section_fault(number, f"symbol table without strings: section {header.link}")
        strings = self._strings(header.link)
        rows = struct.iter_unpack(self.mark + layout.SYMBOL, self._bytes(number))
        next(rows, None)
        symbols = [self._symbol(row, index, strings, number, places) for index, row in enumerate(rows, start=1)]
        return tuple(symbols), number

    def _symbol(
        self, row: Sequence[int], index: int, strings: StringTable, number: int, places: dict[int, int]
    ) -> Symbol:
        name_offset, info, other, section, value, size = row
        offset = index * layout.SYMBOL_SIZE
        bind, kind = _BINDS.get(info >> 4), _TYPES.get(info & 15)
        if bind is None or kind is None:
            raise self.section_fault(number, f"symbol {index} of unknown binding or type: 0x{info:02x}", offset)
        if section >= layout.SHN_LORESERVE:
            place = section
            if section == 0xFFFF:
                raise self.section_fault(number, f"symbol {index} with an extended section number", offset)
        elif section >= self.count:
            message = f"symbol {index} lies in no section: {section} (below {self.count})"
            raise self.section_fault(number, message, offset)
        else:
            place = places.get(section, UNDEFINED)
        name = strings.at(name_offset)
        return Symbol(name, place, value, size, kind, bind, other)

    def _relocations(
        self, places: dict[int, int], symbol_count: int, symtab: int, without_debug: bool
    ) -> dict[int, list[Relocation]]:
        """The relocations of each section that has some, by its number."""
        found: dict[int, list[Relocation]] = {}
        for number, header in enumerate(self.headers):
            if header.type not in (layout.SHT_REL, layout.SHT_RELA):
                continue
            target = header.info
            if target not in places:
                raise self.section_fault(number, f"relocations of no section: {target} (below {self.count})")
            if without_debug and self._is_debug(target):
                continue
            if header.link != symtab or symtab == 0:
                raise self.section_fault(number, f"relocations without a symbol table: section {header.link}")
            is_rela = header.type == layout.SHT_RELA
            size = layout.RELA_SIZE if is_rela else layout.REL_SIZE
            if header.size % size:
                raise self.section_fault(number, f"relocations of a broken size: {header.size} (a multiple of {size})")
            rows = struct.iter_unpack(self.mark + (layout.RELA if is_rela else layout.REL), self._bytes(number))
            entries = found.setdefault(target, [])
            for row in rows:
                symbol = (row[1] >> 32) - 1
                if symbol >= symbol_count:
                    message = f"relocation of no symbol: {symbol + 1} (at most {symbol_count})"
                    raise self.section_fault(number, message, len(entries) * size)
                entries.append(Relocation(row[0], row[1] & 0xFFFFFFFF, symbol, row[2] if is_rela else None))
        return found
