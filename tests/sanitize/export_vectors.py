"""Run vectors as plain text for the C driver: one word and its numbers a line, bytes in hex, `-` for none."""

from __future__ import annotations

import sys

from tests.vm.vectors import Vector, vector_files
from toolchain.errors import Rejected, Unsupported
from toolchain.isa.map_types import PERCPU_TYPES
from toolchain.spec.stages import BoundProgram, LinkedProgram
from toolchain.verifier import verify
from toolchain.vm.context import context_masks

FIRST_PROG_ID = 101
"""What the driver takes for a program in a slot; numbers from 1 on are maps."""


def lines_of(vector: Vector) -> list[str]:
    """The lines of one vector, `vector NAME` to `end`."""
    program = vector.linked()
    readable, writable = context_masks(vector.prog_type)
    lines = [f"vector {vector.name}", f"program {int(vector.prog_type)} {readable} {writable} {program.code.hex()}"]
    for spec in vector.maps:
        cpus = 2 if spec.map_type in PERCPU_TYPES else 1
        sizes = f"{spec.key_size} {spec.value_size} {spec.max_entries} {spec.map_flags}"
        lines.append(f"map {int(spec.map_type)} {sizes} {cpus}")
    names = [spec.name for spec in vector.maps]
    lines += [f"set {names.index(name)} {key.hex()} {value.hex()}" for name, key, value in vector.before]
    programs = vector.others()
    ids = {name: 1 + index for index, name in enumerate(names)}
    ids |= {each.name: FIRST_PROG_ID + index for index, each in enumerate(programs)}
    for name, key, what in vector.slots:
        lines.append(f"set {names.index(name)} {key.hex()} {ids[what].to_bytes(4, sys.byteorder).hex()}")
    for each in programs:
        lines.append(f"other {each.code.hex()}")
        lines += [f"other-{line}" for line in _verified(each) if line != "plain"]
    lines.append(f"packet {vector.packet.hex()} {vector.ctx_bytes.hex() or '-'}")
    if not vector.fault:
        lines += _verified(vector.linked())
        after = "-" if vector.packet_after is None else vector.packet_after.hex()
        lines.append(f"expect {vector.returns} {after}")
    return [*lines, "end"]


def _verified(program: LinkedProgram) -> list[str]:
    """What the plain interpreter needs to know; [] where the verifier does not model the program."""
    try:
        verified = verify(BoundProgram.unpinned(program))
    except (Rejected, Unsupported):
        return []
    lines = [f"dead {slot}" for slot in sorted(verified.dead_slots)]
    for access in verified.ctx_accesses:
        lines.append(f"access {access.slot} {access.offset} {access.size} {int(access.is_write)}")
    return [*lines, "plain"]


if __name__ == "__main__":
    for file in vector_files():
        for vector in file:
            print("\n".join(lines_of(vector)))
