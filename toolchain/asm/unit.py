"""A parsed file: lines, where each came from, and their statements."""

from __future__ import annotations

import re
from typing import NamedTuple

from toolchain.asm.faults import Fault
from toolchain.asm.shapes import Shapes, Statement
from toolchain.errors import AsmError, Span
from toolchain.values import Value, value_type


class Origin(NamedTuple):
    """Where a line came from. ``parent`` is the line that included it or called its macro; ``role`` says which."""

    path: str
    line: int
    text: str
    parent: Origin | None = None
    role: str = ""


MAX_SHOWN = 2000
"""Characters of a line that an error shows; a longer one is left out."""
MAX_CHAIN = 8
"""Origins shown of a chain of macros and includes."""


@value_type
class Unit(Value):
    """What ``parse`` makes of a text.

    ``lines`` are what is assembled, after macros and includes; ``statements`` has each different line once.
    ``shown`` is parallel to ``lines`` where comments were taken off.
    ``origins`` is parallel to ``lines``, or None where every line is the text's own.
    ``faults`` are those of the text pass; faults of statements stand in ``statements``.
    """

    path: str
    lines: list[str]
    origins: list[Origin] | None
    statements: dict[str, tuple[Statement, ...] | Fault]
    shapes: Shapes
    faults: tuple[AsmError, ...] = ()
    constants: tuple[tuple[str, int], ...] = ()
    shown: list[str] | None = None

    def origin(self, index: int) -> Origin:
        """Where line ``index`` came from."""
        if self.origins is not None:
            return self.origins[index]
        return Origin(self.path, index + 1, self.text(index))

    def text(self, index: int) -> str:
        """Line ``index`` as a reader sees it."""
        return self.lines[index] if self.shown is None else self.shown[index]

    def error(
        self, index: int, fault: Fault, statement: int = 0, notes: tuple[tuple[Span | None, str], ...] = ()
    ) -> AsmError:
        """``fault`` of line ``index`` as an error with its place."""
        line = self.lines[index]
        start, end = self.shapes.locate(line, fault, statement)
        return place_fault(fault, self.origin(index), line, start, end, notes)


def place_fault(
    fault: Fault, origin: Origin, line: str, start: int, end: int, notes: tuple[tuple[Span | None, str], ...] = ()
) -> AsmError:
    """An error at the columns of ``line``; the chain of macros and includes becomes notes."""
    text = origin.text if origin.text == line or not origin.parent else line
    if len(text) > MAX_SHOWN:
        text = ""
    span = Span(origin.path, origin.line, start + 1, end + 1, text)
    chain: list[tuple[Span | None, str]] = []
    each = origin
    while each.parent is not None and len(chain) < MAX_CHAIN:
        parent = each.parent
        column = len(parent.text) - len(parent.text.lstrip()) + 1
        chain.append((Span(parent.path, parent.line, column, len(parent.text) + 1, parent.text), each.role))
        each = parent
    return AsmError(fault.message, span, fault.hint, notes=(*notes, *chain))


def first_of(faults: list[AsmError]) -> AsmError:
    """One error that carries all faults of a run."""
    first = faults[0]
    return AsmError(first.message, first.where, first.hint, tuple(faults), first.notes)


_BLOCK_COMMENT = r'"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"|#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z)'


def lines_of(text: str) -> list[str]:
    """The lines of a text, comments that span lines blanked out."""
    if "/*" in text:
        text = re.sub(_BLOCK_COMMENT, _blank, text, flags=re.DOTALL)
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    if not found.startswith("/*") or not found.endswith("*/") or len(found) < 4:
        return found
    return "".join("\n" if char == "\n" else " " for char in found)
