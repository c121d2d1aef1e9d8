"""Maps declared by types: variables of section ``.maps``.

    struct {                                    member     its type says
        __uint(type, BPF_MAP_TYPE_HASH);        type       int (*)[1]           a number: the count of an array
        __type(key, __u32);                     key        __u32 *              a type
        __uint(max_entries, 16);
        __array(values, struct inner);          values     struct inner *[]     what the slots hold: relocations
    } name SEC(".maps");

The bytes of the section are empty but for the slots of ``values``. One level of nesting: an inner map has no inner map.
A member of an unknown name is a warning: newer loaders may know it.

Source: libbpf 1.7 libbpf.c (parse_btf_map_def, bpf_object__collect_map_relos) and bpf_helpers.h (__uint, __type,
__array, __ulong); Linux 6.12 Documentation/bpf/libbpf.
"""

from __future__ import annotations

from bisect import bisect_left

from toolchain.btf import Btf
from toolchain.btf.types import Array, Enum, Enum64, FuncProto, Member, Ptr, Struct, Var
from toolchain.elf.scope import MAX_MAPS, MAX_MEMBERS, Scope
from toolchain.errors import ObjectError
from toolchain.isa.map_types import MAP_IN_MAP_TYPES, MapType
from toolchain.spec.maps import InitialValue, MapSpec, MapStyle, Pinning
from toolchain.spec.objects import SymbolType

SECTION = ".maps"
_NUMBERS = frozenset(
    ("type", "key_size", "value_size", "max_entries", "map_flags", "numa_node", "pinning", "map_extra")
)
_SLOT_SIZE = 8


class _Definition:
    """The members of one map's struct, read."""

    __slots__ = ("inner", "numbers", "types", "values_offset", "values_to_maps")

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.types: dict[str, int] = {}
        self.inner: _Definition | None = None
        self.values_offset = -1
        self.values_to_maps = False


def find_btf_maps(scope: Scope, btf: Btf | None) -> list[tuple[int, int, MapSpec]]:
    """(section, offset, map) of every variable of ``.maps``. Raises ObjectError for one that means no map."""
    number = scope.number_of.get(SECTION)
    if number is None or not scope.sections[number].size:
        return []
    section_type = next((each for _, each in btf.datasecs() if each.name == SECTION), None) if btf else None
    if btf is None or section_type is None:
        raise scope.fault(SECTION, "map definitions without type information (.BTF with a DATASEC .maps)")
    if len(section_type.variables) > MAX_MAPS:
        raise scope.fault(SECTION, f"too many maps: {len(section_type.variables)} (at most {MAX_MAPS})")
    slots = _slots(scope, number)
    found = []
    for variable in section_type.variables:
        var = btf.get(variable.type_id)
        if not isinstance(var, Var) or not var.name:
            message = f"not a variable: type {variable.type_id} in DATASEC .maps"
            raise scope.fault(SECTION, message, variable.offset)
        reader = _MapReader(scope, btf, var.name, variable.offset)
        spec = reader.spec(reader.definition(btf.resolve(var.type_id)), slots, variable.size)
        found.append((number, variable.offset, spec))
    return found


def _slots(scope: Scope, number: int) -> list[tuple[int, str]]:
    """(offset, name of the map or program) of every filled slot of the section."""
    section = scope.sections[number]
    found = []
    by_place: dict[tuple[int, int], str] = {}
    for relocation in section.relocations:
        symbol = scope.symbols[relocation.symbol] if relocation.symbol >= 0 else None
        name = symbol.name if symbol is not None else ""
        if symbol is not None and symbol.type is SymbolType.SECTION:
            by_place = by_place or _named_places(scope)
            offset = scope.number(section.data[relocation.offset : relocation.offset + _SLOT_SIZE])
            name = by_place.get((symbol.section, offset + (relocation.addend or 0)), "")
        if not name:
            raise scope.fault(SECTION, "initial value that names neither a map nor a program", relocation.offset)
        found.append((relocation.offset, name))
    return sorted(found)


def _named_places(scope: Scope) -> dict[tuple[int, int], str]:
    return {
        (number, symbol.value): symbol.name
        for number, symbols in enumerate(scope.symbols_of)
        for symbol in reversed(symbols)
    }


class _MapReader:
    """Reads one variable."""

    __slots__ = ("btf", "name", "offset", "scope")

    def __init__(self, scope: Scope, btf: Btf, name: str, offset: int) -> None:
        self.scope = scope
        self.btf = btf
        self.name = name
        self.offset = offset

    def fault(self, message: str) -> ObjectError:
        return self.scope.fault(SECTION, f"map {self.name}: {message}", self.offset)

    def definition(self, type_id: int, is_inner: bool = False) -> _Definition:
        """The members of a map's struct."""
        definition = _Definition()
        each = self.btf.get(type_id)
        if not isinstance(each, Struct):
            raise self.fault(f"defined by {each.kind.name.lower()} (a struct)")
        if len(each.members) > MAX_MEMBERS:
            raise self.fault(f"defined by too many members: {len(each.members)} (at most {MAX_MEMBERS})")
        for member in each.members:
            if member.name in _NUMBERS:
                definition.numbers[member.name] = self._number(member)
            elif member.name in ("key", "value"):
                definition.types[member.name] = self._pointee(member)
            elif member.name == "values" and not is_inner:
                definition.values_offset = member.bit_offset // 8
                self._read_values(definition, member)
            elif member.name == "values":
                raise self.fault("an inner map that has values of its own")
            else:
                self.scope.warn(f"map {self.name}: unknown field {member.name!r} is ignored")
        return definition

    def _number(self, member: Member) -> int:
        """A number: the count of an array pointed to, or the one value of an enum (``__ulong``)."""
        each = self.btf.resolved(member.type_id)
        if isinstance(each, Ptr):
            array = self.btf.resolved(each.type_id)
            if isinstance(array, Array):
                return array.count
        if isinstance(each, Enum | Enum64) and len(each.values) == 1:
            return each.values[0].value
        raise self.fault(f"field {member.name} is no number: {each.kind.name.lower()} (pointer to an array)")

    def _pointee(self, member: Member) -> int:
        each = self.btf.resolved(member.type_id)
        if not isinstance(each, Ptr):
            raise self.fault(f"field {member.name} is no type: {each.kind.name.lower()} (pointer to one)")
        return each.type_id

    def _read_values(self, definition: _Definition, member: Member) -> None:
        each = self.btf.resolved(member.type_id)
        if not isinstance(each, Array) or each.count:
            raise self.fault("values is no array without a size")
        element = self.btf.resolved(each.type_id)
        if not isinstance(element, Ptr):
            raise self.fault(f"values holds {element.kind.name.lower()} (pointers to maps or programs)")
        target_id = self.btf.resolve(element.type_id)
        target = self.btf.types[target_id]
        if isinstance(target, Struct):
            definition.values_to_maps = True
            definition.inner = self.definition(target_id, is_inner=True)
        elif not isinstance(target, FuncProto):
            raise self.fault(f"values points to {target.kind.name.lower()} (a map's struct or a function)")

    def _size(self, definition: _Definition, field: str) -> int:
        """The size that ``field`` ("key" or "value") has by its type or by its number, which must agree."""
        number = definition.numbers.get(f"{field}_size")
        type_id = definition.types.get(field)
        if type_id is None:
            return number or 0
        size = self.btf.size_of(type_id)
        if number is not None and number != size:
            raise self.fault(f"{field}_size and the size of {field} differ: {number}, {size}")
        return size

    def spec(self, definition: _Definition, slots: list[tuple[int, str]], size: int = 0) -> MapSpec:
        """The map that the members mean. ``size`` is the variable's, whose slots are taken from ``slots``."""
        numbers = definition.numbers
        try:
            map_type = MapType(numbers.get("type", 0))
        except ValueError:
            raise self.fault(f"unknown type: {numbers['type']} (0..{max(MapType)})") from None
        pinning = numbers.get("pinning", 0)
        if pinning not in (0, 1):
            raise self.fault(f"unknown pinning: {pinning} (0 none, 1 by name)")
        value_size = self._size(definition, "value")
        inner: MapSpec | None = None
        values: tuple[InitialValue, ...] = ()
        if definition.values_offset >= 0:
            if definition.values_to_maps != (map_type in MAP_IN_MAP_TYPES):
                raise self.fault(f"values of another kind than a map of type {map_type.label} holds")
            if value_size not in (0, 4):
                raise self.fault(f"value size of a map with values: {value_size} (4)")
            value_size = 4
            values = self._values(definition.values_offset, slots, size)
        if definition.inner is not None:
            name = f"{self.name}.inner"
            inner = _MapReader(self.scope, self.btf, name, self.offset).spec(definition.inner, [])
        return MapSpec(
            name=self.name,
            map_type=map_type,
            key_size=self._size(definition, "key"),
            value_size=value_size,
            max_entries=numbers.get("max_entries", 0),
            map_flags=numbers.get("map_flags", 0),
            style=MapStyle.BTF,
            pinning=Pinning.BY_NAME if pinning else Pinning.NONE,
            numa_node=numbers.get("numa_node", 0),
            map_extra=numbers.get("map_extra", 0),
            inner=inner,
            values=values,
            key_type_id=definition.types.get("key", 0),
            value_type_id=definition.types.get("value", 0),
            where=self.scope.place(SECTION, self.offset),
        )

    def _values(self, values_offset: int, slots: list[tuple[int, str]], size: int) -> tuple[InitialValue, ...]:
        start, end = self.offset + values_offset, self.offset + size
        values = []
        for offset, name in slots[bisect_left(slots, (start, "")) : bisect_left(slots, (end, ""))]:
            if (offset - start) % _SLOT_SIZE:
                raise self.fault(f"initial value between two slots: byte {offset - start}")
            values.append(InitialValue((offset - start) // _SLOT_SIZE, name))
        return tuple(values)
