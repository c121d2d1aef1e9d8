"""Migrations that were killed between the swap and their end: what the old map was still given goes over now.

    PATH leads to    the old map     the swap never happened: the journal is removed
                     another map     what differs from ``base`` is merged (migrate_late.py); where programs still use
                                     the old map the journal stays, for the command that replaces them

A load, a resize and whatever loads do this for the pins that they are about, before and after their own work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import cast

from toolchain.errors import ToolchainError
from toolchain.loader.journals import BASE, OLD, remove, unfinished
from toolchain.loader.migrate import programs_using
from toolchain.loader.migrate_copy import MapCopy
from toolchain.loader.migrate_journal import Journal
from toolchain.loader.migrate_late import LateWrites
from toolchain.loader.migrate_plan import plan_map, types_of
from toolchain.loader.publish import get_or_none
from toolchain.spec.runtime import Handle, MapHandle, MapInfo, Runtime
from toolchain.values import Value, value_type

_STEP_SECONDS = 0.01


@value_type
class Recovered(Value):
    """What an interrupted migration of the map at ``path`` still brought.

    ``late`` entries were merged, ``kept`` left as the new map has them; ``misfits`` say what cannot be merged.
    ``used_by``: ids of programs that still use the old map (None: this process may not ask).
    """

    path: str
    old_id: int
    late: int = 0
    kept: int = 0
    misfits: tuple[str, ...] = ()
    used_by: tuple[int, ...] | None = ()

    def then(self, later: Recovered | None) -> Recovered:
        """Both together, where ``later`` came of the same journal."""
        return self if later is None else replace(later, late=self.late + later.late, kept=self.kept + later.kept)


def finish_interrupted(
    runtime: Runtime, paths: Iterable[str], cpu_count: int, settle_seconds: float = 0.0
) -> list[Recovered]:
    """Merge what killed migrations of these pins left. Never fails: what cannot be merged stays, and is named.

    ``settle_seconds``: how long to wait for programs that use an old map, and are about to go; 0 where the caller has
    not replaced them yet, and comes again.
    """
    found = []
    for path in paths:
        for directory, lock in unfinished(runtime, path):
            try:
                made = _finish(runtime, path, directory, cpu_count, settle_seconds)
            except ToolchainError as error:
                made = Recovered(path, 0, misfits=(str(error),))
            finally:
                os.close(lock)
            if made is not None:
                found.append(made)
    return found


def _finish(runtime: Runtime, path: str, directory: str, cpu_count: int, settle_seconds: float) -> Recovered | None:
    with ExitStack() as stack:
        old, base, new = (_map(runtime, each, stack) for each in (f"{directory}/{OLD}", f"{directory}/{BASE}", path))
        if old is None or base is None or new is None or new.id == old.id:
            remove(runtime, directory)
            return None
        info = new.info()
        plan = plan_map(old.info(), info.spec, types_of(info), path)
        if plan.faults:
            return Recovered(path, old.id, misfits=plan.faults)
        copy = MapCopy(runtime, plan, old, new, cpu_count, is_lossy=True, journal=Journal(runtime, path, base))
        copy.baseline = dict(base.items())
        late = LateWrites(copy)
        stack.callback(late.close)
        until = time.monotonic() + settle_seconds
        while True:
            users = programs_using(runtime, [old.id])
            used_by = None if users is None else users[old.id]
            runtime.wait_for_programs()  # so nobody writes after the merge but who is named
            late.move()
            if not used_by or time.monotonic() > until:
                break
            time.sleep(_STEP_SECONDS)
        if used_by == () or (used_by is None and settle_seconds):
            remove(runtime, directory)
        return Recovered(path, old.id, late.merged, late.kept, tuple(copy.misfits), used_by)


def _map(runtime: Runtime, path: str, stack: ExitStack) -> MapHandle | None:
    handle: Handle | None = get_or_none(runtime, path)
    if handle is None:
        return None
    stack.callback(handle.close)
    return cast(MapHandle, handle) if isinstance(handle.info(), MapInfo) else None  # type: ignore[attr-defined]
