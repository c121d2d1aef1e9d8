"""kill -9 in numbers, on the pin tree and on maps: a full check then finds all sound, and nothing owed is missing."""

import contextlib
import errno
import os
import random
import struct
import time

import pytest

from tests.crash.killing import Ledger, fork, kill_at_random
from toolchain.errors import PinError
from toolchain.isa.map_types import MapType
from toolchain.pin import ObjectStore
from toolchain.pin.check import check
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import check_map, create_map, open_map, repair_map

SEED = int(os.environ.get("CRASH_SEED", "20261121"))
PAIRS = 50
KILLS = {"memory": 440, "disk": 60}
WORKERS = 4
LONGEST = 0.030
"""Seconds that a worker may live; the median life reaches every kind of operation."""
VALUE_SIZE = 64
SHARED = {
    "shared/hash": MapSpec("hash", MapType.HASH, 4, VALUE_SIZE, 24),
    "shared/array": MapSpec("array", MapType.ARRAY, 4, VALUE_SIZE, 16),
    "shared/percpu": MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 24, 8),
    "shared/lru": MapSpec("lru", MapType.LRU_HASH, 8, 16, 12),
}


def store_at(root) -> ObjectStore:
    return ObjectStore(str(root), {"map": repair_map})


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


def faults(store: ObjectStore) -> list[str]:
    return [str(finding) for finding in check(store, {"map": check_map})]


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


def stamped(number: int, size: int) -> bytes:
    """A value that shows by itself whether it is whole."""
    return struct.pack("<Q", number) * (size // 8)


def is_whole(value: bytes) -> bool:
    return value == value[:8] * (len(value) // 8)


class Worker:
    """One life of a worker: random operations until it is killed."""

    def __init__(self, root, number: int, seed: str, ledger: Ledger) -> None:
        self.store = store_at(root)
        self.directory = f"w{number}"
        self.key = number
        self.rng = random.Random(seed)
        self.ledger = ledger

    def live(self) -> None:
        maps = {path: open_map(self.store.get(path)) for path in SHARED}
        count = max([int(words[2]) for words in self.ledger.entries() if words[0] == "begin"], default=0)
        with self.ledger.open() as note:
            while True:
                count += 1
                self.rng.choice((self.pin, self.pin, self.unpin, self.share, self.share, self.churn))(note, maps, count)

    def pin(self, note, maps, count) -> None:
        """A map and a program that uses it, all or none."""
        first, second = f"{self.directory}/m{count % 7}", f"{self.directory}/p{count % 7}"
        with create_map(self.store, MapSpec("m", MapType.HASH, 4, VALUE_SIZE, 8)) as made:
            for number in range(5):
                made[struct.pack("<I", number)] = stamped(count, VALUE_SIZE)
            with self.store.create("prog", "p", b"", 64, refs=[made.stored]) as program:
                note("publish", first, second)
                try:
                    self.store.publish([(made.stored, first), (program, second)])
                except PinError as error:
                    require(error, errno.EEXIST)
                    note("nothing", first, second)
                else:
                    note("published", first, second)
        self.store.reap()

    def unpin(self, note, maps, count) -> None:
        path = f"{self.directory}/{self.rng.choice('mp')}{count % 7}"
        note("unpin", path)
        try:
            self.store.unpin(path)
        except PinError as error:
            require(error, errno.ENOENT)
        note("unpinned", path)

    def share(self, note, maps, count) -> None:
        """One's own element of each shared map, always rising."""
        for path, each in maps.items():
            if path != "shared/lru":
                note("begin", path, count)
                each[struct.pack("<I", self.key)] = stamped(count, each.value_size)
                note("end", path, count)

    def churn(self, note, maps, count) -> None:
        """Insert, replace and delete where others do too."""
        for _ in range(20):
            number = self.rng.randrange(WORKERS, 40)
            key = struct.pack("<I", number)
            maps["shared/lru"][struct.pack("<Q", number)] = stamped(number, 16)
            if self.rng.random() < 0.5:
                with contextlib.suppress(KeyError):  # pop(key, None) looks first, and others delete meanwhile
                    del maps["shared/hash"][key]
            elif len(maps["shared/hash"]) < 20:
                maps["shared/hash"][key] = stamped(number, VALUE_SIZE)
            maps["shared/array"][struct.pack("<I", number % 12 + WORKERS)] = stamped(count, VALUE_SIZE)


def owed(ledger: Ledger) -> tuple[dict[str, str], list[tuple[str, str]], dict[str, tuple[int, int]]]:
    """What a worker's notes promise: each pin's state (there, gone, either), pairs that must agree, value bounds."""
    pins: dict[str, str] = {}
    pair: list[tuple[str, str]] = []
    values: dict[str, tuple[int, int]] = {}
    for verb, *words in ledger.entries():
        match verb:
            case "publish":
                before = {word: pins.get(word, "gone") for word in words}
                pair = [tuple(words)] if set(before.values()) == {"gone"} else []
                pins |= {word: "either" if pair else before[word] for word in words}
            case "nothing":
                pins |= before
                pair = []
            case "published":
                pins |= dict.fromkeys(words, "there")
                pair = []
            case "unpin":
                before = {words[0]: pins.get(words[0], "gone")}
                pins[words[0]] = "either" if before[words[0]] != "gone" else "gone"
                pair = []
            case "unpinned":
                pins[words[0]] = "gone"
            case "begin":
                values[words[0]] = (values.get(words[0], (0, 0))[0], int(words[1]))
            case "end":
                values[words[0]] = (int(words[1]), int(words[1]))
    return pins, pair, values


def settle_accounts(root, ledgers: list[Ledger]) -> None:
    """After a round: finish, clean, check everything, compare with what was promised, and write down what is."""
    store = store_at(root)
    store.reap()
    assert faults(store) == []
    found = {entry.path for entry in store.walk()}
    for number, ledger in enumerate(ledgers):
        pins, pairs, values = owed(ledger)
        for path, state in pins.items():
            assert state == "either" or (path in found) == (state == "there"), (path, state)
        for first, second in pairs:
            assert (first in found) == (second in found), (first, second)
        for path, (low, high) in values.items():
            with open_map(store.get(path)) as opened:
                value = opened[struct.pack("<I", number)]
                assert is_whole(value)
                assert low <= struct.unpack_from("<Q", value)[0] <= high, path
        with ledger.open() as note:
            for path in pins:
                note("published" if path in found else "unpinned", path)
    for entry in store.walk():
        if entry.kind == "map":
            with open_map(store.get(entry.path)) as opened:
                items = dict(opened.items())
                assert all(map(is_whole, items.values())), entry.path
                assert len(items) == len(opened)


@pytest.mark.parametrize("place", KILLS)
def test_kills_at_random_moments(tmp_path, memory_path, place):
    """Four workers at a time, killed one by one; every round ends with a full check and a settlement of accounts."""
    root = (memory_path if place == "memory" else tmp_path) / "tree"
    store = store_at(root)
    rng = random.Random(f"{SEED} {place}")
    print(f"seed {SEED}")
    for path, spec in SHARED.items():
        os.makedirs(f"{root}/{os.path.dirname(path)}", exist_ok=True)
        with create_map(store, spec) as made:
            store.pin(made.stored, path)
    for number in range(WORKERS):
        os.mkdir(f"{root}/w{number}")
    ledgers = [Ledger(str(tmp_path / f"{place}{number}.txt")) for number in range(WORKERS)]
    for kills in range(0, KILLS[place], WORKERS):

        def live(number: int, kills=kills) -> None:
            Worker(root, number, f"{SEED} {place} {kills} {number}", ledgers[number]).live()

        kill_at_random(live, rng, WORKERS, LONGEST)
        settle_accounts(root, ledgers)
    assert sorted(entry.path for entry in store.walk("shared")) == sorted(SHARED)
