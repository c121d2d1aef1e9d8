"""Loads and stores of the stack: what a slot holds afterwards, what a register learns from it.

    store of a whole aligned register     the slot keeps the register (spill): type, range, id
    narrower store of a number            the low bytes keep it, the rest is what it was, as data
    anything else                         bytes become zero (if zero was stored) or data
    load of what a spill holds            the register comes back (fill); other loads give a number of that width
    store at a variable offset            every byte it may reach becomes data; stored pointers there are gone

A privileged program may read bytes that were never written; they count as unknown data.

Source: kernel/bpf/verifier.c check_stack_write_fixed_off, check_stack_write_var_off, check_stack_read_fixed_off,
check_stack_range_initialized, check_stack_access_within_bounds (6.12, marks of stack liveness as in 6.18).
"""

from __future__ import annotations

import errno

from toolchain.verifier import tnum
from toolchain.verifier.env import Env
from toolchain.verifier.insns import MODE_MEM, ST
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.precision import mark_precise, push_history
from toolchain.verifier.regtypes import (
    ADD_CONST,
    BASE_MASK,
    SCALAR,
    SPILLABLE,
    STACK,
    UNINIT,
    UNKNOWN_SCALAR,
    ZERO_SCALAR,
    MapView,
    Reg,
    constant,
)
from toolchain.verifier.state import (
    ALL_SPILL,
    INVALID,
    MAX_STACK,
    MISC,
    SPILL,
    ZERO_BYTE,
    Frame,
    Slot,
    stack_access_flags,
)

MAX_VAR_OFF = 1 << 29


class HelperMeta:
    """What a helper's earlier arguments say about its later ones.

    ``raw_mode``: the memory argument may be uninitialised; then ``raw_size`` bytes from register ``raw_reg`` are
    written by the helper.
    """

    __slots__ = (
        "helper",
        "key",
        "map",
        "map_uid",
        "mem_size",
        "pkt_access",
        "raw_mode",
        "raw_reg",
        "raw_size",
        "ref_obj_id",
        "release_reg",
        "size_max",
    )

    def __init__(self, helper: int, pkt_access: bool) -> None:
        self.helper = helper
        self.pkt_access = pkt_access
        self.map: MapView | None = None
        self.map_uid = 0
        self.raw_mode = False
        self.raw_reg = 0
        self.raw_size = 0
        self.size_max = 0
        self.mem_size = 0
        self.ref_obj_id = 0
        self.release_reg = 0
        self.key = -1


def assign_id(env: Env, regs: list[Reg], number: int) -> Reg:
    """The register about to be copied, with an id that its copies will share. Source: assign_scalar_id_before_mov."""
    reg = regs[number]
    if reg.type != SCALAR:
        return reg
    if reg.id & ADD_CONST:
        reg = reg.with_id(0, 0)
        regs[number] = reg
    if not reg.id and reg.scalar.mask:
        reg = reg.with_id(env.new_id(), 0)
        regs[number] = reg
    return reg


def check_bounds(env: Env, live: StackLiveness, regno: int, off: int, size: int, is_write: bool) -> None:
    """The access lies in the frame; the frame grows to hold it. ``off`` includes the pointer's fixed offset."""
    reg = env.regs[regno]
    scalar = reg.scalar
    direction = "write to" if is_write else "read from"
    is_fixed = not scalar.mask
    if is_fixed:
        low = scalar.signed_value + off
        high = low + size
    else:
        if scalar.smax >= MAX_VAR_OFF or scalar.smin <= -MAX_VAR_OFF:
            env.deny(f"invalid unbounded variable-offset {direction} stack R{regno}")
        low = scalar.smin + off
        high = scalar.smax + off + size
    is_outside = low < -MAX_STACK or low > -1
    if is_outside or high > 0 or size < 0:
        error = errno.EACCES if is_outside else errno.EINVAL if high > 0 else errno.EFAULT
        if is_fixed:
            env.refuse(f"invalid {direction} stack R{regno} off={off} size={size}", error)
        text = tnum.format_tnum(scalar.value, scalar.mask)
        env.refuse(f"invalid variable-offset {direction} stack R{regno} var_off={text} off={off} size={size}", error)
    frame = env.frame_of(reg)
    slots = (-low + 7) // 8
    if slots > frame.stack_slots:
        frame.stack_slots = slots
        subprog = env.subprogs[frame.subprog]
        subprog.stack_depth = max(subprog.stack_depth, slots * 8)


def store(env: Env, live: StackLiveness, regno: int, off: int, size: int, value_reg: int) -> None:
    """A store through register ``regno``; ``value_reg`` is -1 for an immediate or an unknown value."""
    reg = env.regs[regno]
    if reg.scalar.mask:
        _store_variable(env, env.frame_of(reg), reg, off, size, value_reg)
    else:
        _store_fixed(env, live, env.frame_of(reg), off + reg.scalar.signed_value, size, value_reg)


def _is_immediate_store(env: Env) -> bool:
    insn = env.code[env.insn]
    return insn.cls == ST and insn.mode == MODE_MEM


def _store_fixed(env: Env, live: StackLiveness, frame: Frame, off: int, size: int, value_reg: int) -> None:
    position = -off - 1
    number = position // 8
    old = frame.slot(number)
    regs = env.regs
    reg = regs[value_reg] if value_reg >= 0 else None
    if size == 8:
        live.mark_write(frame.frameno, 1 << number)
    env.scratched_slots |= 1 << number
    is_spill = True
    if reg is not None and off % 8 == 0 and reg.type == SCALAR:
        fits = reg.scalar.umax.bit_length() <= 8 * size
        if fits:
            reg = assign_id(env, regs, value_reg)
        stored = reg if fits or not reg.id else reg.with_id(0, reg.off)
        frame.stack[number] = Slot(_spill_kinds(old.kinds, size), stored)
    elif reg is None and off % 8 == 0 and _is_immediate_store(env):
        frame.stack[number] = Slot(_spill_kinds(old.kinds, size), constant(env.code[env.insn].imm))
    elif reg is not None and reg.type & BASE_MASK in SPILLABLE:
        if size != 8:
            env.deny("invalid size of register spill")
        if frame is not env.frame and reg.type == STACK:
            env.refuse("cannot spill pointers to stack into stack frame of the caller")
        frame.stack[number] = Slot(ALL_SPILL, reg)
    else:
        is_spill = False
        kind = MISC
        is_zero_store = reg is None and _is_immediate_store(env) and env.code[env.insn].imm == 0
        if is_zero_store or (reg is not None and reg.is_null):
            if value_reg >= 0:
                mark_precise(env, value_reg)
            kind = ZERO_BYTE
        kinds = bytearray(_scrubbed(old).kinds)
        for byte in range(size):
            kinds[(position - byte) % 8] = kind
        frame.stack[number] = Slot(bytes(kinds))
    if is_spill:
        push_history(env, stack_access_flags(frame.frameno, number))


def _spill_kinds(old: bytes, size: int) -> bytes:
    """Kinds of a slot whose low ``size`` bytes now hold a register: a byte above keeps its kind unless it was part of
    one."""
    if size == 8:
        return ALL_SPILL
    above = bytes(kind if kind in (INVALID, ZERO_BYTE) else MISC for kind in old[: 8 - size])
    return above + ALL_SPILL[:size]


def _scrubbed(slot: Slot) -> Slot:
    """The slot when part of it is overwritten: if a register was stored there, all that was written is only data
    now."""
    if slot.kinds[7] != SPILL:
        return slot
    return Slot(bytes(kind if kind == INVALID else MISC for kind in slot.kinds))


def _store_variable(env: Env, frame: Frame, pointer: Reg, off: int, size: int, value_reg: int) -> None:
    value = env.regs[value_reg] if value_reg >= 0 else None
    writes_zero = value is not None and value.is_null
    if value is None and _is_immediate_store(env) and env.code[env.insn].imm == 0:
        writes_zero = True
    relies_on_zero = False
    for byte in range(pointer.scalar.smin + off, pointer.scalar.smax + off + size):
        position = -byte - 1
        number = position // 8
        slot = frame.slot(number)
        kind = slot.kinds[position % 8]
        env.scratched_slots |= 1 << number
        if writes_zero and kind == SPILL and slot.is_spilled_scalar and slot.reg.is_null:
            relies_on_zero = True
            continue
        slot = _scrubbed(slot)
        new_kind = MISC
        if writes_zero and slot.kinds[position % 8] == ZERO_BYTE:
            new_kind = ZERO_BYTE
            relies_on_zero = True
        kinds = bytearray(slot.kinds)
        kinds[position % 8] = new_kind
        frame.stack[number] = Slot(bytes(kinds))
    if relies_on_zero and value_reg >= 0:
        mark_precise(env, value_reg)


def load(env: Env, live: StackLiveness, regno: int, off: int, size: int, dst: int) -> None:
    """A load through register ``regno`` into ``dst`` (-1: the value goes nowhere)."""
    reg = env.regs[regno]
    frame = env.frame_of(reg)
    if not reg.scalar.mask:
        _load_fixed(env, live, frame, off + reg.scalar.signed_value, size, dst)
        return
    text = tnum.format_tnum(reg.scalar.value, reg.scalar.mask)
    if dst < 0:
        env.deny(
            f"variable offset stack pointer cannot be passed into helper function; var_off={text} off={off} size={size}"
        )
    check_initialised(env, live, regno, off, size, False, False, None)
    _load_bytes(env, frame, reg.scalar.smin + off, reg.scalar.smax + off + size, dst)


def _load_bytes(env: Env, frame: Frame, low: int, high: int, dst: int) -> None:
    """The register after reading bytes low..high-1 as data: zero if all are zero, else unknown."""
    all_zero = True
    for byte in range(low, high):
        position = -byte - 1
        env.scratched_slots |= 1 << position // 8
        if frame.slot(position // 8).kinds[position % 8] != ZERO_BYTE:
            all_zero = False
            break
    env.regs[dst] = ZERO_SCALAR if all_zero else UNKNOWN_SCALAR


def _load_fixed(env: Env, live: StackLiveness, frame: Frame, off: int, size: int, dst: int) -> None:
    position = -off - 1
    number = position // 8
    slot = frame.slot(number)
    env.scratched_slots |= 1 << number
    live.mark_read(frame.frameno, 1 << number)
    if slot.kinds[7] != SPILL:
        if dst >= 0:
            _load_bytes(env, frame, off, off + size, dst)
        return
    regs = env.regs
    reg = slot.reg
    spill_size = slot.kinds.count(SPILL)
    is_fill = True
    if size != 8 or spill_size != 8:
        if reg.type != SCALAR:
            env.deny("invalid size of register fill")
        if dst < 0:
            return
        if size <= spill_size and off % 8 == 0:
            regs[dst] = reg.with_id(0, 0) if reg.id and reg.scalar.umax.bit_length() > size * 8 else reg
        else:
            kinds = [slot.kinds[(position - byte) % 8] for byte in range(size)]
            if all(kind == SPILL for kind in kinds) and reg.is_null:
                regs[dst] = ZERO_SCALAR
            else:
                is_fill = False
                regs[dst] = ZERO_SCALAR if all(kind == ZERO_BYTE for kind in kinds) else UNKNOWN_SCALAR
    elif dst >= 0:
        regs[dst] = reg
    if is_fill:
        push_history(env, stack_access_flags(frame.frameno, number))


def check_initialised(
    env: Env,
    live: StackLiveness,
    regno: int,
    off: int,
    size: int,
    zero_size_allowed: bool,
    is_write: bool,
    meta: HelperMeta | None,
) -> None:
    """A range of the stack is read, or (``is_write``) may be written, as a whole.

    With ``meta`` in raw mode and a fixed offset nothing need be initialised; the range is then noted in ``meta``.
    """
    reg = env.regs[regno]
    if size == 0 and not zero_size_allowed:
        env.deny("invalid zero-sized read")
    check_bounds(env, live, regno, off, size, is_write)
    frame = env.frame_of(reg)
    if reg.scalar.mask:
        low, high = reg.scalar.smin + off, reg.scalar.smax + off
    else:
        low = high = reg.scalar.signed_value + off
        if meta is not None and meta.raw_mode:
            meta.raw_size = size
            meta.raw_reg = regno
            return
    for byte in range(low, high + size):
        position = -byte - 1
        number = position // 8
        slot = frame.slot(number)
        kind = slot.kinds[position % 8]
        if is_write and kind in (ZERO_BYTE, INVALID):
            kinds = bytearray(slot.kinds)
            kinds[position % 8] = MISC
            frame.stack[number] = Slot(bytes(kinds), slot.reg)
        elif is_write and kind == SPILL:
            frame.stack[number] = Slot(_scrubbed(slot).kinds, UNINIT)
        live.mark_read(frame.frameno, 1 << number)
