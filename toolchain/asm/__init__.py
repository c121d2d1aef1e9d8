"""Assembly text to objects and back. See bpf.lark for the language and assembler.py for how it becomes an object."""

from toolchain.asm.api import assemble, assemble_text, parse
from toolchain.asm.disassemble import disassemble
from toolchain.asm.options import AsmOptions
from toolchain.asm.printer import describe_insn, print_insn
from toolchain.asm.unit import Unit

__all__ = ["AsmOptions", "Unit", "assemble", "assemble_text", "describe_insn", "disassemble", "parse", "print_insn"]
