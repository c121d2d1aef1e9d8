"""Migration: a map gives way to a new one of another shape, and nothing that was counted is lost on the way.

    plan       pure     field by field; what cannot be done at all is refused here           (migrate_plan.py)
    copy       reads    every entry into the new map, which nobody else sees yet             (migrate_copy.py)
    catch up   locked   what changed since, once more, right before the pin is swapped
    keep                the old map and what was copied of it are pinned beside it              (migrate_journal.py)
    swap       1 rename the path leads to the new map; programs that are running still write to the old one
    finish              the caller replaces those programs
    follow              what they wrote after the catching up is merged into the new map     (migrate_late.py)

Killed before the swap: the old pin with its map. Killed after it: the new map with all that was in the old one at the
catching up, and the journal, from which the next load merges what programs wrote since (migrate_recover.py). Programs
that go on with the old map (others than those replaced) are named in the result, and with ``drain_seconds`` their
writes are merged until none of them is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

from toolchain.errors import MigrationRefused, PinError, ToolchainError
from toolchain.isa.map_types import MapType
from toolchain.spec.runtime import MapHandle, Runtime
from toolchain.values import Value, value_type

if TYPE_CHECKING:
    from toolchain.loader.migrate_copy import MapCopy
    from toolchain.loader.migrate_late import LateWrites
    from toolchain.loader.migrate_plan import MapPlan

SETTLE_SECONDS = 0.2
"""How long programs that were replaced may take to go; they are gone at once but where a process runs them."""
_STEP_SECONDS = 0.01
_DRAIN_STEP_SECONDS = 0.1


@value_type
class MigrationOptions(Value):
    """``is_lossy``: entries that do not go over are left behind, not refused. ``drain_seconds``: how long to follow
    programs that go on with an old map.
    """

    is_lossy: bool = False
    drain_seconds: float = 0.0


@value_type
class Migrated(Value):
    """What became of one map.

    ``entries`` were carried over, ``again`` of them copied again; ``late`` were merged after the swap, and of ``kept``
    the new map's own value stayed. ``left_out`` were not carried over, for ``misfits`` (the first of them).
    ``used_by``: ids of programs that still use the old map (None: this process may not ask); ``elsewhere``: pins that
    still lead to it. ``is_exact``: every merge was atomic.
    """

    name: str
    path: str
    old_id: int
    new_id: int
    entries: int
    again: int
    late: int = 0
    kept: int = 0
    left_out: int = 0
    misfits: tuple[str, ...] = ()
    used_by: tuple[int, ...] | None = ()
    is_exact: bool = True
    elsewhere: tuple[str, ...] = ()
    map_type: MapType = MapType.UNSPEC


class _Moving(NamedTuple):
    copy: MapCopy
    late: LateWrites | None


class Migration:
    """The maps of one load that give way. Owns: the programs that merge; the maps are the caller's.

    ``cpu_count``: the values of a per-CPU element.
    """

    def __init__(self, runtime: Runtime, cpu_count: int, options: MigrationOptions | None = None) -> None:
        self.plans: list[MapPlan] = []
        self._cpu_count = cpu_count
        self._runtime = runtime
        self._options = options or MigrationOptions()
        self._moving: list[_Moving] = []
        self._used_by: dict[int, tuple[int, ...]] | None = {}
        self._stack = ExitStack()

    def require(self, plans: Sequence[MapPlan]) -> None:
        """Take on plans. Raises MigrationRefused with all faults of all of them."""
        refused = [each for each in plans if each.faults]
        if refused:
            from toolchain.loader.migrate_copy import refusal

            raise _joined([refusal(each, each.faults) for each in refused])
        self.plans += plans

    def copy(self, maps: Sequence[tuple[MapHandle, MapHandle]]) -> None:
        """Carry the entries over; ``maps`` are the old and the new one of each plan.

        Raises: MigrationRefused with what does not go over in any of them, MapError.
        """
        if not maps:
            return
        from toolchain.loader.migrate_copy import MapCopy
        from toolchain.loader.migrate_journal import Journal
        from toolchain.loader.migrate_plan import Content

        refused = []
        for plan, (old, new) in zip(self.plans, maps, strict=True):
            journal = None
            if plan.content is Content.ENTRIES:
                journal = Journal.new(self._runtime, plan.path, plan.old.spec, self._cpu_count)
                self._stack.callback(journal.end)
            copy = MapCopy(self._runtime, plan, old, new, self._cpu_count, self._options.is_lossy, journal)
            self._moving.append(_Moving(copy, None))
            try:
                copy.copy()
            except MigrationRefused as error:
                refused.append(error)
        if refused:
            raise _joined(refused)

    def catch_up(self) -> None:
        """Carry over again what has changed, and keep what the late writes are told from. Raises as copy."""
        for each in self._moving:
            each.copy.catch_up()
            if each.copy.journal is not None:
                each.copy.journal.keep(each.copy.old)

    def follow(self) -> None:
        """Merge what was written to the old maps since; with ``drain_seconds``, as long as programs use them.

        Never fails: what cannot be merged is counted and named in the results.
        """
        if self._moving:
            try:
                self._merge_until_quiet()
            finally:
                for each in self._moving:
                    if each.copy.journal is not None:
                        each.copy.journal.end()

    def _merge_until_quiet(self) -> None:
        from toolchain.loader.migrate_late import LateWrites

        self._moving = [_Moving(each.copy, LateWrites(each.copy)) for each in self._moving]
        for each in self._moving:
            assert each.late is not None
            self._stack.callback(each.late.close)
        begin = time.monotonic()
        while True:
            self._used_by = self._users()
            self._runtime.wait_for_programs()  # so nobody writes after the merge but who is named
            changed = self._merge()
            passed = time.monotonic() - begin
            users = self._used_by
            is_left = any(users.values()) if users is not None else passed < self._options.drain_seconds
            if (not changed and not is_left) or passed > max(SETTLE_SECONDS, self._options.drain_seconds):
                return
            try:
                time.sleep(_STEP_SECONDS if passed < SETTLE_SECONDS else _DRAIN_STEP_SECONDS)
            except KeyboardInterrupt:
                self._merge()
                raise

    def results(self) -> list[Migrated]:
        """What became of each map."""
        return [self._result(copy, late) for copy, late in self._moving]

    def _result(self, copy: MapCopy, late: LateWrites | None) -> Migrated:
        old_id, users = copy.old.id, self._used_by
        made = Migrated(
            copy.plan.name,
            copy.plan.path,
            old_id,
            copy.new.id if copy.new is not None else 0,
            copy.entries,
            copy.again,
            left_out=copy.left_out + copy.evicted,
            misfits=tuple(copy.misfits),
            map_type=copy.plan.new.map_type,
        )
        if late is None:
            return made
        return replace(
            made,
            late=late.merged,
            kept=late.kept,
            used_by=None if users is None else users.get(old_id, ()),
            elsewhere=tuple(self._elsewhere(old_id)),
            is_exact=late.is_exact,
        )

    def _elsewhere(self, old_id: int) -> list[str]:
        """Pins that still lead to an old map."""
        with suppress(ToolchainError):
            return [each.path for each in self._runtime.pins() if (each.kind, each.id) == ("map", old_id)]
        return []

    def _merge(self) -> int:
        count = 0
        for each in self._moving:
            if each.late is None:
                continue
            try:
                count += each.late.move()
            except ToolchainError as error:
                each.copy.trouble(f"late writes were not merged: {error}")
        return count

    def _users(self) -> dict[int, tuple[int, ...]] | None:
        """Old map's id -> ids of the programs that use it; None where this process may not ask."""
        return programs_using(self._runtime, [each.copy.old.id for each in self._moving])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _joined(errors: Sequence[MigrationRefused]) -> MigrationRefused:
    """The first error, with the faults of all of them."""
    faults = tuple(fault for error in errors for fault in (error.faults or (error,)))
    errors[0].faults = faults if len(faults) > 1 else ()
    return errors[0]


def programs_using(runtime: Runtime, map_ids: Sequence[int]) -> dict[int, tuple[int, ...]] | None:
    """Map id -> ids of the live programs that use it; None where this process may not ask."""
    found: dict[int, list[int]] = {each: [] for each in map_ids}
    try:
        for number in runtime.prog_ids():
            with suppress(PinError), runtime.prog_by_id(number) as program:
                for each in program.info().map_ids:
                    if each in found:
                        found[each].append(number)
    except ToolchainError:
        return None
    return {each: tuple(numbers) for each, numbers in found.items()}
