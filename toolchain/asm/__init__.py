"""Assembly text to objects and back. See bpf.lark for the language and assembler.py for how it becomes an object.

Names are imported when they are used, so that assembling does not load the disassembler, nor printing the assembler.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolchain.asm.api import assemble, assemble_text, parse
    from toolchain.asm.disassemble import disassemble
    from toolchain.asm.options import AsmOptions
    from toolchain.asm.printer import describe_insn, print_insn
    from toolchain.asm.unit import Unit

_HOME = {
    "AsmOptions": "options",
    "Unit": "unit",
    "assemble": "api",
    "assemble_text": "api",
    "describe_insn": "printer",
    "disassemble": "disassemble",
    "parse": "api",
    "print_insn": "printer",
}

__all__ = ["AsmOptions", "Unit", "assemble", "assemble_text", "describe_insn", "disassemble", "parse", "print_insn"]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"toolchain.asm.{home}"), name)
    globals()[name] = value
    return value
