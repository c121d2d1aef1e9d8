"""What a migration would do to one map: decided from two definitions, before a single entry is read.

    old map (pinned) --MapPlan--> new map (as the object declares it, or of another size)

    what it holds   of the types                                        goes over
    entries         hash, lru_hash, array, and their per-CPU kinds      into each other: key and value by their types
                    lpm_trie; devmap and devmap_hash of 4-byte values   into its own kind
    slots           prog_array, array_of_maps, hash_of_maps             into its own kind: what the slots name
    nothing         constants (.rodata): the object brings its own      the new map begins with those
    what nobody     ring buffers, queues, bloom filters, sockets,       not at all: a fault of the plan
    can read        storage of sockets, tasks ...

A value that was one becomes that of CPU 0 in a per-CPU map. Per-CPU values become one by adding up integers of 4 and 8
bytes; all else must be on one CPU at most.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from toolchain.isa.map_types import MAP_IN_MAP_TYPES, PERCPU_TYPES, MapFlag, MapType
from toolchain.loader.migrate_counters import counter_places
from toolchain.loader.migrate_steps import Conversion
from toolchain.loader.migrate_types import Typed, conversion
from toolchain.spec.maps import MapSpec, MapStyle
from toolchain.spec.runtime import MapInfo
from toolchain.values import Value, value_type

if TYPE_CHECKING:
    from toolchain.btf import Btf

KEYED_TYPES = frozenset(
    {MapType.HASH, MapType.ARRAY, MapType.LRU_HASH, MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH}
)
ARRAY_TYPES = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
"""All their elements are there from the start, and zero."""
SLOT_TYPES = frozenset({MapType.PROG_ARRAY, *MAP_IN_MAP_TYPES})
DEVICE_TYPES = frozenset({MapType.DEVMAP, MapType.DEVMAP_HASH})


class Content(StrEnum):
    """What is carried over."""

    ENTRIES = "entries"
    SLOTS = "slots"
    NOTHING = "nothing"


class Spread(StrEnum):
    """What becomes of the values of the CPUs."""

    SAME = "same"
    FIRST = "first"
    """One value becomes that of CPU 0."""
    SUM = "sum"
    """The values of all CPUs become one."""


@value_type
class MapPlan(Value):
    """How the map pinned at ``path`` becomes a new one.

    ``differences``: (field, declared, pinned), as PinConflict names them. ``counters``: (offset, size) of integers in
    the new value. ``faults``: why it cannot be done at all.
    """

    name: str
    path: str
    old: MapInfo
    new: MapSpec
    content: Content
    key: Conversion
    value: Conversion
    spread: Spread = Spread.SAME
    differences: tuple[tuple[str, object, object], ...] = ()
    counters: tuple[tuple[int, int], ...] = ()
    faults: tuple[str, ...] = ()


def plan_map(
    old: MapInfo, new: MapSpec, btf: Btf | None, path: str, differences: tuple[tuple[str, object, object], ...] = ()
) -> MapPlan:
    """The plan for one map; ``btf`` is where ``new``'s type ids count. What cannot be done is in its ``faults``."""
    old_btf = types_of(old)
    spec = old.spec
    key = conversion(
        Typed(old_btf, spec.key_type_id, spec.key_size), Typed(btf, new.key_type_id, new.key_size)
    )  # fmt: skip
    value = conversion(
        Typed(old_btf, spec.value_type_id, spec.value_size), Typed(btf, new.value_type_id, new.value_size)
    )
    if new.data is not None:  # variables that the old map has not begin as the object says
        rows = tuple(row._replace(how="new, the object's value") if not row.before else row for row in value.rows)
        value = replace(value, template=new.data, rows=rows)
    content = Content.NOTHING if new.is_frozen else Content.SLOTS if new.map_type in SLOT_TYPES else Content.ENTRIES
    faults = [] if content is Content.NOTHING else [
        *_kind_faults(spec, new),
        *(f"key: {each}" for each in key.faults),
        *(f"value: {each}" for each in value.faults),
    ]  # fmt: skip
    return MapPlan(
        new.name, path, old, new, content, key, value, _spread(spec.map_type, new.map_type), differences,
        counter_places(btf, new.value_type_id, new.value_size), tuple(faults),
    )  # fmt: skip


def resized(old: MapInfo, max_entries: int) -> MapSpec:
    """The same map with room for another number of elements, as a runtime creates it.

    What a runtime does not tell of a live map is left open: the NUMA node, and the flag that says that there is one.
    """
    flags = old.spec.map_flags & ~MapFlag.NUMA_NODE
    if old.spec.map_type in DEVICE_TYPES:
        flags &= ~MapFlag.RDONLY_PROG  # the kernel sets it by itself: kernel/bpf/devmap.c, dev_map_init_map()
    return replace(old.spec, max_entries=max_entries, map_flags=flags, style=MapStyle.LIVE, numa_node=0)


def types_of(info: MapInfo) -> Btf | None:
    """The types that a live map brings; None where it brings none. Raises ObjectError."""
    if not info.btf:
        return None
    from toolchain.btf.codec import Btf

    return Btf.decode(info.btf, path=f"map {info.id}")


def _kind_faults(old: MapSpec, new: MapSpec) -> list[str]:
    kinds = {old.map_type, new.map_type}
    before, after = old.map_type.label, new.map_type.label
    if kinds <= KEYED_TYPES or kinds == {MapType.LPM_TRIE}:
        return []
    if kinds <= DEVICE_TYPES:
        return [] if old.value_size == 4 else [f"a {before} with programs in its entries"]
    if len(kinds) == 1 and old.map_type in SLOT_TYPES:
        return []
    if len(kinds) == 1:
        return [f"what is in a {before} cannot be read and put elsewhere"]
    return [f"a {before} cannot become a {after}"]


def _spread(old: MapType, new: MapType) -> Spread:
    was, will_be = old in PERCPU_TYPES, new in PERCPU_TYPES
    return Spread.SAME if was == will_be else Spread.FIRST if will_be else Spread.SUM
