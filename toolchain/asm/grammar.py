"""Lark's side: one statement of text becomes a plan. The only module that imports lark.

A *plan* is a list of items, plain JSON, in which the numbers, names and strings of the statement are references to
placeholders of its shape (shapes.py): all lines of one shape share one plan, so each shape is parsed once.

    text    r1 = *(u8 *)(r2 + 4)
    shape   r# = *(u8 *)(r# + #)
    plan    [["insn", "ldxb", 0, 1, ["#", 2], 0, []]]     form, dst, src, off, imm, checks

dst and src are the number of a placeholder, or -1 - N for the fixed register N. off and imm are expressions
(expressions.py). A check is a condition on values: ["same", a, b, text], ["is", a, N, text], ["in", expression,
[..], text].
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from toolchain.asm import tables
from toolchain.asm.expressions import MAX_DEPTH
from toolchain.asm.faults import Fault
from toolchain.asm.plans import Memory, Register, insn_item, memory_at, mnemonic_item, same, want_same_size, want_size
from toolchain.asm.syntax_faults import describe_syntax
from toolchain.isa.forms import FORM_BY_NAME, Form, Pattern

GRAMMAR_FILES = ("bpf.lark", "pseudoc.lark", "mnemonic.lark")


def grammar_text() -> str:
    """The grammar's files as one text."""
    folder = Path(__file__).parent
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in GRAMMAR_FILES)


@cache
def _lark() -> Lark:
    return Lark(
        grammar_text(), parser="lalr", lexer="contextual", start=["pseudoc", "mnemonic"], maybe_placeholders=False
    )


def plan_statement(text: str, dialect: str, spans: dict[tuple[int, int], int]) -> tuple[list[Any], bool]:
    """The plan of one statement, and whether it serves every line of the same shape.

    ``spans`` maps the (start, end) of each placeholder in ``text`` to its number. The plan is good for the whole
    shape when each placeholder became an operand of its own. Raises Fault, with the place in ``text``.
    """
    try:
        tree = _lark().parse(text, start="mnemonic" if dialect == "normal" else "pseudoc")
        planner = _Planner(text, spans)
        items = planner.transform(tree)
        _check_depth(text, items)
    except UnexpectedInput as error:
        raise _syntax_fault(text, dialect, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, Fault):
            raise error.orig_exc from None
        if isinstance(error.orig_exc, RecursionError):
            raise Fault("statement too deeply nested", 0, len(text)) from None
        raise
    except RecursionError:
        raise Fault("statement too deeply nested", 0, len(text)) from None
    return items, len(planner.used) == len(spans)


class _Planner(Transformer[Token, Any]):
    """Turns a tree into a plan, bottom up. Method names are those of the grammar's rules."""

    def __init__(self, text: str, spans: dict[tuple[int, int], int]) -> None:
        super().__init__(visit_tokens=False)
        self.text = text
        self.spans = spans
        self.used: set[int] = set()

    # ---- leaves
    def _ref(self, start: int, end: int) -> int | None:
        ref = self.spans.get((start, end))
        if ref is not None:
            self.used.add(ref)
        return ref

    def _leaf(self, token: Token, tag: str, constant: Any) -> Any:
        if str(token)[:1].isdigit() != (tag == "#"):
            return constant
        ref = self._ref(_start(token), _end(token))
        return constant if ref is None else [tag, ref]

    def register(self, children: list[Token]) -> Register:
        token = children[0]
        text = str(token).lstrip("%")
        start, end = _start(token), _end(token)
        if text == "fp":
            return Register(-1 - 10, 8, start, end)
        ref = self._ref(end - len(text) + 1, end)
        return Register(-1 - int(text[1:]) if ref is None else ref, 8 if text[0] in "rR" else 4, start, end)

    def number(self, children: list[Token]) -> Any:
        token = children[0]
        if token.type == "CHARACTER":
            return _character(token)
        return self._leaf(token, "#", None) or number_value(str(token), _start(token))

    def name(self, children: list[Token]) -> Any:
        return self._leaf(children[0], "@", ["name", str(children[0])])

    def string(self, children: list[Token]) -> Any:
        return self._leaf(children[0], "$", ["str", str(children[0])])

    def quoted(self, children: list[Token]) -> Any:
        token = children[0]
        return self._leaf(token, "@", ["name", str(token)[1:-1]])

    def kind(self, children: list[Token]) -> Any:
        return ["kind", str(children[0]).lstrip("@%")]

    def nothing(self, _: list[Any]) -> Any:
        return None

    # ---- expressions
    def __default__(self, data: Any, children: list[Any], meta: Any) -> Any:
        """The rules of expressions are operators by name (expressions.py)."""
        return [str(data), *(each for each in children if not isinstance(each, Token))]

    def compare(self, children: list[Any]) -> Any:
        left, operator, right = children
        return [str(operator), left, right]

    # ---- statements
    def pseudoc(self, children: list[Any]) -> list[Any]:
        return [each for each in children if each is not None]

    mnemonic = pseudoc

    def mnemonic_insn(self, children: list[Any]) -> Any:
        return children[0] if not isinstance(children[0], Token) else self._by_mnemonic(children)

    def label(self, children: list[Token]) -> Any:
        token = children[0]
        if str(token)[0].isdigit():
            return ["label", self._leaf(token, "#", None) or number_value(str(token), _start(token))]
        return ["label", self._leaf(token, "@", ["name", str(token).strip('"')])]

    def assignment(self, children: list[Any]) -> Any:
        return ["assign", self._leaf(children[0], "@", ["name", str(children[0])]), children[-1]]

    def section(self, children: list[Any]) -> Any:
        directive, name, *arguments = children
        if str(name).startswith('"'):
            operand = self._leaf(name, "$", ["str", str(name)])
        else:
            operand = self._leaf(name, "@", ["name", str(name)])
        return ["directive", str(directive), [operand, *(self._argument(each) for each in arguments)]]

    def directive(self, children: list[Any]) -> Any:
        arguments = [self._argument(each) for each in children[1:]]
        return ["directive", str(children[0]), [] if arguments == [None] else arguments]

    spaced = map = license = type = directive

    def map_option(self, children: list[Any]) -> Any:
        name, value = children
        return ["option", self._leaf(name, "@", ["name", str(name)]), value]

    def data(self, children: list[Any]) -> Any:
        return ["data", str(children[0]), children[1:]]

    def strings(self, children: list[Any]) -> Any:
        return ["strings", str(children[0]), children[1:]]

    def string_run(self, children: list[Token]) -> Any:
        return [self._leaf(token, "$", ["str", str(token)]) for token in children]

    def floats(self, children: list[Any]) -> Any:
        return ["floats", str(children[0]), [str(token) for token in children[1:]]]

    def _argument(self, operand: Any) -> Any:
        return ["register", operand.ref] if isinstance(operand, Register) else operand

    # ---- instructions of the pseudo-C dialect
    def alu(self, children: list[Any]) -> Any:
        dst, operator, operand = children
        return self._arithmetic(dst, str(operator), operand)

    def move(self, children: list[Any]) -> Any:
        dst, operand = children
        if isinstance(operand, Register) and (dst.size, operand.size) == (8, 4):
            dst = dst._replace(size=4)  # `r7 = w2`: how clang 19 prints a 32-bit move that clears the upper half
        return self._arithmetic(dst, "=", operand)

    def _arithmetic(self, dst: Register, operator: str, operand: Any) -> Any:
        if isinstance(operand, Register):
            want_same_size(dst, operand)
            return insn_item(tables.ALU[operator, dst.size, True], dst, operand)
        return insn_item(tables.ALU[operator, dst.size, False], dst, imm=operand)

    def negate_insn(self, children: list[Any]) -> Any:
        dst, src = children
        want_same_size(dst, src)
        form = FORM_BY_NAME["neg64" if dst.size == 8 else "neg32"]
        return insn_item(form, dst, checks=[same(dst, src, "negation works in place: both registers must be the same")])

    def movsx(self, children: list[Any]) -> Any:
        dst, cast, src = children
        want_same_size(dst, src)
        width = "".join(char for char in str(cast) if char.isdigit())
        form = FORM_BY_NAME.get(f"movsx{width}_{dst.size * 8}")
        if form is None:
            raise Fault(f"no sign extension from {width} to {dst.size * 8} bits", _start(cast), _end(cast))
        return insn_item(form, dst, src)

    def swap(self, children: list[Any]) -> Any:
        dst, word, src = children
        for each in (dst, src):
            want_size(each, 8, f"{word} takes a 64-bit register")
        return insn_item(
            FORM_BY_NAME[str(word)],
            dst,
            checks=[same(dst, src, f"{word} works in place: both registers must be the same")],
        )

    def load(self, children: list[Any]) -> Any:
        dst, memory, address = children
        symbol = _size_word(memory)
        form = tables.MEMORY.get((Pattern.LOAD, symbol))
        if form is None:
            raise Fault(f"no load of {symbol}", _start(memory), _end(memory))
        if dst.size == 4 and symbol not in ("u8", "u16", "u32"):
            raise Fault(f"a load of {symbol} fills a 64-bit register: w (r)", dst.start, dst.end)
        return insn_item(form, dst, address.base, off=address.offset)

    def load_packet(self, children: list[Any]) -> Any:
        dst, memory, _, (base, index) = children
        symbol = _size_word(memory)
        form = tables.MEMORY.get((Pattern.LD_IND if base else Pattern.LD_ABS, symbol))
        if form is None:
            raise Fault(f"no packet load of {symbol} (u8, u16, u32)", _start(memory), _end(memory))
        want_size(dst, 8, "a packet load fills r0")
        return insn_item(form, None, base, imm=index, checks=[["is", dst.ref, 0, "a packet load fills r0"]])

    def packet_absolute(self, children: list[Any]) -> Any:
        return None, children[0]

    def packet_indirect(self, children: list[Any]) -> Any:
        base = children[0]
        want_size(base, 8, "a packet index is a 64-bit register")
        return base, children[1] if len(children) > 1 else 0

    def store(self, children: list[Any]) -> Any:
        memory, address, operand = children
        symbol = _size_word(memory)
        pattern = Pattern.STORE_REG if isinstance(operand, Register) else Pattern.STORE_IMM
        form = tables.MEMORY.get((pattern, symbol))
        if form is None:
            raise Fault(f"no store of {symbol} (u8, u16, u32, u64)", _start(memory), _end(memory))
        if isinstance(operand, Register):
            if operand.size == 4 and form.size == 8:
                raise Fault("a store of u64 takes a 64-bit register: w (r)", operand.start, operand.end)
            return insn_item(form, address.base, operand, off=address.offset)
        return insn_item(form, address.base, off=address.offset, imm=operand)

    def atomic(self, children: list[Any]) -> Any:
        _, memory, address, operator, src = children
        symbol = _size_word(memory)
        form = tables.ATOMICS.get((str(operator), int(symbol[1:]) // 8)) if symbol[0] == "u" else None
        if form is None:
            raise Fault(f"no atomic {operator} of {symbol} (+= |= &= ^= of u32, u64)", _start(operator), _end(operator))
        if form.size == 8:
            want_size(src, 8, "an atomic operation on u64 takes a 64-bit register")
        return insn_item(form, address.base, src, off=address.offset)

    def atomic_value(self, children: list[Any]) -> Any:
        dst, word, cast, address, *registers = children
        symbol = str(word).replace("atomic64_", "atomic_")
        bare = symbol.removeprefix("atomic_")
        form = tables.ATOMICS.get((bare if bare in ("xchg", "cmpxchg") else symbol, int(_size_word(cast)[1:]) // 8))
        if form is None:
            raise Fault(f"no {word} of {_size_word(cast)} (u32, u64)", _start(cast), _end(cast))
        if (form.pattern is Pattern.CMPXCHG) != (len(registers) == 2):
            raise Fault(f"wrong number of operands of {word}", _start(word), _end(word))
        return self._exchange(form, dst, address, registers, str(word))

    def exchange(self, children: list[Any]) -> Any:
        dst, word, base, *rest = children
        offset = rest[0] if len(rest) == 2 else 0
        form = FORM_BY_NAME["axchg64" if str(word) == "xchg_64" else "axchg32"]
        return self._exchange(form, dst, memory_at(base, offset), [rest[-1]], str(word))

    def compare_exchange(self, children: list[Any]) -> Any:
        dst, word, base, *rest = children
        offset = rest[0] if len(rest) == 3 else 0
        form = FORM_BY_NAME["acmpxchg64" if str(word) == "cmpxchg_64" else "acmpxchg32"]
        return self._exchange(form, dst, memory_at(base, offset), rest[-2:], str(word))

    def _exchange(self, form: Form, dst: Register, address: Memory, registers: list[Register], word: str) -> Any:
        for each in (dst, *registers):
            want_size(each, form.size, f"{word} works on {form.size * 8} bits")
        if form.pattern is Pattern.CMPXCHG:
            old, src = registers
            text = f"{word} compares with, and returns in, register 0"
            checks = [["is", dst.ref, 0, text], ["is", old.ref, 0, text]]
            return insn_item(form, address.base, src, off=address.offset, checks=checks)
        src = registers[0]
        checks = [same(dst, src, f"{word} returns in the register of its operand: both must be the same")]
        return insn_item(form, address.base, src, off=address.offset, checks=checks)

    def load_acquire(self, children: list[Any]) -> Any:
        dst, _, cast, address = children
        form = self._ordered("load_acquire", cast, dst)
        return insn_item(form, dst, address.base, off=address.offset)

    def store_release(self, children: list[Any]) -> Any:
        _, cast, address, src = children
        form = self._ordered("store_release", cast, src)
        return insn_item(form, address.base, src, off=address.offset)

    def _ordered(self, word: str, cast: Token, register: Register) -> Form:
        symbol = _size_word(cast)
        suffix = {"u8": "b", "u16": "h", "u32": "w", "u64": "dw"}[symbol]
        want_size(register, 8 if symbol == "u64" else 4, f"{word} of {symbol} takes a register of its width")
        return FORM_BY_NAME[f"{word}_{suffix}"]

    def address_space_cast(self, children: list[Any]) -> Any:
        dst, _, src, to_space, from_space = children
        for each in (dst, src):
            want_size(each, 8, "addr_space_cast takes 64-bit registers")
        text = "an address space fits in 16 bits"
        # LLVM's order: addr_space_cast(src, dst_space, src_space) is imm = dst_space << 16 | src_space
        imm = ["bit_or", ["shl", to_space, 16], from_space]
        checks = [["between", each, 0, 0xFFFF, text] for each in (to_space, from_space)]
        return insn_item(FORM_BY_NAME["addr_space_cast"], dst, src, imm=imm, checks=checks)

    def load_wide(self, children: list[Any]) -> Any:
        dst, expr = children[0], children[1]
        want_size(dst, 8, "a wide load fills a 64-bit register")
        return insn_item(FORM_BY_NAME["lddw"], dst, imm=expr)

    def load_pseudo(self, children: list[Any]) -> Any:
        _, dst, kind, expr = children
        want_size(dst, 8, "a wide load fills a 64-bit register")
        return ["pseudo", dst.ref, kind, expr]

    def jump_if(self, children: list[Any]) -> Any:
        _, dst, condition, operand, _, target = children
        if isinstance(operand, Register):
            want_same_size(dst, operand)
            return insn_item(tables.CONDITIONS[str(condition), dst.size, True], dst, operand, off=target)
        return insn_item(tables.CONDITIONS[str(condition), dst.size, False], dst, off=target, imm=operand)

    def jump(self, children: list[Any]) -> Any:
        word, target = children
        form = FORM_BY_NAME[{"goto": "ja"}.get(str(word), str(word))]
        return insn_item(form, imm=target) if form.pattern is Pattern.JUMP_LONG else insn_item(form, off=target)

    def call(self, children: list[Any]) -> Any:
        return insn_item(FORM_BY_NAME["call_helper"], imm=children[1])

    def call_local(self, children: list[Any]) -> Any:
        return insn_item(FORM_BY_NAME["call_local"], imm=children[1])

    def call_register(self, children: list[Any]) -> Any:
        want_size(children[1], 8, "callx takes a 64-bit register")
        return insn_item(FORM_BY_NAME["callx"], children[1])

    def jump_register(self, children: list[Any]) -> Any:
        want_size(children[1], 8, "gotox takes a 64-bit register")
        return insn_item(FORM_BY_NAME["gotox"], children[1])

    def exit(self, _: list[Any]) -> Any:
        return insn_item(FORM_BY_NAME["exit"])

    def address(self, children: list[Any]) -> Memory:
        return memory_at(children[0], children[1] if len(children) > 1 else 0)

    bracketed = address

    def offset_plus(self, children: list[Any]) -> Any:
        return children[0]

    # ---- instructions of the mnemonic dialect
    def _by_mnemonic(self, children: list[Any]) -> Any:
        word, *operands = children
        mnemonic = " ".join(str(word).split())
        kinds = "".join(
            "r" if isinstance(each, Register) else "m" if isinstance(each, Memory) else "i" for each in operands
        )
        form = tables.MNEMONICS.get((mnemonic, kinds))
        if form is None:
            raise _mnemonic_fault(mnemonic, kinds, word)
        for each in operands:
            register = each.base if isinstance(each, Memory) else each
            if isinstance(register, Register) and register.size == 4 and (form.size == 8 or isinstance(each, Memory)):
                raise Fault("a 64-bit register is wanted here: w (r)", register.start, register.end)
        return mnemonic_item(form, operands, kinds, mnemonic)


def _mnemonic_fault(mnemonic: str, kinds: str, word: Token) -> Fault:
    known = tables.MNEMONIC_OPERANDS.get(mnemonic)
    if known is None:
        return Fault(f"unknown instruction: {mnemonic}", _start(word), _end(word))
    spell = {"r": "register", "m": "[register+offset]", "i": "number"}
    forms = " or ".join(", ".join(spell[kind] for kind in each) or "no operands" for each in known)
    met = ", ".join(spell[kind] for kind in kinds) or "none"
    return Fault(f"wrong operands of {mnemonic}: {met} ({forms})", _start(word), _end(word))


def _check_depth(text: str, items: Any) -> None:
    """Raises Fault for a plan nested too deeply to be worked on by recursion."""
    level = [each for each in items if isinstance(each, list)]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Fault(f"statement too deeply nested ({MAX_DEPTH})", 0, len(text))
        level = [each for part in level for each in part if isinstance(each, list)]


# ---- helpers
def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0


def _size_word(token: Token) -> str:
    return "".join(char for char in str(token) if char.isalnum())


def number_value(text: str, start: int = -1) -> int:
    """The value of a number as text. Raises Fault."""
    try:
        if text[:1] == "0" and text.isdecimal():
            return int(text, 8)
        return int(text, 0)
    except ValueError:
        raise Fault(f"not a number: {text[:40]}", start, start + len(text), token=text) from None


def _character(token: Token) -> int:
    from toolchain.asm.expressions import string_bytes

    body = str(token)[1:-1]
    data = string_bytes(f'"{body}"') if body != '"' else b'"'
    if len(data) != 1:
        raise Fault(f"a character is one byte: {token}", _start(token), _end(token))
    return data[0]


def _syntax_fault(text: str, dialect: str, error: UnexpectedInput) -> Fault:
    position = error.pos_in_stream
    if isinstance(error, UnexpectedEOF) or position is None or position < 0 or position >= len(text):
        position = len(text.rstrip())
    if isinstance(error, UnexpectedToken):
        expected = error.accepts or error.expected
        if error.token.type == "$END":
            position = len(text.rstrip())
    elif isinstance(error, UnexpectedCharacters):
        expected = error.allowed or set()
    else:
        expected = set()
    return describe_syntax(text, dialect, position, frozenset(expected))
