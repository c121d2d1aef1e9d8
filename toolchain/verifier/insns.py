"""Instructions as the engine meets them: one object a slot, and how the kernel's log prints each.

All positions in this folder are slots. The second slot of a wide load is an object like any other (opcode 0).

Source: kernel/bpf/disasm.c (print_bpf_insn) of Linux 6.12 for the text.
"""

from __future__ import annotations

import struct

from toolchain.isa.helpers_protos import HELPER_NAMES

LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)
MODE_IMM, MODE_ABS, MODE_IND, MODE_MEM, MODE_MEMSX, MODE_ATOMIC = 0x00, 0x20, 0x40, 0x60, 0x80, 0xC0
SIZE_OF = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
WIDE = 0x18
OP_CALL, OP_EXIT, OP_JA, OP_JCOND = 0x80, 0x90, 0x00, 0xE0
OP_NEG, OP_MOV, OP_END, OP_DIV, OP_MOD = 0x80, 0xB0, 0xD0, 0x30, 0x90
FETCH, XCHG, CMPXCHG, LOAD_ACQ, STORE_REL = 0x01, 0xE1, 0xF1, 0x100, 0x110
PSEUDO_CALL, PSEUDO_KFUNC = 1, 2
PSEUDO_BTF_ID, PSEUDO_FUNC = 3, 4


class Code:
    """One slot, decoded.

    ``cls`` is the low three bits of ``code``, ``op`` the high four, ``size`` the access width in bytes. ``touches`` is
    the mask of registers of which a backward walk (precision.py) must want one to do anything here; -1: always.
    """

    __slots__ = ("cls", "code", "dst", "imm", "off", "op", "size", "src", "touches")

    def __init__(self, code: int, registers: int, off: int, imm: int) -> None:
        self.code = code
        self.cls = code & 7
        self.op = code & 0xF0
        self.dst = registers & 15
        self.src = registers >> 4
        self.off = off
        self.imm = imm
        self.size = SIZE_OF[code & 0x18]
        self.touches = self._touched()

    def _touched(self) -> int:
        cls, op = self.cls, self.op
        if cls in (ALU, ALU64):
            return 0 if op in (OP_END, OP_NEG) else 1 << self.dst
        if cls in (LDX, ST) or (cls == STX and self.mode == MODE_MEM) or self.code == WIDE:
            return 1 << self.dst
        if cls in (JMP, JMP32) and op not in (OP_CALL, OP_EXIT):
            return 1 << self.dst | 1 << self.src if self.code & 8 else 0
        return 0 if self.code == 0 else -1

    @property
    def mode(self) -> int:
        """The addressing mode of a load or store."""
        return self.code & 0xE0

    @property
    def is_reg(self) -> bool:
        """The operand of arithmetic or a jump is a register."""
        return bool(self.code & 8)

    @property
    def is_helper_call(self) -> bool:
        """A call of a helper by number."""
        return self.code == (JMP | OP_CALL) and self.src == 0

    @property
    def is_local_call(self) -> bool:
        """A call of another function of the program."""
        return self.code == (JMP | OP_CALL) and self.src == PSEUDO_CALL

    @property
    def is_kfunc_call(self) -> bool:
        """A call of a kernel function by type id."""
        return self.code == (JMP | OP_CALL) and self.src == PSEUDO_KFUNC

    @property
    def is_func_address(self) -> bool:
        """A wide load of a function's address."""
        return self.code == WIDE and self.src == PSEUDO_FUNC

    @property
    def jump_offset(self) -> int:
        """Slots from the next one, for any jump."""
        return self.imm if self.code == (JMP32 | OP_JA) else self.off


def decode_slots(code: bytes) -> list[Code]:
    """One object for each 8 bytes. Shape: ``len(code)`` is a multiple of 8."""
    return [Code(opcode, registers, off, imm) for opcode, registers, off, imm in struct.iter_unpack("<BBhi", code)]


_ALU_TEXT = {
    0x00: "+=",
    0x10: "-=",
    0x20: "*=",
    0x30: "/=",
    0x40: "|=",
    0x50: "&=",
    0x60: "<<=",
    0x70: ">>=",
    0x80: "neg",
    0x90: "%=",
    0xA0: "^=",
    0xB0: "=",
    0xC0: "s>>=",
    0xD0: "endian",
}
ALU_TEXT = _ALU_TEXT
"""Operators of arithmetic, as messages spell them."""

_SIGNED_ALU_TEXT = {0x30: "s/=", 0x90: "s%="}
_MOVSX_TEXT = {8: "(s8)", 16: "(s16)", 32: "(s32)"}
_JUMP_TEXT = {
    0x00: "jmp",
    0x10: "==",
    0x20: ">",
    0x30: ">=",
    0x40: "&",
    0x50: "!=",
    0x60: "s>",
    0x70: "s>=",
    0x80: "call",
    0x90: "exit",
    0xA0: "<",
    0xB0: "<=",
    0xC0: "s<",
    0xD0: "s<=",
}
_ATOMIC_TEXT = {0x00: "add", 0x40: "or", 0x50: "and", 0xA0: "xor"}
_SIZE_TEXT = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}
_SIGNED_SIZE_TEXT = {1: "s8", 2: "s16", 4: "s32", 8: "s64"}


def helper_name(number: int) -> str:
    """``bpf_map_lookup_elem``; ``unknown`` for a number that names none. Source: kernel/bpf/disasm.c func_id_name()."""
    return f"bpf_{HELPER_NAMES[number]}" if 0 <= number < len(HELPER_NAMES) else "unknown"


def print_insn(insn: Code, following: Code | None = None) -> str:
    """The kernel log's text of an instruction, without line end. ``following`` is the second slot of a wide load."""
    cls = insn.cls
    if cls in (ALU, ALU64):
        return f"({insn.code:02x}) {_alu_text(insn)}"
    if cls in (JMP, JMP32):
        return f"({insn.code:02x}) {_jump_text(insn)}"
    if cls == LDX:
        sizes = _SIGNED_SIZE_TEXT if insn.mode == MODE_MEMSX else _SIZE_TEXT
        return f"({insn.code:02x}) r{insn.dst} = *({sizes[insn.size]} *)(r{insn.src} {insn.off:+d})"
    if cls == ST:
        return f"({insn.code:02x}) *({_SIZE_TEXT[insn.size]} *)(r{insn.dst} {insn.off:+d}) = {insn.imm}"
    if cls == STX:
        return f"({insn.code:02x}) {_store_text(insn)}"
    return _load_text(insn, following)


def _alu_text(insn: Code) -> str:
    letter = "r" if insn.cls == ALU64 else "w"
    if insn.op == OP_END:
        if insn.cls == ALU64:
            return f"r{insn.dst} = bswap{insn.imm} r{insn.dst}"
        return f"r{insn.dst} = {'be' if insn.is_reg else 'le'}{insn.imm} r{insn.dst}"
    if insn.op == OP_NEG:
        return f"{letter}{insn.dst} = -{letter}{insn.dst}"
    text = _ALU_TEXT.get(insn.op, "?")
    if insn.off == 1 and insn.op in _SIGNED_ALU_TEXT:
        text = _SIGNED_ALU_TEXT[insn.op]
    if not insn.is_reg:
        return f"{letter}{insn.dst} {text} {insn.imm}"
    if insn.op == OP_MOV and insn.cls == ALU64 and insn.off == 1:
        return f"r{insn.dst} = addr_space_cast(r{insn.src}, {insn.imm & 0xFFFF}, {insn.imm >> 16 & 0xFFFF})"
    sign = _MOVSX_TEXT.get(insn.off, "") if insn.op == OP_MOV else ""
    return f"{letter}{insn.dst} {text} {sign}{letter}{insn.src}"


def _jump_text(insn: Code) -> str:
    if insn.op == OP_CALL:
        if insn.src == PSEUDO_CALL:
            return f"call pc{insn.imm:+d}"
        if insn.src == PSEUDO_KFUNC:
            return f"call kernel-function#{insn.imm}"
        return f"call {helper_name(insn.imm)}#{insn.imm}"
    if insn.code == JMP | OP_JA:
        return f"goto pc{insn.off:+d}"
    if insn.code == JMP | OP_JCOND:
        return f"may_goto pc{insn.off:+d}"
    if insn.code == JMP32 | OP_JA:
        return f"gotol pc{insn.imm:+d}"
    if insn.code == JMP | OP_EXIT:
        return "exit"
    letter = "r" if insn.cls == JMP else "w"
    right = f"{letter}{insn.src}" if insn.is_reg else f"0x{insn.imm & 0xFFFFFFFF:x}"
    return f"if {letter}{insn.dst} {_JUMP_TEXT.get(insn.op, '?')} {right} goto pc{insn.off:+d}"


def _store_text(insn: Code) -> str:
    place = f"({_SIZE_TEXT[insn.size]} *)(r{insn.dst} {insn.off:+d})"
    if insn.mode == MODE_MEM:
        return f"*{place} = r{insn.src}"
    wide = "64" if insn.size == 8 else ""
    if insn.imm == CMPXCHG:
        return f"r0 = atomic{wide}_cmpxchg({place}, r0, r{insn.src})"
    if insn.imm == XCHG:
        return f"r{insn.src} = atomic{wide}_xchg({place}, r{insn.src})"
    if insn.imm == LOAD_ACQ:
        return f"r{insn.dst} = load_acquire(({_SIZE_TEXT[insn.size]} *)(r{insn.src} {insn.off:+d}))"
    if insn.imm == STORE_REL:
        return f"store_release({place}, r{insn.src})"
    if insn.imm & ~FETCH in _ATOMIC_TEXT and insn.imm >= 0:
        if insn.imm & FETCH:
            return f"r{insn.src} = atomic{wide}_fetch_{_ATOMIC_TEXT[insn.imm & ~FETCH]}({place}, r{insn.src})"
        return f"lock *{place} {_ALU_TEXT[insn.imm]} r{insn.src}"
    return f"BUG_{insn.code:02x}"


def _load_text(insn: Code, following: Code | None) -> str:
    if insn.mode == MODE_ABS:
        return f"({insn.code:02x}) r0 = *({_SIZE_TEXT[insn.size]} *)skb[{insn.imm}]"
    if insn.mode == MODE_IND:
        return f"({insn.code:02x}) r0 = *({_SIZE_TEXT[insn.size]} *)skb[r{insn.src} + {insn.imm}]"
    if insn.code == WIDE and following is not None:
        value = (following.imm & 0xFFFFFFFF) << 32 | (insn.imm & 0xFFFFFFFF)
        return f"({insn.code:02x}) r{insn.dst} = 0x{value:x}"
    return f"BUG_ld_{insn.code:02x}"
