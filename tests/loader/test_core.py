"""CO-RE relocations: what each question comes to, and what becomes of the instruction that asks."""

import pytest

from tests.loader.handmade import END, an_object, call, function
from toolchain.btf import Btf, BtfBuilder, BtfExt, CoreKind, CoreRelocation
from toolchain.btf.strings import essential_name
from toolchain.btf.types import (
    INT_SIGNED,
    Array,
    Const,
    Enum,
    Enum64,
    Enumerator,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Struct,
    Typedef,
    Union,
)
from toolchain.errors import LinkError, ObjectError, Unsupported
from toolchain.isa.codec import decode
from toolchain.isa.insn import Insn, wide
from toolchain.isa.opcodes import CALL, LDDW
from toolchain.loader.core_relocation import POISON, missing_at
from toolchain.loader.core_target import TypesOf, with_core_types
from toolchain.loader.link import link

MOV, ADD32, LDXDW, LDXW, LDXB, STXW = 0xB7, 0x04, 0x79, 0x61, 0x71, 0x63
POISONED = Insn(CALL, imm=POISON)
MINUS_ONE = (1 << 64) - 1


class Types:
    """A source of types, as the loader wants one."""

    def __init__(self, types):
        self.types = types


class Maker(BtfBuilder):
    """Types by their C names."""

    def __init__(self):
        super().__init__()
        self.int = self.integer("int", 4, is_signed=True)
        self.u32 = self.integer("unsigned int", 4)
        self.u64 = self.integer("unsigned long", 8)
        self.u8 = self.integer("unsigned char", 1)
        self.s64 = self.integer("long", 8, is_signed=True)

    def struct(self, name, size, *members, union=False):
        """``members``: (name, type, bit offset[, bits])."""
        has_bits = any(len(each) == 4 for each in members)
        return self.add((Union if union else Struct)(name, size, tuple(Member(*each) for each in members), has_bits))

    def array(self, type_id, count):
        return self.add(Array(type_id, self.u32, count))


def linked(insns, own, records, other):
    obj = an_object(
        [function("main", [*insns, END])],
        btf=own and own.build(),
        btf_ext=BtfExt(core_relocations={"tc": tuple(records)}),
        core_types=other and Types(Btf.decode(other.build().encode())),
    )
    return list(decode(link(obj, "main").code))[:-1]


def relocated(insn, own, root, access, kind, other):
    return linked([insn], own, [CoreRelocation(0, root, access, kind)], other)


def number(kind, own, root, access, other, held):
    """What a relocation puts into an instruction that holds ``held``; None: the instruction is poisoned."""
    (insn, *more) = relocated(wide(LDDW, 1, 0, held), own, root, access, kind, other)
    if insn == POISONED:
        assert more == [POISONED]
        return None
    return insn.imm64


def own_sample():
    own = Maker()
    inner = own.struct("", 8, ("lo", own.u32, 0), ("hi", own.u32, 32))
    sample = own.struct(
        "sample", 40, ("first", own.u32, 0), ("", inner, 32), ("list", own.array(own.u32, 4), 96), ("p", own.u64, 256)
    )
    return own, sample


def other_sample():
    """``lo`` is no longer anonymous's, ``hi`` lies deeper, ``list`` is longer and later, ``p`` is gone."""
    other = Maker()
    deep = other.struct("", 8, ("hi", other.add(Const(other.add(Typedef("u32", other.u32)))), 32), union=False)
    middle = other.struct("", 8, ("", deep, 0), ("x", other.u64, 0), union=True)
    other.struct(
        "sample", 64, ("lo", other.u32, 64), ("", middle, 128), ("list", other.array(other.u64, 8), 192),
        ("first", other.u8, 8),
    )  # fmt: skip
    return other


@pytest.mark.parametrize(
    ("kind", "access", "held", "expected"),
    [
        (CoreKind.FIELD_BYTE_OFFSET, "0:0", 0, 1),
        (CoreKind.FIELD_BYTE_OFFSET, "0:1:0", 4, 8),
        (CoreKind.FIELD_BYTE_OFFSET, "0:1:1", 8, 20),
        (CoreKind.FIELD_BYTE_OFFSET, "0:2", 12, 24),
        (CoreKind.FIELD_BYTE_OFFSET, "0:2:3", 24, 48),
        (CoreKind.FIELD_BYTE_OFFSET, "1:2:3", 64, 112),
        (CoreKind.FIELD_BYTE_OFFSET, "0:3", 32, None),
        (CoreKind.FIELD_BYTE_SIZE, "0:0", 4, 1),
        (CoreKind.FIELD_BYTE_SIZE, "0:2", 16, 64),
        (CoreKind.FIELD_BYTE_SIZE, "0:2:1", 4, 8),
        (CoreKind.FIELD_BYTE_SIZE, "0:3", 8, None),
        (CoreKind.FIELD_EXISTS, "0:0", 1, 1),
        (CoreKind.FIELD_EXISTS, "0:3", 1, 0),
        (CoreKind.FIELD_SIGNED, "0:0", 0, 0),
        (CoreKind.FIELD_LSHIFT_U64, "0:0", 32, 56),
        (CoreKind.FIELD_RSHIFT_U64, "0:0", 32, 56),
    ],
)
def test_fields(kind, access, held, expected):
    own, sample = own_sample()
    assert number(kind, own, sample, access, other_sample(), held) == expected


def test_sign_of_numbers_and_enums():
    own, other = Maker(), Maker()
    root = own.struct("s", 8, ("a", own.int, 0), ("b", own.int, 32))
    signed = other.add(Enum("e", 4, (Enumerator("X", -1),), is_signed=True))
    other.struct("s", 8, ("a", other.u32, 0), ("b", other.int, 32))
    assert number(CoreKind.FIELD_SIGNED, own, root, "0:0", other, 1) == 0
    assert number(CoreKind.FIELD_SIGNED, own, root, "0:1", other, 1) == 1
    enums = Maker()
    mine = enums.struct("s", 4, ("e", enums.add(Enum("e", 4, (Enumerator("X", 1),))), 0))
    theirs = Maker()
    theirs.struct("s", 4, ("e", theirs.add(Enum("e", 4, (Enumerator("X", -1),), is_signed=True)), 0))
    assert number(CoreKind.FIELD_SIGNED, enums, mine, "0:0", theirs, 0) == 1
    assert signed


@pytest.mark.parametrize(
    ("bit_offset", "bits", "offset", "size", "lshift", "rshift"),
    [
        (0, 3, 0, 4, 61, 61),
        (13, 19, 0, 4, 32, 45),
        (30, 3, 0, 8, 31, 61),  # across two words: one of eight bytes
        (64, 32, 8, 4, 32, 32),
    ],
)
def test_bit_fields(bit_offset, bits, offset, size, lshift, rshift):
    own, other = Maker(), Maker()
    root = own.struct("s", 16, ("f", own.u32, 7, 5))
    other.struct("s", 16, ("f", other.u32, bit_offset, bits))
    held = 99  # how the compiler would read it is not known, except for the right shift
    assert number(CoreKind.FIELD_BYTE_OFFSET, own, root, "0:0", other, held) == offset
    assert number(CoreKind.FIELD_BYTE_SIZE, own, root, "0:0", other, held) == size
    assert number(CoreKind.FIELD_LSHIFT_U64, own, root, "0:0", other, held) == lshift
    assert number(CoreKind.FIELD_RSHIFT_U64, own, root, "0:0", other, 59) == rshift


def test_a_bit_field_that_no_load_holds():
    own, other = Maker(), Maker()
    root = own.struct("s", 16, ("f", own.u64, 0, 60))
    other.struct("s", 16, ("f", other.u64, 10, 60))
    with pytest.raises(LinkError, match="bit field across more than 8 bytes"):
        number(CoreKind.FIELD_BYTE_OFFSET, own, root, "0:0", other, 0)


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___old", "task_struct"),
        ("a___b___c", "a___b"),
        ("a____b", "a____b"),
        ("___a", "___a"),
        ("a___", "a___"),
        ("__sk_buff", "__sk_buff"),
    ],
)
def test_flavours(name, essential):
    assert essential_name(name) == essential


@pytest.mark.parametrize(("mine", "theirs"), [("s___new", "s"), ("s", "s___1"), ("s___a", "s___b"), ("s", "s")])
def test_a_flavour_does_not_count(mine, theirs):
    own, other = Maker(), Maker()
    root = own.struct(mine, 4, ("f", own.u32, 0))
    other.struct("xs", 12, ("f", other.u32, 64))
    other.struct(theirs, 8, ("f", other.u32, 32))
    other.struct("s____1", 12, ("f", other.u32, 64))
    assert number(CoreKind.FIELD_BYTE_OFFSET, own, root, "0:0", other, 0) == 4


def enum_types(cls, *values):
    types = Maker()
    return types, types.add(cls("e", 8 if cls is Enum64 else 4, tuple(Enumerator(*each) for each in values)))


@pytest.mark.parametrize("mine", [Enum, Enum64])
@pytest.mark.parametrize("theirs", [Enum, Enum64])
def test_enumerators(mine, theirs):
    own, root = enum_types(mine, ("A", 1), ("B___x", 2), ("GONE", 3))
    other, _ = enum_types(theirs, ("B", 7), ("A___y", 9))
    expected = {"0": (1, 9, 1), "1": (2, 7, 1), "2": (3, None, 0)}
    for access, (held, value, exists) in expected.items():
        assert number(CoreKind.ENUMVAL_VALUE, own, root, access, other, held) == value
        assert number(CoreKind.ENUMVAL_EXISTS, own, root, access, other, 1) == exists


def test_values_of_64_bits():
    own, root = enum_types(Enum64, ("A", 1 << 40))
    other, _ = enum_types(Enum64, ("A", 1 << 50 | 0x80000000))
    assert number(CoreKind.ENUMVAL_VALUE, own, root, "0", other, 1 << 40) == 1 << 50 | 0x80000000
    narrow, _ = enum_types(Enum, ("A", 0xFFFFFFFF))  # 32 bits count as signed
    assert number(CoreKind.ENUMVAL_VALUE, own, root, "0", narrow, 1 << 40) == MINUS_ONE


def test_types():
    own, other = Maker(), Maker()
    root, gone = own.struct("s", 4, ("f", own.u32, 0)), own.struct("gone", 4, ("f", own.u32, 0))
    theirs = other.struct("s", 24, ("f", other.u64, 0))
    other.struct("gone", 0, union=True)
    asked = {CoreKind.TYPE_EXISTS: (1, 1), CoreKind.TYPE_SIZE: (4, 24), CoreKind.TYPE_ID_TARGET: (77, theirs)}
    for kind, (held, answer) in asked.items():
        assert number(kind, own, root, "0", other, held) == answer
        assert number(kind, own, gone, "0", other, held) == 0
    assert number(CoreKind.TYPE_ID_LOCAL, own, root, "0", None, 77) == root


def by_name(make):
    """The types that ``make`` adds; the last one is the type asked about."""
    types = Maker()
    return types, make(types)


MATCHES = {
    "int of another sign": (lambda t: t.add(Int("i", 4, INT_SIGNED)), lambda t: t.add(Int("i", 4)), True, False),
    "int of another size": (lambda t: t.add(Int("i", 4)), lambda t: t.add(Int("i", 8)), True, False),
    "more members": (
        lambda t: t.struct("s", 4, ("a", t.u32, 0)),
        lambda t: t.struct("s", 8, ("b", t.u32, 0), ("a", t.u32, 32)),
        True, True,
    ),
    "a member missing": (
        lambda t: t.struct("s", 4, ("a", t.u32, 0)),
        lambda t: t.struct("s", 4, ("b", t.u32, 0), ("c", t.u32, 0)),
        True, False,
    ),
    "a member of another type": (
        lambda t: t.struct("s", 4, ("a", t.u32, 0)), lambda t: t.struct("s", 8, ("a", t.u64, 0)), True, False
    ),
    "only the name behind a pointer": (
        lambda t: t.struct("s", 8, ("p", t.add(Ptr(t.struct("o", 4, ("a", t.u32, 0)))), 0)),
        lambda t: t.struct("s", 8, ("p", t.add(Ptr(t.struct("o", 8, ("b", t.u64, 0)))), 0)),
        True, True,
    ),
    "a declaration behind a pointer": (
        lambda t: t.struct("s", 8, ("p", t.add(Ptr(t.add(Fwd("o")))), 0)),
        lambda t: t.struct("s", 8, ("p", t.add(Ptr(t.struct("o", 8, ("b", t.u64, 0)))), 0)),
        True, True,
    ),
    "a declaration of the other kind": (
        lambda t: t.struct("s", 8, ("p", t.add(Ptr(t.add(Fwd("o", is_union=True)))), 0)),
        lambda t: t.struct("s", 8, ("p", t.add(Ptr(t.struct("o", 8, ("b", t.u64, 0)))), 0)),
        True, False,
    ),
    "an array of another length": (
        lambda t: t.add(Typedef("a", t.array(t.u32, 2))), lambda t: t.add(Typedef("a", t.array(t.u32, 3))), True, False
    ),
    "an enumerator missing": (
        lambda t: t.add(Enum("e", 4, (Enumerator("A", 1),))),
        lambda t: t.add(Enum("e", 4, (Enumerator("B", 1),))),
        True, False,
    ),
    "an enumerator of another number": (
        lambda t: t.add(Enum("e", 4, (Enumerator("A", 1),))),
        lambda t: t.add(Enum("e", 4, (Enumerator("B", 1), Enumerator("A", 5)))),
        True, True,
    ),
    "functions of as many parameters": (
        lambda t: t.add(Typedef("f", t.add(Ptr(t.add(FuncProto(t.int, (Param("a", t.u32),))))))),
        lambda t: t.add(Typedef("f", t.add(Ptr(t.add(FuncProto(t.int, (Param("b", t.u32),))))))),
        True, True,
    ),
    "functions of more parameters": (
        lambda t: t.add(Typedef("f", t.add(Ptr(t.add(FuncProto(t.int, (Param("a", t.u32),))))))),
        lambda t: t.add(Typedef("f", t.add(Ptr(t.add(FuncProto(t.int, ())))))),
        False, False,
    ),
    "a pointer to another kind": (
        lambda t: t.add(Typedef("f", t.add(Ptr(t.u32)))),
        lambda t: t.add(Typedef("f", t.add(Ptr(t.struct("x", 4, ("a", t.u32, 0)))))),
        False, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MATCHES)
def test_types_that_exist_and_types_that_match(name):
    mine, theirs, exists, matches = MATCHES[name]
    own, root = by_name(mine)
    other, _ = by_name(theirs)
    assert number(CoreKind.TYPE_EXISTS, own, root, "0", other, 1) == exists
    assert number(CoreKind.TYPE_MATCHES, own, root, "0", other, 1) == matches


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        (lambda t: t.u32, lambda t: t.s64, True),
        (lambda t: t.u32, lambda t: t.add(Ptr(t.u32)), False),
        (lambda t: t.add(Ptr(t.u32)), lambda t: t.add(Ptr(t.struct("x", 1))), True),
        (lambda t: t.struct("x", 4), lambda t: t.struct("y", 8, union=True), True),
        (lambda t: t.add(Enum("e", 4)), lambda t: t.add(Enum("e___2", 4)), True),
        (lambda t: t.add(Enum("e", 4)), lambda t: t.add(Enum64("f", 8)), False),
        (lambda t: t.add(Enum("e", 4)), lambda t: t.add(Enum64("", 8)), True),
        (lambda t: t.array(t.u32, 3), lambda t: t.array(t.u64, 1), True),
        (lambda t: t.array(t.u32, 3), lambda t: t.u32, False),
    ],
)
def test_a_field_of_another_type(mine, theirs, fits):
    own, other = Maker(), Maker()
    root = own.struct("s", 64, ("f", mine(own), 0))
    other.struct("s", 64, ("f", theirs(other), 0))
    assert number(CoreKind.FIELD_EXISTS, own, root, "0:0", other, 1) == fits


def test_elements_of_an_array_without_a_length():
    own, other = Maker(), Maker()
    root = own.struct("s", 4, ("n", own.u32, 0), ("a", own.array(own.u32, 0), 32))
    other.struct("s", 8, ("n", other.u64, 0), ("a", other.array(other.u32, 0), 64))
    assert number(CoreKind.FIELD_BYTE_OFFSET, own, root, "0:1:5", other, 24) == 28
    bounded = Maker()
    bounded.struct("s", 8, ("n", bounded.u64, 0), ("a", bounded.array(bounded.u32, 5), 64))
    assert number(CoreKind.FIELD_BYTE_OFFSET, own, root, "0:1:5", bounded, 24) is None


def test_candidates_must_agree():
    own, other = Maker(), Maker()
    root = own.struct("s", 8, ("f", own.u32, 0), ("g", own.u32, 32))
    other.struct("s", 8, ("f", other.u32, 32), ("g", other.u32, 0))
    other.struct("s___2", 12, ("f", other.u32, 32))
    assert number(CoreKind.FIELD_BYTE_OFFSET, own, root, "0:0", other, 0) == 4
    with pytest.raises(LinkError, match=r"type size of s, 0\): ambiguous: 12 and 8"):
        number(CoreKind.TYPE_SIZE, own, root, "0", other, 8)
    other.struct("s___3", 8, ("f", other.u32, 0))
    with pytest.raises(LinkError, match="ambiguous: bit offset 0 and 32"):
        number(CoreKind.FIELD_BYTE_OFFSET, own, root, "0:0", other, 0)


def test_what_an_earlier_relocation_found_decides_which_type_is_meant():
    own, other = Maker(), Maker()
    root = own.struct("s", 8, ("f", own.u32, 0), ("g", own.u32, 32))
    other.struct("s", 8, ("f", other.u32, 32), ("g", other.u32, 0))
    other.struct("s___2", 12, ("f", other.u32, 64))
    f = CoreRelocation(8, root, "0:0", CoreKind.FIELD_BYTE_OFFSET)
    g = CoreRelocation(0, root, "0:1", CoreKind.FIELD_BYTE_OFFSET)
    loads = [Insn(LDXW, 0, 1, 4), Insn(LDXW, 0, 1, 0)]
    assert [each.off for each in linked(loads, own, [g, f], other)] == [0, 4]
    with pytest.raises(LinkError, match="ambiguous"):
        linked(loads, own, [f, g], other)


def small(size, name="unsigned int", is_signed=False):
    types = Maker()
    return types, types.struct("s", 16, ("f", types.integer(name, size, is_signed), 64))


@pytest.mark.parametrize(
    ("insn", "expected"),
    [
        (Insn(MOV, 1, imm=8), Insn(MOV, 1, imm=64)),
        (Insn(ADD32, 2, imm=8), Insn(ADD32, 2, imm=64)),
        (Insn(LDXW, 1, 2, 8), Insn(LDXW, 1, 2, 64)),
        (Insn(STXW, 1, 2, 8), Insn(STXW, 1, 2, 64)),
        (Insn(0x62, 1, 0, 8, 5), Insn(0x62, 1, 0, 64, 5)),
        (wide(LDDW, 3, 0, 8), wide(LDDW, 3, 0, 64)),
    ],
)
def test_instructions_that_hold_a_number(insn, expected):
    own, root = small(4)
    other = Maker()
    other.struct("s", 128, ("f", other.u32, 512))
    assert relocated(insn, own, root, "0:0", CoreKind.FIELD_BYTE_OFFSET, other) == [expected]


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (("unsigned int", 4), ("unsigned long", 8), Insn(LDXDW, 1, 2, 8)),
        (("unsigned int", 4), ("unsigned char", 1), Insn(LDXB, 1, 2, 8)),
        (("int", 4, True), ("long", 8, True), POISONED),
        (("unsigned int", 4), ("long", 8, True), POISONED),
        (("int", 4, True), ("unsigned int", 4), Insn(LDXW, 1, 2, 8)),
    ],
)
def test_a_load_of_a_field_whose_size_has_changed(mine, theirs, expected):
    own, root = small(mine[1], mine[0], *mine[2:])
    other, _ = small(theirs[1], theirs[0], *theirs[2:])
    assert relocated(Insn(LDXW, 1, 2, 8), own, root, "0:0", CoreKind.FIELD_BYTE_OFFSET, other) == [expected]


@pytest.mark.parametrize(
    ("insn", "message"),
    [
        (Insn(MOV, 1, imm=9), r"does not hold the compiler's number: 9 \(8\)"),
        (Insn(LDXW, 1, 2, -8), "does not hold"),
        (wide(LDDW, 1, 0, 1 << 32 | 8), "does not hold"),
        (Insn(LDXB, 1, 2, 8), "not as wide as the field"),
        (Insn(0xBF, 1, 2), "without a number to replace: opcode 0xbf"),
        (Insn(CALL, imm=8), "without a number"),
        (wide(LDDW, 1, 1, 8), "without a number"),
    ],
)
def test_instructions_that_do_not_fit(insn, message):
    own, root = small(4)
    other, _ = small(8, "unsigned long")
    with pytest.raises(LinkError, match=message) as caught:
        relocated(insn, own, root, "0:0", CoreKind.FIELD_BYTE_OFFSET, other)
    assert caught.value.message.startswith("CO-RE relocation (field byte offset of s, 0:0): ")
    assert caught.value.where.section == "tc"


def test_an_offset_too_far_for_a_load():
    own, root = small(4)
    other = Maker()
    other.struct("s", 1 << 16, ("f", other.u32, 8 << 15))
    with pytest.raises(LinkError, match=r"offset out of range for a load or store: 32768 \(at most 32767\)"):
        relocated(Insn(LDXW, 1, 2, 8), own, root, "0:0", CoreKind.FIELD_BYTE_OFFSET, other)
    assert relocated(Insn(MOV, 1, imm=8), own, root, "0:0", CoreKind.FIELD_BYTE_OFFSET, other)[0].imm == 32768


@pytest.mark.parametrize("access", ["", ":0", "0:", "0:-1", "0:x", "0:4", "1", "0:0:0", ":".join("0" * 65), "9" * 20])
def test_paths_that_lead_nowhere(access):
    own, root = small(4)
    kind = CoreKind.TYPE_EXISTS if access == "1" else CoreKind.FIELD_EXISTS
    with pytest.raises(LinkError, match="CO-RE relocation"):
        number(kind, own, root, access, Maker(), 1)


def test_a_type_without_a_name_or_of_no_such_id():
    own = Maker()
    root = own.struct("", 4, ("f", own.u32, 0))
    for type_id in (root, 9999):
        with pytest.raises(LinkError, match="CO-RE relocation"):
            number(CoreKind.FIELD_EXISTS, own, type_id, "0:0", Maker(), 1)


def test_without_types_to_ask_nothing_is_guessed():
    own, root = small(4)
    for kind in (*range(6), *range(7, 13), 13, 1 << 31):
        with pytest.raises(Unsupported, match="CO-RE relocation"):
            relocated(Insn(MOV, imm=8), own, root, "0:0", kind, None)


def test_anonymous_members_without_end():
    """2^40 paths to a name that is not there."""
    own, root = small(4)
    other = Maker()
    inner = other.struct("", 4, ("x", other.u32, 0))
    for _ in range(40):
        inner = other.struct("", 4, ("", inner, 0), ("", inner, 0), union=True)
    other.struct("s", 4, ("", inner, 0))
    with pytest.raises(LinkError, match="too entangled"):
        number(CoreKind.FIELD_EXISTS, own, root, "0:0", other, 1)


def test_a_type_within_itself():
    own, root = small(4)
    other = Maker()
    loop = other.reserve()
    other.define(loop, Struct("s", 4, (Member("", loop, 0),)))
    with pytest.raises(LinkError, match="nested too deep"):
        number(CoreKind.FIELD_EXISTS, own, root, "0:0", other, 1)


def test_what_was_missing_is_named():
    own, sample = own_sample()
    record = CoreRelocation(24, sample, "0:1:1", CoreKind.FIELD_BYTE_OFFSET)
    caller = function("main", [Insn(CALL, src=1, imm=-1), END], [call(0, "f")])
    callee = function("f", [Insn(MOV, imm=8), END], section=".text", offset=24)
    ext = BtfExt(core_relocations={".text": (record,)})
    obj = an_object([caller, callee], btf=own.build(), btf_ext=ext, core_types=Types(Maker().build()))
    linked = link(obj, "main")
    assert decode(linked.code)[2] == POISONED
    assert missing_at(obj, linked, 2) == "field byte offset of sample, 0:1:1 (hi)"
    assert missing_at(obj, linked, 0) == ""


def test_types_of_a_file(tmp_path, monkeypatch):
    own, root = small(4)
    other = Maker()
    other.struct("s", 24, ("f", other.u32, 128))
    path = tmp_path / "kernel.btf"
    path.write_bytes(other.build().encode())
    records = {"tc": (CoreRelocation(0, root, "0:0", 0),)}
    obj = an_object(
        [function("main", [Insn(MOV, imm=8), END])], btf=own.build(), btf_ext=BtfExt(core_relocations=records)
    )
    assert decode(link(with_core_types(obj, TypesOf(str(path))), "main").code)[0].imm == 16
    monkeypatch.setenv("BPF_BTF", str(path))
    assert decode(link(with_core_types(obj), "main").code)[0].imm == 16
    for bad in (str(tmp_path), "nothing", __file__):
        with pytest.raises(ObjectError):
            TypesOf(bad)
