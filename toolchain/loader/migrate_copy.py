"""Copying the entries of a map into a new one that nobody uses yet, and copying again what changed meanwhile.

    copy     every entry, by batches; what was read is kept as the baseline
    again    what is not as in the baseline, once more; entries that went are removed

Both leave the new map equal to the old one as it was read, or name the entries that cannot go over. Complexity: linear;
memory for the baseline, about 200 bytes and twice the key and the value for each entry (elements of an array that are
zero cost nothing). Writers are not stopped: an entry is read as some write left it, or, where a program was writing in
place, partly so, and then it differs from the baseline the next time.
"""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from toolchain.errors import MapError, MigrationRefused, PinError, PinPlace, errno_name
from toolchain.isa.map_types import MapType, UpdateFlag
from toolchain.loader.migrate_entries import entry_converter, key_converter
from toolchain.loader.migrate_journal import Journal
from toolchain.loader.migrate_plan import ARRAY_TYPES, Content, MapPlan
from toolchain.loader.migrate_steps import Misfit
from toolchain.spec.runtime import MapHandle, Runtime

LISTED = 20
"""Entries that are named one by one."""
_BATCH_BYTES = 1 << 20
_BATCH_COUNT = 1 << 12
_HINT = "--lossy leaves such entries behind"
_LRU_TYPES = frozenset({MapType.LRU_HASH, MapType.LRU_PERCPU_HASH})


class Change(NamedTuple):
    """An entry of the old map that changed; ``before`` is None for a new one."""

    key: bytes
    before: bytes | None
    value: bytes


def key_text(key: bytes) -> str:
    """A key for a message: 0a 00 00 00 (10)."""
    number = f" ({int.from_bytes(key, sys.byteorder)})" if len(key) in (1, 2, 4, 8) else ""
    return f"{key[:32].hex(' ')}{' ..' if len(key) > 32 else ''}{number}"


class MapCopy:
    """One map on its way. ``new`` None: nothing is written, only looked at.

    ``entries`` were carried over, ``again`` of them a second time; ``left_out`` counts those that do not go over, and
    ``misfits`` says why, of the first ones. ``evicted``: how many an LRU map has dropped again by itself.
    ``journal``: told what has gone over.
    """

    def __init__(
        self,
        runtime: Runtime,
        plan: MapPlan,
        old: MapHandle,
        new: MapHandle | None,
        cpu_count: int,
        is_lossy: bool,
        journal: Journal | None = None,
    ) -> None:
        self.runtime, self.plan, self.old, self.new = runtime, plan, old, new
        self.is_lossy, self.journal, self.cpu_count = is_lossy, journal, cpu_count
        self.entries = self.again = self.left_out = self.evicted = 0
        self.misfits: list[str] = []
        self.baseline: dict[bytes, bytes] = {}
        self.convert = entry_converter(plan, cpu_count)
        self._to_key = key_converter(plan)
        self._owners: dict[bytes, bytes] = {}
        self._is_from_array = plan.old.spec.map_type in ARRAY_TYPES
        self._is_to_array = plan.new.map_type in ARRAY_TYPES
        self._skips_zero = (
            self._is_from_array
            and plan.new.data is None  # else the new element is not zero to begin with
            and (self._is_to_array or plan.old.spec.max_entries > plan.new.max_entries)
        )
        self._batch: list[tuple[bytes, bytes, bytes]] = []
        self._batch_limit = 1

    def copy(self) -> None:
        """Carry every entry over. Raises MigrationRefused with the entries that do not go over, MapError."""
        if self.plan.content is Content.NOTHING:
            return
        zero = b""
        for key, value in self._read():
            if self._is_from_array:
                zero = zero or bytes(len(value))
                value = zero if value == zero else value
            is_new = key not in self.baseline
            self.baseline[key] = value
            if not (self._skips_zero and value is zero):
                self._carry(key, value, is_new)
        self._settle()
        if self.journal is not None:
            may_be_zero = self._is_from_array
            self.journal.note(
                {k: v for k, v in self.baseline.items() if v is not zero} if may_be_zero else self.baseline
            )

    def catch_up(self) -> None:
        """Carry over again what has changed since. Raises as copy."""
        if self.plan.content is Content.NOTHING:
            return
        changed, gone = self.changes()
        for key in gone:  # first, for what is new may need their room
            self._forget(key)
        for key, before, value in changed:
            self.again += 1
            self._carry(key, value, before is None)
        self._settle()
        self.note(changed, gone)

    def note(self, changed: list[Change], gone: list[bytes]) -> None:
        """Have the journal say that these have gone over. Raises MapError."""
        if self.journal is not None:
            self.journal.forget(gone)
            self.journal.note({key: value for key, _, value in changed})

    def changes(self) -> tuple[list[Change], list[bytes]]:
        """What is not as in the baseline, and the keys that went. The baseline follows."""
        before, now = self.baseline, {}
        changed = []
        for key, value in self._read():
            known = before.get(key)
            if known is None or known != value:
                changed.append(Change(key, known, value))
                known = value
            now[key] = known
        self.baseline = now
        return changed, [key for key in before if key not in now] if not self._is_from_array else []

    def _read(self) -> Iterator[tuple[bytes, bytes]]:
        if self.plan.content is not Content.SLOTS:
            yield from self.old.items()
            return
        for key, value in self.old.items():
            if any(value):
                yield key, value

    def _carry(self, key: bytes, value: bytes, is_new: bool) -> None:
        try:
            new_key, new_value = self.convert(key, value)
            self._require_room(key, new_key, is_new)
        except Misfit as error:
            self.misfit(key, str(error))
            return
        if is_new:
            self.entries += 1
        if self.new is None:
            return
        if self.plan.content is Content.SLOTS:
            self._put_slot(key, new_key, new_value)
            return
        if not self._batch:
            size = len(new_key) + len(new_value)
            self._batch_limit = max(1, min(_BATCH_COUNT, _BATCH_BYTES // max(1, size)))
        self._batch.append((key, new_key, new_value))
        if len(self._batch) >= self._batch_limit:
            self._flush()

    def _require_room(self, key: bytes, new_key: bytes, is_new: bool) -> None:
        room = self.plan.new.max_entries
        if self._is_to_array or self.plan.content is Content.SLOTS:
            if len(new_key) == 4 and self.plan.new.map_type is not MapType.HASH_OF_MAPS:
                index = int.from_bytes(new_key, sys.byteorder)
                if index >= room:
                    raise Misfit(f"no such element in the new map: {index} (0..{room - 1})")
        elif is_new and self.entries >= room:
            raise Misfit(f"more entries than the new map takes: max_entries {room}")
        if not self.plan.key.is_identity:
            owner = self._owners.setdefault(new_key, key)
            if owner != key:
                raise Misfit(f"has the same key in the new map as {key_text(owner)}: {key_text(new_key)}")

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        assert self.new is not None
        try:
            self.new.fill(b"".join(row[1] for row in batch), b"".join(row[2] for row in batch))
        except MapError:
            for key, new_key, value in batch:
                try:
                    self.new.update(new_key, value, UpdateFlag.ANY)
                except MapError as error:
                    self.misfit(key, f"the new map refuses it: {errno_name(error.errno)}")

    def _put_slot(self, key: bytes, new_key: bytes, value: bytes) -> None:
        """Put what the old slot names into the new one; the value is an id."""
        assert self.new is not None
        number = int.from_bytes(value[:4], sys.byteorder)
        what = "prog" if self.plan.old.spec.map_type is MapType.PROG_ARRAY else "map"
        opener = self.runtime.prog_by_id if what == "prog" else self.runtime.map_by_id
        try:
            with opener(number) as held:
                self.new.update(new_key, struct.pack("=i", held.fileno()))
        except PinError as error:
            if error.errno != errno.ENOENT:  # it went, and with it the slot
                raise
        except MapError as error:
            self.misfit(key, f"the new map does not take {what} id {number}: {errno_name(error.errno)}")

    def _forget(self, key: bytes) -> None:
        """An entry went from the old map: remove it from the new one."""
        with suppress(Misfit, MapError):
            new_key = self._to_key(key)
            self._flush()
            if self._owners.get(new_key, key) == key:
                self._owners.pop(new_key, None)
                self.entries -= 1
                if self.new is not None:
                    self.new.delete(new_key)

    def misfit(self, key: bytes, why: str) -> None:
        """Count an entry that does not go over."""
        self.left_out += 1
        if len(self.misfits) < LISTED:
            self.misfits.append(f"entry {key_text(key)}: {why}")

    def trouble(self, text: str) -> None:
        """Count something else that did not go over, once."""
        if text not in self.misfits:
            self.left_out += 1
            self.misfits.append(text)

    def _settle(self) -> None:
        """Write what is left; raise MigrationRefused where something does not go over.

        An LRU map may evict long before it has max_entries: kernel/bpf/bpf_lru_list.c keeps free elements by CPU.
        """
        self._flush()
        if self.plan.new.map_type in _LRU_TYPES and self.new is not None:
            self.evicted = max(0, self.entries - sum(1 for _ in self.new.items()))
        reasons = list(self.misfits)
        if self.evicted:
            reasons.append(f"{self.evicted} entries: the new map has evicted them already, as LRU maps may")
        if reasons and not self.is_lossy:
            raise refusal(self.plan, reasons, self.left_out + (1 if self.evicted else 0))


def refusal(plan: MapPlan, reasons: list[str] | tuple[str, ...], count: int = 0) -> MigrationRefused:
    """The error that names the fields or entries of a map that cannot go over."""
    where = PinPlace(plan.path)
    texts = list(reasons)
    if count > len(texts):
        texts.append(f"{count - len(texts)} more entries")
    what = "would lose something" if count else "cannot become the one that is wanted"
    faults = tuple(MigrationRefused(f"map {plan.name} {what}: {text}", where) for text in texts)
    faults[-1].hint = _HINT if count else "--on-mismatch replace begins with an empty map"
    first = faults[0]
    error = MigrationRefused(first.message, where, faults[-1].hint)
    error.faults = faults if len(faults) > 1 else ()
    return error
