"""Arithmetic: numbers by scalar.py, pointers plus or minus numbers here.

    pointer + known constant      the fixed offset moves
    pointer + unknown number      the number joins the variable part; a packet pointer gets a new id and loses its range
    pointer - pointer             an unknown number
    anything else with a pointer  refused

Copies share an id, so that a later comparison teaches all of them; ``r1 = r2; r1 += 4`` keeps the link with a distance.

Source: kernel/bpf/verifier.c check_alu_op, adjust_reg_min_max_vals, adjust_ptr_min_max_vals, maybe_fork_scalars
(6.12, 6.18).
"""

from __future__ import annotations

from toolchain.isa.opcodes import Alu
from toolchain.verifier.arith import alu, fork, pointer_offset, swap_bytes
from toolchain.verifier.env import Env
from toolchain.verifier.insns import ALU64, ALU_TEXT, OP_DIV, OP_END, OP_MOD, OP_MOV, OP_NEG, Code
from toolchain.verifier.jumps import push_state
from toolchain.verifier.memory import need_readable, need_writable
from toolchain.verifier.precision import mark_precise
from toolchain.verifier.regtypes import (
    ADD_CONST,
    ADD_CONST32,
    ADD_CONST64,
    ARENA,
    BASE_MASK,
    BTF_ID,
    BUF,
    CTX,
    DYNPTR,
    FLOW_KEYS,
    FUNC,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    PACKET,
    PACKET_META,
    SCALAR,
    STACK,
    TP_BUFFER,
    UNKNOWN_SCALAR,
    Reg,
    constant,
    is_packet,
    number,
    type_text,
)
from toolchain.verifier.scalar import S64_MIN, settle
from toolchain.verifier.scalar_text import violation_text
from toolchain.verifier.stack import assign_id
from toolchain.verifier.width import sext, sext32, unknown_of_size, zext32

MAX_VAR_OFF = 1 << 29
_UNKNOWN_LOW_HALF = number(unknown_of_size(4))
_SHIFTS = (0x60, 0x70, 0xC0)
_ALU_OF = {int(op): op for op in Alu}

_MOVABLE = frozenset({CTX, MAP_VALUE, MAP_KEY, STACK, PACKET_META, PACKET, TP_BUFFER, BTF_ID, MEM, BUF, FUNC, DYNPTR})
"""Bases of pointers that any number may be added to."""


def check_alu(env: Env, insn: Code) -> None:
    """One arithmetic instruction of either width."""
    op = insn.op
    if op == OP_MOV:
        _move(env, insn)
    elif op in (OP_END, OP_NEG):
        _unary(env, insn)
    elif op > OP_END:
        env.refuse(f"invalid BPF_ALU opcode {op:x}")
    else:
        _binary(env, insn)


def _unary(env: Env, insn: Code) -> None:
    if insn.op == OP_NEG:
        if insn.is_reg or insn.src or insn.off or insn.imm:
            env.refuse("BPF_NEG uses reserved fields")
    elif insn.src or insn.off or insn.imm not in (16, 32, 64) or (insn.cls == ALU64 and insn.is_reg):
        env.refuse("BPF_END uses reserved fields")
    reg = need_readable(env, insn.dst)
    need_writable(env, insn.dst)
    if reg.type != SCALAR:
        env.regs[insn.dst] = UNKNOWN_SCALAR
    elif insn.op == OP_NEG:
        env.regs[insn.dst] = number(alu(Alu.NEG, insn.cls == ALU64, reg.scalar, reg.scalar))
    else:
        is_swapped = insn.is_reg or insn.cls == ALU64
        result = swap_bytes(reg.scalar, insn.imm, is_swapped)
        env.regs[insn.dst] = reg if insn.imm == 64 and not is_swapped else number(result)


def _move(env: Env, insn: Code) -> None:
    is64 = insn.cls == ALU64
    if insn.is_reg:
        if is64 and insn.off == 1:
            _address_space_cast(env, insn)
        if insn.imm or insn.off not in ((0, 8, 16, 32) if is64 else (0, 8, 16)):
            env.refuse("BPF_MOV uses reserved fields")
        need_readable(env, insn.src)
    elif insn.src or insn.off:
        env.refuse("BPF_MOV uses reserved fields")
    need_writable(env, insn.dst)
    regs = env.state.frames[-1].regs
    if not insn.is_reg:
        regs[insn.dst] = constant(insn.imm if is64 else insn.imm & 0xFFFFFFFF)
    elif is64 and insn.off == 0:
        regs[insn.dst] = assign_id(env, regs, insn.src)
    elif regs[insn.src].type != SCALAR:
        regs[insn.dst] = UNKNOWN_SCALAR if is64 else _UNKNOWN_LOW_HALF
    else:
        regs[insn.dst] = _converted(env, regs, insn, is64)


def _address_space_cast(env: Env, insn: Code) -> None:
    if insn.imm not in (1, 1 << 16):
        env.refuse("addr_space_cast insn can only convert between address space 1 and 0")
    env.refuse("addr_space_cast insn can only be used in a program that has an associated arena")


def _converted(env: Env, regs: list[Reg], insn: Code, is64: bool) -> Reg:
    """A copy of a number's low part, sign-extended where ``off`` says; linked to its source only if nothing was cut."""
    reg = regs[insn.src]
    limit = insn.off - 1 if insn.off else 32
    keeps_value = reg.scalar.umax < 1 << limit
    if keeps_value:
        reg = assign_id(env, regs, insn.src)
    elif reg.id:
        reg = reg.with_id(0, 0)
    if insn.off == 0:
        return reg.with_scalar(zext32(reg.scalar))
    return reg.with_scalar(settle(sext(reg.scalar, insn.off // 8) if is64 else sext32(reg.scalar, insn.off // 8)))


def _binary(env: Env, insn: Code) -> None:
    op = insn.op
    is_division = op in (OP_DIV, OP_MOD)
    if insn.off and (insn.off != 1 or not is_division):
        env.refuse("BPF_ALU uses reserved fields")
    if insn.is_reg:
        if insn.imm:
            env.refuse("BPF_ALU uses reserved fields")
        src = need_readable(env, insn.src)
    else:
        if insn.src:
            env.refuse("BPF_ALU uses reserved fields")
        src = constant(insn.imm)
    dst = need_readable(env, insn.dst)
    if not insn.is_reg:
        if is_division and insn.imm == 0:
            env.refuse("div by zero")
        if op in _SHIFTS and not 0 <= insn.imm < (64 if insn.cls == ALU64 else 32):
            env.refuse(f"invalid shift {insn.imm}")
    need_writable(env, insn.dst)
    if dst.type == SCALAR and src.type == SCALAR:
        _numbers(env, insn, dst, src)
    else:
        _with_pointer(env, insn, dst, src)


def _numbers(env: Env, insn: Code, dst: Reg, src: Reg) -> None:
    regs = env.state.frames[-1].regs
    is64 = insn.cls == ALU64
    op = _ALU_OF[insn.op]
    scalar = dst.scalar
    split = fork(op, scalar, src.scalar) if op in (Alu.AND, Alu.OR) else None
    if split is not None:
        pushed = push_state(env, env.insn, env.insn)
        pushed.frames[-1].regs[insn.dst] = dst.with_scalar(split[0])
        scalar = split[1]
    result = alu(op, is64, scalar, src.scalar, insn.off)
    id, off = _linked(insn, dst, src, is64) if dst.id else (0, 0)
    if id:
        regs[insn.dst] = Reg(SCALAR, off, result, id)
    else:
        regs[insn.dst] = constant(result.value) if not result.mask and result.value < 256 else number(result)


def _linked(insn: Code, dst: Reg, src: Reg, is64: bool) -> tuple[int, int]:
    """The id of ``dst`` after adding a constant, and its distance from the linked value; (0, 0) where the link is
    lost."""
    if insn.op not in (Alu.ADD, Alu.SUB) or dst.id & ADD_CONST or (insn.is_reg and insn.src == insn.dst):
        return 0, 0
    amount = src.scalar
    if is64:
        off = amount.signed_value
        if amount.mask or not -(1 << 31) <= off < 1 << 31:
            return 0, 0
    else:
        off = ((amount.value & 0xFFFFFFFF) ^ 1 << 31) - (1 << 31)
        if amount.mask & 0xFFFFFFFF or dst.scalar.umax > 0xFFFFFFFF:
            return 0, 0
    if insn.op == Alu.SUB:
        if off == -(1 << 31):
            return 0, 0
        off = -off
    return dst.id | (ADD_CONST64 if is64 else ADD_CONST32), off


def _with_pointer(env: Env, insn: Code, dst: Reg, src: Reg) -> None:
    regs = env.state.frames[-1].regs
    if dst.type == ARENA or src.type == ARENA:
        env.unsupported("arena pointers")
    if dst.type != SCALAR and src.type != SCALAR:
        if insn.op != Alu.SUB:
            env.deny(f"R{insn.dst} pointer {ALU_TEXT[insn.op]} pointer prohibited")
        regs[insn.dst] = UNKNOWN_SCALAR
    elif dst.type == SCALAR:
        mark_precise(env, insn.dst)
        _move_pointer(env, insn, src, dst, False)
    else:
        if insn.is_reg:
            mark_precise(env, insn.src)
        _move_pointer(env, insn, dst, src, True)


def _move_pointer(env: Env, insn: Code, pointer: Reg, amount: Reg, is_dst: bool) -> None:
    """``pointer`` (the destination, if ``is_dst``) plus or minus a number. Source: adjust_ptr_min_max_vals."""
    regs = env.state.frames[-1].regs
    dst = insn.dst
    scalar = amount.scalar
    is_known = not scalar.mask
    if (
        scalar.smin > scalar.smax
        or scalar.umin > scalar.umax
        or (is_known and (scalar.smin != scalar.smax or scalar.umin != scalar.umax))
    ):
        regs[dst] = UNKNOWN_SCALAR
        return
    if insn.cls != ALU64:
        if insn.op == Alu.SUB:
            regs[dst] = UNKNOWN_SCALAR
            return
        env.deny(f"R{dst} 32-bit pointer arithmetic prohibited")
    _check_movable(env, insn, pointer, scalar.smin, is_known)
    _check_offset(env, amount, pointer.type)
    _check_offset(env, pointer, pointer.type)
    result = _moved(env, insn, pointer, amount, is_dst)
    _check_offset(env, result, pointer.type)
    text = violation_text(result.scalar, "alu")
    if text:
        result = result.with_scalar(settle(result.scalar))
    regs[dst] = result


def _check_movable(env: Env, insn: Code, pointer: Reg, smin: int, is_known: bool) -> None:
    if pointer.type & MAYBE_NULL:
        env.deny(f"R{insn.dst} pointer arithmetic on {type_text(pointer.type)} prohibited, null-check it first")
    base = pointer.type & BASE_MASK
    if base in _MOVABLE or (base == FLOW_KEYS and is_known):
        return
    if base in (MAP_PTR, FLOW_KEYS) and is_known and smin == 0 and insn.op == Alu.ADD:
        return
    env.deny(f"R{insn.dst} pointer arithmetic on {type_text(pointer.type)} prohibited")


def _check_offset(env: Env, reg: Reg, kind: int) -> None:
    """Offsets stay far from overflowing. Source: check_reg_sane_offset."""
    scalar = reg.scalar
    name = type_text(kind)
    if not scalar.mask and not -MAX_VAR_OFF < scalar.signed_value < MAX_VAR_OFF:
        env.refuse(f"math between {name} pointer and {scalar.signed_value} is not allowed")
    if reg.type != SCALAR and not -MAX_VAR_OFF < reg.off < MAX_VAR_OFF:
        env.refuse(f"{name} pointer offset {reg.off} is not allowed")
    if scalar.smin == S64_MIN:
        env.refuse(f"math between {name} pointer and register with unbounded min value is not allowed")
    if not -MAX_VAR_OFF < scalar.smin < MAX_VAR_OFF:
        env.refuse(f"value {scalar.smin} makes {name} pointer be out of bounds")


def _moved(env: Env, insn: Code, pointer: Reg, amount: Reg, is_dst: bool) -> Reg:
    scalar = amount.scalar
    is_known = not scalar.mask
    op = insn.op
    if op == Alu.SUB:
        if not is_dst:
            env.deny(f"R{insn.dst} tried to subtract pointer from scalar")
        if pointer.type == STACK:
            env.deny(f"R{insn.dst} subtraction from stack pointer prohibited")
    elif op in (Alu.AND, Alu.OR, Alu.XOR):
        env.deny(f"R{insn.dst} bitwise operator {ALU_TEXT[op]} on pointer prohibited")
    elif op != Alu.ADD:
        env.deny(f"R{insn.dst} pointer arithmetic with {ALU_TEXT[op]} operator prohibited")
    if is_known:
        off = pointer.off + (scalar.smin if op == Alu.ADD else -scalar.smin)
        if -(1 << 31) <= off < 1 << 31:
            return Reg(
                pointer.type,
                off,
                pointer.scalar,
                pointer.id,
                pointer.ref_obj_id,
                pointer.raw,
                pointer.map,
                pointer.map_uid,
            )
    variable = pointer_offset(op == Alu.ADD, pointer.scalar, scalar)
    id, raw = pointer.id, pointer.raw
    if is_packet(pointer.type):
        id = env.new_id()
        if op == Alu.ADD or scalar.smin < 0:
            raw = 0
    return Reg(pointer.type, pointer.off, variable, id, pointer.ref_obj_id, raw, pointer.map, pointer.map_uid)
