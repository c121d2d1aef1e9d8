"""Where the journals of migrations lie: directories beside a pin, each its owner's, or left behind by a killed one.

    PATH-late-N/   locked (flock) by the process whose migration it is; the lock ends with the process
       old, base   see migrate_journal.py

N tells several apart: a pin may be migrated anew while programs still write to the map before the last one.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from toolchain.errors import ToolchainError
from toolchain.pin.locks import try_lock
from toolchain.spec.runtime import Runtime

OLD, BASE = "old", "base"
_MOST = 8


def journal_places(path: str) -> tuple[str, ...]:
    """Where the journals of a pin may be."""
    return tuple(f"{path}-late-{number}" for number in range(1, _MOST + 1))


def has_journal(runtime: Runtime, path: str) -> bool:
    """A migration of this pin is under way, or was killed."""
    return any(os.path.lexists(os.path.join(runtime.pin_root, each)) for each in journal_places(path))


def unfinished(runtime: Runtime, path: str) -> Iterator[tuple[str, int]]:
    """The directory and the lock of each journal of this pin that a killed process of this user left.

    Owns: the caller closes the lock. Directories of others are passed over: what is in them may be anything.
    """
    for directory in journal_places(path):
        full = os.path.join(runtime.pin_root, directory)
        if os.path.lexists(full) and _is_ours(full) and (lock := lock_directory(full)) is not None:
            yield directory, lock


def remove(runtime: Runtime, directory: str) -> None:
    """Unpin what is in it, and remove it; ``old`` last, which proves that ``base`` was of no use any more."""
    for name in (BASE, OLD):
        with suppress(ToolchainError):
            runtime.unpin(f"{directory}/{name}")
    with suppress(OSError):
        os.rmdir(os.path.join(runtime.pin_root, directory))


def lock_directory(full: str) -> int | None:
    """A lock on a directory that nobody holds; None where somebody does, or it is another one by now."""
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with suppress(OSError):
        if try_lock(descriptor, fcntl.LOCK_EX) and os.path.samestat(os.fstat(descriptor), os.lstat(full)):
            return descriptor
    os.close(descriptor)
    return None


def _is_ours(full: str) -> bool:
    try:
        status = os.lstat(full)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
