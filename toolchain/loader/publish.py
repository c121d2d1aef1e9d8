"""publish: the moment at which a load becomes visible. Pins appear all or none, and never take another's place.

    lock the pin root | every map's path is as it was when the map was bound    no: LostRace
                      | no program's path is taken                              yes: EEXIST
                      | make the directories; copy again what changed in a map that migrates
                      | the runtime pins all that is new and swaps what is to be replaced, or nothing of it
                      | finish: what must be last (slots of a shared prog array, attaching)
    unlock

The lock (flock on the root directory) keeps other loaders of this kind out, so what is taken back was seen by nobody.
Tools that do not lock are met by the runtime's own EEXIST. Who lost a race binds again with what is pinned now.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from toolchain.errors import PinError, PinPlace, RuntimeUnavailable, ToolchainError
from toolchain.pin.root import make_directory
from toolchain.spec.runtime import Handle, MapHandle, ProgHandle, Runtime


class LostRace(Exception):
    """Somebody else pinned, replaced or removed a map since it was bound. Never leaves the loader."""


class MapPin(NamedTuple):
    """A map and where it goes. ``replaced`` is the map whose pin it takes over, where that was asked for."""

    handle: MapHandle
    path: str
    is_reused: bool = False
    replaced: MapHandle | None = None


Undo = list[Callable[[], None]]
"""What takes back, last first, what was done so far."""


def publish(
    runtime: Runtime,
    maps: Sequence[MapPin],
    programs: Sequence[tuple[ProgHandle, str]],
    finish: Callable[[Undo], None] | None = None,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Pin everything, or nothing. ``finish`` comes last, once, and says how to undo it; if it fails, no pin is left.

    ``prepare`` comes right before the pins, when nothing but them can fail any more.

    Raises: LostRace, PinError with bpffs' errno, RuntimeUnavailable where the file system is full or read-only, and
    what ``finish`` raises.
    """
    if not maps and not programs:
        if finish is not None:
            with _undone_on_error() as undo:
                finish(undo)
        return
    replacing = [each for each in maps if each.replaced is not None]
    new: list[tuple[Handle, str]] = [
        *((each.handle, each.path) for each in maps if not each.is_reused and each.replaced is None),
        *programs,
    ]
    _refuse_same_path([*(path for _, path in new), *(each.path for each in replacing)])
    with _undone_on_error() as undo, _locked(runtime.pin_root, undo):
        for each in maps:
            _check_map(runtime, each)
        for _, path in programs:
            require_free(runtime, path)
        for _, path in new:
            make_parents(runtime.pin_root, path, undo)
        if prepare is not None:
            prepare()
        try:
            runtime.publish(new, [(each.handle, each.path) for each in replacing])
        except PinError as error:
            if error.errno == errno.EEXIST and any(get_or_none(runtime, path, closing=True) for _, path in new):
                raise LostRace from error
            raise
        if finish is not None:
            undo += [
                partial(runtime.pin, each.replaced, each.path, replacing=True)
                for each in replacing
                if each.replaced is not None
            ]
            undo += [partial(runtime.unpin, path) for _, path in new]
            finish(undo)


def _refuse_same_path(paths: Sequence[str]) -> None:
    for index, path in enumerate(paths):
        if path in paths[:index]:
            raise PinError("several objects for one pin", errno.EEXIST, PinPlace(path))


def require_free(runtime: Runtime, path: str) -> None:
    """Raise the PinError that pinning to ``path`` would, if something is there."""
    if get_or_none(runtime, path, closing=True):
        raise PinError("pin exists", errno.EEXIST, PinPlace(path), f"remove it with 'bpf-load pin rm {path}'")


def get_or_none(runtime: Runtime, path: str, closing: bool = False) -> Handle | None:
    """What is pinned at ``path``; None where nothing is. ``closing``: only whether, the handle is closed at once."""
    try:
        handle = runtime.get(path)
    except PinError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    if closing:
        handle.close()
    return handle


def _check_map(runtime: Runtime, pin: MapPin) -> None:
    """Raise LostRace unless the path is as it was when the map was bound."""
    expected = pin.handle.id if pin.is_reused else pin.replaced.id if pin.replaced else None
    found = get_or_none(runtime, pin.path)
    if found is not None:
        with found:
            if found.id == expected:
                return
    elif expected is None:
        return
    raise LostRace


_UNUSABLE = {
    errno.EACCES: "a directory above it is closed to this user: run as its owner or as root",
    errno.EROFS: "remount the file system read-write",
    errno.ENOSPC: "the file system is full",
    errno.EDQUOT: "this user's share of the file system is full",
}
"""What makes a place unusable, whatever is asked of it -> what to do."""


def make_parents(pin_root: str, path: str, undo: Undo) -> None:
    """Make the directories above ``path``; those made are removed again if publishing fails."""
    parts = path.strip("/").split("/")[:-1]
    if any("." in part for part in parts):
        raise PinError("directory name with a dot", errno.EPERM, PinPlace(path))
    for depth in range(1, len(parts) + 1):
        directory = os.path.join(pin_root, *parts[:depth])
        try:
            make_directory(directory)
        except FileExistsError:
            continue
        except OSError as error:
            place, number = PinPlace("/".join(parts[:depth])), error.errno or errno.EIO
            if number in _UNUSABLE:
                raise RuntimeUnavailable("cannot make the directory", number, place, _UNUSABLE[number]) from error
            raise PinError("cannot make the directory", number, place) from error
        undo.append(lambda directory=directory: os.rmdir(directory))  # type: ignore[misc]


def _make_directories(path: str, undo: list[Callable[[], None]]) -> None:
    """Make a directory and those above it; those made are removed again if publishing fails. Raises OSError."""
    if os.path.isdir(path):
        return
    _make_directories(os.path.dirname(os.path.abspath(path)), undo)
    with contextlib.suppress(FileExistsError):
        make_directory(path)
        undo.append(lambda: os.rmdir(path))


@contextlib.contextmanager
def _locked(directory: str, undo: list[Callable[[], None]]) -> Iterator[None]:
    """An exclusive flock on a directory, made if need be; kept by nobody once the process ends, however it ends."""
    try:
        _make_directories(directory, undo)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RuntimeUnavailable("cannot open the pin root", error.errno or errno.EIO, PinPlace(directory)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            number = error.errno or errno.EIO
            raise RuntimeUnavailable("cannot lock the pin root", number, PinPlace(directory)) from error
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _undone_on_error() -> Iterator[Undo]:
    """A list of actions that are run, last first, if the block fails. What is gone already need not be undone."""
    undo: Undo = []
    try:
        yield undo
    except BaseException:
        for action in reversed(undo):
            with contextlib.suppress(ToolchainError, OSError):
                action()
        raise
