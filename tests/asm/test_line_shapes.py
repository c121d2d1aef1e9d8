"""Shapes: a plan made from one line must serve every line of its shape."""

import random
import re

import pytest
from lark import Lark

from toolchain.asm import grammar
from toolchain.asm.api import assemble_text, parse
from toolchain.asm.emit import Encoder
from toolchain.asm.faults import Fault
from toolchain.asm.options import AsmOptions
from toolchain.asm.shapes import KEPT, NAME, Shapes
from toolchain.errors import AsmError

WORD = re.compile(r"[A-Za-z_.][\w.]*\Z", re.ASCII)
CLASSES = {
    "LABEL", "ASSIGNED", "NAME", "MNEMONIC", "DIRECTIVE", "SECTION_NAME", "FLOAT", "REGISTER",
    "PERCENT_REGISTER", "AT_WORD", "LOCAL_LABEL", "NUMBER", "STRING", "CHARACTER",
}  # fmt: skip
"""Terminals that stand for classes of words; all others are keywords, whose words must stay in a shape."""


def keywords() -> set[str]:
    """Every word that a keyword terminal of the grammar matches."""
    parser = Lark(grammar.grammar_text(), parser="lalr", start=["pseudoc", "mnemonic"])
    patterns = {
        each.name: re.compile(each.pattern.to_regexp()) for each in parser.terminals if each.name not in CLASSES
    }
    texts = re.findall(r"[A-Za-z_.][\w.]*", grammar.grammar_text()) + sorted(KEPT)
    texts += [f"{word}{bits}" for word in ("be", "le", "bswap", "u", "s") for bits in (8, 16, 32, 64)]
    texts += [f".{size}byte" for size in (1, 2, 4, 8)] + [
        f".cfi_{word}" for word in ("startproc", "endproc", "sections")
    ]
    found = set()
    for text in set(texts):
        for pattern in patterns.values():
            for follow in ("", " ", "(", "[", " r1", " x"):
                match = pattern.match(text + follow)
                if match and match[0] == text and WORD.match(text):
                    found.add(text)
    return found


def test_every_keyword_stays_in_a_shape() -> None:
    words = keywords()
    assert {"goto", "skb", "bswap16", ".section", ".byte", "ll", "lock"} <= words
    assert {word for word in words if word not in KEPT and not word.startswith(".cfi_")} == set()


def test_one_plan_for_lines_that_differ_in_values() -> None:
    shapes = Shapes()
    lines = [f"r{a} = *(u32 *)(r{b} + {c}) # {a}" for a in range(11) for b in range(11) for c in (0, 7, 32767)]
    lines += [f"if w{a} s> {b} goto LBB{a}_{b}" for a in range(10) for b in range(50)]
    found = shapes.statements(lines)
    assert not any(isinstance(each, Fault) for each in found.values())
    assert len(shapes.plans) == 2


def test_a_plan_serves_its_shape() -> None:
    """Planned alone and planned by another line of the shape, a statement gives the same record."""
    chance = random.Random(7)
    templates = [
        "r{r} += r{r}", "w{r} = {n}", "*(u16 *)(r{r} - {n}) = {n}", "if r{r} <= {n} goto {l}", "call {l}",
        "r{r} = {l} + {n} ll", ".long {n}, {l}, {n}", '.ascii "{l}", "{n}"', "{l}: goto {l}", "{l} = {n} * {n}",
        ".type {l}, @object", "r0 = *(u8 *)skb[r{r} + {n}]", "lock *(u64 *)(r{r} + {n}) |= r{r}",
        "add %r{r}, {n}", "ldxw %r{r}, [%r{r}+{n}]", ".size {l}, .-{l}", ".section {l},\"aw\",@progbits",
        "{n}: r{r} = {n}", ".map {l}, hash, key={n}, value={n}",
    ]  # fmt: skip
    encoder = Encoder(AsmOptions())

    def value(match: re.Match[str]) -> str:
        kind = match[0]
        if kind == "{r}":
            return str(chance.randrange(11))
        if kind == "{n}":
            return chance.choice(["0", "1", "0x7f", "0b11", "077", "255", "32767", "12"])
        return chance.choice(
            ["s16", "exit1", "rx", "w11", ".Lx", "goto_", "u8_", "skb1", "a.b", "callee", "_r1", "l", "LL"]
        )

    def record(shapes: Shapes, line: str) -> object:
        found = shapes.statements([line])[line]
        if isinstance(found, Fault):
            return found.message
        try:
            return [encoder.emitter(plan)(values) for plan, values in found]
        except Fault as fault:
            return fault.message

    shared = Shapes()
    for _ in range(600):
        line = re.sub(r"\{[rnl]\}", value, chance.choice(templates))
        assert record(shared, line) == record(Shapes(), line), line


@pytest.mark.parametrize("text", ["r1 = 'a'", ".float 1.5", "r1 = 5ll", "goto 1f\n1:", ".byte a%b"])
def test_what_has_no_shape_is_planned_by_its_text(text: str) -> None:
    shapes = Shapes()
    parse(text, "x.s", None, shapes)
    assert all(NAME not in key or "%" in key or ":" in key for key in shapes.plans)


def test_keywords_are_names_where_they_can_be_nothing_else() -> None:
    text = "r2 = s16 ll\n call exit\n goto if\nif: exit\nexit: r1 = goto ll\n"
    with pytest.raises(AsmError):
        assemble_text("exit goto")
    object_file = assemble_text(text)
    assert {symbol.name for symbol in object_file.symbols} >= {"s16", "exit", "if", "goto"}


def test_registers_are_not_symbols() -> None:
    for text in ("r1:", "call w2", "r3 = r10 ll", "goto r0"):
        with pytest.raises(AsmError):
            assemble_text(text)
    assemble_text('goto "r1"\n"r1": exit')


@pytest.mark.parametrize("quoted", ["'{}'", "'\\{}'"])
def test_a_character_constant_is_no_placeholder(quoted: str) -> None:
    """Beside a line whose number stands in the same place; what shapes are made of is an error that says where."""
    for number in range(1, 6):
        with pytest.raises(AsmError) as caught:
            assemble_text(f".data\n.byte 9\n{'.byte ' + quoted.format(chr(number))}\n")
        assert f"3:{7 + quoted.index('{')}: control character 0x{number:02x}" in str(caught.value)
    object_file = assemble_text(".data\n.byte 9\n.byte '\x06'\n")
    assert [each.data for each in object_file.sections if each.name == ".data"] == [bytes((9, 6))]
