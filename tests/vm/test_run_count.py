"""How often a program ran: for all processes together, and nothing but a second's runs lost by kill -9."""

import fcntl
import os
import struct
import subprocess
import sys

import pytest

from tests.small_objects import counter
from toolchain import get, load
from toolchain.vm import UserRuntime, run_count
from toolchain.vm.program import decode_program

RUN = """
import os, sys
from toolchain import get
with get("p", pin_root=sys.argv[1]) as program:
    for _ in range(int(sys.argv[2])):
        program(bytes(64))
    if sys.argv[3:]:
        os.kill(os.getpid(), 9)
"""


@pytest.fixture
def pinned(tmp_path, pin_root):
    path = tmp_path / "count.o"
    path.write_bytes(counter())
    load(path, pin="p", pin_root=pin_root).close()
    return pin_root


def counted(pin_root: str) -> tuple[int, int]:
    with UserRuntime(pin_root).get("p") as program:
        info = program.info()
        return info.run_count, info.run_time_ns


def test_every_way_to_run_counts(pinned):
    assert counted(pinned) == (0, 0)
    with get("p", pin_root=pinned) as program:
        program(bytes(64))
        program.run(bytes(64), repeat=9)
        program.handle.run_batch([bytes(64)] * 5)
        assert program.handle.info().run_count == 15
    count, time_ns = counted(pinned)
    assert count == 15
    assert time_ns > 0


def test_processes_at_once_lose_nothing(pinned):
    workers = [subprocess.Popen([sys.executable, "-c", RUN, pinned, "300"]) for _ in range(4)]
    assert [each.wait(60) for each in workers] == [0] * 4
    assert counted(pinned)[0] == 1200


def test_a_killed_process_loses_the_last_second_and_leaves_no_lock(pinned):
    killed = subprocess.Popen([sys.executable, "-c", RUN, pinned, "5", "kill"])
    assert killed.wait(60) == -9
    assert 1 <= counted(pinned)[0] <= 5, "the first run is written at once"
    with get("p", pin_root=pinned) as program:
        program(bytes(64))
    assert counted(pinned)[0] >= 2


def test_who_cannot_have_the_lock_keeps_its_sum(pinned, monkeypatch):
    monkeypatch.setattr(run_count, "_TRIES", 2)
    with UserRuntime(pinned).get("p") as program, UserRuntime(pinned).get("p") as other:
        offset = 4096 + other.stored.data_size - run_count.SIZE
        lock = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, offset, 16, 0)
        fcntl.fcntl(other.fileno(), fcntl.F_OFD_SETLK, lock)
        program.run(bytes(64))
        assert program.info().run_count == 1
        assert other.info().run_count == 0
    with get("p", pin_root=pinned) as again:
        assert again.handle.info().run_count == 1, "written when it let go, the lock being gone"


def test_a_child_does_not_count_what_its_parent_ran(pinned):
    with get("p", pin_root=pinned) as program:
        for _ in range(3):
            program(bytes(64))
        child = os.fork()
        if not child:
            program(bytes(64))
            program.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert counted(pinned)[0] == 4


def test_a_program_stored_without_counters_runs_too(pinned):
    with UserRuntime(pinned).get("p") as program:
        data = program.stored.read()
        size = struct.unpack_from("<I", data)[0]
        text = data[4 : 4 + size].replace(b'"counts":true,', b"")
        older = struct.pack("<I", len(text)) + text + data[4 + size : -run_count.SIZE]
        linked, _, has_counts = decode_program("p", older, program.stored.btf(), None)
    assert not has_counts
    assert linked.code == program.program.code
