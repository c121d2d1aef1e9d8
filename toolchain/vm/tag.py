"""The tag of a program: what `bpftool prog show` and the kernel's log name code by.

Eight bytes of the SHA-256 of the code, in which whatever differs from load to load is blanked: the immediates of wide
loads of a map or of an address in its value. Map indexes count as the fds that a kernel loader puts there.

Source: kernel/bpf/core.c, bpf_prog_calc_tag(), as Linux 6.18 behaves (SHA-1 before that).
"""

from __future__ import annotations

import hashlib

from toolchain.isa.codec import decode, encode
from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import PseudoSrc

_BLANKED = {
    PseudoSrc.MAP_FD: PseudoSrc.MAP_FD,
    PseudoSrc.MAP_IDX: PseudoSrc.MAP_FD,
    PseudoSrc.MAP_VALUE: PseudoSrc.MAP_VALUE,
    PseudoSrc.MAP_IDX_VALUE: PseudoSrc.MAP_VALUE,
}


def tag_of(code: bytes) -> str:
    """The tag in 16 hex digits. Shape: ``code`` is little endian, 8 bytes a slot."""
    return hashlib.sha256(encode(map(_blanked, decode(code)))).digest()[:8].hex()


def _blanked(insn: Insn) -> Insn:
    if not insn.is_wide or insn.src not in _BLANKED:
        return insn
    return insn._replace(src=int(_BLANKED[PseudoSrc(insn.src)]), imm=0, imm_high=0)
