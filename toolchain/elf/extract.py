"""What an object means: ObjectFile to ObjectSpec.

    sections, symbols --+-- functions.py    code cut into functions, programs among them
                        +-- classic_maps.py, btf_maps.py    maps of all styles
                        +-- data.py         data sections, licence, version, externs, types repaired
                        `-- references.py   relocations -> what each instruction names

Everything an object declares comes out, whether some runtime can load it or not: features that are not modelled are for
the loader of the one program that needs them to refuse. What raises ObjectError is broken.
"""

from __future__ import annotations

from dataclasses import replace

from toolchain.btf import Btf, BtfExt
from toolchain.elf import layout
from toolchain.elf.btf_maps import SECTION as BTF_MAPS
from toolchain.elf.btf_maps import find_btf_maps
from toolchain.elf.classic_maps import find_classic_maps, is_map_section
from toolchain.elf.data import find_data, find_externs, kernel_version, licence, repair_types
from toolchain.elf.functions import Extent, find_functions, find_programs, unique_names
from toolchain.elf.reader import read
from toolchain.elf.references import Resolver
from toolchain.elf.scope import Scope
from toolchain.elf.struct_ops import with_members
from toolchain.isa.codec import decode
from toolchain.isa.map_types import MapType
from toolchain.spec.maps import InitialValue, MapSpec, Pinning
from toolchain.spec.objects import FunctionSpec, ObjectFile, ObjectSpec, ProgramSpec
from toolchain.spec.sections import tail_slot


def read_spec(data: bytes, path: str = "<memory>") -> ObjectSpec:
    """What the object in ``data`` means: read and extract, without what only a debugger needs.

    Raises: ObjectError naming the file and the section or offset.
    """
    spec = extract(read(data, path, without_debug=True))
    if any(each.pinning is Pinning.OBJECT for each in spec.maps):
        from hashlib import sha1

        return replace(spec, sha1=sha1(data, usedforsecurity=False).hexdigest())
    return spec


def extract(file: ObjectFile) -> ObjectSpec:
    """What an object means. ``sha1`` is left empty: the file's bytes are not known here (see ``read_spec``).

    Raises: ObjectError naming the file and the section or offset.
    """
    scope = Scope(file)
    btf, btf_ext = _types(scope)
    extents = find_functions(scope)
    names = unique_names(scope, extents)
    programs = find_programs(scope, extents, names)
    placed = _unique_maps(scope, [*find_classic_maps(scope, btf), *find_btf_maps(scope, btf)])
    data = find_data(scope)
    resolver = Resolver(
        scope,
        {(extent.section, extent.start): name for extent, name in zip(extents, names, strict=True)},
        {(number, offset): spec.name for number, offset, spec in placed},
        {number: data[number].name if number in data else name for number, name in _address_sections(scope)},
    )
    functions = _functions(scope, extents, names, resolver)
    data_specs = tuple(
        replace(each, references=resolver.of_data(number)) if scope.sections[number].relocations else each
        for number, each in data.items()
    )
    maps = _with_tail_programs([spec for _, _, spec in placed], programs)
    return ObjectSpec(
        path=file.path,
        endian=file.endian,
        licence=licence(scope),
        kernel_version=kernel_version(scope),
        functions=functions,
        programs=tuple(with_members(scope, btf, programs, resolver)),
        maps=maps,
        data=data_specs,
        externs=find_externs(resolver.used_externs, btf),
        btf=btf,
        btf_ext=btf_ext,
        warnings=tuple(scope.warnings),
    )


def _types(scope: Scope) -> tuple[Btf | None, BtfExt | None]:
    section, ext_section = scope.find(".BTF"), scope.find(".BTF.ext")
    if section is None or not section.data:
        return None, None
    btf = repair_types(scope, Btf.decode(section.data, scope.file.endian, scope.path))
    if ext_section is None or not ext_section.data:
        return btf, None
    return btf, BtfExt.decode(ext_section.data, btf, scope.file.endian, scope.path)


def _functions(scope: Scope, extents: list[Extent], names: list[str], resolver: Resolver) -> tuple[FunctionSpec, ...]:
    functions = []
    index = 0
    while index < len(extents):
        number = extents[index].section
        end = index
        while end < len(extents) and extents[end].section == number:
            end += 1
        section = scope.sections[number]
        group = extents[index:end]
        found = resolver.of_code(number, [(extent.start, extent.end) for extent in group])
        for name, extent, references in zip(names[index:end], group, found, strict=True):
            insns = decode(section.data[extent.start : extent.end], scope.file.endian)
            where = scope.place(section.name, extent.start)
            functions.append(FunctionSpec(name, section.name, extent.start, insns, references, extent.linkage, where))
        index = end
    return tuple(functions)


def _address_sections(scope: Scope) -> list[tuple[int, str]]:
    """The sections whose addresses are plain data: allocated, neither code nor maps."""
    return [
        (number, section.name)
        for number, section in enumerate(scope.sections)
        if section.flags & layout.SHF_ALLOC
        and not scope.is_code(number)
        and section.name != BTF_MAPS
        and not is_map_section(section.name)
    ]


def _unique_maps(scope: Scope, placed: list[tuple[int, int, MapSpec]]) -> list[tuple[int, int, MapSpec]]:
    """The same maps, each of another name: a linker may have joined objects that each had a static map of one name."""
    taken = {spec.name for _, _, spec in placed}
    seen: set[str] = set()
    unique = []
    for number, offset, spec in placed:
        if spec.name in seen:
            name = next(name for count in range(2, len(placed) + 2) if (name := f"{spec.name}.{count}") not in taken)
            scope.warn(f"two maps of the name {spec.name}: the one at {spec.where} is called {name}")
            spec = replace(spec, name=name)
            taken.add(name)
        seen.add(spec.name)
        unique.append((number, offset, spec))
    return unique


def _with_tail_programs(maps: list[MapSpec], programs: list[ProgramSpec]) -> tuple[MapSpec, ...]:
    """The maps, classic prog arrays with the programs whose sections are "ID/KEY" in their slots."""
    slots: dict[int, list[InitialValue]] = {}
    for program in programs:
        slot = tail_slot(program.section)
        if slot is not None:
            slots.setdefault(slot[0], []).append(InitialValue(slot[1], program.name))
    if not slots:
        return tuple(maps)
    filled: list[MapSpec] = []
    for spec in maps:
        values = slots.pop(spec.classic_id, None) if spec.map_type is MapType.PROG_ARRAY and spec.classic_id else None
        filled.append(replace(spec, values=(*spec.values, *values)) if values else spec)
    return tuple(filled)
