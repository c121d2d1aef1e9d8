"""kill -9 at random moments of changes to slots: no slot dangles, and nothing is kept that no slot names."""

import errno
import os
import random
import time

from tests.crash.killing import kill_at_random
from tests.vm.vectors import Vector
from toolchain.errors import MapError, PinError
from toolchain.isa.map_types import MapType
from toolchain.pin.check import check
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram
from toolchain.verifier import verify
from toolchain.vm.maps import check_map
from toolchain.vm.runtime import UserRuntime

SEED = int(os.environ.get("CRASH_SEED", "20261121"))
KILLS = 400 if os.environ.get("CRASH_FULL") else 120
WORKERS = 4
LONGEST = 0.030
CELL = MapSpec("cell", MapType.ARRAY, 4, 8, 1)
SHARED = {
    "outer": MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 3, inner=CELL),
    "by_key": MapSpec("by_key", MapType.HASH_OF_MAPS, 4, 4, 3, inner=CELL),
    "jumps": MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 3),
}
ENDING = verify(BoundProgram.unpinned(Vector("ending", text="r0 = 5\nexit").linked()))
EXPECTED = (errno.ENOENT, errno.EEXIST, errno.E2BIG)


def work(runtime: UserRuntime, rng: random.Random) -> None:
    """Changes of slots without end; new objects go into them, and are held by nothing else afterwards."""
    while True:
        name = rng.choice(list(SHARED))
        key = rng.randrange(3).to_bytes(4, "little")
        try:
            with runtime.get(name) as holder:
                if rng.random() < 0.3:
                    holder.delete(key)
                elif name == "jumps":
                    with runtime.prog_load(ENDING, []) as made:
                        holder[key] = made
                else:
                    with runtime.map_create(CELL) as made:
                        holder[key] = made
                if rng.random() < 0.2:
                    runtime.close()
        except (MapError, PinError) as error:
            if error.errno not in EXPECTED:
                raise


def test_kill_slots(pin_root):
    rng = random.Random(SEED)
    runtime = UserRuntime(pin_root)
    for name, spec in SHARED.items():
        with runtime.map_create(spec) as made:
            runtime.pin(made, name)
    begin = time.monotonic()
    for number in range(KILLS // WORKERS):
        kill_at_random(
            lambda worker, number=number: work(UserRuntime(pin_root), random.Random(SEED + 100 * number + worker)),
            rng, WORKERS, LONGEST,
        )  # fmt: skip
        if number % 5 == 4:
            assert [each for each in check(runtime.store, {"map": check_map}) if each.is_fault] == []
    runtime.close()
    assert check(runtime.store, {"map": check_map}) == []
    named = {name: set(dict(runtime.get(name)).values()) for name in SHARED}
    maps = {int.from_bytes(each, "little") for name in ("outer", "by_key") for each in named[name]}
    assert set(runtime.prog_ids()) == {int.from_bytes(each, "little") for each in named["jumps"]}
    assert len(set(runtime.map_ids())) == len(maps) + len(SHARED)
    for name in SHARED:
        runtime.unpin(name)
    assert (list(runtime.map_ids()), list(runtime.prog_ids())) == ([], [])
    print(f"{KILLS} kills in {time.monotonic() - begin:.1f} s")
