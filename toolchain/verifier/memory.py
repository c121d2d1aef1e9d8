"""Loads and stores through a register: one checker for each kind of pointer.

    access = (register, offset, size, direction)
      alignment      the stack always, others only under strict alignment
      bounds         fixed offset + variable range inside what the pointer may reach
      effect         what the loaded register knows, what the stored slot keeps

Packets are the odd one: a pointer carries the bytes proven by comparisons with the end (``raw``), counted from its
base, variable part excluded.

Source: kernel/bpf/verifier.c check_mem_access and the checkers that it calls (6.12; texts as 6.18 prints them).
"""

from __future__ import annotations

from toolchain.isa.program_types import ProgType
from toolchain.verifier import stack, tnum
from toolchain.verifier.env import Env
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.progtypes import check_ctx_access, may_read_socket, may_write_packets
from toolchain.verifier.regtypes import (
    ARENA,
    BASE_MASK,
    BTF_ID,
    BUF,
    CTX,
    FLOW_KEYS,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    MEM_RDONLY,
    NOT_INIT,
    PACKET,
    PACKET_META,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    STACK,
    TCP_SOCK,
    TP_BUFFER,
    UNKNOWN_SCALAR,
    XDP_SOCK,
    Reg,
    constant,
    number,
    pointer,
    type_text,
)
from toolchain.verifier.scalar import S64_MIN
from toolchain.verifier.width import sext, truncate_to_size, unknown_of_size

MAX_VAR_OFF = 1 << 29

_POINTER_WORD = {
    FLOW_KEYS: "flow keys ",
    MAP_KEY: "key ",
    MAP_VALUE: "value ",
    CTX: "context ",
    STACK: "stack ",
    SOCKET: "sock ",
    SOCK_COMMON: "sock_common ",
    TCP_SOCK: "tcp_sock ",
    XDP_SOCK: "xdp_sock ",
}


def need_readable(env: Env, regno: int) -> Reg:
    """The register, which must have been set. Source: __check_reg_arg, SRC_OP."""
    if regno > 10:
        env.refuse(f"R{regno} is invalid")
    reg = env.state.frames[-1].regs[regno]
    if env.is_tracing:
        env.scratched_regs |= 1 << regno
    if reg.type == NOT_INIT:
        env.deny(f"R{regno} !read_ok")
    return reg


def need_writable(env: Env, regno: int) -> None:
    """The register may be a destination. Source: __check_reg_arg, DST_OP."""
    if regno >= 10:
        if regno > 10:
            env.refuse(f"R{regno} is invalid")
        env.deny("frame pointer is read only")
    if env.is_tracing:
        env.scratched_regs |= 1 << regno


def check_access(
    env: Env,
    live: StackLiveness,
    regno: int,
    off: int,
    size: int,
    is_write: bool,
    value_reg: int,
    strict_once: bool = False,
    is_sign_extending: bool = False,
) -> None:
    """Check one load or store and take its effect.

    ``value_reg``: the register stored or loaded into, -1 for neither (an immediate, or a value that is not looked at).
    """
    regs = env.state.frames[-1].regs
    reg = regs[regno]
    kind = reg.type
    check_alignment(env, reg, off, size, strict_once)
    off += reg.off
    is_load = not is_write and value_reg >= 0
    if kind == STACK:
        stack.check_bounds(env, live, regno, off, size, is_write)
        if is_write:
            stack.store(env, live, regno, off, size, value_reg)
            return
        stack.load(env, live, regno, off, size, value_reg)
    elif kind in (PACKET, PACKET_META):
        if is_write and not may_write_packets(env.prog_type):
            env.deny("cannot write into packet")
        check_packet(env, regno, off, size, False)
        if is_load:
            regs[value_reg] = UNKNOWN_SCALAR
    elif kind == MAP_VALUE:
        check_map_permission(env, reg, off, size, is_write)
        check_map_value(env, regno, off, size, False)
        if is_load:
            regs[value_reg] = _map_load(env, reg, off, size, is_sign_extending)
    elif kind == CTX:
        _access_ctx(env, regno, reg, off, size, is_write, value_reg, is_sign_extending)
    elif kind & BASE_MASK == MEM:
        _access_mem(env, regno, reg, off, size, is_write)
        if value_reg >= 0 and (not is_write or kind & MEM_RDONLY):
            regs[value_reg] = UNKNOWN_SCALAR
    elif kind == FLOW_KEYS:
        if off < 0 or off + size > 56:
            env.deny(f"invalid access to flow keys off={off} size={size}")
        if is_load:
            regs[value_reg] = UNKNOWN_SCALAR
    elif kind in (SOCKET, SOCK_COMMON, TCP_SOCK, XDP_SOCK):
        _access_sock(env, regno, reg, off, size, is_write)
        if is_load:
            regs[value_reg] = UNKNOWN_SCALAR
    elif kind in (MAP_KEY, TP_BUFFER, ARENA) or (kind & BASE_MASK in (BTF_ID, BUF) and not kind & MAYBE_NULL):
        env.unsupported(f"memory access through {type_text(kind)}")
    elif kind == MAP_PTR:
        env.unsupported("access to a map's own fields")
    else:
        env.deny(f"R{regno} invalid mem access '{type_text(kind)}'")
    if is_load and size < 8:
        _narrow(regs, value_reg, size, is_sign_extending)


def _narrow(regs: list[Reg], regno: int, size: int, is_sign_extending: bool) -> None:
    """A load narrower than a register clears, or copies the sign into, the upper bits."""
    reg = regs[regno]
    if reg.type != SCALAR:
        return
    if reg is UNKNOWN_SCALAR and not is_sign_extending:
        regs[regno] = _UNKNOWN_LOADS[size]
    elif is_sign_extending:
        # A number filled from the stack may be linked to others; with its sign extended it is another number. The
        # kernel keeps the link and is wrong (docs/parity.md).
        keeps_value = reg.scalar.umax < 1 << size * 8 - 1
        regs[regno] = reg.with_scalar(sext(reg.scalar, size)) if keeps_value else number(sext(reg.scalar, size))
    else:
        scalar = truncate_to_size(reg.scalar, size)
        if scalar is not reg.scalar:
            regs[regno] = reg.with_scalar(scalar)


_UNKNOWN_LOADS = {size: number(unknown_of_size(size)) for size in (1, 2, 4, 8)}


def check_alignment(env: Env, reg: Reg, off: int, size: int, strict_once: bool) -> None:
    """The address is a multiple of the size, where that is asked for. ``off`` is without the pointer's own."""
    kind = reg.type
    is_strict = env.is_strict or strict_once or kind == STACK
    if not is_strict or size == 1 or kind == ARENA:
        return
    scalar = reg.scalar
    if kind in (PACKET, PACKET_META):
        # The IP header is expected 2 bytes off a boundary (NET_IP_ALIGN).
        if _is_misaligned(scalar.value, scalar.mask, 2 + reg.off + off, size):
            text = tnum.format_tnum(scalar.value, scalar.mask)
            env.deny(f"misaligned packet access off 2+{text}+{reg.off}+{off} size {size}")
        return
    if _is_misaligned(scalar.value, scalar.mask, reg.off + off, size):
        text = tnum.format_tnum(scalar.value, scalar.mask)
        env.deny(f"misaligned {_POINTER_WORD.get(kind, '')}access off {text}+{reg.off}+{off} size {size}")


def _is_misaligned(value: int, mask: int, off: int, size: int) -> bool:
    low_value, low_mask = tnum.add(value, mask, off & tnum.M64, 0)
    return bool((low_value | low_mask) & (size - 1))


def check_packet(env: Env, regno: int, off: int, size: int, zero_size_allowed: bool) -> None:
    """``size`` bytes at fixed offset ``off`` were proven to be in the packet."""
    reg = env.regs[regno]
    if reg.scalar.smin < 0:
        env.deny(f"R{regno} min value is negative, either use unsigned index or do a if (index >=0) check.")
    if reg.raw < 0:
        env.refuse(f"R{regno} offset is outside of the packet")
    if not _is_inside(off, size, reg.raw, zero_size_allowed):
        env.say(f"invalid access to packet, off={off} size={size}, R{regno}(id={reg.id},off={off},r={reg.raw})")
        env.deny(f"R{regno} offset is outside of the packet")


def _is_inside(off: int, size: int, limit: int, zero_size_allowed: bool) -> bool:
    return off >= 0 and (size > 0 or (size == 0 and zero_size_allowed)) and off + size <= limit


def check_region(env: Env, regno: int, off: int, size: int, limit: int, zero_size_allowed: bool) -> None:
    """``size`` bytes at ``off`` plus the variable part lie in 0..limit-1, for the least and the greatest variable
    part."""
    reg = env.regs[regno]
    scalar = reg.scalar
    smin = scalar.smin
    if smin < 0 and (smin == S64_MIN or not -(1 << 31) <= off + smin < 1 << 31 or smin + off < 0):
        env.deny(f"R{regno} min value is negative, either use unsigned index or do a if (index >=0) check.")
    if not _is_inside(smin + off, size, limit, zero_size_allowed):
        _say_outside(env, reg, smin + off, size, limit)
        env.deny(f"R{regno} min value is outside of the allowed memory range")
    if scalar.umax >= MAX_VAR_OFF:
        env.deny(f"R{regno} unbounded memory access, make sure to bounds check any such access")
    if not _is_inside(scalar.umax + off, size, limit, zero_size_allowed):
        _say_outside(env, reg, scalar.umax + off, size, limit)
        env.deny(f"R{regno} max value is outside of the allowed memory range")


def _say_outside(env: Env, reg: Reg, off: int, size: int, limit: int) -> None:
    if reg.type == MAP_KEY:
        env.say(f"invalid access to map key, key_size={limit} off={off} size={size}")
    elif reg.type == MAP_VALUE:
        env.say(f"invalid access to map value, value_size={limit} off={off} size={size}")
    else:
        env.say(f"invalid access to memory, mem_size={limit} off={off} size={size}")


_RDONLY_PROG, _WRONLY_PROG = 1 << 7, 1 << 8


def check_map_permission(env: Env, reg: Reg, off: int, size: int, is_write: bool) -> None:
    """The map's flags let programs read or write it."""
    view = reg.map
    assert view is not None
    if is_write and view.map_flags & _RDONLY_PROG:
        env.deny(f"write into map forbidden, value_size={view.value_size} off={off} size={size}")
    if not is_write and view.map_flags & _WRONLY_PROG:
        env.deny(f"read from map forbidden, value_size={view.value_size} off={off} size={size}")


def check_map_value(env: Env, regno: int, off: int, size: int, zero_size_allowed: bool) -> None:
    """The access lies in the value."""
    view = env.regs[regno].map
    assert view is not None
    check_region(env, regno, off, size, view.value_size, zero_size_allowed)
    if view.special:
        env.unsupported(f"map values with a {view.special}")


def _map_load(env: Env, reg: Reg, off: int, size: int, is_sign_extending: bool) -> Reg:
    """What is read: the number itself where the map can never change, else anything."""
    view = reg.map
    assert view is not None
    if not view.is_constant or view.data is None or reg.scalar.mask:
        return UNKNOWN_SCALAR
    start = off + reg.scalar.signed_value
    return constant(int.from_bytes(view.data[start : start + size], "little", signed=is_sign_extending))


def check_offset_fixed(env: Env, reg: Reg, regno: int, fixed_allowed: bool = False) -> None:
    """The pointer is in its original form. Source: __check_ptr_off_reg."""
    if reg.off < 0:
        env.deny(f"negative offset {type_text(reg.type)} ptr R{regno} off={reg.off} disallowed")
    if not fixed_allowed and reg.off:
        env.deny(f"dereference of modified {type_text(reg.type)} ptr R{regno} off={reg.off} disallowed")
    if reg.scalar.mask or reg.scalar.value:
        text = tnum.format_tnum(reg.scalar.value, reg.scalar.mask)
        env.deny(f"variable {type_text(reg.type)} access var_off={text} disallowed")


def _access_ctx(
    env: Env, regno: int, reg: Reg, off: int, size: int, is_write: bool, value_reg: int, is_sign_extending: bool
) -> None:
    check_offset_fixed(env, reg, regno)
    kind = check_ctx_access(env, off, size, is_write, is_sign_extending)
    if kind < 0:
        env.deny(f"invalid bpf_context access off={off} size={size}")
    env.ctx_accesses[env.insn] = (off, size, is_write)
    if is_write or value_reg < 0:
        return
    if kind == SCALAR:
        env.regs[value_reg] = UNKNOWN_SCALAR
    else:
        env.regs[value_reg] = pointer(kind, id=env.new_id() if kind & MAYBE_NULL else 0)


def _access_mem(env: Env, regno: int, reg: Reg, off: int, size: int, is_write: bool) -> None:
    if reg.type & MAYBE_NULL:
        env.deny(f"R{regno} invalid mem access '{type_text(reg.type)}'")
    if is_write and reg.type & MEM_RDONLY:
        env.deny(f"R{regno} cannot write into {type_text(reg.type)}")
    check_region(env, regno, off, size, reg.raw, False)


def _access_sock(env: Env, regno: int, reg: Reg, off: int, size: int, is_write: bool) -> None:
    if is_write:
        env.deny(f"R{regno} cannot write into {type_text(reg.type)}")
    if reg.scalar.smin < 0:
        env.deny(f"R{regno} min value is negative, either use unsigned index or do a if (index >=0) check.")
    if not may_read_socket(reg.type, off, size, env.attach_type):
        env.deny(f"R{regno} invalid {type_text(reg.type)} access off={off} size={size}")


def note_pointer_type(env: Env, kind: int) -> None:
    """An instruction that is rewritten by the type of its pointer must always see the same type."""
    previous = env.pointer_type_at.get(env.insn)
    if previous is None:
        env.pointer_type_at[env.insn] = kind
    elif previous != kind and not (_may_vary(kind) and _may_vary(previous)):
        env.refuse("same insn cannot be used with different pointers")


def _may_vary(kind: int) -> bool:
    return kind & BASE_MASK not in (CTX, SOCKET, SOCK_COMMON, TCP_SOCK, XDP_SOCK, BTF_ID, ARENA)


def check_helper_memory(
    env: Env,
    live: StackLiveness,
    regno: int,
    size: int,
    is_write: bool,
    zero_size_allowed: bool,
    meta: stack.HelperMeta | None,
) -> None:
    """``size`` bytes at a helper's argument. Source: check_helper_mem_access."""
    reg = env.regs[regno]
    base = reg.type & BASE_MASK
    if base in (PACKET, PACKET_META):
        check_packet(env, regno, reg.off, size, zero_size_allowed)
    elif base == MAP_KEY:
        env.unsupported("memory access through map_key")
    elif base == MAP_VALUE:
        check_map_permission(env, reg, reg.off, size, is_write)
        check_map_value(env, regno, reg.off, size, zero_size_allowed)
    elif base == MEM:
        if reg.type & MEM_RDONLY and is_write:
            env.deny(f"R{regno} cannot write into {type_text(reg.type)}")
        check_region(env, regno, reg.off, size, reg.raw, zero_size_allowed)
    elif base == STACK:
        stack.check_initialised(env, live, regno, reg.off, size, zero_size_allowed, is_write, meta)
    elif base in (BUF, BTF_ID):
        env.unsupported(f"memory access through {type_text(reg.type)}")
    elif base == CTX and env.prog_type == ProgType.SYSCALL:
        env.unsupported("context of a syscall program as memory")
    elif zero_size_allowed and size == 0 and reg.is_null:
        return
    else:
        env.deny(f"R{regno} type={type_text(reg.type)} expected={type_text(STACK)}")


__all__ = [
    "check_access",
    "check_alignment",
    "check_helper_memory",
    "check_offset_fixed",
    "check_packet",
    "check_region",
    "need_readable",
    "need_writable",
    "note_pointer_type",
]
