"""ObjectFile to bytes.

Every section is written in order, then symbol table, its strings, section names and the relocation sections; the
picture is in layout.py. Relocations become SHT_RELA where any of a section's entries has an addend of its own, else
SHT_REL.

No library does this: pyelftools only reads, lief cannot write BPF objects. 100,000 relocations take about 0.1 s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from toolchain.btf.strings import StringBuilder
from toolchain.elf import layout
from toolchain.errors import ObjectError, SectionPlace
from toolchain.spec.objects import UNDEFINED, ObjectFile, Section, Symbol, SymbolBind


def write(file: ObjectFile) -> bytes:
    """The bytes of an object. ``read(write(x)) == x``.

    Raises: ObjectError where a name, number or order cannot be expressed in ELF.
    """
    where = SectionPlace(file.path, "#0")
    try:
        return _Writer(file).build()
    except (struct.error, ValueError, KeyError) as error:
        raise ObjectError(f"cannot be written as ELF: {error}", where) from error


class _Writer:
    """The parts of one file, in order."""

    def __init__(self, file: ObjectFile) -> None:
        self.file = file
        self.mark = layout.MARK[file.endian]
        self.body = bytearray(layout.FILE_HEADER_SIZE)
        self.names = StringBuilder()
        self.headers: list[tuple[int, ...]] = [(0,) * 10]

    def build(self) -> bytes:
        for section in self.file.sections:
            self._add_section(section)
        self._add_symbols()
        self._add_relocations()
        self._add(".shstrtab", layout.SHT_STRTAB, data=None)
        self._pad(8)
        header_offset = len(self.body)
        pack = struct.Struct(self.mark + layout.SECTION_HEADER).pack
        for header in self.headers:
            self.body += pack(*header)
        self.body[: layout.FILE_HEADER_SIZE] = self._file_header(header_offset)
        return bytes(self.body)

    def _file_header(self, header_offset: int) -> bytes:
        count = len(self.headers)
        if count > layout.MAX_SECTIONS:
            raise ValueError(f"too many sections: {count} (at most {layout.MAX_SECTIONS})")
        ident = layout.MAGIC + bytes((layout.CLASS64, layout.DATA[self.file.endian], 1)) + bytes(9)
        return struct.pack(
            self.mark + layout.FILE_HEADER, ident, layout.TYPE_RELOCATABLE, self.file.machine, 1, 0, 0, header_offset,
            self.file.elf_flags, layout.FILE_HEADER_SIZE, 0, 0, layout.SECTION_HEADER_SIZE, count, count - 1,
        )  # fmt: skip

    def _pad(self, align: int) -> None:
        self.body += bytes(-len(self.body) % align)

    def _add(
        self, name: str, kind: int, flags: int = 0, data: bytes | bytearray | None = b"", size: int = -1,
        link: int = 0, info: int = 0, align: int = 1, entry_size: int = 0,
    ) -> None:  # fmt: skip
        """A section with its header; ``data`` None stands for the section names themselves."""
        name_offset = self.names.add(name)
        content = self.names.data if data is None else data
        self._pad(max(align, 1))
        offset = len(self.body)
        self.body += content
        size = len(content) if size < 0 else size
        self.headers.append((name_offset, kind, flags, 0, offset, size, link, info, align, entry_size))

    def _add_section(self, section: Section) -> None:
        if section.type in layout.BOOKKEEPING:
            raise ValueError(f"section {section.name!r} has a type of the writer's own: {section.type}")
        if section.align & (section.align - 1) or not 0 <= section.align <= layout.MAX_ALIGN:
            raise ValueError(f"section {section.name!r} has an alignment not written: {section.align}")
        if section.type == layout.SHT_NOBITS and section.data:
            raise ValueError(f"section {section.name!r} is NOBITS and has data")
        if section.type != layout.SHT_NOBITS and section.size != len(section.data):
            raise ValueError(f"section {section.name!r} has a size that is not its data's: {section.size}")
        self._add(
            section.name, section.type, section.flags, section.data, section.size,
            align=section.align, entry_size=section.entry_size,
        )  # fmt: skip

    def _add_symbols(self) -> None:
        symbols = self.file.symbols
        local_count = sum(symbol.bind is SymbolBind.LOCAL for symbol in symbols)
        if any(symbol.bind is not SymbolBind.LOCAL for symbol in symbols[:local_count]):
            raise ValueError("a local symbol follows a global one")
        strings = StringBuilder()
        pack = struct.Struct(self.mark + layout.SYMBOL).pack
        table = bytearray(pack(0, 0, 0, 0, 0, 0))
        for symbol in symbols:
            table += pack(
                strings.add(symbol.name), symbol.bind << 4 | symbol.type, symbol.visibility,
                self._section_number(symbol), symbol.value, symbol.size,
            )  # fmt: skip
        self.symtab = len(self.headers)
        self._add(
            ".symtab", layout.SHT_SYMTAB, data=table, link=self.symtab + 1, info=1 + local_count, align=8,
            entry_size=layout.SYMBOL_SIZE,
        )  # fmt: skip
        self._add(".strtab", layout.SHT_STRTAB, data=strings.data)

    def _section_number(self, symbol: Symbol) -> int:
        if symbol.section == UNDEFINED:
            return 0
        if 0 <= symbol.section < len(self.file.sections):
            return symbol.section + 1
        if layout.SHN_LORESERVE <= symbol.section < 0xFFFF:
            return symbol.section
        raise ValueError(f"symbol {symbol.name!r} lies in no section: {symbol.section}")

    def _add_relocations(self) -> None:
        count = len(self.file.symbols)
        for number, section in enumerate(self.file.sections, start=1):
            if not section.relocations:
                continue
            for relocation in section.relocations:
                if not -1 <= relocation.symbol < count:
                    raise ValueError(f"relocation refers to no symbol: {relocation.symbol} (below {count})")
            entries = section.relocations
            if any(each.addend is not None for each in entries):
                prefix, kind, size = ".rela", layout.SHT_RELA, layout.RELA_SIZE
                rows: Iterable[tuple[int, ...]] = (
                    (each.offset, (each.symbol + 1) << 32 | each.type, each.addend or 0) for each in entries
                )
                pack = struct.Struct(self.mark + layout.RELA).pack
            else:
                prefix, kind, size = ".rel", layout.SHT_REL, layout.REL_SIZE
                rows = ((each.offset, (each.symbol + 1) << 32 | each.type) for each in entries)
                pack = struct.Struct(self.mark + layout.REL).pack
            data = b"".join(pack(*row) for row in rows)
            self._add(
                prefix + section.name, kind, layout.SHF_INFO_LINK, data, link=self.symtab, info=number, align=8,
                entry_size=size,
            )  # fmt: skip
