"""Macros, repetition, conditions and included files: lines to lines with their origins.

    lines --.macro .rept .irp .irpc .if .include .incbin--> lines

Expressions in conditions and counts may use constants (-D, .set, =) that stand before them; labels have no addresses
yet. Bounded: nesting, the number of lines made, and the size of included files all have limits, so no text can run
away. Imported only for texts that have one of these directives.

Source: the GNU as manual, sections 7 ".macro", ".rept", ".irp", ".if", ".include", ".incbin".
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any, NamedTuple

from toolchain.asm import expressions
from toolchain.asm.faults import Fault
from toolchain.asm.options import AsmOptions
from toolchain.asm.shapes import Shapes
from toolchain.asm.unit import Origin, lines_of, place_fault
from toolchain.errors import AsmError

MAX_LINES = 4_000_000
MAX_EXPANDED = 1_000_000
"""Lines that macros and repetitions may make."""
MAX_DEPTH = 32
MAX_FAULTS = 500
_BINARY_SIZE = 48 << 10
"""Bytes of an .incbin that become one line."""
MAX_LINE_SIZE = 100_000
"""Characters of a line that a macro makes."""
MAX_FILE_SIZE = 64 << 20
"""Bytes of included files, one by one and all together."""
_HEAD = re.compile(r"\s*((?:[\w.$]+\s*:(?!:)\s*)*)([A-Za-z_.$][\w.$]*)?")
_ASSIGN = re.compile(r"\s*(?:[\w.$]+\s*:\s*)*([A-Za-z_.$][\w.$]*)\s*=(?!=)|\s*\.(?:set|equ|equiv)\s")
_LABEL = re.compile(r"\s*([A-Za-z_.$][\w.$]*)\s*:")
_PARAMETER = re.compile(r"\\(@|\(\)|[A-Za-z_][\w$]*)")
_OPENERS = {".macro": ".endm", ".rept": ".endr", ".rep": ".endr", ".irp": ".endr", ".irpc": ".endr"}
_ENDERS = {".endm": ".endm", ".endmacro": ".endm", ".endr": ".endr"}
_COMPARISONS = {
    ".if": lambda n: n != 0, ".ifne": lambda n: n != 0, ".ifeq": lambda n: n == 0, ".ifgt": lambda n: n > 0,
    ".ifge": lambda n: n >= 0, ".iflt": lambda n: n < 0, ".ifle": lambda n: n <= 0,
}  # fmt: skip


def expand(
    lines: list[str], path: str, options: AsmOptions, shapes: Shapes
) -> tuple[list[str], list[Origin], list[AsmError]]:
    """The lines that a text's lines make, where each came from, and the faults met."""
    pass_ = _Pass(options, shapes)
    pass_.run([_Line(line, Origin(path, number, line)) for number, line in enumerate(lines, 1)])
    return pass_.lines, pass_.origins, pass_.faults


class _Line(NamedTuple):
    text: str
    origin: Origin


class _Macro(NamedTuple):
    name: str
    parameters: tuple[tuple[str, str | None, bool, bool], ...]
    """(name, default, is required, takes the rest)"""
    body: tuple[_Line, ...]


class _Stop(Exception):
    """The pass has gone too far to go on."""


class _ExitMacro(Exception):
    """.exitm"""


class _Pass:
    """The state of the text pass."""

    def __init__(self, options: AsmOptions, shapes: Shapes) -> None:
        self.options = options
        self.shapes = shapes
        self.lines: list[str] = []
        self.origins: list[Origin] = []
        self.faults: list[AsmError] = []
        self.macros: dict[str, _Macro] = {}
        self.constants: dict[str, Any] = dict(options.defines)
        self.labels: set[str] = set()
        self.expansions = 0
        self.expanded = 0
        self.bytes_read = 0
        self.depth = 0

    def run(self, lines: list[_Line]) -> None:
        """All lines of the file."""
        with contextlib.suppress(_Stop, _ExitMacro):
            self._process(lines)

    def _fault(self, line: _Line, fault: Fault) -> None:
        if len(self.faults) >= MAX_FAULTS:
            raise _Stop
        start, end = self.shapes.locate(line.text, fault)
        self.faults.append(place_fault(fault, line.origin, line.text, start, end))

    # ---- lines
    def _process(self, lines: list[_Line]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._fault(
                lines[0], Fault(f"macros, repetitions or includes are nested too deeply: {self.depth} ({MAX_DEPTH})")
            )
            raise _Stop
        conditions: list[tuple[bool, bool, _Line]] = []
        index = 0
        while index < len(lines):
            line = lines[index]
            index += 1
            for part in self._parts(line):
                word = self._word(part.text)
                is_live = not conditions or conditions[-1][0]
                try:
                    if self._condition(word, part, conditions):
                        continue
                    if not is_live:
                        continue
                    if word in _OPENERS:
                        body, index = self._body(word, lines, index)
                        self._block(word, part, body)
                    elif word in _ENDERS:
                        raise Fault(f"{word} without {'.macro' if _ENDERS[word] == '.endm' else '.rept'}", token=word)
                    else:
                        self._plain(word, part)
                except Fault as fault:
                    self._fault(part, fault)
        if conditions:
            self._fault(conditions[-1][2], Fault(".if without .endif"))
        self.depth -= 1

    def _parts(self, line: _Line) -> list[_Line]:
        """The statements of a line, at their columns, where one of them needs this pass; else the line."""
        if ";" not in line.text:
            return [line]
        pieces = []
        for tokens in self.shapes.split(line.text):
            start, end = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
            pieces.append(_Line(" " * start + line.text[start:end], line.origin))
        return pieces or [line]

    @staticmethod
    def _word(text: str) -> str:
        match = _HEAD.match(text)
        return (match[2] or "") if match else ""

    def _plain(self, word: str, line: _Line) -> None:
        if word in self.macros and not re.match(r"\s*[:=]", line.text[line.text.index(word) + len(word) :]):
            self._expand(self.macros[word], line)
        elif word == ".include":
            self._include(line)
        elif word == ".incbin":
            self._incbin(line)
        elif word == ".purgem":
            name = _without_comment(self._rest(line.text, word)).strip()
            if self.macros.pop(name, None) is None:
                raise Fault(f"no such macro: {name}", token=name)
        elif word == ".exitm":
            raise _ExitMacro
        elif word == ".end":
            raise _Stop
        else:
            self._emit(line)

    def _emit(self, line: _Line) -> None:
        if len(self.lines) >= MAX_LINES:
            self._fault(line, Fault(f"too many lines after expansion: {MAX_LINES}"))
            raise _Stop
        self.lines.append(line.text)
        self.origins.append(line.origin)
        if _ASSIGN.match(line.text):
            self._assign(line)
        match = _LABEL.match(line.text)
        if match:
            self.labels.add(match[1])

    def _assign(self, line: _Line) -> None:
        found = self.shapes.statements([line.text])[line.text]
        if isinstance(found, Fault):
            return
        for statement in found:
            for item in statement[0]:
                name: Any = None
                if item[0] == "assign":
                    name, expr = expressions.bind(item[1], statement[1])[1], item[2]
                elif item[0] == "directive" and item[1] in (".set", ".equ", ".equiv") and len(item[2]) == 2:
                    bound = expressions.bind(item[2][0], statement[1])
                    name, expr = (bound[1] if isinstance(bound, tuple) else None), item[2][1]
                if isinstance(name, str):
                    try:
                        self.constants[name] = expressions.evaluate(expressions.bind(expr, statement[1]), self._lookup)
                    except Fault:
                        self.constants[name] = None

    # ---- expressions
    def _lookup(self, name: str) -> expressions.Value:
        value = self.constants.get(name)
        if isinstance(value, int):
            return value
        raise Fault(f"not a constant that is known here: {name}", token=name)

    def _number(self, line: _Line) -> int:
        """The number that a directive's one operand is."""
        found = self.shapes.statements([line.text])[line.text]
        if isinstance(found, Fault):
            raise found
        item = found[0][0][-1]
        operands = item[2] if item[0] == "directive" else []
        if len(operands) != 1:
            raise Fault("one number is wanted")
        value = expressions.evaluate(expressions.bind(operands[0], found[0][1]), self._lookup)
        if not isinstance(value, int):
            raise Fault("one number is wanted")
        return value

    @staticmethod
    def _rest(text: str, word: str) -> str:
        return text[text.index(word) + len(word) :]

    # ---- conditions
    def _condition(self, word: str, line: _Line, conditions: list[tuple[bool, bool, _Line]]) -> bool:
        """Handles .if and its kin, else gives False. Each entry: is live, was any branch taken, its line."""
        outer = not conditions or conditions[-1][0]
        if word.startswith(".if"):
            is_true = False
            try:
                is_true = outer and self._is_true(word, line)
            finally:
                conditions.append((is_true, is_true or not outer, line))
            return True
        if word not in (".else", ".elseif", ".endif"):
            return False
        if not conditions:
            raise Fault(f"{word} without .if", token=word)
        _, was_taken, start = conditions.pop()
        if word == ".endif":
            return True
        is_true = not was_taken and (
            word == ".else" or self._is_true(".if", _Line(line.text.replace(".elseif", ".if", 1), line.origin))
        )
        conditions.append((is_true, was_taken or is_true, start))
        return True

    def _is_true(self, word: str, line: _Line) -> bool:
        rest = self._rest(line.text, word).strip()
        if word in _COMPARISONS:
            return bool(_COMPARISONS[word](self._number(line)))
        if word in (".ifdef", ".ifndef", ".ifnotdef"):
            name = rest.split("#")[0].strip()
            is_defined = name in self.constants or name in self.labels or name in self.macros
            return is_defined == (word == ".ifdef")
        if word in (".ifb", ".ifnb"):
            return (not rest) == (word == ".ifb")
        if word in (".ifc", ".ifnc", ".ifeqs", ".ifnes"):
            pair = [each.strip() for each in split_arguments(rest)]
            if len(pair) != 2:
                raise Fault(f"{word} compares two texts: {len(pair)}")
            return (pair[0] == pair[1]) == (word in (".ifc", ".ifeqs"))
        raise Fault(f"unknown condition: {word}", token=word)

    # ---- blocks
    def _body(self, word: str, lines: list[_Line], index: int) -> tuple[list[_Line], int]:
        """The lines of a block and the index after its end."""
        start = index
        body: list[_Line] = []
        wanted = _OPENERS[word]
        depth = 1
        while index < len(lines):
            inner = self._word(lines[index].text)
            if _OPENERS.get(inner) == wanted:
                depth += 1
            elif _ENDERS.get(inner) == wanted:
                depth -= 1
                if depth == 0:
                    return body, index + 1
            body.append(lines[index])
            index += 1
        self._fault(lines[start - 1], Fault(f"{word} without {wanted}", token=word))
        raise _Stop

    def _block(self, word: str, line: _Line, body: list[_Line]) -> None:
        """Does what a block says."""
        if word == ".macro":
            self._define(line, body)
        elif word in (".rept", ".rep"):
            count = self._number(line)
            if count < 0:
                raise Fault(f"repeat count below zero: {count}")
            self._repeat(line, body, [{}] * min(count, MAX_EXPANDED + 1))
        else:
            self._iterate(word, line, body)

    def _repeat(self, line: _Line, body: list[_Line], bindings: list[dict[str, str]]) -> None:
        if not body:
            return
        self._account(line, len(body) * len(bindings))
        for binding in bindings:
            made = [_Line(self._fill(line, each.text, binding, ""), each.origin) for each in body] if binding else body
            self._process(made)

    def _fill(self, line: _Line, text: str, binding: dict[str, str], count: str) -> str:
        """A line of a body with its arguments."""
        longest = max(map(len, binding.values()), default=0)
        if longest and text.count("\\") * longest > MAX_LINE_SIZE:
            self._fault(line, Fault(f"a macro makes too long a line ({MAX_LINE_SIZE} characters)"))
            raise _Stop
        return _substitute(text, binding, count)

    def _account(self, line: _Line, count: int) -> None:
        self.expanded += count
        if self.expanded > MAX_EXPANDED:
            self._fault(line, Fault(f"macros and repetitions make too many lines ({MAX_EXPANDED})"))
            raise _Stop

    def _iterate(self, word: str, line: _Line, body: list[_Line]) -> None:
        rest = _without_comment(self._rest(line.text, word)).strip()
        match = re.match(r"([A-Za-z_][\w$]*)\s*,?\s*", rest)
        if not match:
            raise Fault(f"{word} wants a name and values")
        tail = rest[match.end() :]
        values = list(tail.strip('"')) if word == ".irpc" else [each.strip() for each in split_arguments(tail)]
        self._repeat(line, body, [{match[1]: value} for value in values or [""]])

    # ---- macros
    def _define(self, line: _Line, body: list[_Line]) -> None:
        match = re.match(r"\s*([A-Za-z_.$][\w.$]*)\s*,?\s*(.*)", _without_comment(self._rest(line.text, ".macro")))
        if not match:
            raise Fault("a macro has a name", token=".macro")
        name = match[1]
        if name in self.macros:
            first = self.macros[name].body
            where = f" (first in line {first[0].origin.line})" if first else ""
            raise Fault(f"macro is defined twice: {name}{where}", token=name)
        parameters = []
        for each in re.findall(r"([A-Za-z_][\w$]*)(?::(req|vararg))?(?:\s*=\s*(\"[^\"]*\"|[^\s,]*))?", match[2]):
            parameters.append(
                (
                    each[0],
                    each[2].strip('"') if "=" in match[2] and each[2] else None,
                    each[1] == "req",
                    each[1] == "vararg",
                )
            )
        self.macros[name] = _Macro(name, tuple(parameters), tuple(body))

    def _expand(self, macro: _Macro, line: _Line) -> None:
        head = line.text.index(macro.name)
        labels = line.text[:head]
        if labels.strip():
            self._emit(_Line(labels, line.origin))
        rest = _without_comment(line.text[head + len(macro.name) :]).strip()
        binding = self._arguments(macro, rest)
        self.expansions += 1
        self._account(line, len(macro.body) + 1)
        role = f"in expansion of macro {macro.name}"
        made = []
        for each in macro.body:
            origin = Origin(each.origin.path, each.origin.line, each.origin.text, line.origin, role)
            made.append(_Line(self._fill(line, each.text, binding, str(self.expansions - 1)), origin))
        depth = self.depth
        try:
            if made:
                self._process(made)
        except _ExitMacro:
            self.depth = depth

    @staticmethod
    def _arguments(macro: _Macro, rest: str) -> dict[str, str]:
        binding = {name: default or "" for name, default, _, _ in macro.parameters}
        given = set()
        values = split_arguments(rest) if rest else []
        if len(values) == 1 and len(macro.parameters) > 1 and not macro.parameters[0][3]:
            values = split_arguments(rest, blanks=True)
        position = 0
        for index, value in enumerate(values):
            keyword = re.match(r"([A-Za-z_][\w$]*)\s*=(?!=)\s*(.*)", value.strip())
            if keyword and keyword[1] in binding:
                binding[keyword[1]] = keyword[2]
                given.add(keyword[1])
                continue
            if position >= len(macro.parameters):
                raise Fault(f"too many arguments of macro {macro.name}: {len(values)} ({len(macro.parameters)})")
            name, _, _, takes_rest = macro.parameters[position]
            position += 1
            if takes_rest:
                binding[name] = ",".join(values[index:]).strip()
                given.add(name)
                break
            if value.strip():
                binding[name] = value.strip()
                given.add(name)
        missing = [name for name, _, is_required, _ in macro.parameters if is_required and name not in given]
        if missing:
            raise Fault(f"argument of macro {macro.name} is missing: {', '.join(missing)}")
        return binding

    # ---- files
    def _include(self, line: _Line) -> None:
        path, data, _ = self._file(line, ".include")
        text = data.decode("utf-8", "surrogateescape")
        made = [
            _Line(each, Origin(path, number, each, line.origin, "included from here"))
            for number, each in enumerate(lines_of(text), 1)
        ]
        self._account(line, len(made))
        if made:
            self._process(made)

    def _incbin(self, line: _Line) -> None:
        _, data, numbers = self._file(line, ".incbin")
        skip = numbers[0] if numbers else 0
        count = numbers[1] if len(numbers) > 1 else len(data)
        if skip < 0 or count < 0:
            raise Fault("skip or count below zero")
        import base64

        part = data[skip : skip + count]
        for start in range(0, len(part), _BINARY_SIZE):
            text = base64.b64encode(part[start : start + _BINARY_SIZE]).decode()
            self._emit(_Line(f'.base64 "{text}"', line.origin))

    def _file(self, line: _Line, word: str) -> tuple[str, bytes, list[int]]:
        """The file that a directive names, and the numbers behind its name. Raises Fault."""
        found = self.shapes.statements([line.text])[line.text]
        if isinstance(found, Fault):
            raise found
        item = found[0][0][-1]
        operands = [expressions.bind(each, found[0][1]) for each in item[2]] if item[0] == "directive" else []
        if not operands or not isinstance(operands[0], tuple) or operands[0][0] != "str":
            raise Fault(f"a file name in quotes is wanted by {word}", token=word)
        name = operands[0][1].decode("utf-8", "surrogateescape")
        numbers = []
        for bound in operands[1:]:
            value = expressions.evaluate(bound, self._lookup)
            numbers.append(value if isinstance(value, int) else -1)
        if not self.options.may_read_files:
            raise Fault(f"files may not be read here: {name}", token=f'"{name}"')
        own = Path(line.origin.path).parent if not line.origin.path.startswith("<") else Path()
        for folder in (own, *map(Path, self.options.include_dirs)):
            try:
                path = folder / name
                if path.is_file():
                    if path.stat().st_size > MAX_FILE_SIZE:
                        raise Fault(f"file is too large: {path} ({MAX_FILE_SIZE} bytes)", token=f'"{name}"')
                    data = path.read_bytes()
                    self.bytes_read += len(data)
                    if self.bytes_read > MAX_FILE_SIZE:
                        raise Fault(f"included files are too large together ({MAX_FILE_SIZE} bytes)", token=f'"{name}"')
                    return str(path), data, numbers
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise Fault(f"cannot read {name!r}: {reason}", token=f'"{name}"') from None
        raise Fault(f"no such file: {name} (its own folder, -I)", token=f'"{name}"')


def _substitute(text: str, binding: dict[str, str], count: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "@":
            return count
        if name == "()":
            return ""
        return binding.get(name, match[0])

    return _PARAMETER.sub(value, text) if "\\" in text else text


def _without_comment(text: str) -> str:
    match = re.match(r'(?:"(?:[^"\\]|\\.)*"|/(?!/)|[^"#/])*', text)
    return match[0] if match else text


def split_arguments(text: str, blanks: bool = False) -> list[str]:
    """Splits at commas (or blanks) outside quotes and brackets."""
    parts = [""]
    depth = 0
    quote = ""
    for char in text:
        if quote:
            quote = "" if char == quote and not parts[-1].endswith("\\") else quote
        elif char in "\"'":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif depth <= 0 and (char == "," or (blanks and char in " \t")):
            parts.append("")
            continue
        parts[-1] += char
    return [each for each in parts if each] if blanks else parts if text.strip() else []
