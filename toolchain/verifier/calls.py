"""Calls: helpers by their prototypes, functions of the program by entering them, and what a return gives.

A helper call is checked argument by argument against a table row (isa/helpers_protos.py):

    bpf_map_lookup_elem(CONST_MAP_PTR, PTR_TO_MAP_KEY) -> PTR_TO_MAP_VALUE | MAYBE_NULL
                        which map       key_size readable bytes        of that map, to be null-checked

then r0..r5 are forgotten and r0 becomes what the row says. A static function is entered: a new frame, arguments
copied; every path through it is walked anew for each call. What is not modelled (callbacks, dynptrs, timers, locks,
kernel pointers) ends the run as Unsupported.

Source: kernel/bpf/verifier.c check_helper_call, check_func_arg, check_reg_type, check_mem_size_reg, check_func_call,
prepare_func_exit, check_return_code (6.12; constant keys of arrays as in 6.18).
"""

from __future__ import annotations

import errno

from toolchain.isa.helpers import (
    ACQUIRING,
    ASYNC_CALLBACK,
    CHANGES_PACKET,
    PTR_CAST,
    SYNC_CALLBACK,
    Arg,
    ArgType,
    HelperProto,
    RetType,
    TypeFlag,
    is_map_allowed,
)
from toolchain.isa.map_types import MapType
from toolchain.verifier import functions, memory, progtypes
from toolchain.verifier.env import ALL_CHANGED, Env, Refusal
from toolchain.verifier.insns import Code, helper_name
from toolchain.verifier.jumps import push_state
from toolchain.verifier.klog import PathLog, state_text
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
    PACKET_END,
    PACKET_META,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    STACK,
    TCP_SOCK,
    UNINIT,
    UNKNOWN_SCALAR,
    XDP_SOCK,
    ZERO_SCALAR,
    MapView,
    Reg,
    number,
    pointer,
    type_text,
)
from toolchain.verifier.scalar import Scalar, sync
from toolchain.verifier.stack import HelperMeta
from toolchain.verifier.state import MAX_FRAMES, SPILL, ZERO_BYTE, Frame, Slot, State

MAX_VAR_SIZE = 1 << 29
MAX_ERRNO = 4095

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

_ABSENT_KFUNCS = 2_000_000_000
"""Loaders put numbers from here on where a weak external function was not found."""
_TAIL_CALL = 12
_LOOKUP = 1
_GET_LOCAL_STORAGE = 81
_GET_STACK_LIKE = frozenset({67, 141, 45, 114, 115})
"""get_stack, get_task_stack, probe_read_str and its user and kernel forms: the result is at most the size given."""
_GET_SMP_PROCESSOR_ID = 8
_SNPRINTF = 165
_RECORDS_MAP = frozenset({1, 2, 3, 12, 51, 87, 88, 89, 164, 195})
_WRITES_MAP = frozenset({2, 3, 87, 88})
_ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)
_SOCK_MAPS = (MapType.SOCKMAP, MapType.SOCKHASH)


def forget_caller_saved(env: Env) -> None:
    """r0..r5 hold nothing that may be read."""
    regs = env.regs
    for index in range(6):
        regs[index] = UNINIT
    if env.is_tracing:
        env.scratched_regs |= 0b111111


def forget_packets(env: Env) -> None:
    """Every packet pointer is only a number now: the packet may have moved."""
    for frame in env.state.frames:
        for index, reg in enumerate(frame.regs):
            if reg.type in (PACKET, PACKET_META, PACKET_END):
                frame.regs[index] = UNKNOWN_SCALAR
        for index, slot in frame.stack.items():
            if slot.kinds[7] == SPILL and slot.reg.type in (PACKET, PACKET_META, PACKET_END):
                frame.stack[index] = Slot(slot.kinds, UNKNOWN_SCALAR)


def call_helper(env: Env, live: StackLiveness, insn: Code) -> None:
    """Check a helper call and take its effect."""
    helper = insn.imm
    name = helper_name(helper)
    if _ABSENT_KFUNCS <= helper < 2 * _ABSENT_KFUNCS:
        env.unsupported("kernel functions (an external function that is absent here)")
    if name == "unknown":
        env.refuse(f"invalid func unknown#{helper}")
    proto = progtypes.helper_proto(env, helper)
    if proto is None:
        env.refuse(f"program of this type cannot use helper {name}#{helper}")
    if proto.gpl_only and not env.is_gpl:
        env.refuse("cannot call GPL-restricted function from non-GPL compatible program")
    if proto.condition:
        env.unsupported(f"helper {name}")
    if proto.might_sleep and not env.is_sleepable:
        env.refuse("helper call might sleep in a non-sleepable prog")
    if helper in SYNC_CALLBACK or helper in ASYNC_CALLBACK:
        env.unsupported(f"callbacks (helper {name})")
    meta = HelperMeta(helper, proto.pkt_access)
    for index, argument in enumerate(proto.args):
        _check_argument(env, live, meta, proto, index, argument)
    _record_map(env, meta)
    for byte in range(meta.raw_size):
        memory.check_access(env, live, meta.raw_reg, byte, 1, True, -1)
    _release(env, meta, name)
    _check_special(env, meta, name)
    forget_caller_saved(env)
    _set_result(env, meta, proto)
    if meta.map is not None and not is_map_allowed(
        name.removeprefix("bpf_"), MapType(meta.map.map_type), env.prog_type, env.attach_type
    ):
        if meta.map.map_type in _SOCK_MAPS and helper in (2, 3):
            env.say("cannot update sockmap in this context")
        env.refuse(f"cannot pass map_type {meta.map.map_type} into func {name}#{helper}")
    if helper == _TAIL_CALL:
        _leave_by_tail_call(env, live)
    elif helper in CHANGES_PACKET:
        forget_packets(env)


def _leave_by_tail_call(env: Env, live: StackLiveness) -> None:
    """In a function, a tail call that succeeds returns to the caller whatever the other program returned.

    Two ways on: the call fails (put aside, goes on behind the call), or the function is over. In the main program a
    tail call that succeeds ends it, so that only the first way is left. Source: check_helper_call of 6.18.44.
    """
    if len(env.state.frames) == 1:
        return
    push_state(env, env.insn + 1, env.insn)
    forget_packets(env)
    env.regs[0] = UNKNOWN_SCALAR
    live.path_ended()
    return_from_function(env, live)
    env.insn -= 1


def _check_argument(
    env: Env, live: StackLiveness, meta: HelperMeta, proto: HelperProto, index: int, argument: Arg
) -> None:
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
        if view.map_type in _ARRAYS:
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


def _record_map(env: Env, meta: HelperMeta) -> None:
    """Source: record_func_map, record_func_key."""
    if meta.helper not in _RECORDS_MAP or meta.map is None:
        return
    if meta.map.map_flags & 1 << 7 and meta.helper in _WRITES_MAP:
        env.deny("write into map forbidden")
    if meta.helper == _TAIL_CALL:
        if meta.map.map_type != MapType.PROG_ARRAY:
            env.refuse("expected prog array map for tail call")
        index = env.regs[3]
        if index.type == SCALAR and not index.scalar.mask and index.scalar.value < meta.map.max_entries:
            mark_precise(env, 3)


def _release(env: Env, meta: HelperMeta, name: str) -> None:
    if not meta.release_reg:
        return
    if meta.ref_obj_id:
        if release_reference(env, meta.ref_obj_id):
            return
    elif env.regs[meta.release_reg].is_null:
        return
    env.refuse(f"func {name}#{meta.helper} reference has not been acquired before")


def release_reference(env: Env, ref_obj_id: int) -> bool:
    """Forget a reference and every register that holds it; False if there is no such reference."""
    if not drop_reference(env.state, ref_obj_id):
        return False
    for frame in env.state.frames:
        for index, reg in enumerate(frame.regs):
            if reg.ref_obj_id == ref_obj_id:
                frame.regs[index] = UNKNOWN_SCALAR
        for index, slot in frame.stack.items():
            if slot.kinds[7] == SPILL and slot.reg.ref_obj_id == ref_obj_id:
                frame.stack[index] = Slot(slot.kinds, UNKNOWN_SCALAR)
    return True


def drop_reference(state: State, ref_obj_id: int) -> bool:
    """Take a reference off a state's list; False if it is not there. The last one takes its place, as in the kernel."""
    refs = list(state.refs)
    for index, (held, _) in enumerate(refs):
        if held == ref_obj_id:
            refs[index] = refs[-1]
            refs.pop()
            state.refs = tuple(refs)
            return True
    return False


def check_leaks(env: Env) -> bool:
    """Say which references are still held; True if any is."""
    for held, where in env.state.refs:
        env.say(f"Unreleased reference id={held} alloc_insn={where}")
    return bool(env.state.refs)


def _check_special(env: Env, meta: HelperMeta, name: str) -> None:
    if meta.helper == _TAIL_CALL:
        if check_leaks(env):
            env.refuse("tail_call would lead to reference leak")
    elif meta.helper == _GET_LOCAL_STORAGE:
        if not env.regs[2].is_null:
            env.refuse("get_local_storage() doesn't support non-zero flags")
        mark_precise(env, 2)
    elif meta.helper == _SNPRINTF:
        env.unsupported(f"helper {name}")


_POINTER_RESULTS = {
    RetType.PTR_TO_SOCKET: SOCKET,
    RetType.PTR_TO_SOCK_COMMON: SOCK_COMMON,
    RetType.PTR_TO_TCP_SOCK: TCP_SOCK,
}


def _set_result(env: Env, meta: HelperMeta, proto: HelperProto) -> None:
    regs = env.regs
    kind = proto.ret.type
    flag = MAYBE_NULL if proto.ret.may_be_null else 0
    if kind == RetType.INTEGER:
        regs[0] = number(_result_range(env, meta))
        return
    if kind == RetType.VOID:
        return
    if kind == RetType.PTR_TO_MAP_VALUE:
        view = meta.map
        if view is None:
            env.refuse("kernel subsystem misconfigured verifier")
        if meta.helper == _LOOKUP and view.map_type in _ARRAYS and 0 <= meta.key < view.max_entries:
            flag = 0
        if view.special:
            env.unsupported(f"map values with a {view.special}")
        regs[0] = _looked_up(env, view, meta, flag)
    elif kind in _POINTER_RESULTS:
        regs[0] = pointer(_POINTER_RESULTS[kind] | flag, id=env.new_id() if flag else 0)
    elif kind == RetType.PTR_TO_MEM:
        ringbuf = MEM_RINGBUF if int(proto.ret.flags) & _RINGBUF else 0
        regs[0] = pointer(MEM | flag | ringbuf, raw=meta.mem_size, id=env.new_id() if flag else 0)
    else:
        env.unsupported(f"helper {helper_name(meta.helper)} (returns a kernel pointer)")
    _set_reference(env, meta)


def _looked_up(env: Env, view: MapView, meta: HelperMeta, flag: int) -> Reg:
    """The value pointer, or what a value of this map type really is once it is known not to be null."""
    id = env.new_id() if flag else 0
    return pointer(MAP_VALUE | flag, id=id, map=view, map_uid=meta.map_uid)


def _set_reference(env: Env, meta: HelperMeta) -> None:
    reg = env.regs[0]
    if meta.helper in PTR_CAST:
        env.regs[0] = Reg(reg.type, reg.off, reg.scalar, reg.id, meta.ref_obj_id, reg.raw, reg.map, reg.map_uid)
    elif meta.helper in ACQUIRING or (meta.helper == _LOOKUP and meta.map and meta.map.map_type in _SOCK_MAPS):
        ref = env.new_id()
        env.state.refs = (*env.state.refs, (ref, env.insn))
        env.regs[0] = Reg(reg.type, reg.off, reg.scalar, ref, ref, reg.raw, reg.map, reg.map_uid)


def _result_range(env: Env, meta: HelperMeta) -> Scalar:
    """Source: do_refine_retval_range."""
    unknown = UNKNOWN_SCALAR.scalar
    if meta.helper in _GET_STACK_LIKE:
        top = min(meta.size_max, (1 << 63) - 1)
        low32 = meta.size_max & 0xFFFFFFFF
        return sync(
            unknown.value,
            unknown.mask,
            -MAX_ERRNO,
            top,
            0,
            unknown.umax,
            -MAX_ERRNO,
            (low32 ^ 1 << 31) - (1 << 31),
            0,
            0xFFFFFFFF,
        )
    if meta.helper == _GET_SMP_PROCESSOR_ID:
        top = env.cpu_count - 1
        return sync(unknown.value, unknown.mask, 0, top, 0, top, 0, top, 0, top)
    return unknown


def call_function(env: Env, live: StackLiveness, log: PathLog, insn: Code) -> None:
    """Enter a function of the program: the next instruction is its first."""
    target = env.insn + insn.imm + 1
    subprog = env.subprog_at[target]
    if env.subprogs[subprog].is_global:
        _call_global(env, live, subprog)
        return
    state = env.state
    if len(state.frames) >= MAX_FRAMES:
        env.refuse(f"the call stack of {len(state.frames) + 1} frames is too deep", errno.E2BIG)
    caller = state.frames[-1]
    callee = Frame.fresh(env.insn, len(state.frames), subprog)
    callee.regs[1:6] = caller.regs[1:6]
    forget_caller_saved(env)
    state.frames.append(callee)
    live.frames_changed()
    env.insn = target
    if env.is_tracing:
        env.scratched_regs = env.scratched_slots = ALL_CHANGED
        env.trace("caller:\n" + state_text(env, caller, True, state.refs))
        env.trace("callee:\n" + state_text(env, callee, True, state.refs))


def _call_global(env: Env, live: StackLiveness, number: int) -> None:
    """A function that is proved apart: its arguments must fit, its result is any number."""
    subprog = env.subprogs[number]
    name = f"func#{number} ('{subprog.name}')"
    try:
        functions.check_arguments(env, live, functions.arguments_of(env, subprog, number))
    except Refusal as refusal:
        if refusal.errno == errno.EFAULT:
            raise
        env.refuse(f"Caller passes invalid args into {name}")
    if env.log.level:
        env.trace(f"Func#{number} ('{subprog.name}') is global and assumed valid.\n")
    if subprog.changes_packets:
        forget_packets(env)
    env.called_globals.add(number)
    forget_caller_saved(env)
    env.regs[0] = UNKNOWN_SCALAR
    env.insn += 1


def return_from_function(env: Env, live: StackLiveness) -> None:
    """Leave a function: back to the instruction after its call, with its r0."""
    state = env.state
    callee = state.frames[-1]
    result = callee.regs[0]
    if result.type == STACK:
        env.refuse("cannot return stack pointer to the caller")
    caller = state.frames[-2]
    caller.regs[0] = result
    env.insn = callee.callsite + 1
    if env.is_tracing:
        env.trace("returning from callee:\n" + state_text(env, callee, True, state.refs))
        env.trace(f"to caller at {env.insn}:\n" + state_text(env, caller, True, state.refs))
    state.frames.pop()
    live.frames_changed()


def check_return(env: Env) -> None:
    """The program ends: r0 must be a number that its type may return."""
    reg = memory.need_readable(env, 0)
    if env.frame.subprog:
        if reg.type != SCALAR:
            env.refuse(f"At subprogram exit the register R0 is not a scalar value ({type_text(reg.type)})")
        return
    allowed = progtypes.allowed_returns(env)
    if allowed is None:
        return
    if reg.type != SCALAR:
        env.refuse(f"At program exit the register R0 is not a known value ({type_text(reg.type)})")
    mark_precise(env, 0)
    low, high = allowed
    scalar = reg.scalar
    if low <= scalar.smin and scalar.smax <= high:
        return
    text = "At program exit the register R0 has"
    is_bounded = False
    if scalar.smin > -(1 << 63):
        text += f" smin={scalar.smin}"
        is_bounded = True
    if scalar.smax < (1 << 63) - 1:
        text += f" smax={scalar.smax}"
        is_bounded = True
    if not is_bounded:
        text += " unknown scalar value"
    env.refuse(f"{text} should have been in [{low}, {high}]")


def load_from_packet(env: Env, live: StackLiveness, insn: Code) -> None:
    """LD_ABS and LD_IND: a call in disguise, with the context in r6. Source: check_ld_abs."""
    if not progtypes.may_load_absolute(env.prog_type):
        env.refuse("BPF_LD_[ABS|IND] instructions not allowed for this program type")
    is_indirect = insn.mode == 0x40
    if insn.dst or insn.off or insn.size == 8 or (not is_indirect and insn.src):
        env.refuse("BPF_LD_[ABS|IND] uses reserved fields")
    reg = memory.need_readable(env, 6)
    if check_leaks(env):
        env.refuse("BPF_LD_[ABS|IND] would lead to reference leak")
    if reg.type != CTX:
        env.refuse("at the time of BPF_LD_ABS|IND R6 != pointer to skb")
    if is_indirect:
        memory.need_readable(env, insn.src)
    memory.check_offset_fixed(env, reg, 6)
    forget_caller_saved(env)
    env.regs[0] = UNKNOWN_SCALAR
    if len(env.state.frames) > 1:
        # Beyond the packet's end it leaves the function with 0.
        push_state(env, env.insn + 1, env.insn)
        env.regs[0] = ZERO_SCALAR
        live.path_ended()
        return_from_function(env, live)
        env.insn -= 1
