"""Two at the same moment end with one map, whoever wins. What is killed at random: test_kill_everything.py."""

import errno
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crash.killing import fork
from toolchain.errors import PinError
from toolchain.isa.map_types import MapType
from toolchain.pin import ObjectStore
from toolchain.pin.check import check
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import check_map, create_map, open_map, repair_map

ROOT = Path(__file__).parents[2]
PAIRS = 50
COMMAND_PAIRS = 50 if os.environ.get("CRASH_FULL") else 5


def store_at(root) -> ObjectStore:
    return ObjectStore(str(root), {"map": repair_map})


def faults(store: ObjectStore) -> list[str]:
    return [str(finding) for finding in check(store, {"map": check_map})]


def require(error: PinError, expected: int) -> None:
    """Raise again what was not expected."""
    if error.errno != expected:
        raise error


def reuse_or_create(store: ObjectStore, path: str, spec: MapSpec) -> int:
    """What a loader does: use what is pinned, else make one and pin it; who loses the race uses the winner's."""
    while True:
        try:
            with open_map(store.get(path)) as pinned:
                return pinned.id
        except PinError as error:
            require(error, errno.ENOENT)
        with create_map(store, spec) as made:
            try:
                store.publish([(made.stored, path)])
            except PinError as error:
                require(error, errno.EEXIST)
            else:
                return made.id


def test_two_at_once_share_one_map(tmp_path):
    """Fifty times: two processes that start together end with one map."""
    spec = MapSpec("acc", MapType.ARRAY, 4, 16, 2)
    for pair in range(PAIRS):
        store = store_at(tmp_path / f"tree{pair % 5}")
        path = f"acc{pair}"
        start = time.monotonic() + 0.01
        results = [os.pipe() for _ in range(2)]

        def load(number: int, path=path, store=store, start=start, results=results) -> None:
            while time.monotonic() < start:
                pass
            os.write(results[number][1], struct.pack("<Q", reuse_or_create(store, path, spec)))
            store.reap()

        children = [fork(lambda number=number: load(number)) for number in range(2)]
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
        ids = [struct.unpack("<Q", os.read(reader, 8))[0] for reader, _ in results]
        for pipe in results:
            os.close(pipe[0])
            os.close(pipe[1])
        assert ids[0] == ids[1]
        assert sum(entry.path == path for entry in store.walk()) == 1
        store.reap()
        assert len(store.ids("map")) == len(list(store.walk()))
    assert faults(store) == []


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> dict[str, str]:
    """The two example programs, assembled."""
    directory = tmp_path_factory.mktemp("objects")
    for name in ("ingress", "egress"):
        command = [sys.executable, "-m", "toolchain.cli.bpf_as", "-o", directory / f"{name}.o"]
        subprocess.run([*command, f"examples/{name}.s"], cwd=ROOT, check=True)
    return {name: str(directory / f"{name}.o") for name in ("ingress", "egress")}


def test_two_loads_at_once(memory_path, objects):
    """Ingress and egress, started together, time and again: one shared map, no failure."""
    for pair in range(COMMAND_PAIRS):
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
