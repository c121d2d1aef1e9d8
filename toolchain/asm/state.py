"""What a pass over the lines writes to: sections, symbols, fix-ups, and where it stands.

Directives (directives.py) and the end of the pass (resolve.py and what it calls) work on this state; assembler.py
drives them. Nothing here knows a directive or an instruction.

    sections   bytes so far, and the fix-ups in them that wait for symbols
    symbols    labels (a place), constants (a number or an expression), what directives said about them
    place      the section in force, the one before, the line, the statement in it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from toolchain.asm import expressions, sections
from toolchain.asm.emit import Encoder
from toolchain.asm.expressions import Address
from toolchain.asm.faults import Fault
from toolchain.asm.options import AsmOptions
from toolchain.asm.sections import Budget, SectionBuilder
from toolchain.asm.unit import Unit
from toolchain.errors import AsmError, Span
from toolchain.spec.objects import SymbolBind, SymbolType

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


class NotYet(Fault):
    """A symbol whose value later lines give."""


class DuplicateFault(Fault):
    """A second definition; ``first_line`` is the first one's."""

    def __init__(self, message: str, first_line: int, token: str) -> None:
        super().__init__(message, token=token)
        self.first_line = first_line


class State:
    """The state of one pass."""

    def __init__(self, unit: Unit, options: AsmOptions, leb_sizes: dict[int, int], want_rows: bool) -> None:
        self.unit = unit
        self.options = options
        self.encoder = Encoder(options)
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

    # ---- fix-ups
    def add_fixup(self, kind: str, bound: Any, size: int) -> None:
        """A field at the current place that waits for the end."""
        fixup = Fixup(self.current.size + size, kind, self.anchor(bound), self.line, self.statement)
        self.fixups[self.current.index].append(fixup)

    def raw_fixup(self, offset: int, kind: str, bound: Any) -> None:
        """A fix-up at any offset of the current section."""
        self.fixups[self.current.index].append(Fixup(offset, kind, self.anchor(bound), self.line, self.statement))

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
