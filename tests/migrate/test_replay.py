"""Upgrades while a replay runs on the user runtime: every packet of the capture is counted once."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from tests.crash.killing import fork
from toolchain.loader.attach import Attached, as_finish, attaching, replacing
from toolchain.loader.bind import OnMismatch
from toolchain.loader.chain import Chain
from toolchain.loader.migrate import MigrationOptions
from toolchain.loader.objects import read_object
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.spec.runtime import Order, Target
from toolchain.vm import UserRuntime

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "migrate"
PACKET = bytes(60)
PACKETS = 60_000
TARGET = Target("eth0", "ingress")
PIN = "tc/globals/acc"


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    directory = tmp_path_factory.mktemp("objects")
    found = []
    for version in (1, 2):
        path = directory / f"counter{version}.o"
        subprocess.run([ROOT / "bin" / "bpf-as", "-o", path, DATA / f"counter{version}.s"], check=True)
        found.append(read_object(str(path)))
    return found


def send(root: str) -> None:
    """What replay does: packets through what is attached, which is looked at again all the time."""
    runtime = UserRuntime(root)
    chain = Chain(runtime, TARGET)
    for _ in range(PACKETS // 100):
        chain.refresh()
        for _ in range(100):
            for program in chain.programs:
                program.run(PACKET)
    chain.close()
    runtime.close()


def test_every_packet_is_counted_once(pin_root, objects):
    """On a busy machine the sender may go on with the old program for a while: each migration waits for it."""
    options = LoadOptions(on_mismatch=OnMismatch.MIGRATE, migration=MigrationOptions(drain_seconds=60))
    runtime = UserRuntime(pin_root)
    made = Attached()
    do = as_finish(attaching(runtime, TARGET, Order(), "link", made))
    load(runtime, objects[0], LoadOptions(), do).close()
    child = fork(lambda: send(pin_root))
    version = again = 0
    while not _ended(child):
        version = 1 - version
        swap = Attached()
        with runtime.get("link") as link:
            do = as_finish(replacing(runtime, link, "link", TARGET, None, swap))
            with load(runtime, objects[version], options, do) as loaded:
                assert loaded.maps[0].migrated.used_by == ()
                again += 1
    with runtime.get(PIN) as handle:
        value = handle.lookup(bytes(4))
    counts = struct.unpack("=QQIIQ" if version else "=IIQ", value)
    made.close()
    runtime.close()
    assert (counts[0], counts[-1]) == (PACKETS, PACKETS * len(PACKET))
    assert again > 1


def _ended(child: int) -> bool:
    done, status = os.waitpid(child, os.WNOHANG)
    assert not done or status == 0
    return bool(done)
