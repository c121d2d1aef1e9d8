"""A Unit to an object: one pass over the lines that lays out sections, then one over the fix-ups (resolve.py).

Every instruction and nearly every directive has its size from the line alone, so a label's address is known when it is
met; what refers to labels waits as a *fix-up* until the end. The exceptions (.uleb128 of a distance ahead) are laid
out with the size of the pass before, and the passes repeat until no size changes; sizes only grow, so they end.

    lines --records--> sections (bytes so far), labels, fix-ups --resolve--> bytes, relocations, symbols

The pass does not stop at a fault: every fault of the file is found, and none but the first is caused by another.
"""

from __future__ import annotations

from typing import Any

from toolchain.asm import expressions, sections
from toolchain.asm.directives import HANDLERS, UNSUPPORTED
from toolchain.asm.emit import Emit, data_bytes, leb128
from toolchain.asm.faults import Fault
from toolchain.asm.options import AsmOptions
from toolchain.asm.resolve import finish, leb_sizes
from toolchain.asm.shapes import Statement
from toolchain.asm.state import MAX_FAULTS, Fixup, Label, NotYet, Row, State
from toolchain.asm.unit import Unit, first_of
from toolchain.errors import AsmError, Span
from toolchain.spec.objects import ObjectFile
from toolchain.values import Value, value_type

MAX_PASSES = 16


@value_type
class Assembled(Value):
    """An object and how it came about. ``warnings`` are errors in form, shown and not raised."""

    object_file: ObjectFile
    rows: tuple[Row, ...] = ()
    warnings: tuple[AsmError, ...] = ()


class _Pass:
    """One pass over the lines of a unit."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.emitters: dict[int, Emit] = {}
        self.leb_count = 0

    def run(self) -> None:
        """All lines."""
        state = self.state
        records = self._records()
        current = state.current
        append = current.pieces.append
        for index, line in enumerate(state.unit.lines):
            record = records[line]
            if state.watch and self._is_code(line):
                state.line = index
                self._before_instruction()
            if record.__class__ is bytes:
                if record:
                    if state.want_rows:
                        state.rows.append(Row(index, current.index, current.size, len(record)))
                    append(record)
                    current.size += len(record)
                continue
            state.line = index
            before = current.size
            if record.__class__ is tuple:
                state.statement = 0
                try:
                    self._apply(record)
                except Fault as fault:
                    state.fault(fault)
            else:
                self._apply_line(record)
            if state.want_rows:
                start = before if current is state.current else state.current.size
                state.rows.append(Row(index, state.current.index, start, state.current.size - start))
            if state.current is not current:
                current = state.current
                append = current.pieces.append
            if len(state.faults) >= MAX_FAULTS:
                return
        for section in state.sections:
            if section.size > sections.MAX_SIZE:
                state.fault(Fault(f"section {section.name} is too large: {section.size} bytes ({sections.MAX_SIZE})"))
        if state.frame_start is not None:
            state.fault(Fault(".cfi_startproc without .cfi_endproc"))

    def _records(self) -> dict[str, Any]:
        """What each different line does."""
        records: dict[str, Any] = {}
        emitters = self.emitters
        for line, statements in self.state.unit.statements.items():
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
            emit = self.state.encoder.emitter(plan)
        except Fault as fault:
            emit = _raiser(fault)
        self.emitters[id(plan)] = emit
        return emit

    def _is_code(self, line: str) -> bool:
        """It makes an instruction."""
        statements = self.state.unit.statements[line]
        if isinstance(statements, Fault):
            return False
        return any(item[0] in ("insn", "pseudo") for plan, _ in statements for item in plan)

    def _apply_line(self, record: Any) -> None:
        state = self.state
        is_several = isinstance(record, list) and len(self._statements()) > 1
        statements = record if is_several else [record]
        for index, each in enumerate(statements):
            state.statement = index
            try:
                for part in each if isinstance(each, list) else (each,):
                    self._apply(part)
            except Fault as fault:
                state.fault(fault)
                if each is fault:
                    self._rescue_labels(index)

    def _rescue_labels(self, statement: int) -> None:
        """Defines the labels before a faulty instruction, so that its fault does not make others."""
        state = self.state
        if isinstance(state.unit.statements[state.unit.lines[state.line]], Fault):
            parts = state.unit.shapes.split(state.unit.lines[state.line])
        else:
            parts = state.unit.shapes.split(state.unit.lines[state.line])[statement : statement + 1]
        for tokens in parts:
            texts = [token.text for token in tokens if token.piece != " "]
            while len(texts) > 1 and texts[1] == ":" and not texts[0].isdigit():
                name = texts[0].strip('"')
                state.labels.setdefault(name, Label(state.current.index, state.current.size, state.line))
                texts = texts[2:]

    def _statements(self) -> tuple[Any, ...]:
        state = self.state
        statements = state.unit.statements[state.unit.lines[state.line]]
        return statements if isinstance(statements, tuple) else ()

    def _apply(self, record: Any) -> None:
        state = self.state
        if record.__class__ is not tuple:
            if isinstance(record, Fault):
                raise record
            state.current.append(record)
            return
        tag = record[0]
        if tag == "directive":
            self._directive(record[1], record[2])
        elif tag == "label":
            state.define(record[1])
        elif tag == "fix":
            state.add_fixup(record[2], record[3], 0)
            state.current.append(record[1])
        elif tag == "fixes":
            for kind, bound in record[2]:
                state.add_fixup(kind, bound, 0)
            state.current.append(record[1])
        elif tag == "data":
            self._data(record[1], record[2])
        else:
            state.assign(record[1], record[2])

    def _data(self, key: Any, operands: tuple[Any, ...]) -> None:
        state = self.state
        if key in (".uleb128", ".sleb128"):
            for bound in operands:
                self._leb(key, bound)
            return
        for bound in operands:
            if isinstance(bound, int):
                state.current.append(data_bytes(bound, key, state.options.endian))
            else:
                state.add_fixup(f"data{key}", bound, 0)
                state.current.append(bytes(key))

    def _leb(self, key: str, bound: Any) -> None:
        state = self.state
        bound = state.anchor(bound)
        index = self.leb_count
        self.leb_count += 1
        size = state.leb_sizes.get(index, 0)
        try:
            value = expressions.evaluate(bound, state.lookup_now)
            if isinstance(value, int) and not size:
                state.current.append(leb128(value, key == ".sleb128"))
                return
        except NotYet:
            pass
        size = size or 1
        fixup = Fixup(state.current.size, key, bound, state.line, state.statement)
        state.leb_fixups.append((index, state.current.index, size, fixup))
        state.current.append(bytes(size))

    def _directive(self, name: str, arguments: tuple[Any, ...]) -> None:
        handler = HANDLERS.get(name)
        if handler is None:
            reason = UNSUPPORTED.get(name, "unknown directive")
            raise Fault(f"{reason}: {name}", token=name)
        handler(self.state, name, arguments)

    def _before_instruction(self) -> None:
        state = self.state
        section = state.current
        if section.is_undecided:
            section.is_undecided = False
            section.flags |= sections.SHF_ALLOC | sections.SHF_EXEC
            state.update_watch()
        if state.options.debug:
            state.source_lines.append((section.index, section.size, state.line))
        if state.pending_location is not None:
            state.flush_location()


def _raiser(fault: Fault) -> Emit:
    """An emitter for a plan that no line can mean: each line gets a fault of its own."""

    def emit(values: tuple[Any, ...]) -> Any:
        raise fault.copy()

    return emit


def assemble_unit(unit: Unit, options: AsmOptions, want_rows: bool = False) -> Assembled:
    """The object of a unit. Raises AsmError with every fault in ``faults``."""
    sizes: dict[int, int] = {}
    for _ in range(MAX_PASSES):
        state = State(unit, options, sizes, want_rows)
        state.faults.extend(unit.faults)
        _Pass(state).run()
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
