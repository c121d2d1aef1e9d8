"""The commands under kill -9: pairs of loads at the same moment, and loads and map updates killed at random moments."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crash.killing import fork
from toolchain.pin import ObjectStore
from toolchain.pin.check import check
from toolchain.vm.maps import check_map, open_map, repair_map

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SEED = int(os.environ.get("CRASH_SEED", "20261121"))
IS_FULL = bool(os.environ.get("CRASH_FULL"))
"""A tenth of it all is enough for every day: test_kill_store.py does the full numbers on the same tree, faster."""
PAIRS = 50 if IS_FULL else 5
KILLS = 500 if IS_FULL else 50
AT_ONCE = 2


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> dict[str, str]:
    """The two example programs, assembled."""
    directory = tmp_path_factory.mktemp("objects")
    for name in ("ingress", "egress"):
        command = [sys.executable, "-m", "toolchain.cli.bpf_as", "-o", directory / f"{name}.o"]
        subprocess.run([*command, f"examples/{name}.s"], cwd=ROOT, check=True)
    return {name: str(directory / f"{name}.o") for name in ("ingress", "egress")}


def store_at(root) -> ObjectStore:
    return ObjectStore(str(root), {"map": repair_map})


def faults(store: ObjectStore) -> list[str]:
    return [str(finding) for finding in check(store, {"map": check_map})]


def test_two_loads_at_once(memory_path, objects):
    """Ingress and egress, started together, time and again: one shared map, no failure."""
    for pair in range(PAIRS):
        root = memory_path / str(pair)
        commands = [
            [sys.executable, "-m", "toolchain.cli.bpf_load", "--pin-root", str(root), "load", path, "--pin", name]
            for name, path in objects.items()
        ]
        running = [subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-2, text=True) for command in commands]
        for each in running:
            said, _ = each.communicate()
            assert each.returncode == 0, said
        store = store_at(root)
        assert sorted((entry.path, entry.kind) for entry in store.walk()) == [
            ("egress", "prog"),
            ("ingress", "prog"),
            ("tc/globals/acc", "map"),
        ]
        assert len(store.ids("map")) == 1
        assert faults(store) == []


def run_command(*arguments: str) -> None:
    """A command in this process, quietly, as a forked child does it. Ends the process."""
    from toolchain.cli.bpf_load import main

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    main(list(arguments))


def test_kills_at_random_moments(memory_path, objects):
    """Loads and map updates, two at a time, each killed at some moment; the map that is pinned stays the same."""
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    root = memory_path / "tree"
    store = store_at(root)
    longest = how_long(memory_path / "trial", objects)
    map_id = 0
    for kills in range(0, KILLS, AT_ONCE):
        children = []
        for number in range(AT_ONCE):
            name = rng.choice(("ingress", "egress"))
            load = ["load", objects[name], "--pin", f"{name}{kills % 6}-{number}"]
            key, byte = rng.randrange(16), f"0x{rng.randrange(1 << 8):02x}"
            update = ["map", "update", "tc/globals/acc", "key", str(key), "value", *[byte] * 16]
            work = load if rng.random() < 0.7 or not map_id else update
            children.append(fork(lambda work=work: run_command("--pin-root", str(root), *work)))
        for child in children:
            time.sleep(rng.random() * longest / AT_ONCE)
            kill_one(child)
        map_id = look(store, map_id)
        if not map_id and kills % 10 == 8:
            longest *= 1.5  # a busy machine: none lived long enough
    assert map_id, "no load ever got through"


def kill_one(child: int) -> None:
    """Kill a child. It may have ended by itself before: done, or refused because a pin exists."""
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) in (0, 1)


def how_long(root, objects) -> float:
    """Seconds that a load takes here, with some to spare. Imports are done once, before the children are forked."""
    import toolchain.cli.load_command
    import toolchain.vm.runtime  # noqa: F401

    times = []
    for _ in range(3):
        begin = time.monotonic()
        child = fork(lambda: run_command("--pin-root", str(root), "load", objects["ingress"]))
        os.waitpid(child, 0)
        times.append(time.monotonic() - begin)
    return min(times) * 1.2


def look(store: ObjectStore, map_id: int) -> int:
    """After a kill: all sound, the map still the one that it was, every value whole. Gives the map's id, or 0."""
    store.reap()
    assert faults(store) == []
    pinned = {entry.path: entry for entry in store.walk()}
    found = pinned["tc/globals/acc"].id if "tc/globals/acc" in pinned else 0
    assert found == map_id or not map_id
    assert found or not pinned, "a program was pinned without its map"
    if len(pinned) > 8:
        for path in pinned:
            if path != "tc/globals/acc":
                store.unpin(path)
    if found:
        with open_map(store.get("tc/globals/acc")) as opened:
            assert all(value == value[:1] * 16 for value in opened.values())
    return found
