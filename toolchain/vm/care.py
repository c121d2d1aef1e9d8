"""Care of a pin tree: removing what nobody holds, the full check with every kind's own checker, and repair.

    collect    objects without holder and pin go, and what killed processes left is finished; every command does it too
    inspect    toolchain/pin/check.py with the checkers of maps and programs
    repair     collect, then what can be put right without guessing:

    a private directory that is none  removed, made anew
    a damaged list of ids             made anew, from the objects that are there
    a pin without its anchor          the anchor is linked again
    a list of ids behind its objects  raised to the highest id
    a slot without its edge           the edge is made; if the object is gone, the slot is emptied
    an edge without a slot            removed
    a damaged object without a pin    removed
    a map's data                      locks made anew, lists and counters computed anew, if nobody uses the map

What cannot be had back (a damaged header, a file cut short, a copy) stays as it is, and is said again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from toolchain.errors import FilePlace, PinError, RuntimeUnavailable, ToolchainError
from toolchain.pin import ids, reaper, slot_edges
from toolchain.pin.check import OPTIONAL, Finding, check
from toolchain.pin.header import SLOTS, ObjectHeader
from toolchain.pin.locks import try_lock
from toolchain.pin.root import PRIVATE, make_directory, translated
from toolchain.pin.store import ObjectStore, files_below, read_header
from toolchain.pin.stored import StoredObject
from toolchain.vm.links import check_link
from toolchain.vm.maps import check_map, open_map, repair_map
from toolchain.vm.program import check_program

_CHECKERS = {"map": check_map, "prog": check_program, "link": check_link}


def collect(store: ObjectStore) -> list[str]:
    """Remove what nobody holds. Gives the anchors of what went: 'map7'. Raises RuntimeUnavailable."""
    before = {name for name, _ in reaper.anchors(store.root)}
    store.reap(is_full=True)
    gone = before - {name for name, _ in reaper.anchors(store.root)}
    return sorted(gone, key=reaper.kind_and_id)


def inspect(store: ObjectStore) -> list[Finding]:
    """Everything that is not as it should be. Raises RuntimeUnavailable."""
    return check(store, _CHECKERS)


def repair(store: ObjectStore) -> list[str]:
    """Put right what can be; one text for each thing done. Raises RuntimeUnavailable, PinError."""
    if not os.path.isdir(os.path.join(store.root, PRIVATE)):
        return []
    try:
        return _repaired(store)
    except OSError as error:
        raise translated(error, "cannot repair", FilePlace(str(error.filename or store.root))) from error


def _repaired(store: ObjectStore) -> list[str]:
    done = [*_directories(store), *_anchors(store), *_ids(store)]
    done += [f"removed {anchor}, which nobody held" for anchor in collect(store)]
    done += [f"removed {anchor}, which is damaged and has no pin" for anchor in _ruins(store)]
    for name, _ in sorted(reaper.anchors(store.root)):
        with contextlib.suppress(ToolchainError, OSError):  # the check says what is wrong with it
            done += _object(store, name)
    return done


def _directories(store: ObjectStore) -> Iterator[str]:
    for name in ("objs", *OPTIONAL):
        path = os.path.join(store.root, PRIVATE, name)
        if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
            os.unlink(path)
            yield f"{PRIVATE}/{name}: removed what was no directory"
        if name == "objs" and not os.path.isdir(path):
            make_directory(path)
            yield f"{PRIVATE}/{name}: made anew"


def _anchors(store: ObjectStore) -> Iterator[str]:
    for path, status in files_below(store.root, PRIVATE):
        with contextlib.suppress(ToolchainError, OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                header = read_header(descriptor, FilePlace(path))
            finally:
                os.close(descriptor)
            anchor = os.path.join(store.root, PRIVATE, "objs", header.anchor)
            if header.ino == status.st_ino and header.dev == status.st_dev and not os.path.lexists(anchor):
                os.link(path, anchor, follow_symlinks=False)
                yield f"{os.path.relpath(path, store.root)}: linked the anchor of {header.anchor} again"


def _ruins(store: ObjectStore) -> Iterator[str]:
    """Remove objects without a sound header that have no name but their anchor, and no holder."""
    for anchor, status in sorted(reaper.anchors(store.root), key=lambda each: each[0]):
        with contextlib.suppress(OSError, RuntimeUnavailable):
            path = os.path.join(store.root, PRIVATE, "objs", anchor)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if status.st_nlink == 1 and try_lock(descriptor, fcntl.LOCK_EX):
                    read_header(descriptor, FilePlace(path))
            except PinError:
                reaper.remove(store.root, anchor)
                yield anchor
            finally:
                os.close(descriptor)


def _ids(store: ObjectStore) -> Iterator[str]:
    highest = dict.fromkeys(("map", "prog", "link"), 0)
    for name, _ in reaper.anchors(store.root):
        kind, number = reaper.kind_and_id(name)
        highest[kind] = max(highest[kind], number)
    try:
        ids.last_ids(store.root)
    except RuntimeUnavailable:
        ids.remove(store.root)
        ids.make(store.root, highest)
        yield f"{PRIVATE}/super: made anew, from the objects that are there"
    for kind, number in highest.items():
        if ids.raise_to(store.root, kind, number):
            yield f"{PRIVATE}/super: the last {kind} id is {number} again"


def _object(store: ObjectStore, anchor: str) -> Iterator[str]:
    kind, number = reaper.kind_and_id(anchor)
    with store.by_id(kind, number) as stored:
        header = stored.header
    if kind == "map" and check_map(store.by_id(kind, number)):
        yield _mended(store, anchor, header)
    if header.ref_count == SLOTS:
        yield from _slots(store, number)


def _mended(store: ObjectStore, anchor: str, header: ObjectHeader) -> str:
    path = os.path.join(store.root, PRIVATE, "objs", anchor)
    with StoredObject(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW), header, True, store.root) as stored:
        if not try_lock(stored.fileno(), fcntl.LOCK_EX):
            return f"{anchor}: not mended, somebody uses it"
        repair_map(stored)
    return f"{anchor}: made locks, lists and counters anew"


def _slots(store: ObjectStore, number: int) -> Iterator[str]:
    with open_map(store.by_id("map", number)) as holder:
        anchor = holder.stored.header.anchor
        with slot_edges.changing(store.root, anchor, holder.named) as change:
            kept = set(reaper.edges(store.root, anchor))
            for target in sorted(holder.named() - kept):
                try:
                    change.add(target)
                    yield f"{anchor}: keeps {target} alive again"
                except FileNotFoundError:
                    holder.empty(reaper.kind_and_id(target)[1])
                    yield f"{anchor}: emptied the slots of {target}, which is gone"
            for target in sorted(kept - holder.named()):
                change.drop(target)
                yield f"{anchor}: let go of {target}, which no slot names"
