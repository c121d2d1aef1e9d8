"""Objects that compilers and people have made otherwise than clang does today, built by the writer."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from toolchain.elf import read_spec, write
from toolchain.errors import ObjectError
from toolchain.isa.map_types import MapType
from toolchain.spec.maps import MapSpec, MapStyle, Pinning
from toolchain.spec.objects import (
    Linkage,
    ObjectFile,
    ObjectSpec,
    Reference,
    ReferenceKind,
    Relocation,
    Section,
    Symbol,
    SymbolBind,
    SymbolType,
)

EXIT = b"\x95" + bytes(7)
LDDW = b"\x18\x01" + bytes(14)
CALL = b"\x85\x10\0\0\xff\xff\xff\xff"
LICENCE = Section("license", 1, 3, b"GPL\0")


def code(name: str, data: bytes, *relocations: Relocation) -> Section:
    return Section(name, 1, 6, data, 8, relocations=relocations)


def func(name: str, section: int, value: int = 0, size: int = 0, bind: SymbolBind = SymbolBind.GLOBAL) -> Symbol:
    return Symbol(name, section, value, size, SymbolType.FUNC, bind)


def spec_of(sections: tuple[Section, ...], symbols: tuple[Symbol, ...], endian: str = "little") -> ObjectSpec:
    ordered = sorted(range(len(symbols)), key=lambda index: symbols[index].bind is not SymbolBind.LOCAL)
    places = {old: new for new, old in enumerate(ordered)}
    moved = tuple(
        replace(each, relocations=tuple(replace(r, symbol=places[r.symbol]) for r in each.relocations))
        for each in sections
    )
    return read_spec(write(ObjectFile(moved, tuple(symbols[index] for index in ordered), endian)), "made.o")


def extents(spec: ObjectSpec) -> list[tuple[str, int, int, Linkage]]:
    return [(each.name, each.offset, each.slot_count, each.linkage) for each in spec.functions]


def test_a_section_without_symbols_is_one_function() -> None:
    spec = spec_of((code("xdp", EXIT * 2), LICENCE), ())
    assert extents(spec) == [("xdp", 0, 2, Linkage.STATIC)]
    assert [each.name for each in spec.programs] == ["xdp"]


def test_gaps_between_functions_are_functions() -> None:
    symbols = (func("a", 0, 8, 8), func("b", 0, 32, 8))
    spec = spec_of((code("tc", EXIT * 6), LICENCE), symbols)
    assert extents(spec) == [
        ("tc+0x0", 0, 1, Linkage.STATIC),
        ("a", 8, 1, Linkage.GLOBAL),
        ("tc+0x10", 16, 2, Linkage.STATIC),
        ("b", 32, 1, Linkage.GLOBAL),
        ("tc+0x28", 40, 1, Linkage.STATIC),
    ]
    assert [each.name for each in spec.programs] == ["a", "b"]


def test_aliases_and_labels_are_not_functions() -> None:
    symbols = (
        func("local", 0, 0, 16, SymbolBind.LOCAL),
        func("shown", 0, 0, 16),
        Symbol("label", 0, 8),
        Symbol("end", 0, 16, bind=SymbolBind.GLOBAL),
    )
    assert extents(spec_of((code("tc", EXIT * 2),), symbols)) == [("shown", 0, 2, Linkage.GLOBAL)]


def test_called_labels_are_functions() -> None:
    """As GNU as writes a call of a local label: the section's symbol, the offset in imm."""
    call = Relocation(0, 10, 0)
    data = b"\x85\x10\0\0" + struct.pack("<i", 16 // 8 - 1) + EXIT
    symbols = (
        Symbol("", 0, type=SymbolType.SECTION),
        Symbol("start", 0, 0),
        Symbol("label", 0, 16),
        Symbol("in", 0, 24),
    )
    spec = spec_of((code(".text", EXIT * 4), code("xdp", data, call)), (*symbols, func("main", 1)))
    assert extents(spec) == [
        ("start", 0, 2, Linkage.STATIC),
        ("label", 16, 2, Linkage.STATIC),
        ("main", 0, 2, Linkage.GLOBAL),
    ]
    assert spec.function("main").references == (Reference(0, ReferenceKind.CALL, "label"),)


def test_call_by_name_whatever_imm_says() -> None:
    """GNU as 2.40 leaves 55 in a call of a global function at byte 56."""
    data = b"\x85\x10\0\0" + struct.pack("<i", 55) + EXIT * 6
    spec = spec_of((code("xdp", data + EXIT, Relocation(0, 10, 1)),), (func("main", 0, 0, 56), func("sub", 0, 56, 8)))
    assert spec.function("main").references == (Reference(0, ReferenceKind.CALL, "sub"),)


def test_static_functions_of_one_name() -> None:
    sections = (code("tc", EXIT * 2), code("xdp", EXIT * 2))
    symbols = (
        func("same", 0, 0, 8, SymbolBind.LOCAL), func("same", 1, 0, 8, SymbolBind.LOCAL),
        func("tc_main", 0, 8, 8), func("same.xdp", 1, 8, 8),
    )  # fmt: skip
    assert [each.name for each in spec_of(sections, symbols).functions] == [
        "same",
        "tc_main",
        "same.xdp+0x0",
        "same.xdp",
    ]


def test_text_alone_holds_programs() -> None:
    spec = spec_of((code(".text", EXIT * 2),), (func("one", 0, 0, 8), func("two", 0, 8, 8)))
    assert [(each.name, each.prog_type) for each in spec.programs] == [("one", None), ("two", None)]
    beside = spec_of((code(".text", EXIT), code("xdp", EXIT)), (func("one", 0), func("two", 1)))
    assert [each.name for each in beside.programs] == ["two"]


@pytest.mark.parametrize("addend", [None, 0])
def test_calls_by_name_and_by_section(addend: int | None) -> None:
    by_name = Relocation(0, 10, 2, addend)
    by_section = Relocation(8, 10, 0, addend)
    data = CALL + b"\x85\x10\0\0" + struct.pack("<i", 8 // 8 - 1) + EXIT
    sections = (code(".text", EXIT * 2), code("tc", data, by_name, by_section))
    section_symbol = Symbol("", 0, type=SymbolType.SECTION)
    symbols = (section_symbol, func("f", 0, 0, 8), func("g", 0, 8, 8), func("main", 1))
    spec = spec_of(sections, symbols)
    assert spec.function("main").references == (
        Reference(0, ReferenceKind.CALL, "g"),
        Reference(1, ReferenceKind.CALL, "g"),
    )


def test_rela_carries_the_offset_itself() -> None:
    data = Section(".rodata", 1, 2, bytes(16), 8)
    main = code("tc", LDDW + EXIT, Relocation(0, 1, 0, 12))
    spec = spec_of((main, data), (Symbol("", 1, type=SymbolType.SECTION), func("main", 0)))
    assert spec.function("main").references == (Reference(0, ReferenceKind.DATA, ".rodata", 12),)


def record(*words: int, size: int = 0) -> bytes:
    return struct.pack(f"<{len(words)}I", *words).ljust(size or len(words) * 4, b"\0")


def only_map(section: str, data: bytes, sized: bool = True) -> MapSpec:
    symbol = Symbol("m", 0, 0, len(data) if sized else 0, SymbolType.OBJECT, SymbolBind.GLOBAL)
    (found,) = spec_of((Section(section, 1, 3, data, 4), LICENCE), (symbol,)).maps
    return found


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("size", [16, 20, 24, 28, 32, 36, 64])
def test_record_sizes(size: int, sized: bool) -> None:
    found = only_map("maps", record(2, 4, 8, 3, size=size), sized)
    assert (found.map_type, found.key_size, found.value_size, found.max_entries) == (MapType.ARRAY, 4, 8, 3)
    assert (found.pinning, found.classic_id, found.numa_node) == (Pinning.NONE, 0, 0)
    assert found.style is (MapStyle.CLASSIC if size >= 32 else MapStyle.DEF)


@pytest.mark.parametrize(
    ("section", "words", "style", "pinning", "numa_node"),
    [
        ("maps", (1, 4, 4, 1, 0, 7, 2), MapStyle.CLASSIC, Pinning.GLOBAL, 0),
        ("maps", (1, 4, 4, 1, 0, 7), MapStyle.CLASSIC, Pinning.NONE, 0),
        ("maps", (1, 4, 4, 1, 4, 0, 2), MapStyle.DEF, Pinning.NONE, 2),
        ("maps", (12, 4, 4, 1, 0, 0, 0), MapStyle.DEF, Pinning.NONE, 0),
        ("maps", (12, 4, 4, 1, 0, 0, 2), MapStyle.CLASSIC, Pinning.GLOBAL, 0),
        ("maps/m", (1, 4, 4, 1, 4, 0, 2), MapStyle.DEF, Pinning.NONE, 2),
        ("maps", (1, 4, 4, 1, 0, 0, 1, 0, 0), MapStyle.CLASSIC, Pinning.OBJECT, 0),
        ("maps", (1, 4, 4, 1, 4, 0, 1, 0), MapStyle.CLASSIC, Pinning.OBJECT, 0),
    ],
)
def test_which_struct(section: str, words: tuple[int, ...], style: MapStyle, pinning: Pinning, numa_node: int) -> None:
    found = only_map(section, record(*words))
    assert (found.style, found.pinning, found.numa_node) == (style, pinning, numa_node)


@pytest.mark.parametrize(
    ("sections", "symbols", "text"),
    [
        ((code("xdp", EXIT + b"\0"),), (), "made.o:xdp: code of a broken size: 9 bytes (a multiple of 8)"),
        ((code("xdp", EXIT * 2),), (func("f", 0, 4),), "made.o:xdp: function f out of place: offset 4, size 0"),
        ((code("xdp", EXIT * 2),), (func("f", 0, 0, 24),), "made.o:xdp+0x0: function f reaches into what follows"),
        (
            (code("xdp", EXIT * 2),),
            (func("f", 0, 0, 16), func("g", 0, 8, 8)),
            "function f reaches into what follows: it ends at 16 (at most 8)",
        ),
        ((code("xdp", EXIT, Relocation(4, 1, 0)),), (func("f", 0),), "made.o:xdp+0x4: relocation out of place: 4"),
        ((code("xdp", EXIT, Relocation(0, 1, 0)),), (func("f", 0),), "instruction that takes none: opcode 0x95"),
        (
            (code("xdp", CALL + EXIT, Relocation(0, 10, 0)), LICENCE),
            (Symbol("l", 1), func("f", 0)),
            "made.o:xdp+0x0: call of something that is no function: license+0x0 (l)",
        ),
        (
            (code("xdp", LDDW + EXIT, Relocation(0, 1, 0)), Section("maps", 1, 3, record(1, 4, 4, 1))),
            (Symbol("x", 1, 2), Symbol("m", 1, bind=SymbolBind.GLOBAL), func("f", 0)),
            "made.o:xdp+0x0: address of neither a map nor a function: maps+0x2 (x)",
        ),
        (
            (code("xdp", LDDW + EXIT, Relocation(0, 1, 0)),),
            (Symbol("a", 0xFFF1, 7), func("f", 0)),
            "address of a symbol in no section: a",
        ),
        ((Section("maps", 1, 3, record(1, 4, 4, 1)),), (), "made.o:maps+0x0: map records without symbols"),
        ((Section("maps", 1, 3, bytes(20)),), (Symbol("m", 0, 4, 20),), "map m reaches out of its section"),
        ((Section("maps", 1, 3, record(77, 4, 4, 1)),), (Symbol("m", 0),), "map m of unknown type: 77"),
        ((Section("maps", 1, 3, record(1, 4, 4, 1)[:12]),), (Symbol("m", 0),), "map m has a record of 12 bytes"),
        (
            (Section("maps", 1, 3, record(1, 4, 4, 1, size=40)[:39] + b"\1"),),
            (Symbol("m", 0),),
            "made.o:maps+0x24: map m has a record of 40 bytes with content after the first 36 (only zeros)",
        ),
        ((Section(".maps", 1, 3, bytes(8)),), (Symbol("m", 0),), "map definitions without type information"),
        ((Section(".BTF", 1, 0, b"\x9f\xeb\1\0"),), (), "made.o:.BTF+0x0: header cut short: 4 bytes (24)"),
        ((Section(".BTF", 1, 0, b"\xeb\x9f\1\0"),), (), "made.o:.BTF+0x0: type information of the other endian: big"),
    ],
)
def test_broken(sections: tuple[Section, ...], symbols: tuple[Symbol, ...], text: str) -> None:
    with pytest.raises(ObjectError) as error:
        spec_of(sections, symbols)
    assert text in str(error.value)


def test_static_maps_of_one_name() -> None:
    """As libbpf's linker leaves them: it joins objects and renames nothing."""
    maps = Section("maps", 1, 3, record(1, 4, 4, 1) + record(2, 4, 4, 9))
    data = LDDW * 2 + EXIT
    main = code("xdp", data, Relocation(0, 1, 0), Relocation(16, 1, 1))
    spec = spec_of((main, maps, LICENCE), (Symbol("m", 1, 0, 16), Symbol("m", 1, 16, 16), func("f", 0)))
    assert [(each.name, each.max_entries) for each in spec.maps] == [("m", 1), ("m.2", 9)]
    assert [each.target for each in spec.function("f").references] == ["m", "m.2"]
    assert spec.warnings == ("two maps of the name m: the one at made.o:maps+0x10 is called m.2",)


def test_licence_and_version() -> None:
    version = Section("version", 1, 3, (0x40E00).to_bytes(4, "big"))
    spec = spec_of((code("xdp", EXIT), Section("license", 1, 3, b"Dual \xff\0tail"), version), (func("f", 0),), "big")
    assert (spec.licence, spec.kernel_version, spec.endian) == ("Dual \\xff", 0x40E00, "big")
    odd = spec_of((code("xdp", EXIT), LICENCE, Section("version", 1, 3, b"abc")), (func("f", 0),))
    assert (odd.kernel_version, odd.warnings) == (0, ("section version has 3 bytes, not 4: ignored",))


def test_unmodelled_sections_are_warnings() -> None:
    spec = spec_of((code("xdp", EXIT), LICENCE, Section(".struct_ops.link", 1, 3, bytes(8))), (func("f", 0),))
    assert spec.warnings == ("section .struct_ops.link is not modelled: its operations are not registered",)
    assert [each.name for each in spec.programs] == ["f"]


def test_name_bytes_that_are_no_text() -> None:
    raw = write(ObjectFile((code("xdp", EXIT),), (func("good", 0),)))
    spec = read_spec(raw.replace(b"good", b"g\xff\x1bd"), "made.o")
    assert spec.programs[0].name == "g\\xff\x1bd"
