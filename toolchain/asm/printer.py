"""Instructions to text, in either dialect. Imports no parser.

``print_insn`` gives text that assembles to the same bytes, or None where no spelling of an instruction says all of its
fields (a register above r10, a bit set in a field that the form does not use, a shift by more than its width): such
an instruction is raw data to a reader and to the disassembler.
"""

from __future__ import annotations

from toolchain.asm.tables import SHIFTS
from toolchain.isa.forms import Form, Pattern, form_of
from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import REGISTER_COUNT

_NO_DST = frozenset({
    Pattern.JUMP, Pattern.JUMP_LONG, Pattern.CALL_HELPER, Pattern.CALL_LOCAL, Pattern.CALL_KFUNC, Pattern.EXIT,
    Pattern.LD_ABS, Pattern.LD_IND,
})  # fmt: skip
"""Patterns that leave the dst field zero."""


def print_insn(insn: Insn, dialect: str = "pseudoc", target: str = "") -> str | None:
    """The text of ``insn``; None where it has none that is exact.

    ``dialect`` is pseudoc or normal. ``target`` replaces the number of a jump, a call or a wide load (a label, a
    symbol); without it, jumps show their distance.
    """
    form = form_of(insn)
    if form is None or not _is_exact(form, insn):
        return None
    if dialect == "normal":
        return _normal(form, insn, target)
    return _pseudoc(form, insn, target)


def describe_insn(insn: Insn, dialect: str = "pseudoc") -> str:
    """Like print_insn, for a reader: an instruction without an exact text is shown by its fields."""
    text = print_insn(insn, dialect)
    if text is not None:
        return text
    form = form_of(insn)
    if form is not None and form.pattern is Pattern.CALL_KFUNC and insn.dst == 0:
        return f"call kfunc {insn.imm}" + (f" of module {insn.off}" if insn.off else "")
    high = f" imm_high=0x{insn.imm_high & 0xFFFFFFFF:x}" if insn.imm_high is not None else ""
    fields = f"dst={insn.dst} src={insn.src} off={insn.off} imm=0x{insn.imm & 0xFFFFFFFF:x}{high}"
    return f"unknown (0x{insn.opcode:02x}) {fields}"


def _is_exact(form: Form, insn: Insn) -> bool:
    if insn.dst >= REGISTER_COUNT or insn.src >= REGISTER_COUNT:
        return False
    if form.pattern in _NO_DST and insn.dst:
        return False
    if form.symbol in SHIFTS and form.pattern is Pattern.ALU_IMM and not 0 <= insn.imm < form.size * 8:
        return False
    return form.pattern is not Pattern.CALL_KFUNC


def _signed(number: int) -> str:
    return f"+{number}" if number >= 0 else str(number)


def _offset(number: int) -> str:
    return f"+ {number}" if number >= 0 else f"- {-number}"


def _imm64(insn: Insn) -> int:
    value = insn.imm64
    return value - (value >> 63 << 64)


def _pseudoc(form: Form, insn: Insn, target: str) -> str | None:
    letter = "r" if form.size == 8 else "w"
    dst, src = f"{letter}{insn.dst}", f"{letter}{insn.src}"
    address = f"(r{insn.dst} {_offset(insn.off)})"
    jump = target or _signed(insn.off)
    pattern, symbol = form.pattern, form.symbol
    if pattern is Pattern.ALU_REG:
        return f"{dst} {symbol} {src}"
    if pattern is Pattern.ALU_IMM:
        return f"{dst} {symbol} {insn.imm}"
    if pattern is Pattern.ALU_UNARY:
        return f"{dst} = -{dst}"
    if pattern is Pattern.SWAP:
        return f"r{insn.dst} = {symbol} r{insn.dst}"
    if pattern is Pattern.MOVSX:
        return f"{dst} = ({symbol}){src}"
    if pattern is Pattern.ADDR_SPACE_CAST:
        return f"{dst} = addr_space_cast({src}, {insn.imm >> 16 & 0xFFFF}, {insn.imm & 0xFFFF})"
    if pattern is Pattern.LDDW:
        if insn.src:
            return f"ld_pseudo r{insn.dst}, {insn.src}, {insn.imm64}"
        return f"r{insn.dst} = {target or _imm64(insn)} ll"
    if pattern is Pattern.LOAD:
        return f"r{insn.dst} = *({symbol} *)(r{insn.src} {_offset(insn.off)})"
    if pattern is Pattern.STORE_REG:
        return f"*({symbol} *){address} = r{insn.src}"
    if pattern is Pattern.STORE_IMM:
        return f"*({symbol} *){address} = {insn.imm}"
    if pattern is Pattern.LD_ABS:
        return f"r0 = *({symbol} *)skb[{insn.imm}]"
    if pattern is Pattern.LD_IND:
        return f"r0 = *({symbol} *)skb[r{insn.src}{' ' + _offset(insn.imm) if insn.imm else ''}]"
    if pattern is Pattern.JUMP:
        return f"{symbol} {jump}"
    if pattern is Pattern.JUMP_LONG:
        return f"gotol {target or _signed(insn.imm)}"
    if pattern is Pattern.JUMP_REG:
        return f"if {dst} {symbol} {src} goto {jump}"
    if pattern is Pattern.JUMP_IMM:
        return f"if {dst} {symbol} {insn.imm} goto {jump}"
    if pattern in (Pattern.CALL_HELPER, Pattern.CALL_LOCAL):
        if pattern is Pattern.CALL_LOCAL and not target:
            return f"call local {insn.imm}"
        return f"call {target or insn.imm}"
    if pattern in (Pattern.CALL_REG, Pattern.JUMP_INDIRECT):
        return f"{symbol} r{insn.dst}"
    if pattern is Pattern.EXIT:
        return "exit"
    return _atomic(form, insn, address, src)


def _atomic(form: Form, insn: Insn, address: str, src: str) -> str | None:
    pattern, symbol = form.pattern, form.symbol
    kind = f"u{form.size * 8}"
    inner = address[1:-1]
    if pattern is Pattern.ATOMIC:
        return f"lock *({kind} *){address} {symbol} {src}"
    if pattern is Pattern.ATOMIC_FETCH and symbol == "xchg":
        return f"{src} = {'xchg_64' if form.size == 8 else 'xchg32_32'}({inner}, {src})"
    if pattern is Pattern.ATOMIC_FETCH:
        return f"{src} = {symbol}(({kind} *){address}, {src})"
    if pattern is Pattern.CMPXCHG:
        old = "r0" if form.size == 8 else "w0"
        return f"{old} = {'cmpxchg_64' if form.size == 8 else 'cmpxchg32_32'}({inner}, {old}, {src})"
    if pattern is Pattern.LOAD_ACQUIRE:
        dst = f"{'r' if form.size == 8 else 'w'}{insn.dst}"
        return f"{dst} = load_acquire(({kind} *)(r{insn.src} {_offset(insn.off)}))"
    if pattern is Pattern.STORE_RELEASE:
        return f"store_release(({kind} *){address}, {src})"
    return None


def _normal(form: Form, insn: Insn, target: str) -> str | None:
    if not form.mnemonic or (form.pattern is Pattern.LDDW and insn.src):
        return None
    dst, src = f"%r{insn.dst}", f"%r{insn.src}"
    memory = f"[%r{insn.dst}{_signed(insn.off)}]"
    jump = target or str(insn.off)
    pattern = form.pattern
    operands = {
        Pattern.ALU_REG: (dst, src),
        Pattern.ALU_IMM: (dst, str(insn.imm)),
        Pattern.ALU_UNARY: (dst,),
        Pattern.SWAP: (dst, str(insn.imm)),
        Pattern.MOVSX: (dst, src, str(insn.off)),
        Pattern.LDDW: (dst, target or str(_imm64(insn))) if insn.is_wide else (),
        Pattern.LOAD: (dst, f"[%r{insn.src}{_signed(insn.off)}]"),
        Pattern.STORE_REG: (memory, src),
        Pattern.STORE_IMM: (memory, str(insn.imm)),
        Pattern.LD_ABS: (str(insn.imm),),
        Pattern.LD_IND: (src, str(insn.imm)),
        Pattern.ATOMIC: (memory, src),
        Pattern.ATOMIC_FETCH: (memory, src),
        Pattern.CMPXCHG: (memory, src),
        Pattern.JUMP: (jump,),
        Pattern.JUMP_LONG: (target or str(insn.imm),),
        Pattern.JUMP_REG: (dst, src, jump),
        Pattern.JUMP_IMM: (dst, str(insn.imm), jump),
        Pattern.CALL_HELPER: (target or str(insn.imm),),
        Pattern.CALL_LOCAL: (target or str(insn.imm),),
        Pattern.CALL_REG: (dst,),
        Pattern.EXIT: (),
    }.get(pattern)
    if operands is None:
        return None
    mnemonic = {"callx": "call", "acmpxchg": "acmp", "acmpxchg32": "acmp32"}.get(form.mnemonic, form.mnemonic)
    if pattern is Pattern.CALL_LOCAL and not target:
        mnemonic = "call local"
    return f"{mnemonic} {','.join(operands)}".rstrip()
