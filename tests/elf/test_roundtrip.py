"""read(write(x)) == x, for objects from clang and for any that hypothesis makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.elf import read, write
from toolchain.elf.layout import BOOKKEEPING, SHT_NOBITS
from toolchain.errors import ObjectError
from toolchain.spec.objects import (
    SHN_ABS,
    UNDEFINED,
    ObjectFile,
    Relocation,
    Section,
    Symbol,
    SymbolBind,
    SymbolType,
)

OBJECTS = sorted((Path(__file__).parents[1] / "data" / "obj").glob("*.o"))

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_objects_from_compilers(path: Path) -> None:
    file = read(path.read_bytes(), str(path))
    assert read(write(file)) == file


@st.composite
def relocations(draw: st.DrawFn, symbol_count: int) -> tuple[Relocation, ...]:
    addend = draw(st.sampled_from((st.none(), st.integers(-(2**63), 2**63 - 1))))
    one = st.builds(Relocation, u64, u32, st.integers(-1, symbol_count - 1), addend)
    return tuple(draw(st.lists(one, max_size=4)))


@st.composite
def sections(draw: st.DrawFn, symbol_count: int) -> Section:
    kind = draw(u32.filter(lambda number: number not in BOOKKEEPING))
    data = b"" if kind == SHT_NOBITS else draw(st.binary(max_size=40))
    size = draw(u64) if kind == SHT_NOBITS else len(data)
    align = draw(st.sampled_from((0, 1, 2, 4, 8, 16, 4096)))
    return Section(draw(names), kind, draw(u64), data, align, draw(u64), size, draw(relocations(symbol_count)))


@st.composite
def objects(draw: st.DrawFn) -> ObjectFile:
    symbol_count = draw(st.integers(0, 6))
    made = tuple(draw(st.lists(sections(symbol_count), max_size=5)))
    places = st.sampled_from((UNDEFINED, SHN_ABS, *range(len(made))))
    symbols = [
        Symbol(
            draw(names), draw(places), draw(u64), draw(u64), draw(st.sampled_from(SymbolType)),
            draw(st.sampled_from(SymbolBind)), draw(st.integers(0, 255)),
        )
        for _ in range(symbol_count)
    ]  # fmt: skip
    symbols.sort(key=lambda symbol: symbol.bind is not SymbolBind.LOCAL)
    endian = draw(st.sampled_from(("little", "big")))
    return ObjectFile(made, tuple(symbols), endian, draw(st.sampled_from((247, 0))), draw(u32))


@given(objects())
def test_any_object(file: ObjectFile) -> None:
    assert read(write(file)) == file


CODE = Section("xdp", 1, 6, bytes(8), 8)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (ObjectFile((Section("a\0b", 1, 0, b""),), ()), "zero byte"),
        (ObjectFile((Section("s", 2, 0, b""),), ()), "type of the writer's own: 2"),
        (ObjectFile((Section("s", 1, 0, b"", 3),), ()), "alignment not written: 3"),
        (ObjectFile((Section("s", 8, 0, b"x"),), ()), "NOBITS and has data"),
        (ObjectFile((Section("s", 1, 0, b"x", size=2),), ()), "size that is not its data's: 2"),
        (ObjectFile((CODE,), (Symbol("f", 1),)), "symbol 'f' lies in no section: 1"),
        (ObjectFile((CODE,), (Symbol("g", 0, bind=SymbolBind.GLOBAL), Symbol("l", 0))), "local symbol follows"),
        (ObjectFile((Section("s", 1, 0, b"", relocations=(Relocation(0, 1, 0),)),), ()), "refers to no symbol: 0"),
        (ObjectFile((CODE,), (Symbol("f", 0, value=-1),)), "cannot be written as ELF"),
        (ObjectFile((CODE,) * 65280, ()), "too many sections"),
        (ObjectFile((CODE,), (), endian="middle"), "cannot be written as ELF"),
    ],
)
def test_what_elf_cannot_express(file: ObjectFile, text: str) -> None:
    with pytest.raises(ObjectError, match="<memory>:#0: ") as error:
        write(file)
    assert text in str(error.value)
