"""Marks: which objects a reaper must look at, so that the end of a command costs the same in a tree of any size.

    .bpf/loose/map7         made before the anchor; goes when map7 is pinned
    .bpf/loose/map7.drop    made before one of its names is taken away

What has only its anchor left and no holder is dead. An object comes to that by its creation or by losing a name, and
both are marked first; so the reaper looks at what is marked, and at nothing else. Why no kill can lose a mark:

    a pinner removes the first mark, and only after its own link(2): the object has a name then
    who takes a name away holds the object's shared lock from before its mark until after its unlink(2)
    who changes the slots of a map marks that map too, for a reaper to finish what a kill leaves half done
    a reaper removes the second mark only while it has the exclusive lock, and sees another name than the anchor

A mark without an object is one that is about to be made, or was killed at that; it goes after a minute. A name that
another program removes (rm, mv over a pin) leaves no mark: that object is found when all are looked at (reaper.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

from toolchain.errors import PinPlace
from toolchain.pin.locks import lock_shared
from toolchain.pin.root import PRIVATE, make_directory, names_in

_DROP = ".drop"
_OLD_SECONDS = 60.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.ELOOP)
"""Where there is no room for a mark, an unpin goes on without: it makes room. So it does in a damaged tree."""


def mark_new(root: str, anchor: str) -> None:
    """Before the anchor is linked. Raises OSError, but not for want of room."""
    _make(root, anchor)


def mark_drop(root: str, anchor: str) -> None:
    """Before a name is taken away, by one who holds the object. Raises OSError.

    A full file system is no reason to keep what is to go: unmarked, it is found when all are looked at.
    """
    try:
        _make(root, anchor + _DROP)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def clear_new(root: str, anchor: str) -> None:
    """After the object got another name than its anchor. A file system that refuses leaves it to the reaper."""
    with contextlib.suppress(OSError):
        os.unlink(_path(root, anchor))


def clear(root: str, anchor: str) -> None:
    """Both marks, by a reaper with the exclusive lock."""
    for name in (anchor, anchor + _DROP):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
            os.unlink(_path(root, name))


def clear_old(root: str, anchor: str) -> None:
    """The marks of an object that is not there, unless it may be about to be made."""
    for name in (anchor, anchor + _DROP):
        with contextlib.suppress(OSError):
            if abs(time.time() - os.lstat(_path(root, name)).st_mtime) > _OLD_SECONDS:
                os.unlink(_path(root, name))


def marked(root: str) -> list[str]:
    """The anchors of all marked objects, in order; other names too that somebody put there."""
    return sorted({name.removesuffix(_DROP) for name in names_in(_path(root, ""))})


def take_away(root: str, anchor: str, path: str) -> None:
    """Unlink ``path``, one of the object's names. Gone already is well. Raises OSError, RuntimeUnavailable."""
    try:
        descriptor = os.open(
            os.path.join(root, PRIVATE, "objs", anchor), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        )
    except OSError:  # no object of that name: nothing to be marked
        descriptor = -1
    try:
        if descriptor >= 0:
            lock_shared(descriptor, PinPlace(anchor))
            mark_drop(root, anchor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _make(root: str, name: str) -> None:
    try:
        if not _mknod(_path(root, name)):
            with contextlib.suppress(FileExistsError):
                make_directory(_path(root, ""))
            _mknod(_path(root, name))
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise


def _mknod(path: str) -> bool:
    """Make an empty file where there is none; whether its directory is there."""
    try:
        os.mknod(path, 0o600)
    except FileExistsError:
        pass
    except FileNotFoundError:
        return False
    return True


def _path(root: str, name: str) -> str:
    return os.path.join(root, PRIVATE, "loose", name)
