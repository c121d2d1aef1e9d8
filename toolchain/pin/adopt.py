"""An object by a descriptor that came from elsewhere: inherited, or in a message on a Unix socket.

Such a descriptor keeps its object alive (its lock is the open file's), but its sender shares that open file and may
unlock it. So the object is opened again by its anchor, with a lock of our own, and the descriptor is let go:

    fd -> header -> .bpf/objs/map7, the same inode? -> a handle of our own

What it may do is no more than the descriptor could: one that was opened for reading gives a handle for reading.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from toolchain.errors import PinError, PinPlace
from toolchain.pin.root import translated
from toolchain.pin.store import ObjectStore, read_header
from toolchain.pin.stored import StoredObject


def adopt(store: ObjectStore, descriptor: int) -> StoredObject:
    """The object of this tree behind a descriptor. Owns: the descriptor, which is closed in any case.

    Raises: PinError: EBADF for no descriptor, EACCES for a foreign file, EINVAL for an object of another tree or a
    copy, and for a kernel's object.
    """
    where = PinPlace(f"fd {descriptor}")
    try:
        status = os.fstat(descriptor)
    except OSError as error:
        raise PinError("no open file", errno.EBADF, where) from error
    try:
        if not stat.S_ISREG(status.st_mode):
            raise _no_object(descriptor, where)
        header = read_header(descriptor, where)
        is_readable_only = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        stored = _opened(store, header.kind, header.id, where, False if is_readable_only else None)
        if not os.path.samestat(status, os.fstat(stored.fileno())):
            stored.close()
            raise _of_another_tree(header.anchor, store, where)
        return stored
    except OSError as error:
        raise translated(error, "cannot look at an open file", where) from error
    finally:
        os.close(descriptor)


def _opened(store: ObjectStore, kind: str, id: int, where: PinPlace, writable: bool | None) -> StoredObject:
    try:
        return store.by_id(kind, id, writable)
    except PinError as error:
        if error.errno == errno.ENOENT:
            raise _of_another_tree(f"{kind}{id}", store, where) from error
        raise


def _of_another_tree(anchor: str, store: ObjectStore, where: PinPlace) -> PinError:
    hint = "name its tree with --pin-root"
    return PinError(f"{anchor} is not of this tree: {store.root}", errno.EINVAL, where, hint)


def _no_object(descriptor: int, where: PinPlace) -> PinError:
    if "bpf" in os.readlink(f"/proc/self/fd/{descriptor}"):
        return PinError("an object of the kernel", errno.EINVAL, where, "use the kernel runtime: -r kernel")
    return PinError("not an object", errno.EACCES, where)
