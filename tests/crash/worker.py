"""One life of a process that uses a pin tree in every way there is, until it is killed, and what it owed then.

Each worker has pins of its own below ``wN/``, which only it makes and removes: of those the survivor knows what must
be there, what must not, and what may be either (Ledger). Everything else is shared, so that workers meet: hooks, maps
whose slots hold objects, maps of values, pins that all of them race for.

    objects    publish (a map and a program that uses it, all or none), replace a pin, unpin, open, churn, race
    links      attach, swap a link's pin for another link's, update, detach and unpin, a link without a pin
    data       values of one's own in shared maps, slots, migrations (the value of one's own must come along)
    care       reap; whole commands
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import struct
from collections.abc import Callable

from tests.crash.killing import Ledger
from tests.small_objects import counter
from tests.vm.vectors import Vector
from toolchain.elf import read_spec
from toolchain.errors import LoadError, MapError, MigrationRefused, PinError, ToolchainError
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.loader.bind import OnMismatch
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import Order, Target
from toolchain.spec.stages import BoundProgram, VerifiedProgram
from toolchain.verifier import verify
from toolchain.vm import UserRuntime

WORKERS = 4
PATHS = 5
"""Pins of each worker's own that objects, and as many that links, take turns at."""
VALUE_SIZE = 64
VALUES = {
    "shared/hash": MapSpec("hash", MapType.HASH, 4, VALUE_SIZE, 24),
    "shared/array": MapSpec("array", MapType.ARRAY, 4, VALUE_SIZE, 16),
    "shared/percpu": MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 24, 8),
}
LRU = "shared/lru"
CELL = MapSpec("cell", MapType.ARRAY, 4, 8, 1)
SLOTS = {
    "shared/outer": MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 3, inner=CELL),
    "shared/by_key": MapSpec("by_key", MapType.HASH_OF_MAPS, 4, 4, 3, inner=CELL),
    "shared/jumps": MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 3),
}
SHARED = {**VALUES, LRU: MapSpec("lru", MapType.LRU_HASH, 8, 16, 12), **SLOTS}
HOOKS = (Target("eth0", "ingress"), Target("eth0", "egress"), Target("wlan0", "ingress"))
PROGRAMS = 3
"""Of each worker, for hooks: a program is on a hook once, so that workers do not refuse each other."""
SIZES = (8, 12, 16)
"""max_entries of the map that migrates."""


def program(name: str, prog_type: ProgType = ProgType.SOCKET_FILTER, maps: tuple[MapSpec, ...] = ()) -> VerifiedProgram:
    """A small one, verified once and for all."""
    text = "r1 = cell ll\nr0 = 0\nexit" if maps else "r0 = 0\nexit"
    return verify(BoundProgram.unpinned(Vector(name, prog_type=prog_type, text=text, maps=maps).linked()))


PLAIN, USER = program("plain"), program("user", maps=(CELL,))
OBJECTS = {
    size: read_spec(counter(map_type=MapType.HASH, max_entries=size, value_size=VALUE_SIZE), "a.o") for size in SIZES
}


def stamped(number: int, size: int) -> bytes:
    """A value that shows by itself whether it is whole."""
    return struct.pack("<Q", number) * (size // 8)


def is_whole(value: bytes) -> bool:
    return value == value[:8] * (len(value) // 8)


def expect(error: ToolchainError, *numbers: int) -> None:
    """Raise again what was not expected."""
    if getattr(error, "errno", 0) not in numbers:
        raise error


def prepare(root: str, object_file: str) -> None:
    """The shared objects, and what each worker finds."""
    runtime = UserRuntime(root)
    os.makedirs(f"{root}/shared", 0o700)
    for path, spec in SHARED.items():
        with runtime.map_create(spec) as made:
            runtime.pin(made, path)
    for worker in range(WORKERS):
        for directory in (f"w{worker}", f"w{worker}/links", f"progs{worker}"):
            os.mkdir(f"{root}/{directory}", 0o700)
        for each in range(PROGRAMS):
            with runtime.prog_load(program(f"p{worker}_{each}", ProgType.SCHED_CLS), []) as made:
                runtime.pin(made, f"progs{worker}/{each}")
        with load(runtime, OBJECTS[8], LoadOptions(map_paths={"acc": f"w{worker}/acc"})) as loaded:
            loaded.maps[0].handle.update(bytes(4), stamped(0, VALUE_SIZE))
    with open(object_file, "wb") as file:
        file.write(counter(map_type=MapType.HASH, max_entries=8, value_size=VALUE_SIZE))
    runtime.close()


class Worker:
    """One life. ``object_file``: for whole commands."""

    def __init__(self, root: str, number: int, seed: str, ledger: Ledger, object_file: str) -> None:
        self.runtime = UserRuntime(root)
        self.number, self.ledger, self.object_file = number, ledger, object_file
        self.rng = random.Random(seed)
        self.count = 0

    def live(self) -> None:
        """Random operations without end."""
        errors = os.dup(2)
        try:
            self.values = {path: self.runtime.get(path) for path in (*VALUES, LRU)}
            self.programs = [self.runtime.get(f"progs{self.number}/{each}") for each in range(PROGRAMS)]
            self.count = max([int(words[2]) for words in self.ledger.entries() if words[0] == "value"], default=0)
            with self.ledger.open() as self.note:
                while True:
                    self.count += 1
                    self.rng.choice(OPERATIONS)(self)
        except BaseException:
            os.dup2(errors, 2)
            raise

    def path(self) -> str:
        return f"w{self.number}/{self.rng.randrange(PATHS)}"

    def link_path(self) -> str:
        return f"w{self.number}/links/{self.rng.randrange(PATHS)}"

    def publish(self) -> None:
        """A map and a program that uses it, all or none."""
        paths = self.rng.sample(range(PATHS), 2)
        first, second = (f"w{self.number}/{each}" for each in paths)
        with self.runtime.map_create(CELL) as made, self.runtime.prog_load(USER, [made]) as user:
            self.note("group", first, second)
            try:
                self.runtime.publish([(made, first), (user, second)])
            except PinError as error:
                expect(error, errno.EEXIST)
                self.note("nothing")
            else:
                self.note("there", first, second)

    def pin(self) -> None:
        path = self.path()
        with self.runtime.map_create(CELL) as made:
            self.note("group", path)
            try:
                self.runtime.pin(made, path)
            except PinError as error:
                expect(error, errno.EEXIST)
            self.note("there", path)

    def replace(self) -> None:
        """Another object in the place of one: the pin is there throughout."""
        path = self.path()
        with self.runtime.prog_load(PLAIN, []) as made, contextlib.suppress(PinError):
            self.runtime.pin(made, path, replacing=True)

    def unpin(self) -> None:
        path = self.path()
        self.note("may", path)
        try:
            self.runtime.unpin(path)
        except PinError as error:
            expect(error, errno.ENOENT)
        self.note("gone", path)

    def open(self) -> None:
        """By path, by id, and held for a moment; another worker may let go of it meanwhile."""
        with contextlib.suppress(PinError, LoadError), self.runtime.get(f"w{self.rng.randrange(WORKERS)}/0") as found:
            by_id = self.runtime.map_by_id if hasattr(found, "next_key") else self.runtime.prog_by_id
            with by_id(found.id) as again:
                assert again.id == found.id

    def churn(self) -> None:
        """Objects that nothing ever pins."""
        with self.runtime.map_create(CELL) as made, self.runtime.prog_load(USER, [made]):
            pass

    def race(self) -> None:
        """What a loader does: use what is pinned, else make one and pin it; who loses uses the winner's."""
        path = f"shared/race{self.rng.randrange(3)}"
        if self.rng.random() < 0.4:
            with contextlib.suppress(PinError):
                self.runtime.unpin(path)
            return
        with self.runtime.map_create(CELL) as made:
            try:
                self.runtime.publish([(made, path)])
            except PinError as error:
                expect(error, errno.EEXIST)

    def _attached(self):
        """A link at a random place; None where the program is on that hook already."""
        order = self.rng.choice((Order(), Order(is_before=True)))
        try:
            return self.runtime.attach(self.rng.choice(self.programs), self.rng.choice(HOOKS), order)
        except LoadError as error:
            expect(error, errno.EEXIST)
            return None

    def attach(self) -> None:
        path, link = self.link_path(), self._attached()
        if link is None:
            return
        with link:
            self.note("group", path)
            try:
                self.runtime.pin(link, path)
            except PinError as error:
                expect(error, errno.EEXIST)
                self.note("nothing")
            else:
                self.note("attached", path)

    def swap(self) -> None:
        """One link's pin over another's: the new one is attached before the old one goes."""
        path, link = self.link_path(), self._attached()
        if link is not None:
            with link, contextlib.suppress(PinError):
                self.runtime.pin(link, path, replacing=True)

    def update(self) -> None:
        """Another program. A link that was severed and still has its pin is what a killed ``detach`` leaves."""
        with contextlib.suppress(PinError), self.runtime.get(self.link_path()) as link:
            try:
                link.update(self.rng.choice(self.programs))
            except LoadError as error:
                expect(error, errno.EEXIST, errno.ENOLINK)

    def detach(self) -> None:
        """Detach and unpin, or only unpin."""
        path = self.link_path()
        with contextlib.suppress(PinError), self.runtime.get(path) as link:
            self.note("may", path)
            if self.rng.random() < 0.5:
                link.detach()
            self.runtime.unpin(path)
            self.note("gone", path)

    def hold(self) -> None:
        """A link that lives by its handle only."""
        link = self._attached()
        if link is not None:
            with link:
                assert link.info().is_attached

    def slots(self) -> None:
        """New objects into slots, held by nothing else afterwards."""
        name, key = self.rng.choice(list(SLOTS)), self.rng.randrange(3).to_bytes(4, "little")
        try:
            with self.runtime.get(name) as holder:
                if self.rng.random() < 0.3:
                    holder.delete(key)
                    return
                is_jump = name == "shared/jumps"
                with self.runtime.prog_load(PLAIN, []) if is_jump else self.runtime.map_create(CELL) as made:
                    holder[key] = made
        except (MapError, PinError) as error:
            expect(error, errno.ENOENT, errno.EEXIST, errno.E2BIG)

    def share(self) -> None:
        """One's own element of each shared map, always rising."""
        for path in VALUES:
            self._write(path, self.values[path], struct.pack("<I", self.number))

    def crowd(self) -> None:
        """Insert, replace and delete where others do too."""
        shared = self.values["shared/hash"]
        for _ in range(10):
            number = self.rng.randrange(WORKERS, 40)
            key = struct.pack("<I", number)
            self.values[LRU][struct.pack("<Q", number)] = stamped(number, 16)
            if self.rng.random() < 0.5:
                with contextlib.suppress(KeyError):  # pop(key, None) looks first, and others delete meanwhile
                    del shared[key]
            elif len(shared) < 20:
                shared[key] = stamped(number, VALUE_SIZE)

    def _write(self, path, handle, key) -> None:
        self.note("value", path, self.count)
        handle[key] = stamped(self.count, handle.value_size)
        self.note("done", path, self.count)

    def acc(self) -> None:
        """One's own element of the map that migrates."""
        path = f"w{self.number}/acc"
        with self.runtime.get(path) as found:
            self._write(path, found, bytes(4))

    def migrate(self) -> None:
        """The map in another size, with what is in it."""
        options = LoadOptions(map_paths={"acc": f"w{self.number}/acc"}, on_mismatch=OnMismatch.MIGRATE)
        with contextlib.suppress(MigrationRefused), load(self.runtime, OBJECTS[self.rng.choice(SIZES)], options):
            pass

    def collect(self) -> None:
        self.runtime.store.reap(is_full=self.rng.random() < 0.3)

    def command(self) -> None:
        """A whole command of bpf-load, in this process. Only on what nobody keeps accounts of, but the last two."""
        path, acc = f"cmd{self.rng.randrange(3)}", f"acc=w{self.number}/acc"
        words = self.rng.choice(
            (
                ("load", self.object_file, "--pin", path),
                ("pin", "rm", path),
                ("pin", "gc"),
                ("pin", "tree"),
                ("map", "show"),
                ("map", "update", "tc/globals/acc", "key", "7", "value", *["1"] * VALUE_SIZE),
                ("attach", self.object_file, "cmd0", "ingress", "--pin", f"l{path}"),
                ("detach", "cmd0", "ingress"),
                ("replace", self.object_file, f"l{path}"),
                ("load", self.object_file, "--map", acc, "--on-mismatch", "migrate"),
                ("map", "resize", f"w{self.number}/acc", str(self.rng.choice(SIZES))),
            )
        )
        run_command(self.runtime.pin_root, words)


def run_command(root: str, words) -> None:
    """Run one; what it says is not looked at, its status must be one that it may give where others are at work."""
    from toolchain.cli.bpf_load import main

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)
    try:
        main(["--pin-root", root, *words])
    except SystemExit as ended:
        if ended.code not in (0, 1, 4):
            raise RuntimeError(f"{words}: exit status {ended.code}") from ended


OPERATIONS: tuple[Callable[[Worker], None], ...] = (
    *(Worker.publish, Worker.pin, Worker.replace, Worker.unpin, Worker.unpin, Worker.open, Worker.churn, Worker.race),
    *(Worker.attach, Worker.attach, Worker.swap, Worker.update, Worker.detach, Worker.hold),
    *(Worker.slots, Worker.slots, Worker.share, Worker.crowd, Worker.acc, Worker.migrate),
    *(Worker.collect, Worker.command, Worker.command),
)
