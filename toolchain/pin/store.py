"""The object store of the user runtime: the file is the object.

A map, program or link is a file without a name (O_TMPFILE) that gets one hard link as its anchor, one for each pin,
and one for each object that uses it:

    .bpf/objs/map7  ----.              st_nlink  1 anchor + pins + edges: the reference count, kept by the file system
    tc/globals/acc  -----+--> inode    flock SH  one for each handle: kept by fork, mmap and fds in flight
    .bpf/refs/prog3/map7-'             alive     st_nlink > 1, or somebody holds the lock

    create   O_TMPFILE, fallocate (a full disk is told here, never by SIGBUS), lock, fill, header, link the anchor
    pin      link(anchor, path)    unpin   unlink(path)    get   open, lock, then: still linked, and is it ours?

So no crash can corrupt a count, and no daemon is needed. What a crash can leave is an object that nobody holds; the
reaper (reaper.py) removes those at the end of each command. No lock is taken on the way of a get or a pin but the
object's own.

    class ObjectStore   a tree: create, get, by_id, pin, publish, unpin, walk, reap
    class StoredObject  a handle: one open file (stored.py)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from toolchain.errors import FilePlace, LoadError, PinError, PinPlace, RuntimeUnavailable, ToolchainError, Where
from toolchain.pin import hooks, marks, names, publish, reaper
from toolchain.pin.header import (
    BOOT_ID_OFFSET,
    HEADER_SIZE,
    SLOTS,
    BadHeader,
    ObjectHeader,
    current_boot_id,
    decode,
    encode,
)
from toolchain.pin.ids import link_descriptor, next_id
from toolchain.pin.locks import lock_shared, try_lock
from toolchain.pin.root import PRIVATE, check_root, prepare_root, require_own, require_places, translated, write_at
from toolchain.pin.slot_edges import SlotKeeper
from toolchain.pin.stored import DATA_OFFSET, StoredObject
from toolchain.spec.runtime import PinEntry

_PAGE = 4096
_FOREIGN_HINT = "no pin, but a file of another program: move it away"
_DAMAGED_HINT = "what was in it is lost: remove it with 'bpf-load pin rm'"
_REBOOT_WAIT_SECONDS = 10.0


class ObjectStore:
    """A pin tree. Making one touches nothing; the first create makes the directories.

    ``repairers``: kind -> what must be done to an object whose locks are from an earlier boot, before anyone uses it.
    ``slots``: how the slots of maps that hold programs or maps are read; without it they are left as they are.
    """

    def __init__(
        self,
        root: str,
        repairers: Mapping[str, Callable[[StoredObject], None]] | None = None,
        slots: SlotKeeper | None = None,
    ) -> None:
        self.root = os.path.abspath(root)
        self.slots = slots
        self.repairers = dict(repairers or {})
        self._is_settled = False

    def create(
        self,
        kind: str,
        name: str,
        spec: bytes,
        data_size: int,
        refs: Sequence[StoredObject] = (),
        btf: bytes = b"",
        prepare: Callable[[StoredObject], None] | None = None,
        has_slots: bool = False,
    ) -> StoredObject:
        """A new object without a pin, data all zero but for what ``prepare`` writes; it keeps all ``refs`` alive.

        ``has_slots``: instead of ``refs`` it will keep alive what its data names (slot_edges.py).

        Owns: the caller closes it; if nothing else holds it then, it is gone.
        Raises: RuntimeUnavailable (full, read-only, another's tree), LoadError (E2BIG: name and spec too long).
        """
        prepare_root(self.root)
        self._settle()
        place = FilePlace(self.root)
        btf_offset = -(-(DATA_OFFSET + data_size) // _PAGE) * _PAGE if btf else 0
        size = max(DATA_OFFSET + data_size, btf_offset + len(btf))
        try:
            descriptor = self._new_file(size)
        except OSError as error:
            raise _cannot_create(error, kind, name, size, place) from error
        stored = StoredObject(descriptor, ObjectHeader(kind, 0, name, spec, data_size), True, self.root)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            status = os.fstat(descriptor)
            stored.header = ObjectHeader(
                kind, next_id(self.root, kind), name, spec, data_size, btf_offset, len(btf),
                hashlib.sha256(btf).digest() if btf else bytes(32), status.st_dev, status.st_ino, status.st_uid,
                SLOTS if has_slots else len({each.header.anchor for each in refs}), time.time_ns(), current_boot_id(),
            )  # fmt: skip
            if prepare:
                prepare(stored)
            if btf:
                write_at(descriptor, btf, btf_offset)
            write_at(descriptor, encode(stored.header), 0)
            self._anchor(stored, refs)
        except ValueError as error:
            stored.close()
            raise LoadError(f"cannot create {kind} {name!r}: {error}", errno.E2BIG, place) from error
        except OSError as error:
            stored.close()
            raise _cannot_create(error, kind, name, size, place) from error
        except BaseException:
            stored.close()
            raise
        return stored

    def get(self, path: str, writable: bool | None = None) -> StoredObject:
        """The object pinned at ``path`` (absolute, or relative to the root). Symbolic links are followed.

        ``writable`` None: if the file system is; True: or not at all.

        Raises: PinError: ENOENT; EACCES a directory or a foreign file; EINVAL a copied, cut or damaged object; EPERM
        a dot. RuntimeUnavailable: it belongs to another user, or is to be written on a read-only file system.
        """
        check_root(self.root)
        self._settle()
        where = PinPlace(path)
        place = names.place_of_existing(self.root, path, errno.EACCES)
        try:
            if not stat.S_ISREG(os.stat(place).st_mode):
                raise PinError("not an object", errno.EACCES, where)
            stored = self._open(place, where, writable)
        except OSError as error:
            raise translated(error, "cannot get", where) from error
        stored.pin = path
        return stored

    def by_id(self, kind: str, id: int, writable: bool | None = None) -> StoredObject:
        """The live object of that id. ``writable`` as for get.

        Raises: PinError: ENOENT; EINVAL where another object has its anchor's name.
        """
        check_root(self.root)
        self._settle()
        where = PinPlace(f"{kind} id {id}")
        try:
            stored = self._open(self._anchor_path(f"{kind}{id}"), where, writable, needs_holder=True)
        except OSError as error:
            raise translated(error, "no such object" if error.errno == errno.ENOENT else "cannot get", where) from error
        if (stored.kind, stored.id) != (kind, id):
            stored.close()
            hint = "mend the tree with 'bpf-load pin fsck --repair'"
            raise PinError(f"{stored.header.anchor} has its place", errno.EINVAL, where, hint)
        return stored

    def ids(self, kind: str) -> list[int]:
        """The ids of all live objects of a kind, rising. Removes what is dead."""
        self.reap(is_full=True)
        try:
            found = [reaper.kind_and_id(name) for name in reaper.anchors_by_inode(self.root).values()]
            return sorted(number for each, number in found if each == kind)
        except OSError as error:
            raise translated(error, "cannot look at the pin tree", PinPlace(self.root)) from error

    def pin(self, stored: StoredObject, path: str, replacing: bool = False) -> None:
        """Give the object another name. With ``replacing`` it takes over an existing pin in one step.

        Raises: PinError as bpffs: EEXIST, ENOENT, EPERM, ENAMETOOLONG ...; RuntimeUnavailable (full, read-only).
        """
        check_root(self.root)
        self._settle()
        where = PinPlace(path)
        anchor = stored.header.anchor
        try:
            self._require_ours(stored, where)
            if replacing:
                self._take_over(anchor, path)
            else:
                os.link(self._anchor_path(anchor), names.place_of_new(self.root, path), follow_symlinks=False)
            marks.clear_new(self.root, anchor)
        except OSError as error:
            raise translated(error, "cannot pin", where) from error

    def publish(self, pins: Sequence[tuple[StoredObject, str]], swaps: Sequence[tuple[StoredObject, str]] = ()) -> None:
        """Pin several objects: all, or none. None if the process is killed before the decision, all if after it.

        ``swaps`` take over existing pins, each by one rename, and what was pinned there is marked before.

        Raises: as pin; for the first path that cannot be had.
        """
        check_root(self.root)
        self._settle()
        try:
            for stored, path in (*pins, *swaps):
                self._require_ours(stored, PinPlace(path))
            if len(pins) == 1 and not swaps:
                return self.pin(*pins[0])
            with contextlib.ExitStack() as stack:
                for _, path in swaps:
                    marks.mark_drop(self.root, stack.enter_context(self.get(path)).header.anchor)
                publish.publish(
                    self.root,
                    [(stored.header.anchor, path) for stored, path in pins],
                    [(stored.header.anchor, path) for stored, path in swaps],
                )
        except OSError as error:
            raise translated(error, "cannot pin", PinPlace(self.root)) from error

    def unpin(self, path: str) -> None:
        """Remove a pin, or a symbolic link. The object goes too if nothing else holds it.

        Raises: PinError: ENOENT; EISDIR; EACCES a foreign file; EPERM a dot. RuntimeUnavailable.
        """
        check_root(self.root)
        self._settle()
        where = PinPlace(path)
        place = names.place_of_existing(self.root, path)
        try:
            status = os.lstat(place)
            if stat.S_ISDIR(status.st_mode):
                raise PinError("a directory", errno.EISDIR, where)
            if stat.S_ISLNK(status.st_mode):
                os.unlink(place)
            else:
                self._unpin_object(place, where)
        except OSError as error:
            raise translated(error, "cannot unpin", where) from error

    def _unpin_object(self, place: str, where: Where) -> None:
        descriptor = _open_file(place, writable=False)
        try:
            anchor = self._name_of(descriptor, where)
            lock_shared(descriptor, where)
            marks.mark_drop(self.root, anchor)
            os.unlink(place)
        finally:
            os.close(descriptor)
        if anchor.startswith("link"):
            hooks.sweep(self.root)
        reaper.reap_some(self.root, [anchor], self.slots)

    def _name_of(self, descriptor: int, where: Where) -> str:
        """The anchor of an open object, also of a damaged one. Raises PinError for what is no object of this tree."""
        try:
            return read_header(descriptor, where).anchor
        except PinError:
            anchor = self._anchor_of(descriptor)
            if not anchor:
                raise
            return anchor

    def _anchor_of(self, descriptor: int) -> str:
        """The anchor that leads to an open file, whatever is in it; '' if none does. Looks at every anchor's name."""
        return reaper.anchors_by_inode(self.root).get(os.fstat(descriptor).st_ino, "")

    def _take_over(self, anchor: str, path: str) -> None:
        """Put an object in the place of what is pinned at ``path``, which is marked before it loses its name."""
        with self.get(path) as old:
            marks.mark_drop(self.root, old.header.anchor)
            publish.replace_link(self.root, anchor, names.place_of_existing(self.root, path))

    def walk(self, below: str = "") -> Iterator[PinEntry]:
        """Every pin in ``below`` and under it, in order of path; what is no object of this tree is passed over.

        Raises: PinError(ENOENT or ENOTDIR).
        """
        if not check_root(self.root):
            if below.strip("/"):
                raise PinError("no such directory", errno.ENOENT, PinPlace(below))
            return
        self._settle()
        top = names.place_of_existing(self.root, below) if below else self.root
        if not os.path.isdir(top):
            found = errno.ENOTDIR if os.path.lexists(top) else errno.ENOENT
            raise PinError("no such directory", found, PinPlace(below))
        real = os.path.realpath(self.root) if below else self.root
        try:
            anchors = reaper.anchors_by_inode(self.root)
            for path, inode in inodes_below(top, PRIVATE if top in (self.root, real) else ""):
                if inode in anchors:
                    yield _pin_entry(path, os.path.relpath(path, real), anchors[inode])
        except OSError as error:
            raise translated(error, "cannot look at the pin tree", PinPlace(below or self.root)) from error

    def pins_of(self, stored: StoredObject) -> list[str]:
        """The paths of all pins of an object, in order, relative to the root.

        The tree is walked until all are found; not at all where the pin that the object was got by is the only one.
        """
        anchor, known = stored.header.anchor, stored.pin
        try:
            status = os.lstat(self._anchor_path(anchor))
            missing = status.st_nlink - 1 - reaper.user_count(self.root, anchor)
            if known and missing == 1:
                place = names.place_of_existing(self.root, known)
                if os.path.samestat(os.lstat(place), status):
                    return [os.path.relpath(place, os.path.realpath(self.root))]
            found: list[str] = []
            for path, inode in inodes_below(self.root, PRIVATE) if missing > 0 else ():
                if inode == status.st_ino:
                    found.append(os.path.relpath(path, self.root))
                    if len(found) == missing:
                        break
        except FileNotFoundError:
            return []
        except OSError as error:
            raise translated(error, "cannot look at the pin tree", PinPlace(self.root)) from error
        return found

    def reap(self, is_full: bool = False) -> int:
        """Remove every object that nobody holds; finish what a killed process published. Gives the number removed.

        In a large tree only those that may have lost their last name since they were looked at, unless ``is_full``: an
        object whose pin was removed by another program (rm) is not among those.
        """
        if not check_root(self.root) or not os.path.isdir(os.path.join(self.root, PRIVATE)):
            return 0
        require_places(self.root)
        try:
            publish.settle(self.root, must_wait=False)
            hooks.sweep(self.root)
            return reaper.reap(self.root, self.slots, is_full)
        except OSError as error:
            if error.errno == errno.EROFS:
                return 0
            raise translated(error, "cannot clean the pin tree", PinPlace(self.root)) from error

    def _settle(self) -> None:
        """Once in this store's life: finish what a killed publisher left."""
        if not self._is_settled and os.path.isdir(os.path.join(self.root, PRIVATE)) and check_root(self.root):
            require_places(self.root)
            with contextlib.suppress(OSError, ToolchainError):  # a read-only tree keeps what was left
                publish.settle(self.root, must_wait=False)
            self._is_settled = True

    def _new_file(self, size: int) -> int:
        directory = os.path.join(self.root, PRIVATE, "objs")
        space = os.statvfs(directory)
        if space.f_blocks and size > space.f_bavail * space.f_frsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            os.posix_fallocate(descriptor, 0, size)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _anchor(self, stored: StoredObject, refs: Sequence[StoredObject]) -> None:
        """Link the anchor, then the edges. In this order: edges without an anchor are garbage, whoever finds them."""
        marks.mark_new(self.root, stored.header.anchor)
        link_descriptor(stored.fileno(), self._anchor_path(stored.header.anchor))
        try:
            if refs or stored.header.ref_count:
                reaper.link_edges(self.root, stored.header.anchor, [each.header.anchor for each in refs])
        except BaseException:
            reaper.remove(self.root, stored.header.anchor)
            raise

    def _anchor_path(self, anchor: str) -> str:
        return os.path.join(self.root, PRIVATE, "objs", anchor)

    def _require_ours(self, stored: StoredObject, where: Where) -> None:
        """Raise PinError(EINVAL) for an object that this tree's anchor of its name does not lead to."""
        try:
            anchor = os.lstat(self._anchor_path(stored.header.anchor))
        except FileNotFoundError:
            anchor = None
        if anchor is None or not os.path.samestat(anchor, os.fstat(stored.fileno())):
            raise PinError(f"{stored.header.anchor} is not of this tree: {self.root}", errno.EINVAL, where)

    def _open(self, place: str, where: Where, writable: bool | None, needs_holder: bool = False) -> StoredObject:
        """Open, check and hold an object. ``needs_holder``: an object that only its anchor names is dead (ENOENT)."""
        try:
            descriptor = _open_file(place, writable is not False)
            is_writable = writable is not False
        except OSError as error:
            if error.errno != errno.EROFS or writable:
                raise
            descriptor = _open_file(place, writable=False)
            is_writable = False
        try:
            header = read_header(descriptor, where)
        except BaseException as error:
            if isinstance(error, PinError) and self._anchor_of(descriptor):
                error.hint = _DAMAGED_HINT
            os.close(descriptor)
            raise
        stored = StoredObject(descriptor, header, is_writable, self.root)
        try:
            if needs_holder and os.fstat(descriptor).st_nlink <= 1 and try_lock(descriptor, fcntl.LOCK_EX):
                raise PinError("no such object", errno.ENOENT, where)
            self._hold(stored, where)
            self._check_identity(stored, where)
        except BaseException:
            stored.close()
            raise
        return stored

    def _hold(self, stored: StoredObject, where: Where) -> None:
        """Take the shared lock; after a reboot, repair first, under the exclusive one."""
        repairer = self.repairers.get(stored.kind)
        try:
            boot_id = current_boot_id()
        except OSError as error:
            raise translated(error, "cannot read the boot's id", where) from error
        if repairer is None or not stored.is_writable or stored.header.boot_id == boot_id:
            lock_shared(stored.fileno(), where)
            return
        until = time.monotonic() + _REBOOT_WAIT_SECONDS
        while os.pread(stored.fileno(), 16, BOOT_ID_OFFSET) != boot_id:
            if try_lock(stored.fileno(), fcntl.LOCK_EX):
                self._check_identity(stored, where)
                repairer(stored)
                write_at(stored.fileno(), boot_id, BOOT_ID_OFFSET)
            elif time.monotonic() > until:
                raise RuntimeUnavailable("object from an earlier boot is in use elsewhere", errno.EAGAIN, where)
            time.sleep(0.001)
        lock_shared(stored.fileno(), where)

    def _check_identity(self, stored: StoredObject, where: Where) -> None:
        """That the file is the object that its header speaks of, still in this tree, and all there."""
        status = os.fstat(stored.fileno())
        header = stored.header
        try:
            anchor = os.lstat(self._anchor_path(header.anchor))
        except FileNotFoundError:
            anchor = None
        if status.st_nlink == 0 or (anchor is None and status.st_ino == header.ino):
            raise PinError("no such object", errno.ENOENT, where)
        if (
            anchor is None
            or (anchor.st_dev, anchor.st_ino) != (status.st_dev, status.st_ino)
            or header.ino != status.st_ino
        ):
            raise PinError(f"a copy of {header.anchor}, not the object itself", errno.EINVAL, where)
        if status.st_size < header.file_size:
            message = f"object was cut short: {status.st_size} bytes ({header.file_size})"
            raise PinError(message, errno.EINVAL, where, _DAMAGED_HINT)
        if header.ref_count and not reaper.has_edges(self.root, header.anchor):
            raise PinError("no such object", errno.ENOENT, where)


def read_header(descriptor: int, where: Where) -> ObjectHeader:
    """An open file's header, checked. Raises PinError (EACCES foreign, EINVAL broken), RuntimeUnavailable (owner)."""
    require_own(os.fstat(descriptor), "object", where)
    try:
        return decode(os.pread(descriptor, HEADER_SIZE, 0))
    except BadHeader as error:
        number, hint = (errno.EACCES, _FOREIGN_HINT) if error.is_foreign else (errno.EINVAL, _DAMAGED_HINT)
        raise PinError(str(error), number, where, hint) from error


def _pin_entry(path: str, relative: str, anchor: str) -> PinEntry:
    """A pin, its object's name and size; without them where the file cannot be read."""
    kind, number = reaper.kind_and_id(anchor)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return PinEntry(relative, kind, number)
    try:
        header = decode(os.pread(descriptor, HEADER_SIZE, 0))
        return PinEntry(relative, kind, number, header.name, header.file_size)
    except BadHeader:
        return PinEntry(relative, kind, number)
    finally:
        os.close(descriptor)


def files_below(top: str, skipped: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Every regular file in a directory and below, in order, links not followed. ``skipped``: a name in ``top``."""
    for entry in _files_below(top, skipped):
        with contextlib.suppress(FileNotFoundError):
            yield entry.path, entry.stat(follow_symlinks=False)


def inodes_below(top: str, skipped: str = "") -> Iterator[tuple[str, int]]:
    """As files_below, with no more than the inode's number; what lies on another file system is passed over."""
    device = os.stat(top).st_dev
    devices = {top: device}
    for entry in _files_below(top, skipped):
        directory = os.path.dirname(entry.path)
        if directory not in devices:
            with contextlib.suppress(FileNotFoundError):
                devices = {directory: os.stat(directory).st_dev}
        if devices.get(directory) == device:
            yield entry.path, entry.inode()


def _files_below(top: str, skipped: str) -> Iterator[os.DirEntry[str]]:
    """Without recursion, since others choose the depth; what lies too deep for a path to name is passed over."""
    waiting = _entries(top, skipped)
    while waiting:
        entry = waiting.pop()
        with contextlib.suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                waiting += _entries(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry


def _entries(directory: str, skipped: str = "") -> list[os.DirEntry[str]]:
    """What is in a directory, last name first; nothing where it is gone, or its path too long."""
    try:
        entries = [entry for entry in os.scandir(directory) if entry.name != skipped]
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EACCES):
            return []
        raise
    return sorted(entries, key=lambda entry: entry.name, reverse=True)


def _open_file(place: str, writable: bool) -> int:
    """Open without following a last link, without waiting for a peer, without becoming anybody's terminal."""
    access = os.O_RDWR if writable else os.O_RDONLY
    place = os.path.realpath(place)
    return os.open(place, access | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)


def _cannot_create(error: OSError, kind: str, name: str, size: int, where: Where) -> Exception:
    number = error.errno or errno.EIO
    if not os.path.isdir("/proc/self/fd"):
        return RuntimeUnavailable("no /proc, which naming a file takes", number, where, "mount it")
    if number in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
        return RuntimeUnavailable(
            "the file system has no files without a name (O_TMPFILE)", number, where,
            "choose a tree on tmpfs, ext4, xfs or btrfs with --pin-root",
        )  # fmt: skip
    return translated(error, f"cannot create {kind} {name!r} of {size} bytes", where)
