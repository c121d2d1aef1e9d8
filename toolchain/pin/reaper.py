"""References between objects, and the removal of objects that nobody holds.

    .bpf/refs/prog3.new/   being filled by prog3's maker (who holds prog3's lock)
    .bpf/refs/prog3/       complete: prog3 may be opened by others from here on
        map7, map9         edges: hard links, so that map7's st_nlink counts prog3

    dead      st_nlink == 1 (only its anchor) and the exclusive lock can be had
    remove    its edges first, its anchor last: killed in between, the next reaper sees it as dead again

Removing a program may make its maps dead, so the search goes on until nothing changes. It costs one stat for each
object, and an open only for those whose count says that they may be dead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator, Sequence

from toolchain.pin import slot_edges
from toolchain.pin.header import MAGIC
from toolchain.pin.locks import try_lock
from toolchain.pin.root import PRIVATE, make_directory

_ANCHOR = re.compile(r"(map|prog|link)([1-9][0-9]{0,18})", re.ASCII)
_STAGED = ".new"


def kind_and_id(anchor: str) -> tuple[str, int]:
    """'map7' -> ('map', 7). Raises ValueError."""
    match = _ANCHOR.fullmatch(anchor)
    if not match:
        raise ValueError(f"not an anchor: {anchor}")
    return match[1], int(match[2])


def anchors(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """The name and status of every file among the anchors that is named like one."""
    try:
        entries = list(os.scandir(os.path.join(root, PRIVATE, "objs")))
    except FileNotFoundError:
        return
    for entry in entries:
        if _ANCHOR.fullmatch(entry.name):
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    yield entry.name, os.lstat(entry.path)


def link_edges(root: str, anchor: str, targets: Sequence[str]) -> None:
    """Make ``anchor`` keep ``targets`` alive, all at once for those who look. Raises OSError."""
    final = _edges(root, anchor)
    make_directory(final + _STAGED)
    for target in sorted(set(targets)):
        os.link(_path(root, target), os.path.join(final + _STAGED, target), follow_symlinks=False)
    os.rename(final + _STAGED, final)


def has_edges(root: str, anchor: str) -> bool:
    """Whether the object's edges are complete."""
    return os.path.isdir(_edges(root, anchor))


def edges(root: str, anchor: str) -> list[str]:
    """What the object keeps alive, by anchor."""
    try:
        return sorted(os.listdir(_edges(root, anchor)))
    except FileNotFoundError:
        return []


def remove(root: str, anchor: str) -> None:
    """Remove an object's edges and then its anchor."""
    for directory in (_edges(root, anchor), _edges(root, anchor) + _STAGED):
        remove_directory(directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(root, anchor))


def remove_directory(directory: str) -> None:
    """Remove a directory of links, if it is there. Directories in it, which somebody else put there, stay."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(directory)
        return
    for name in names:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(os.path.join(directory, name))
    try:
        os.rmdir(directory)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise


def reap(root: str, slots: slot_edges.SlotKeeper | None = None) -> int:
    """Remove every dead object and all edges of objects that are gone. Gives the number of objects removed.

    With ``slots``, prog arrays that no user has any more are emptied first.
    """
    count = 0
    if slots is not None:
        slot_edges.tidy(root, slots)
    while dead := [name for name, status in anchors(root) if status.st_nlink == 1 and _remove_if_dead(root, name)]:
        count += len(dead)
    _remove_orphaned_edges(root)
    return count


def _remove_if_dead(root: str, anchor: str) -> bool:
    try:
        descriptor = os.open(_path(root, anchor), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        if not try_lock(descriptor, fcntl.LOCK_EX) or os.pread(descriptor, len(MAGIC), 0) != MAGIC:
            return False
        if os.fstat(descriptor).st_nlink != 1:
            return False
        remove(root, anchor)
        return True
    finally:
        os.close(descriptor)


def _remove_orphaned_edges(root: str) -> None:
    """An anchor is linked before its edges are made and removed after them, so edges without one belong to nobody."""
    directory = os.path.join(root, PRIVATE, "refs")
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(directory):
            if not os.path.lexists(_path(root, name.removesuffix(_STAGED))):
                remove_directory(os.path.join(directory, name))


def _path(root: str, anchor: str) -> str:
    return os.path.join(root, PRIVATE, "objs", anchor)


def _edges(root: str, anchor: str) -> str:
    return os.path.join(root, PRIVATE, "refs", anchor)
