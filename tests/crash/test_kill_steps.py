"""An operation on the pin tree killed, or interrupted, before each of its system calls: the tree is old, or new."""

import fcntl
import os
import shutil
import signal
from itertools import pairwise

import pytest

from tests.crash.killing import fork
from toolchain.isa.map_types import MapType
from toolchain.pin import ObjectStore
from toolchain.pin.check import check
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import check_map, create_map, repair_map

SPEC = MapSpec("m", MapType.HASH, 4, 16, 8)
CALLS = ("link", "rename", "mkdir", "unlink", "rmdir", "open", "write", "pwrite", "posix_fallocate", "fchmod", "close")


def store_at(root) -> ObjectStore:
    return ObjectStore(str(root), {"map": repair_map})


def make_objects(store: ObjectStore):
    made = create_map(store, SPEC)
    return made, store.create("prog", "p", b"", 64, refs=[made.stored])


def create(store: ObjectStore) -> None:
    made, program = make_objects(store)
    program.close()
    made.close()


def create_and_pin(store: ObjectStore) -> None:
    with create_map(store, SPEC) as made:
        store.pin(made.stored, "new")


def publish(store: ObjectStore) -> None:
    made, program = make_objects(store)
    store.publish([(made.stored, "dir/m"), (program, "dir/p"), (made.stored, "again")])


def replace(store: ObjectStore) -> None:
    with create_map(store, SPEC) as made:
        store.pin(made.stored, "old", replacing=True)


def swap(store: ObjectStore) -> None:
    """A new map in the place of the old one, and a program that uses it, as a load that migrates does it."""
    made, program = make_objects(store)
    store.publish([(program, "dir/p")], [(made.stored, "old")])


def unpin(store: ObjectStore) -> None:
    store.unpin("prog")


def gc(store: ObjectStore) -> None:
    os.unlink(f"{store.root}/prog")
    store.reap()


def prepare(root) -> None:
    """A pinned map, and a pinned program with a map that only it keeps alive."""
    store = store_at(root)
    with create_map(store, SPEC) as made:
        store.pin(made.stored, "old")
    made, program = make_objects(store)
    store.pin(program, "prog")
    os.mkdir(f"{root}/dir")
    program.close()
    made.close()


def state_of(root) -> tuple[list[tuple[str, str, int]], list[int], list[int]]:
    """What a next command sees, after a check that all is sound."""
    store = store_at(root)
    pins = [(entry.path, entry.kind, entry.id) for entry in store.walk()]
    store.reap()
    assert [str(finding) for finding in check(store, {"map": check_map})] == []
    assert pins == [(entry.path, entry.kind, entry.id) for entry in store.walk()]
    return pins, store.ids("map"), store.ids("prog")


def killing_before(step: int, number: int = signal.SIGKILL):
    """Arms this process: before the call number ``step`` of CALLS and flock it gets a signal."""
    left = [step]

    def armed(real):
        def call(*arguments, **keywords):
            if left[0] == 0:
                os.kill(os.getpid(), number)
            left[0] -= 1
            return real(*arguments, **keywords)

        return call

    for name in CALLS:
        setattr(os, name, armed(getattr(os, name)))
    fcntl.flock = armed(fcntl.flock)


def run_killed(operation, root, step: int, number: int = signal.SIGKILL) -> bool:
    """Whether the operation got through."""

    def work() -> None:
        killing_before(step, number)
        try:
            operation(store_at(root))
        except KeyboardInterrupt:
            os._exit(1)
        os._exit(0)

    _, status = os.waitpid(fork(work), 0)
    return not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    "operation", [create, create_and_pin, publish, replace, swap, unpin, gc], ids=lambda each: each.__name__
)
def test_old_or_new(memory_path, operation):
    seen = []
    is_done = False
    while not is_done:
        root = memory_path / str(len(seen))
        prepare(root)
        before = state_of(root)
        is_done = run_killed(operation, root, len(seen))
        seen.append(changes_since(before, state_of(root)))
        shutil.rmtree(root)
    assert seen[0] == changes_since(before, before)
    assert sum(state != earlier for earlier, state in pairwise(seen)) <= 1, "neither old nor new"
    assert len(seen) > 5


@pytest.mark.parametrize("operation", [publish, swap], ids=lambda each: each.__name__)
def test_interrupted(memory_path, operation):
    """Ctrl-C in the middle of several pins: none of them, or all, and nothing for others to finish."""
    step, states = 0, []
    is_done = False
    while not is_done:
        root = memory_path / str(step)
        prepare(root)
        before = state_of(root)
        is_done = run_killed(operation, root, step, signal.SIGINT)
        assert not (root / ".bpf" / "commit").exists()
        assert os.listdir(root / ".bpf" / "stage") == []
        states.append(changes_since(before, state_of(root)))
        shutil.rmtree(root)
        step += 1
    pins = [state[0] for state in states]
    assert sum(each != earlier for earlier, each in pairwise(pins)) == 1, "neither old nor new"


def changes_since(before, after):
    """Pins and how many objects there are; a new object's id is any."""
    (old_pins, _, _), (pins, maps, progs) = before, after
    return [pin if pin in old_pins else pin[:2] for pin in pins], len(maps), len(progs)
