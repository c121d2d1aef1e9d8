"""fsck --repair: nothing that is sound goes, a second repair finds nothing to do, and what is left is what was lost."""

import errno
import os
import resource
import signal
import struct

import pytest

from tests.crash.killing import fork
from tests.crash.worker import CELL, program
from tests.pin.test_planted import forged
from toolchain.errors import RuntimeUnavailable
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.pin.header import HEADER_SIZE, ID_MAX
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import Target
from toolchain.vm import UserRuntime
from toolchain.vm.care import inspect
from toolchain.vm.repair import repair

OBJS, REFS, HOOKS = ".bpf/objs", ".bpf/refs", ".bpf/hooks/eth0"
USER = program("user", maps=(CELL,))


class Tree:
    """Maps hash (1, three elements), cell (2), outer (3, holds 4) and jumps (5, holds prog 2); programs user (1, uses
    cell) and drop (2, which link 1 runs on eth0/ingress).
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.runtime = runtime = UserRuntime(root)
        with runtime.map_create(MapSpec("hash", MapType.HASH, 4, 8, 8)) as made:
            made.update({bytes([number, 0, 0, 0]): bytes(8) for number in range(3)})
            runtime.pin(made, "hash")
        with runtime.map_create(CELL) as cell, runtime.prog_load(USER, [cell]) as user:
            runtime.pin(cell, "cell")
            runtime.pin(user, "user")
        with (
            runtime.map_create(MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 3, inner=CELL)) as outer,
            runtime.map_create(CELL) as inner,
        ):
            outer[bytes(4)] = inner
            runtime.pin(outer, "outer")
        with (
            runtime.map_create(MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 3)) as jumps,
            runtime.prog_load(program("drop", ProgType.SCHED_CLS), []) as drop,
            runtime.attach(drop, Target("eth0", "ingress")) as link,
        ):
            runtime.pin(jumps, "jumps")
            jumps[bytes(4)] = drop
            runtime.pin(drop, "drop")
            runtime.pin(link, "link")
        assert self.findings() == []

    def findings(self) -> list[str]:
        return [str(each) for each in inspect(self.runtime.store)]

    def pins(self) -> dict[str, int]:
        """What can be got and used, and how many elements maps have."""
        found = {}
        for entry in self.runtime.pins():
            with self.runtime.get(entry.path) as opened:
                opened.info()
                found[entry.path] = len(dict(opened.items())) if hasattr(opened, "items") else 0
        return found

    def alter(self, path: str, offset: int, data: bytes) -> None:
        with open(f"{self.root}/{path}", "r+b") as file:
            file.seek(offset)
            file.write(data)


@pytest.fixture
def tree(pin_root) -> Tree:
    return Tree(pin_root)


def swap(tree: Tree) -> None:
    os.rename(f"{tree.root}/{OBJS}/map1", f"{tree.root}/between")
    os.rename(f"{tree.root}/{OBJS}/map4", f"{tree.root}/{OBJS}/map1")
    os.rename(f"{tree.root}/between", f"{tree.root}/{OBJS}/map4")


def many_names(tree: Tree) -> None:
    for name in ("copy", "map77", "prog9"):
        os.link(f"{tree.root}/hash", f"{tree.root}/{OBJS}/{name}")
    os.unlink(f"{tree.root}/{OBJS}/map1")


def planted(path: str, text: str = "1\n"):
    def plant(tree: Tree) -> None:
        full = f"{tree.root}/{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)

    return plant


def removed(*paths: str):
    return lambda tree: [os.system(f"rm -r {tree.root}/{path}") for path in paths]


WHOLE = {
    "two anchors that have each other's name": swap,
    "an object under three other names": many_names,
    "no anchors at all": lambda tree: [os.unlink(f"{tree.root}/{OBJS}/{name}") for name in ("map1", "prog1", "link1")],
    "a foreign file among the anchors": planted(f"{OBJS}/junk"),
    "a fifo among the anchors": lambda tree: os.mkfifo(f"{tree.root}/{OBJS}/map9"),
    "a directory in the place of the list of ids": lambda tree: (
        os.unlink(f"{tree.root}/.bpf/super"),
        planted(".bpf/super/x")(tree),
    ),
    "a directory in the place of the lock": planted(".bpf/lock/x"),
    "a file in the place of a device": planted(".bpf/hooks/eth1"),
    "a file in the place of a program's edges": lambda tree: (
        removed(f"{REFS}/prog1")(tree),
        planted(f"{REFS}/prog1")(tree),
    ),
    "no edges of a program": removed(f"{REFS}/prog1"),
    "no edges of a map": removed(f"{REFS}/map5"),
    "no edge of a link": removed(f"{REFS}/link1"),
    "an edge that leads elsewhere": lambda tree: (
        os.unlink(f"{tree.root}/{REFS}/prog1/map2"),
        os.link(f"{tree.root}/hash", f"{tree.root}/{REFS}/prog1/map2"),
    ),
    "a wrong count of edges": lambda tree: [forged(f"{tree.root}/{each}", ref_count=77) for each in ("user", "hash")],
    "no count of slots": lambda tree: forged(f"{tree.root}/outer", ref_count=0),
    "a list of nobody": planted(".bpf/hooks/eth1/egress", "no list"),
    "a list of links of elsewhere": planted(".bpf/hooks/eth1/egress", "bpf-hook 1 5\n1 2\n9 9\n"),
    "links that are not there": planted(f"{HOOKS}/ingress", "bpf-hook 1 5\n9 9\n1 2\n8 1\n"),
    "the data's header overwritten": lambda tree: tree.alter("hash", HEADER_SIZE, bytes(40)),
    "locks of another kind": lambda tree: tree.alter("hash", HEADER_SIZE + 256, b"\xff" * 64),
    "counters overwritten": lambda tree: tree.alter("hash", HEADER_SIZE + 256 + 64, b"\x07" * 20),
    "another seed": lambda tree: tree.alter("hash", HEADER_SIZE + 40, b"\x55" * 8),
}


@pytest.mark.parametrize("harm", WHOLE)
def test_all_is_there_again(tree, harm):
    before = tree.pins()
    attached = tree.runtime.query(Target("eth0", "ingress")).link_ids
    WHOLE[harm](tree)
    assert tree.findings()
    repair(tree.runtime.store)
    assert tree.findings() == []
    assert tree.pins() == before
    assert tree.runtime.query(Target("eth0", "ingress")).link_ids == attached
    assert repair(tree.runtime.store) == []


LOST = {
    "hash": ["hash"],
    "cell": ["cell", "user"],
    "drop": ["drop"],
    "user": ["user"],
    "link": ["link"],
    "jumps": ["jumps"],
    f"{OBJS}/map4": [],
}
"""A file that is overwritten -> the pins that are lost with it, and have to be removed by hand."""


@pytest.mark.parametrize("size", [0, 100, HEADER_SIZE, HEADER_SIZE + 4])
@pytest.mark.parametrize("path", LOST)
def test_what_is_lost_takes_no_more_with_it(tree, path, size):
    others = {pin: count for pin, count in tree.pins().items() if pin not in LOST[path]}
    os.truncate(f"{tree.root}/{path}", size)
    repair(tree.runtime.store)
    assert repair(tree.runtime.store) == []
    for pin in LOST[path]:
        tree.runtime.unpin(pin)
    repair(tree.runtime.store)
    assert tree.findings() == []
    if "map4" in path:
        others["outer"] = 0  # its only slot
    if path == "drop":
        others["jumps"] = 0
        assert tree.runtime.query(Target("eth0", "ingress")).link_ids == ()
    assert tree.pins() == others


def test_random_ids_in_the_slots_of_a_frozen_map(tree):
    with tree.runtime.get("outer") as outer:
        outer.freeze()
    tree.alter("outer", 2 * HEADER_SIZE, b"\x11\x22\x33\x44" * 2)
    repair(tree.runtime.store)
    assert tree.findings() == []
    with tree.runtime.get("outer") as outer:
        assert outer.info().is_frozen


def test_a_file_shorter_than_its_map(tree):
    """A header that lies about the size, in a file that is as long as it says: nothing may be read behind the end."""
    forged(f"{tree.root}/hash", size=HEADER_SIZE, data_size=0)
    repair(tree.runtime.store)
    assert any("map1" in each for each in tree.findings())


def test_the_last_id(tree):
    """A forged id does not end the tree's life."""
    with tree.runtime.map_create(CELL) as made:
        tree.runtime.pin(made, "made")
    forged(f"{tree.root}/made", id=0x7FFFFFFF)
    repair(tree.runtime.store)
    tree.runtime.map_create(CELL).close()
    with open(f"{tree.root}/.bpf/super", "r+b") as file:
        file.seek(32)
        file.write(struct.pack("<Q", ID_MAX))
    with pytest.raises(RuntimeUnavailable, match="no map id is left"):
        tree.runtime.map_create(CELL)


def test_a_sound_tree_is_only_read(tree, monkeypatch):
    """On a full disk a repair of what is sound needs nothing."""
    tree.runtime.close()

    def refuse(*arguments, **keywords):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("link", "rename", "pwrite", "mknod"):
        monkeypatch.setattr(os, name, refuse)
    real = os.mkdir
    monkeypatch.setattr(os, "mkdir", lambda path, mode: refuse() if not os.path.isdir(path) else real(path, mode))
    assert repair(tree.runtime.store) == []


def test_what_a_process_uses_is_not_taken_for_lost(tree):
    """A map whose lock somebody stopped holds looks damaged; nothing that leads to it is let go of."""
    before = tree.pins()
    with tree.runtime.get("drop"), tree.runtime.get("cell") as used:
        tree.alter("cell", HEADER_SIZE + 40, b"\x55" * 8)
        assert used.check()
        assert repair(tree.runtime.store) == []
    repair(tree.runtime.store)
    assert tree.findings() == []
    assert tree.pins() == before


@pytest.mark.parametrize("limit", range(3, 24))
def test_too_few_descriptors_lose_nothing(tree, limit):
    """What cannot be looked at is not lost."""
    before = tree.pins()

    def work() -> None:
        os.closerange(3, 256)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        try:
            repair(tree.runtime.store)
        except RuntimeUnavailable as error:
            raise SystemExit(0 if error.errno == errno.EMFILE else 1) from error

    assert os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1]) == 0
    tree.runtime.close()
    assert tree.findings() == []
    assert tree.pins() == before


@pytest.mark.parametrize("harm", ["two anchors that have each other's name", "no edges of a map", "another seed"])
def test_killed_anywhere_the_next_repair_goes_on(pin_root, harm):
    calls = ("link", "rename", "unlink", "mkdir", "rmdir", "pwrite", "mknod")
    for step in range(200):
        tree = Tree(f"{pin_root}{step}")
        before = tree.pins()
        WHOLE[harm](tree)
        left = [step]

        def armed(real, left=left):
            def call(*arguments, **keywords):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return real(*arguments, **keywords)

            return call

        def work(tree=tree, armed=armed) -> None:
            for name in calls:
                setattr(os, name, armed(getattr(os, name)))
            repair(tree.runtime.store)

        is_killed = os.WIFSIGNALED(os.waitpid(fork(work), 0)[1])
        repair(tree.runtime.store)
        assert tree.findings() == []
        after = tree.pins()
        assert after == before or (harm == "another seed" and {**after, "hash": 3} == before)
        if not is_killed:
            return
    raise AssertionError("never got through")
