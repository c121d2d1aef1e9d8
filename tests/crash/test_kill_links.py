"""kill -9 over attach, replace, detach, pin and unpin: what was pinned is attached, what was not is off its hook.

One look at the tree after each round of kills, as the next command has it: no attachment may be older than that.
"""

import errno
import os
import random

from tests.crash.killing import Ledger, kill_at_random
from tests.vm.vectors import Vector
from toolchain.errors import LoadError, PinError
from toolchain.pin import hooks
from toolchain.pin.check import check
from toolchain.spec.runtime import Order, Target
from toolchain.spec.stages import BoundProgram
from toolchain.verifier import verify
from toolchain.vm import UserRuntime
from toolchain.vm.links import Link, check_link
from toolchain.vm.program import UserProgram

SEED = int(os.environ.get("CRASH_SEED", "20261121"))
KILLS = 4000 if os.environ.get("CRASH_FULL") else 200
WORKERS = 4
LONGEST = 0.040
HOOKS = (Target("eth0", "ingress"), Target("eth0", "egress"), Target("wlan0", "ingress"))
PROGRAMS = 3
"""Of each worker: a program is on a hook once, so that workers do not refuse each other."""


def require(error: LoadError | PinError, *expected: int) -> None:
    """Raise again what was not expected."""
    if error.errno not in expected:
        raise error


class Worker:
    """One life of a worker. Each of its pins is ``w0/0`` to ``w0/4``."""

    def __init__(self, root: str, number: int, seed: str, ledger: Ledger) -> None:
        self.runtime = UserRuntime(root)
        self.number, self.ledger = number, ledger
        self.rng = random.Random(seed)

    def live(self) -> None:
        programs = [self.runtime.get(f"progs/{self.number}_{each}") for each in range(PROGRAMS)]
        with self.ledger.open() as note:
            while True:
                path = f"w{self.number}/{self.rng.randrange(5)}"
                self.rng.choice((self.attach, self.attach, self.update, self.drop, self.churn, self.swap))(
                    note, path, programs
                )

    def make(self, programs: list[UserProgram]) -> Link | None:
        """A link at a random place; None where the program is on that hook already."""
        order = self.rng.choice((Order(), Order(is_before=True)))
        try:
            return self.runtime.attach(self.rng.choice(programs), self.rng.choice(HOOKS), order)
        except LoadError as error:
            require(error, errno.EEXIST)
            return None

    def attach(self, note, path, programs) -> None:
        if os.path.lexists(os.path.join(self.runtime.pin_root, path)):
            return
        link = self.make(programs)
        if link is None:
            return
        with link:
            note("begin", path)
            self.runtime.pin(link, path)
            note("pinned", path)

    def swap(self, note, path, programs) -> None:
        """One link's pin over another's: the new one is attached before the old one goes."""
        link = self.make(programs)
        if link is None:
            return
        with link:
            try:
                self.runtime.pin(link, path, replacing=True)
            except PinError as error:
                require(error, errno.ENOENT)

    def update(self, note, path, programs) -> None:
        """Another program. A link that was severed and still has its pin is what a killed ``drop`` leaves."""
        try:
            link = self.runtime.get(path)
        except PinError:
            return
        with link:
            try:
                link.update(self.rng.choice(programs))
            except LoadError as error:
                require(error, errno.EEXIST, errno.ENOLINK)

    def drop(self, note, path, programs) -> None:
        """Detach and unpin, or only unpin."""
        try:
            link = self.runtime.get(path)
        except PinError:
            return
        with link:
            note("begin", path)
            if self.rng.random() < 0.5:
                link.detach()
            self.runtime.unpin(path)
        note("gone", path)

    def churn(self, note, path, programs) -> None:
        """A link that lives by its handle only."""
        link = self.make(programs)
        if link is not None:
            with link:
                assert link.info().is_attached
            if self.rng.random() < 0.3:
                self.runtime.close()


def prepare(root: str) -> None:
    runtime = UserRuntime(root)
    for worker in range(WORKERS):
        for each in range(PROGRAMS):
            vector = Vector(f"p{worker}_{each}", prog_type=3, text=f"r0 = {each}\nexit")
            with runtime.prog_load(verify(BoundProgram.unpinned(vector.linked())), []) as program:
                if not os.path.isdir(f"{root}/progs"):
                    os.mkdir(f"{root}/progs")
                runtime.pin(program, f"progs/{worker}_{each}")
        os.mkdir(f"{root}/w{worker}")


def look(root: str, ledgers: list[Ledger]) -> int:
    """What the next command sees. Gives the number of attached links."""
    runtime = UserRuntime(root)
    before = {target: runtime.query(target) for target in HOOKS}
    runtime.close()
    assert {target: runtime.query(target) for target in HOOKS} == before, "the first look was not the truth"
    assert [str(each) for each in check(runtime.store, {"link": check_link})] == []
    pinned = {entry.path: entry.id for entry in runtime.pins() if entry.kind == "link"}
    assert sorted(runtime.link_ids()) == sorted(set(pinned.values()))
    attached = [link_id for each in before.values() for link_id in each.link_ids]
    assert len(attached) == len(set(attached))
    for target, found in before.items():
        hook = hooks.make_hook(root, target.device, target.hook)
        assert [entry.link_id for entry in hooks.stored_list(hook).entries] == list(found.link_ids)
        assert len(set(found.prog_ids)) == len(found.prog_ids)
        assert set(found.link_ids) <= set(pinned.values()), "attached, and neither pinned nor held"
    for ledger in ledgers:
        last = {words[1]: words[0] for words in ledger.entries()}
        for path, word in last.items():
            if word == "pinned":
                assert pinned[path] in attached, f"{path} is pinned and not attached"
            elif word == "gone":
                assert path not in pinned
    return len(attached)


def test_no_attachment_outlives_its_link(memory_path):
    print(f"seed {SEED}")
    root = str(memory_path / "tree")
    prepare(root)
    rng = random.Random(SEED)
    ledgers = [Ledger(str(memory_path / f"ledger{number}")) for number in range(WORKERS)]
    most = 0
    for kills in range(0, KILLS, WORKERS):
        kill_at_random(
            lambda number, kills=kills: Worker(root, number, f"{SEED} {kills} {number}", ledgers[number]).live(),
            rng,
            WORKERS,
            LONGEST,
        )
        most = max(most, look(root, ledgers))
    assert most >= WORKERS, "hardly anything was ever attached"
    print(f"{KILLS} kills, at most {most} links attached at a time")
