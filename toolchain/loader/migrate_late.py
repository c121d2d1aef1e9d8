"""What programs wrote to the old map after the last copy: merged into the new map, which others write to meanwhile.

An entry was A when it was last copied, and is B now. What became of it in the new map is not known, so

    integers of 4 and 8 bytes   B - A is added to what the new map has: counts of both are kept, none twice
    all else                    B takes the place of A where the new map still has A; else the new map's is newer
    an entry that is new        is added, unless the new map has one of that key: then as from A = 0
    an entry that is gone       goes from the new map too, if it is as it was there

The adding is done by a program that runs where the new map is (migrate_adder.py). Where that cannot be, entries are
read and written, and what is counted between the two is lost: ``is_exact``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from toolchain.errors import MapError
from toolchain.isa.map_types import PERCPU_TYPES, MapType, UpdateFlag
from toolchain.loader.migrate_adder import Adder, Addition, Words
from toolchain.loader.migrate_copy import Change, MapCopy
from toolchain.loader.migrate_entries import cpu_parts
from toolchain.loader.migrate_plan import Content, Spread
from toolchain.loader.migrate_steps import Misfit


class LateWrites:
    """Merges the late writes of one map. Owns: its programs; ``close`` lets them go.

    ``merged`` counts entries; ``kept`` those where the new map's own value was left, ``lost`` those that do not fit.
    """

    def __init__(self, copy: MapCopy) -> None:
        assert copy.new is not None
        self._copy, self._new = copy, copy.new
        self._journal = copy.journal
        self._adder = Adder(copy.runtime, copy.new, copy.journal.base if copy.journal else None)
        self._keys: set[bytes] | None = None
        self.merged = self.kept = self.lost = 0

    @property
    def is_exact(self) -> bool:
        """Every addition was atomic."""
        return self._adder.is_exact

    def move(self) -> int:
        """Merge what was written since the last copy or move; how many entries had changed. Raises MapError."""
        if self._copy.plan.content is not Content.ENTRIES:
            return 0
        before, self._keys = self._copy.baseline, None
        count = self.merged + self.kept + self.lost
        changed, gone = self._copy.changes()
        for key in gone:  # first, for what is new may need their room
            self._remove(key, before[key])
        for change in changed:
            self._merge(*change)
        self._adder.flush()
        self._copy.note(changed, gone)
        return self.merged + self.kept + self.lost - count

    def close(self) -> None:
        """Let go of the programs."""
        self._adder.close()

    def _merge(self, key: bytes, before: bytes | None, value: bytes) -> None:
        try:
            new_key, now = self._copy.convert(key, value)
        except Misfit as error:
            self._lose(key, str(error))
            return
        base = self._base(key, before, len(now))
        try:
            if base is None:
                if self._insert(new_key, now):
                    if self._journal is not None:
                        self._journal.note({key: value})
                    return
                base = bytes(len(now))
            self._merge_into(new_key, base, now, Change(key, before, value))
        except MapError as error:
            self._lose(key, error.message)

    def _base(self, key: bytes, before: bytes | None, size: int) -> bytes | None:
        """What the new map was given for this entry; None where it was given none."""
        if before is None:
            return None
        try:
            return self._copy.convert(key, before)[1]
        except Misfit:
            return bytes(size)

    def _insert(self, key: bytes, value: bytes) -> bool:
        if self._lookup(key) is not None:
            return False
        try:
            self._new.update(key, value, UpdateFlag.NOEXIST)
        except MapError:
            self._keys = None
            if self._lookup(key) is None:
                raise
            return False
        if self._keys is not None:
            self._keys.add(key)
        self.merged += 1
        return True

    def _merge_into(self, key: bytes, base: bytes, now: bytes, change: Change) -> None:
        current = self._lookup(key)
        if current is None:
            self.kept += 1
            return
        spec, counters = self._copy.plan.new, self._copy.plan.counters
        is_kept = is_merged = False
        rows = zip(cpu_parts(spec, base), cpu_parts(spec, now), cpu_parts(spec, current), strict=True)
        for cpu, (was, will_be, there) in enumerate(rows):
            if was == will_be:
                continue
            deltas, tail, kept = _deltas(was, will_be, there, counters)
            is_kept |= kept
            if deltas or tail:
                is_merged = True
                addition = Addition(key, deltas, tail, (change.key, self._seen(change, cpu)))
                self._adder.add(cpu if spec.map_type in PERCPU_TYPES else -1, addition)
        self.merged += is_merged
        self.kept += is_kept and not is_merged

    def _seen(self, change: Change, cpu: int) -> bytes:
        """The old value as far as it has gone over once the additions of this CPU and of those before are done."""
        plan = self._copy.plan
        if plan.spread is not Spread.SAME or plan.old.spec.map_type not in PERCPU_TYPES:
            return change.value
        end = (cpu + 1) * len(change.value) // self._copy.cpu_count
        return change.value[:end] + (change.before or bytes(len(change.value)))[end:]

    def _remove(self, key: bytes, before: bytes) -> None:
        with contextlib.suppress(Misfit, MapError):
            new_key, base = self._copy.convert(key, before)
            if self._lookup(new_key) == base:
                self._new.delete(new_key)
                if self._keys is not None:
                    self._keys.discard(new_key)
                self.merged += 1
            else:
                self.kept += 1

    def _lookup(self, key: bytes) -> bytes | None:
        """The value of this very key: in a trie a lookup would answer with a shorter prefix."""
        if self._copy.plan.new.map_type is MapType.LPM_TRIE:
            if self._keys is None:
                self._keys = {each for each, _ in self._new.items()}
            if key not in self._keys:
                return None
        return self._new.lookup(key)

    def _lose(self, key: bytes, why: str) -> None:
        self.lost += 1
        self._copy.misfit(key, f"written after the copy: {why}")


def _deltas(was: bytes, now: bytes, there: bytes, counters: Words) -> tuple[dict[tuple[int, int], int], bytes, bool]:
    """Word -> what to add, the new last bytes where they are no whole word, and whether something is left as it is."""
    found: dict[tuple[int, int], int] = {}
    is_kept = False
    for offset, size, is_counter in _words(len(was), counters):
        part = slice(offset, offset + size)
        if was[part] == now[part]:
            continue
        if not is_counter and there[part] != was[part]:
            is_kept = True
            continue
        delta = int.from_bytes(now[part], sys.byteorder) - int.from_bytes(was[part], sys.byteorder)
        found[offset, size] = delta % (1 << size * 8)
    end = len(was) // 4 * 4
    tail = now[end:] if was[end:] != now[end:] and there[end:] == was[end:] else b""
    return found, tail, is_kept or (was[end:] != now[end:] and not tail)


def _words(size: int, counters: Words) -> Iterator[tuple[int, int, bool]]:
    """The whole words of a value: the counters, and words of 4 bytes where there is none."""
    sizes = dict(counters)
    at = 0
    while at + 4 <= size:
        width = sizes.get(at, 0)
        yield at, width or 4, bool(width)
        at += width or 4
