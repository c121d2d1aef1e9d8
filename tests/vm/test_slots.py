"""Prog arrays and maps of maps: what may stand in a slot, who keeps whom alive, and what a running program meets."""

from __future__ import annotations

import errno
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vm.vectors import Vector
from toolchain.errors import LoadError, MapError, PinError, Rejected
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.isa.program_types import ProgType
from toolchain.pin import slot_edges
from toolchain.pin.check import check
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram
from toolchain.verifier import verify
from toolchain.vm import run_count
from toolchain.vm.maps import Map, check_map
from toolchain.vm.program import UserProgram
from toolchain.vm.runtime import UserRuntime

JUMPS = MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 4)
CELL = MapSpec("cell", MapType.ARRAY, 4, 8, 1)
OUTER = MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=CELL)
BY_KEY = MapSpec("by_key", MapType.HASH_OF_MAPS, 8, 4, 2, inner=CELL)
JUMP = "r2 = jumps ll\nr3 = 0\ncall 12\nr0 = 7\nexit"
ZERO = bytes(4)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[UserRuntime]:
    made = UserRuntime(str(tmp_path))
    yield made
    made.close()
    assert [each for each in check(made.store, {"map": check_map}) if each.is_fault] == []


def load(runtime: UserRuntime, text: str, *maps: Map, kind: ProgType = ProgType.SOCKET_FILTER) -> UserProgram:
    """A program of one line or more, on maps that it names."""
    vector = Vector("prog", kind, tuple(replace(each.spec, name=each.spec.name) for each in maps), text=text)
    return runtime.prog_load(verify(BoundProgram.unpinned(vector.linked())), maps)


def result(number: int) -> str:
    return f"r0 = {number}\nexit"


def refused(error: int) -> pytest.RaisesExc[MapError]:
    return pytest.raises(MapError, check=lambda raised: raised.errno == error)


def test_slots_give_ids(runtime: UserRuntime) -> None:
    with runtime.map_create(JUMPS) as jumps, load(runtime, result(1)) as program:
        jumps[ZERO] = program
        jumps.update(b"\1\0\0\0", struct.pack("=i", program.fileno()))
        number = struct.pack("=I", program.id)
        assert dict(jumps) == {ZERO: number, b"\1\0\0\0": number}
        assert jumps.lookup(b"\2\0\0\0") is None
        assert jumps.next_key(b"\1\0\0\0") == b"\2\0\0\0"
        del jumps[ZERO]
        with pytest.raises(KeyError):
            jumps[ZERO]
        with refused(errno.ENOENT):
            jumps.delete(ZERO)
        with refused(errno.E2BIG):
            jumps.delete(b"\4\0\0\0")


def test_what_a_prog_array_refuses(runtime: UserRuntime) -> None:
    with runtime.map_create(JUMPS) as jumps, load(runtime, result(1)) as program, runtime.map_create(CELL) as cell:
        for key, value, flags, error in (
            (ZERO, struct.pack("=i", 9999), 0, errno.EBADF),
            (ZERO, struct.pack("=i", cell.fileno()), 0, errno.EINVAL),
            (ZERO, struct.pack("=i", 0), 0, errno.EINVAL),
            (b"\4\0\0\0", struct.pack("=i", program.fileno()), 0, errno.E2BIG),
            (ZERO, struct.pack("=i", program.fileno()), 1, errno.EINVAL),
        ):
            with refused(error):
                jumps.update(key, value, flags)
        jumps[ZERO] = program
        with load(runtime, result(1), kind=ProgType.XDP) as other, refused(errno.EINVAL):
            jumps[ZERO] = other
        with pytest.raises(LoadError, match="another program type"):
            load(runtime, JUMP, jumps, kind=ProgType.XDP)
        jumps.freeze()
        with refused(errno.EPERM):
            jumps[ZERO] = program


@pytest.mark.parametrize(
    "change", [{"max_entries": 2}, {"value_size": 4}, {"map_type": MapType.HASH}, {"map_flags": MapFlag.INNER_MAP}]
)
def test_inner_maps_are_alike(runtime: UserRuntime, change: dict[str, int]) -> None:
    like = replace(CELL, **change)
    with runtime.map_create(OUTER) as outer, runtime.map_create(like) as other, refused(errno.EINVAL):
        outer[ZERO] = other


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (replace(OUTER, inner=None), errno.EINVAL),
        (replace(OUTER, inner=OUTER), errno.EINVAL),
        (replace(OUTER, inner=JUMPS), 524),
        (replace(OUTER, value_size=8), errno.EINVAL),
        (replace(JUMPS, value_size=8), errno.EINVAL),
        (replace(JUMPS, map_flags=MapFlag.RDONLY_PROG), errno.EINVAL),
        (replace(BY_KEY, value_size=2), errno.EINVAL),
    ],
)
def test_definitions_refused(runtime: UserRuntime, spec: MapSpec, error: int) -> None:
    with pytest.raises(LoadError) as raised:
        runtime.map_create(spec)
    assert raised.value.errno == error


@pytest.mark.parametrize(("spec", "key"), [(OUTER, ZERO), (BY_KEY, bytes(8))])
def test_a_slot_keeps_its_map(runtime: UserRuntime, spec: MapSpec, key: bytes) -> None:
    with runtime.map_create(spec) as outer:
        with runtime.map_create(CELL) as cell:
            cell[ZERO] = b"\5" + bytes(7)
            outer[key] = cell
        assert list(runtime.map_ids()) == [outer.id, cell.id]
        with runtime.map_by_id(cell.id) as again:
            assert again[ZERO] == b"\5" + bytes(7)
        with runtime.map_create(CELL) as other:
            outer[key] = other
            assert list(runtime.map_ids()) == [outer.id, other.id]
        del outer[key]
        assert list(runtime.map_ids()) == [outer.id]


def test_a_pinned_array_keeps_its_programs(runtime: UserRuntime) -> None:
    """42 while the array is pinned, 7 once no user has it any more, though the program uses it still."""
    with runtime.map_create(JUMPS) as jumps:
        with load(runtime, result(42)) as target:
            jumps[ZERO] = target
        program = load(runtime, JUMP, jumps)
        runtime.pin(jumps, "jumps")
    with program:
        assert program.run(bytes(64)).retval == 42
        runtime.close()
        assert program.run(bytes(64)).retval == 42
        runtime.unpin("jumps")
        assert program.run(bytes(64)).retval == 7
        assert list(runtime.prog_ids()) == [program.id]


def test_a_program_that_jumps_to_itself_goes(runtime: UserRuntime) -> None:
    with runtime.map_create(JUMPS) as jumps, load(runtime, JUMP, jumps) as program:
        jumps[ZERO] = program
        assert program.run(bytes(64)).retval == 7
    assert (list(runtime.map_ids()), list(runtime.prog_ids())) == ([], [])
    assert os.listdir(os.path.join(runtime.pin_root, ".bpf", "refs")) == []


def test_changes_by_others_count_at_once(runtime: UserRuntime) -> None:
    with runtime.map_create(JUMPS) as jumps, load(runtime, JUMP, jumps) as program:
        for number in (3, 4):
            with load(runtime, result(number)) as target:
                pid = os.fork()
                if not pid:
                    other = UserRuntime(runtime.pin_root)
                    other.map_by_id(jumps.id)[ZERO] = other.prog_by_id(target.id)
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
                assert program.run(bytes(64)).retval == number


def test_more_targets_than_stay_open(runtime: UserRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.vm.engine.MAX_IDLE_TARGETS", 2)
    with runtime.map_create(JUMPS) as jumps, load(runtime, JUMP, jumps) as program:
        for number in range(8):
            with load(runtime, result(number)) as target:
                jumps[ZERO] = target
            assert program.run(bytes(64)).retval == number


def test_an_altered_target_is_not_run(runtime: UserRuntime) -> None:
    with runtime.map_create(JUMPS) as jumps, load(runtime, result(1)) as target, load(runtime, JUMP, jumps) as program:
        jumps[ZERO] = target
        data = target.stored.read()
        end = len(data) - run_count.SIZE
        target.stored.write(data[: end - 16] + b"\x79\xa0" + bytes(6) + data[end - 8 :])
        with pytest.raises(Rejected):
            program.run(bytes(64))


def test_a_map_of_another_kind_in_a_slot_is_not_used(runtime: UserRuntime) -> None:
    lookup = "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = outer ll\ncall 1\n"
    text = f"{lookup}r6 = r0\nr0 = 0\nif r6 == 0 goto +1\nr0 = 1\nexit"
    with ExitStack() as stack:
        outer, jumps, cell = (stack.enter_context(runtime.map_create(spec)) for spec in (OUTER, JUMPS, CELL))
        program = stack.enter_context(load(runtime, text, outer))
        outer[ZERO] = cell
        assert program.run(bytes(64)).retval == 1
        place = 8192 + os.pread(outer.fileno(), 4096, 8192).index(struct.pack("=I", cell.id))
        os.pwrite(outer.fileno(), struct.pack("=I", jumps.id), place)
        with pytest.raises(LoadError, match="not like its inner map"):
            program.run(bytes(64))
        os.pwrite(outer.fileno(), struct.pack("=I", cell.id), place)


@pytest.mark.parametrize("step", ["add", "drop"])
def test_killed_in_a_change(runtime: UserRuntime, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its edge was made, and before the old one is removed: nothing dangles, the next command tidies."""
    with runtime.map_create(OUTER) as outer, runtime.map_create(CELL) as first, runtime.map_create(CELL) as second:
        outer[ZERO] = first
        pid = os.fork()
        if not pid:
            made = getattr(slot_edges.SlotChange, step)

            def die(change: slot_edges.SlotChange, target: str) -> None:
                if step == "add":
                    made(change, target)
                os.kill(os.getpid(), signal.SIGKILL)

            monkeypatch.setattr(slot_edges.SlotChange, step, die)
            outer[ZERO] = second
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        found = check(runtime.store, {"map": check_map})
        assert [each for each in found if each.is_fault] == [] != found
        runtime.close()
        assert check(runtime.store, {"map": check_map}) == []
        held = {"add": first, "drop": second}[step]
        assert outer[ZERO] == struct.pack("=I", held.id)
        kept = os.listdir(os.path.join(runtime.pin_root, ".bpf", "refs", outer.stored.header.anchor))
        assert kept == [held.stored.header.anchor]


def test_the_check_sees_slots_and_edges(runtime: UserRuntime) -> None:
    with runtime.map_create(OUTER) as outer, runtime.map_create(CELL) as cell:
        outer[ZERO] = cell
        edge = os.path.join(runtime.pin_root, ".bpf", "refs", outer.stored.header.anchor, cell.stored.header.anchor)
        os.rename(edge, edge + "x")
        messages = [each.message for each in check(runtime.store, {"map": check_map})]
        assert f"a slot names {cell.stored.header.anchor}, which is not kept alive" in messages
        os.rename(edge + "x", edge)


def test_a_map_of_another_tree(runtime: UserRuntime, tmp_path: Path) -> None:
    other = UserRuntime(str(tmp_path / "other"))
    with runtime.map_create(OUTER) as outer, other.map_create(CELL) as cell, refused(errno.EINVAL):
        outer[ZERO] = cell
    other.close()
    with pytest.raises(PinError):
        runtime.get("other")
