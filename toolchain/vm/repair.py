"""Repair of a pin tree: what can be put right without guessing, from what the objects say of themselves.

An object is *sound* if its header is whole and its own, its file long enough, and its data what its kind's checker
takes; a program also needs its maps, all sound. What is not sound is *lost*. In this order:

    places    what stands in the place of a private directory, or of the lock, goes; directories are made anew
    anchors   a file that is no object goes; an object under another's name gets its own, a pin without its anchor too
    ids       a damaged list is made anew; one that is behind its objects is raised
    garbage   what nobody holds goes, what killed processes left is finished (care.py, collect)
    maps      locks, lists and counters are made anew; a hash that cannot be mended so is filled anew (map_repair.py)
    programs  keep alive the maps that they name, and nothing else
    hooks     a link that is lost or of another hook, or whose program is lost, is taken off; a damaged list is removed
    edges     links and slots keep alive what they name, and nothing else; a slot that names what is lost is emptied
    the lost  goes if it has no pin

A lost object with a pin stays, with its pin, and is said again: 'pin rm' ends it. A foreign file outside of the private
directory stays in any case. A second repair finds nothing to do. Nothing is changed in an object that a process holds,
and each change alone is one that commands make too: killed at any moment, the next repair goes on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace

from toolchain.errors import FilePlace, PinError, RuntimeUnavailable
from toolchain.pin import hooks, ids, marks, reaper, slot_edges
from toolchain.pin.check import OPTIONAL
from toolchain.pin.header import SLOTS, ObjectHeader, encode
from toolchain.pin.locks import try_lock
from toolchain.pin.root import PRIVATE, make_directory, names_in, prepare_root, translated, write_at
from toolchain.pin.store import ObjectStore, files_below, read_header
from toolchain.pin.stored import StoredObject
from toolchain.vm.care import CHECKERS, collect
from toolchain.vm.map_repair import rebuild_map, thawed
from toolchain.vm.maps import Map, has_slots, open_map
from toolchain.vm.program import program_maps

_KINDS = ("map", "prog", "link")
_ROUNDS = 5
"""A repair that did something is followed by another: what was lost may leave room for what is sound."""
_MOVED = ".moved"
_NAMED = 10
"""Slots of what is lost that are named; random bytes in an array name thousands."""
_NOT_OURS = (errno.EACCES, errno.EPERM)


def repair(store: ObjectStore) -> list[str]:
    """Put right what can be; one text for each thing done. Raises RuntimeUnavailable, PinError."""
    if not os.path.isdir(os.path.join(store.root, PRIVATE)):
        return []
    done: list[str] = []
    try:
        for _ in range(_ROUNDS):
            now = list(_Repair(store).run())
            done += now
            if not now:
                break
    except OSError as error:
        raise translated(error, "cannot repair", FilePlace(str(error.filename or store.root))) from error
    return done


class _Repair:
    """One repair. ``sound``: anchor -> header, of what was found to be so.

    ``untouched``: what another user owns, or a process uses though it is damaged; it is not taken for lost.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.root = store.root
        self.sound: dict[str, ObjectHeader] = {}
        self.untouched: set[str] = set()

    def run(self) -> Iterator[str]:
        yield from self._places()
        yield from self._names()
        yield from self._pins()
        yield from self._ids()
        yield from (f"removed {anchor}, which nobody held" for anchor in collect(self.store))
        yield from self._objects()
        yield from self._programs()
        yield from self._hooks()
        yield from self._edges()
        yield from (f"removed {anchor}, which nobody held" for anchor in collect(self.store))
        yield from self._ruins()

    def _places(self) -> Iterator[str]:
        for name in ("objs", *OPTIONAL):
            path = self._path(name)
            if _is_other(path, stat.S_ISDIR):
                os.unlink(path)
                yield f"{PRIVATE}/{name}: removed what was no directory"
            if name == "objs" and not os.path.isdir(path):
                yield f"{PRIVATE}/{name}: made anew"
            for below in names_in(path) if name in ("refs", "hooks", "stage") else ():
                if _is_other(os.path.join(path, below), stat.S_ISDIR):
                    os.unlink(os.path.join(path, below))
                    yield f"{PRIVATE}/{name}/{below}: removed what was no directory"
        if _is_other(self._path("lock"), stat.S_ISREG):
            reaper.remove_directory(self._path("lock"))
            yield f"{PRIVATE}/lock: removed what was no file"
        prepare_root(self.root)

    def _names(self) -> Iterator[str]:
        """Files among the anchors that are no objects, or are objects of another name."""
        misnamed: list[str] = []
        for name in sorted(os.listdir(self._path("objs"))):
            path, relative = self._path("objs", name), f"{PRIVATE}/objs/{name}"
            header = _own_header(path)
            if header is None:
                is_anchor = reaper.is_anchor(name) and not _is_other(path, stat.S_ISREG)
                if not is_anchor:
                    reaper.remove_directory(path)
                    if not os.path.lexists(path):
                        yield f"{relative}: removed what was no object"
            elif header.anchor != name:
                if header.anchor in misnamed:  # rename(2) leaves both where both are names of one file
                    os.unlink(path)
                else:
                    misnamed.append(header.anchor)
                    os.rename(path, self._path("objs", header.anchor + _MOVED))
        for anchor in misnamed:  # all of them away first: two may have each other's name
            path, own = self._path("objs", anchor + _MOVED), self._path("objs", anchor)
            if _own_header(own) is not None:
                os.unlink(path)
                yield f"{PRIVATE}/objs/{anchor}: removed another file of that name"
            else:
                os.rename(path, own)
                yield f"{PRIVATE}/objs/{anchor}: is there again"

    def _pins(self) -> Iterator[str]:
        for path, status in files_below(self.root, PRIVATE):
            header = _own_header(path)
            if header is None or header.dev != status.st_dev:
                continue
            anchor = self._path("objs", header.anchor)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(anchor), status) or _own_header(anchor) is not None:
                    continue
                os.unlink(anchor)
            with contextlib.suppress(OSError):  # gone meanwhile
                os.link(path, anchor, follow_symlinks=False)
                yield f"{os.path.relpath(path, self.root)}: linked the anchor of {header.anchor} again"

    def _ids(self) -> Iterator[str]:
        highest = dict.fromkeys(_KINDS, 0)
        for name, _ in reaper.anchors(self.root):
            if _own_header(self._path("objs", name)) is not None:
                kind, number = reaper.kind_and_id(name)
                highest[kind] = max(highest[kind], number)
        try:
            ids.last_ids(self.root)
        except RuntimeUnavailable:
            reaper.remove_directory(self._path("super"))
            ids.make(self.root, highest)
            yield f"{PRIVATE}/super: made anew, from the objects that are there"
        for kind, number in highest.items():
            if ids.raise_to(self.root, kind, number):
                yield f"{PRIVATE}/super: the last {kind} id is {number} again"

    def _objects(self) -> Iterator[str]:
        """Find out which objects are sound; mend the data of maps, and what a header says of edges."""
        for name, _ in sorted(reaper.anchors(self.root)):
            try:
                with self._opened(name) as stored:
                    if self._is_sound(stored):
                        self.sound[name] = stored.header
                    elif self._is_held(stored):
                        self.untouched.add(name)
                    elif stored.kind == "map" and rebuild_map(stored):
                        self.sound[name] = stored.header
                        yield f"{name}: made locks, lists and counters anew"
            except PinError:
                continue  # lost
            except FileNotFoundError:
                continue
            except (RuntimeUnavailable, OSError) as error:
                if error.errno not in _NOT_OURS:
                    raise
                self.untouched.add(name)

    def _opened(self, name: str) -> StoredObject:
        """An object by its anchor, whatever edges it has. Raises ToolchainError, OSError."""
        path = self._path("objs", name)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            header, status = read_header(descriptor, FilePlace(path)), os.fstat(descriptor)
            if header.anchor != name or header.ino != status.st_ino or header.file_size > status.st_size:
                raise PinError("damaged", errno.EINVAL, FilePlace(path))
        except BaseException:
            os.close(descriptor)
            raise
        return StoredObject(descriptor, header, True, self.root)

    def _is_sound(self, stored: StoredObject) -> bool:
        stored.btf()
        return not CHECKERS[stored.kind](StoredObject(os.dup(stored.fileno()), stored.header, True, self.root))

    def _programs(self) -> Iterator[str]:
        """Programs keep alive the maps that they name. One without one of its maps is lost."""
        for name in names_in(self._path("refs")):
            yield from self._wrong_edges(name)
        for name in [name for name, header in self.sound.items() if header.kind == "prog"]:
            yield from self._program(name)

    def _edges(self) -> Iterator[str]:
        """What links and slots keep alive."""
        for name in [name for name, header in self.sound.items() if header.kind == "link"]:
            yield from self._link(name)
        for name in [name for name, header in self.sound.items() if header.kind == "map"]:
            yield from self._map(name)

    def _wrong_edges(self, owner: str) -> Iterator[str]:
        for target in names_in(self._path("refs", owner)):
            path = self._path("refs", owner, target)
            with contextlib.suppress(OSError):
                anchor = self._path("objs", target)
                if os.path.lexists(anchor) and os.path.samestat(os.lstat(path), os.lstat(anchor)):
                    continue
                reaper.remove_directory(path)
                yield f"{PRIVATE}/refs/{owner}/{target}: removed, did not lead to what it names"

    def _program(self, name: str) -> Iterator[str]:
        with self._opened(name) as stored:
            wanted = {f"map{each}" for each in program_maps(stored)}
            if any(map(self._is_lost, wanted)):
                del self.sound[name]
            elif not self._is_held(stored):
                kept = set(reaper.edges(self.root, name))
                if kept != wanted:
                    self._keep(name, wanted, kept)
                    yield f"{name}: keeps its maps alive again"
                yield from self._count(stored, len(wanted))

    def _count(self, stored: StoredObject, count: int) -> Iterator[str]:
        """Correct the number of edges in a header."""
        if stored.header.ref_count != count:
            write_at(stored.fileno(), encode(replace(stored.header, ref_count=count)), 0)
            yield f"{stored.header.anchor}: its header counts what it keeps alive again"

    def _is_lost(self, name: str) -> bool:
        return name not in self.sound and name not in self.untouched

    def _link(self, name: str) -> Iterator[str]:
        """A link keeps its program alive, the one that it runs or ran; for one that is on a list, the list says it."""
        with self._opened(name) as stored:
            noted = f"prog{hooks.note_of(stored.read())}"
            if self._is_held(stored):
                return
            if not reaper.has_edges(self.root, name):
                make_directory(self._path("refs", name))
                yield f"{name}: may keep its program alive again"
            device, _, hook = os.fsdecode(stored.spec).rpartition("/")
            yield from self._count(stored, 1)
            is_listed = hooks.read(hooks.make_hook(self.root, device, hook)).position(stored.id) >= 0
            for target in reaper.edges(self.root, name):
                if self._is_lost(target) or (target != noted and not is_listed):
                    marks.take_away(self.root, target, self._path("refs", name, target))
                    yield f"{name}: let go of {target}"

    def _keep(self, name: str, wanted: set[str], kept: set[str]) -> None:
        with contextlib.suppress(FileExistsError):
            make_directory(self._path("refs", name))
        for target in sorted(wanted - kept):
            os.link(self._path("objs", target), self._path("refs", name, target), follow_symlinks=False)
        for target in sorted(kept - wanted):
            marks.take_away(self.root, target, self._path("refs", name, target))

    def _is_held(self, stored: StoredObject) -> bool:
        """Whether a process has the object open: it may just be making it."""
        return not try_lock(stored.fileno(), fcntl.LOCK_EX)

    def _map(self, name: str) -> Iterator[str]:
        with self._opened(name) as stored:
            if not has_slots(stored):
                if not self._is_held(stored):
                    yield from self._count(stored, 0)
                return
            if stored.header.ref_count != SLOTS or not reaper.has_edges(self.root, name):
                if self._is_held(stored):
                    return
                with contextlib.suppress(FileExistsError):
                    make_directory(self._path("refs", name))
                yield from self._count(stored, SLOTS)
            with open_map(self._opened(name)) as holder:
                try:
                    yield from self._slots(stored, holder)
                except RuntimeUnavailable as error:  # somebody is changing it all the time
                    if error.errno != errno.EAGAIN:
                        raise

    def _slots(self, stored: StoredObject, holder: Map) -> Iterator[str]:
        name = stored.header.anchor
        named = holder.named()
        if named == set(reaper.edges(self.root, name)) and not any(map(self._is_lost, named)):
            return
        with slot_edges.changing(self.root, name, holder.named) as change:
            kept = set(reaper.edges(self.root, name))
            lost = {target for target in holder.named() if self._is_lost(target)}
            if lost:
                with thawed(stored):
                    holder.empty({reaper.kind_and_id(target)[1] for target in lost})
                yield f"{name}: emptied the slots of {', '.join(sorted(lost)[:_NAMED])}, lost"
            for target in sorted(holder.named() - kept):
                change.add(target)
                yield f"{name}: keeps {target} alive again"
            for target in sorted(kept - holder.named()):
                change.drop(target)
                yield f"{name}: let go of {target}, which no slot names"

    def _hooks(self) -> Iterator[str]:
        for hook in hooks.all_hooks(self.root):
            for done in hooks.mend(hook, self._is_attachable):
                yield f"{hooks.path_of(hook)}: {done}"

    def _is_attachable(self, hook: hooks.Hook, entry: hooks.Entry) -> bool:
        link = self.sound.get(f"link{entry.link_id}")
        if link is None or self._is_lost(f"prog{entry.prog_id}"):
            return f"link{entry.link_id}" in self.untouched
        return link.spec == os.fsencode(str(hook))

    def _ruins(self) -> Iterator[str]:
        """Remove lost objects that no pin and no other object in the tree leads to, and no process holds."""
        named = {(status.st_dev, status.st_ino) for _, status in files_below(self.root, PRIVATE)}
        named |= {(status.st_dev, status.st_ino) for _, status in files_below(self._path("refs"))}
        for name, status in sorted(reaper.anchors(self.root), key=lambda each: each[0]):
            if not self._is_lost(name) or (status.st_dev, status.st_ino) in named or status.st_uid != os.geteuid():
                continue
            path = self._path("objs", name)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if try_lock(descriptor, fcntl.LOCK_EX):
                    reaper.remove(self.root, name)
                    yield f"removed {name}, which is damaged and has no pin"
            finally:
                os.close(descriptor)

    def _path(self, *parts: str) -> str:
        return os.path.join(self.root, PRIVATE, *parts)


def _is_other(path: str, is_kind: Callable[[int], bool]) -> bool:
    """Whether something is there, and not of that kind. A symbolic link is of no kind."""
    try:
        return not is_kind(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _own_header(path: str) -> ObjectHeader | None:
    """The header of a file that is the object it speaks of; None for any other, and where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, *_NOT_OURS):
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        header = read_header(descriptor, FilePlace(path))
        return header if header.ino == os.fstat(descriptor).st_ino else None
    except (PinError, RuntimeUnavailable):
        return None
    finally:
        os.close(descriptor)
