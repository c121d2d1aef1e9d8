"""Ids: one counter for each kind of object, in ``.bpf/super``. An id is never given twice, as in the kernel.

    0  8 magic   8  4 version   12  4 -   16  16 tree id   32  8 x 3 last id given: map, prog, link

Each counter is rewritten by one pwrite of 8 bytes under the file's lock: a killed process leaves the old number or
the new.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Mapping

from toolchain.errors import PinPlace, RuntimeUnavailable
from toolchain.pin.header import ID_MAX, KINDS
from toolchain.pin.locks import lock_exclusive
from toolchain.pin.root import PRIVATE, write_at

MAGIC = b"BPFTREE\x01"
_SUPER = struct.Struct("<8sI4x16sQQQ")
_COUNTERS_OFFSET = 32


def next_id(root: str, kind: str) -> int:
    """An id that no object of this kind ever had. Raises RuntimeUnavailable."""
    descriptor = _open_super(root)
    try:
        lock_exclusive(descriptor, PinPlace(_path(root)))
        number = _counters(root, descriptor)[KINDS[kind] - 1] + 1
        offset = _COUNTERS_OFFSET + 8 * (KINDS[kind] - 1)
        if number > ID_MAX:
            hint = "choose another tree with --pin-root"
            raise RuntimeUnavailable(f"no {kind} id is left", errno.ENOSPC, PinPlace(root), hint)
        write_at(descriptor, struct.pack("<Q", number), offset)
        return number
    finally:
        os.close(descriptor)


def raise_to(root: str, kind: str, number: int) -> bool:
    """Make ``number`` the last id given, unless a higher one was. Gives whether it did. Raises RuntimeUnavailable."""
    descriptor = _open_super(root)
    try:
        lock_exclusive(descriptor, PinPlace(_path(root)))
        if _counters(root, descriptor)[KINDS[kind] - 1] >= number:
            return False
        write_at(descriptor, struct.pack("<Q", number), _COUNTERS_OFFSET + 8 * (KINDS[kind] - 1))
        return True
    finally:
        os.close(descriptor)


def make(root: str, last: Mapping[str, int]) -> None:
    """A list with these last ids, where there is none. Raises OSError."""
    path = _path(root)
    fresh = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fresh, 0o600)
        write_at(fresh, _SUPER.pack(MAGIC, 1, os.urandom(16), *(last[kind] for kind in KINDS)), 0)
        with contextlib.suppress(FileExistsError):
            link_descriptor(fresh, path)
    finally:
        os.close(fresh)


def remove(root: str) -> None:
    """Remove a damaged list. Raises OSError: what is in its place is not empty."""
    path = _path(root)
    with contextlib.suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)


def last_ids(root: str) -> dict[str, int] | None:
    """The last id given of each kind; None if there is no list yet. Raises RuntimeUnavailable if it is damaged."""
    try:
        descriptor = os.open(_path(root), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(root) from error
    try:
        return dict(zip(KINDS, _counters(root, descriptor), strict=True))
    finally:
        os.close(descriptor)


def _path(root: str) -> str:
    return os.path.join(root, PRIVATE, "super")


def _open_super(root: str) -> int:
    path = _path(root)
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    make(root, dict.fromkeys(KINDS, 0))
    return os.open(path, flags)


def link_descriptor(descriptor: int, path: str) -> None:
    """Give an open file (also one without a name) the name ``path``. Raises OSError."""
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=0, follow_symlinks=True)


def _counters(root: str, descriptor: int) -> tuple[int, int, int]:
    page = os.pread(descriptor, _SUPER.size, 0) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    if len(page) == _SUPER.size:
        magic, version, _, maps, progs, links = _SUPER.unpack(page)
        if magic == MAGIC and version == 1 and max(maps, progs, links) <= ID_MAX:
            return maps, progs, links
    raise _damaged(root)


def _damaged(root: str) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        "the pin tree's list of ids is damaged", errno.EUCLEAN, PinPlace(_path(root)),
        "move the tree away, or choose another with --pin-root",
    )  # fmt: skip
