"""Whole loads that start together or are killed: one map, a sound tree, nothing half done."""

import os
import random
import struct
import time

import pytest

from tests.crash.killing import fork, kill_at_random
from tests.small_objects import counter
from toolchain.elf import read_spec
from toolchain.errors import PinError
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.pin.check import check
from toolchain.vm import UserRuntime
from toolchain.vm.maps import check_map

SEED = int(os.environ.get("CRASH_SEED", "20261121"))
PAIRS = 50
KILL_ROUNDS = 40
WORKERS = 4
LONGEST = 0.040
"""Seconds that a worker may live: about three loads."""


@pytest.fixture(autouse=True)
def _everything_is_imported(pin_root):
    """One load before the forks, so that no child spends its short life on imports."""
    runtime = UserRuntime(f"{pin_root}-warm")
    load(runtime, read_spec(counter(), "a.o")).close()
    runtime.close()


def faults(runtime):
    return [str(finding) for finding in check(runtime.store, {"map": check_map}) if finding.is_fault]


def test_two_loads_at_once_share_one_map(pin_root):
    obj = read_spec(counter(), "a.o")
    for pair in range(PAIRS):
        reader, writer = os.pipe()
        start = time.monotonic() + 0.005

        def work(number, pair=pair, writer=writer, start=start):
            runtime = UserRuntime(pin_root)
            while time.monotonic() < start:
                pass
            with load(runtime, obj, LoadOptions(pin=f"p{pair}x{number}")) as loaded:
                os.write(writer, struct.pack("<Q", loaded.maps[0].handle.id))
            runtime.close()

        children = [fork(lambda number=number: work(number)) for number in range(2)]
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
        first, second = struct.unpack("<QQ", os.read(reader, 16))
        os.close(reader)
        os.close(writer)
        assert first == second, f"pair {pair} has two maps"
        runtime = UserRuntime(pin_root)
        assert {each.path for each in runtime.pins()} == {"tc/globals/acc", f"p{pair}x0", f"p{pair}x1"}
        assert list(runtime.map_ids()) == [first]
        assert faults(runtime) == []
        for each in list(runtime.pins()):
            runtime.unpin(each.path)


@pytest.mark.parametrize("maps", [1, 3])
def test_loads_killed_at_random_moments_leave_a_sound_tree(pin_root, maps):
    obj = read_spec(counter(maps=maps), "a.o")
    rng = random.Random(SEED)
    print(f"seed {SEED}")

    def work(number):
        runtime = UserRuntime(pin_root)
        chance = random.Random(os.getpid())
        while True:
            pin = f"p{number}x{chance.randrange(4)}"
            try:
                load(runtime, obj, LoadOptions(pin=pin)).close()
            except PinError:
                runtime.unpin(pin)
            if chance.random() < 0.3:
                for path in ("tc/globals/acc", "tc/globals/acc1"):
                    try:
                        runtime.unpin(path)
                    except PinError:
                        break

    for _ in range(KILL_ROUNDS):
        kill_at_random(work, rng, WORKERS, LONGEST)
    runtime = UserRuntime(pin_root)
    runtime.close()
    assert faults(runtime) == []
    pins = {each.path: each for each in runtime.pins()}
    assert {each.id for each in pins.values() if each.kind == "prog"} == set(runtime.prog_ids())
    with load(runtime, obj, LoadOptions(pin="afterwards")) as loaded:
        assert loaded.programs[0].handle.run(bytes(64)).retval == 0
