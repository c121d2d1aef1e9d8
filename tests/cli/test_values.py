"""Values by their types: every kind of field, and types that only an attacker makes."""

import struct

import pytest

from toolchain.btf import BtfBuilder
from toolchain.btf.types import (
    INT_BOOL,
    INT_CHAR,
    Array,
    Datasec,
    Enum,
    Enumerator,
    Float,
    Int,
    Member,
    Ptr,
    Struct,
    Typedef,
    Union,
    Var,
    VarSecinfo,
)
from toolchain.cli.typed_values import bpftool_value, typed_value
from toolchain.cli.values import parse_bytes, plain_text, typed_text
from toolchain.errors import UsageError


@pytest.fixture
def types():
    return BtfBuilder()


def test_every_kind_of_field(types):
    u8, u32, s16 = types.integer("__u8", 1), types.integer("__u32", 4), types.integer("short", 2, is_signed=True)
    char = types.add(Int("char", 1, INT_CHAR))
    index = types.integer("__ARRAY_SIZE_TYPE__", 4)
    address = types.add(Typedef("be32", types.add(Array(u8, index, 4))))
    inner = types.add(Union("", 4, (Member("word", u32), Member("bytes", address))))
    fields = (
        Member("name", types.add(Array(char, index, 8))),
        Member("", inner, 64),
        Member("low", u32, 96, 4),
        Member("high", u32, 100, 28),
        Member("signed", s16, 128),
        Member("flag", types.add(Int("bool", 1, INT_BOOL)), 144),
        Member("kind", types.add(Enum("kind", 1, (Enumerator("A", 0), Enumerator("B", 7)))), 152),
        Member("next", types.add(Ptr(0)), 192),
        Member("real", types.add(Float("float", 4)), 256),
    )
    value = types.add(Struct("value", 40, fields, kind_flag=True))
    data = b"eth0\0\0\0\0" + struct.pack("=IIhBB4xQf4x", 0x04030201, 0xABCDEF2A, -3, 1, 7, 0xFFFF888000000000, 1.0)
    found = typed_value(types.build(), value, data)
    assert found == {
        "name": "eth0",
        "word": 0x04030201,
        "bytes": [1, 2, 3, 4],
        "low": 0xA,
        "high": 0xABCDEF2,
        "signed": -3,
        "flag": True,
        "kind": "B",
        "next": "0xffff888000000000",
        "real": 1.0,
    }
    scripts = bpftool_value(types.build(), value, data)
    assert scripts == found | {"low": "0xa", "high": "0xabcdef2", "next": 0xFFFF888000000000}
    assert typed_text({"name": "x", "list": [1, {"a": 2}]}) == '{name: "x", list: [1, {a: 2}]}'


def test_a_data_section_by_its_variables(types):
    u32 = types.integer("unsigned int", 4)
    variables = tuple(VarSecinfo(types.add(Var(name, u32)), at, 4) for at, name in ((0, "a"), (4, "b")))
    section = types.add(Datasec(".bss", 8, variables))
    data = struct.pack("=II", 5, 6)
    assert typed_value(types.build(), section, data) == {"a": 5, "b": 6}
    assert bpftool_value(types.build(), section, data) == {".bss": [{"a": 5}, {"b": 6}]}


@pytest.mark.parametrize(
    ("data", "for_people", "for_scripts"),
    [
        (b"eth0\0\0\0\0", "eth0", "eth0"),
        (b"eth0full", "eth0full", [*b"eth0full"]),
        (b"eth0\0abc", [*b"eth0\0abc"], "eth0"),
        (b"\x01bc\0\0\0\0\0", [*b"\x01bc\0\0\0\0\0"], [*b"\x01bc\0\0\0\0\0"]),
        (bytes(8), "", ""),
    ],
)
def test_text_in_an_array(types, data, for_people, for_scripts):
    char, index = types.add(Int("char", 1, 0)), types.integer("int", 4)
    text = types.add(Array(char, index, 8))
    assert typed_value(types.build(), text, data) == for_people
    assert bpftool_value(types.build(), text, data) == for_scripts


def test_numbers_with_a_sign_and_numbers_that_are_none(types):
    word, wide = types.integer("int", 4, is_signed=True), types.integer("__int128", 16, is_signed=True)
    flag, real = types.add(Int("bool", 1, INT_BOOL)), types.add(Float("double", 8))
    kind = types.add(Enum("kind", 4, (Enumerator("A", 0),)))
    fields = (
        Member("low", word, 0, 4), Member("", word, 4, 4), Member("flag", flag, 8), Member("kind", kind, 32),
        Member("wide", wide, 64), Member("real", real, 192), Member("none", types.add(Array(word, word, 0)), 256),
    )  # fmt: skip
    value = types.add(Struct("value", 32, fields, kind_flag=True))
    data = struct.pack("=BBHiqqd", 0x5F, 7, 0, -2, -1, -1, float("inf"))
    shared = {"real": "inf", "none": []}
    assert typed_value(types.build(), value, data) == shared | {
        "low": -1, "flag": 7, "kind": 0xFFFFFFFE, "wide": -1
    }  # fmt: skip
    assert bpftool_value(types.build(), value, data) == shared | {
        "low": "0xf", "flag": True, "kind": -2, "wide": "0x" + "f" * 32
    }  # fmt: skip


def test_data_that_is_too_short_comes_out_as_bytes(types):
    u32 = types.integer("__u32", 4)
    assert typed_value(types.build(), u32, b"ab") == ["0x61", "0x62"]


@pytest.mark.parametrize("size", [0, 8])
def test_types_that_multiply_without_end_are_cut(types, size):
    number = types.integer("__u64", 8)
    level = number
    for depth in range(14):
        members = tuple(Member(f"m{index}", level) for index in range(50))
        level = types.add(Struct(f"s{depth}", size, members))
    found = typed_value(types.build(), level, bytes(8))
    assert isinstance(found, dict | list)


def test_text_without_types():
    assert plain_text(b"\x05\0\0\0", None, 0) == "5"
    assert plain_text(b"\x01\x02\x03", None, 0) == "01 02 03"
    assert plain_text(struct.pack("=QQ", 1, 2), None, 0).endswith("(1 2)")


@pytest.mark.parametrize(
    ("words", "size", "data"),
    [
        (["255"], 1, b"\xff"),
        (["-1"], 2, b"\xff\xff"),
        (["1", "2"], 2, b"\1\2"),
        (["1", "2"], 16, struct.pack("=QQ", 1, 2)),
        (["hex", "1", "2"], 2, b"\1\2"),
        (["hex", "0x01", "0x02"], 2, b"\1\2"),
        ([], 0, b""),
    ],
)
def test_words_to_bytes(words, size, data):
    assert parse_bytes(words, size, "key") == data


@pytest.mark.parametrize(
    ("words", "size"),
    [(["256"], 1), (["1", "2", "3"], 8), ([], 4), (["1"], 0), (["one"], 4), (["hex"], 4), (["1:2:x"], 3), (["1:2"], 3)],
)
def test_words_that_are_no_bytes(words, size):
    with pytest.raises(UsageError):
        parse_bytes(words, size, "key")
