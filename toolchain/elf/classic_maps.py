"""Maps declared as records: ``struct bpf_elf_map`` of tc and ``struct bpf_map_def`` of the old samples.

    word    0     1         2           3            4          5              6          7         8
    tc      type  key_size  value_size  max_entries  map_flags  id             pinning    inner_id  inner_idx
    def     type  key_size  value_size  max_entries  map_flags  inner_map_idx  numa_node

A symbol names each record (labels apart, which are local and untyped), in section ``maps`` or in one of its own,
``maps/NAME``. A record is as long as its symbol says; where the symbol has no size, as long as section size / number
of symbols (tc's rule). 16 to 36 bytes; missing fields are zero; longer ones only if the rest is zero.

The two agree in their first five words. How others tell them apart: tc takes every record for its own struct; libbpf
before 1.0 reads five words and refuses anything but zeros behind them; cilium/ebpf does the same unless its caller
consumes the rest. The rule here, most certain evidence first:
1. type information of the variable: fields are read by their names, wherever they stand;
2. a ``maps/NAME`` section holds a def;
3. 32 or 36 bytes are tc's: no def has that many;
4. 24 or 28 bytes are a def if they say BPF_F_NUMA_NODE, or are a map of maps (tc's needs word 7) and word 6 is zero,
   else tc's.
   Where words 5 and 6 are zero both readings are the same map; it is called a def.

Source: iproute2 7.1 include/bpf_elf.h and lib/bpf_legacy.c (bpf_map_num_sym, bpf_fetch_maps_end); Linux 5.0
samples/bpf/bpf_load.c (load_elf_maps_section); libbpf 0.8.1 libbpf.c (bpf_object__init_user_maps); cilium/ebpf
elf_reader.go (loadMaps).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from toolchain.btf import Btf
from toolchain.btf.types import Struct, Var
from toolchain.elf import layout
from toolchain.elf.scope import MAX_MAPS, MAX_MEMBERS, Scope
from toolchain.isa.map_types import MAP_IN_MAP_TYPES, MapFlag, MapType
from toolchain.spec.maps import InitialValue, MapSpec, MapStyle, Pinning
from toolchain.spec.objects import Section, Symbol, SymbolBind, SymbolType

MIN_SIZE, MAX_SIZE = 16, 36
_COMMON = ("type", "key_size", "value_size", "max_entries", "map_flags")
_TC = (*_COMMON, "id", "pinning", "inner_id", "inner_idx")
_DEF = (*_COMMON, "inner_map_idx", "numa_node")
_SPELLINGS = {"size_key": "key_size", "size_value": "value_size", "max_elem": "max_entries", "flags": "map_flags"}
_PINNINGS = {0: Pinning.NONE, 1: Pinning.OBJECT, 2: Pinning.GLOBAL}
_TEMPLATE_ONLY = 0xFFFFFFFF
"""inner_idx -1: a template, in no slot."""


class _Record(NamedTuple):
    """A record, its fields by name."""

    spec: MapSpec
    fields: dict[str, int]
    section: int
    offset: int


def is_map_section(name: str) -> bool:
    """Records of maps stand in it."""
    return name == "maps" or name.startswith("maps/")


def find_classic_maps(scope: Scope, btf: Btf | None) -> list[tuple[int, int, MapSpec]]:
    """(section, offset, map) of every record, in order. Raises ObjectError for a record that means no map."""
    records: list[_Record] = []
    for number, section in enumerate(scope.sections):
        if is_map_section(section.name) and section.type == layout.SHT_PROGBITS:
            records += _records_of(scope, number, section, btf)
            if len(records) > MAX_MAPS:
                raise scope.fault(section.name, f"too many maps: {len(records)} (at most {MAX_MAPS})")
    return [(each.section, each.offset, _with_inner(each, records)) for each in records]


def _records_of(scope: Scope, number: int, section: Section, btf: Btf | None) -> list[_Record]:
    symbols: dict[int, Symbol] = {}
    named = scope.symbols_of[number]
    exported = [each for each in named if each.type is SymbolType.OBJECT or each.bind is not SymbolBind.LOCAL]
    for symbol in exported or named:
        symbols.setdefault(symbol.value, symbol)
    if not symbols:
        if section.size:
            raise scope.fault(section.name, "map records without symbols to name them", 0)
        return []
    if len(symbols) > MAX_MAPS:
        raise scope.fault(section.name, f"too many maps: {len(symbols)} (at most {MAX_MAPS})")
    records = []
    for offset in sorted(symbols):
        symbol = symbols[offset]
        size = symbol.size
        if not size:
            if section.size % len(symbols):
                message = f"{section.size} bytes of map records for {len(symbols)} symbols (a multiple)"
                raise scope.fault(section.name, message)
            size = section.size // len(symbols)
        if offset + size > section.size:
            message = f"map {symbol.name} reaches out of its section: {size} bytes at {offset} (of {section.size})"
            raise scope.fault(section.name, message, offset)
        if size < MIN_SIZE:
            message = f"map {symbol.name} has a record of {size} bytes (at least {MIN_SIZE})"
            raise scope.fault(section.name, message, offset)
        fields, style = _fields_of(scope, section, symbol.name, offset, size, btf)
        spec = _spec_of(scope, section, symbol.name, offset, fields, style, btf)
        records.append(_Record(spec, fields, number, offset))
    return records


def _fields_of(
    scope: Scope, section: Section, name: str, offset: int, size: int, btf: Btf | None
) -> tuple[dict[str, int], MapStyle]:
    """The record's fields by name, and which struct it is."""
    data = section.data[offset : offset + size]
    named = _fields_by_type(scope, btf, name, data) if btf is not None else None
    if named is not None:
        unknown = sorted(set(named) - set(_TC) - set(_DEF))
        for field in unknown:
            if named[field]:
                message = f"map {name} has an unknown field that is not zero: {field} = {named[field]:#x}"
                raise scope.fault(section.name, message, offset)
        is_tc = bool(set(named) & {"id", "pinning", "inner_id", "inner_idx"})
        return named, MapStyle.CLASSIC if is_tc else MapStyle.DEF
    words = struct.unpack_from(f"{layout.MARK[scope.file.endian]}{min(size, MAX_SIZE) // 4}I", data)
    if any(data[len(words) * 4 :]):
        message = f"map {name} has a record of {size} bytes with content after the first {MAX_SIZE} (only zeros)"
        raise scope.fault(section.name, message, offset + len(words) * 4)
    style = _style_of(section.name, words)
    names = _TC if style is MapStyle.CLASSIC else _DEF
    if any(words[len(names) :]):
        message = f"map {name} has content after its known fields (only zeros)"
        raise scope.fault(section.name, message, offset + len(names) * 4)
    return dict(zip(names, words, strict=False)), style


def _style_of(section: str, words: tuple[int, ...]) -> MapStyle:
    """Which struct a record without type information is: rules 2 to 4."""
    if section != "maps":
        return MapStyle.DEF
    if len(words) > len(_DEF) and any(words[5:]):
        return MapStyle.CLASSIC
    if len(words) in (len(_TC) - 1, len(_TC)):
        return MapStyle.CLASSIC
    if len(words) > 4 and words[4] & MapFlag.NUMA_NODE:
        return MapStyle.DEF
    if words[0] in MAP_IN_MAP_TYPES and not any(words[6:]):
        return MapStyle.DEF
    return MapStyle.CLASSIC if any(words[5:]) else MapStyle.DEF


def _fields_by_type(scope: Scope, btf: Btf, name: str, data: bytes) -> dict[str, int] | None:
    """The record's 32-bit fields by the names that the variable's type gives them; None where it has no such type."""
    variable = btf.find(name, Var)
    if not variable:
        return None
    record = btf.resolved(btf.types[variable].type_id)  # type: ignore[union-attr]
    if not isinstance(record, Struct) or record.size != len(data):
        return None
    fields: dict[str, int] = {}
    for field, start, size in _flat_members(btf, record):
        if not 0 < size <= len(data) - start:
            return None
        fields[_SPELLINGS.get(field, field)] = scope.number(data[start : start + size])
    return fields if "type" in fields else None


def _flat_members(btf: Btf, record: Struct) -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of each member; those of a struct member (one level) in its place."""
    for member in record.members[:MAX_MEMBERS]:
        inner = btf.resolved(member.type_id)
        if isinstance(inner, Struct):
            for each in inner.members[:MAX_MEMBERS]:
                yield each.name, (member.bit_offset + each.bit_offset) // 8, btf.size_of(each.type_id)
        else:
            yield member.name, member.bit_offset // 8, btf.size_of(member.type_id)


def _spec_of(
    scope: Scope, section: Section, name: str, offset: int, fields: dict[str, int], style: MapStyle, btf: Btf | None
) -> MapSpec:
    try:
        map_type = MapType(fields["type"])
    except ValueError:
        message = f"map {name} of unknown type: {fields['type']} (0..{max(MapType)})"
        raise scope.fault(section.name, message, offset) from None
    pinning = fields.get("pinning", 0)
    key_type_id, value_type_id = _annotated_types(btf, name, fields)
    inner_index = fields.get("inner_idx", 0 if style is MapStyle.CLASSIC else _TEMPLATE_ONLY)
    return MapSpec(
        name=name,
        map_type=map_type,
        key_size=fields.get("key_size", 0),
        value_size=fields.get("value_size", 0),
        max_entries=fields.get("max_entries", 0),
        map_flags=fields.get("map_flags", 0),
        style=style,
        pinning=_PINNINGS.get(pinning, Pinning.CUSTOM),
        pinning_id=pinning,
        numa_node=fields.get("numa_node", 0),
        classic_id=fields.get("id", 0),
        classic_inner_id=fields.get("inner_id", 0),
        classic_inner_index=-1 if inner_index == _TEMPLATE_ONLY else inner_index,
        key_type_id=key_type_id,
        value_type_id=value_type_id,
        where=scope.place(section.name, offset),
    )


def _annotated_types(btf: Btf | None, name: str, fields: dict[str, int]) -> tuple[int, int]:
    """Key and value type of a map that BPF_ANNOTATE_KV_PAIR describes: a struct ``____btf_map_NAME`` of the two."""
    note = btf.find(f"____btf_map_{name}", Struct) if btf is not None else 0
    if btf is None or not note:
        return 0, 0
    members = btf.types[note].members  # type: ignore[union-attr]
    if len(members) != 2:
        return 0, 0
    key, value = (member.type_id for member in members)
    sizes = btf.size_of(key), btf.size_of(value)
    return (key, value) if sizes == (fields.get("key_size"), fields.get("value_size")) else (0, 0)


def _with_inner(record: _Record, records: list[_Record]) -> MapSpec:
    """The record's map with its template and slots, which are records too."""
    spec = record.spec
    if spec.map_type not in MAP_IN_MAP_TYPES:
        return spec
    if spec.style is MapStyle.DEF:
        index = record.fields.get("inner_map_idx", 0)
        inner = records[index].spec if index < len(records) else None
        return spec if inner is None or inner is spec else replace(spec, inner=inner)
    members = [each.spec for each in records if each.spec.classic_id == spec.classic_inner_id and each is not record]
    if not spec.classic_inner_id or not members:
        return spec
    values = tuple(
        InitialValue(each.classic_inner_index, each.name)
        for each in members
        if each.classic_inner_index >= 0 and not each.classic_inner_id
    )
    return replace(spec, inner=members[0], values=values)
