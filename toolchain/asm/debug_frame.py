"""``.debug_frame`` from .cfi_startproc and .cfi_endproc.

One common entry (CIE) for the file, one entry (FDE) for each procedure. BPF code has no frame that moves, so that an
entry holds no more than its range:

    CIE  u32 length  u32 0xffffffff  version 4, augmentation "", address size 8, segment 0, alignments 8 and -4, return
         register 11, padding
    FDE  u32 length  u32 -> CIE  u64 start  u64 length of the code

Source: DWARF 5, section 6.4.1; the alignments and the register as LLVM 19 gives them for BPF (BPFMCTargetDesc.cpp).
"""

from __future__ import annotations

from toolchain.asm.emit import leb128
from toolchain.asm.sections import SHT_PROGBITS
from toolchain.asm.state import Fixup, State

_RETURN_REGISTER = 11


def add_frames(state: State) -> None:
    """Adds the section where the source has procedures."""
    if not state.frames:
        return
    endian = state.options.endian
    section = state.enter(".debug_frame", SHT_PROGBITS, 0)
    section.align = 8
    start = section.size
    body = bytes((4, 0, 8, 0)) + leb128(8, False) + leb128(-4, True) + leb128(_RETURN_REGISTER, False)
    body += bytes(-(len(body)) % 8)
    section.append(_u32(4 + len(body), endian) + _u32(0xFFFFFFFF, endian) + body)
    fixups = state.fixups[section.index]
    for code, low, high in state.frames:
        here = section.size
        fixups.append(Fixup(here + 4, "data4", ("at", section.index, start), 0, 0))
        fixups.append(Fixup(here + 8, "data8", ("at", code, low), 0, 0))
        section.append(_u32(20, endian) + bytes(12) + (high - low).to_bytes(8, endian))  # type: ignore[arg-type]


def _u32(value: int, endian: str) -> bytes:
    return value.to_bytes(4, endian)  # type: ignore[arg-type]
