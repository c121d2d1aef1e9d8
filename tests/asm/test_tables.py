"""Every row of the data files: forms in each dialect and endian, syntax policy, disassembly."""

import json
from pathlib import Path

import pytest

from toolchain.asm.api import assemble, parse
from toolchain.asm.disassemble import disassemble
from toolchain.asm.options import AsmOptions
from toolchain.asm.shapes import Shapes
from toolchain.errors import AsmError
from toolchain.isa.forms import FORM_BY_NAME
from toolchain.spec.objects import ObjectFile, Section

DATA = Path(__file__).parent.parent / "data" / "asm"
FORMS = json.loads((DATA / "forms.json").read_text())
SYNTAX = json.loads((DATA / "syntax.json").read_text())
DISASM = json.loads((DATA / "disasm.json").read_text())
SHAPES = {dialect: Shapes(dialect) for dialect in ("auto", "pseudoc", "normal")}
OWN_DIALECT = {"llvm": "pseudoc", "gas-pseudoc": "pseudoc", "gas": "normal", "ubpf": "normal"}


def code_of(text: str, dialect: str = "auto", endian: str = "little") -> str:
    options = AsmOptions(dialect=dialect, endian=endian)
    sections = assemble(parse(text, "x.s", options, SHAPES[dialect]), options).sections
    return next(section.data for section in sections if section.name == ".text").hex()


@pytest.mark.parametrize("dialect", ["auto", "own"])
@pytest.mark.parametrize(("endian", "field"), [("little", "hex"), ("big", "hex_be")])
def test_forms(dialect: str, endian: str, field: str) -> None:
    wrong = []
    for row in FORMS:
        got = code_of(row["text"], "auto" if dialect == "auto" else OWN_DIALECT[row["dialect"]], endian)
        if got != row[field]:
            wrong.append((row["text"], got, row[field]))
    assert not wrong


def test_forms_reach_the_table() -> None:
    """What the data call a form is a row of the opcode table."""
    assert {row["form"] for row in FORMS} <= FORM_BY_NAME.keys() | {"addr_space_cast_01", "addr_space_cast_10"}


@pytest.mark.parametrize("row", SYNTAX, ids=lambda row: row["name"])
def test_syntax(row: dict) -> None:
    if row["policy"] == "reject":
        with pytest.raises(AsmError) as caught:
            code_of(row["text"])
        assert len(caught.value.faults) == 1
        return
    try:
        object_file = assemble(parse(row["text"], "x.s", None, SHAPES["auto"]))
    except AsmError:
        assert row["policy"] == "may"
        return
    if row["policy"] != "may":
        text = next(section for section in object_file.sections if section.name == ".text")
        assert text.data.hex() == (row["hex"] or "")
        if "relocs" in row:
            got = [[each.offset, each.type, object_file.symbols[each.symbol].name] for each in text.relocations]
            assert got == row["relocs"]


@pytest.mark.parametrize("dialect", ["pseudoc", "normal"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_disassembly_assembles_back(dialect: str, endian: str) -> None:
    options = AsmOptions(endian=endian)
    wrong = []
    for row in DISASM:
        code = bytes.fromhex(row["hex"])
        text = disassemble(ObjectFile((Section(".text", 1, 6, code, 8),), (), endian), (), dialect)
        back = assemble(parse(text, "x.s", options, SHAPES["auto"]), options).sections[0].data
        if back != code:
            wrong.append((row["hex"], text, back.hex()))
    assert not wrong


def test_raw_data_only_where_no_text_says_it() -> None:
    """In pseudo-C only calls of kernel functions by number have no spelling of their own."""
    raw = {
        row["form"]
        for row in DISASM
        if ".quad" in disassemble(ObjectFile((Section(".text", 1, 6, bytes.fromhex(row["hex"]), 8),), ()))
    }
    assert raw == {"call_btf"}


def test_llvm_text_is_ours() -> None:
    """Where llvm-objdump is right, our text is the same, but for blanks and 32-bit register names."""
    different = set()
    for row in DISASM:
        theirs = row["texts"].get("llvm-objdump")
        if theirs is None or "<unknown>" in theirs:
            continue
        text = disassemble(ObjectFile((Section(".text", 1, 6, bytes.fromhex(row["hex"]), 8),), ()))
        ours = text.strip().splitlines()[-1]
        if "".join(ours.split()) != "".join(theirs.split()):
            different.add(row["form"])
    narrow = {
        "ldxw",
        "ldxh",
        "ldxb",
        "stxw",
        "stxh",
        "stxb",
    }  # LLVM 19 prints w registers here: the value is 32 bits wide
    jumps = {form for form in different if FORM_BY_NAME.get(form) and "off" in FORM_BY_NAME[form].pattern}
    rest = different - narrow - jumps
    kinds = {f"lddw_src{kind}" for kind in range(1, 7)}
    assert rest <= {"lddw", "call_local", "call_btf", "ldindw", "ldindh", "ldindb", "gotol"} | kinds
