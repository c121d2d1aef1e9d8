"""Edges that change: what the slots of a prog array or of a map of maps keep alive.

The ids stand in the map's data, which others may write at any moment; the edges are links in refs/, as every object's:

    flock refs/map7 | mkdir refs/map7.new | link refs/map7/prog9 | slot := 9 | unlink the old one's | rmdir map7.new

So an id that stands in a slot always has its edge. Killed in between, an edge without a slot may be left, and
``map7.new`` says so: the next change or reaper compares and drops it. A map without pins and holders, only used by
programs, lets go of the programs in its slots, as the kernel's prog arrays do (kernel/bpf/arraymap.c,
prog_array_map_clear): that is what ends a circle of a program and the array that it jumps through.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from toolchain.errors import PinPlace, ToolchainError
from toolchain.pin import marks
from toolchain.pin.header import MAGIC
from toolchain.pin.locks import lock_exclusive, try_lock
from toolchain.pin.root import PRIVATE, names_in

_STAGED = ".new"


class SlotKeeper(NamedTuple):
    """How slots are read and emptied. Both take the map's open file, which stays the caller's."""

    named: Callable[[int], set[str]]
    """The anchors of all that the slots name."""
    clear: Callable[[int], None]


class SlotChange(NamedTuple):
    """The edges of a map while they are being changed."""

    root: str
    anchor: str

    def add(self, target: str) -> None:
        """Keep ``target`` alive. Raises FileNotFoundError where it is gone."""
        with contextlib.suppress(FileExistsError):
            os.link(_object(self.root, target), self._edge(target), follow_symlinks=False)

    def drop(self, target: str) -> None:
        """Let go of ``target``."""
        marks.take_away(self.root, target, self._edge(target))

    def settle(self, named: set[str]) -> list[str]:
        """Let go of all that is not named. Gives what that was."""
        stale = sorted(set(os.listdir(_edges(self.root, self.anchor))) - named)
        for target in stale:
            self.drop(target)
        return stale

    def _edge(self, target: str) -> str:
        return os.path.join(_edges(self.root, self.anchor), target)


@contextlib.contextmanager
def changing(root: str, anchor: str, named: Callable[[], set[str]]) -> Iterator[SlotChange]:
    """Nobody else changes the map's slots meanwhile. ``named`` reads them, where a change was left half done.

    Raises: RuntimeUnavailable after ten seconds; OSError.
    """
    with _opened(_edges(root, anchor), os.O_DIRECTORY) as directory:
        lock_exclusive(directory, PinPlace(anchor))
        marks.mark_drop(root, anchor)  # a reaper finishes what is left of a killed change
        change = SlotChange(root, anchor)
        is_left = True
        try:
            os.mkdir(_edges(root, anchor) + _STAGED, 0o700)
            is_left = False
        except FileExistsError:
            pass
        try:
            yield change
        except BaseException:
            is_left = True
            raise
        finally:
            if is_left:
                change.settle(named())
            os.rmdir(_edges(root, anchor) + _STAGED)


def tidy(root: str, keeper: SlotKeeper) -> None:
    """Finish what a killed process left half changed; empty the prog arrays that no user has any more."""
    directory = os.path.join(root, PRIVATE, "refs")
    for name in names_in(directory):
        if not name.startswith("map"):
            continue
        with contextlib.suppress(OSError, ToolchainError):  # damage is for the check
            if name.endswith(_STAGED):
                _settle(root, name.removesuffix(_STAGED), keeper)
            elif any(target.startswith("prog") for target in os.listdir(os.path.join(directory, name))):
                _release(root, name, keeper)


def is_changing(root: str, anchor: str) -> bool:
    """Whether a change of the map's slots is under way, or was left so by a killed process."""
    return os.path.isdir(_edges(root, anchor) + _STAGED)


def _settle(root: str, anchor: str, keeper: SlotKeeper) -> list[str]:
    with _opened(_edges(root, anchor), os.O_DIRECTORY) as directory:
        if not try_lock(directory, fcntl.LOCK_EX) or not is_changing(root, anchor):
            return []
        with _opened(_object(root, anchor), os.O_RDWR) as descriptor:
            dropped = SlotChange(root, anchor).settle(keeper.named(descriptor))
        os.rmdir(_edges(root, anchor) + _STAGED)
        return dropped


def finish(root: str, anchor: str, descriptor: int, keeper: SlotKeeper) -> list[str]:
    """Finish what is left of a killed change; empty a prog array that only programs' edges name.

    ``descriptor`` is open on the map, with the exclusive lock: it has no holder. Gives what was let go of.
    """
    dropped: list[str] = []
    with contextlib.suppress(OSError, ToolchainError):  # damage is for the check
        if is_changing(root, anchor):
            dropped += _settle(root, anchor, keeper)
        if any(target.startswith("prog") for target in names_in(_edges(root, anchor))):
            users = names_in(os.path.join(root, PRIVATE, "refs"))
            uses = sum(os.path.lexists(os.path.join(_edges(root, user), anchor)) for user in users)
            if os.fstat(descriptor).st_nlink == 1 + uses:
                with _opened(_object(root, anchor), os.O_RDWR) as writable:
                    keeper.clear(writable)
                dropped += SlotChange(root, anchor).settle(set())
    return dropped


def _release(root: str, anchor: str, keeper: SlotKeeper) -> None:
    with _opened(_object(root, anchor), os.O_RDWR) as descriptor:
        if try_lock(descriptor, fcntl.LOCK_EX) and os.pread(descriptor, len(MAGIC), 0) == MAGIC:
            finish(root, anchor, descriptor, keeper)


@contextlib.contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _object(root: str, anchor: str) -> str:
    return os.path.join(root, PRIVATE, "objs", anchor)


def _edges(root: str, anchor: str) -> str:
    return os.path.join(root, PRIVATE, "refs", anchor)
