"""What stands in the slots of maps that hold fds: the object says which program or map goes where.

    declared by                       prog array                    array or hash of maps
    ``.values`` of a BTF map          slot -> program               slot -> map
    classic tc                        section "ID/KEY"              the inner record's inner_idx

A program that only a slot names is loaded with the one that uses the array, under the same type where its section
gives none. Slots of new maps are filled while nobody sees them. A pinned prog array is filled last, entry by entry,
each taken back if something fails after it; a pinned map of maps stays as it is, as with tc and libbpf.

Source: libbpf.c, init_map_in_map_slots() and init_prog_array_slots(); iproute2 lib/bpf_legacy.c,
bpf_fill_prog_arrays().
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from toolchain.errors import LinkError, MapError, PinError, Unsupported
from toolchain.isa.map_types import MAP_IN_MAP_TYPES, MapType
from toolchain.isa.program_types import ProgType
from toolchain.loader.link import link
from toolchain.spec.maps import MapSpec, Pinning
from toolchain.spec.objects import ObjectSpec
from toolchain.spec.runtime import Handle, MapHandle, Runtime
from toolchain.spec.stages import LinkedProgram

if TYPE_CHECKING:
    from toolchain.loader.loaded import LoadedMap, LoadedProgram
    from toolchain.loader.publish import Undo

_SLOT = struct.Struct("=I")


def with_tail_programs(
    obj: ObjectSpec, linked: Sequence[LinkedProgram], prog_type: ProgType | None
) -> tuple[LinkedProgram, ...]:
    """``linked``, and every program that a slot of their prog arrays names, and so on. Raises as ``link``."""
    found = {each.name: each for each in linked}
    waiting = list(linked)
    known = {each.name: each for each in obj.programs}
    while waiting:
        user = waiting.pop(0)
        for name in _tail_names(user):
            if name in found:
                continue
            if name not in known:
                raise LinkError(f"a slot of a prog array names what is no program: {name}", user.where)
            own = known[name].prog_type
            found[name] = link(obj, name, prog_type or (user.prog_type if own is None else None))
            waiting.append(found[name])
    return tuple(found.values())


def _tail_names(program: LinkedProgram) -> list[str]:
    return [each.symbol for spec in program.maps if spec.map_type is MapType.PROG_ARRAY for each in spec.values]


def fill_map_of_maps(handle: MapHandle, spec: MapSpec, inner: Mapping[str, MapHandle]) -> None:
    """Put inner maps into the slots of a new map of maps. Raises MapError."""
    if spec.map_type not in MAP_IN_MAP_TYPES:
        return
    for each in spec.values:
        handle.update(_SLOT.pack(each.key), _fd(inner[each.symbol]))


def inner_specs(obj: ObjectSpec, spec: MapSpec) -> list[MapSpec]:
    """The maps of the object that slots of ``spec`` name. Raises LinkError, Unsupported (a pin of an inner map)."""
    if spec.map_type not in MAP_IN_MAP_TYPES:
        return []
    known = {each.name: each for each in obj.maps}
    found = []
    for name in dict.fromkeys(each.symbol for each in spec.values):
        inner = known.get(name)
        if inner is None:
            raise LinkError(f"a slot of map {spec.name} names what is no map: {name}", spec.where)
        if inner.pinning is not Pinning.NONE:
            raise Unsupported(f"pin of an inner map: {name}, in a slot of {spec.name}", inner.where)
        found.append(inner)
    return found


def fill_prog_arrays(
    runtime: Runtime, maps: Sequence[LoadedMap], programs: Sequence[LoadedProgram], undo: Undo
) -> None:
    """Put the programs into the slots of the prog arrays, and into ``undo`` what stood there. Raises MapError."""
    handles = {each.program.name: each.handle for each in programs}
    for each in maps:
        if each.spec.map_type is not MapType.PROG_ARRAY:
            continue
        for value in each.spec.values:
            set_program(runtime, each.handle, value.key, handles[value.symbol], undo)


def set_program(runtime: Runtime, array: MapHandle, slot: int, program: Handle, undo: Undo) -> None:
    """Put a program into a slot of a prog array, and into ``undo`` what stood there. Raises MapError.

    Owns: ``undo`` holds the program that stood there, for the slot may have been all that kept it.
    """
    key = _SLOT.pack(slot)
    with suppress(MapError, PinError):
        before = array.lookup(key)
        held = runtime.prog_by_id(_SLOT.unpack(before)[0]) if before else None
        undo.append(partial(_restore, array, key, held))
    array.update(key, _fd(program))


def _restore(array: MapHandle, key: bytes, before: Handle | None) -> None:
    if before is None:
        array.delete(key)
        return
    with before:
        array.update(key, _fd(before))


def _fd(handle: Handle) -> bytes:
    return struct.pack("=i", handle.fileno())
