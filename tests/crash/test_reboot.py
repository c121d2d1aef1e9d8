"""A tree on disk after a reboot: locks that processes of the last boot held belong to nobody, and are made anew.

A reboot is played by writing another boot's id into the headers, and an owner into every lock: a thread of that boot,
which never answers. Without the repair an update would wait for it, and give up with ETIMEDOUT.
"""

import os
import struct
import time

import pytest

from tests.crash.killing import fork
from toolchain.isa.map_types import MapType
from toolchain.pin.header import BOOT_ID_OFFSET, HEADER_SIZE, current_boot_id
from toolchain.spec.maps import MapSpec
from toolchain.vm import UserRuntime
from toolchain.vm.care import inspect

SPECS = {
    "array": MapSpec("array", MapType.ARRAY, 4, 64, 4),
    "percpu": MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 8, 4),
    "hash": MapSpec("hash", MapType.HASH, 4, 64, 100),
    "lru": MapSpec("lru", MapType.LRU_HASH, 4, 64, 100),
}
_KIND, _ROBUST_SHARED = 16, 0x90
"""Where glibc's pthread_mutex_t keeps its kind, and what that is for a robust one shared by processes."""
_SOMEBODY = 0x1FFF0001
LAST_BOOT = bytes(range(16))


def lock_everything(path: str) -> int:
    """Give every lock of a map to a thread that never was; how many."""
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        found = 0
        for at in range(HEADER_SIZE, len(data) - 40, 8):
            lock, _, owner, _, kind = struct.unpack_from("<IIIII", data, at)
            if kind == _ROBUST_SHARED and lock == owner == 0:
                struct.pack_into("<III", data, at, _SOMEBODY, 1, _SOMEBODY)
                found += 1
        data[BOOT_ID_OFFSET : BOOT_ID_OFFSET + 16] = LAST_BOOT
        file.seek(0)
        file.write(data)
    return found


def boot_id_in(path: str) -> bytes:
    with open(path, "rb") as file:
        return os.pread(file.fileno(), 16, BOOT_ID_OFFSET)


@pytest.fixture
def root(tmp_path) -> str:
    """A tree on disk (where pytest keeps its files), one map of each kind with locks, all as a reboot leaves them."""
    made = str(tmp_path / "tree")
    runtime = UserRuntime(made)
    for name, spec in SPECS.items():
        with runtime.map_create(spec) as handle:
            runtime.pin(handle, name)
            handle[bytes(4)] = b"\x11" * handle.value_size
        assert lock_everything(f"{made}/{name}") > 0
    return made


@pytest.mark.parametrize("name", SPECS)
def test_locks_are_made_anew_by_whoever_comes_first(root, name):
    with UserRuntime(root).get(name) as handle:
        assert boot_id_in(f"{root}/{name}") == current_boot_id()
        assert handle[bytes(4)] == b"\x11" * handle.value_size
        handle[bytes(4)] = b"\x22" * handle.value_size
        assert handle[bytes(4)] == b"\x22" * handle.value_size
    assert inspect(UserRuntime(root).store) == []


def test_all_come_at_once(root):
    """Eight processes after the reboot: one repairs, nobody meets a lock of the last boot, every element is there."""
    start = time.monotonic() + 0.05

    def come(number: int) -> None:
        while time.monotonic() < start:
            pass
        with UserRuntime(root).get("hash") as handle:
            handle[struct.pack("<I", number + 1)] = bytes([number + 1]) * 64

    children = [fork(lambda number=number: come(number)) for number in range(8)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 8
    with UserRuntime(root).get("hash") as handle:
        assert {key[0]: value[0] for key, value in handle.items()} == {0: 0x11, **{n: n for n in range(1, 9)}}
    assert inspect(UserRuntime(root).store) == []


def test_one_that_only_reads_changes_nothing(root):
    with UserRuntime(root).get("hash", 1 << 3) as handle:
        assert handle[bytes(4)] == b"\x11" * 64
    assert boot_id_in(f"{root}/hash") == LAST_BOOT
