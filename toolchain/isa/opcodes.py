"""The opcode byte: its fields by name, and the opcodes that code asks for by themselves.

An opcode byte is three fields. For arithmetic and jumps:      for loads and stores:

    7      4  3   2    0                                       7    5 4  3 2    0
    +-------+---+-------+                                      +------+----+------+
    |  op   |src| class |    src: 0 = imm (K), 1 = reg (X)     | mode |size| class|
    +-------+---+-------+                                      +------+----+------+

What instructions are made of these, with their operands, is the table in forms.py.

Sources: RFC 9669 (sections 4 and 5); include/uapi/linux/bpf.h of Linux 6.18 and LLVM 22's BPFInstrInfo.td for what
followed it.
"""

from __future__ import annotations

from enum import IntEnum


class Class(IntEnum):
    """Low three bits of an opcode."""

    LD = 0
    LDX = 1
    ST = 2
    STX = 3
    ALU = 4
    JMP = 5
    JMP32 = 6
    ALU64 = 7


class Mode(IntEnum):
    """Top three bits of a load or store."""

    IMM = 0x00
    ABS = 0x20
    IND = 0x40
    MEM = 0x60
    MEMSX = 0x80
    ATOMIC = 0xC0


class Size(IntEnum):
    """Bits 3 and 4 of a load or store."""

    W = 0x00
    H = 0x08
    B = 0x10
    DW = 0x18


SIZE_BYTES = {Size.B: 1, Size.H: 2, Size.W: 4, Size.DW: 8}
SRC_REG = 0x08
"""The source bit of arithmetic and jumps: operand is a register."""


class Alu(IntEnum):
    """Top four bits of an arithmetic opcode."""

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90
    XOR = 0xA0
    MOV = 0xB0
    ARSH = 0xC0
    END = 0xD0


class Jmp(IntEnum):
    """Top four bits of a jump opcode."""

    JA = 0x00
    JEQ = 0x10
    JGT = 0x20
    JGE = 0x30
    JSET = 0x40
    JNE = 0x50
    JSGT = 0x60
    JSGE = 0x70
    CALL = 0x80
    EXIT = 0x90
    JLT = 0xA0
    JLE = 0xB0
    JSLT = 0xC0
    JSLE = 0xD0
    JCOND = 0xE0


class Atomic(IntEnum):
    """The imm of an atomic instruction."""

    ADD = 0x00
    OR = 0x40
    AND = 0x50
    XOR = 0xA0
    FETCH = 0x01
    XCHG = 0xE1
    CMPXCHG = 0xF1
    LOAD_ACQ = 0x100
    STORE_REL = 0x110


class PseudoSrc(IntEnum):
    """What the src field of a wide load says its immediate is. Source: RFC 9669 section 5.4."""

    IMM64 = 0
    MAP_FD = 1
    MAP_VALUE = 2
    BTF_ID = 3
    FUNC = 4
    MAP_IDX = 5
    MAP_IDX_VALUE = 6


class CallSrc(IntEnum):
    """What the src field of a call says its imm is. Source: RFC 9669 section 4.3.1."""

    HELPER = 0
    LOCAL = 1
    KFUNC = 2


LDDW = 0x18
JA = 0x05
JA32 = 0x06
CALL = 0x85
CALLX = 0x8D
EXIT = 0x95
MAY_GOTO = 0xE5
GOTOX = 0x0D
REGISTER_COUNT = 11
"""r0 .. r10; r10 is the read-only frame pointer."""
