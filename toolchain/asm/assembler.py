"""A Unit to an object: one pass over the lines that lays out sections, then one over the fix-ups (resolve.py).

Every instruction and nearly every directive has its size from the line alone, so a label's address is known when it is
met; what refers to labels waits as a *fix-up* until the end. The exceptions (.uleb128 of a distance ahead) are laid
out with the size of the pass before, and the passes repeat until no size changes; sizes only grow, so they end.

    lines --records--> sections (bytes so far), labels, fix-ups --resolve--> bytes, relocations, symbols

The pass does not stop at a fault: every fault of the file is found, and none but the first is caused by another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from toolchain.asm import expressions, sections
from toolchain.asm.directives import HANDLERS, UNSUPPORTED
from toolchain.asm.emit import Emit, Encoder, data_bytes
from toolchain.asm.expressions import Address
from toolchain.asm.faults import Fault
from toolchain.asm.options import AsmOptions
from toolchain.asm.sections import Budget, SectionBuilder
from toolchain.asm.shapes import Statement
from toolchain.asm.unit import Unit, first_of
from toolchain.errors import AsmError, Span
from toolchain.spec.objects import ObjectFile, SymbolBind, SymbolType
from toolchain.values import Value, value_type

MAX_PASSES = 16
MAX_FAULTS = 500
"""After so many faults a pass stops; what a run shows is limited further by its command."""


class Label(NamedTuple):
    """Where a label stands; ``line`` is its definition's."""

    section: int
    offset: int
    line: int


class Fixup(NamedTuple):
    """A field that waits for symbols. ``statement`` is the statement's index in its line."""

    offset: int
    kind: str
    expression: Any
    line: int
    statement: int


@dataclass(slots=True)
class SymbolInfo:
    """What directives said about a symbol."""

    bind: SymbolBind | None = None
    type: SymbolType = SymbolType.NOTYPE
    visibility: int = 0
    size: Any = None
    size_line: int = 0
    common: tuple[int, int] | None = None


class MapRecord(NamedTuple):
    """A ``.map`` directive."""

    name: str
    arguments: tuple[Any, ...]
    section: int
    offset: int
    line: int


class Row(NamedTuple):
    """A line of the listing: what it put where."""

    line: int
    section: int
    offset: int
    size: int


@value_type
class Assembled(Value):
    """An object and how it came about. ``warnings`` are errors in form, shown and not raised."""

    object_file: ObjectFile
    rows: tuple[Row, ...] = ()
    warnings: tuple[AsmError, ...] = ()


class Assembler:
    """The state of one pass. Directives (directives.py) work on it."""

    def __init__(self, unit: Unit, options: AsmOptions, leb_sizes: dict[int, int], want_rows: bool) -> None:
        self.unit = unit
        self.options = options
        self.encoder = Encoder(options)
        self.emitters: dict[int, Emit] = {}
        self.sections: list[SectionBuilder] = []
        self.budget = Budget()
        self.section_index: dict[str, int] = {}
        self.fixups: dict[int, list[Fixup]] = {}
        self.current = self.enter(".text", sections.SHT_PROGBITS, sections.SHF_ALLOC | sections.SHF_EXEC)
        self.current.align = 4
        self.previous = self.current
        self.stack: list[tuple[SectionBuilder, SectionBuilder]] = []
        self.labels: dict[str, Label] = {}
        self.symbols: dict[str, SymbolInfo] = {}
        self.constants: dict[str, Any] = dict(unit.constants)
        self.local_counts: dict[int, int] = {}
        self.leb_sizes = leb_sizes
        self.leb_fixups: list[tuple[int, int, int, Fixup]] = []
        self.leb_count = 0
        self.maps: list[MapRecord] = []
        self.functions: list[str] = []
        self.declared_functions: set[str] = set()
        self.files: list[str] = []
        self.line_files: dict[int, tuple[bytes, bytes, int | None]] = {}
        self.line_rows: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        self.pending_location: tuple[int, ...] | None = None
        self.location_flags = 1
        self.frames: list[tuple[int, int, int]] = []
        self.frame_start: tuple[int, int] | None = None
        self.source_lines: list[tuple[int, int, int]] = []
        self.rows: list[Row] = []
        self.want_rows = want_rows
        self.faults: list[AsmError] = []
        self.warnings: list[AsmError] = []
        self.line = 0
        self.statement = 0
        self.watch = options.debug

    # ---- sections
    def enter(
        self, name: str, type: int | None = None, flags: int | None = None, entry_size: int = 0
    ) -> SectionBuilder:
        """The section of that name, made with these or its name's attributes where it is new."""
        index = self.section_index.get(name)
        if index is not None:
            section = self.sections[index]
            if flags is not None and flags != section.flags and not section.is_undecided:
                raise Fault(f"section {name} changes its flags: 0x{flags:x} (0x{section.flags:x})")
            return section
        default_type, default_flags, is_undecided = sections.defaults(name)
        section = SectionBuilder(
            name, len(self.sections), default_type if type is None else type,
            default_flags if flags is None else flags, entry_size, is_undecided and flags is None,
            self.budget,
        )  # fmt: skip
        self.section_index[name] = section.index
        self.sections.append(section)
        self.fixups[section.index] = []
        return section

    def switch(self, section: SectionBuilder) -> None:
        """Makes ``section`` the current one."""
        self.previous, self.current = self.current, section
        self.update_watch()

    def update_watch(self) -> None:
        """Whether the pass must look at each instruction as it comes."""
        self.watch = self.options.debug or self.current.is_undecided or self.pending_location is not None

    # ---- symbols
    def symbol(self, name: str) -> SymbolInfo:
        """What is known about a symbol, so that it can be added to."""
        info = self.symbols.get(name)
        if info is None:
            info = self.symbols[name] = SymbolInfo()
        return info

    def define(self, name: str | int) -> None:
        """A label here. Raises Fault."""
        if isinstance(name, int):
            count = self.local_counts.get(name, 0) + 1
            self.local_counts[name] = count
            name = f".L\x01{name}\x01{count}"
        known = self.labels.get(name)
        if known is not None:
            raise DuplicateFault(f"label is defined twice: {name}", known.line, token=name)
        if name in self.constants:
            raise Fault(f"label is a constant already: {name}", token=name)
        if not name or name == ".":
            raise Fault(f"not a name for a label: {name!r}")
        self.labels[name] = Label(self.current.index, self.current.size, self.line)

    def assign(self, name: str, bound: Any, may_repeat: bool = True) -> None:
        """``name = expression``. Raises Fault."""
        if name[0] in "rwRW" and name[1:].isdecimal():
            raise Fault(f"unknown register: {name} ({name[0]}0..{name[0]}10)", token=name)
        if name in self.labels or (not may_repeat and name in self.constants):
            raise Fault(f"symbol is defined already: {name}", token=name)
        if name == ".":
            self.advance_to(bound)
            return
        bound = self.anchor(bound)
        try:
            self.constants[name] = expressions.evaluate(bound, self.lookup_now)
        except NotYet:
            if name in expressions.names(bound):
                raise Fault(f"symbol is defined by itself: {name}", token=name) from None
            self.constants[name] = bound

    def advance_to(self, bound: Any, fill: int = 0) -> None:
        """.org: fills up to an offset of the current section. Raises Fault."""
        value = self.number(bound, allow_address=True)
        if value < self.current.size:
            raise Fault(f".org goes back: {value} ({self.current.size} or more)")
        self.current.reserve(value - self.current.size)
        self.current.append(bytes((fill & 0xFF,)) * (value - self.current.size))

    def anchor(self, bound: Any) -> Any:
        """``bound`` with '.' and local labels such as 1f replaced by what they mean at this place."""
        if not isinstance(bound, tuple):
            return bound
        if bound[0] == "name":
            name = bound[1]
            if name == ".":
                return ("at", self.current.index, self.current.size)
            if name[:1].isdigit() and name[-1] in "fb":
                number = int(name[:-1])
                count = self.local_counts.get(number, 0) + (name[-1] == "f")
                if count == 0:
                    raise Fault(f"no label {number} before this line: {name}", token=name)
                return ("name", f".L\x01{number}\x01{count}")
            return bound
        return (bound[0], *[self.anchor(each) for each in bound[1:]])

    def lookup_now(self, name: str) -> expressions.Value:
        """A symbol's value as far as it is known at this line. Raises NotYet."""
        value = self.constants.get(name)
        if isinstance(value, (int, Address)):
            return value
        label = self.labels.get(name)
        if label is None:
            raise NotYet(f"symbol is not defined before this line: {name}", token=name)
        return Address(label.section, label.offset, name)

    def number(self, bound: Any, allow_address: bool = False) -> int:
        """The value of an expression that must be known now. Raises Fault."""
        value = expressions.evaluate(self.anchor(bound), self.lookup_now)
        if isinstance(value, Address):
            if not allow_address or value.section != self.current.index:
                raise Fault(
                    f"a number is wanted here, and this is an address: {value.symbol or '.'}", token=value.symbol
                )
            return value.offset
        return value

    # ---- the pass
    def run(self) -> None:
        """All lines."""
        records = self._records()
        current = self.current
        append = current.pieces.append
        for index, line in enumerate(self.unit.lines):
            record = records[line]
            if self.watch and self._is_code(line):
                self.line = index
                self._before_instruction()
            if record.__class__ is bytes:
                if record:
                    if self.want_rows:
                        self.rows.append(Row(index, current.index, current.size, len(record)))
                    append(record)
                    current.size += len(record)
                continue
            self.line = index
            before = current.size
            if record.__class__ is tuple:
                self.statement = 0
                try:
                    self._apply(record)
                except Fault as fault:
                    self.fault(fault)
            else:
                self._apply_line(record)
            if self.want_rows:
                start = before if current is self.current else self.current.size
                self.rows.append(Row(index, self.current.index, start, self.current.size - start))
            if self.current is not current:
                current = self.current
                append = current.pieces.append
            if len(self.faults) >= MAX_FAULTS:
                return
        for section in self.sections:
            if section.size > sections.MAX_SIZE:
                self.fault(Fault(f"section {section.name} is too large: {section.size} bytes ({sections.MAX_SIZE})"))
        if self.frame_start is not None:
            self.fault(Fault(".cfi_startproc without .cfi_endproc"))

    def _records(self) -> dict[str, Any]:
        """What each different line does."""
        records: dict[str, Any] = {}
        emitters = self.emitters
        for line, statements in self.unit.statements.items():
            if statements.__class__ is tuple and len(statements) == 1:
                plan, values = statements[0]
                emit = emitters.get(id(plan)) or self._emitter(plan)
                try:
                    records[line] = emit(values)
                except Fault as fault:
                    records[line] = fault.copy()
            else:
                records[line] = self._several(statements)
        return records

    def _several(self, statements: tuple[Statement, ...] | Fault) -> Any:
        """The records of a line with no or several statements."""
        if isinstance(statements, Fault):
            return statements
        made: list[Any] = []
        for plan, values in statements:
            emit = self.emitters.get(id(plan)) or self._emitter(plan)
            try:
                made.append(emit(values))
            except Fault as fault:
                made.append(fault.copy())
        return made or b""

    def _emitter(self, plan: tuple[Any, ...]) -> Emit:
        """A plan's emitter. The unit keeps its plans alive, so that their ids stay theirs."""
        try:
            emit = self.encoder.emitter(plan)
        except Fault as fault:
            emit = _raiser(fault)
        self.emitters[id(plan)] = emit
        return emit

    def _is_code(self, line: str) -> bool:
        """It makes an instruction."""
        statements = self.unit.statements[line]
        if isinstance(statements, Fault):
            return False
        return any(item[0] in ("insn", "pseudo") for plan, _ in statements for item in plan)

    def _apply_line(self, record: Any) -> None:
        is_several = isinstance(record, list) and len(self._statements()) > 1
        statements = record if is_several else [record]
        for index, each in enumerate(statements):
            self.statement = index
            try:
                for part in each if isinstance(each, list) else (each,):
                    self._apply(part)
            except Fault as fault:
                self.fault(fault)
                if each is fault:
                    self._rescue_labels(index)

    def _rescue_labels(self, statement: int) -> None:
        """Defines the labels before a faulty instruction, so that its fault does not make others."""
        if isinstance(self.unit.statements[self.unit.lines[self.line]], Fault):
            parts = self.unit.shapes.split(self.unit.lines[self.line])
        else:
            parts = self.unit.shapes.split(self.unit.lines[self.line])[statement : statement + 1]
        for tokens in parts:
            texts = [token.text for token in tokens if token.piece != " "]
            while len(texts) > 1 and texts[1] == ":" and not texts[0].isdigit():
                name = texts[0].strip('"')
                self.labels.setdefault(name, Label(self.current.index, self.current.size, self.line))
                texts = texts[2:]

    def _statements(self) -> tuple[Any, ...]:
        statements = self.unit.statements[self.unit.lines[self.line]]
        return statements if isinstance(statements, tuple) else ()

    def _apply(self, record: Any) -> None:
        if record.__class__ is not tuple:
            if isinstance(record, Fault):
                raise record
            self.current.append(record)
            return
        tag = record[0]
        if tag == "directive":
            self._directive(record[1], record[2])
        elif tag == "label":
            self.define(record[1])
        elif tag == "fix":
            self.add_fixup(record[2], record[3], 0)
            self.current.append(record[1])
        elif tag == "fixes":
            for kind, bound in record[2]:
                self.add_fixup(kind, bound, 0)
            self.current.append(record[1])
        elif tag == "data":
            self._data(record[1], record[2])
        else:
            self.assign(record[1], record[2])

    def add_fixup(self, kind: str, bound: Any, size: int) -> None:
        """A field at the current place that waits for the end."""
        fixup = Fixup(self.current.size + size, kind, self.anchor(bound), self.line, self.statement)
        self.fixups[self.current.index].append(fixup)

    def raw_fixup(self, offset: int, kind: str, bound: Any) -> None:
        """A fix-up at any offset of the current section."""
        self.fixups[self.current.index].append(Fixup(offset, kind, self.anchor(bound), self.line, self.statement))

    def _data(self, key: Any, operands: tuple[Any, ...]) -> None:
        if key in (".uleb128", ".sleb128"):
            for bound in operands:
                self._leb(key, bound)
            return
        for bound in operands:
            if isinstance(bound, int):
                self.current.append(data_bytes(bound, key, self.options.endian))
            else:
                self.add_fixup(f"data{key}", bound, 0)
                self.current.append(bytes(key))

    def _leb(self, key: str, bound: Any) -> None:
        bound = self.anchor(bound)
        index = self.leb_count
        self.leb_count += 1
        size = self.leb_sizes.get(index, 0)
        try:
            value = expressions.evaluate(bound, self.lookup_now)
            if isinstance(value, int) and not size:
                self.current.append(leb128(value, key == ".sleb128"))
                return
        except NotYet:
            pass
        size = size or 1
        fixup = Fixup(self.current.size, key, bound, self.line, self.statement)
        self.leb_fixups.append((index, self.current.index, size, fixup))
        self.current.append(bytes(size))

    def _directive(self, name: str, arguments: tuple[Any, ...]) -> None:
        handler = HANDLERS.get(name)
        if handler is None:
            reason = UNSUPPORTED.get(name, "unknown directive")
            raise Fault(f"{reason}: {name}", token=name)
        handler(self, name, arguments)

    def _before_instruction(self) -> None:
        section = self.current
        if section.is_undecided:
            section.is_undecided = False
            section.flags |= sections.SHF_ALLOC | sections.SHF_EXEC
            self.update_watch()
        if self.options.debug:
            self.source_lines.append((section.index, section.size, self.line))
        if self.pending_location is not None:
            self.flush_location()

    def flush_location(self) -> None:
        """Gives the last .loc its row in the table of lines, at this place."""
        if self.pending_location is not None:
            self.line_rows.setdefault(self.current.index, []).append((self.current.size, self.pending_location))
            self.pending_location = None
            self.update_watch()

    # ---- faults
    def fault(self, fault: Fault, line: int = -1, statement: int = -1) -> None:
        """Keeps a fault of the current (or the given) line."""
        if len(self.faults) >= MAX_FAULTS:
            return
        line = self.line if line < 0 else line
        notes: tuple[tuple[Span | None, str], ...] = ()
        if isinstance(fault, DuplicateFault):
            notes = ((self._span(fault.first_line, fault.token), "first defined here"),)
        self.faults.append(self.unit.error(line, fault, self.statement if statement < 0 else statement, notes))

    def warn(self, message: str, hint: str = "") -> None:
        """Keeps a warning of the current line."""
        self.warnings.append(self.unit.error(self.line, Fault(message, hint=hint), self.statement))

    def _span(self, line: int, token: str) -> Span | None:
        where = self.unit.error(line, Fault("", token=token)).where
        return where if isinstance(where, Span) else None


def _raiser(fault: Fault) -> Emit:
    """An emitter for a plan that no line can mean: each line gets a fault of its own."""

    def emit(values: tuple[Any, ...]) -> Any:
        raise fault.copy()

    return emit


class NotYet(Fault):
    """A symbol whose value later lines give."""


class DuplicateFault(Fault):
    """A second definition; ``first_line`` is the first one's."""

    def __init__(self, message: str, first_line: int, token: str) -> None:
        super().__init__(message, token=token)
        self.first_line = first_line


def leb128(value: int, is_signed: bool, size: int = 1) -> bytes:
    """A LEB128 number in at least ``size`` bytes. Source: DWARF 5, section 7.6. Raises Fault."""
    if value < 0 and not is_signed:
        value += 1 << 64
    out = bytearray()
    while True:
        low = value & 0x7F
        value >>= 7
        is_last = (value == 0 and not (is_signed and low & 0x40)) or (is_signed and value == -1 and bool(low & 0x40))
        if is_last and len(out) + 1 >= size:
            out.append(low)
            return bytes(out)
        out.append(low | 0x80)


def assemble_unit(unit: Unit, options: AsmOptions, want_rows: bool = False) -> Assembled:
    """The object of a unit. Raises AsmError with every fault in ``faults``."""
    from toolchain.asm.resolve import finish, leb_sizes

    sizes: dict[int, int] = {}
    for _ in range(MAX_PASSES):
        state = Assembler(unit, options, sizes, want_rows)
        state.faults.extend(unit.faults)
        state.run()
        if state.faults:
            break
        wanted = leb_sizes(state)
        if wanted == sizes or state.faults:
            break
        sizes = {index: max(size, sizes.get(index, 0)) for index, size in wanted.items()}
    object_file = finish(state)
    if state.faults:
        state.faults.sort(key=_order)
        raise first_of(state.faults)
    return Assembled(object_file, tuple(state.rows), tuple(state.warnings))


def _order(error: AsmError) -> tuple[str, int, int]:
    span = error.where
    return (span.path, span.line, span.column) if isinstance(span, Span) else ("", 0, 0)
