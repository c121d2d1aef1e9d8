"""bind: what becomes of each map of the linked programs. Reuse the one that is pinned, or create.

    declared map --pin_paths--> path --PinView--> nothing there      CREATE (and pin, when loading)
                                                  equal              REUSE
                                                  another one        PinConflict: every differing field of every map

``PinView`` is a value: what stood at those paths when somebody looked. So a refusal changes nothing, and whoever loses
a race binds again with a new view.

Where maps are pinned, by layout (first row that fits; the command line's ``--map NAME=PATH`` goes before all):

    asks for                        tc                    libbpf       flat
    name (BTF pinning, pin=name)    tc/globals/NAME       NAME         NAME
    classic id 2                    tc/globals/NAME       as tc        NAME
    classic id 1                    tc/SHA1/NAME          as tc        NAME     SHA1 of the object file
    classic id 0, no pinning        nowhere
    any other classic id            PLACE/NAME            as tc        NAME     PLACE as a bpf_pinning file says

Names with a dot are pinned with an underscore in its place: bpffs takes no dots (libbpf.c, sanitize_pin_path()).

Two definitions are compared after what every loader and kernel does to a definition anyway (``normalised``): otherwise
an object would not match the map that it made itself a minute ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from toolchain.errors import LinkError, PinConflict, PinPlace
from toolchain.isa.map_types import MAP_IN_MAP_TYPES, MapFlag, MapType
from toolchain.spec.maps import MapSpec, Pinning
from toolchain.spec.runtime import MapInfo
from toolchain.spec.stages import BindAction, BoundProgram, LinkedProgram, MapBinding
from toolchain.values import Value, value_type

if TYPE_CHECKING:
    from toolchain.btf import Btf

Difference = tuple[str, str, str, object, object]
"""Map name, pin path, field, declared value, pinned value: a row of PinConflict.differences."""


class PinLayout(StrEnum):
    """Whose habit decides where a map is pinned."""

    TC = "tc"
    LIBBPF = "libbpf"
    FLAT = "flat"


class OnMismatch(StrEnum):
    """What to do about a pinned map that differs."""

    FAIL = "fail"
    KEEP = "keep"
    """Use the pinned map as it is; the verifier judges the program against that one."""
    REPLACE = "replace"
    """Create a new map and let it take the pin's place; who uses the old one keeps it."""
    MIGRATE = "migrate"
    """The same, with the entries of the old map carried over (migrate.py)."""


@value_type
class PinView(Value):
    """What was pinned when somebody looked. ``others`` are pins that are no maps, path -> kind. Never changed."""

    maps: Mapping[str, MapInfo] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)


class Machine(NamedTuple):
    """What a definition may leave to the machine it is loaded on."""

    cpu_count: int = 1
    page_size: int = 4096


def pin_paths(
    maps: Iterable[MapSpec],
    layout: PinLayout = PinLayout.TC,
    overrides: Mapping[str, str] | None = None,
    object_sha1: str = "",
    places: Mapping[int, str] | None = None,
) -> dict[str, str]:
    """Map name -> path relative to the pin root, for the maps that are to be pinned.

    ``places``: pinning id -> directory, for classic ids from 3.
    Raises: LinkError for an override of a map that there is not, and for a pinning id without a known place.
    """
    overrides = overrides or {}
    specs = {each.name: each for each in maps}
    for name in overrides:
        if name not in specs:
            known = ", ".join(sorted(specs)[:20]) or "none"
            raise LinkError(f"no program loaded uses a map of that name: {name} ({known})")
    paths = {
        name: overrides.get(name) or _place(spec, layout, object_sha1, places or {}) for name, spec in specs.items()
    }
    return {name: path for name, path in paths.items() if path}


def _place(spec: MapSpec, layout: PinLayout, object_sha1: str, places: Mapping[int, str]) -> str:
    name = (spec.pin_name or spec.name).replace(".", "_")
    match spec.pinning:
        case Pinning.NONE:
            return ""
        case Pinning.CUSTOM if spec.pinning_id in places:
            return name if layout is PinLayout.FLAT else f"{places[spec.pinning_id]}/{name}"
        case Pinning.CUSTOM:
            text = f"map {spec.name}: pinning id without a known place: {spec.pinning_id} (0 none, 1 object, 2 global)"
            raise LinkError(text, spec.where, f"say where with --map {spec.name}=PATH")
        case _ if layout is PinLayout.FLAT:
            return name
        case Pinning.OBJECT:
            return f"tc/{object_sha1 or 'object'}/{name}"
        case Pinning.BY_NAME if layout is PinLayout.LIBBPF:
            return name
    return f"tc/globals/{name}"


def differences_of(declared: MapSpec, btf: Btf | None, path: str, info: MapInfo) -> list[Difference]:
    """Every field in which a pinned map is not the declared one, those of its types included."""
    return [*_differences(declared, path, info), *_type_differences(declared, btf, path, info)]


def bind(
    programs: Sequence[LinkedProgram],
    paths: Mapping[str, str] | None = None,
    view: PinView | None = None,
    on_mismatch: OnMismatch = OnMismatch.FAIL,
    machine: Machine | None = None,
) -> tuple[BoundProgram, ...]:
    """Every program with what each of its maps becomes. Maps of one name are one map, in all programs.

    Raises: PinConflict with all differences of all maps.
    """
    paths, view, machine = paths or {}, view or PinView(), machine or Machine()
    bindings: dict[str, MapBinding] = {}
    differences: list[Difference] = []
    for program, spec in ((each, spec) for each in programs for spec in each.maps):
        if spec.name in bindings:
            continue
        declared, path = normalised(spec, machine), paths.get(spec.name, "")
        binding = MapBinding(declared, BindAction.CREATE, path)
        if path in view.others:
            differences.append((spec.name, path, "kind", "map", view.others[path]))
        elif path in view.maps:
            found = differences_of(declared, program.btf, path, view.maps[path])
            if not found or on_mismatch is OnMismatch.KEEP:
                binding = _reuse(declared, path, view.maps[path])
            elif on_mismatch is OnMismatch.FAIL:
                differences += found
        bindings[spec.name] = binding
    if differences:
        raise _conflict(differences)
    return tuple(BoundProgram(each, tuple(bindings[spec.name] for spec in each.maps)) for each in programs)


def _reuse(declared: MapSpec, path: str, info: MapInfo) -> MapBinding:
    """The pinned map, under its declared name. Its content is not promised to the verifier, frozen or not."""
    pinned = info.spec
    spec = replace(
        declared,
        map_type=pinned.map_type,
        key_size=pinned.key_size,
        value_size=pinned.value_size,
        max_entries=pinned.max_entries,
        map_flags=pinned.map_flags,
        map_extra=pinned.map_extra,
        data=None,
        is_frozen=info.is_frozen,
    )
    return MapBinding(spec, BindAction.REUSE, path, info.id)


def _conflict(differences: list[Difference]) -> PinConflict:
    names = list(dict.fromkeys(row[0] for row in differences))
    subject = f"map {names[0]} differs" if len(names) == 1 else f"{len(names)} maps differ"
    plural = "" if len(differences) == 1 else "s"
    path = differences[0][1]
    hint = f"use another pin with --map {names[0]}=PATH"
    if all(row[2] != "kind" for row in differences):
        hint = (
            f"see it with 'bpf-load map show {path}'; carry its entries over with --on-mismatch migrate (with --dry-run"
            f" to see how), use it as it is with keep, begin with an empty one with replace, or {hint}"
        )
    message = f"{subject} from what is pinned, in {len(differences)} field{plural}"
    return PinConflict(message, PinPlace(path), hint, tuple(differences))


def normalised(spec: MapSpec, machine: Machine) -> MapSpec:
    """``spec`` as it will be created, with its inner maps' template: what libbpf fills in or rounds up, done here.

    Source: libbpf.c, adjust_ringbuf_sz() and bpf_object__create_map(): PERF_EVENT_ARRAY; cilium/ebpf's
    MapSpec.fixupMagicFields for CPUMAP and map-in-map values.
    """
    if spec.inner is not None:
        spec = replace(spec, inner=normalised(spec.inner, machine))
    match spec.map_type:
        case MapType.RINGBUF | MapType.USER_RINGBUF:
            return replace(spec, max_entries=_ring_size(spec.max_entries, machine.page_size))
        case MapType.PERF_EVENT_ARRAY | MapType.CPUMAP if spec.max_entries == 0:
            return replace(spec, max_entries=machine.cpu_count)
        case MapType.ARRAY_OF_MAPS | MapType.HASH_OF_MAPS if spec.value_size == 0:
            return replace(spec, value_size=4)
    return spec


def _ring_size(size: int, page_size: int) -> int:
    if size == 0:
        return 0
    rounded = page_size
    while rounded < size:
        rounded *= 2
    return rounded


def _differences(declared: MapSpec, path: str, info: MapInfo) -> Iterator[Difference]:
    """Every field in which the pinned map is not the declared one."""
    pinned = info.spec
    if declared.map_type != pinned.map_type:
        yield declared.name, path, "type", declared.map_type.label, pinned.map_type.label
    yield from _number_differences(declared, path, pinned)
    if declared.is_frozen != info.is_frozen:
        yield declared.name, path, "frozen", declared.is_frozen, info.is_frozen
    if declared.data is not None and pinned.data is not None and declared.data != pinned.data:
        yield declared.name, path, "constants", declared.data[:16].hex(" "), pinned.data[:16].hex(" ")
    if declared.map_type in MAP_IN_MAP_TYPES and declared.inner is not None and pinned.inner is not None:
        if declared.inner.map_type != pinned.inner.map_type:
            yield declared.name, path, "inner type", declared.inner.map_type.label, pinned.inner.map_type.label
        yield from _number_differences(declared.inner, path, pinned.inner, declared.name, "inner ")


def _type_differences(declared: MapSpec, btf: Btf | None, path: str, info: MapInfo) -> Iterator[Difference]:
    """Fields of the key's and the value's struct that lie elsewhere, where both sides have type information."""
    if btf is None or not info.btf:
        return
    from toolchain.btf.codec import Btf
    from toolchain.loader.type_layout import field_layout, type_text

    pinned = Btf.decode(info.btf, path=path)
    for name, ours, theirs in (
        ("key fields", declared.key_type_id, info.spec.key_type_id),
        ("value fields", declared.value_type_id, info.spec.value_type_id),
    ):
        left, right = field_layout(btf, ours) if ours else "", field_layout(pinned, theirs) if theirs else ""
        if left and right and left != right:
            yield declared.name, path, name, type_text(btf, ours), type_text(pinned, theirs)


def _number_differences(
    declared: MapSpec, path: str, pinned: MapSpec, name: str = "", prefix: str = ""
) -> Iterator[Difference]:
    name = name or declared.name
    for attribute in ("key_size", "value_size", "max_entries", "map_extra"):
        ours, theirs = getattr(declared, attribute), getattr(pinned, attribute)
        if ours != theirs:
            yield name, path, prefix + attribute, ours, theirs
    ours, theirs = _compared_flags(declared), _compared_flags(pinned)
    if ours != theirs:
        yield name, path, prefix + "map_flags", flags_text(ours), flags_text(theirs)


def _compared_flags(spec: MapSpec) -> int:
    """The flags without those that the kernel adds by itself. Source: kernel/bpf/devmap.c, dev_map_init_map()."""
    if spec.map_type in (MapType.DEVMAP, MapType.DEVMAP_HASH):
        return spec.map_flags & ~MapFlag.RDONLY_PROG
    return spec.map_flags


def flags_text(flags: int) -> str:
    """0x81 -> '0x81 (NO_PREALLOC, RDONLY_PROG)'."""
    names = [flag.name for flag in MapFlag if flags & flag and flag.name]
    return f"0x{flags:x}" + (f" ({', '.join(names)})" if names else "")
