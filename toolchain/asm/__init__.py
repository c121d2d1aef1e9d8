"""Assembly text to objects and back. See bpf.lark for the language and assembler.py for how it becomes an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.lazy import lazy_names

if TYPE_CHECKING:
    from toolchain.asm.api import assemble, assemble_text, parse
    from toolchain.asm.options import AsmOptions
    from toolchain.asm.printer import describe_insn, print_insn
    from toolchain.asm.unit import Unit

_HOMES = {
    "AsmOptions": "toolchain.asm.options",
    "Unit": "toolchain.asm.unit",
    "assemble": "toolchain.asm.api",
    "assemble_text": "toolchain.asm.api",
    "describe_insn": "toolchain.asm.printer",
    "parse": "toolchain.asm.api",
    "print_insn": "toolchain.asm.printer",
}

__all__ = [
    "AsmOptions",
    "Unit",
    "assemble",
    "assemble_text",
    "describe_insn",
    "parse",
    "print_insn",
]
__getattr__ = lazy_names(__name__, _HOMES)
