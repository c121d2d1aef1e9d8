"""Calls of helpers: arguments checked, effects taken, r0 made what the prototype says.

After a call r0..r5 hold nothing but the result. A lookup gives a pointer to be null-checked, unless the map is an
array and the key a known one inside it. What is not modelled (callbacks, dynptrs, timers, locks, kernel pointers)
ends the run as Unsupported.

Source: kernel/bpf/verifier.c check_helper_call, record_func_map, record_func_key, do_refine_retval_range (6.12, 6.18).
"""

from __future__ import annotations

from toolchain.isa.helpers import (
    ACQUIRING,
    ASYNC_CALLBACK,
    CHANGES_PACKET,
    HELPER_IDS,
    PTR_CAST,
    SYNC_CALLBACK,
    HelperProto,
    RetType,
    TypeFlag,
    is_map_allowed,
)
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.verifier import memory, progtypes
from toolchain.verifier.arguments import check_argument
from toolchain.verifier.calls import return_from_function
from toolchain.verifier.env import Env
from toolchain.verifier.forget import check_leaks, forget_caller_saved, forget_packets, release_reference
from toolchain.verifier.insns import Code, helper_name
from toolchain.verifier.jumps import push_state
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.precision import mark_precise
from toolchain.verifier.regtypes import (
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    MEM_RINGBUF,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    TCP_SOCK,
    UNKNOWN_SCALAR,
    MapView,
    Reg,
    number,
    pointer,
)
from toolchain.verifier.scalar import Scalar, sync
from toolchain.verifier.stack import HelperMeta

MAX_ERRNO = 4095
ENOTSUPP = 524

_ABSENT_KFUNCS = 2_000_000_000
"""Loaders put numbers from here on where a weak external function was not found."""
_TAIL_CALL = HELPER_IDS["tail_call"]
_LOOKUP = HELPER_IDS["map_lookup_elem"]
_GET_LOCAL_STORAGE = HELPER_IDS["get_local_storage"]
_GET_SMP_PROCESSOR_ID = HELPER_IDS["get_smp_processor_id"]
_GET_FUNC_IP = HELPER_IDS["get_func_ip"]
_SNPRINTF = HELPER_IDS["snprintf"]


def _ids(names: str) -> frozenset[int]:
    return frozenset(HELPER_IDS[name] for name in names.split())


_GIVES_AT_MOST_ITS_SIZE = _ids("get_stack get_task_stack probe_read_str probe_read_user_str probe_read_kernel_str")
_UPDATES_OR_DELETES = _ids("map_update_elem map_delete_elem")
_WRITES_MAP = _ids("map_update_elem map_delete_elem map_push_elem map_pop_elem")
_ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)
_SOCK_MAPS = (MapType.SOCKMAP, MapType.SOCKHASH)


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
        check_argument(env, live, meta, proto, index, argument)
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
        if meta.map.map_type in _SOCK_MAPS and helper in _UPDATES_OR_DELETES:
            env.say("cannot update sockmap in this context")
        env.refuse(f"cannot pass map_type {meta.map.map_type} into func {name}#{helper}")
    if helper == _GET_FUNC_IP and env.prog_type != ProgType.KPROBE:
        # Types with a trampoline may ask too, but none of them is judged here. Source: check_get_func_ip.
        env.refuse(f"func {name}#{helper} not supported for program type {int(env.prog_type)}", ENOTSUPP)
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


def _record_map(env: Env, meta: HelperMeta) -> None:
    """Source: record_func_map, record_func_key."""
    if meta.map is None:
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
        ringbuf = MEM_RINGBUF if TypeFlag.RINGBUF in proto.ret.flags else 0
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
    if meta.helper in _GIVES_AT_MOST_ITS_SIZE:
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
