"""Types to bytes and back: every kind, both endians, clang's own sections, and broken ones."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.btf import Btf, BtfBuilder, BtfExt, CoreKind, CoreRelocation, FuncRecord, Kind, LineRecord, encode_both
from toolchain.btf.types import (
    Array,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    VarSecinfo,
    Void,
    Volatile,
    name_of,
)  # fmt: skip
from toolchain.elf import read
from toolchain.errors import ObjectError

OBJECTS = sorted((Path(__file__).parents[1] / "data" / "obj").glob("*.o"))

EVERY_KIND: tuple[BtfType, ...] = (
    Void(),
    Int("int", 4, 1),
    Ptr(1),
    Array(1, 1, 7),
    Struct("s", 8, (Member("a", 1), Member("", 2, 32))),
    Struct("bits", 4, (Member("low", 1, 0, 3), Member("high", 1, 3, 5)), kind_flag=True),
    Union("u", 8, (Member("a", 1),)),
    Enum("e", 4, (Enumerator("MINUS", -1), Enumerator("ONE", 1)), is_signed=True),
    Enum("f", 4, (Enumerator("BIG", 0xFFFFFFFF),)),
    Fwd("later", is_union=True),
    Typedef("word", 1),
    Volatile(1),
    Const(1),
    Restrict(2),
    FuncProto(1, (Param("x", 1), Param("", 0))),
    Func("main", 14, 1),
    Var("v", 1, 0),
    Datasec(".data", 8, (VarSecinfo(16, 0, 4), VarSecinfo(16, 4, 4))),
    Float("double", 8),
    DeclTag("tag", 4, 1),
    DeclTag("whole", 4, -1, kind_flag=True),
    TypeTag("user", 1),
    Enum64("w", 8, (Enumerator("MIN", -(2**63)), Enumerator("MAX", 2**63 - 1)), is_signed=True),
    Int("bitfield", 4, 0, 3, 5),
)


@pytest.mark.parametrize("endian", ["little", "big"])
def test_every_kind(endian: str) -> None:
    assert {each.kind for each in EVERY_KIND} == set(Kind)
    btf = Btf(EVERY_KIND)
    data = btf.encode(endian)
    assert Btf.decode(data, endian) == Btf.decode(data) == btf
    assert tuple(Btf.decode(data).types) == EVERY_KIND
    assert Btf.decode(data).encode(endian) == data


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
u32 = st.integers(0, 2**32 - 1)
u24 = st.integers(0, 2**24 - 1)
u8 = st.integers(0, 255)
members = st.lists(st.builds(Member, names, u32, u32), max_size=3).map(tuple)
bitfields = st.lists(st.builds(Member, names, u32, u24, u8), max_size=3).map(tuple)
any_type = st.one_of(
    st.builds(Int, names, u32, st.integers(0, 15), u8, u8),
    st.builds(Array, u32, u32, u32),
    st.builds(Struct, names, u32, members),
    st.builds(Union, names, u32, bitfields, st.just(True)),
    st.builds(Enum, names, u32, st.lists(st.builds(Enumerator, names, u32), max_size=3).map(tuple)),
    st.builds(Enum64, names, u32, st.lists(st.builds(Enumerator, names, st.integers(0, 2**64 - 1))).map(tuple)),
    st.builds(Fwd, names, st.booleans()),
    st.builds(Typedef, names, u32),
    st.builds(FuncProto, u32, st.lists(st.builds(Param, names, u32), max_size=3).map(tuple)),
    st.builds(Func, names, u32, st.integers(0, 65535)),
    st.builds(Var, names, u32, u32),
    st.builds(Datasec, names, u32, st.lists(st.builds(VarSecinfo, u32, u32, u32), max_size=3).map(tuple)),
    st.builds(DeclTag, names, u32, st.integers(-(2**31), 2**31 - 1), st.booleans()),
)


@given(st.lists(any_type, max_size=6), st.sampled_from(("little", "big")))
def test_any_types(types: list[BtfType], endian: str) -> None:
    btf = Btf((Void(), *types))
    assert Btf.decode(btf.encode(endian), endian) == btf


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_sections_from_compilers(path: Path) -> None:
    sections = {each.name: each.data for each in read(path.read_bytes()).sections}
    if ".BTF" not in sections:
        assert path.name in ("classic-nobtf.o", "mapdef.o", "untyped.o")
        return
    btf = Btf.decode(sections[".BTF"])
    ext = BtfExt.decode(sections[".BTF.ext"], btf)
    assert sum(len(records) for records in ext.func_info.values()) > 0
    for endian in ("little", "big"):
        data, ext_data = encode_both(btf, ext, endian)
        again = Btf.decode(data, endian)
        assert again == btf
        assert BtfExt.decode(ext_data, again, endian) == ext


def test_core_relocations() -> None:
    sections = {each.name: each.data for each in read((OBJECTS[0].parent / "core.o").read_bytes()).sections}
    btf = Btf.decode(sections[".BTF"])
    found = BtfExt.decode(sections[".BTF.ext"], btf).core_relocations["kprobe/do_exit"]
    assert {CoreKind(each.kind) for each in found} == {
        CoreKind.FIELD_BYTE_OFFSET, CoreKind.FIELD_EXISTS, CoreKind.FIELD_LSHIFT_U64, CoreKind.TYPE_ID_TARGET,
        CoreKind.TYPE_SIZE, CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE,
    }  # fmt: skip
    first = found[0]
    assert (name_of(btf.get(first.type_id)), first.access, first.offset % 8) == ("task_struct", "0:0", 0)


@pytest.mark.skipif(shutil.which("bpftool") is None, reason="bpftool is not installed")
@pytest.mark.parametrize("name", ["btf.o", "core.o", "classic.o"])
def test_same_as_bpftool(name: str) -> None:
    path = OBJECTS[0].parent / name
    command = ["bpftool", "-j", "btf", "dump", "file", str(path)]
    theirs = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["types"]
    btf = Btf.decode(next(each.data for each in read(path.read_bytes()).sections if each.name == ".BTF"))
    ours = btf.types[1:]
    assert [(each.kind.name, name_of(each) or "(anon)") for each in ours] == [
        (each["kind"], each["name"]) for each in theirs
    ]
    for our, their in zip(ours, theirs, strict=True):
        if isinstance(our, Struct | Union):
            assert [(each.name or "(anon)", each.type_id, each.bit_offset) for each in our.members] == [
                (each["name"], each["type_id"], each["bits_offset"]) for each in their["members"]
            ]
        if isinstance(our, Int):
            assert (our.size, our.bits) == (their["size"], their["nr_bits"])
        if isinstance(our, Enum | Enum64):
            assert [(each.name, each.value) for each in our.values] == [
                (each["name"], each["val"]) for each in their["values"]
            ]


def test_names_sizes_and_modifiers() -> None:
    btf = Btf.decode(Btf(EVERY_KIND).encode())
    assert btf.find("int") == 1
    assert btf.find("int", Struct) == 0
    assert btf.find("") == 0
    assert btf.ids_of("absent") == []
    assert btf.ids_of_kind(Kind.STRUCT) == [4, 5]
    assert btf.datasecs() == [(17, EVERY_KIND[17])]
    assert [btf.size_of(type_id) for type_id in range(24)] == [
        0, 4, 8, 28, 8, 4, 8, 4, 4, 0, 4, 4, 4, 8, 0, 0, 4, 8, 8, 0, 0, 4, 8, 4,
    ]  # fmt: skip
    assert [btf.resolve(type_id) for type_id in (10, 11, 12, 13, 21)] == [1, 1, 1, 2, 1]
    other = btf.replaced({1: Int("long", 8)})
    assert (other.size_of(3), btf.size_of(3)) == (56, 28)


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize(
    "replacement",
    [
        {17: Datasec(".data", 99, (VarSecinfo(16, 4, 4), VarSecinfo(16, 0, 4)))},
        {17: Datasec(".data", 99, ())},
        {1: Int("new name", 8), 15: Func("main", 14, 0)},
    ],
    ids=["same place", "shorter", "new name"],
)
def test_replaced_types_are_encoded(replacement: dict[int, BtfType], endian: str) -> None:
    expected = Btf(tuple(replacement.get(type_id, each) for type_id, each in enumerate(EVERY_KIND)))
    for original in (Btf(EVERY_KIND), Btf.decode(Btf(EVERY_KIND).encode())):
        assert Btf.decode(original.replaced(replacement).encode(endian)) == expected


def test_shared_ends_of_strings_are_found() -> None:
    """A linker may let "int" point into "u_int"."""
    words = [1, 1 << 24, 4, 32, 3, 1 << 24, 4, 32]
    types = struct.pack("<8I", *words)
    data = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), 7) + types + b"\0u_int\0"
    assert Btf.decode(data).find("int") == 2


def test_chains_without_end() -> None:
    loop = Btf((Void(), Typedef("a", 2), Const(1), Array(3, 3, 2)))
    for ask in (lambda: loop.resolve(1), lambda: loop.size_of(1), lambda: loop.size_of(3)):
        with pytest.raises(ObjectError, match="chain of types too long"):
            ask()
    with pytest.raises(ObjectError, match=r"no such type id: 9 \(below 4\)"):
        loop.get(9)


def test_builder() -> None:
    builder = BtfBuilder()
    number = builder.integer("int", 4, is_signed=True)
    assert builder.integer("int", 4, is_signed=True) == number
    assert builder.add(Ptr(number)) == builder.add(Ptr(number)) != builder.add(Const(number))
    node = builder.reserve()
    builder.define(node, Struct("node", 8, (Member("next", builder.add(Ptr(node))),)))
    with pytest.raises(ValueError, match="defined already"):
        builder.define(node, Void())
    assert builder.add(Struct("s", 4)) != builder.add(Struct("s", 4)), "structs have an identity"
    five = builder.sized_array(5)
    btf = builder.build()
    assert Btf.decode(btf.encode()) == btf
    array = btf.resolved(btf.types[five].type_id)  # type: ignore[union-attr]
    assert isinstance(array, Array)
    assert (array.count, btf.types[array.type_id]) == (5, Int("int", 4, 1))


HEAD = struct.Struct("<HBBIIIII")


def section(types: bytes = b"", strings: bytes = b"\0", **fields: int) -> bytes:
    values = {
        "magic": 0xEB9F, "version": 1, "flags": 0, "hdr_len": 24, "type_off": 0, "type_len": len(types),
        "str_off": len(types), "str_len": len(strings), **fields,
    }  # fmt: skip
    return HEAD.pack(*values.values()) + types + strings


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "x:.BTF+0x0: not type information: magic missing (9feb)"),
        (b"abcd", "x:.BTF+0x0: not type information: magic 6162 (9feb)"),
        (section()[:20], "x:.BTF+0x0: header cut short: 20 bytes (24)"),
        (section(version=2), "x:.BTF+0x2: unknown version or flags: 2, 0 (1, 0)"),
        (section(hdr_len=8), "x:.BTF+0x4: header size out of range: 8"),
        (section(hdr_len=2**32 - 1), "x:.BTF+0x4: header size out of range"),
        (section(type_len=3), "x:.BTF+0x8: types lie outside the section: offset 0, size 3"),
        (section(type_len=400), "x:.BTF+0x8: types lie outside the section"),
        (section(str_len=2), "x:.BTF+0x10: strings lie outside the section: offset 0, size 2 (below 1)"),
        (section(strings=b"a\0"), "x:.BTF+0x18: strings do not begin and end with a zero byte"),
        (section(struct.pack("<3I", 0, 20 << 24, 0)), "x:.BTF+0x18: unknown kind of type 1: 20 (1..19)"),
        (section(bytes(12)), "x:.BTF+0x18: unknown kind of type 1: 0 (1..19)"),
        (section(struct.pack("<3I", 0, 1 << 24, 4)), "x:.BTF+0x18: type 1 cut short"),
        (section(struct.pack("<3I", 0, 4 << 24 | 0xFFFF, 4)), "x:.BTF+0x18: type 1 cut short"),
        (section(struct.pack("<I", 0)), "x:.BTF+0x18: type 0 cut short"),
    ],
)
def test_broken_sections(data: bytes, text: str) -> None:
    with pytest.raises(ObjectError) as error:
        Btf.decode(data, path="x")
    assert text in str(error.value)


def test_broken_name_is_met_late() -> None:
    btf = Btf.decode(section(struct.pack("<4I", 99, 1 << 24, 4, 32)), path="x")
    with pytest.raises(ObjectError, match=r"x:\.BTF: string offset beyond the strings: 99 \(below 1\)"):
        btf.get(1)


@pytest.mark.parametrize(
    ("each", "text"),
    [
        (Int("x", 2**32, bits=32), "type 1 (int): number does not fit in 32 bits: 4294967296"),
        (Struct("s", 4, (Member("a", 0, 0, 3),)), "bit-field size without kind_flag"),
        (Struct("s", 4, (Member("a", 0, 2**24),), kind_flag=True), "bit offset does not fit in 24 bits"),
        (Typedef("a\0b", 0), "name holds a zero byte"),
        (FuncProto(0, (Param("", 0),) * 65536), "too many elements: 65536 (at most 65535)"),
    ],
)
def test_what_cannot_be_encoded(each: BtfType, text: str) -> None:
    with pytest.raises(ObjectError) as error:
        Btf((Void(), each)).encode()
    assert text in str(error.value)


EXT = BtfExt(
    {"xdp": (FuncRecord(0, 1),)},
    {"xdp": (LineRecord(0, "a.c", "return 0;", 3, 7), LineRecord(8, "a.c", "", 2**22 - 1, 1023))},
    {"xdp": (CoreRelocation(0, 4, "0:1", 0),), "tc": (CoreRelocation(8, 4, "0", 8),)},
)


@pytest.mark.parametrize("endian", ["little", "big"])
def test_records(endian: str) -> None:
    data, ext_data = encode_both(Btf(EVERY_KIND), EXT, endian)
    btf = Btf.decode(data, endian)
    assert btf == Btf(EVERY_KIND)
    assert BtfExt.decode(ext_data, btf, endian) == EXT


def test_longer_records_are_skipped_over() -> None:
    btf = Btf.decode(section(strings=b"\0xdp\0"))
    table = struct.pack("<IIIIII", 12, 1, 1, 16, 5, 0xDEAD)
    data = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(table), len(table), 0) + table
    assert BtfExt.decode(data, btf).func_info == {"xdp": (FuncRecord(16, 5),)}


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (b"\4\0\0\0", "x:.BTF.ext+0x18: func_info has records of 4 bytes (a multiple of 4, from 8)"),
        (b"\x08\0\0\0\1\0\0\0", "x:.BTF.ext+0x1c: func_info cut short"),
        (struct.pack("<III", 8, 1, 0), "x:.BTF.ext+0x20: func_info with a count out of range: 0"),
        (struct.pack("<III", 8, 1, 2**31), "x:.BTF.ext+0x20: func_info with a count out of range: 2147483648"),
        (struct.pack("<IIIII", 8, 99, 1, 0, 0), "string offset beyond the strings: 99"),
    ],
)
def test_broken_records(table: bytes, text: str) -> None:
    btf = Btf.decode(section(strings=b"\0xdp\0"), path="x")
    data = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(table), len(table), 0) + table
    with pytest.raises(ObjectError) as error:
        BtfExt.decode(data, btf, path="x")
    assert text in str(error.value)
    beyond = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(table) + 8, 0, 0) + table
    with pytest.raises(ObjectError, match="lies outside the section"):
        BtfExt.decode(beyond, btf)
