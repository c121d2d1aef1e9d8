"""Lines to shapes: most lines differ only in their numbers and names, so few need a parser.

    line      if r1 == 5 goto LBB0_3        # comment
    tokens    if| |r1| |==| |5| |goto| |LBB0_3
    shape     if r# == # goto @             values  (1, 5, "LBB0_3")

A *shape* is the line with registers' digits, numbers, names and strings replaced by placeholders (control characters
that no source may contain). Each shape is parsed once (grammar.py); its plan serves all lines of it. Real compiler
output of 100,000 lines has some hundred shapes.

Words that mean something to the grammar stay as they are. A statement in which a placeholder did not become an
operand of its own (a float, a character, a section called `tc/in`) is planned for its exact text alone.

Soundness: two statements of one shape have the same sequence of tokens but for values within one class of tokens,
and no terminal of the grammar tells values of a class apart (tests/asm/test_line_shapes.py checks every terminal's
words against KEPT).

Complexity: linear; about 1 us for each different line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from toolchain.asm import tables
from toolchain.asm.faults import Fault

NUMBER, NAME, STRING = "\x01", "\x02", "\x03"
_EXACT = "\x04"
"""Begins the key of a plan that serves one exact text."""
_CONTROL = "\x05"
"""Stands for any control character outside strings and comments, so that none passes for a placeholder."""

_RESERVED = NUMBER + NAME + STRING + _EXACT + _CONTROL
"""No character constant may have one of these either."""

_TOKEN = re.compile(
    r"""[A-Za-z_.$][\w.$]*(?:/[\w.$]+)*       # word; with slashes, a section's name
    | @+[A-Za-z_][\w.]*                        # @function
    | \#[^\n]* | //[^\n]*                      # comment
    | [0-9][\w.$]*                             # number, or what begins like one
    | [ \t\r\f\v]+
    | "[^"\\\n]*(?:\\[^\n][^"\\\n]*)*" | '(?:[^'\\\n]|\\[^\n])'
    | [^\n] | \n""",
    re.VERBOSE | re.ASCII,
)

_WORDS = (
    "if", "goto", "gotol", "may_goto", "call", "callx", "gotox", "exit", "lock", "ll", "skb", "local", "fetch",
    "fp", "ld_pseudo", "load_acquire", "store_release", "addr_space_cast", "xchg_64", "xchg32_32", "cmpxchg_64",
    "cmpxchg32_32", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "be16", "be32", "be64", "le16",
    "le32", "le64", "bswap16", "bswap32", "bswap64", "inf", "nan", "infinity", "s", ".section", ".pushsection",
    ".popsection", ".previous", ".subsection", ".text", ".data", ".bss", ".rodata", ".byte", ".1byte", ".2byte",
    ".4byte", ".8byte", ".short", ".hword", ".half", ".long", ".int", ".word", ".quad", ".dword", ".uleb128",
    ".sleb128", ".octa", ".value", ".dc", ".dc.a", ".dc.b", ".dc.w", ".dc.l", ".dc.s", ".dc.d", ".rep",
    ".ascii", ".asciz", ".string", ".base64", ".float", ".single", ".double", ".zero", ".skip", ".space",
    ".fill", ".align", ".balign", ".p2align", ".org", ".incbin", ".globl", ".global", ".local", ".weak",
    ".hidden", ".protected", ".internal", ".type", ".size", ".set", ".equ", ".equiv", ".comm", ".lcomm",
    ".symver", ".ident", ".version", ".file", ".loc", ".addrsig", ".addrsig_sym", ".map", ".license", ".func",
    ".endfunc", ".ksym", ".dialect", ".err", ".error", ".warning", ".print", ".macro", ".endm", ".endmacro",
    ".rept", ".irp", ".irpc", ".endr", ".if", ".ifdef", ".ifndef", ".ifnotdef", ".ifeq", ".ifne", ".ifgt",
    ".ifge", ".iflt", ".ifle", ".ifb", ".ifnb", ".ifc", ".ifnc", ".ifeqs", ".ifnes", ".else", ".elseif",
    ".endif", ".include", ".exitm", ".purgem", ".altmacro", ".noaltmacro", ".bundle_align_mode",
    ".cfi_sections", ".cfi_startproc", ".cfi_endproc", ".end", ".abort", ".eject", ".list", ".line", ".ln",
    ".linkonce",
)  # fmt: skip
KEPT = frozenset(
    [
        *_WORDS,
        *(f"atomic{bits}_{word}" for bits in ("", "64")
          for word in ("fetch_add", "fetch_or", "fetch_and", "fetch_xor", "xchg", "cmpxchg")),
        *(word for mnemonic in tables.MNEMONIC_OPERANDS for word in mnemonic.split()),
    ]
)  # fmt: skip
"""Words that a shape keeps."""

_MNEMONIC_START = re.compile(
    "%[rwRWf]|(?:" + "|".join(
        sorted({re.escape(each) for each in tables.MNEMONIC_OPERANDS if each.split()[0] not in tables.BOTH_DIALECTS},
               key=len, reverse=True)
    ) + r")(?![ ]?[:=])(?:[ ]|$)|lock (?!\*)", re.ASCII
)  # fmt: skip
_PERCENT_REGISTER = re.compile("%(?:[rw]\x01|fp)")
_LABELS = re.compile("^(?:[\x01\x02\x03] ?: ?|[a-z0-9_.]+ ?: ?)+", re.ASCII)


Statement: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]
"""One statement of a line: its plan and the values of its placeholders."""


class _Classes(dict[str, str]):
    """Token -> what stands for it in a shape; fills itself."""

    def __missing__(self, token: str) -> str:
        first = token[0]
        if first in "#" or token.startswith("//"):
            piece = ""
        elif first in " \t\r\f\v":
            piece = " "
        elif first == '"':
            piece = STRING if len(token) > 1 else token
        elif first.isdigit():
            piece = NUMBER if _number(token) is not None else token
        elif first.isalpha() or first in "_.$":
            if token in KEPT or token.startswith(".cfi_"):
                piece = token
            elif first in "rwRW" and (token[1:] == "10" or (len(token) == 2 and token[1].isdigit())):
                piece = first.lower() + NUMBER
            else:
                piece = NAME
        elif _is_control(token):
            piece = _CONTROL
        else:
            piece = token
        self[token] = piece
        return piece


def _is_control(token: str) -> bool:
    first = token[0]
    if first == "'":
        return any(each in _RESERVED for each in token)
    return first != "\n" and (first < " " or first == "\x7f")


def _number(token: str) -> int | None:
    """The value of a token that is a number as a whole, else None."""
    try:
        if token[0] == "0" and token.isdecimal():
            return int(token, 8)
        if "_" in token or token[:2] in ("0o", "0O") or len(token) > 200:
            return None
        return int(token, 0)
    except ValueError:
        return None


class _Values(dict[str, Any]):
    """Token -> the value of its placeholder, None where it has none; fills itself."""

    __slots__ = ("_classes",)

    def __init__(self, classes: _Classes) -> None:
        super().__init__()
        self._classes = classes

    def __missing__(self, token: str) -> Any:
        piece = self._classes[token]
        value: Any = None
        if piece == NUMBER:
            value = _number(token)
        elif piece in (NAME, STRING):
            value = token
        elif len(piece) == 2 and piece[1] == NUMBER:
            value = int(token[1:])
        self[token] = value
        return value


def _count(shape: str) -> int:
    return shape.count(NUMBER) + shape.count(NAME) + shape.count(STRING)


MAX_LINE_SIZE = 1 << 20
"""Characters of a line."""
MAX_TOKENS = 20_000
"""Words and signs of a statement that wants a parser: its time and memory."""
_BATCH_SIZE = 1 << 20
"""Characters of lines that are looked at together: their tokens take some twenty times as much memory."""
MAX_FAULTS = 500
"""Faulty lines of one text that are parsed for their message; what a run reports is limited likewise."""


class Token(NamedTuple):
    """A token with its place in a line."""

    text: str
    start: int
    piece: str


class Shapes:
    """Plans by shape, and the way from lines to statements.

    ``plans`` may be filled from a cache (cache.py) before use; ``is_changed`` says that plans were added since.
    ``dialect`` is auto, pseudoc or normal.
    """

    def __init__(self, dialect: str = "auto", plans: dict[str, tuple[Any, ...]] | None = None) -> None:
        self.dialect = dialect
        self.plans: dict[str, tuple[Any, ...]] = {} if plans is None else plans
        self.is_changed = False
        self._classes = _Classes()
        self._values = _Values(self._classes)
        self._fault_count = 0

    def statements(self, lines: Iterable[str]) -> dict[str, tuple[Statement, ...] | Fault]:
        """Each different line and its statements, or its first fault. Lines have no newline.

        After MAX_FAULTS faulty lines, others that want a parser are faults unseen.
        """
        self._fault_count = 0
        found: dict[str, tuple[Statement, ...] | Fault] = {}
        batch: list[str] = []
        size = 0
        unseen = Fault("not looked at, after so many faults")
        for line in dict.fromkeys(lines):
            if self._fault_count >= MAX_FAULTS:
                found[line] = unseen
            elif len(line) > MAX_LINE_SIZE:
                self._fault_count += 1
                found[line] = Fault(f"line is too long: {len(line)} characters ({MAX_LINE_SIZE})", 0, 1)
            else:
                batch.append(line)
                size += len(line)
            if size > _BATCH_SIZE:
                self._batch(batch, found)
                batch, size = [], 0
        if batch:
            self._batch(batch, found)
        return found

    def _batch(self, lines: list[str], found: dict[str, tuple[Statement, ...] | Fault]) -> None:
        tokens = _TOKEN.findall("\n".join(lines))
        shapes = "".join(map(self._classes.__getitem__, tokens)).split("\n")
        flat = [value for value in map(self._values.__getitem__, tokens) if value is not None]
        memo: dict[str, tuple[tuple[Any, ...] | None, int]] = {}
        position = 0
        for line, shape in zip(lines, shapes, strict=True):
            known = memo.get(shape)
            if known is None:
                known = memo[shape] = self._lookup(shape)
            plan, count = known
            values = tuple(flat[position : position + count])
            position += count
            if plan is None:
                found[line] = self._careful(line)
            elif plan:
                found[line] = ((plan, values),)
            else:
                found[line] = ()

    def _lookup(self, shape: str) -> tuple[tuple[Any, ...] | None, int]:
        """The plan of a whole line's shape and its number of values; (None, n) where the line wants care."""
        count = _count(shape)
        key = shape.strip(" ")
        if not key:
            return (), count
        if ";" in key:
            return None, count
        plan = self.plans.get(self._dialect_of(key) + key)
        return plan, count

    def _dialect_of(self, shape: str) -> str:
        if self.dialect != "auto":
            return "p" if self.dialect == "pseudoc" else "n"
        if "%" in shape and _PERCENT_REGISTER.search(shape):
            return "n"
        bare = _LABELS.sub("", shape)
        return "n" if bare[:1] != "." and _MNEMONIC_START.match(bare) else "p"

    def split(self, line: str) -> list[list[Token]]:
        """The statements of a line as tokens with places, comments and outer blanks removed."""
        statements: list[list[Token]] = [[]]
        if len(line) > MAX_LINE_SIZE:
            return []
        for match in _TOKEN.finditer(line):
            text = match[0]
            if text == ";":
                statements.append([])
                continue
            piece = self._classes[text]
            if piece and (piece != " " or statements[-1]):
                statements[-1].append(Token(text, match.start(), piece))
        for statement in statements:
            while statement and statement[-1].piece == " ":
                statement.pop()
        return [statement for statement in statements if statement]

    def _careful(self, line: str) -> tuple[Statement, ...] | Fault:
        """The statements of a line that some lookup failed for."""
        if self._fault_count >= MAX_FAULTS:
            return Fault("not looked at, after so many faults")
        made = []
        try:
            for tokens in self.split(line):
                made.append(self._statement(line, tokens))
        except Fault as fault:
            self._fault_count += 1
            return fault.copy()
        return tuple(made)

    def _statement(self, line: str, tokens: list[Token]) -> Statement:
        shape = "".join(token.piece for token in tokens)
        dialect = self._dialect_of(shape)
        start, end = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
        text = line[start:end]
        placed = [token for token in tokens if self._values[token.text] is not None]
        values = tuple(self._values[token.text] for token in placed)
        if _CONTROL in shape:
            bad = next(token for token in tokens if token.piece == _CONTROL)
            place = next(at for at, each in enumerate(bad.text) if each < " " or each == "\x7f")
            begin = bad.start + place
            raise Fault(f"control character 0x{ord(bad.text[place]):02x}", begin, begin + 1)
        plan = self.plans.get(dialect + shape)
        if plan is not None:
            return plan, values
        exact = _EXACT + dialect + text
        plan = self.plans.get(exact)
        if plan is not None:
            return plan, ()
        if len(tokens) > MAX_TOKENS:
            raise Fault(f"statement is too long: {len(tokens)} words and signs ({MAX_TOKENS})", start, end)
        from toolchain.asm.grammar import plan_statement

        spans = {}
        for index, token in enumerate(placed):
            offset = 1 if token.piece[0] in "rw" else 0
            spans[token.start + offset - start, token.start + len(token.text) - start] = index
        parser_dialect = "normal" if dialect == "n" else "pseudoc"
        try:
            items, is_general = plan_statement(text, parser_dialect, spans)
            if not is_general:
                items, _ = plan_statement(text, parser_dialect, {})
        except Fault as fault:
            raise self._placed(fault, start, placed) from None
        self.is_changed = True
        plan = tuple(items)
        if is_general:
            self.plans[dialect + shape] = plan
            return plan, values
        self.plans[exact] = plan
        return plan, ()

    @staticmethod
    def _placed(fault: Fault, start: int, placed: list[Token]) -> Fault:
        if fault.start >= 0:
            fault.start += start
            fault.end += start
        return fault

    def locate(self, line: str, fault: Fault, index: int = 0) -> tuple[int, int]:
        """The columns (from 0, end exclusive) of a fault in statement ``index`` of a line."""
        if fault.start >= 0:
            return fault.start, max(fault.end, fault.start + 1)
        statements = self.split(line)
        if fault.refs and index < len(statements):
            placed = [token for token in statements[index] if self._values[token.text] is not None]
            chosen = [placed[ref] for ref in fault.refs if ref < len(placed)]
            if chosen:
                start = chosen[0].start
                if start and line[start - 1] in "-" and chosen[0].piece == NUMBER:
                    start -= 1
                return start, chosen[-1].start + len(chosen[-1].text)
        if fault.token:
            for token in (each for statement in statements for each in statement):
                if fault.token in (token.text, token.text.strip('"')):
                    return token.start, token.start + len(token.text)
        if index < len(statements) and statements[index]:
            tokens = statements[index]
            return tokens[0].start, tokens[-1].start + len(tokens[-1].text)
        stripped = len(line) - len(line.lstrip())
        return stripped, max(len(line.rstrip()), stripped + 1)


Emit = Callable[[tuple[Any, ...]], Any]
