"""Who keeps objects of a pin tree alive besides pins: processes by their files, programs by the maps that they use.

A holder is whoever has the object's file open, since that is what carries the lock that keeps it alive (pin/store.py).
A process's files are compared by inode and device, so it does not matter where it has the tree mounted, or under
which of its names it opened the file. Programs say by their edges which maps they use: .bpf/refs/prog3/map7.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from toolchain.pin import reaper
from toolchain.pin.root import PRIVATE
from toolchain.processes import PROC, file_info, name_of, open_files
from toolchain.spec.runtime import Process


def processes(root: str, kind: str, id: int = 0) -> dict[int, tuple[Process, ...]]:
    """Which other processes hold objects of a kind open, by id; only those of object ``id`` where it is given."""
    inodes = _inodes(root, kind, id)
    found: dict[int, dict[int, None]] = {}
    for pid, number, target in open_files():
        if target.startswith("/") and (each := _object_of(pid, number, inodes)):
            found.setdefault(each, {})[pid] = None
    return {each: tuple(Process(pid, name_of(pid)) for pid in pids) for each, pids in found.items()}


def _inodes(root: str, kind: str, id: int) -> dict[int, dict[int, int]]:
    """Inode -> device -> id of the objects that are meant."""
    found: dict[int, dict[int, int]] = {}
    if id:
        with contextlib.suppress(OSError):
            status = os.lstat(os.path.join(root, PRIVATE, "objs", f"{kind}{id}"))
            found[status.st_ino] = {status.st_dev: id}
        return found
    for name, status in reaper.anchors(root):
        each_kind, each_id = reaper.kind_and_id(name)
        if each_kind == kind:
            found.setdefault(status.st_ino, {})[status.st_dev] = each_id
    return found


def _object_of(pid: int, number: str, inodes: Mapping[int, Mapping[int, int]]) -> int:
    """The id of the object that an open file is, 0 for another file. Only one of the right inode is looked at."""
    text = file_info(pid, number).get("ino", "")
    if not text.isdecimal() or int(text) not in inodes:
        return 0
    try:
        status = os.stat(f"{PROC}/{pid}/fd/{number}")
    except OSError:
        return 0
    return inodes.get(status.st_ino, {}).get(status.st_dev, 0)


def users(root: str) -> dict[int, tuple[int, ...]]:
    """The ids of the programs that use each map, by its id."""
    found: dict[int, list[int]] = {}
    for holder in _names(os.path.join(root, PRIVATE, "refs")):
        kind, prog_id = _object_named(holder)
        for target in _names(os.path.join(root, PRIVATE, "refs", holder)) if kind == "prog" else ():
            kind, map_id = _object_named(target)
            if kind == "map":
                found.setdefault(map_id, []).append(prog_id)
    return {map_id: tuple(sorted(prog_ids)) for map_id, prog_ids in found.items()}


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _object_named(name: str) -> tuple[str, int]:
    """The object that a file of the tree is named after; ('', 0) for one that somebody else put there."""
    try:
        return reaper.kind_and_id(name)
    except ValueError:
        return "", 0
