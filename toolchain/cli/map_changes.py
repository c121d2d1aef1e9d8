"""What a run did to its maps: two snapshots, and the entries in which they differ."""

from __future__ import annotations

from typing import NamedTuple

from toolchain.errors import MapError
from toolchain.spec.runtime import MapHandle

MAX_ENTRIES = 100_000
"""Entries of a map that are compared; a map with more is reported as not compared."""

Snapshot = dict[bytes, bytes]


class Change(NamedTuple):
    """An entry that is not as it was. ``before`` is None for a new one, ``after`` for one that is gone."""

    key: bytes
    before: bytes | None
    after: bytes | None


def snapshot(handle: MapHandle) -> Snapshot | None:
    """The entries of a map; None where they are too many, or the map has none to look at (ring buffers ...)."""
    if handle.info().spec.max_entries > MAX_ENTRIES:
        return None
    try:
        return dict(handle.items())
    except MapError:
        return None


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """The differing entries, in the order of their keys."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return [Change(key, before.get(key), after.get(key)) for key in keys]
