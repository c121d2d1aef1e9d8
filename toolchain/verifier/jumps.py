"""Conditional jumps: which way can be taken, and what each way teaches.

    numbers        branch.py decides or narrows both sides; registers linked by id learn with them
    maybe-null     compared with 0: one side is null, the other a plain pointer, for every copy of that lookup
    packet         compared with the end: one side learns how many bytes are there
    known pointer  compared with 0: never null

An undecided jump pushes the taken side for later and goes on with the fall-through.

Source: kernel/bpf/verifier.c check_cond_jmp_op, is_branch_taken, find_good_pkt_pointers, try_match_pkt_pointers,
mark_ptr_or_null_regs, collect_linked_regs, sync_linked_regs (6.12).
"""

from __future__ import annotations

import errno

from toolchain.isa.map_types import MapType
from toolchain.isa.opcodes import Alu, Jmp
from toolchain.verifier.arith import alu
from toolchain.verifier.branch import FLIP, decide, refine, refine_same
from toolchain.verifier.env import PENDING_LIMIT, Env
from toolchain.verifier.insns import JMP, OP_JCOND, Code
from toolchain.verifier.memory import need_readable
from toolchain.verifier.precision import mark_precise, push_history
from toolchain.verifier.regtypes import (
    ADD_CONST,
    ADD_CONST32,
    AT_PKT_END,
    BASE_MASK,
    BEYOND_PKT_END,
    BTF_ID,
    BUF,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    PACKET,
    PACKET_END,
    PACKET_META,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    STACK,
    TCP_SOCK,
    XDP_SOCK,
    ZERO_SCALAR,
    Reg,
    constant,
)
from toolchain.verifier.scalar import const
from toolchain.verifier.state import FP, HIST_DST_STACK, HIST_SRC_STACK, SPILL, Frame, Slot, State, stored_registers_of
from toolchain.verifier.width import zext32

MAX_PACKET_OFF = 0xFFFF
_LINKED_MAX = 6
Link = tuple[int, int, bool]

_JMP_OF = {int(op): op for op in Jmp}
_NEVER_NULL = frozenset({SOCKET, TCP_SOCK, XDP_SOCK, BUF, MAP_VALUE, MAP_KEY, SOCK_COMMON, MEM, MAP_PTR})
_MAX_VAR_OFF = 1 << 29


def push_state(env: Env, insn: int, prev_insn: int) -> State:
    """Put a copy of the current state aside, to be continued at ``insn``; the copy may still be changed."""
    copy = env.state.copy()
    env.pending.append((copy, insn, prev_insn, env.log.mark()))
    if len(env.pending) > PENDING_LIMIT:
        env.refuse(f"The sequence of {len(env.pending)} jumps is too complex.", errno.E2BIG)
    if copy.parent is not None:
        copy.parent.branches += 1
    return copy


def check_cond_jump(env: Env, insn: Code) -> None:
    """Check a conditional jump; ``env.insn`` is then the next instruction's number less one, as for any other."""
    if insn.op == OP_JCOND:
        env.unsupported("may_goto")
    if insn.op == 0 or insn.op > OP_JCOND:
        env.refuse(f"invalid BPF_JMP/JMP32 opcode {insn.op:x}")
    dst = need_readable(env, insn.dst)
    flags = 0
    if insn.is_reg:
        if insn.imm:
            env.refuse("BPF_JMP/JMP32 uses reserved fields")
        src = need_readable(env, insn.src)
        if src.type == STACK:
            flags |= HIST_SRC_STACK
    else:
        if insn.src:
            env.refuse("BPF_JMP/JMP32 uses reserved fields")
        src = constant(insn.imm)
    if dst.type == STACK:
        flags |= HIST_DST_STACK
    if flags:
        push_history(env, flags)
    op = _JMP_OF[insn.op]
    is64 = insn.cls == JMP
    outcome = _decide(op, is64, dst, src)
    if outcome is not None:
        if dst.type == SCALAR:
            mark_precise(env, insn.dst)
        if insn.is_reg and src.type == SCALAR:
            mark_precise(env, insn.src)
        if outcome:
            env.insn += insn.off
        return
    _both_ways(env, insn, op, is64, dst, src)


def _decide(op: Jmp, is64: bool, dst: Reg, src: Reg) -> bool | None:
    """Which side is taken, where that is known. Source: is_branch_taken, which takes half a pointer for the whole."""
    if is_packet_any(dst) and is_packet_any(src) and is64:
        return _decide_packet(op, dst, src)
    if dst.type == SCALAR and src.type == SCALAR:
        return decide(op, is64, dst.scalar, src.scalar)
    if src.type != SCALAR:
        dst, src = src, dst
    if is64 and src.type == SCALAR and not src.scalar.mask and src.scalar.value == 0 and _is_not_null(dst):
        return {Jmp.JEQ: False, Jmp.JNE: True}.get(op)
    return None


def is_packet_any(reg: Reg) -> bool:
    """A packet pointer or the packet's end."""
    return reg.type in (PACKET, PACKET_META, PACKET_END)


def _is_not_null(reg: Reg) -> bool:
    """A valid pointer whose offset cannot wrap it to zero. Source: reg_not_null."""
    if reg.type & MAYBE_NULL or not -_MAX_VAR_OFF < reg.scalar.smin <= reg.scalar.smax < _MAX_VAR_OFF:
        return False
    return reg.type & BASE_MASK in _NEVER_NULL


def _decide_packet(op: Jmp, dst: Reg, src: Reg) -> bool | None:
    """A pointer once found at or beyond the end stays there. Source: is_pkt_ptr_branch_taken."""
    if src.type == PACKET_END:
        pointer = dst
    elif dst.type == PACKET_END:
        pointer = src
        if op not in FLIP:
            return None
        op = Jmp(FLIP[op])
    else:
        return None
    if pointer.raw >= 0:
        return None
    if op in (Jmp.JLE, Jmp.JGT):
        if pointer.raw == BEYOND_PKT_END:
            return op == Jmp.JGT
    elif op in (Jmp.JLT, Jmp.JGE):
        return op == Jmp.JGE
    return None


def _both_ways(env: Env, insn: Code, op: Jmp, is64: bool, dst: Reg, src: Reg) -> None:
    this = env.state
    links: list[Link] = []
    if insn.is_reg and src.type == SCALAR and src.id:
        collect_links(env, this, src.id, links)
    if dst.type == SCALAR and dst.id:
        collect_links(env, this, dst.id, links)
    if len(links) > 1:
        push_history(env, 0, tuple(links))
    other = push_state(env, env.insn + insn.off + 1, env.insn)
    this_regs, other_regs = this.frames[-1].regs, other.frames[-1].regs
    dst, src = this_regs[insn.dst], (this_regs[insn.src] if insn.is_reg else src)
    if dst.type == SCALAR and src.type == SCALAR:
        _refine(insn, op, is64, dst, src, this_regs, other_regs)
    if insn.is_reg and src.type == SCALAR and src.id:
        sync_links(this, this_regs[insn.src], links)
        sync_links(other, other_regs[insn.src], links)
    if dst.type == SCALAR and dst.id:
        sync_links(this, this_regs[insn.dst], links)
        sync_links(other, other_regs[insn.dst], links)
    if is64 and insn.is_reg and dst.type != SCALAR and src.type != SCALAR:
        _equal_pointers(insn, op, dst, src, this_regs, other_regs)
    if is64 and not insn.is_reg and insn.imm == 0 and op in (Jmp.JEQ, Jmp.JNE) and dst.type & MAYBE_NULL:
        mark_null(this, dst, op == Jmp.JNE)
        mark_null(other, dst, op == Jmp.JEQ)
    elif is64 and insn.is_reg:
        _match_packets(insn, op, dst, src, this, other)


def _refine(insn: Code, op: Jmp, is64: bool, dst: Reg, src: Reg, this_regs: list[Reg], other_regs: list[Reg]) -> None:
    if insn.is_reg and insn.src == insn.dst:
        taken, fallen = refine_same(op, is64, dst.scalar)
        other_regs[insn.dst] = dst.with_scalar(taken)
        this_regs[insn.dst] = dst.with_scalar(fallen)
        return
    (taken_dst, taken_src), (fallen_dst, fallen_src) = refine(op, is64, dst.scalar, src.scalar)
    if taken_dst is not dst.scalar:
        other_regs[insn.dst] = dst.with_scalar(taken_dst)
    if fallen_dst is not dst.scalar:
        this_regs[insn.dst] = dst.with_scalar(fallen_dst)
    if insn.is_reg:
        if taken_src is not src.scalar:
            other_regs[insn.src] = src.with_scalar(taken_src)
        if fallen_src is not src.scalar:
            this_regs[insn.src] = src.with_scalar(fallen_src)


def collect_links(env: Env, state: State, id: int, links: list[Link]) -> None:
    """Add the live registers and the stored ones linked by ``id`` to ``links``; those that find no room lose their
    link."""
    base = id & ~ADD_CONST
    for frameno in range(len(state.frames) - 1, -1, -1):
        frame = state.frames[frameno]
        live = env.live_before[state.frame_insn(frameno)]
        for number in range(FP):
            reg = frame.regs[number]
            if reg.type != SCALAR or reg.id & ~ADD_CONST != base or not live >> number & 1:
                continue
            if len(links) < _LINKED_MAX:
                links.append((frameno, number, True))
            else:
                frame.regs[number] = reg.with_id(0, 0)
        if not frame.stack:
            continue
        for number in stored_registers_of(frame):
            slot = frame.stack[number]
            if slot.reg.type != SCALAR or slot.reg.id & ~ADD_CONST != base:
                continue
            if len(links) < _LINKED_MAX:
                links.append((frameno, number, False))
            else:
                frame.stack[number] = Slot(slot.kinds, slot.reg.with_id(0, 0))


def sync_links(state: State, known: Reg, links: list[Link]) -> None:
    """Registers linked to ``known`` take over what was learned of it, moved by their distance."""
    for frameno, number, is_reg in links:
        frame = state.frames[frameno]
        if is_reg:
            reg = frame.regs[number]
        else:
            slot = frame.stack[number]
            if slot.kinds[7] != SPILL:
                continue
            reg = slot.reg
        if reg is known or reg.type != SCALAR or (reg.id ^ known.id) & ~ADD_CONST:
            continue
        if (reg.id ^ known.id) & ADD_CONST == ADD_CONST:
            # Distances of different widths say nothing of each other.
            continue
        learned = _learned(reg, known)
        if is_reg:
            frame.regs[number] = learned
        else:
            frame.stack[number] = Slot(slot.kinds, learned)


def _learned(reg: Reg, known: Reg) -> Reg:
    if not (reg.id | known.id) & ADD_CONST or reg.off == known.off:
        return known
    distance = const(reg.off - known.off)
    moved = alu(Alu.ADD, True, known.scalar, distance)
    if (reg.id | known.id) & ADD_CONST32:
        moved = zext32(moved)
    return Reg(SCALAR, reg.off, moved, reg.id)


def _equal_pointers(insn: Code, op: Jmp, dst: Reg, src: Reg, this_regs: list[Reg], other_regs: list[Reg]) -> None:
    """Where two pointers are equal and one is not null, neither is the other."""
    if BTF_ID in (src.type & BASE_MASK, dst.type & BASE_MASK):
        return
    if op == Jmp.JEQ:
        equal = other_regs
    elif op == Jmp.JNE:
        equal = this_regs
    else:
        return
    if _is_not_null(dst) and src.type & MAYBE_NULL:
        equal[insn.src] = _not_null(equal[insn.src])
    if _is_not_null(src) and dst.type & MAYBE_NULL:
        equal[insn.dst] = _not_null(equal[insn.dst])


def mark_null(state: State, reg: Reg, is_null: bool) -> None:
    """Every copy of a maybe-null pointer is null in this state, or is not. Source: mark_ptr_or_null_regs."""
    if reg.ref_obj_id and reg.ref_obj_id == reg.id and is_null:
        state.refs = tuple(entry for entry in state.refs if entry[0] != reg.id)
    for frame in state.frames:
        _mark_null_in(frame, reg.id, is_null)


def _mark_null_in(frame: Frame, id: int, is_null: bool) -> None:
    for number, reg in enumerate(frame.regs):
        if reg.type & MAYBE_NULL and reg.id == id:
            frame.regs[number] = ZERO_SCALAR if is_null else _without_id(_not_null(reg))
    for number in stored_registers_of(frame) if frame.stack else ():
        slot = frame.stack[number]
        if slot.reg.type & MAYBE_NULL and slot.reg.id == id:
            frame.stack[number] = Slot(slot.kinds, ZERO_SCALAR if is_null else _without_id(_not_null(slot.reg)))


def _without_id(reg: Reg) -> Reg:
    return reg.with_id(0, reg.off)


def _not_null(reg: Reg) -> Reg:
    """The pointer once it is known not to be null; a looked-up value may turn out to be a map or a socket."""
    kind = reg.type & ~MAYBE_NULL
    view = reg.map
    if kind == MAP_VALUE and view is not None:
        if view.inner is not None:
            return Reg(MAP_PTR, reg.off, reg.scalar, reg.id, reg.ref_obj_id, reg.raw, view.inner, reg.map_uid)
        if view.map_type == MapType.XSKMAP:
            return reg.with_type(XDP_SOCK, reg.id)
        if view.map_type in (MapType.SOCKMAP, MapType.SOCKHASH):
            return reg.with_type(SOCKET, reg.id)
    return reg.with_type(kind, reg.id)


_PACKET_RULES: dict[tuple[Jmp, bool], tuple[bool, bool, bool, bool]] = {
    # (operator, pointer is dst): learns in this branch, range open at the right; marked in this branch, beyond the end
    (Jmp.JGT, True): (True, False, False, True),
    (Jmp.JGT, False): (False, True, True, False),
    (Jmp.JLT, True): (False, True, True, False),
    (Jmp.JLT, False): (True, False, False, True),
    (Jmp.JGE, True): (True, True, False, False),
    (Jmp.JGE, False): (False, False, True, True),
    (Jmp.JLE, True): (False, False, True, True),
    (Jmp.JLE, False): (True, True, False, False),
}
"""For ``pointer op end`` (or ``end op pointer``): where the proven range goes, and where the pointer is at the end."""


def _match_packets(insn: Code, op: Jmp, dst: Reg, src: Reg, this: State, other: State) -> None:
    if _is_pointer_and_end(dst, src):
        is_dst, pointer, regno = True, dst, insn.dst
    elif _is_pointer_and_end(src, dst):
        is_dst, pointer, regno = False, src, insn.src
    else:
        return
    rule = _PACKET_RULES.get((op, is_dst))
    if rule is None:
        return
    learns_here, is_open, marks_here, is_beyond = rule
    _learn_range(this if learns_here else other, pointer, is_open)
    regs = (this if marks_here else other).frames[-1].regs
    if regs[regno].type == PACKET:
        regs[regno] = regs[regno].with_raw(BEYOND_PKT_END if is_beyond else AT_PKT_END)


def _is_pointer_and_end(pointer: Reg, end: Reg) -> bool:
    if pointer.type == PACKET:
        return end.type == PACKET_END
    return (
        pointer.type == PACKET_META and end.type == PACKET and end.off == 0 and end.scalar.mask == 0 == end.scalar.value
    )


def _learn_range(state: State, pointer: Reg, is_open: bool) -> None:
    """All packet pointers with the same base know ``pointer.off`` bytes to be there. Source: find_good_pkt_pointers."""
    off = pointer.off
    if off < 0 or (off == 0 and is_open):
        return
    if pointer.scalar.umax > MAX_PACKET_OFF or pointer.scalar.umax + off > MAX_PACKET_OFF:
        return
    proven = off + 1 if is_open else off
    for frame in state.frames:
        for number, reg in enumerate(frame.regs):
            if reg.type == pointer.type and reg.id == pointer.id and reg.raw < proven:
                frame.regs[number] = reg.with_raw(proven)
        for number in stored_registers_of(frame) if frame.stack else ():
            slot = frame.stack[number]
            if slot.reg.type == pointer.type and slot.reg.id == pointer.id and slot.reg.raw < proven:
                frame.stack[number] = Slot(slot.kinds, slot.reg.with_raw(proven))
