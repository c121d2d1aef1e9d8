"""Arguments of helpers: each register against its row of the prototype.

    bpf_map_update_elem(CONST_MAP_PTR, PTR_TO_MAP_KEY, PTR_TO_MAP_VALUE, ANYTHING)
                        which map      key_size bytes  value_size bytes, both readable

The type must be one that the argument takes, the offset one that it tolerates, memory readable or writable for the
size that the map, the next argument or the prototype says.

Source: kernel/bpf/verifier.c check_func_arg, check_reg_type, check_func_arg_reg_off, check_mem_size_reg (6.12),
get_constant_map_key (6.18).
"""

from __future__ import annotations

from toolchain.isa.helpers import (
    Arg,
    ArgType,
    HelperProto,
    TypeFlag,
)
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.verifier import memory, progtypes
from toolchain.verifier.env import Env
from toolchain.verifier.insns import helper_name
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.precision import mark_precise, mark_slot_precise
from toolchain.verifier.regtypes import (
    BASE_MASK,
    BTF_ID,
    BUF,
    CTX,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    MEM_RDONLY,
    MEM_RINGBUF,
    MOVABLE_ARGUMENTS,
    PACKET,
    PACKET_META,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    STACK,
    TCP_SOCK,
    XDP_SOCK,
    MapView,
    Reg,
    type_text,
)
from toolchain.verifier.stack import HelperMeta
from toolchain.verifier.state import SPILL, ZERO_BYTE

MAX_VAR_SIZE = 1 << 29

_MEMORY = (STACK, PACKET, PACKET_META, MAP_KEY, MAP_VALUE, MEM, MEM | MEM_RINGBUF, BUF, BTF_ID | 1 << 21)
_SOCKS = (SOCK_COMMON, SOCKET, TCP_SOCK, XDP_SOCK)
_BTF_SOCKS = (*_SOCKS, BTF_ID, BTF_ID | 1 << 21)
_NUMBERS = (SCALAR,)

_MAYBE_NULL, _RDONLY, _RINGBUF, _RELEASE, _UNINIT, _WRITE, _FIXED_SIZE, _ALIGNED = (
    int(flag)
    for flag in (
        TypeFlag.MAYBE_NULL,
        TypeFlag.RDONLY,
        TypeFlag.RINGBUF,
        TypeFlag.RELEASE,
        TypeFlag.UNINIT,
        TypeFlag.WRITE,
        TypeFlag.FIXED_SIZE,
        TypeFlag.ALIGNED,
    )
)
"""Plain numbers: an operator of an enum is a Python call, and these are asked for every argument of every call."""

_TYPES_OF_ARG: dict[int, tuple[int, ...]] = {
    int(ArgType.PTR_TO_MAP_KEY): _MEMORY,
    int(ArgType.PTR_TO_MAP_VALUE): _MEMORY,
    int(ArgType.CONST_SIZE): _NUMBERS,
    int(ArgType.CONST_SIZE_OR_ZERO): _NUMBERS,
    int(ArgType.CONST_ALLOC_SIZE_OR_ZERO): _NUMBERS,
    int(ArgType.SCALAR): _NUMBERS,
    int(ArgType.CONST_MAP_PTR): (MAP_PTR,),
    int(ArgType.PTR_TO_CTX): (CTX,),
    int(ArgType.PTR_TO_SOCK_COMMON): _SOCKS,
    int(ArgType.PTR_TO_BTF_ID_SOCK_COMMON): _BTF_SOCKS,
    int(ArgType.PTR_TO_SOCKET): (SOCKET,),
    int(ArgType.PTR_TO_MEM): _MEMORY,
    int(ArgType.PTR_TO_RINGBUF_MEM): (MEM | MEM_RINGBUF,),
    int(ArgType.PTR_TO_STACK): (STACK,),
    int(ArgType.PTR_TO_CONST_STR): (MAP_VALUE,),
}
"""Register types that an argument takes. Source: compatible_reg_types[]."""

_TRUSTED = 1 << 21

_UNMODELLED_ARGS = frozenset(
    map(
        int,
        (
            ArgType.PTR_TO_ARENA,
            ArgType.PTR_TO_SPIN_LOCK,
            ArgType.PTR_TO_BTF_ID,
            ArgType.PTR_TO_PERCPU_BTF_ID,
            ArgType.PTR_TO_FUNC,
            ArgType.PTR_TO_TIMER,
            ArgType.KPTR_XCHG_DEST,
            ArgType.PTR_TO_DYNPTR,
        ),
    )
)

MARKS_NULL_ARGUMENTS = True
"""That an argument is NULL matters. 6.18.44 forgets to note it (6.12.117 does), and so may merge a path that passes a
number instead into a safe one; here the path is walked and refused. Set to False only to compare walks with that
kernel."""

_ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)
_SOCK_MAPS = (MapType.SOCKMAP, MapType.SOCKHASH)


def check_argument(
    env: Env, live: StackLiveness, meta: HelperMeta, proto: HelperProto, index: int, argument: Arg
) -> None:
    """Check the register of one argument; ``meta`` carries what later arguments and the call itself need of it."""
    regno = index + 1
    reg = memory.need_readable(env, regno)
    kind = int(argument.type)
    flags = int(argument.flags)
    if kind == ArgType.ANYTHING:
        return
    if reg.type in (PACKET, PACKET_META) and not _may_pass_packet(env, meta):
        env.deny("helper access to the packet is not allowed")
    if kind == ArgType.PTR_TO_MAP_VALUE and meta.map is not None and meta.map.map_type in _SOCK_MAPS:
        env.unsupported("socket maps as the target of an update")
    if kind == ArgType.PTR_TO_MAP_VALUE and meta.map is not None and meta.map.map_type == MapType.BLOOM_FILTER:
        env.unsupported("bloom filter maps")
    if kind in _UNMODELLED_ARGS:
        env.unsupported(f"helper {helper_name(meta.helper)} (argument of kind {argument.type.name.lower()})")
    if flags & _MAYBE_NULL and reg.is_null:
        if MARKS_NULL_ARGUMENTS:
            mark_precise(env, regno)
    else:
        _check_type(env, regno, reg, kind, flags)
        _check_offset(env, regno, reg, flags)
    if flags & _RELEASE:
        if not reg.ref_obj_id and not reg.is_null:
            env.refuse(f"R{regno} must be referenced when passed to release function")
        meta.release_reg = regno
    if reg.ref_obj_id:
        if meta.ref_obj_id:
            env.unsupported("two referenced arguments of a helper")
        meta.ref_obj_id = reg.ref_obj_id
    _check_kind(env, live, meta, proto, index, argument, reg)


def _may_pass_packet(env: Env, meta: HelperMeta) -> bool:
    if progtypes.passes_packets_always(env.prog_type):
        return True
    return progtypes.may_read_packets(env.prog_type) and meta.pkt_access


def _check_type(env: Env, regno: int, reg: Reg, wanted: int, flags: int) -> None:
    kind = reg.type
    if flags & _RDONLY:
        kind &= ~MEM_RDONLY
    if flags & _MAYBE_NULL:
        kind &= ~MAYBE_NULL
    allowed = _TYPES_OF_ARG[wanted]
    if kind in allowed:
        if kind & BASE_MASK == BTF_ID:
            env.unsupported("kernel pointers as arguments of helpers")
        return
    if reg.type & BASE_MASK == BTF_ID:
        env.unsupported("kernel pointers as arguments of helpers")
    names = ", ".join(("trusted_ptr_" if entry & _TRUSTED else type_text(entry)) for entry in allowed)
    env.deny(f"R{regno} type={type_text(reg.type)} expected={names}")


def _check_offset(env: Env, regno: int, reg: Reg, flags: int) -> None:
    """Source: check_func_arg_reg_off."""
    if flags & _RELEASE:
        if reg.off:
            env.refuse(f"R{regno} must have zero offset when passed to release func or trusted arg to kfunc")
        memory.check_offset_fixed(env, reg, regno)
    elif reg.type not in MOVABLE_ARGUMENTS:
        memory.check_offset_fixed(env, reg, regno)


def _check_kind(
    env: Env, live: StackLiveness, meta: HelperMeta, proto: HelperProto, index: int, argument: Arg, reg: Reg
) -> None:
    regno = index + 1
    kind = int(argument.type)
    flags = int(argument.flags)
    writes = bool(flags & _WRITE)
    if kind == ArgType.CONST_MAP_PTR:
        meta.map, meta.map_uid = reg.map, reg.map_uid
    elif kind == ArgType.PTR_TO_MAP_KEY:
        view = _map_of(env, meta, "invalid map_ptr to access map->key")
        memory.check_helper_memory(env, live, regno, view.key_size, False, False, None)
        if view.map_type in _ARRAYS and not view.map_flags & MapFlag.INNER_MAP:
            # An inner array of that flag may be shorter than the one it stands for.
            meta.key = _constant_key(env, regno, view.key_size)
    elif kind == ArgType.PTR_TO_MAP_VALUE:
        if flags & _MAYBE_NULL and reg.is_null:
            return
        view = _map_of(env, meta, "invalid map_ptr to access map->value")
        meta.raw_mode = bool(flags & _UNINIT)
        memory.check_helper_memory(env, live, regno, view.value_size, writes, False, meta)
    elif kind == ArgType.PTR_TO_MEM:
        meta.raw_mode = bool(flags & _UNINIT)
        if flags & _FIXED_SIZE:
            memory.check_helper_memory(env, live, regno, argument.size, writes, False, meta)
            if flags & _ALIGNED:
                memory.check_alignment(env, env.regs[regno], 0, argument.size, True)
    elif kind in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO):
        buffer = proto.args[index - 1]
        _check_size(env, live, meta, regno, bool(int(buffer.flags) & _WRITE), kind == ArgType.CONST_SIZE_OR_ZERO)
    elif kind == ArgType.CONST_ALLOC_SIZE_OR_ZERO:
        if reg.scalar.mask:
            env.deny(f"R{regno} is not a known constant'")
        meta.mem_size = reg.scalar.value
        mark_precise(env, regno)
    elif kind == ArgType.PTR_TO_CONST_STR:
        _check_string(env, regno, reg)


def _map_of(env: Env, meta: HelperMeta, otherwise: str) -> MapView:
    if meta.map is None:
        env.deny(otherwise)
    return meta.map


def _check_size(
    env: Env, live: StackLiveness, meta: HelperMeta, regno: int, is_write: bool, zero_allowed: bool
) -> None:
    """A byte count for the memory in the register before it. Source: check_mem_size_reg."""
    scalar = env.regs[regno].scalar
    meta.size_max = scalar.umax
    passed: HelperMeta | None = None if scalar.mask else meta
    if scalar.smin < 0:
        env.deny(f"R{regno} min value is negative, either use unsigned or 'var &= const'")
    if scalar.umin == 0 and not zero_allowed:
        env.deny(f"R{regno} invalid zero-sized read: u64=[{_s64(scalar.umin)},{_s64(scalar.umax)}]")
    if scalar.umax >= MAX_VAR_SIZE:
        env.deny(f"R{regno} unbounded memory access, use 'var &= const' or 'if (var < const)'")
    memory.check_helper_memory(env, live, regno - 1, scalar.umax, is_write, zero_allowed, passed)
    mark_precise(env, regno)


def _s64(value: int) -> int:
    return (value ^ 1 << 63) - (1 << 63)


def _constant_key(env: Env, regno: int, key_size: int) -> int:
    """The key that lies on the stack, if it is known; -1 else. Source: get_constant_map_key (6.18)."""
    reg = env.regs[regno]
    if reg.type != STACK or reg.scalar.mask:
        return -1
    off = reg.off + reg.scalar.signed_value
    position = -off - 1
    slot_number, start = position // 8, position % 8
    slot = env.frame_of(reg).slot(slot_number)
    run = slot.kinds[: start + 1]
    zeros = len(run) - len(run.rstrip(bytes([ZERO_BYTE])))
    if zeros >= key_size:
        return 0
    if not slot.is_spilled_scalar:
        return -1
    if len(run) - len(run.rstrip(bytes([SPILL]))) != key_size or slot.reg.scalar.mask:
        return -1
    mark_slot_precise(env, reg.raw, slot_number)
    return slot.reg.scalar.value


def _check_string(env: Env, regno: int, reg: Reg) -> None:
    """Source: check_reg_const_str."""
    view = reg.map
    assert view is not None
    if not view.is_constant or view.data is None:
        env.deny(f"R{regno} does not point to a readonly map'")
    if reg.scalar.mask:
        env.deny(f"R{regno} is not a constant address'")
    memory.check_map_value(env, regno, reg.off, view.value_size - reg.off, False)
    if b"\0" not in view.data[reg.off + reg.scalar.signed_value :]:
        env.refuse("string is not zero-terminated")
