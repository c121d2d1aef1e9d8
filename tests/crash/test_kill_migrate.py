"""Migrations killed at random moments: the pin leads to the old map or to the new one, with every entry.

A load that migrates and a resize, back and forth; after each kill the map at the pin has all entries, each with its
value, whichever shape it has; programs are pinned with the new map or not at all; and nothing else is left.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.killing import fork
from tests.kernel import oracle, private_bpffs
from toolchain.isa.map_types import MapType
from toolchain.loader.bind import OnMismatch
from toolchain.loader.migrate import MigrationOptions
from toolchain.loader.objects import read_object
from toolchain.loader.pipeline import LoadOptions, load, recover
from toolchain.loader.resize import resize

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "migrate"
SEED = int(os.environ.get("CRASH_SEED", "20261121"))
KILLS = 600 if os.environ.get("CRASH_FULL") else 30
PIN = "tc/globals/acc"
COUNT = 3000
LAYOUTS = {16: "=IIQ", 32: "=QQIIQ"}


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """The two versions of the counter, with a hash of many entries."""
    directory = tmp_path_factory.mktemp("objects")
    found = []
    for version in (1, 2):
        path = directory / f"counter{version}.o"
        subprocess.run([ROOT / "bin" / "bpf-as", "-o", path, DATA / f"counter{version}.s"], check=True)
        obj = read_object(str(path))
        maps = tuple(replace(each, map_type=MapType.HASH, max_entries=COUNT) for each in obj.maps)
        found.append(replace(obj, maps=maps))
    return found


def open_user(root):
    from toolchain.vm import UserRuntime

    return UserRuntime(root)


def open_kernel(root):
    from toolchain.kernel import KernelRuntime

    return KernelRuntime(root)


def prepare(opened, root, objects):
    """Version 1, with an entry for each key whose packets are the key and whose bytes are three times that."""
    runtime = opened(root)
    with load(runtime, objects[0]) as loaded:
        keys = b"".join(key.to_bytes(4, "little") for key in range(COUNT))
        loaded.maps[0].handle.fill(keys, b"".join(struct.pack("=IIQ", key, 7, key * 3) for key in range(COUNT)))
    runtime.close()


def work(opened, root, objects, choice, number) -> None:
    """What is killed: an upgrade, a downgrade, or a resize, whichever changes something."""
    runtime = opened(root)
    with runtime.get(PIN) as old:
        spec = old.info().spec
        if choice == "resize":
            size = COUNT if spec.max_entries != COUNT else 2 * COUNT
            resize(runtime, old, size, MigrationOptions(), while_used=True)
        else:
            obj = objects[spec.value_size == 16]
            load(runtime, obj, LoadOptions(on_mismatch=OnMismatch.MIGRATE, pin=f"v{number}")).close()
    runtime.close()
    os._exit(0)


def look(opened, root, before):
    """After a kill: every entry, in the old map or in the new one, and no pin without the other."""
    runtime = opened(root)
    assert all(not each.misfits and not each.used_by for each in recover(runtime, [PIN]))
    pins = {each.path: (each.kind, each.id) for each in runtime.pins()}
    assert PIN in pins
    with runtime.get(PIN) as handle:
        size = handle.info().spec.value_size
        layout = LAYOUTS[size]
        found = {key: struct.unpack(layout, value) for key, value in handle.items()}
    assert len(found) == COUNT
    for key in range(COUNT):
        value = found[key.to_bytes(4, "little")]
        assert (value[0], value[-1]) == (key, key * 3)
    programs = {path for path in pins if path != PIN}
    for path in programs:
        with runtime.get(path) as program:
            assert pins[PIN][1] in program.info().map_ids, "a program without its map"
        runtime.unpin(path)
    if size != before:
        assert programs, "a map was swapped by a load, and its program is not there"
    runtime.close()
    return size


def killed_at_random(opened, root, objects, leftovers):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    prepare(opened, root, objects)
    size = look(opened, root, 16)
    begin = time.monotonic()
    os.waitpid(fork(lambda: work(opened, root, objects, "load", 0)), 0)
    longest = (time.monotonic() - begin) * 1.3
    size = look(opened, root, size)
    done = 0
    for number in range(1, KILLS + 1):
        choice = rng.choice(("load", "load", "resize"))
        child = fork(lambda choice=choice, number=number: work(opened, root, objects, choice, number))
        time.sleep(rng.random() * longest)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
        is_killed = os.WIFSIGNALED(status)
        done += not is_killed
        longest *= 1.01 if is_killed else 0.97  # so that most kills fall into the work, on machines fast and slow
        size = look(opened, root, size if choice == "load" else look_size(opened, root))
        leftovers()
    print(f"{KILLS} kills or ends, {done} of them after the end")


def look_size(opened, root):
    runtime = opened(root)
    with runtime.get(PIN) as handle:
        return handle.info().spec.value_size


def test_on_the_user_tree(memory_path, objects):
    from toolchain.pin import ObjectStore
    from toolchain.pin.check import check
    from toolchain.vm.maps import check_map, repair_map

    root = str(memory_path / "tree")
    store = ObjectStore(root, {"map": repair_map})

    def leftovers():
        assert [str(finding) for finding in check(store, {"map": check_map})] == []
        assert len(store.ids("map")) == 1
        assert store.ids("prog") == []

    killed_at_random(open_user, root, objects, leftovers)


@pytest.mark.kernel
@pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available")
def test_on_a_bpffs(objects):
    above = private_bpffs.mounted()
    if not above:
        pytest.skip("this process may not mount a bpffs")
    root = os.path.join(above, "migrate")
    os.mkdir(root)

    def leftovers():
        files = [os.path.join(place, name) for place, _, names in os.walk(root) for name in names]
        assert files == [os.path.join(root, PIN)]

    try:
        killed_at_random(open_kernel, root, objects, leftovers)
    finally:
        shutil.rmtree(root)
