"""The journal of a migration: what has gone over of the old map, kept where a kill does not reach it.

    PATH               the pin that is swapped
    PATH-late-N/old    the old map: programs may still count into it
    PATH-late-N/base   each of its entries as it was when it last went over

Both are pinned before the swap, and unpinned when everything is merged. Their maker holds a lock on the directory
(flock: it ends with the process), so what nobody locks is what somebody left; migrate_recover.py goes on from there.
What programs add to the new map and to ``base`` they do in one run, so that no count is lost or added twice.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice

from toolchain.errors import PinError, PinPlace, RuntimeUnavailable, ToolchainError
from toolchain.isa.map_types import PERCPU_TYPES, MapFlag, MapType
from toolchain.loader.journals import BASE, OLD, journal_places, lock_directory, remove
from toolchain.loader.migrate_plan import ARRAY_TYPES
from toolchain.spec.maps import MapSpec, MapStyle
from toolchain.spec.runtime import MapHandle, Runtime

_BATCH_BYTES = 1 << 20
_BATCH_COUNT = 1 << 12


def base_spec(old: MapSpec, cpu_count: int) -> MapSpec:
    """A map for the entries of ``old``: the values of all CPUs in one.

    A hash has room for more, since keys come and go while they are read.
    """
    is_array = old.map_type in ARRAY_TYPES
    size = -(-old.value_size // 8) * 8 * cpu_count if old.map_type in PERCPU_TYPES else old.value_size
    kind = MapType.ARRAY if is_array else MapType.HASH
    count = old.max_entries if is_array else min(old.max_entries + old.max_entries // 8 + 1024, (1 << 31) - 1)
    flags = 0 if is_array else int(MapFlag.NO_PREALLOC)
    return MapSpec("late_base", kind, old.key_size, size, count, flags, MapStyle.LIVE)


class Journal:
    """What has gone over of one map. Owns: ``base``, and what ``keep`` pins; ``end`` lets go of both."""

    def __init__(self, runtime: Runtime, path: str, base: MapHandle) -> None:
        self.base, self._runtime, self._path = base, runtime, path
        self._directory, self._lock = "", -1
        self._is_array = base.info().spec.map_type is MapType.ARRAY

    @classmethod
    def new(cls, runtime: Runtime, path: str, old: MapSpec, cpu_count: int) -> Journal:
        """An empty one, not pinned yet. Raises what creating a map does."""
        return cls(runtime, path, runtime.map_create(base_spec(old, cpu_count)))

    def note(self, entries: Mapping[bytes, bytes]) -> None:
        """These have gone over, with these values of the old map. Raises MapError."""
        spec = self.base.info().spec
        limit = max(1, min(_BATCH_COUNT, _BATCH_BYTES // (spec.key_size + spec.value_size)))
        keys, values = iter(entries), iter(entries.values())
        while batch := b"".join(islice(keys, limit)):
            self.base.fill(batch, b"".join(islice(values, limit)))

    def forget(self, keys: Iterable[bytes]) -> None:
        """These went from the old map."""
        if not self._is_array:
            for key in keys:
                with suppress(ToolchainError):
                    self.base.delete(key)

    def keep(self, old: MapHandle) -> None:
        """Pin it, and the old map with it. Raises PinError, RuntimeUnavailable."""
        for directory in journal_places(self._path):
            full = os.path.join(self._runtime.pin_root, directory)
            try:
                os.mkdir(full, 0o700)
            except FileExistsError:
                continue
            except OSError as error:
                number, place = error.errno or errno.EIO, PinPlace(directory)
                raise RuntimeUnavailable("cannot make the directory", number, place) from error
            lock = lock_directory(full)
            if lock is None:
                continue
            self._directory, self._lock = directory, lock
            self._runtime.pin(self.base, f"{directory}/{BASE}")
            self._runtime.pin(old, f"{directory}/{OLD}")
            return
        hint = "load an object with this map: that finishes them"
        raise PinError("too many migrations of this map are not finished", errno.EEXIST, PinPlace(self._path), hint)

    def end(self) -> None:
        """Everything has gone over: no pin of it stays."""
        if self._lock >= 0:
            remove(self._runtime, self._directory)
            os.close(self._lock)
            self._lock = -1
        self.base.close()
