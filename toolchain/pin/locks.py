"""flock, with an end to waiting.

A shared lock on an object's file is what keeps an unpinned object alive: it belongs to the open file, so it is kept
by fork, by a mapping and by an fd in flight, and is gone within a millisecond of kill -9. An exclusive one proves
that nobody holds it.
"""

from __future__ import annotations

import errno
import fcntl
import time

from toolchain.errors import RuntimeUnavailable, Where

WAIT_SECONDS = 10.0
_STEP_SECONDS = 0.0005


def try_lock(descriptor: int, operation: int) -> bool:
    """Take a lock (fcntl.LOCK_SH or LOCK_EX) if it is free."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_shared(descriptor: int, where: Where) -> None:
    """Wait for a shared lock. Raises RuntimeUnavailable after ten seconds."""
    _wait(descriptor, fcntl.LOCK_SH, where)


def lock_exclusive(descriptor: int, where: Where) -> None:
    """Wait for the exclusive lock. Raises RuntimeUnavailable after ten seconds."""
    _wait(descriptor, fcntl.LOCK_EX, where)


def _wait(descriptor: int, operation: int, where: Where) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not try_lock(descriptor, operation):
        if time.monotonic() > until:
            raise RuntimeUnavailable(
                "another process does not release its lock", errno.EAGAIN, where, "find it with 'lslocks' or 'fuser'"
            )
        time.sleep(_STEP_SECONDS)
