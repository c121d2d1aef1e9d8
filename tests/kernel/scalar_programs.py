"""Random programs of arithmetic and comparisons, built together with the states that our scalar domain expects.

The generator walks one path and asks the domain as it goes, so it always knows which way a comparison goes:

    main path    insn insn [if a op b goto STUB] insn ...        the other outcome ends in a stub of its own, so that
    stubs        r0 = 0; exit                                    no state is pruned before the log shows it

The log of level 2 names, after each instruction, the registers it changed, and at each path's start ("from 5 to 9:")
all registers. `differences` compares every number there with the expected text. Register copies get ids in the kernel;
each copy is followed by ``dst ^= 0``, which ends the link, and ids are left out of the comparison.
"""

from __future__ import annotations

import platform
import random
import re
import struct
from typing import NamedTuple

from tests.kernel import oracle
from toolchain.isa.opcodes import Alu, Class, Jmp
from toolchain.verifier.arith import alu, fork, swap_bytes
from toolchain.verifier.branch import decide, refine, refine_same
from toolchain.verifier.scalar import UNKNOWN, Scalar, const
from toolchain.verifier.scalar_text import format_scalar

Regs = dict[int, Scalar]

_ALU = (Alu.ADD, Alu.SUB, Alu.MUL, Alu.AND, Alu.OR, Alu.XOR, Alu.LSH, Alu.RSH, Alu.ARSH)
_RARE = (Alu.NEG, Alu.DIV, Alu.MOD, Alu.END, Alu.MOV)
_COMPARE = (
    Jmp.JEQ, Jmp.JNE, Jmp.JSET, Jmp.JGT, Jmp.JGE, Jmp.JLT, Jmp.JLE, Jmp.JSGT, Jmp.JSGE, Jmp.JSLT, Jmp.JSLE,
)  # fmt: skip
_SHIFTS = (Alu.LSH, Alu.RSH, Alu.ARSH)
_GET_PRANDOM = 7
_FIRST_NUMBER = re.compile(r"^(\d+): \(")
_PATH_START = re.compile(r"^from (\d+) to (\d+)(?: \([^)]*\))?:(.*)$")
_REGISTER = re.compile(r"\bR(\d+)(?:_w|_r|_rw)?=(P?(?:[a-z_]*\([^()]*(?:\([^()]*\)[^()]*)*\)|-?[0-9a-fx]+))")
_ID = re.compile(r"id=\d+(?:[+-]\d+)?,?")


class Program(NamedTuple):
    """Code and what to expect. ``after[slot]`` is the main path's state, ``starts[from, to]`` another's."""

    code: bytes
    after: dict[int, Regs]
    starts: dict[tuple[int, int], Regs]


def slot(opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """One instruction word; ``imm`` is taken modulo 2**32."""
    return struct.pack("<BBhI", opcode, src << 4 | dst, off, imm & 0xFFFF_FFFF)


def interesting(rng: random.Random) -> int:
    """A signed 32-bit number, near powers of two, zero and the ends."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randint(-4, 4)
    if kind == 1:
        return rng.choice((1, -1)) * ((1 << rng.randrange(31)) + rng.randint(-1, 1))
    if kind == 2:
        return rng.choice((-(1 << 31), (1 << 31) - 1, 0xFF, 0xFFFF, -0x8000, 0x7FFF, 0x80))
    if kind == 3:
        return rng.randint(-300, 300)
    return rng.randint(-(1 << 31), (1 << 31) - 1) >> rng.randrange(24)


class Builder:
    """Grows one program; ``regs`` is the expected state of the main path."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.slots: list[bytes] = []
        self.regs: Regs = {}
        self.after: dict[int, Regs] = {}
        self.starts: dict[tuple[int, int], Regs] = {}
        self.stubs: list[int] = []
        self.may_fork = True

    def emit(self, word: bytes) -> None:
        self.slots.append(word)
        self.after[len(self.slots) - 1] = dict(self.regs)

    def prologue(self) -> None:
        for reg in (6, 7, 8, 9):
            self.regs[0] = UNKNOWN
            self.emit(slot(0x85, imm=_GET_PRANDOM))
            self.regs[reg] = UNKNOWN
            self.emit(slot(0xBF, reg, 0))
            self.emit(slot(Alu.XOR | Class.ALU64, reg))
        self.regs[0] = UNKNOWN
        self.emit(slot(0x85, imm=_GET_PRANDOM))
        for reg in (1, 2, 3):
            self.load_const(reg)

    def load_const(self, reg: int) -> None:
        number = (
            self.rng.getrandbits(64) if self.rng.random() < 0.3 else interesting(self.rng) << self.rng.choice((0, 32))
        )
        number &= (1 << 64) - 1
        self.regs[reg] = const(number)
        self.slots.append(slot(0x18, reg, imm=number))
        self.emit(slot(0, imm=number >> 32))
        self.after[len(self.slots) - 2] = dict(self.regs)

    def step(self) -> None:
        choice = self.rng.random()
        if choice < 0.05:
            self.load_const(self.rng.choice((1, 2, 3)))
        elif choice < 0.12:
            self.regs[0] = UNKNOWN
            for reg in (1, 2, 3):
                self.regs.pop(reg, None)
            self.emit(slot(0x85, imm=_GET_PRANDOM))
            for reg in (1, 2, 3):
                self.load_const(reg)
        elif choice < 0.62:
            self.arithmetic()
        else:
            self.compare()

    def operand(self, is64: bool) -> tuple[int, int, int, Scalar]:
        """(source bit, src, imm, its scalar)."""
        if self.rng.random() < 0.5:
            imm = interesting(self.rng)
            return 0, 0, imm, const(imm)
        src = self.rng.choice((0, 1, 2, 3, 6, 7, 8, 9))
        return 8, src, 0, self.regs[src]

    def arithmetic(self) -> None:
        rng = self.rng
        op = rng.choice(_RARE) if rng.random() < 0.15 else rng.choice(_ALU)
        is64 = rng.random() < 0.55
        code = Class.ALU64 if is64 else Class.ALU
        dst = rng.choice((0, 6, 7, 8, 9))
        bit, src, imm, number = self.operand(is64)
        if op in _SHIFTS and not bit:
            imm = rng.choice((rng.randrange(64 if is64 else 32), 31, 8, 1, 32 if is64 else 16, 63 if is64 else 31))
            number = const(imm)
        if op == Alu.MOV:
            off = rng.choice((0, 8, 16, 32) if is64 else (0, 8, 16))
            src = rng.choice((0, 1, 6, 7, 8, 9))
            self.regs[dst] = alu(op, is64, self.regs[dst], self.regs[src], off)
            self.emit(slot(op | 8 | code, dst, src, off))
            self.regs[dst] = alu(Alu.XOR, True, self.regs[dst], const(0))
            self.emit(slot(Alu.XOR | Class.ALU64, dst))
            return
        if op == Alu.NEG:
            bit, src, imm = 0, 0, 0
        elif op in (Alu.DIV, Alu.MOD) and not bit:
            imm = imm or 3
        if op == Alu.END:
            bit, imm = 0 if is64 else rng.choice((0, 8)), rng.choice((16, 32, 64))
            self.regs[dst] = swap_bytes(self.regs[dst], imm, is64 or bit != 0)
            self.emit(slot(op | bit | code, dst, 0, 0, imm))
            return
        off = rng.choice((0, 1)) if op in (Alu.DIV, Alu.MOD) else 0
        before = self.regs[dst]
        parts = fork(op, before, number)
        if parts is not None:
            if not self.may_fork:
                return
            self.may_fork = False
            here = len(self.slots)
            self.starts[here, here] = {**self.regs, dst: parts[0]}
            before = parts[1]
            if src == dst and bit:
                return
        self.regs[dst] = alu(op, is64, before, number, off)
        self.emit(slot(op | bit | code, dst, src, off, imm))

    def compare(self) -> None:
        rng = self.rng
        op = rng.choice(_COMPARE)
        is64 = rng.random() < 0.6
        code = Class.JMP if is64 else Class.JMP32
        dst = rng.choice((0, 1, 6, 7, 8, 9))
        bit, src, imm, number = self.operand(is64)
        outcome = decide(op, is64, self.regs[dst], number)
        here = len(self.slots)
        taken, fallen = dict(self.regs), dict(self.regs)
        if outcome is None and bit and src == dst:
            taken[dst], fallen[dst] = refine_same(op, is64, self.regs[dst])
        elif outcome is None:
            (taken[dst], taken_src), (fallen[dst], fallen_src) = refine(op, is64, self.regs[dst], number)
            if bit:
                taken[src], fallen[src] = taken_src, fallen_src
        if outcome or (outcome is None and rng.random() < 0.5):
            self.slots.append(slot(op | bit | code, dst, src, 2, imm))
            self.slots += [slot(0xB7), slot(0x95)]
            if outcome is None:
                self.after[here] = fallen
                self.starts[here, here + 3] = taken
            self.regs = dict(taken)
        else:
            self.stubs.append(here)
            self.slots.append(slot(op | bit | code, dst, src, 0, imm))
            self.regs = dict(fallen)
            if outcome is None:
                self.after[here] = fallen
                self.starts[here, -1] = taken

    def finish(self) -> Program:
        self.slots += [slot(0xB7), slot(0x95)]
        for at in self.stubs:
            target = len(self.slots)
            word = bytearray(self.slots[at])
            struct.pack_into("<h", word, 2, target - at - 1)
            self.slots[at] = bytes(word)
            self.slots += [slot(0xB7), slot(0x95)]
            if (at, -1) in self.starts:
                self.starts[at, target] = self.starts.pop((at, -1))
        return Program(b"".join(self.slots), self.after, self.starts)


def generate(seed: int, steps: int = 60) -> Program:
    """The program of a seed."""
    builder = Builder(random.Random(seed))
    builder.prologue()
    for _ in range(steps):
        builder.step()
    return builder.finish()


def differences(program: Program, log: str) -> list[str]:
    """Every number of the log that is not what was expected: ``slot: Rn kernel-text | our text``.

    The second half of a forked path meets comparisons anew, and may take sides that the first half did not.
    """
    found = []
    seen: set[int] = set()
    seen_starts: set[tuple[int, int]] = set()
    is_forked = False
    for line in log.splitlines():
        start = _PATH_START.match(line)
        first = _FIRST_NUMBER.match(line)
        if start and not start[3].strip().startswith("safe"):
            key = int(start[1]), int(start[2])
            if key in seen_starts:
                continue
            seen_starts.add(key)
            expected = program.starts.get(key)
            if expected is None and is_forked:
                continue
            is_forked = is_forked or key[0] == key[1]
            if expected is None:
                found.append(f"from {key[0]} to {key[1]}: a path that was not expected")
                continue
            text, name = start[3], f"from {key[0]} to {key[1]}"
        elif first and ";" in line:
            number = int(first[1])
            if number in seen or number not in program.after:
                continue
            seen.add(number)
            expected = program.after[number]
            text, name = line.split(";", 1)[1], f"insn {number}"
        else:
            continue
        for reg, shown in _REGISTER.findall(text):
            if int(reg) not in expected or shown.startswith(("ctx", "fp")):
                continue
            kernel = _ID.sub("", shown.removeprefix("P")).replace(",)", ")")
            ours = format_scalar(expected[int(reg)])
            if kernel != ours:
                found.append(f"{name}: R{reg} {kernel} | {ours}    [{line.split(';')[0].strip()}]")
    found += [f"from {a} to {b}: never walked by the kernel" for a, b in program.starts if (a, b) not in seen_starts]
    return found


def why_not_comparable() -> str:
    """'' where this machine's kernel may be asked and computes as the version modelled does, else the reason."""
    if reason := oracle.why_unavailable():
        return reason
    version = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:3])
    return (
        "" if (6, 18, 44) <= version < (6, 19) else f"states are those of Linux 6.18.44, this is {platform.release()}"
    )


def compared(log: str) -> int:
    """How many numbers a log shows."""
    return len(_REGISTER.findall(log))


__all__ = ["Program", "compared", "differences", "generate", "why_not_comparable"]
