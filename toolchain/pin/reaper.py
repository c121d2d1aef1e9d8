"""References between objects, and the removal of objects that nobody holds.

    .bpf/refs/prog3.new/   being filled by prog3's maker (who holds prog3's lock)
    .bpf/refs/prog3/       complete: prog3 may be opened by others from here on
        map7, map9         edges: hard links, so that map7's st_nlink counts prog3

    dead      st_nlink == 1 (only its anchor) and the exclusive lock can be had
    remove    its edges first, its anchor last: killed in between, the next reaper sees it as dead again

Removing a program may make its maps dead, so the search goes on with what it kept alive. Looked at is what is marked
(marks.py), in a small tree every object: one stat for each, an open where the count says that it may be dead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator, Sequence
from itertools import islice

from toolchain.pin import marks, slot_edges
from toolchain.pin.header import MAGIC
from toolchain.pin.locks import try_lock
from toolchain.pin.root import PRIVATE, make_directory, missing_is_empty, names_in

_ANCHOR = re.compile(r"(map|prog|link)([1-9][0-9]{0,18})", re.ASCII)
_STAGED = ".new"
_SMALL_COUNT = 2048
"""Objects of a tree that are all looked at by each command: some 5 ms."""


def kind_and_id(anchor: str) -> tuple[str, int]:
    """'map7' -> ('map', 7). Raises ValueError."""
    match = _ANCHOR.fullmatch(anchor)
    if not match:
        raise ValueError(f"not an anchor: {anchor}")
    return match[1], int(match[2])


def is_anchor(name: str) -> bool:
    """Whether a file of that name can be an anchor."""
    return _ANCHOR.fullmatch(name) is not None


def anchors(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """The name and status of every file among the anchors that is named like one."""
    entries: list[os.DirEntry[str]] = []
    with missing_is_empty(), os.scandir(os.path.join(root, PRIVATE, "objs")) as found:
        entries = list(found)
    for entry in entries:
        if _ANCHOR.fullmatch(entry.name):
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    yield entry.name, os.lstat(entry.path)


def anchors_by_inode(root: str) -> dict[int, str]:
    """Inode -> the name of every anchor; nothing is opened or asked but the directory."""
    with missing_is_empty(), os.scandir(os.path.join(root, PRIVATE, "objs")) as entries:
        return {entry.inode(): entry.name for entry in entries if _ANCHOR.fullmatch(entry.name)}
    return {}


def user_count(root: str, anchor: str) -> int:
    """How many objects keep this one alive."""
    users = names_in(os.path.join(root, PRIVATE, "refs"))
    return sum(os.path.lexists(os.path.join(_edges(root, user), anchor)) for user in users)


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
    return sorted(names_in(_edges(root, anchor)))


def remove(root: str, anchor: str) -> list[str]:
    """Remove an object's edges and then its anchor. Gives what it kept alive."""
    dropped: list[str] = []
    for directory in (_edges(root, anchor), _edges(root, anchor) + _STAGED):
        for target in names_in(directory):
            if target != anchor and _ANCHOR.fullmatch(target):
                with contextlib.suppress(IsADirectoryError, PermissionError):
                    marks.take_away(root, target, os.path.join(directory, target))
                dropped.append(target)
        remove_directory(directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(root, anchor))
    marks.clear(root, anchor)
    return dropped


def remove_directory(directory: str) -> None:
    """Remove a directory of links, if it is there. Directories in it, which somebody else put there, stay.

    A symbolic link in its place goes itself: what it leads to is not ours.
    """
    try:
        names = os.listdir(directory) if not os.path.islink(directory) else []
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
    except NotADirectoryError:
        os.unlink(directory)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise


def reap(root: str, slots: slot_edges.SlotKeeper | None = None, is_full: bool = False) -> int:
    """Remove every dead object and all edges of objects that are gone. Gives the number of objects removed.

    In a tree of more than 2,048 objects only what is marked is looked at, unless ``is_full``.
    With ``slots``, prog arrays that no user has any more are emptied first.
    """
    count = 0
    if is_full or _is_small(root):
        if slots is not None:
            slot_edges.tidy(root, slots)
        suspects = [name for name, status in anchors(root) if status.st_nlink == 1]
        count += reap_some(root, suspects, slots)
        _remove_orphaned_edges(root)
    return count + reap_some(root, [name for name in marks.marked(root) if _ANCHOR.fullmatch(name)], slots)


def reap_some(root: str, suspects: Sequence[str], slots: slot_edges.SlotKeeper | None = None) -> int:
    """Remove those of ``suspects`` that are dead, then what only they kept alive. Gives how many went."""
    count, waiting = 0, list(reversed(suspects))
    while waiting:
        is_removed, dropped = _examine(root, waiting.pop(), slots)
        count += is_removed
        waiting += dropped
    return count


def _is_small(root: str) -> bool:
    """Whether looking at every object takes no time that anybody notices."""
    for place in ("objs", "refs"):
        with missing_is_empty(), os.scandir(os.path.join(root, PRIVATE, place)) as entries:
            if sum(1 for _ in islice(entries, _SMALL_COUNT + 1)) > _SMALL_COUNT:
                return False
    return True


def _examine(root: str, anchor: str, slots: slot_edges.SlotKeeper | None) -> tuple[bool, list[str]]:
    """Remove an object if it is dead. Gives whether, and what is not kept alive by it any more.

    What has another name than its anchor, and no holder, loses its marks.
    """
    try:
        descriptor = os.open(_path(root, anchor), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        marks.clear_old(root, anchor)
        return False, []
    except OSError:
        return False, []
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not try_lock(descriptor, fcntl.LOCK_EX):
            return False, []
        if os.pread(descriptor, len(MAGIC), 0) != MAGIC:
            return False, []
        count = os.fstat(descriptor).st_nlink
        if count == 1:
            return True, remove(root, anchor)
        dropped = []
        if count > 1:
            dropped = slot_edges.finish(root, anchor, descriptor, slots) if slots is not None else []
            marks.clear(root, anchor)
        return False, dropped
    finally:
        os.close(descriptor)


def _remove_orphaned_edges(root: str) -> None:
    """An anchor is linked before its edges are made and removed after them, so edges without one belong to nobody."""
    directory = os.path.join(root, PRIVATE, "refs")
    with contextlib.suppress(FileNotFoundError):
        for name in names_in(directory):
            if not os.path.lexists(_path(root, name.removesuffix(_STAGED))):
                remove_directory(os.path.join(directory, name))


def _path(root: str, anchor: str) -> str:
    return os.path.join(root, PRIVATE, "objs", anchor)


def _edges(root: str, anchor: str) -> str:
    return os.path.join(root, PRIVATE, "refs", anchor)
