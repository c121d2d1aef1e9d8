"""bpf-load inspect: everything that an object file holds, read and nothing more. Safe on hostile files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Settings
from toolchain.spec.maps import MapSpec, MapStyle, Pinning
from toolchain.spec.objects import UNDEFINED, ObjectFile, ObjectSpec, RelocationType

_SECTION_TYPES = {1: "progbits", 7: "note", 8: "nobits", 14: "init_array"}


@click.command(cls=Command)
@click.argument("path", metavar="OBJ")
def inspect(settings: Settings, path: str) -> Action:
    """Show the sections, programs, maps, relocations, types and licence of an object file."""
    return partial(_inspect, settings, path)


def _inspect(settings: Settings, path: str) -> int:
    from toolchain.elf.extract import extract
    from toolchain.elf.reader import read
    from toolchain.loader.objects import read_bytes

    data = read_bytes(path)
    file = read(data, path)
    spec = extract(file)
    document = _document(data, file, spec)
    if settings.as_json:
        render.write(render.json_text(document))
        return 0
    for line in _lines(document, settings.verbosity > 0):
        render.write(render.printable(line))
    for warning in spec.warnings:
        render.complain(f"{render.printable(path)}: warning: {render.printable(warning)}")
    return 0


def _document(data: bytes, file: ObjectFile, spec: ObjectSpec) -> dict[str, Any]:
    import hashlib

    return {
        "schema": "bpf-load.inspect/1",
        "file": file.path,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "endian": file.endian,
        "machine": file.machine,
        "licence": spec.licence,
        "kernel_version": spec.kernel_version,
        "sections": [
            {
                "index": index,
                "name": section.name,
                "type": _SECTION_TYPES.get(section.type, section.type),
                "flags": section.flags,
                "size": section.size,
                "relocations": len(section.relocations),
            }
            for index, section in enumerate(file.sections)
        ],
        "programs": _programs(spec),
        "functions": [
            {
                "name": function.name,
                "section": function.section,
                "offset": function.offset,
                "insns": function.slot_count,
                "linkage": str(function.linkage),
            }
            for function in spec.functions
        ],
        "maps": [map_document(each) for each in spec.maps],
        "data": [{"name": each.name, "kind": each.kind, "size": len(each.data)} for each in spec.data],
        "externs": [{"name": each.name, "section": each.section, "weak": each.is_weak} for each in spec.externs],
        "relocations": list(_relocations(file)),
        "types": _types(spec),
        "warnings": list(spec.warnings),
    }


def _programs(spec: ObjectSpec) -> list[dict[str, Any]]:
    sizes = {function.name: function.slot_count for function in spec.functions}
    return [
        {
            "name": each.name,
            "section": each.section,
            "type": each.prog_type.label if each.prog_type is not None else None,
            "attach_type": each.expected_attach_type,
            "attach_target": each.attach_target,
            "insns": sizes.get(each.name, 0),
            "sleepable": each.is_sleepable,
            "optional": each.is_optional,
        }
        for each in spec.programs
    ]


def map_document(spec: MapSpec) -> dict[str, Any]:
    """A declared map, with bpftool's keys where it has them."""
    document: dict[str, Any] = {
        "name": spec.name,
        "type": spec.map_type.label,
        "style": str(spec.style),
        "flags": spec.map_flags,
        "bytes_key": spec.key_size,
        "bytes_value": spec.value_size,
        "max_entries": spec.max_entries,
        "pinning": str(spec.pinning),
    }
    if spec.pinning is Pinning.CUSTOM:
        document["pinning_id"] = spec.pinning_id
    if spec.map_extra:
        document["map_extra"] = spec.map_extra
    if spec.style in (MapStyle.CLASSIC, MapStyle.DEF) and spec.classic_id:
        document["id"] = spec.classic_id
    if spec.classic_inner_id:
        document["inner_id"] = spec.classic_inner_id
    if spec.inner is not None:
        document["inner"] = map_document(spec.inner)
    if spec.values:
        document["values"] = [{"key": each.key, "symbol": each.symbol} for each in spec.values]
    return document


def _relocations(file: ObjectFile) -> Iterator[dict[str, Any]]:
    names = {kind.value: f"R_BPF_{kind.name.removeprefix('R')}" for kind in RelocationType}
    for section in file.sections:
        for each in section.relocations:
            symbol = file.symbols[each.symbol] if 0 <= each.symbol < len(file.symbols) else None
            name = symbol.name if symbol is not None else ""
            if symbol is not None and not name and UNDEFINED < symbol.section < len(file.sections):
                name = file.sections[symbol.section].name
            yield {
                "section": section.name,
                "offset": each.offset,
                "type": names.get(each.type, each.type),
                "symbol": name,
            }


def _types(spec: ObjectSpec) -> dict[str, Any] | None:
    if spec.btf is None:
        return None
    tables = spec.btf_ext
    return {
        "count": len(spec.btf.types) - 1,
        "line_info": tables is not None and bool(tables.line_info),
        "core_relocations": sum(map(len, tables.core_relocations.values())) if tables is not None else 0,
    }


def _lines(document: dict[str, Any], is_verbose: bool) -> Iterator[str]:
    yield f"{document['file']}: {document['endian']}-endian, {document['size']} bytes, sha256 {document['sha256']}"
    yield f"licence: {document['licence'] or 'none (helpers for GPL programs only are refused)'}"
    types = document["types"]
    if types is not None:
        lines = "with" if types["line_info"] else "no"
        yield f"types: {types['count']}, {lines} line information, {types['core_relocations']} CO-RE relocations"
    else:
        yield "types: none"
    yield from _table("programs", document["programs"], ("name", "section", "type", "insns"))
    yield from _table(
        "maps",
        document["maps"],
        ("name", "type", "bytes_key", "bytes_value", "max_entries", "flags", "style", "pinning"),
    )
    yield from _table("data", document["data"], ("name", "kind", "size"))
    yield from _table("externs", document["externs"], ("name", "section", "weak"))
    yield from _table("functions", document["functions"], ("name", "section", "offset", "insns", "linkage"))
    yield from _table("sections", document["sections"], ("index", "name", "type", "size", "relocations"))
    relocations = document["relocations"]
    if is_verbose or len(relocations) <= 20:
        yield from _table("relocations", relocations, ("section", "offset", "type", "symbol"))
    else:
        yield f"relocations: {len(relocations)} (-v lists them)"


def _table(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Iterator[str]:
    """A titled table with aligned columns; nothing where there are no rows."""
    if not rows:
        return
    yield f"{title}:"
    cells = [columns, *(tuple(_cell(row[column]) for column in columns) for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else "yes" if value is True else "no" if value is False else str(value)
