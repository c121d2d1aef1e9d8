"""How often a stored program ran, and how long: 16 bytes at the end of its data, for all processes together.

A process adds what it ran when it lets go of the program, when it is asked, and once a second while it runs; so kill -9
loses a second's runs at most. Adding is read, add, write under a lock on these bytes (of the open file, so a killed
process leaves none). Who cannot have the lock soon, or has the file for reading only, keeps its sum for later.

    count u64, nanoseconds u64, both wrapping
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time

from toolchain.pin.stored import DATA_OFFSET, StoredObject

SIZE = 16
_COUNTERS = struct.Struct("<2Q")
_LIMIT = 1 << 64
_FLOCK = struct.Struct("@hhqqi4x")
"""struct flock: type, whence, start, length, pid. Source: man 2 fcntl, open file description locks."""
_INTERVAL_SECONDS = 1.0
_TRIES = 20
_forks = 0
"""How many forks lie above this process, since the import."""


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


class RunCount:
    """The counters of one handle. Owns: nothing; ``stored`` is the handle's."""

    def __init__(self, stored: StoredObject, has_place: bool) -> None:
        self._stored = stored
        self._offset = DATA_OFFSET + stored.data_size - SIZE
        self._has_place = has_place
        self._count = self._time_ns = 0
        self._next = 0.0
        self._forks = _forks

    def add(self, count: int, time_ns: int) -> None:
        """Count runs of this process."""
        if self._forks != _forks:
            self._forget_parent()
        self._count += count
        self._time_ns += time_ns
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _INTERVAL_SECONDS
            self.write()

    def read(self) -> tuple[int, int]:
        """Runs and nanoseconds so far, of all processes, as far as they have written them, and of this one."""
        self.write()
        count, time_ns = self._stored_counters()
        return (count + self._count) % _LIMIT, (time_ns + self._time_ns) % _LIMIT

    def write(self) -> None:
        """Add what this process ran to the file."""
        self._forget_parent()
        if not self._count or not self._has_place or not self._stored.is_writable:
            return
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed already
            if not self._lock(fcntl.F_WRLCK):
                return
            try:
                count, time_ns = self._stored_counters()
                sums = (count + self._count) % _LIMIT, (time_ns + self._time_ns) % _LIMIT
                os.pwrite(self._stored.fileno(), _COUNTERS.pack(*sums), self._offset)
                self._count = self._time_ns = 0
            finally:
                self._lock(fcntl.F_UNLCK)

    def _forget_parent(self) -> None:
        """What a parent ran before the fork is the parent's to write."""
        if self._forks != _forks:
            self._forks, self._count, self._time_ns = _forks, 0, 0

    def _lock(self, kind: int) -> bool:
        request = _FLOCK.pack(kind, os.SEEK_SET, self._offset, SIZE, 0)
        for attempt in range(_TRIES):
            try:
                fcntl.fcntl(self._stored.fileno(), fcntl.F_OFD_SETLK, request)
            except BlockingIOError:
                time.sleep(0.0001 * attempt)
            else:
                return True
        return False

    def _stored_counters(self) -> tuple[int, int]:
        data = os.pread(self._stored.fileno(), SIZE, self._offset) if self._has_place else b""
        count, time_ns = _COUNTERS.unpack(data.ljust(SIZE, b"\0"))
        return count, time_ns
