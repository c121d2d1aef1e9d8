"""UserRuntime: programs and maps through pins, in this process and another; stored programs are not believed."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vm.vectors import Vector, parse
from toolchain.errors import LoadError, PinError, Rejected, ToolchainError, Unsupported
from toolchain.isa.map_types import MapType
from toolchain.pin.stored import DATA_OFFSET
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram
from toolchain.verifier import verify
from toolchain.vm import UserProgram, UserRuntime

COUNTER = parse(Path(__file__).parents[1] / "data" / "run" / "array_lookup_add.vec")
RUN_PINNED = """
import sys
from toolchain.vm import UserRuntime
print(UserRuntime(sys.argv[1]).get("count").run(bytes(64)).retval)
"""
KEY = struct.pack("<I", 2)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[UserRuntime]:
    made = UserRuntime(str(tmp_path / "pins"))
    yield made
    made.close()


def load(runtime: UserRuntime, vector: Vector = COUNTER) -> UserProgram:
    maps = [runtime.map_create(spec) for spec in vector.maps]
    program = runtime.prog_load(verify(BoundProgram.unpinned(vector.linked())), maps)
    for handle in maps:
        handle.close()
    return program


def test_a_program_keeps_its_maps_when_their_handles_are_closed(runtime: UserRuntime) -> None:
    with load(runtime) as program:
        runtime.close()
        assert [program.run(bytes(64)).retval for _ in range(3)] == [5, 10, 15]
        assert program.info().map_ids == (1,)
        with runtime.map_by_id(1) as counted:
            assert counted.lookup(KEY) == struct.pack("<Q", 15)


def test_what_nobody_holds_is_gone(runtime: UserRuntime) -> None:
    load(runtime).close()
    runtime.close()
    assert list(runtime.prog_ids()) == list(runtime.map_ids()) == []


def test_another_process_runs_the_pinned_program(runtime: UserRuntime) -> None:
    with load(runtime) as program:
        runtime.pin(program, "count")
    seen = [subprocess.check_output([sys.executable, "-c", RUN_PINNED, runtime.pin_root], text=True) for _ in range(2)]
    assert seen == ["5\n", "10\n"]


def test_the_information_survives_the_pin(runtime: UserRuntime) -> None:
    with load(runtime) as program:
        runtime.pin(program, "count")
        before = program.info()
    with runtime.get("count") as again:
        after = again.info()
    assert replace(after, load_time_ns=0) == replace(before, load_time_ns=0)
    assert abs(after.load_time_ns - before.load_time_ns) < 10_000_000


def tampered(runtime: UserRuntime, change: dict[int, bytes]) -> UserProgram:
    """The pinned program after bytes of its code were changed on disk; offsets count from its start."""
    with load(runtime) as program:
        runtime.pin(program, "count")
        code_offset = DATA_OFFSET + program.stored.data_size - len(program.program.code)
    with open(os.path.join(runtime.pin_root, "count"), "r+b") as file:
        for offset, data in change.items():
            file.seek(code_offset + offset)
            file.write(data)
    found = runtime.get("count")
    assert isinstance(found, UserProgram)
    return found


def test_an_altered_program_is_verified_again(runtime: UserRuntime) -> None:
    with tampered(runtime, {0: bytes.fromhex("7b1a000000000000")}) as program:
        with pytest.raises(Rejected, match="invalid write to stack"):
            program.run(bytes(64))
        assert program.info().slot_count > 0


def test_an_altered_program_may_run_if_it_is_safe(runtime: UserRuntime) -> None:
    with tampered(runtime, {0: bytes.fromhex("b7000000070000009500000000000000")}) as program, pytest.raises(Rejected):
        program.run(bytes(64))  # what follows is unreachable now, which the verifier refuses


@pytest.mark.parametrize(
    "data",
    [b"", b"\1", bytes(64), b"\xff" * 4096, struct.pack("<I", 2) + b"{}" + bytes(8), struct.pack("<I", 2) + b"[]"],
)
def test_a_damaged_program_file_is_an_error(runtime: UserRuntime, data: bytes) -> None:
    stored = runtime.store.create("prog", "bad", b"", len(data), prepare=lambda made: made.write(data))
    with stored:
        runtime.store.pin(stored, "bad")
        with pytest.raises(PinError, match="stored program damaged") as caught:
            runtime.get("bad")
        assert caught.value.errno == 22


def test_random_program_files_never_end_in_a_traceback(runtime: UserRuntime) -> None:
    with load(runtime) as program:
        good = program.stored.read()
    for at in range(0, len(good), 3):
        data = bytearray(good)
        data[at] ^= 0x15
        stored = runtime.store.create(
            "prog", "bad", b"", len(data), prepare=lambda made, data=data: made.write(bytes(data))
        )
        with stored, suppress(ToolchainError), runtime.prog_by_id(stored.id) as program:
            program.run(bytes(64))


def test_only_a_verified_program_is_taken(runtime: UserRuntime) -> None:
    with pytest.raises(LoadError, match="not verified") as caught:
        runtime.prog_load(BoundProgram.unpinned(COUNTER.linked()), [])
    assert caught.value.errno == 1


def test_an_unsupported_program_leaves_nothing_behind(runtime: UserRuntime) -> None:
    vector = Vector("tail", text="r1 = r1\nr0 = 0\nexit", maps=(MapSpec("acc", MapType.ARRAY, 4, 8, 1),))
    verified = verify(BoundProgram.unpinned(vector.linked()))
    object.__setattr__(verified.bound.program, "code", Vector("x", text="call 13\nexit").linked().code)
    with runtime.map_create(vector.maps[0]) as handle, pytest.raises(Unsupported, match="clone_redirect"):
        runtime.prog_load(verified, [handle])
    runtime.close()
    assert list(runtime.prog_ids()) == list(runtime.map_ids()) == []


def test_errors_of_pins_are_those_of_bpffs(runtime: UserRuntime) -> None:
    with load(runtime) as program:
        runtime.pin(program, "count")
        for path, number in (("count", 17), ("a/b", 2), ("a.b", 1)):
            with pytest.raises(PinError) as caught:
                runtime.pin(program, path)
            assert caught.value.errno == number
    with pytest.raises(PinError) as missing:
        runtime.get("nothing")
    assert missing.value.errno == 2
