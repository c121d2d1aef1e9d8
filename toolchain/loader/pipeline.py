"""load: the one place that orders effects.

    link            pure     every selected program, or all their faults
    look at pins    reads    a PinView of the paths that the maps ask for
    bind            pure     PinConflict changes nothing
    verify          pure     every program, before anything exists (the kernel judges for itself, at ``load programs``)
    create maps     unpinned; data maps filled and frozen, maps of maps filled
    load programs   handles, still invisible
    migrate         entries of maps that differ into those that take their place; then the slots of new prog arrays
    publish         all pins or none; who lost a race starts over at ``look at pins``
    finish          under the same lock: slots of pinned prog arrays, attaching; a failure takes the pins back
    late writes     what programs wrote to a migrated map after the last copy

Until ``publish`` everything made lives by its handles alone: a failure, or kill -9, leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from toolchain.errors import LoadError, Rejected, ToolchainError, Unsupported
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.loader.bind import Machine, OnMismatch, PinLayout, PinView, bind, differences_of, normalised, pin_paths
from toolchain.loader.core_target import TypesOf
from toolchain.loader.journals import has_journal
from toolchain.loader.link import link_all
from toolchain.loader.loaded import Loaded, LoadedMap, LoadedProgram
from toolchain.loader.migrate import SETTLE_SECONDS, Migration, MigrationOptions
from toolchain.loader.pinning_file import read_places
from toolchain.loader.prepare import prepared
from toolchain.loader.publish import LostRace, MapPin, Undo, get_or_none, publish, require_free
from toolchain.loader.slots import fill_map_of_maps, fill_prog_arrays, inner_specs, with_tail_programs
from toolchain.spec.maps import MapSpec, Pinning
from toolchain.spec.objects import ObjectSpec
from toolchain.spec.runtime import Handle, MapHandle, MapInfo, ProgHandle, Runtime
from toolchain.spec.stages import BindAction, BoundProgram, LinkedProgram, VerifiedProgram
from toolchain.values import Value, value_type

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.loader.migrate_plan import MapPlan
    from toolchain.loader.migrate_recover import Recovered

ATTEMPTS = 100
"""Races that one load may lose before it gives up; each lost race means that somebody else's load succeeded."""


@value_type
class LoadOptions(Value):
    """What to load of an object, and how.

    ``map_paths``: map name -> pin path, before all else. ``pin``: the one program's pin, or a directory when several
    programs are loaded ('' = none). ``is_published`` False: existing pins are used, none is made. ``btf``: the file
    whose types answer CO-RE relocations ('' = see core_target.py). ``migration``: how maps that differ migrate, where
    ``on_mismatch`` says that they do.
    """

    programs: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    prog_type: ProgType | None = None
    map_paths: Mapping[str, str] = field(default_factory=dict)
    layout: PinLayout = PinLayout.TC
    on_mismatch: OnMismatch = OnMismatch.FAIL
    pin: str = ""
    is_published: bool = True
    btf: str = ""
    migration: MigrationOptions = field(default_factory=MigrationOptions)


Finish = Callable[[ProgHandle, Undo], None]
"""What is done with the first program once the maps are pinned; says how to take it back."""


def load(runtime: Runtime, obj: ObjectSpec, options: LoadOptions | None = None, finish: Finish | None = None) -> Loaded:
    """Load the selected programs of an object, and those that slots of their prog arrays name.

    ``finish`` is called once, last, while nobody else publishes; if it fails, everything is taken back.

    Raises: LinkError, PinConflict, Rejected, Unsupported, LoadError, PinError, RuntimeUnavailable; whichever it is,
    nothing was changed.
    """
    options = options or LoadOptions()
    obj = prepared(obj, TypesOf(options.btf), for_kernel=not runtime.takes_verified)
    selected, linked, paths = _linked(obj, options)
    pins = program_pins(selected, options.pin) if options.is_published else {}
    for path in pins.values():
        require_free(runtime, path)
    recovered = recover(runtime, paths.values()) if options.is_published else []
    for _ in range(ATTEMPTS):
        with contextlib.suppress(LostRace):
            loaded = _attempt(runtime, obj, linked, paths, pins, options, finish)
            if any(each.used_by != () for each in recovered):  # perhaps by the programs that were replaced now
                later = {each.old_id: each for each in recover(runtime, paths.values(), SETTLE_SECONDS)}
                recovered = [each.then(later.get(each.old_id)) for each in recovered]
            loaded.recovered = tuple(recovered)
            return loaded
    raise LoadError(f"lost the race for a pin {ATTEMPTS} times", errno.EAGAIN)


def recover(runtime: Runtime, paths: Iterable[str], settle_seconds: float = 0.0) -> list[Recovered]:
    """Finish the migrations of these pins that were killed. ``settle_seconds``: how long to wait for programs to go."""
    left = [path for path in dict.fromkeys(paths) if has_journal(runtime, path)]
    if not left:
        return []
    from toolchain.loader.migrate_recover import finish_interrupted

    return finish_interrupted(runtime, left, possible_cpus(), settle_seconds)


def linked_programs(
    runtime: Runtime, obj: ObjectSpec, options: LoadOptions
) -> tuple[tuple[LinkedProgram, ...], tuple[LinkedProgram, ...], dict[str, str]]:
    """The programs selected, all that will be loaded with them, and map name -> pin path; nothing is touched."""
    obj = prepared(obj, TypesOf(options.btf), for_kernel=not runtime.takes_verified)
    return _linked(obj, options)


def _linked(
    obj: ObjectSpec, options: LoadOptions
) -> tuple[tuple[LinkedProgram, ...], tuple[LinkedProgram, ...], dict[str, str]]:
    selected = tuple(link_all(obj, options.programs, options.sections, options.prog_type))
    linked = with_tail_programs(obj, selected, options.prog_type)
    specs = [spec for program in linked for spec in program.maps]
    places = read_places() if any(each.pinning is Pinning.CUSTOM for each in specs) else {}
    return selected, linked, pin_paths(specs, options.layout, options.map_paths, obj.sha1, places)


def program_pins(linked: Sequence[LinkedProgram], pin: str) -> dict[str, str]:
    """Program name -> pin: ``pin`` itself for one program, a name below it for several."""
    if not pin:
        return {}
    if len(linked) == 1:
        return {linked[0].name: pin}
    return {each.name: f"{pin.rstrip('/')}/{each.name.replace('.', '_')}" for each in linked}


def _attempt(
    runtime: Runtime,
    obj: ObjectSpec,
    linked: Sequence[LinkedProgram],
    paths: Mapping[str, str],
    pins: Mapping[str, str],
    options: LoadOptions,
    finish: Finish | None,
) -> Loaded:
    with ExitStack() as stack:
        found = {path: handle for path in paths.values() if (handle := _held(stack, get_or_none(runtime, path)))}
        bound = bind(linked, paths, view_of(found), options.on_mismatch, this_machine())
        ready = verify_all(bound) if runtime.takes_verified else bound
        migration = stack.enter_context(Migration(runtime, possible_cpus(), options.migration))
        migration.require(plan_migrations(bound, found, options.on_mismatch))
        maps = _make_maps(runtime, obj, bound, found, stack, options.is_published)
        programs = _load_programs(runtime, ready, maps, pins, stack)
        migration.copy([(cast(MapHandle, found[each.path]), maps[each.name].handle) for each in migration.plans])
        fill_prog_arrays(runtime, [each for each in maps.values() if not each.is_reused], programs, [])
        if options.is_published:
            publish(
                runtime,
                [_map_pin(each, found) for each in maps.values() if each.pin],
                [(each.handle, each.pin) for each in programs if each.pin],
                partial(_finish, runtime, list(maps.values()), programs, finish),
                migration.catch_up,
            )
            migration.follow()
        results = {each.name: each for each in migration.results()}
        listed = [each._replace(migrated=results.get(each.spec.name)) for each in maps.values()]
        return Loaded(programs, listed, stack.pop_all())


def plan_migrations(
    bound: Sequence[BoundProgram], found: Mapping[str, Handle], on_mismatch: OnMismatch
) -> list[MapPlan]:
    """How each pinned map that differs becomes the declared one; nothing where that was not asked for."""
    if on_mismatch is not OnMismatch.MIGRATE:
        return []
    from toolchain.loader.migrate_plan import plan_map

    view = view_of(found)
    plans: dict[str, MapPlan] = {}
    for program in bound:
        for binding in program.bindings:
            spec, path = binding.spec, binding.pin_path
            if binding.action is BindAction.CREATE and path in view.maps and spec.name not in plans:
                btf = program.program.btf
                rows = differences_of(spec, btf, path, view.maps[path])
                differences = tuple((row[2], row[3], row[4]) for row in rows)
                plans[spec.name] = plan_map(view.maps[path], spec, btf, path, differences)
    return list(plans.values())


def _finish(
    runtime: Runtime,
    maps: Sequence[LoadedMap],
    programs: Sequence[LoadedProgram],
    finish: Finish | None,
    undo: Undo,
) -> None:
    fill_prog_arrays(runtime, [each for each in maps if each.is_reused], programs, undo)
    if finish is not None:
        finish(programs[0].handle, undo)


def view_of(handles: Mapping[str, Handle]) -> PinView:
    """What the handles found at some paths are, as a value."""
    maps: dict[str, MapInfo] = {}
    others: dict[str, str] = {}
    for path, handle in handles.items():
        info = handle.info()  # type: ignore[attr-defined]
        if isinstance(info, MapInfo):
            maps[path] = _with_constants(cast(MapHandle, handle), info)
        else:
            others[path] = getattr(handle, "kind", "prog")
    return PinView(maps, others)


def _with_constants(handle: MapHandle, info: MapInfo) -> MapInfo:
    """``info`` with the content of a data map that nobody can change any more: constants are compared, too."""
    spec = info.spec
    is_data = spec.map_type is MapType.ARRAY and spec.max_entries == 1 and spec.is_read_only_for_programs
    if not (info.is_frozen and is_data):
        return info
    return replace(info, spec=replace(spec, data=handle.lookup(bytes(4))))


def verify_all(bound: Sequence[BoundProgram]) -> list[VerifiedProgram]:
    """Every program verified. Raises the first refusal, with those of all programs as its faults."""
    from toolchain.verifier import verify

    verified: list[VerifiedProgram] = []
    faults: list[ToolchainError] = []
    for each in bound:
        try:
            verified.append(verify(each))
        except (Rejected, Unsupported) as error:
            faults.append(error)
    _raise_gravest(faults)
    return verified


def _raise_gravest(faults: list[ToolchainError]) -> None:
    """Raise the gravest of the refusals, with all of them as its faults; nothing where there is none."""
    if faults:
        faults.sort(key=lambda error: not isinstance(error, Rejected))
        faults[0].faults = tuple(faults) if len(faults) > 1 else ()
        raise faults[0]


def bind_unpinned(program: LinkedProgram) -> BoundProgram:
    """The program as it would be bound where nothing is pinned."""
    return bind((program,), machine=this_machine())[0]


def this_machine() -> Machine:
    """The numbers of this machine that definitions may leave open."""
    return Machine(possible_cpus(), os.sysconf("SC_PAGE_SIZE"))


def possible_cpus() -> int:
    """How many CPUs this machine may ever have: the values of an element of a per-CPU map."""
    try:
        with open("/sys/devices/system/cpu/possible") as file:
            return sum(
                int(last or first) - int(first) + 1
                for first, _, last in (part.partition("-") for part in file.read().split(","))
            )
    except (OSError, ValueError):
        return os.cpu_count() or 1


def _held(stack: ExitStack, handle: Handle | None) -> Handle | None:
    return stack.enter_context(handle) if handle is not None else None


def _make_maps(
    runtime: Runtime,
    obj: ObjectSpec,
    bound: Sequence[BoundProgram],
    found: Mapping[str, Handle],
    stack: ExitStack,
    is_published: bool,
) -> dict[str, LoadedMap]:
    """Every map of the programs, by name: the pinned one, or a new one that nobody else can see yet."""
    maps: dict[str, LoadedMap] = {}
    for binding in (binding for program in bound for binding in program.bindings):
        spec = binding.spec
        if spec.name in maps:
            continue
        if binding.action is BindAction.REUSE:
            handle = cast(MapHandle, found[binding.pin_path])
        else:
            handle = stack.enter_context(create_map(runtime, obj.btf, spec))
        is_reused = binding.action is BindAction.REUSE
        pin = binding.pin_path if is_reused or is_published else ""
        maps[spec.name] = LoadedMap(handle, spec, pin, is_reused)
    for each in [each for each in maps.values() if not each.is_reused]:
        _fill_map_of_maps(runtime, obj, each, maps, stack)
    return maps


def _fill_map_of_maps(
    runtime: Runtime, obj: ObjectSpec, outer: LoadedMap, maps: Mapping[str, LoadedMap], stack: ExitStack
) -> None:
    inner = {name: each.handle for name, each in maps.items()}
    for spec in inner_specs(obj, outer.spec):
        if spec.name not in inner:
            inner[spec.name] = stack.enter_context(create_map(runtime, obj.btf, normalised(spec, this_machine())))
    fill_map_of_maps(outer.handle, outer.spec, inner)


def create_map(runtime: Runtime, btf: Btf | None, spec: MapSpec) -> MapHandle:
    """A new map, filled with its initial content and frozen where the spec says so."""
    spec, raw = _with_types(runtime, btf, spec)
    handle = runtime.map_create(spec, raw)
    try:
        if spec.data is not None and spec.map_type is not MapType.ARENA:  # whoever makes an arena fills it
            handle.update(bytes(4), spec.data)
        if spec.is_frozen:
            handle.freeze()
    except BaseException:
        handle.close()
        raise
    return handle


def _with_types(runtime: Runtime, btf: Btf | None, spec: MapSpec) -> tuple[MapSpec, bytes]:
    """The type information for a map: all of the object's for a kernel, which compares it with the program's."""
    if not _has_types(spec):
        return spec, b""
    if not runtime.takes_verified:
        return spec, btf.encode() if btf is not None else b""
    from toolchain.loader.map_btf import with_own_types

    return with_own_types(spec, btf)


def _has_types(spec: MapSpec) -> bool:
    return bool(spec.key_type_id or spec.value_type_id) or (spec.inner is not None and _has_types(spec.inner))


def _load_programs(
    runtime: Runtime,
    programs: Sequence[VerifiedProgram | BoundProgram],
    maps: Mapping[str, LoadedMap],
    pins: Mapping[str, str],
    stack: ExitStack,
) -> list[LoadedProgram]:
    """Every program in the runtime. Raises the gravest refusal, with those of all programs as its faults."""
    loaded: list[LoadedProgram] = []
    faults: list[ToolchainError] = []
    for each in programs:
        linked = each.program
        try:
            handle = stack.enter_context(runtime.prog_load(each, [maps[spec.name].handle for spec in linked.maps]))
            loaded.append(LoadedProgram(handle, linked, pins.get(linked.name, "")))
        except (Rejected, Unsupported, LoadError) as error:
            faults.append(error)
    _raise_gravest(faults)
    return loaded


def _map_pin(loaded: LoadedMap, found: Mapping[str, Handle]) -> MapPin:
    replaced = None if loaded.is_reused else cast("MapHandle | None", found.get(loaded.pin))
    return MapPin(loaded.handle, loaded.pin, loaded.is_reused, replaced)
