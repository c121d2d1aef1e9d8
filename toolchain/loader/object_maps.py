"""The maps of a linked program: declared ones with their templates, and data sections as maps.

A data section becomes an array of one element, as libbpf makes it:

    section           map name             flags for programs      user space, once filled
    .rodata           OBJECT.rodata        read only               frozen
    .kconfig          OBJECT.kconfig       read only               frozen
    .data, .bss       OBJECT.data, .bss    read and write          open
    .rodata.x ...     .rodata.x            as the plain section    as the plain section

    .addr_space.1     the object's arena   -                       open

OBJECT is the file's name up to its first dot, cut to 8 bytes. Source: libbpf.c, internal_map_name() and
bpf_object__init_internal_map(). A section with a variable that other files can see may be mapped by user space.

A classic record refers to the template of its inner maps by number (``inner_id`` -> ``id``); source: iproute2
lib/bpf_legacy.c, struct bpf_elf_map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import LinkError, Where
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.spec.maps import MAP_NAME_SIZE, MapSpec, MapStyle
from toolchain.spec.objects import ARENA_SECTION, DataSpec, ObjectSpec

if TYPE_CHECKING:
    from toolchain.btf import Btf

_SUFFIX_ROOM = 7
"""Bytes that a section's name always gets of the map's name (libbpf counts '.rodata')."""


class MapTable:
    """The maps that a program refers to, numbered in the order of their first use in ``used``."""

    __slots__ = ("_data", "_index", "_maps", "_obj", "used")

    def __init__(self, obj: ObjectSpec) -> None:
        self._obj = obj
        self._maps = {each.name: each for each in obj.maps}
        self._data = {each.name: each for each in obj.data}
        self._index: dict[tuple[str, str], int] = {}
        self.used: list[MapSpec] = []

    def index_of_map(self, name: str, where: Where) -> int:
        """The number of a declared map. Raises LinkError if there is none of that name."""
        spec = self._maps.get(name)
        if spec is None:
            raise LinkError(f"undefined map: {name}", where)
        return self._number("map", name, lambda: self._with_variables(with_inner(self._obj, spec)))

    def index_of_data(self, name: str, where: Where) -> int:
        """The number of a data section's map. Raises LinkError if there is no such section."""
        data = self._data.get(name)
        if data is None:
            raise LinkError(f"undefined data section: {name}", where)
        if data.kind == ARENA_SECTION:
            return self.index_of_map(self._arena_for(data, where), where)
        return self._number("data", name, lambda: data_map(self._obj, data))

    def _with_variables(self, spec: MapSpec) -> MapSpec:
        """``spec``, of an arena with the variables that stand at its start."""
        data = self._data.get(ARENA_SECTION) if spec.map_type is MapType.ARENA else None
        return replace(spec, data=data.data) if data is not None else spec

    def _arena_for(self, data: DataSpec, where: Where) -> str:
        """The arena that holds the variables of a section; a program has one at most."""
        arenas = [each.name for each in self._obj.maps if each.map_type is MapType.ARENA]
        if len(arenas) != 1:
            raise LinkError(f"arenas for the variables of {data.name}: {len(arenas)} (one)", where)
        return arenas[0]

    def _number(self, kind: str, name: str, make: Callable[[], MapSpec]) -> int:
        index = self._index.get((kind, name))
        if index is None:
            index = self._index[kind, name] = len(self.used)
            self.used.append(make())
        return index


def with_inner(obj: ObjectSpec, spec: MapSpec) -> MapSpec:
    """``spec`` with the template that its classic record names by number, where it names one."""
    if spec.inner is not None or not spec.classic_inner_id:
        return spec
    for each in obj.maps:
        if each.classic_id == spec.classic_inner_id and each.name != spec.name:
            return replace(spec, inner=each)
    raise LinkError(f"map {spec.name}: no map has the id of its inner map: {spec.classic_inner_id}", spec.where)


def data_map(obj: ObjectSpec, data: DataSpec) -> MapSpec:
    """The map that a data section becomes."""
    is_constant = data.kind == ".rodata"
    flags = MapFlag.RDONLY_PROG if is_constant else MapFlag(0)
    type_id = _section_type(obj.btf, data.name) if data.name != ".kconfig" else 0  # its DATASEC only declares
    if type_id and _has_visible_variable(obj.btf, type_id):
        flags |= MapFlag.MMAPABLE
    return MapSpec(
        name=data_map_name(obj.path, data.name),
        map_type=MapType.ARRAY,
        key_size=4,
        value_size=len(data.data),
        max_entries=1,
        map_flags=int(flags),
        style=MapStyle.DATA,
        value_type_id=type_id,
        data=data.data,
        is_frozen=is_constant,
    )


def data_map_name(path: str, section: str) -> str:
    """The name of a data section's map, as the kernel will show it."""
    if "." in section[1:]:
        return section
    stem = path.rpartition("/")[2]
    stem = stem[: stem.find(".", 1)] if "." in stem[1:] else stem
    room = MAP_NAME_SIZE - max(_SUFFIX_ROOM, len(section))
    name = stem[: max(0, room)] + section
    return "".join(char if char.isascii() and (char.isalnum() or char in "_.") else "_" for char in name)[
        :MAP_NAME_SIZE
    ]


def _section_type(btf: Btf | None, section: str) -> int:
    """The id of the section's DATASEC, 0 where there is none."""
    if btf is None:
        return 0
    from toolchain.btf.types import Datasec

    return btf.find(section, Datasec)


def _has_visible_variable(btf: Btf | None, type_id: int) -> bool:
    from toolchain.btf.types import Datasec, Linkage, Var

    section = btf.get(type_id) if btf is not None else None
    if btf is None or not isinstance(section, Datasec):
        return False
    variables = (btf.get(each.type_id) for each in section.variables)
    return any(isinstance(each, Var) and each.linkage != Linkage.STATIC for each in variables)
