"""One decoded instruction, lossless.

Layout of a slot (8 bytes; little endian shown, big endian swaps the two register nibbles):

    byte 0   byte 1     bytes 2-3   bytes 4-7
    opcode   src<<4|dst off (s16)   imm (s32)

A wide instruction (opcode 0x18) fills two slots; the second one is all zero but for its imm. Two units of
position exist: an *insn* is one decoded instruction, a *slot* is one 8-byte word. Offsets of jumps, the kernel's
log and all type information count slots.

Source: RFC 9669 section 3.
"""

from __future__ import annotations

from typing import NamedTuple


class Insn(NamedTuple):
    """A decoded instruction; any 8-byte word is one, valid or not.

    Units: opcode 0..255, dst and src 0..15, off a signed 16-bit and imm a signed 32-bit value.
    ``imm_high`` is the signed imm of the second slot of a wide instruction, None for all others.
    """

    opcode: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0
    imm_high: int | None = None

    @property
    def is_wide(self) -> bool:
        """It fills two slots."""
        return self.imm_high is not None

    @property
    def slot_count(self) -> int:
        """1 or 2."""
        return 1 if self.imm_high is None else 2

    @property
    def imm64(self) -> int:
        """The unsigned 64-bit immediate of a wide instruction."""
        return ((self.imm_high or 0) & 0xFFFFFFFF) << 32 | (self.imm & 0xFFFFFFFF)


def wide(opcode: int, dst: int, src: int, imm64: int) -> Insn:
    """A wide instruction from a 64-bit immediate, signed or unsigned."""
    low, high = imm64 & 0xFFFFFFFF, imm64 >> 32 & 0xFFFFFFFF
    return Insn(opcode, dst, src, 0, low - (low >> 31 << 32), high - (high >> 31 << 32))
