"""A live program's code for a reader: assembly with the source lines that it was compiled from.

    entry:
    ; r2 = jumps ll                                        tail.s:12
       0: r2 = jumps ll
       2: r3 = 1

The number before an instruction counts slots, as messages of the verifier do. Wide loads of maps and calls of
functions show names; jumps show their distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolchain.asm.printer import describe_insn, print_insn
from toolchain.isa.codec import decode
from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import CALL, CallSrc, PseudoSrc
from toolchain.spec.stages import LineInfo, LinkedProgram

_MAP_SOURCES = (PseudoSrc.MAP_FD, PseudoSrc.MAP_VALUE, PseudoSrc.MAP_IDX, PseudoSrc.MAP_IDX_VALUE)
_VALUE_SOURCES = (PseudoSrc.MAP_VALUE, PseudoSrc.MAP_IDX_VALUE)


def listing_rows(program: LinkedProgram, map_names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    """One row an instruction: slot, text, bytes; and function and src where they begin.

    ``map_names``: what stands in a wide load of a map -> the map's name.
    """
    functions = {each.slot: each.name for each in program.functions} or {0: program.name}
    lines = {each.slot: each for each in program.line_info}
    slot = 0
    for insn in decode(program.code):
        row: dict[str, Any] = {"slot": slot}
        if slot in functions:
            row["function"] = functions[slot]
        if slot in lines:
            row["src"] = _source(lines[slot])
        target = _target(insn, slot, functions, map_names)
        row["insn"] = _text(insn, target)
        row["bytes"] = program.code[8 * slot : 8 * (slot + insn.slot_count)].hex()
        yield row
        slot += insn.slot_count


def listing_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    """The rows as text."""
    for row in rows:
        if "function" in row:
            yield f"{row['function']}:"
        if "src" in row:
            source = row["src"]
            place = f"{source['file']}:{source['line']}"
            yield f"; {source['text'].strip():<54}  {place}" if source["text"].strip() else f"; {place}"
        yield f"{row['slot']:>6}: {row['insn']}"


def _text(insn: Insn, target: str) -> str:
    if not target:
        return describe_insn(insn)
    plain = insn._replace(src=0) if insn.is_wide else insn  # a map's name says that it is one
    return print_insn(plain, target=target) or describe_insn(insn)


def _source(line: LineInfo) -> dict[str, Any]:
    return {"file": line.path, "line": line.line, "column": line.column, "text": line.text}


def _target(insn: Insn, slot: int, functions: dict[int, str], map_names: Mapping[int, str]) -> str:
    if insn.is_wide and insn.src in _MAP_SOURCES and insn.imm in map_names:
        offset = insn.imm_high if insn.src in _VALUE_SOURCES else 0
        return map_names[insn.imm] + (f"+{offset}" if offset else "")
    if insn.opcode == CALL and insn.src == CallSrc.LOCAL:
        return functions.get(slot + 1 + insn.imm, "")
    return ""
