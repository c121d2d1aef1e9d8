"""The output of a compiler: every section's bytes, relocations and symbols, and back through the disassembler."""

import json
from pathlib import Path

import pytest

from toolchain.asm.api import assemble, parse
from toolchain.asm.disassemble import disassemble
from toolchain.asm.options import AsmOptions
from toolchain.asm.shapes import Shapes
from toolchain.spec.objects import SHN_ABS, SHN_COMMON, ObjectFile, Symbol

DATA = Path(__file__).parent.parent / "data" / "asm" / "compiler"
EXPECTED = json.loads((DATA / "expected.json").read_text())
SHAPES = Shapes()
TYPES = ("STT_NOTYPE", "STT_OBJECT", "STT_FUNC", "STT_SECTION", "STT_FILE")
BINDS = ("STB_LOCAL", "STB_GLOBAL", "STB_WEAK")
VISIBILITIES = ("STV_DEFAULT", "STV_INTERNAL", "STV_HIDDEN", "STV_PROTECTED")
SECTION_TYPES = {1: "SHT_PROGBITS", 8: "SHT_NOBITS"}


def build(name: str) -> ObjectFile:
    options = AsmOptions(endian="big" if "bpfeb" in name else "little")
    path = DATA / f"{name}.s"
    return assemble(parse(path.read_text(), str(path), options, SHAPES), options)


def section_name(object_file: ObjectFile, symbol: Symbol) -> str:
    special = {-1: "SHN_UNDEF", SHN_ABS: "SHN_ABS", SHN_COMMON: "SHN_COMMON"}
    return special.get(symbol.section) or object_file.sections[symbol.section].name


def symbols_of(object_file: ObjectFile) -> list[list[object]]:
    return sorted(
        [each.name, each.value, each.size, TYPES[each.type], BINDS[each.bind], VISIBILITIES[each.visibility],
         section_name(object_file, each)]
        for each in object_file.symbols
    )  # fmt: skip


def relocations_of(object_file: ObjectFile, name: str) -> list[list[object]]:
    section = next(each for each in object_file.sections if each.name == name)
    targets = [object_file.symbols[each.symbol] for each in section.relocations]
    names = [f"SEC:{section_name(object_file, each)}" if each.type == 3 else each.name for each in targets]
    return [[each.offset, each.type, to] for each, to in zip(section.relocations, names, strict=True)]


@pytest.mark.parametrize("name", EXPECTED)
def test_object_is_what_the_compiler_makes(name: str) -> None:
    object_file = build(name)
    sections = {section.name: section for section in object_file.sections}
    plain = [each for each in EXPECTED[name]["sections"] if each["type"] in ("SHT_PROGBITS", "SHT_NOBITS")]
    assert sorted(sections) == sorted(each["name"] for each in plain)
    for each in plain:
        ours = sections[each["name"]]
        assert ours.data.hex() == each.get("hex", ""), each["name"]
        got = (SECTION_TYPES[ours.type], ours.flags, ours.align, ours.entry_size, ours.size)
        assert got == (each["type"], each["flags"], each["align"], each["entsize"], each["size"]), each["name"]
    for each in EXPECTED[name]["sections"]:
        if each["type"] == "SHT_REL":
            assert relocations_of(object_file, each["name"].removeprefix(".rel")) == each["relocs"], each["name"]
        elif each["type"] == "SHT_SYMTAB":
            assert symbols_of(object_file) == sorted(each["symbols"][1:])


@pytest.mark.parametrize("dialect", ["pseudoc", "normal"])
@pytest.mark.parametrize("name", EXPECTED)
def test_disassembly_gives_the_object_back(name: str, dialect: str) -> None:
    first = build(name)
    options = AsmOptions(endian=first.endian)
    second = assemble(parse(disassemble(first, (), dialect), "back.s", options, SHAPES), options)
    assert [(each.name, each.type, each.flags, each.data, each.size) for each in first.sections] == [
        (each.name, each.type, each.flags, each.data, each.size) for each in second.sections
    ]
    assert symbols_of(first) == symbols_of(second)
    for section in first.sections:
        assert relocations_of(first, section.name) == relocations_of(second, section.name)
