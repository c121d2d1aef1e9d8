"""resize: a pinned map gives way to one with room for another number of elements.

The same steps as in a load that migrates (migrate.py), for one map and without programs; all pins of the map go over
together. Programs keep the map that they were loaded with, so a map that programs use is resized only if the caller
says so, and what they write then is merged for as long as asked.
"""

from __future__ import annotations

import errno
import sys
from contextlib import ExitStack
from dataclasses import replace

from toolchain.errors import LoadError, MigrationRefused, PinPlace, ToolchainError
from toolchain.isa.map_types import MAP_IN_MAP_TYPES
from toolchain.loader.migrate import Migrated, Migration, MigrationOptions, programs_using
from toolchain.loader.migrate_plan import MapPlan, plan_map, resized, types_of
from toolchain.loader.pipeline import possible_cpus, recover
from toolchain.loader.publish import LostRace, MapPin, publish
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import MapHandle, MapInfo, Runtime


def plan_resize(runtime: Runtime, old: MapHandle, max_entries: int) -> tuple[MapPlan, tuple[str, ...]]:
    """The plan, and the pins that would go over. Raises MigrationRefused, ToolchainError where it is not pinned."""
    info = old.info()
    pins = tuple(each.path for each in runtime.pins() if each.kind == "map" and each.id == info.id)
    if not pins:
        raise ToolchainError(
            f"map id {info.id} is not pinned: a new one would have no name",
            hint="a map without a pin goes with its users",
        )
    spec = resized(info, max_entries)
    if spec.map_type in MAP_IN_MAP_TYPES and spec.inner is None:
        spec = replace(spec, inner=_inner_of(runtime, old))
    differences = (("max_entries", max_entries, info.spec.max_entries),)
    return plan_map(info, spec, types_of(info), pins[0], differences), pins


def require_unused(runtime: Runtime, info: MapInfo, path: str) -> None:
    """Raise MigrationRefused where programs use the map: they would go on with the old one."""
    users = programs_using(runtime, [info.id])
    if users is None:
        hint = "it takes CAP_SYS_ADMIN; --while-used goes on without"
        raise MigrationRefused("cannot see whether programs use this map", PinPlace(path), hint)
    numbers = users[info.id]
    if numbers:
        named = ", ".join(map(str, numbers[:10])) + (" .." if len(numbers) > 10 else "")
        hint = (
            "load them anew with --on-mismatch migrate and the new size in the object; or --while-used, with --drain"
            " SECONDS while you replace them"
        )
        raise MigrationRefused(f"programs use this map, and would go on with the old one: prog id {named}",
                               PinPlace(path), hint)  # fmt: skip


def resize(
    runtime: Runtime, old: MapHandle, max_entries: int, options: MigrationOptions, while_used: bool = False
) -> Migrated | None:
    """Put a map of another size in the place of ``old``, at all its pins; None where it has that size already.

    Raises: MigrationRefused (an entry without room, programs that use it), LoadError (a size that the runtime refuses,
    a pin that changed meanwhile), RuntimeUnavailable; then nothing has changed.
    """
    info = old.info()
    if info.spec.max_entries == max_entries:
        return None
    recover(runtime, runtime.pins_of(old))
    plan, pins = plan_resize(runtime, old, max_entries)
    if not while_used:
        require_unused(runtime, info, pins[0])
    with ExitStack() as stack:
        migration = stack.enter_context(Migration(runtime, possible_cpus(), options))
        migration.require([plan])
        new = stack.enter_context(runtime.map_create(plan.new, info.btf))
        migration.copy([(old, new)])

        def prepare() -> None:
            migration.catch_up()
            if info.is_frozen:
                new.freeze()

        try:
            publish(runtime, [MapPin(new, path, False, old) for path in pins], (), None, prepare)
        except LostRace:
            raise LoadError("somebody else changed the pin meanwhile", errno.EAGAIN, PinPlace(pins[0])) from None
        migration.follow()
        return migration.results()[0]


def _inner_of(runtime: Runtime, outer: MapHandle) -> MapSpec:
    """The definition of the maps in a map of maps, where the runtime tells it of none: that of the first one."""
    for _, value in outer.items():
        number = int.from_bytes(value[:4], sys.byteorder)
        if number:
            with runtime.map_by_id(number) as inner:
                return replace(inner.info().spec, key_type_id=0, value_type_id=0)
    raise MigrationRefused("an empty map of maps does not say what its maps are like", hint="load its object anew")
