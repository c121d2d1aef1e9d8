"""Line and function records of an object, moved to where the linker laid the functions.

    .BTF.ext, by section                         linked program
    .text +0    parse.c:10                       slot 12  parse.c:10
    .text +24   parse.c:12      function at      slot 15  parse.c:12
    tc    +0    main.c:3        slot 12, 0       slot 0   main.c:3

Records count bytes from their section's start, linked ones slots from the program's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from toolchain.spec.objects import FunctionSpec, Linkage, ObjectSpec
from toolchain.spec.stages import FunctionInfo, LineInfo


def line_info(obj: ObjectSpec, order: Sequence[FunctionSpec], starts: Mapping[str, int]) -> tuple[LineInfo, ...]:
    """The line records of the functions laid out, in slot order."""
    tables = obj.btf_ext.line_info if obj.btf_ext is not None else {}
    records = {
        section: sorted(tables[section], key=lambda record: record.offset)
        for section in {function.section for function in order} & set(tables)
    }
    lines: list[LineInfo] = []
    for function in order:
        here = records.get(function.section, [])
        first = bisect_left(here, function.offset, key=lambda record: record.offset)
        end = bisect_left(here, function.offset + 8 * function.slot_count, key=lambda record: record.offset)
        for record in here[first:end]:
            slot = starts[function.name] + (record.offset - function.offset) // 8
            lines.append(LineInfo(slot, record.path, record.line, record.column, record.text))
    return tuple(lines)


def function_info(
    obj: ObjectSpec, order: Sequence[FunctionSpec], starts: Mapping[str, int]
) -> tuple[FunctionInfo, ...]:
    """The functions laid out, with the ids of their types where the object knows them."""
    tables = obj.btf_ext.func_info if obj.btf_ext is not None else {}
    types = {
        (section, record.offset): record.type_id
        for section in {function.section for function in order} & set(tables)
        for record in tables[section]
    }
    return tuple(
        FunctionInfo(
            slot=starts[function.name],
            name=function.name,
            type_id=types.get((function.section, function.offset), 0),
            is_global=function.linkage != Linkage.STATIC,
        )
        for function in order
    )
