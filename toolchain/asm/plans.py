"""What a plan is made of: operands, instructions, and which operand of a mnemonic is which field.

The pseudo-C dialect's rules (grammar.py) know their fields by themselves. A mnemonic's operands are told apart by their
kinds alone, r, m or i for register, memory and number; its form's pattern then says where each belongs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from toolchain.asm.faults import Fault
from toolchain.isa.forms import Form, Pattern

_NO_REGISTER = -1
"""Field value 0, as a fixed register."""


class Register(NamedTuple):
    """A register operand: ``ref`` as in a plan, its width in bytes, its place in the text."""

    ref: int
    size: int
    start: int
    end: int


class Memory(NamedTuple):
    """``[register + offset]``."""

    base: Register
    offset: Any


def memory_at(base: Register, offset: Any) -> Memory:
    """An address. Raises Fault where the register is not a whole one."""
    want_size(base, 8, "an address is a 64-bit register")
    return Memory(base, offset)


def want_same_size(left: Register, right: Register) -> None:
    """Raises Fault where one is r and the other w."""
    if left.size != right.size:
        raise Fault("registers of different widths: r and w (both r, or both w)", right.start, right.end)


def want_size(register: Register, size: int, text: str) -> None:
    """Raises Fault, beginning with ``text``, where the register has not ``size`` bytes."""
    if register.size != size:
        met, wanted = ("w", "r") if size == 8 else ("r", "w")
        raise Fault(f"{text}: {met} ({wanted})", register.start, register.end)


def same(left: Register, right: Register, text: str) -> list[Any]:
    """The check that two operands are one register; which they are, only the values of a line say."""
    return ["same", left.ref, right.ref, text]


def insn_item(
    form: Form,
    dst: Register | None = None,
    src: Register | None = None,
    off: Any = 0,
    imm: Any = 0,
    checks: list[Any] | None = None,
) -> list[Any]:
    """An instruction in a plan; a register that is not given is field value 0."""
    left = dst.ref if dst else _NO_REGISTER
    right = src.ref if src else _NO_REGISTER
    return ["insn", form.name, left, right, off, imm, checks or []]


def mnemonic_item(form: Form, operands: list[Any], kinds: str, mnemonic: str) -> Any:
    """An instruction from a mnemonic's operands, whose kinds are those of the form."""
    pattern = form.pattern
    if pattern is Pattern.SWAP and kinds == "ri":
        return insn_item(
            form, operands[0], imm=operands[1], checks=[["in", operands[1], [16, 32, 64], f"width of {mnemonic}"]]
        )
    if pattern is Pattern.MOVSX and kinds == "rri":
        widths = [8, 16, 32] if form.size == 8 else [8, 16]
        return insn_item(
            form,
            operands[0],
            operands[1],
            off=operands[2],
            checks=[["in", operands[2], widths, f"width of {mnemonic}"]],
        )
    if pattern in (Pattern.ALU_REG, Pattern.MOVSX):
        return insn_item(form, operands[0], operands[1])
    if pattern in (Pattern.ALU_IMM, Pattern.LDDW):
        return insn_item(form, operands[0], imm=operands[1])
    if pattern is Pattern.LD_IND:
        return insn_item(form, None, operands[0], imm=operands[1])
    if pattern is Pattern.LOAD:
        return insn_item(form, operands[0], operands[1].base, off=operands[1].offset)
    if kinds == "mr":
        return insn_item(form, operands[0].base, operands[1], off=operands[0].offset)
    if pattern is Pattern.STORE_IMM:
        return insn_item(form, operands[0].base, off=operands[0].offset, imm=operands[1])
    if pattern is Pattern.JUMP_REG:
        return insn_item(form, operands[0], operands[1], off=operands[2])
    if pattern is Pattern.JUMP_IMM:
        return insn_item(form, operands[0], imm=operands[1], off=operands[2])
    if pattern is Pattern.JUMP:
        return insn_item(form, off=operands[0])
    if kinds == "i":
        return insn_item(form, imm=operands[0])
    return insn_item(form, operands[0] if operands else None)
