"""``.debug_line`` and ``.debug_line_str`` from .file and .loc: version 5, or 4 where no file has number 0 or an md5.

A table is a header with folders and files, then a program for a machine that makes rows of (address, file, line,
column). Most steps are one byte, a *special opcode*, which advances line and address together and adds a row:

    opcode = 13 + (line step + 5) + 14 * (address step / 8)        line step -5..8, up to opcode 255

Source: DWARF 5, section 6.2; parameters and the order of opcodes as LLVM 19 has them (MCDwarf.cpp), so that the
bytes agree with its own.
"""

from __future__ import annotations

from toolchain.asm.emit import leb128
from toolchain.asm.sections import SHF_MERGE, SHF_STRINGS, SHT_PROGBITS, SectionBuilder
from toolchain.asm.state import Fixup, State

_MIN_INSN, _LINE_BASE, _LINE_RANGE, _OPCODE_BASE = 8, -5, 14, 13
_OPERAND_COUNTS = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
_MAX_SPECIAL = (255 - _OPCODE_BASE) // _LINE_RANGE

_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN, _NEGATE_STMT = 1, 2, 3, 4, 5, 6
_BASIC_BLOCK, _CONST_ADD_PC, _PROLOGUE_END, _EPILOGUE_BEGIN, _SET_ISA = 7, 8, 10, 11, 12
_PATH, _DIRECTORY, _MD5 = 1, 2, 5
_LINE_STRP, _UDATA, _DATA16 = 0x1F, 0x0F, 0x1E


class _Strings:
    """Texts of .debug_line_str, in the order in which they are asked for."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._offsets: dict[bytes, int] = {}

    def offset(self, text: bytes) -> int:
        if text not in self._offsets:
            self._offsets[text] = len(self.data)
            self.data += text + b"\0"
        return self._offsets[text]


def add_lines(state: State) -> None:
    """Adds the sections where the source has files with numbers."""
    if not state.line_files:
        return
    table = state.enter(".debug_line", SHT_PROGBITS, 0)
    writer = _Writer(state, table)
    writer.write()
    if writer.version == 5:
        strings_section = state.enter(".debug_line_str", SHT_PROGBITS, SHF_MERGE | SHF_STRINGS, 1)
        strings_section.append(bytes(writer.strings.data))
        state.fixups[table.index].extend(
            Fixup(offset, "data4", ("at", strings_section.index, to), 0, 0) for offset, to in writer.string_places
        )


class _Writer:
    def __init__(self, state: State, table: SectionBuilder) -> None:
        self.state = state
        self.endian = state.options.endian
        self.table = table
        self.base = table.size
        self.string_places: list[tuple[int, int]] = []
        self.strings = _Strings()
        self.out = bytearray()
        files = state.line_files
        self.version = 5 if 0 in files or any(digest is not None for _, _, digest in files.values()) else 4

    def write(self) -> None:
        """The whole table at the end of the section."""
        self.out += bytes(12 if self.version == 5 else 10)
        self.out += bytes((_MIN_INSN, 1, 1, _LINE_BASE & 0xFF, _LINE_RANGE, _OPCODE_BASE)) + _OPERAND_COUNTS
        if self.version == 5:
            self._names()
        else:
            self._names_of_version_4()
        header_end = len(self.out)
        for index, rows in self.state.line_rows.items():
            self._sequence(self.state.sections[index], rows)
        head = self._int(len(self.out) - 4, 4) + self._int(self.version, 2)
        if self.version == 5:
            head += bytes((8, 0))
        head += self._int(header_end - len(head) - 4, 4)
        self.out[: len(head)] = head
        self.table.append(bytes(self.out))

    def _int(self, value: int, size: int) -> bytes:
        return value.to_bytes(size, self.endian)  # type: ignore[arg-type]

    def _address(self, size: int, section: int, offset: int) -> None:
        self.state.fixups[self.table.index].append(
            Fixup(self.base + len(self.out), f"data{size}", ("at", section, offset), 0, 0)
        )
        self.out += bytes(size)

    def _string(self, text: bytes) -> None:
        self.string_places.append((self.base + len(self.out), self.strings.offset(text)))
        self.out += bytes(4)

    def _names(self) -> None:
        files = dict(self.state.line_files)
        first = files.get(0) or files[min(files)]
        folders = {first[0]: 0}
        for number in sorted(files):
            folder = files[number][0]
            if folder and folder not in folders:
                folders[folder] = len(folders)
        self.out += bytes((1, _PATH, _LINE_STRP)) + leb128(len(folders), False)
        for folder in folders:
            self._string(folder)
        files.setdefault(0, first)
        has_md5 = all(digest is not None for _, _, digest in files.values())
        formats = [(_PATH, _LINE_STRP), (_DIRECTORY, _UDATA), *([(_MD5, _DATA16)] if has_md5 else [])]
        self.out.append(len(formats))
        for content, form in formats:
            self.out += bytes((content, form))
        self.out += leb128(max(files) + 1, False)
        for number in range(max(files) + 1):
            folder, name, digest = files.get(number, (b"", b"", 0))
            self._string(name)
            self.out += leb128(folders.get(folder, 0), False)
            if has_md5:
                self.out += (digest or 0).to_bytes(16, "big")

    def _names_of_version_4(self) -> None:
        """Folders and files as strings in the header itself. Source: DWARF 4, section 6.2.4."""
        files = self.state.line_files
        folders: dict[bytes, int] = {b"": 0}
        for number in sorted(files):
            folders.setdefault(files[number][0], len(folders))
        for folder in list(folders)[1:]:
            self.out += folder + b"\0"
        self.out.append(0)
        for number in range(1, max(files) + 1):
            folder, name, _ = files.get(number, (b"", b"", None))
            self.out += name + b"\0" + leb128(folders[folder], False) + bytes(2)
        self.out.append(0)

    def _sequence(self, section: SectionBuilder, rows: list[tuple[int, tuple[int, ...]]]) -> None:
        """The rows of one section's code."""
        file, line, column, flags, isa, discriminator = 1, 1, 0, 1, 0, 0
        address = -1
        for offset, (new_file, new_line, new_column, new_flags, new_isa, new_discriminator) in rows:
            if new_file != file:
                file = new_file
                self._operation(_SET_FILE, file)
            if new_column != column:
                column = new_column
                self._operation(_SET_COLUMN, column)
            if new_discriminator != discriminator:
                number = leb128(new_discriminator, False)
                self.out += bytes((0,)) + leb128(len(number) + 1, False) + bytes((4,)) + number
            if new_isa != isa:
                isa = new_isa
                self._operation(_SET_ISA, isa)
            if (new_flags ^ flags) & 1:
                flags = new_flags
                self.out.append(_NEGATE_STMT)
            for bit, opcode in ((2, _BASIC_BLOCK), (4, _PROLOGUE_END), (8, _EPILOGUE_BEGIN)):
                if new_flags & bit:
                    self.out.append(opcode)
            if address < 0:
                self.out += bytes((0, 9, 2))
                self._address(8, section.index, offset)
                self._advance(new_line - line, 0)
            else:
                self._advance(new_line - line, offset - address)
            line, address, discriminator = new_line, offset, 0
        self._end(section.size - address)

    def _operation(self, opcode: int, operand: int) -> None:
        self.out.append(opcode)
        self.out += leb128(operand, False)

    def _end(self, distance: int) -> None:
        step = distance // _MIN_INSN
        if step == _MAX_SPECIAL:
            self.out.append(_CONST_ADD_PC)
        elif step:
            self._operation(_ADVANCE_PC, step)
        self.out += bytes((0, 1, 1))

    def _advance(self, line_step: int, distance: int) -> None:
        """One row further by so many lines and bytes."""
        step = distance // _MIN_INSN
        is_far = not 0 <= line_step - _LINE_BASE < _LINE_RANGE
        if is_far:
            self.out.append(_ADVANCE_LINE)
            self.out += leb128(line_step, True)
            line_step = 0
        if line_step == 0 and step == 0:
            self.out.append(_COPY)
            return
        base = line_step - _LINE_BASE + _OPCODE_BASE
        if base + step * _LINE_RANGE <= 255:
            self.out.append(base + step * _LINE_RANGE)
        elif base + (step - _MAX_SPECIAL) * _LINE_RANGE <= 255:
            self.out += bytes((_CONST_ADD_PC, base + (step - _MAX_SPECIAL) * _LINE_RANGE))
        else:
            self._operation(_ADVANCE_PC, step)
            self.out.append(_COPY if is_far else base)
