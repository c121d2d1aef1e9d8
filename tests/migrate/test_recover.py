"""Migrations killed at every step, with counts written to the old map before and after: the next load has them all."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.killing import fork
from toolchain.isa.map_types import PERCPU_TYPES, MapType
from toolchain.loader import migrate_adder, migrate_journal, migrate_late
from toolchain.loader.bind import OnMismatch
from toolchain.loader.migrate import Migration
from toolchain.loader.objects import read_object
from toolchain.loader.pipeline import LoadOptions, load, possible_cpus, recover

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "migrate"
PIN = "tc/globals/acc"
MIGRATE = LoadOptions(on_mismatch=OnMismatch.MIGRATE)
COUNT = 8
OLD, NEW = struct.Struct("=IIQ"), struct.Struct("=QQIIQ")
KINDS = [MapType.HASH, MapType.ARRAY, MapType.PERCPU_ARRAY]
DIED = 9


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """The counter in its two versions."""
    directory = tmp_path_factory.mktemp("objects")
    for number in (1, 2):
        source = DATA / f"counter{number}.s"
        subprocess.run([ROOT / "bin" / "bpf-as", "-o", directory / f"{number}.o", source], check=True)
    return [read_object(str(directory / f"{number}.o")) for number in (1, 2)]


class Counter:
    """The old map as its programs see it: a handle that outlives a swap."""

    def __init__(self, runtime, versions, kind: MapType, pin: str = "") -> None:
        self.runtime, self.kind = runtime, kind
        self.cpus = possible_cpus() if kind in PERCPU_TYPES else 1
        self.objects = [replace(each, maps=tuple(replace(spec, map_type=kind, max_entries=COUNT) for spec in each.maps))
                        for each in versions]  # fmt: skip
        load(runtime, self.objects[0], LoadOptions(pin=pin)).close()
        self.old = runtime.get(PIN)
        self.expected: dict[int, int] = {}
        for number in range(COUNT - 2):
            self.add(number, number + 1)

    def add(self, number: int, packets: int) -> None:
        """Count packets of 3 bytes, on all CPUs."""
        _add(self.old, number, packets, self.cpus, OLD)
        self.expected[number] = self.expected.get(number, 0) + packets

    def drop(self, number: int) -> None:
        self.old.delete(number.to_bytes(4, sys.byteorder))
        del self.expected[number]

    def count(self) -> dict[int, int]:
        """Key -> packets of the map at the pin, the same on all CPUs, each of them with three times the bytes."""
        found = {}
        with self.runtime.get(PIN) as handle:
            layout = OLD if handle.info().spec.value_size == OLD.size else NEW
            for key, value in handle.items():
                rows = [layout.unpack_from(value, at * layout.size) for at in range(self.cpus)]
                assert all((row[0], row[-1]) == (rows[0][0], 3 * rows[0][0]) for row in rows), rows
                found[int.from_bytes(key, sys.byteorder)] = rows[0][0]
        return {key: packets for key, packets in found.items() if packets}

    def pins(self) -> set[str]:
        return {each.path for each in self.runtime.pins()}

    def is_swapped(self) -> bool:
        with self.runtime.get(PIN) as handle:
            return handle.id != self.old.id


def _add(handle, number, packets, cpus, layout) -> None:
    key = number.to_bytes(4, sys.byteorder)
    value = handle.lookup(key) or bytes(layout.size * cpus)
    rows = [layout.unpack_from(value, at * layout.size) for at in range(cpus)]
    handle.update(key, b"".join(layout.pack(row[0] + packets, *row[1:-1], row[-1] + 3 * packets) for row in rows))


def die(*_: object, **__: object) -> None:
    os._exit(DIED)


def dies_after(owner: object, name: str, times: int = 1) -> None:
    """Let this process die when ``name`` has been called so many times."""
    real, calls = getattr(owner, name), [0]

    def called(*arguments, **options):
        made = real(*arguments, **options)
        calls[0] += 1
        if calls[0] == times:
            die()
        return made

    setattr(owner, name, called)


STEPS: dict[str, Callable[[object], None]] = {
    "copied": lambda runtime: dies_after(Migration, "copy"),
    "one pin of the journal": lambda runtime: dies_after(type(runtime), "pin"),
    "journal kept": lambda runtime: dies_after(Migration, "catch_up"),
    "swapped": lambda runtime: dies_after(type(runtime), "publish"),
    "finished": lambda runtime: dies_after(runtime, "wait_for_programs"),
    "one addition": lambda runtime: dies_after(migrate_adder.Adder, "_run", 1),
    "two additions": lambda runtime: dies_after(migrate_adder.Adder, "_run", 2),
    "added": lambda runtime: dies_after(migrate_adder.Adder, "flush"),
    "an entry gone": lambda runtime: dies_after(migrate_late.LateWrites, "_remove"),
    "merged": lambda runtime: dies_after(migrate_late.LateWrites, "move"),
    "one pin gone": lambda runtime: dies_after(type(runtime), "unpin"),
    "ended": lambda runtime: dies_after(migrate_journal.Journal, "end"),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at(runtime, versions, kind, step):
    counter = Counter(runtime, versions, kind)

    def late_writes(program=None, undo=None) -> None:
        counter.add(0, 100)
        counter.add(2, 1000)
        counter.add(COUNT - 1, 7)  # was not there, or zero
        if kind is MapType.HASH:
            counter.drop(1)

    def killed() -> None:
        STEPS[step](runtime)
        load(runtime, counter.objects[1], MIGRATE, late_writes)
        os._exit(0)

    _, status = os.waitpid(fork(killed), 0)
    reached = os.waitstatus_to_exitcode(status)
    assert reached == DIED or (step, kind == MapType.HASH) == ("an entry gone", False)
    if step in STEPS_AFTER_THE_SWAP:
        late = counter.expected
        late[0], late[2], late[COUNT - 1] = late[0] + 100, late[2] + 1000, 7
        if kind is MapType.HASH:
            del late[1]
        assert counter.is_swapped()
    elif step != "swapped":
        assert not counter.is_swapped()
    if reached == DIED and step != "ended":  # programs go on, in the old map and in the new one
        counter.add(0, 10_000)
        counter.add(3, 20_000)
        if counter.is_swapped():
            with runtime.get(PIN) as new:
                for number in (0, 4, COUNT - 1):
                    _add(new, number, 500, counter.cpus, NEW)
                    counter.expected[number] = counter.expected.get(number, 0) + 500
    if step == "one pin gone":  # everything had gone over, and what came then is of nobody
        counter.expected[0] -= 10_000
        counter.expected[3] -= 20_000
    made = recover(runtime, [PIN])
    assert all(each.misfits == () == each.used_by for each in made)
    assert counter.count() == counter.expected
    assert counter.pins() == {PIN}
    assert recover(runtime, [PIN]) == []
    assert counter.count() == counter.expected


STEPS_AFTER_THE_SWAP = tuple(STEPS)[tuple(STEPS).index("finished") :]


def test_programs_that_stay_are_followed_until_they_are_replaced(runtime, versions):
    """The journal stays as long as somebody writes; each load merges what came since."""
    counter = Counter(runtime, versions, MapType.HASH, pin="v1")
    _, status = os.waitpid(fork(lambda: killed_after_the_swap(counter)), 0)
    assert os.waitstatus_to_exitcode(status) == DIED
    for _ in range(2):
        counter.add(0, 5)
        with load(runtime, counter.objects[1]) as loaded:
            (made,) = loaded.recovered
            assert (made.late, len(made.used_by)) == (1, 1)
        assert counter.count() == counter.expected
        assert len(counter.pins()) == 4
    counter.add(0, 6)
    with load(runtime, counter.objects[1], None, lambda program, undo: runtime.unpin("v1")) as loaded:
        (made,) = loaded.recovered
        assert (made.late, made.used_by) == (1, ())
    assert counter.count() == counter.expected
    assert counter.pins() == {PIN}


def killed_after_the_swap(counter: Counter) -> None:
    dies_after(type(counter.runtime), "publish")
    load(counter.runtime, counter.objects[1], MIGRATE)


def test_what_others_planted_is_not_merged(runtime, versions, monkeypatch):
    counter = Counter(runtime, versions, MapType.HASH, pin="v1")
    _, status = os.waitpid(fork(lambda: killed_after_the_swap(counter)), 0)
    assert os.waitstatus_to_exitcode(status) == DIED
    counter.old.update(bytes(4), OLD.pack(1 << 20, 0, 3 << 20))
    os.chmod(os.path.join(runtime.pin_root, f"{PIN}-late-1"), 0o777)
    assert recover(runtime, [PIN]) == []
    assert counter.count() == counter.expected
    os.chmod(os.path.join(runtime.pin_root, f"{PIN}-late-1"), 0o700)
    counter.expected[0] = 1 << 20
    assert recover(runtime, [PIN])[0].late == 1
    assert counter.count() == counter.expected


def test_a_migration_that_is_under_way_is_left_alone(runtime, versions):
    counter = Counter(runtime, versions, MapType.HASH)
    seen = []

    def look(program, undo) -> None:
        counter.add(0, 3)
        seen.append((recover(runtime, [PIN]), counter.pins()))

    load(runtime, counter.objects[1], MIGRATE, look).close()
    assert seen == [([], {PIN, f"{PIN}-late-1/old", f"{PIN}-late-1/base"})]
    assert counter.count() == counter.expected
    assert counter.pins() == {PIN}
