"""Objects to text that assembles to the same object.

Sections, symbols and relocations become directives; code becomes instructions with labels where jumps lead; what no
spelling says exactly becomes `.quad`; a relocation that no operand says becomes `.reloc`. Every byte and relocation
of a section that is shown is in the text.

Section symbols, which have no name, become labels `.Lsection3` at the start of section 3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from toolchain.asm.printer import print_insn
from toolchain.asm.sections import SHF_EXEC, SHF_MERGE, SHT_NOBITS, flag_letters, type_word
from toolchain.asm.shapes import KEPT
from toolchain.isa.codec import decode
from toolchain.isa.forms import Form, Pattern, form_of
from toolchain.isa.insn import Insn
from toolchain.spec.objects import (
    SHN_ABS,
    SHN_COMMON,
    UNDEFINED,
    ObjectFile,
    Relocation,
    RelocationType,
    Section,
    Symbol,
    SymbolBind,
    SymbolType,
)

_PLAIN_NAME = re.compile(r"(?![rw](?:10|[0-9])$)[A-Za-z_.$][\w.$]*\Z", re.ASCII)
_VISIBILITY = {1: ".internal", 2: ".hidden", 3: ".protected"}
_TYPES = {SymbolType.OBJECT: "object", SymbolType.FUNC: "function", SymbolType.TLS: "tls_object"}
_JUMPS = (Pattern.JUMP, Pattern.JUMP_REG, Pattern.JUMP_IMM, Pattern.JUMP_LONG, Pattern.CALL_LOCAL)
_ROW = 16


def disassemble(object_file: ObjectFile, sections: Iterable[str] = (), dialect: str = "pseudoc") -> str:
    """The text of an object, or of those of its ``sections`` only. ``dialect`` is pseudoc or normal."""
    return _Printer(object_file, frozenset(sections), "normal" if dialect == "normal" else "pseudoc").text()


def quote(name: str) -> str:
    """A string literal of a name."""
    out = []
    for byte in name.encode("utf-8", "surrogateescape"):
        char = chr(byte)
        out.append(f"\\{char}" if char in '"\\' else char if 32 <= byte < 127 else f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def spell(name: str) -> str:
    """A symbol's name as an operand."""
    return name if _PLAIN_NAME.match(name) and name not in KEPT and not name.startswith(".L") else quote(name)


class _Printer:
    """One run."""

    def __init__(self, object_file: ObjectFile, wanted: frozenset[str], dialect: str) -> None:
        self.object = object_file
        self.wanted = wanted
        self.dialect = dialect
        self.endian = object_file.endian
        self.lines: list[str] = []
        self.labels: dict[int, dict[int, list[str]]] = {}
        counts = Counter(symbol.name for symbol in object_file.symbols)
        self.local_names = {
            symbol.name
            for symbol in object_file.symbols
            if symbol.bind is SymbolBind.LOCAL and counts[symbol.name] == 1 and not symbol.name.startswith(".L")
        }
        self.section_symbols = {
            object_file.symbols[each.symbol].section
            for section in object_file.sections
            for each in section.relocations
            if 0 <= each.symbol < len(object_file.symbols)
            and object_file.symbols[each.symbol].type is SymbolType.SECTION
        }

    def text(self) -> str:
        """The whole text."""
        if self.endian == "big":
            self.lines.append("# big endian: assemble with -EB")
        self._symbols()
        for index, section in enumerate(self.object.sections):
            if not self.wanted or section.name in self.wanted:
                self._section(index, section)
        return "\n".join(self.lines) + "\n"

    # ---- symbols
    def _symbols(self) -> None:
        for symbol in self.object.symbols:
            if symbol.type is SymbolType.FILE:
                self.lines.append(f"\t.file\t{quote(symbol.name)}")
            elif symbol.type is not SymbolType.SECTION and symbol.name:
                if 0 <= symbol.section < len(self.object.sections):
                    places = self.labels.setdefault(symbol.section, {})
                    places.setdefault(symbol.value, []).append(symbol.name)
                self._attributes(symbol)
        for index in self.section_symbols:
            if 0 <= index < len(self.object.sections):
                self.labels.setdefault(index, {}).setdefault(0, []).append(f".Lsection{index}")

    def _attributes(self, symbol: Symbol) -> None:
        name = spell(symbol.name)
        section = self.object.sections[symbol.section] if 0 <= symbol.section < len(self.object.sections) else None
        if self.wanted and (section is None or section.name not in self.wanted) and symbol.section != UNDEFINED:
            return
        if symbol.bind is not SymbolBind.LOCAL:
            self.lines.append(f"\t{'.weak' if symbol.bind is SymbolBind.WEAK else '.globl'}\t{name}")
        if symbol.visibility in _VISIBILITY:
            self.lines.append(f"\t{_VISIBILITY[symbol.visibility]}\t{name}")
        if symbol.section == SHN_COMMON:
            self.lines.append(f"\t.comm\t{name},{symbol.size},{max(1, symbol.value)}")
            return
        if symbol.type in _TYPES:
            self.lines.append(f"\t.type\t{name},@{_TYPES[symbol.type]}")
        if symbol.size:
            self.lines.append(f"\t.size\t{name}, {symbol.size}")
        if symbol.section == SHN_ABS:
            self.lines.append(f"\t.set\t{name}, {symbol.value}")

    # ---- sections
    def _section(self, index: int, section: Section) -> None:
        kind, flags = type_word(section.type), flag_letters(section.flags)
        if flags is None:
            self.lines.append(
                f"# section {quote(section.name)} of type 0x{section.type:x}, flags 0x{section.flags:x} left out"
            )
            return
        entry = f",{section.entry_size}" if section.flags & SHF_MERGE else ""
        self.lines.append(f'\n\t.section\t{quote(section.name)},"{flags}",@{kind}{entry}')
        if section.align > 1 and not section.align & (section.align - 1):
            self.lines.append(f"\t.balign\t{section.align}")
        labels = self.labels.get(index, {})
        relocations = {each.offset: each for each in section.relocations}
        if section.type == SHT_NOBITS:
            self._chunks(index, b"", section.size, labels, {})
        elif section.flags & SHF_EXEC and len(section.data) % 8 == 0:
            self._code(index, section, labels, relocations)
        else:
            self._chunks(index, section.data, len(section.data), labels, relocations)

    def _put_labels(self, labels: dict[int, list[str]], offset: int) -> None:
        for name in labels.get(offset, ()):
            self.lines.append(f"{name if name.startswith('.L') else spell(name)}:")

    # ---- code
    def _code(
        self, index: int, section: Section, labels: dict[int, list[str]], relocations: dict[int, Relocation]
    ) -> None:
        insns = decode(section.data, self.endian)
        starts: dict[int, Insn] = {}
        offset = 0
        for insn in insns:
            starts[offset] = insn
            offset += 8 * insn.slot_count
        end = offset
        targets: dict[int, str] = {}
        for place, insn in starts.items():
            to = _destination(place, insn)
            if to is not None and place not in relocations and (to in starts or to == end):
                targets.setdefault(to, self._target_name(index, to, labels))
        for place, insn in starts.items():
            self._put_labels(labels, place)
            if place in targets and targets[place].startswith(f".L{index}_"):
                self.lines.append(f"{targets[place]}:")
            for inner in range(place + 1, place + 8 * insn.slot_count):
                if inner in labels:
                    for name in labels[inner]:
                        self.lines.append(f"\t.set\t{spell(name)}, . + {inner - place}")
            self._insn(section, place, insn, targets, relocations)
        self._put_labels(labels, end)
        if end in targets and targets[end].startswith(f".L{index}_"):
            self.lines.append(f"{targets[end]}:")

    def _target_name(self, index: int, offset: int, labels: dict[int, list[str]]) -> str:
        for name in labels.get(offset, ()):
            if _PLAIN_NAME.match(name) and name in self.local_names and name not in KEPT:
                return name
        return f".L{index}_{offset // 8}"

    def _insn(
        self, section: Section, place: int, insn: Insn, targets: dict[int, str], relocations: dict[int, Relocation]
    ) -> None:
        inside = [relocations[each] for each in range(place, place + 8 * insn.slot_count) if each in relocations]
        if inside:
            text = self._relocated(section, insn, place, inside)
            if text is not None:
                self.lines.append(f"\t{text}")
                return
            self._raw(section.data[place : place + 8 * insn.slot_count])
            for each in inside:
                self.lines.append(self._reloc(each))
            return
        to = _destination(place, insn)
        target = targets.get(to, "") if to is not None else ""
        text = print_insn(insn, self.dialect, target)
        if text is None:
            self._raw(section.data[place : place + 8 * insn.slot_count])
        else:
            self.lines.append(f"\t{text}")

    def _relocated(self, section: Section, insn: Insn, place: int, inside: list[Relocation]) -> str | None:
        """The instruction with its relocation as an operand, where that gives both back."""
        if len(inside) != 1 or inside[0].offset != place or inside[0].addend is not None:
            return None
        relocation = inside[0]
        form = form_of(insn)
        symbol = self._symbol(relocation)
        if form is None or symbol is None:
            return None
        if relocation.type == RelocationType.R64_64 and form.name == "lddw" and insn.imm_high == 0:
            return self._with_target(insn, form, self._place(symbol, insn.imm))
        if relocation.type == RelocationType.R64_32 and form.name == "call_local":
            own = 0 <= symbol.section < len(self.object.sections) and self.object.sections[symbol.section] is section
            if symbol.bind is not SymbolBind.LOCAL or not own:
                return self._with_target(insn, form, self._place(symbol, (insn.imm + 1) * 8))
        return None

    def _place(self, symbol: Symbol, addend: int) -> str | None:
        """Like _operand; a place in a section by the name of a local symbol that stands there, if there is one."""
        if symbol.type is SymbolType.SECTION:
            for name in self.labels.get(symbol.section, {}).get(addend, ()):
                if name in self.local_names and _PLAIN_NAME.match(name) and name not in KEPT:
                    return name
        return self._operand(symbol, addend)

    def _with_target(self, insn: Insn, form: Form, operand: str | None) -> str | None:
        return None if operand is None else print_insn(insn, self.dialect, operand)

    def _symbol(self, relocation: Relocation) -> Symbol | None:
        if 0 <= relocation.symbol < len(self.object.symbols):
            return self.object.symbols[relocation.symbol]
        return None

    def _operand(self, symbol: Symbol, addend: int) -> str | None:
        """A symbol and an addend as an expression; None where the text would mean another relocation."""
        if symbol.type is SymbolType.SECTION:
            name = f".Lsection{symbol.section}"
            if not 0 <= symbol.section < len(self.object.sections):
                return None
        elif symbol.bind is SymbolBind.LOCAL and symbol.section != UNDEFINED:
            return None
        else:
            name = spell(symbol.name)
            if name.startswith('"') and addend:
                return None
        if not symbol.name and symbol.type is not SymbolType.SECTION:
            return None
        return name if addend == 0 else f"{name}+{addend}" if addend > 0 else f"{name}-{-addend}"

    def _reloc(self, relocation: Relocation) -> str:
        symbol = self._symbol(relocation)
        if symbol is None or (not symbol.name and symbol.type is not SymbolType.SECTION):
            return f"# relocation {relocation.type} at {relocation.offset} whose symbol has no name left out"
        name = f".Lsection{symbol.section}" if symbol.type is SymbolType.SECTION else spell(symbol.name)
        return f"\t.reloc\t{relocation.offset}, {relocation.type}, {name}"

    def _raw(self, data: bytes) -> None:
        for start in range(0, len(data), 8):
            self.lines.append(f"\t.quad\t0x{int.from_bytes(data[start : start + 8], self.endian):x}")  # type: ignore[arg-type]

    # ---- data
    def _chunks(
        self, index: int, data: bytes, size: int, labels: dict[int, list[str]], relocations: dict[int, Relocation]
    ) -> None:
        stops = sorted({0, size, *(each for each in labels if 0 <= each <= size), *relocations})
        position = 0
        for number, stop in enumerate(stops):
            if stop > position:
                self._bytes(data[position:stop], stop - position)
                position = stop
            self._put_labels(labels, stop)
            if stop in relocations and stop >= position:
                following = stops[number + 1] if number + 1 < len(stops) else size
                position += self._datum(data, relocations[stop], following)

    def _datum(self, data: bytes, relocation: Relocation, limit: int) -> int:
        """One number with a relocation; gives its size."""
        symbol = self._symbol(relocation)
        size = 8 if relocation.type == RelocationType.R64_ABS64 else 4
        offset = relocation.offset
        if symbol is not None and offset + size <= limit and self._is_plain_datum(relocation, symbol):
            addend = int.from_bytes(data[offset : offset + size], self.endian, signed=True)  # type: ignore[arg-type]
            operand = self._operand(symbol, addend)
            if operand is not None:
                self.lines.append(f"\t{'.quad' if size == 8 else '.long'}\t{operand}")
                return size
        self.lines.append(self._reloc(relocation))
        return 0

    def _is_plain_datum(self, relocation: Relocation, symbol: Symbol) -> bool:
        """The assembler would choose this relocation for this symbol by itself."""
        if relocation.type == RelocationType.R64_ABS64:
            return True
        if relocation.type not in (RelocationType.R64_ABS32, RelocationType.R64_NODYLD32):
            return False
        if not 0 <= symbol.section < len(self.object.sections):
            return relocation.type == RelocationType.R64_ABS32
        flags = self.object.sections[symbol.section].flags
        wanted = 6 if symbol.type is SymbolType.SECTION else 3
        return (flags & wanted == wanted) == (relocation.type == RelocationType.R64_NODYLD32)

    def _bytes(self, data: bytes, size: int) -> None:
        if not data.strip(b"\0"):
            self.lines.append(f"\t.zero\t{size}")
            return
        if data.endswith(b"\0") and all(32 <= byte < 127 or byte in (0, 9, 10) for byte in data) and len(data) > 1:
            for part in data[:-1].split(b"\0"):
                self.lines.append(f"\t.asciz\t{quote(part.decode())}")
            return
        for start in range(0, len(data), _ROW):
            row = data[start : start + _ROW]
            self.lines.append("\t.byte\t" + ",".join(f"0x{byte:02x}" for byte in row))


def _destination(place: int, insn: Insn) -> int | None:
    """The byte offset to which a jump or a call by distance leads."""
    form = form_of(insn)
    if form is None or form.pattern not in _JUMPS:
        return None
    distance = insn.imm if form.pattern in (Pattern.JUMP_LONG, Pattern.CALL_LOCAL) else insn.off
    return place + 8 + 8 * distance
