"""The full check of a pin tree: every promise of store.py, looked at file by file. It changes nothing.

    places   the tree's own directories are directories
    super    readable; no object has an id above the last one given
    objs     each file is an object whose header is whole and says its own name, owner, inode and size
    refs     each directory belongs to an object, is complete, and holds links to what it names
    hooks    each list is whole; its links are of this hook, live, and keep the programs that it names alive
    slots    of prog arrays and maps of maps: what they name is kept alive, and nothing else
    pins     each file is an anchored object
    counts   st_nlink == 1 anchor + pins + edges + staged links
    data     what the kind's own checker says (maps: every chain and list)

A *fault* is something that no kill may leave. A *note* is something that a kill or another tool may: an object that
nobody holds (the reaper's work), staged links, a foreign file, a link from outside the tree. Other processes may work
meanwhile; what they change while it is looked at may be reported wrongly, so check a tree at rest.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from toolchain.errors import FilePlace, PinError, RuntimeUnavailable, ToolchainError
from toolchain.pin import hooks, ids, reaper, slot_edges
from toolchain.pin.header import SLOTS, ObjectHeader
from toolchain.pin.root import PRIVATE, check_root, names_in, require_own
from toolchain.pin.store import ObjectStore, files_below, read_header
from toolchain.pin.stored import StoredObject
from toolchain.values import Value, value_type

Inode = tuple[int, int]
OPTIONAL = ("refs", "stage", "loose", "hooks", "commit")
"""Private directories that need not be there."""


@value_type
class Finding(Value):
    """One thing that is not as it should be. ``path`` is relative to the root."""

    path: str
    message: str
    is_fault: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def check(store: ObjectStore, checkers: Mapping[str, Callable[[StoredObject], list[str]]]) -> list[Finding]:
    """Everything wrong with a tree; [] if it is sound.

    ``checkers``: kind of object -> what is wrong with one's data; they close it.
    Raises: RuntimeUnavailable where the tree cannot be looked at.
    """
    if not check_root(store.root) or not os.path.isdir(os.path.join(store.root, PRIVATE)):
        return []
    inspection = _Inspection(store.root)
    findings: list[Finding] = []
    for part in (
        inspection.directories,
        inspection.anchors,
        inspection.ids,
        inspection.edges,
        inspection.hooks,
        inspection.staged,
        inspection.pins,
        inspection.counts,
        lambda: inspection.slots(store.slots),
    ):
        try:
            findings += part()
        except OSError as error:
            path = os.path.relpath(error.filename, store.root) if isinstance(error.filename, str) else PRIVATE
            findings.append(Finding(path, f"cannot be looked at: {error.strerror}"))
    for header in sorted(inspection.headers.values(), key=lambda each: (each.kind, each.id)):
        findings += _data(store, header, checkers)
    return findings


class _Inspection:
    """What was found so far. ``links``: how many names each inode has, by our own count."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.headers: dict[Inode, ObjectHeader] = {}
        self.status: dict[Inode, os.stat_result] = {}
        self.links: Counter[Inode] = Counter()

    def directories(self) -> Iterator[Finding]:
        for name in ("objs", *OPTIONAL):
            path = os.path.join(self.root, PRIVATE, name)
            is_missing = name in OPTIONAL and not os.path.lexists(path)
            if not is_missing and (not os.path.isdir(path) or os.path.islink(path)):
                yield Finding(f"{PRIVATE}/{name}", "not a directory")
            for below in names_in(path) if name in ("refs", "hooks", "stage") else ():
                if not stat.S_ISDIR(os.lstat(os.path.join(path, below)).st_mode):
                    yield Finding(f"{PRIVATE}/{name}/{below}", "not a directory")
        lock = os.path.join(self.root, PRIVATE, "lock")
        if os.path.lexists(lock) and not stat.S_ISREG(os.lstat(lock).st_mode):
            yield Finding(f"{PRIVATE}/lock", "not a file")

    def anchors(self) -> Iterator[Finding]:
        known = dict(reaper.anchors(self.root))
        directory = os.path.join(self.root, PRIVATE, "objs")
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) and not os.path.islink(directory) else ():
            path = f"{PRIVATE}/objs/{name}"
            if name not in known:
                yield Finding(path, "not an anchor")
                continue
            try:
                header = self._header(path)
            except FileNotFoundError:
                continue
            except ToolchainError as error:
                yield Finding(path, error.message)
                continue
            status = known[name]
            inode = (status.st_dev, status.st_ino)
            self.headers[inode], self.status[inode] = header, status
            self.links[inode] += 1
            if header.anchor != name or header.ino != status.st_ino:
                yield Finding(path, f"holds {header.anchor}, inode {header.ino}, and is inode {status.st_ino}")
            if status.st_size < header.file_size:
                yield Finding(path, f"cut short: {status.st_size} bytes ({header.file_size})")

    def ids(self) -> Iterator[Finding]:
        try:
            last = ids.last_ids(self.root)
        except RuntimeUnavailable as error:
            yield Finding(f"{PRIVATE}/super", error.message)
            return
        for header in self.headers.values():
            if last is None or header.id > last[header.kind]:
                yield Finding(f"{PRIVATE}/super", f"{header.anchor} has an id that was never given")

    def edges(self) -> Iterator[Finding]:
        anchored = {header.anchor: inode for inode, header in self.headers.items()}
        counts: Counter[str] = Counter()
        for path, status in self._below("refs"):
            owner, target = path.split("/")[-2:]
            relative = f"{PRIVATE}/refs/{owner}/{target}"
            inode = (status.st_dev, status.st_ino)
            self.links[inode] += 1
            counts[owner] += 1
            if anchored.get(target) != inode:
                yield Finding(relative, "does not lead to what it names")
            if owner not in anchored:
                yield Finding(relative, "belongs to no object", is_fault=False)
        listed = self._listed()
        for inode, header in self.headers.items():
            if header.kind == "link" and not counts[header.anchor] and header.id not in listed:
                continue  # it was detached, and what it ran is lost
            if header.kind == "link" and counts[header.anchor] == header.ref_count + 1:
                yield Finding(f"{PRIVATE}/refs/{header.anchor}", "an update of it was killed", is_fault=False)
            elif header.ref_count not in (SLOTS, counts[header.anchor]):
                message = f"{header.anchor} keeps {counts[header.anchor]} objects alive ({header.ref_count})"
                is_going = self.status[inode].st_nlink == 1  # killed while it was removed: edges go first
                is_fault = reaper.has_edges(self.root, header.anchor) and not is_going
                yield Finding(f"{PRIVATE}/refs/{header.anchor}", message, is_fault)

    def hooks(self) -> Iterator[Finding]:
        specs = {header.anchor: header.spec for header in self.headers.values()}
        for hook in hooks.all_hooks(self.root):
            path = hooks.path_of(hook)
            try:
                found = hooks.stored_list(hook)
            except ToolchainError as error:
                yield Finding(path, error.message)
                continue
            if len({entry.prog_id for entry in found.entries}) < len(found.entries):
                yield Finding(path, "the same program twice")
            for link_id, prog_id in found.entries:
                anchor = f"link{link_id}"
                if anchor not in specs or not hooks.is_alive(self.root, link_id):
                    yield Finding(path, f"{anchor} is on it, and dead", is_fault=False)
                elif specs[anchor] != os.fsencode(str(hook)):
                    yield Finding(path, f"{anchor} is not of this hook, but of {os.fsdecode(specs[anchor])}")
                elif f"prog{prog_id}" not in reaper.edges(self.root, anchor):
                    yield Finding(path, f"{anchor} does not keep prog{prog_id} alive")

    def slots(self, keeper: slot_edges.SlotKeeper | None) -> Iterator[Finding]:
        """That each slot's object is kept alive, and nothing else."""
        for header in self.headers.values():
            if keeper is None or header.ref_count != SLOTS or not reaper.has_edges(self.root, header.anchor):
                continue
            path, kept = f"{PRIVATE}/refs/{header.anchor}", set(reaper.edges(self.root, header.anchor))
            try:
                descriptor = os.open(os.path.join(self.root, PRIVATE, "objs", header.anchor), os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                named = keeper.named(descriptor)
            except ToolchainError:  # a damaged map: its data's own checker says so
                continue
            finally:
                os.close(descriptor)
            is_left = slot_edges.is_changing(self.root, header.anchor)
            if is_left:
                yield Finding(path, "left half changed by a killed process", is_fault=False)
            for target in sorted(named - kept):
                yield Finding(path, f"a slot names {target}, which is not kept alive")
            for target in sorted(kept - named):
                yield Finding(path, f"keeps {target} alive, which no slot names", is_fault=not is_left)

    def staged(self) -> Iterator[Finding]:
        for place in ("stage", "commit"):
            for path, status in self._below(place):
                self.links[status.st_dev, status.st_ino] += 1
                yield Finding(os.path.relpath(path, self.root), "left by a killed publisher", is_fault=False)

    def pins(self) -> Iterator[Finding]:
        for path, status in files_below(self.root, PRIVATE):
            inode = (status.st_dev, status.st_ino)
            self.links[inode] += 1
            if inode in self.headers:
                continue
            relative = os.path.relpath(path, self.root)
            try:
                header = self._header(relative)
            except FileNotFoundError:
                continue
            except ToolchainError as error:
                yield Finding(relative, error.message, is_fault=False)
                continue
            is_copy = header.ino != status.st_ino
            yield Finding(relative, f"a copy of {header.anchor}" if is_copy else "its anchor is missing", not is_copy)

    def counts(self) -> Iterator[Finding]:
        for inode, header in self.headers.items():
            path = f"{PRIVATE}/objs/{header.anchor}"
            count = self.status[inode].st_nlink
            if count < self.links[inode]:
                yield Finding(path, f"has {self.links[inode]} names, but counts {count}", is_fault=False)
            elif count > self.links[inode]:
                yield Finding(path, f"{count - self.links[inode]} names of it are outside of the tree", is_fault=False)

    def _listed(self) -> set[int]:
        """The ids of the links that are on a list."""
        found: set[int] = set()
        for hook in hooks.all_hooks(self.root):
            with contextlib.suppress(ToolchainError):
                found |= {entry.link_id for entry in hooks.stored_list(hook).entries}
        return found

    def _below(self, name: str) -> Iterator[tuple[str, os.stat_result]]:
        """Every file below a private directory; none where a link is in its place."""
        path = os.path.join(self.root, PRIVATE, name)
        return iter(()) if os.path.islink(path) else files_below(path)

    def _header(self, relative: str) -> ObjectHeader:
        path = os.path.join(self.root, relative)
        place = FilePlace(relative)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except PermissionError as error:
            require_own(os.lstat(path), "object", place)
            raise PinError("cannot be read", error.errno or 0, place) from error
        try:
            return read_header(descriptor, place)
        finally:
            os.close(descriptor)


def _data(
    store: ObjectStore, header: ObjectHeader, checkers: Mapping[str, Callable[[StoredObject], list[str]]]
) -> Iterator[Finding]:
    """What an object's own data says; an object that cannot be had by its id is dead, which is for the reaper."""
    path = f"{PRIVATE}/objs/{header.anchor}"
    try:
        stored = store.by_id(header.kind, header.id)
        stored.btf()
        found = checkers[header.kind](stored) if header.kind in checkers else []
        stored.close()
    except ToolchainError as error:
        is_dead = isinstance(error, PinError) and os.path.lexists(os.path.join(store.root, path))
        is_dead = is_dead and os.lstat(os.path.join(store.root, path)).st_nlink == 1
        yield Finding(path, "held by nobody" if is_dead else error.message, is_fault=not is_dead)
        return
    for message in found:
        yield Finding(path, message)
