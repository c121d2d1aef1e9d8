"""One value into another type: what moves, what is checked, what is refused."""

import random
import struct
import sys

import pytest

from tests.migrate.shapes import Shape
from toolchain.btf import BtfBuilder
from toolchain.btf.types import Member, Struct
from toolchain.cli.typed_values import typed_value
from toolchain.loader.migrate_counters import counter_places
from toolchain.loader.migrate_steps import Misfit
from toolchain.loader.migrate_types import Typed, conversion

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the expected bytes are little endian")

V1 = [("packets", "u32"), ("protocol", "u32"), ("bytes", "u64")]
V2 = [("packets", "u64"), ("errors", "u64"), ("protocol", "u32"), ("mark", "u32"), ("bytes", "u64")]
STATES = {"IDLE": 0, "BUSY": 1, "DONE": 2}

MOVES = {
    "widened, moved, new": (V1, V2, ("<IIQ", 7, 8, 9), ("<QQIIQ", 7, 0, 8, 0, 9)),
    "dropped, narrowed": (V2, V1, ("<QQIIQ", 7, 1, 8, 1, 9), ("<IIQ", 7, 8, 9)),
    "sign extended": ([("a", "s16")], [("a", "s64")], ("<h", -3), ("<q", -3)),
    "unsigned into signed": ([("a", "u16")], [("a", "s32")], ("<H", 65535), ("<i", 65535)),
    "order only": ([("a", "u32"), ("b", "u32")], [("b", "u32"), ("a", "u32")], ("<II", 1, 2), ("<II", 2, 1)),
    "array grows": ([("a", ("u16", 2))], [("a", ("u16", 4))], ("<2H", 1, 2), ("<4H", 1, 2, 0, 0)),
    "array shrinks": ([("a", ("u16", 4))], [("a", ("u16", 2))], ("<4H", 1, 2, 0, 0), ("<2H", 1, 2)),
    "array of structs": (
        [("a", ([("x", "u16"), ("y", "u16")], 3))],
        [("a", ([("y", "u32"), ("x", "u16")], 3))],
        ("<6H", 1, 2, 3, 4, 5, 6),
        ("<IHxxIHxxIHxx", 2, 1, 4, 3, 6, 5),
    ),
    "array of arrays": (
        [("a", (("u8", 2), 2))], [("a", (("u16", 2), 3))], ("<4B", 1, 2, 3, 4), ("<6H", 1, 2, 3, 4, 0, 0)),
    "nested": (
        [("h", [("a", "u8"), ("b", "u32")]), ("t", "u64")],
        [("t", "u64"), ("h", [("b", "u64"), ("a", "u8")])],
        ("<BxxxIQ", 1, 2, 3),
        ("<QQB7x", 3, 2, 1),
    ),
    "unnamed struct": (
        [("", [("a", "u32"), ("b", "u32")])], [("b", "u32"), ("a", "u64")], ("<II", 1, 2), ("<IxxxxQ", 2, 1)),
    "enum by names": ([("s", STATES)], [("s", {"IDLE": 0, "WAIT": 1, "BUSY": 2, "DONE": 3})], ("<I", 1), ("<I", 2)),
    "enum into integer": ([("s", STATES)], [("s", "u64")], ("<I", 2), ("<Q", 2)),
    "enum number without a name": ([("s", STATES)], [("s", {**STATES, "MORE": 9})], ("<I", 77), ("<I", 77)),
    "bits wider": ([("a", "u32:3"), ("b", "u32:5")], [("b", "u32:7"), ("a", "u32:9")], ("<I", 5 | 17 << 3),
                   ("<I", 17 | 5 << 7)),
    "bits into an integer": ([("a", "u32:3"), ("b", "u32:5")], [("a", "u8"), ("b", "u16")], ("<I", 5 | 17 << 3),
                             ("<BxH", 5, 17)),
    "signed bits": ([("a", "s32:4")], [("a", "s32")], ("<I", 0xD), ("<i", -3)),
    "union kept": (
        [("u", ("union", [("a", "u32"), ("b", ("u8", 4))])), ("t", "u16")],
        [("t", "u16"), ("u", ("union", [("a", "u32"), ("b", ("u8", 4)), ("c", "u64")]))],
        ("<IHxx", 0x01020304, 9),
        ("<H6xQ", 9, 0x01020304),
    ),
    "unnamed union": (
        [("", ("union", [("a", "u32"), ("b", "u16")])), ("t", "u32")],
        [("t", "u32"), ("", ("union", [("x", "u64"), ("b", "u16"), ("a", "u32")]))],
        ("<II", 7, 9),
        ("<I4xQ", 9, 7),
    ),
    "float moved": ([("a", "u32"), ("d", "double")], [("d", "double")], ("<IxxxxD".replace("D", "d"), 1, 2.5),
                    ("<d", 2.5)),
    "lock begins anew": ([("l", "spin"), ("n", "u32")], [("n", "u64"), ("l", "spin")], ("<II", 0, 5),
                         ("<QIxxxx", 5, 0)),
    "integer itself": ("u32", "u64", ("<I", 5), ("<Q", 5)),
    "bool from integer": ([("f", "u8")], [("f", "bool")], ("<B", 1), ("<B", 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_moves(name):
    old, new, given, wanted = MOVES[name]
    old, new = Shape(old), Shape(new)
    made = conversion(old.typed, new.typed)
    assert made.faults == ()
    assert made.by == "fields"
    assert struct.unpack(wanted[0], made.apply(struct.pack(*given).ljust(old.size, b"\0"))) == wanted[1:]


MISFITS = {
    "too large": ([("a", "u64")], [("a", "u32")], ("<Q", 1 << 32), "a: 4294967296 does not fit in 4 bytes, unsigned"),
    "negative": ([("a", "s32")], [("a", "u64")], ("<i", -1), "a: -1 does not fit in 8 bytes, unsigned"),
    "sign bit": ([("a", "u32")], [("a", "s32")], ("<I", 1 << 31), "a: 2147483648 does not fit in 4 bytes, signed"),
    "array cut": ([("a", ("u8", 4))], [("a", ("u8", 2))], ("<4B", 1, 2, 3, 0), "a[2..3]: bytes that would be cut off"),
    "enum reused": ([("s", {"A": 0, "B": 1})], [("s", {"A": 0, "C": 1})], ("<I", 1), "something else now: B is C"),
    "no bool": ([("a", "u8")], [("a", "bool")], ("<B", 2), "a: 2 does not fit in 1 bits"),
    "bits": ([("a", "u32:9")], [("a", "u32:3")], ("<I", 9), "a: 9 does not fit in 3 bits"),
    "inside an array": ([("a", ("u32", 3))], [("a", ("u8", 3))], ("<3I", 1, 2, 300), "a[2]: 300 does not fit in 1"),
    "in arrays": ([("a", (("u32", 2), 3))], [("a", (("u8", 2), 3))], ("<6I", 1, 2, 3, 300, 5, 6), "a[1][1]: 300 does"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_values_that_do_not_fit(name):
    old, new, given, text = MISFITS[name]
    old, new = Shape(old), Shape(new)
    made = conversion(old.typed, new.typed)
    with pytest.raises(Misfit) as error:
        made.apply(struct.pack(*given).ljust(old.size, b"\0"))
    assert text in str(error.value)
    assert made.apply(bytes(old.size)) == bytes(new.size), "zero always fits"


FAULTS = {
    "struct into integer": ([("a", [("x", "u32")])], [("a", "u32")], "a: {x: uint32 @0} cannot become uint32"),
    "integer into struct": ("u64", [("n", "u64")], "the whole: uint64 cannot become {n: uint64 @0}"),
    "float into another": ([("a", "float")], [("a", "double")], "a: float32 cannot become float64"),
    "pointer into integer": ([("a", "ptr")], [("a", "u64")], "a: pointer cannot become uint64"),
    "member of a union gone": (
        [("u", ("union", [("a", "u32"), ("b", "u16")]))],
        [("u", ("union", [("a", "u32")]))],
        "u: member b of a union changed: int16 -> nothing",
    ),
    "member of a union of another type": (
        [("u", ("union", [("a", "u32")]))],
        [("u", ("union", [("a", "u64")]))],
        "u: member a of a union changed: int32 -> int64",
    ),
    "array into integer": ([("a", ("u8", 4))], [("a", "u32")], "a: uint8[4] cannot become uint32"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_types_that_cannot(name):
    old, new, text = FAULTS[name]
    made = conversion(Shape(old).typed, Shape(new).typed)
    assert made.faults == (text,)
    assert not made.is_identity


def test_the_same_type_is_no_work():
    made = conversion(Shape(V2).typed, Shape(V2).typed)
    assert made.is_identity
    assert made.rows == ()
    padded = [("a", "u8"), ("b", "u64")]
    value = bytes(range(16))
    assert conversion(Shape(padded).typed, Shape(padded).typed).apply(value) == value, "padding stays"


def test_rows_name_every_change():
    rows = {row.path: row.how for row in conversion(Shape(V2).typed, Shape([("bytes", "u64"), ("x", "u8")]).typed).rows}
    assert rows == {
        "packets": "dropped", "errors": "dropped", "protocol": "dropped", "mark": "dropped", "bytes": "moved",
        "x": "new, zero",
    }  # fmt: skip


@pytest.mark.parametrize(("size", "new_size"), [(8, 8), (8, 16), (16, 8), (1, 9)])
def test_without_types_the_prefix(size, new_size):
    made = conversion(Typed(None, 0, size), Typed(None, 0, new_size))
    value = bytes(range(1, min(size, new_size) + 1)).ljust(size, b"\0")
    assert made.apply(value) == value[:new_size].ljust(new_size, b"\0")
    if new_size < size:
        with pytest.raises(Misfit, match="cut off"):
            made.apply(b"\1" * size)


def test_a_type_of_another_size_than_the_map_counts_as_none():
    shape = Shape(V1)
    assert conversion(shape.typed._replace(size=24), Shape(V2).typed._replace(size=32)).by == "prefix"


def test_counters():
    shape = Shape([*V2, ("pair", ("u32", 2)), ("flag", "bool"), ("s", STATES), ("lock", "spin"), ("small", "u16")])
    assert counter_places(shape.btf, shape.type_id, shape.size) == (
        (0, 8), (8, 8), (16, 4), (20, 4), (24, 8), (32, 4), (36, 4),
    )  # fmt: skip
    assert counter_places(None, 0, 16) == ((0, 8), (8, 8))
    assert counter_places(None, 0, 12) == ((0, 4), (4, 4), (8, 4))
    assert counter_places(None, 0, 7) == ()


def test_random_types_lose_nothing():
    """Fields in another order, some wider, some more: every value is where its name is."""
    rng = random.Random(20261121)
    for _ in range(200):
        sizes = {f"f{number}": rng.choice((8, 16, 32, 64)) for number in range(rng.randrange(1, 9))}
        old = [(name, f"u{size}") for name, size in sizes.items()]
        wider = {name: rng.choice([each for each in (8, 16, 32, 64) if each >= size]) for name, size in sizes.items()}
        new = [(name, f"u{size}") for name, size in wider.items()] + [("more", "u32")]
        rng.shuffle(old)
        rng.shuffle(new)
        left, right = Shape(old), Shape(new)
        value = rng.randbytes(left.size)
        there = conversion(left.typed, right.typed)
        back = conversion(right.typed, left.typed)
        assert not there.faults
        assert _read(left, back.apply(there.apply(value))) == _read(left, value)


def _read(shape, value):
    """The fields of a value, without its padding."""
    struct_type = shape.btf.resolved(shape.type_id)
    return {
        member.name: value[member.bit_offset // 8 : member.bit_offset // 8 + shape.btf.size_of(member.type_id)]
        for member in struct_type.members
    }


@pytest.mark.parametrize("offset", [1 << 20, 120])
def test_hostile_types_are_a_fault(offset):
    builder = BtfBuilder()
    number = builder.integer("u64", 8)
    type_id = builder.add(Struct("s", 16, (Member("a", number, offset),)))
    typed = Typed(builder.build(), type_id, 16)
    good = Shape([("a", "u64"), ("b", "u64"), ("c", "u8")])
    assert conversion(typed, good.typed).faults == ("types whose fields lie outside of them",)
    assert conversion(good.typed, typed).faults == ("types whose fields lie outside of them",)


def test_endless_types_are_a_fault():
    builder = BtfBuilder()
    inner = builder.integer("u8", 1)
    for _ in range(40):
        inner = builder.add(Struct("s", 1, (Member("a", inner),)))
    deep = Typed(builder.build(), inner, 1)
    made = conversion(deep, deep)
    assert made.faults
    assert "more than" in made.faults[0]


def _random_type(rng, depth=0):
    kind = rng.randrange(10 if depth < 3 else 6)
    if kind < 4:
        return rng.choice("us") + rng.choice(("8", "16", "32", "64"))
    if kind == 4:
        return f"{rng.choice('us')}32:{rng.randrange(1, 32)}"
    if kind == 5:
        return rng.choice((STATES, "bool", "u8"))
    if kind < 8:
        return (_random_plain(rng, depth + 1), rng.randrange(1, 5))
    return [(name, _random_type(rng, depth + 1)) for name in rng.sample("abcdef", rng.randrange(1, 5))]


def _random_plain(rng, depth):
    """No bit field: those are members only."""
    while isinstance(made := _random_type(rng, depth), str) and ":" in made:
        pass
    return made


def _changed(rng, what):
    """The same type with some of its parts changed in ways that keep what fits."""
    if isinstance(what, list):
        fields = [(name, _changed(rng, each)) for name, each in what if rng.random() < 0.9]
        if rng.random() < 0.5:
            fields.append(("new", "u32"))
        rng.shuffle(fields)
        return fields or what
    if isinstance(what, tuple):
        return (_changed(rng, what[0]), max(1, what[1] + rng.choice((-1, 0, 0, 1))))
    if isinstance(what, str) and what[0] in "us" and rng.random() < 0.5:
        if ":" in what:
            return f"{what[0]}32:{rng.randrange(1, 32)}"
        return what[0] + rng.choice(("8", "16", "32", "64"))
    return what


def _agree(old, new):
    """What is in both is equal; what an array has more on either side is zero."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_agree(old[name], new[name]) for name in old.keys() & new.keys())
    if isinstance(old, list) and isinstance(new, list):
        shared = min(len(old), len(new))
        rest = [*old[shared:], *new[shared:]]
        return all(map(_agree, old, new)) and all(_is_zero(each) for each in rest)
    return old == new or (isinstance(old, bool) and old == new)


def _is_zero(value):
    if isinstance(value, dict):
        return all(map(_is_zero, value.values()))
    if isinstance(value, list):
        return all(map(_is_zero, value))
    return value in (0, False, "IDLE")


def test_random_conversions_agree_with_how_values_are_shown():
    """The printer of map dump is another reader of the same types: what is converted shows the same."""
    rng = random.Random(4)
    done = misfits = 0
    for _ in range(600):
        fields = [(name, _random_type(rng)) for name in rng.sample("abcdef", rng.randrange(1, 6))]
        old, new = Shape(fields), Shape(_changed(rng, fields))
        made = conversion(old.typed, new.typed)
        assert made.faults == ()
        for _ in range(4):
            value = bytes(rng.choice((0, 0, 1, 2, 127, 255)) for _ in range(old.size))
            try:
                converted = made.apply(value)
            except Misfit:
                misfits += 1
                continue
            assert converted == made.compiled()(value)
            done += 1
            shown = typed_value(old.btf, old.type_id, value), typed_value(new.btf, new.type_id, converted)
            assert _agree(*shown), (fields, made.steps)
    assert done > 300
    assert misfits > 300
