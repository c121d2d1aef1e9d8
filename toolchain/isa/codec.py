"""Instructions to bytes and back, both endians.

Decoding is total: every multiple of eight bytes decodes, and ``encode(decode(b)) == b``. Whether an
instruction means anything is asked of the opcode table (forms.py) and of the verifier.

Complexity: linear, about 1 us an instruction in CPython.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import LDDW

SLOT_SIZE = 8
"""Bytes in a slot."""


def decode(code: bytes | memoryview, endian: str = "little") -> tuple[Insn, ...]:
    """All instructions of ``code``.

    Shape: ``len(code)`` is a multiple of 8; ValueError otherwise.
    A wide opcode whose second slot is missing or not blank decodes as a narrow instruction.
    """
    if len(code) % SLOT_SIZE:
        raise ValueError(f"code is {len(code)} bytes long, not a multiple of {SLOT_SIZE}")
    little = endian == "little"
    words = list(struct.iter_unpack("<BBhi" if little else ">BBhi", code))
    insns: list[Insn] = []
    index, count = 0, len(words)
    while index < count:
        opcode, registers, off, imm = words[index]
        dst, src = (registers & 15, registers >> 4) if little else (registers >> 4, registers & 15)
        index += 1
        if opcode == LDDW and index < count and words[index][:3] == (0, 0, 0):
            insns.append(Insn(opcode, dst, src, off, imm, words[index][3]))
            index += 1
        else:
            insns.append(Insn(opcode, dst, src, off, imm))
    return tuple(insns)


def encode(insns: Iterable[Insn], endian: str = "little") -> bytes:
    """The bytes of ``insns``, one after another. Raises struct.error where a field is out of its range."""
    little = endian == "little"
    pack = struct.Struct("<BBhi" if little else ">BBhi").pack
    parts = []
    for opcode, dst, src, off, imm, imm_high in insns:
        parts.append(pack(opcode, src << 4 | dst if little else dst << 4 | src, off, imm))
        if imm_high is not None:
            parts.append(pack(0, 0, 0, imm_high))
    return b"".join(parts)


def swap_endian(code: bytes, from_endian: str, to_endian: str) -> bytes:
    """``code`` in the other byte order, slot by slot."""
    return code if from_endian == to_endian else encode(decode(code, from_endian), to_endian)
