"""kill -9 in numbers, over all that is done to a pin tree: nothing is lost, nothing dangles, nothing stays attached.

Four workers at a time (worker.py), each killed after a random time; then one look at the tree, as the next command has
it. CRASH_FULL=1: 10,000 kills.
"""

from __future__ import annotations

import os
import random
import struct
import time

import pytest

from tests.crash import worker as work
from tests.crash.killing import Ledger, kill_at_random
from tests.crash.worker import HOOKS, VALUES, WORKERS, Worker, is_whole, prepare
from toolchain.pin import hooks, reaper
from toolchain.vm import UserRuntime
from toolchain.vm.care import inspect

SEED = int(os.environ.get("CRASH_SEED", "20261121"))
KILLS = {"memory": 9600, "disk": 400} if os.environ.get("CRASH_FULL") else {"memory": 320, "disk": 40}
LONGEST = 0.040
"""Seconds that a worker may live; the median life reaches every kind of operation."""


class Accounts:
    """What was owed and what was found, in figures."""

    def __init__(self) -> None:
        self.promises = self.attached = self.objects = self.swept = 0


@pytest.mark.parametrize("place", KILLS)
def test_kills_at_random_moments(tmp_path, memory_path, place, monkeypatch):
    begin = time.monotonic()
    root = str((memory_path if place == "memory" else tmp_path) / "tree")
    object_file = str(tmp_path / "a.o")
    print(f"seed {SEED}")
    prepare(root, object_file)
    rng = random.Random(f"{SEED} {place}")
    ledgers = [Ledger(str(tmp_path / f"ledger{number}")) for number in range(WORKERS)]
    accounts = Accounts()
    for kills in range(0, KILLS[place], WORKERS):

        def live(number: int, kills=kills) -> None:
            Worker(root, number, f"{SEED} {place} {kills} {number}", ledgers[number], object_file).live()

        # In every other round the tree counts as large: then only what is marked is ever looked at.
        monkeypatch.setattr(reaper, "_SMALL_COUNT", 2048 if kills % 8 else -1)
        kill_at_random(live, rng, WORKERS, LONGEST)
        look(root, ledgers, accounts)
    assert accounts.attached > KILLS[place] / 8, "hardly anything was ever attached"
    print(
        f"{KILLS[place]} kills on {place} in {time.monotonic() - begin:.0f} s: {accounts.promises} promises kept, "
        f"{accounts.objects} objects and {accounts.attached} attachments looked at, {accounts.swept} objects swept"
    )


def look(root: str, ledgers: list[Ledger], accounts: Accounts) -> None:
    """What the next command sees, and what it leaves: nothing to sweep, nothing to repair, all that was promised."""
    runtime = UserRuntime(root)
    before = {target: runtime.query(target) for target in HOOKS}
    accounts.swept += runtime.store.reap()
    assert runtime.store.reap(is_full=True) == 0, "an object that nobody holds was not marked"
    assert {target: runtime.query(target) for target in HOOKS} == before, "the first look was not the truth"
    assert [str(each) for each in inspect(runtime.store)] == []
    pinned = {entry.path: entry for entry in runtime.pins()}
    attached = require_attached(root, before, pinned)
    for number, ledger in enumerate(ledgers):
        accounts.promises += settle(runtime, number, ledger, pinned, attached)
    accounts.objects += len(reaper.anchors_by_inode(root))
    accounts.attached += len(attached)


def require_attached(root, before, pinned) -> list[int]:
    """Every list names living links only, once each, as the file has it. Gives the ids of all."""
    links = {entry.id for entry in pinned.values() if entry.kind == "link"}
    attached = [link_id for each in before.values() for link_id in each.link_ids]
    assert len(attached) == len(set(attached))
    assert set(attached) <= links, "attached, and neither pinned nor held"
    for target, found in before.items():
        hook = hooks.make_hook(root, target.device, target.hook)
        assert [entry.link_id for entry in hooks.stored_list(hook).entries] == list(found.link_ids)
        assert len(set(found.prog_ids)) == len(found.prog_ids)
    return attached


def settle(runtime, number: int, ledger: Ledger, pinned, attached) -> int:
    """Compare with what was promised, and write down what is, for the next life. Gives the number of promises."""
    pins, group, values, links = owed(ledger)
    for path, state in pins.items():
        assert state == "either" or (path in pinned) == (state == "there"), (path, state)
    assert len({path in pinned for path in group}) <= 1, f"some of a publication: {group}"
    for path in links:
        assert pinned[path].id in attached, f"{path} is pinned and not attached"
    for path, (low, high) in values.items():
        with runtime.get(path) as opened:
            value = opened.lookup(bytes(4) if path.endswith("/acc") else struct.pack("<I", number))
            if value is None:  # killed before its first write
                assert low == 0, path
                continue
            assert is_whole(value)
            assert low <= struct.unpack_from("<Q", value)[0] <= high, (path, low, high)
    for path in VALUES:
        with runtime.get(path) as opened:
            assert all(map(is_whole, dict(opened.items()).values())), path
    with open(ledger.path, "w") as file:
        for path in pins:
            print("there" if path in pinned else "gone", path, file=file)
        for path in sorted(links):
            print("attached", path, file=file)
        for path, (low, high) in values.items():
            print(f"done {path} {low}\nvalue {path} {high}", file=file)
    return len(pins) + len(links) + len(values)


def owed(ledger: Ledger):
    """Each pin's state (there, gone, either), the pins that must agree, each value's bounds, pins of attached links."""
    pins: dict[str, str] = {}
    before: dict[str, str] = {}
    group: list[str] = []
    values: dict[str, tuple[int, int]] = {}
    links: set[str] = set()
    for verb, *words in ledger.entries():
        if verb == "value":
            values[words[0]] = (values.get(words[0], (0, 0))[0], int(words[1]))
        elif verb == "done":
            values[words[0]] = (int(words[1]), int(words[1]))
        else:
            group = []
            match verb:
                case "group":  # pins where nothing is: all of them, or none
                    before = {word: pins.get(word, "gone") for word in words}
                    is_free = set(before.values()) == {"gone"}
                    group = list(words) if is_free else []
                    pins |= {word: "either" if is_free else before[word] for word in words}
                case "nothing":
                    pins |= before
                case "may":
                    pins |= {word: "gone" if pins.get(word, "gone") == "gone" else "either" for word in words}
                    links -= set(words)
                case "there" | "gone":
                    pins |= dict.fromkeys(words, verb)
                case "attached":
                    pins |= dict.fromkeys(words, "there")
                    links |= set(words)
    return pins, group, values, links


def test_a_worker_knows_every_operation():
    """The ledger's words are those of owed(); what is left of a worker's operations is in its list."""
    named = {name for name, each in vars(Worker).items() if callable(each) and not name.startswith("_")}
    assert named - {each.__name__ for each in work.OPERATIONS} == {"live", "path", "link_path"}
