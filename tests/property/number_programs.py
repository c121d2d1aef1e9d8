"""Random programs of numbers only: copies, distances, spills and fills of all widths and signs, comparisons.

Made for what links numbers: each copy, each fill and each ``r1 = r0; r1 += 4`` may teach others by a later comparison.
Nothing here touches memory but the stack, so every program is accepted, and the containment check sees all its states.
"""

from __future__ import annotations

import random
import struct

from toolchain.isa.opcodes import Alu, Class, Jmp
from toolchain.isa.program_types import ProgType
from toolchain.spec.stages import LinkedProgram

_REGISTERS = (0, 6, 7, 8, 9)
_SLOTS = (-8, -16, -24)
_SIZE_BITS = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_COMPARE = (
    *(Jmp.JEQ, Jmp.JNE, Jmp.JSET, Jmp.JGT, Jmp.JGE, Jmp.JLT, Jmp.JLE),
    *(Jmp.JSGT, Jmp.JSGE, Jmp.JSLT, Jmp.JSLE),
)


class _Builder:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.words: list[bytes] = []
        self.forks = 0

    def emit(self, opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        self.words.append(struct.pack("<BBhI", opcode, src << 4 | dst, off, imm & 0xFFFF_FFFF))

    def register(self) -> int:
        return self.rng.choice(_REGISTERS)

    def number(self) -> int:
        rng = self.rng
        return rng.choice(
            (0, 1, -1, 5, 127, 128, 200, 255, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, -0x8000_0000, rng.randint(-300, 300))
        )

    def statement(self, depth: int) -> None:
        kinds = [self.unknown, self.narrow, self.copy, self.copy, self.move, self.distance, self.distance]
        kinds += [self.spill, self.fill, self.fill, self.swap]
        if depth < 2 and self.forks < 9:
            kinds += [lambda: self.compare(depth)] * 5
        self.rng.choice(kinds)()

    def unknown(self) -> None:
        dst = self.register()
        self.emit(0x85, imm=self.rng.choice((5, 7)))
        self.emit(0xBF, dst, 0)

    def narrow(self) -> None:
        dst = self.register()
        if self.rng.random() < 0.7:
            self.emit(Alu.AND | Class.ALU64, dst, imm=self.rng.choice((0x7F, 0xFF, 0x100, 0xFFFF, 0x7FFF_FFFF, 0xF0)))
        else:
            self.emit(Alu.RSH | Class.ALU64, dst, imm=self.rng.choice((32, 33, 48, 56, 63)))

    def copy(self) -> None:
        self.emit(0xBF, self.register(), self.register())

    def move(self) -> None:
        if self.rng.random() < 0.5:
            self.emit(0xBF, self.register(), self.register(), self.rng.choice((8, 16, 32)))
        else:
            self.emit(0xBC, self.register(), self.register(), self.rng.choice((0, 0, 8, 16)))

    def distance(self) -> None:
        op = self.rng.choice((Alu.ADD, Alu.ADD, Alu.SUB))
        self.emit(op | self.rng.choice((Class.ALU64, Class.ALU64, Class.ALU)), self.register(), imm=self.number())

    def swap(self) -> None:
        kind = self.rng.choice((0xDC, 0xD4, 0xD7, 0x87, 0x84))
        self.emit(kind, self.register(), imm=0 if kind & 0xF0 == 0x80 else self.rng.choice((16, 32, 64)))

    def place(self, size: int) -> int:
        return self.rng.choice(_SLOTS) + (self.rng.randrange(0, 8, size) if self.rng.random() < 0.2 else 0)

    def spill(self) -> None:
        size = self.rng.choice((1, 2, 4, 8, 8, 8))
        self.emit(0x63 | _SIZE_BITS[size], 10, self.register(), self.place(size))

    def fill(self) -> None:
        size = self.rng.choice((1, 2, 4, 8, 8))
        is_signed = size < 8 and self.rng.random() < 0.5
        self.emit((0x81 if is_signed else 0x61) | _SIZE_BITS[size], self.register(), 10, self.place(size))

    def compare(self, depth: int) -> None:
        rng = self.rng
        self.forks += 1
        at = len(self.words)
        opcode = rng.choice(_COMPARE) | rng.choice((Class.JMP, Class.JMP, Class.JMP32))
        is_reg = rng.random() < 0.3
        dst, src, imm = self.register(), self.register() if is_reg else 0, 0 if is_reg else self.number()
        self.words.append(b"")
        for _ in range(rng.randint(1, 3)):
            self.statement(depth + 1)
        body = self.words[at + 1 :]
        del self.words[at:]
        self.emit(opcode | (8 if is_reg else 0), dst, src, len(body), imm)
        self.words += body


def number_program(seed: int) -> LinkedProgram:
    """The program of a seed."""
    rng = random.Random(seed)
    builder = _Builder(rng)
    for register in _REGISTERS[1:]:
        builder.emit(0x85, imm=7)
        builder.emit(0xBF, register, 0)
    for _ in range(rng.randint(8, 30)):
        builder.statement(0)
    builder.emit(0xB7)
    builder.emit(0x95)
    return LinkedProgram(f"numbers {seed}", "fuzz", ProgType.SOCKET_FILTER, b"".join(builder.words), licence="GPL")
