"""Object files made here, byte by byte, for tests of the loader and its commands.

counter(...)   one program of section tc, that adds 1 to slot 0 of one classic map, and returns ``returns``
"""

import struct

from toolchain.elf import write
from toolchain.isa.codec import encode
from toolchain.isa.insn import Insn, wide
from toolchain.isa.map_types import MapType
from toolchain.spec.objects import ObjectFile, Relocation, Section, Symbol, SymbolBind, SymbolType

PROGBITS, ALLOC, EXEC, WRITE = 1, 2, 4, 1
R10, STW, MOV, ADD, CALL, JEQ, ATOMIC, EXIT = 10, 0x62, 0xB7, 0x07, 0x85, 0x15, 0xDB, 0x95
GLOBAL = 2
"""Pinning id of a classic record: tc/globals."""

LOOKUP = [
    Insn(STW, R10, off=-4),
    Insn(0xBF, 2, R10),
    Insn(ADD, 2, imm=-4),
    wide(0x18, 1, 0, 0),
    Insn(CALL, imm=1),
]
"""r0 = lookup(map, &zero); the map's address is at slot 3."""


def counter(
    *,
    map_type=MapType.ARRAY,
    key_size=4,
    value_size=16,
    max_entries=8,
    pinning=GLOBAL,
    map_name="acc",
    section="tc",
    program="count",
    returns=0,
    checks_null=True,
    maps=1,
    endian="little",
    machine=247,
):
    """The bytes of an object. ``maps`` > 1 adds maps acc1, acc2 ... that the program uses too."""
    code = []
    relocations = []
    for index in range(maps):
        relocations.append(Relocation(8 * (sum(each.slot_count for each in code) + 3), 1, 1 + index))
        code += LOOKUP
        code += [Insn(JEQ, 0, off=2)] if checks_null else []
        code += [Insn(MOV, 1, imm=1), Insn(ATOMIC, 0, 1)]
    code += [Insn(MOV, 0, imm=returns), Insn(EXIT)]
    mark = "<" if endian == "little" else ">"
    record = struct.pack(f"{mark}9I", map_type, key_size, value_size, max_entries, 0, 0, pinning, 0, 0)
    text = encode(code, endian)
    names = [map_name, *(f"{map_name}{index}" for index in range(1, maps))]
    sections = (
        Section(section, PROGBITS, ALLOC | EXEC, text, 8, relocations=tuple(relocations)),
        Section("maps", PROGBITS, ALLOC | WRITE, record * maps, 4),
        Section("license", PROGBITS, ALLOC | WRITE, b"GPL\0", 1),
    )
    symbols = (
        Symbol(program, 0, 0, len(text), SymbolType.FUNC, SymbolBind.GLOBAL),
        *(
            Symbol(name, 1, index * len(record), len(record), SymbolType.OBJECT, SymbolBind.GLOBAL)
            for index, name in enumerate(names)
        ),
    )
    return write(ObjectFile(sections, symbols, endian, machine))


def unsafe(**more):
    """A program that uses a looked-up value without asking whether it is there."""
    return counter(map_type=MapType.HASH, checks_null=False, **more)
