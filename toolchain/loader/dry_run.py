"""A load that changes nothing: what would become of each map, and whether it could.

link, look at pins, bind, verify    as in a load (a kernel judges programs only when it loads them: not here)
migrations                          planned, and every entry of the old map looked at: would it go over?
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, cast

from toolchain.loader.bind import OnMismatch, bind, differences_of
from toolchain.loader.migrate_copy import MapCopy
from toolchain.loader.pipeline import (
    LoadOptions,
    linked_programs,
    plan_migrations,
    possible_cpus,
    program_pins,
    this_machine,
    verify_all,
    view_of,
)
from toolchain.loader.publish import get_or_none, require_free
from toolchain.spec.objects import ObjectSpec
from toolchain.spec.runtime import MapHandle, MapInfo, Runtime
from toolchain.spec.stages import BindAction, LinkedProgram, MapBinding

if TYPE_CHECKING:
    from toolchain.loader.migrate_plan import MapPlan


class MapPreview(NamedTuple):
    """What would become of one map. ``action``: create, reuse, keep, replace or migrate.

    ``differences``: (field, declared, pinned). For a migration: its plan, how many entries would go over and how many
    not, and why not (fields, and the first entries).
    """

    name: str
    pin: str
    action: str
    old: MapInfo | None = None
    differences: tuple[tuple[str, object, object], ...] = ()
    plan: MapPlan | None = None
    entries: int = 0
    left_out: int = 0
    faults: tuple[str, ...] = ()


class Preview(NamedTuple):
    """What a load would do. ``programs`` are (program, pin or ''); ``is_verified``: all of them passed."""

    programs: tuple[tuple[LinkedProgram, str], ...]
    maps: tuple[MapPreview, ...]
    is_verified: bool = False

    def is_refused(self, is_lossy: bool) -> bool:
        """Some map would be refused."""
        return any(each.faults and (not is_lossy or not each.left_out) for each in self.maps)


def preview(runtime: Runtime, obj: ObjectSpec, options: LoadOptions) -> Preview:
    """What ``load`` would do now. Raises what it would raise, but for entries that do not go over."""
    selected, linked, paths = linked_programs(runtime, obj, options)
    pins = program_pins(selected, options.pin)
    for path in pins.values():
        require_free(runtime, path)
    with ExitStack() as stack:
        found = {}
        for path in paths.values():
            handle = get_or_none(runtime, path)
            if handle is not None:
                found[path] = stack.enter_context(handle)
        view = view_of(found)
        bound = bind(linked, paths, view, options.on_mismatch, this_machine())
        if runtime.takes_verified:
            verify_all(bound)
        plans = {each.name: each for each in plan_migrations(bound, found, options.on_mismatch)}
        maps: dict[str, MapPreview] = {}
        for program in bound:
            for binding in program.bindings:
                if binding.spec.name not in maps:
                    old = view.maps.get(binding.pin_path)
                    made = _preview(binding, old, program.program, options.on_mismatch)
                    plan = plans.get(binding.spec.name)
                    if plan is not None:
                        made = _surveyed(runtime, made, plan, cast(MapHandle, found[plan.path]))
                    maps[binding.spec.name] = made
    programs = tuple((each, pins.get(each.name, "")) for each in linked)
    return Preview(programs, tuple(maps.values()), runtime.takes_verified)


def _preview(binding: MapBinding, old: MapInfo | None, program: LinkedProgram, on_mismatch: OnMismatch) -> MapPreview:
    spec, path = binding.spec, binding.pin_path
    if old is None:
        return MapPreview(spec.name, path, "create")
    declared = next(each for each in program.maps if each.name == spec.name)
    wanted = spec if binding.action is BindAction.CREATE else declared
    rows = tuple((row[2], row[3], row[4]) for row in differences_of(wanted, program.btf, path, old))
    if binding.action is BindAction.CREATE:
        return MapPreview(spec.name, path, on_mismatch.value, old, rows)
    return MapPreview(spec.name, path, "keep" if on_mismatch is OnMismatch.KEEP and rows else "reuse", old, rows)


def preview_of_plan(runtime: Runtime, plan: MapPlan, old: MapHandle) -> MapPreview:
    """What would become of one map by a plan."""
    return _surveyed(runtime, MapPreview(plan.name, plan.path, "migrate", plan.old, plan.differences), plan, old)


def _surveyed(runtime: Runtime, made: MapPreview, plan: MapPlan, old: MapHandle) -> MapPreview:
    """With the plan, and what looking at every entry showed."""
    if plan.faults:
        return made._replace(plan=plan, faults=plan.faults)
    survey = MapCopy(runtime, plan, old, None, possible_cpus(), is_lossy=True)
    survey.copy()
    return made._replace(
        plan=plan, entries=survey.entries, left_out=survey.left_out, faults=tuple(survey.misfits)
    )  # fmt: skip
