"""Entries of a map into another one, on both runtimes: kinds, keys, room, changes meanwhile, late writes."""

from __future__ import annotations

import struct
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest

from tests.migrate.conftest import KERNEL
from tests.migrate.shapes import Shape
from toolchain.errors import MigrationRefused
from toolchain.isa.map_types import PERCPU_TYPES, MapFlag, MapType
from toolchain.loader.migrate import Migration, MigrationOptions
from toolchain.loader.migrate_late import LateWrites
from toolchain.loader.migrate_plan import plan_map
from toolchain.loader.pipeline import possible_cpus
from toolchain.spec.maps import MapSpec

STATES = {"IDLE": 0, "BUSY": 1}
V1 = Shape([("packets", "u32"), ("state", STATES), ("bytes", "u64")])
V2 = Shape([("packets", "u64"), ("errors", "u64"), ("state", STATES), ("bytes", "u64")])
KEY = Shape([("port", "u16"), ("proto", "u8")])
WIDE_KEY = Shape([("proto", "u32"), ("port", "u32")])
SHORT_KEY = Shape([("port", "u32")])
CPUS = possible_cpus()

on_the_kernel = pytest.mark.parametrize("runtime", [KERNEL], indirect=True)
"""For kinds of map that the user runtime does not have."""


def value1(packets, state, octets):
    return struct.pack("=IIQ", packets, state, octets)


def value2(packets, state, octets, errors=0):
    return struct.pack("=QQIxxxxQ", packets, errors, state, octets)


def number(value, size=4):
    return value.to_bytes(size, "little")


class Pair:
    """An old map and what is to become of it."""

    def __init__(self, runtime, old, new, old_value=V1, new_value=V2, old_key=None, new_key=None, is_lossy=False):
        self.stack = ExitStack()
        self.runtime = runtime
        self.old = self.stack.enter_context(_made(runtime, old, old_key, old_value))
        spec, btf = _spec(new, new_key, new_value)
        self.plan = plan_map(self.old.info(), spec, btf, "acc")
        self.new = self.stack.enter_context(runtime.map_create(spec, btf.encode() if btf else b""))
        self.migration = self.stack.enter_context(Migration(runtime, CPUS, MigrationOptions(is_lossy)))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stack.close()

    def copy(self):
        self.migration.require([self.plan])
        self.migration.copy([(self.old, self.new)])
        return self

    def late(self):
        return self.stack.enter_context(_closing(LateWrites(self.migration._moving[0].copy)))

    @property
    def entries(self):
        return {key: value for key, value in self.new.items() if any(value)}


class _closing(ExitStack):
    def __init__(self, late):
        super().__init__()
        self.callback(late.close)
        self._late = late

    def __enter__(self):
        return self._late


def _spec(fields, key, value):
    """A definition with types: those of the key and of the value, in one section."""
    kind, key_size, entries, *flags = fields
    shape = _joined(key, value)
    spec = MapSpec("acc", kind, key_size, value.size if isinstance(value, Shape) else value, entries, *flags)
    if shape is None:
        return spec, None
    return replace(spec, key_type_id=shape[1], value_type_id=shape[2]), shape[0]


def _joined(key, value):
    if not isinstance(value, Shape):
        return None
    both = Shape([("key", key.fields if isinstance(key, Shape) else "u32"), ("value", value.fields)])
    members = both.btf.types[both.type_id].members
    return both.btf, members[0].type_id, members[1].type_id


def _made(runtime, fields, key, value):
    spec, btf = _spec(fields, key, value)
    return runtime.map_create(spec, btf.encode() if btf else b"")


def percpu(*values):
    return b"".join(value.ljust(-(-len(value) // 8) * 8, b"\0") for value in values)


def all_cpus(first, rest):
    return percpu(first, *[rest] * (CPUS - 1))


@pytest.mark.parametrize("kind", [MapType.ARRAY, MapType.HASH, MapType.LRU_HASH])
def test_every_entry_goes_over_field_by_field(runtime, kind):
    with Pair(runtime, (kind, 4, 8), (kind, 4, 8)) as pair:
        for index in (0, 3, 7):
            pair.old.update(number(index), value1(index + 1, index, 1 << 40))
        pair.copy()
        assert pair.entries == {number(index): value2(index + 1, index, 1 << 40) for index in (0, 3, 7)}
        assert pair.migration.results()[0].entries == 3


def test_the_values_of_all_cpus_of_an_array_go_over(runtime):
    _values_of_all_cpus(runtime, MapType.PERCPU_ARRAY)


@on_the_kernel
@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH])
def test_the_values_of_all_cpus_of_a_hash_go_over(runtime, kind):
    _values_of_all_cpus(runtime, kind)


def _values_of_all_cpus(runtime, kind):
    with Pair(runtime, (kind, 4, 8), (kind, 4, 8)) as pair:
        pair.old.update(number(2), all_cpus(value1(1, 2, 3), value1(4, 5, 6)))
        pair.copy()
        assert pair.entries == {number(2): all_cpus(value2(1, 2, 3), value2(4, 5, 6))}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (MapType.ARRAY, MapType.HASH), (MapType.HASH, MapType.ARRAY), (MapType.HASH, MapType.LRU_HASH),
        (MapType.LRU_HASH, MapType.HASH),
    ],
)  # fmt: skip
def test_kinds_into_each_other(runtime, old, new):
    with Pair(runtime, (old, 4, 8), (new, 4, 8)) as pair:
        pair.old.update(number(5), value1(1, 2, 3))
        pair.copy()
        assert pair.entries == {number(5): value2(1, 2, 3)}


def test_one_value_becomes_that_of_the_first_cpu_and_back(runtime):
    with Pair(runtime, (MapType.ARRAY, 4, 2), (MapType.PERCPU_ARRAY, 4, 2)) as pair:
        pair.old.update(number(1), value1(7, 0, 9))
        pair.copy()
        assert pair.entries == {number(1): all_cpus(value2(7, 0, 9), value2(0, 0, 0))}
    with Pair(runtime, (MapType.PERCPU_ARRAY, 4, 2), (MapType.ARRAY, 4, 2)) as pair:
        pair.old.update(number(1), all_cpus(value1(7, 0, 9), value1(1, 0, 2)))
        pair.copy()
        assert pair.entries == {number(1): value2(7 + CPUS - 1, 0, 9 + 2 * (CPUS - 1))}


@on_the_kernel
def test_lpm_entries_go_over(runtime):
    flags = int(MapFlag.NO_PREALLOC)
    with Pair(runtime, (MapType.LPM_TRIE, 8, 8, flags), (MapType.LPM_TRIE, 8, 16, flags), 8, 16) as pair:
        pair.old.update(struct.pack("=I4B", 24, 10, 1, 2, 0), number(5, 8))
        pair.copy()
        assert pair.entries == {struct.pack("=I4B", 24, 10, 1, 2, 0): number(5, 16)}


@on_the_kernel
def test_late_writes_of_a_trie_go_to_their_own_prefix(runtime):
    kind = (MapType.LPM_TRIE, 8, 8, int(MapFlag.NO_PREALLOC))

    def prefix(length, *octets):
        return struct.pack("=I4B", length, *octets)

    with Pair(runtime, kind, kind, old_key=8, new_key=8, old_value=8, new_value=8) as pair:
        pair.old.update(prefix(8, 10, 0, 0, 0), number(1, 8))
        pair.old.update(prefix(24, 10, 1, 1, 0), number(2, 8))
        pair.copy()
        late = pair.late()
        pair.new.delete(prefix(24, 10, 1, 1, 0))
        pair.old.update(prefix(24, 10, 1, 1, 0), number(5, 8))
        pair.old.update(prefix(24, 10, 1, 2, 0), number(7, 8))
        pair.old.update(prefix(8, 10, 0, 0, 0), number(3, 8))
        late.move()
        assert pair.entries == {prefix(8, 10, 0, 0, 0): number(3, 8), prefix(24, 10, 1, 2, 0): number(7, 8)}


def test_keys_go_over_field_by_field(runtime):
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 8, 8), old_key=KEY, new_key=WIDE_KEY) as pair:
        pair.old.update(struct.pack("=HBx", 80, 6), value1(1, 2, 3))
        pair.old.update(struct.pack("=HBx", 53, 17), value1(4, 5, 6))
        pair.copy()
        assert pair.entries == {struct.pack("=II", 6, 80): value2(1, 2, 3), struct.pack("=II", 17, 53): value2(4, 5, 6)}


def test_keys_that_become_one_are_refused_and_named(runtime):
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 4, 8), old_key=KEY, new_key=SHORT_KEY) as pair:
        for proto in (6, 17):
            pair.old.update(struct.pack("=HBx", 53, proto), value1(1, 2, 3))
        with pytest.raises(MigrationRefused, match=r"has the same key in the new map as 35 00 (06|11) 00"):
            pair.copy()


def test_without_types_the_prefix_goes_over(runtime):
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 6, 8), 8, 12) as pair:
        pair.old.update(b"abcd", b"12345678")
        pair.copy()
        assert pair.entries == {b"abcd\0\0": b"12345678\0\0\0\0"}
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 4, 8), 8, 4) as pair:
        pair.old.update(b"abcd", b"12345678")
        with pytest.raises(MigrationRefused, match=r"entry 61 62 63 64 .*: value: bytes 4\.\.7: .* not zero"):
            pair.copy()


def test_a_value_that_does_not_fit_is_refused_and_named_or_left_behind(runtime):
    for is_lossy in (False, True):
        with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 4, 8), V2, V1, is_lossy=is_lossy) as pair:
            pair.old.update(number(1), value2(1 << 32, 1, 2))
            pair.old.update(number(2), value2(5, 1, 2))
            if is_lossy:
                made = pair.copy().migration.results()[0]
                assert pair.entries == {number(2): value1(5, 1, 2)}
                assert (made.entries, made.left_out) == (1, 1)
                assert "packets: 4294967296 does not fit" in made.misfits[0]
            else:
                with pytest.raises(MigrationRefused, match=r"entry 01 00 00 00 \(1\): value: packets: 4294967296"):
                    pair.copy()


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.LRU_HASH])
def test_more_entries_than_there_is_room_for(runtime, kind):
    with Pair(runtime, (kind, 4, 64), (kind, 4, 8)) as pair:
        for index in range(20):
            pair.old.update(number(index), value1(index, 0, 0))
        with pytest.raises(MigrationRefused, match="more entries than the new map takes: max_entries 8") as error:
            pair.copy()
        assert len(error.value.faults) == 12
    with Pair(runtime, (kind, 4, 64), (kind, 4, 16), is_lossy=True) as pair:
        for index in range(60):
            pair.old.update(number(index), value1(index, 0, 0))
        found = pair.copy().migration.results()[0]
        assert (found.entries, found.left_out, len(found.misfits)) == (16, 44, 20)


def test_what_an_lru_map_evicts_at_once_is_no_silent_loss(runtime):
    """The kernel's LRU maps hold fewer than max_entries where free elements are with other CPUs."""
    count = 1000
    for is_lossy in (False, True):
        with Pair(runtime, (MapType.HASH, 4, count), (MapType.LRU_HASH, 4, count), is_lossy=is_lossy) as pair:
            for index in range(count):
                pair.old.update(number(index), value1(index, 0, 1))
            found = None
            with suppress(MigrationRefused):
                found = pair.copy().migration.results()[0]
            there = sum(1 for _ in pair.new.items())
            assert (found is None) == (there < count and not is_lossy)
            if found is not None:
                assert (found.entries, found.left_out) == (count, count - there)


def test_an_array_cut_short(runtime):
    with Pair(runtime, (MapType.ARRAY, 4, 8), (MapType.ARRAY, 4, 4)) as pair:
        pair.old.update(number(3), value1(1, 2, 3))
        pair.copy()
        assert pair.entries == {number(3): value2(1, 2, 3)}
        pair.old.update(number(4), value1(1, 2, 3))
        with pytest.raises(MigrationRefused, match=r"entry 04 .*: no such element in the new map: 4 \(0\.\.3\)"):
            pair.migration.catch_up()


def test_what_changed_meanwhile_is_copied_again(runtime):
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 4, 8)) as pair:
        for index in range(4):
            pair.old.update(number(index), value1(index, 0, 0))
        pair.copy()
        pair.old.update(number(1), value1(100, 1, 1))
        pair.old.update(number(9), value1(9, 9, 9))
        pair.old.delete(number(2))
        pair.migration.catch_up()
        assert dict(pair.new.items()) == {
            number(0): value2(0, 0, 0), number(1): value2(100, 1, 1), number(3): value2(3, 0, 0),
            number(9): value2(9, 9, 9),
        }  # fmt: skip
        made = pair.migration.results()[0]
        assert (made.entries, made.again) == (4, 2)


def test_room_that_an_entry_left_is_used_again(runtime):
    with Pair(runtime, (MapType.HASH, 4, 64), (MapType.HASH, 4, 2)) as pair:
        pair.old.update(number(1), value1(1, 0, 0))
        pair.copy()
        pair.old.update(number(2), value1(2, 0, 0))
        pair.migration.catch_up()
        assert set(dict(pair.new.items())) == {number(1), number(2)}


def test_a_full_map_in_which_entries_come_and_go(runtime):
    """At the catching up and later: what went makes room for what came."""
    with Pair(runtime, (MapType.HASH, 4, 4), (MapType.HASH, 4, 4)) as pair:
        for index in range(4):
            pair.old.update(number(index), value1(index, 0, 1))
        pair.copy()
        pair.old.delete(number(0))
        pair.old.update(number(10), value1(10, 0, 1))
        pair.migration.catch_up()
        assert set(pair.entries) == {number(index) for index in (1, 2, 3, 10)}
        late = pair.late()
        pair.old.delete(number(1))
        pair.old.update(number(11), value1(11, 0, 1))
        late.move()
        assert late.lost == 0
        assert set(pair.entries) == {number(index) for index in (2, 3, 10, 11)}


@on_the_kernel
def test_late_writes_are_added_on_every_cpu_of_a_hash(runtime):
    _late_writes_are_added(runtime, MapType.PERCPU_HASH)


@pytest.mark.parametrize("kind", [MapType.ARRAY, MapType.HASH, MapType.PERCPU_ARRAY])
def test_late_writes_are_added_to_what_the_new_map_counted(runtime, kind):
    _late_writes_are_added(runtime, kind)


def _late_writes_are_added(runtime, kind):
    """Counters: both sides' additions. The state: whoever alone changed it; the new map's where both did."""
    per = all_cpus if kind in PERCPU_TYPES else lambda first, rest: first
    with Pair(runtime, (kind, 4, 8), (kind, 4, 8)) as pair:
        for index in (0, 1, 2):
            pair.old.update(number(index), per(value1(10, 1, 100), value1(20, 1, 200)))
        pair.copy()
        late = pair.late()
        assert late.move() == 0
        pair.new.update(number(0), per(value2(15, 1, 150), value2(25, 1, 250)))
        pair.new.update(number(1), per(value2(15, 3, 150), value2(25, 1, 250)))
        for index in (0, 1):
            pair.old.update(number(index), per(value1(12, 2, 120), value1(23, 1, 230)))
        assert late.move() == 2
        assert pair.new.lookup(number(0)) == per(value2(17, 2, 170), value2(28, 1, 280))
        assert pair.new.lookup(number(1)) == per(value2(17, 3, 170), value2(28, 1, 280))
        assert pair.new.lookup(number(2)) == per(value2(10, 1, 100), value2(20, 1, 200))
        assert late.move() == 0
        assert late.is_exact
        assert (late.merged, late.kept, late.lost) == (2, 0, 0)


def test_late_writes_of_bytes_that_are_no_whole_word(runtime):
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 4, 8), 7, 7) as pair:
        pair.old.update(number(1), b"\1\0\0\0abc")
        pair.old.update(number(2), b"\1\0\0\0abc")
        pair.copy()
        late = pair.late()
        pair.new.update(number(1), b"\1\0\0\0xyz")
        for key in (1, 2):
            pair.old.update(number(key), b"\2\0\0\0def")
        late.move()
        assert pair.entries == {number(1): b"\2\0\0\0xyz", number(2): b"\2\0\0\0def"}
        assert not late.is_exact


def test_late_entries_appear_and_disappear(runtime):
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 4, 8)) as pair:
        for index in (1, 2, 3):
            pair.old.update(number(index), value1(10, 0, 100))
        pair.copy()
        late = pair.late()
        pair.old.update(number(4), value1(4, 4, 4))  # new in the old map
        pair.old.update(number(5), value1(5, 0, 5))  # new in both
        pair.new.update(number(5), value2(2, 0, 2))
        pair.old.delete(number(1))  # gone, and untouched in the new map
        pair.old.delete(number(2))  # gone, but the new map goes on with it
        pair.new.update(number(2), value2(11, 0, 101))
        pair.new.delete(number(3))  # gone from the new map: not made again
        pair.old.update(number(3), value1(12, 0, 120))
        late.move()
        assert dict(pair.new.items()) == {
            number(2): value2(11, 0, 101), number(4): value2(4, 4, 4), number(5): value2(7, 0, 7),
        }  # fmt: skip


def test_late_writes_that_do_not_fit_are_named(runtime):
    with Pair(runtime, (MapType.HASH, 4, 8), (MapType.HASH, 4, 8), V2, V1) as pair:
        pair.old.update(number(1), value2(1, 0, 0))
        pair.copy()
        late = pair.late()
        pair.old.update(number(1), value2(1 << 32, 0, 0))
        assert late.move() == 1
        assert late.lost == 1
        made = pair.migration.results()[0]
        assert made.left_out == 1
        assert "written after the copy" in made.misfits[0]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ((MapType.ARRAY, 4, 8), (MapType.LRU_PERCPU_HASH, 4, 8), ""),
        ((MapType.PROG_ARRAY, 4, 8), (MapType.ARRAY, 4, 8), "a prog_array cannot become a array"),
        ((MapType.HASH, 4, 8), (MapType.PROG_ARRAY, 4, 8), "a hash cannot become a prog_array"),
    ],
)
def test_kinds_that_cannot(runtime, old, new, text):
    with runtime.map_create(MapSpec("a", *old[:2], 4, old[2])) as handle:
        plan = plan_map(handle.info(), MapSpec("a", *new[:2], 4, new[2]), None, "a")
        assert plan.faults == ((text,) if text else ())


def test_many_entries(runtime):
    count = 20_000
    with Pair(runtime, (MapType.HASH, 4, count), (MapType.HASH, 4, count)) as pair:
        keys = b"".join(number(index) for index in range(count))
        pair.old.fill(keys, b"".join(value1(index, 1, index * 3) for index in range(count)))
        pair.copy()
        assert dict(pair.new.items()) == {
            number(index): value2(index, 1, index * 3) for index in range(count)
        }  # fmt: skip
