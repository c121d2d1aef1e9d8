"""Global functions: what their callers may pass, read from their types.

A static function is walked anew for each call. A global one is walked once, for any arguments that its prototype
allows; its callers only have to respect the prototype, and know nothing of its result but that it is a number:

    int f(struct __sk_buff *ctx, int n, struct key *k)
          the context            number  memory of sizeof(struct key) bytes, or NULL

Source: kernel/bpf/btf.c btf_prepare_func_args, kernel/bpf/verifier.c btf_check_func_arg_match, check_mem_reg (6.12).
"""

from __future__ import annotations

import errno

from toolchain.btf import Btf
from toolchain.btf.types import (
    BtfType,
    Const,
    DeclTag,
    Enum,
    Enum64,
    Func,
    FuncProto,
    Fwd,
    Int,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Void,
    Volatile,
)
from toolchain.errors import ObjectError
from toolchain.isa.contexts import CONTEXTS
from toolchain.isa.program_types import ProgType
from toolchain.verifier.env import Env, Subprog
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.memory import check_helper_memory, check_offset_fixed
from toolchain.verifier.precision import mark_precise
from toolchain.verifier.regtypes import (
    BASE_MASK,
    CTX,
    MAYBE_NULL,
    MEM,
    MOVABLE_ARGUMENTS,
    SCALAR,
    UNKNOWN_SCALAR,
    Reg,
    pointer,
)

NUMBER_ARG, CTX_ARG, MEM_ARG = 0, 1, 2
_MODIFIERS = (Typedef, Const, Volatile, Restrict, TypeTag)
_DEPTH = 64

_STRUCT_CONTEXTS = frozenset(
    {
        ProgType.SOCKET_FILTER,
        ProgType.SCHED_CLS,
        ProgType.SCHED_ACT,
        ProgType.XDP,
        ProgType.CGROUP_SKB,
        ProgType.CGROUP_SOCK,
        ProgType.CGROUP_SOCK_ADDR,
        ProgType.LWT_IN,
        ProgType.LWT_OUT,
        ProgType.LWT_XMIT,
        ProgType.LWT_SEG6LOCAL,
        ProgType.SOCK_OPS,
        ProgType.SK_SKB,
        ProgType.SK_MSG,
        ProgType.SK_LOOKUP,
        ProgType.SK_REUSEPORT,
        ProgType.FLOW_DISSECTOR,
        ProgType.CGROUP_SOCKOPT,
        ProgType.CGROUP_SYSCTL,
        ProgType.CGROUP_DEVICE,
    }
)
"""Types whose context is one struct by name; for others a pointer argument might be a context in another guise."""

Argument = tuple[int, int]
"""(kind, size of the memory)."""


def arguments_of(env: Env, subprog: Subprog, number: int) -> tuple[Argument, ...]:
    """What a global function takes. Refuses what the kernel does; Unsupported where the type says more than we know."""
    btf = env.btf
    if btf is None or not subprog.type_id:
        env.refuse("Global functions need valid BTF", errno.EFAULT)
    try:
        return _arguments(env, btf, subprog, number)
    except ObjectError as error:
        env.refuse(f"Invalid type of function {subprog.name}() ({error.message})", errno.EFAULT)


def _arguments(env: Env, btf: Btf, subprog: Subprog, number: int) -> tuple[Argument, ...]:
    function = btf.get(subprog.type_id)
    if not isinstance(function, Func):
        env.refuse(f"BTF of func#{number} doesn't point to KIND_FUNC", errno.EFAULT)
    proto = btf.get(function.type_id)
    if not isinstance(proto, FuncProto):
        env.refuse(f"Invalid type of function {function.name}()", errno.EFAULT)
    if len(proto.params) > 5:
        env.refuse(f"Global function {function.name}() with {len(proto.params)} > 5 args. Buggy compiler.")
    if not isinstance(_plain(btf, proto.type_id), (Int, Enum, Enum64)):
        env.refuse(f"Global function {function.name}() doesn't return scalar. Only those are supported.")
    if any(isinstance(entry, DeclTag) and entry.type_id == subprog.type_id for entry in btf.types):
        env.unsupported(f"tagged arguments of global functions ({function.name})")
    return tuple(_argument(env, btf, index, param.type_id, function.name) for index, param in enumerate(proto.params))


def _plain(btf: Btf, type_id: int) -> BtfType:
    """The type without typedefs and qualifiers."""
    kind = btf.get(type_id)
    for _ in range(_DEPTH):
        if not isinstance(kind, _MODIFIERS):
            break
        kind = btf.get(kind.type_id)
    return kind


def _argument(env: Env, btf: Btf, index: int, type_id: int, name: str) -> Argument:
    kind = _plain(btf, type_id)
    if isinstance(kind, (Int, Enum, Enum64)):
        return NUMBER_ARG, 0
    if not isinstance(kind, Ptr):
        env.refuse(f"Arg#{index} type {kind.kind.name} in {name}() is not supported yet.")
    target = _plain(btf, kind.type_id)
    target_name = target.name if isinstance(target, (Struct, Union)) else ""
    if target_name and target_name == CONTEXTS[env.prog_type].struct:
        return CTX_ARG, 0
    if env.prog_type not in _STRUCT_CONTEXTS or target_name == "bpf_dynptr":
        env.unsupported(f"pointer arguments of global functions ({name})")
    try:
        size = -1 if isinstance(target, (Fwd, Void, FuncProto)) else btf.size_of(kind.type_id)
    except ObjectError:
        size = -1
    if size < 0:
        what = f"{target.kind.name} {getattr(target, 'name', '')}"
        env.refuse(f"arg#{index} reference type('{what}') size cannot be determined: -22")
    return MEM_ARG, size


def check_arguments(env: Env, live: StackLiveness, arguments: tuple[Argument, ...]) -> None:
    """The caller's registers fit the prototype."""
    for index, (kind, size) in enumerate(arguments):
        regno = index + 1
        reg = env.regs[regno]
        if kind == NUMBER_ARG:
            if reg.type != SCALAR:
                env.refuse(f"R{regno} is not a scalar")
        elif kind == CTX_ARG:
            _check_offset(env, reg, regno)
            if reg.type != CTX:
                env.refuse(f"arg#{index} expects pointer to ctx")
        else:
            _check_offset(env, reg, regno)
            _check_memory(env, live, regno, reg, size)


def _check_offset(env: Env, reg: Reg, regno: int) -> None:
    if reg.type not in MOVABLE_ARGUMENTS:
        check_offset_fixed(env, reg, regno)


def _check_memory(env: Env, live: StackLiveness, regno: int, reg: Reg, size: int) -> None:
    if reg.is_null:
        mark_precise(env, regno)
        return
    if reg.type & MAYBE_NULL:
        if reg.type & BASE_MASK != MEM and reg.map is None:
            env.unsupported("maybe-null pointers as arguments of global functions")
        env.regs[regno] = reg.with_type(reg.type & ~MAYBE_NULL, reg.id)
    check_helper_memory(env, live, regno, size, False, True, None)
    check_helper_memory(env, live, regno, size, True, True, None)
    env.regs[regno] = reg


def entry_registers(env: Env, arguments: tuple[Argument, ...]) -> list[Reg]:
    """What r1.. hold when the function is walked by itself."""
    regs = []
    for kind, size in arguments:
        if kind == CTX_ARG:
            regs.append(pointer(CTX))
        elif kind == NUMBER_ARG:
            regs.append(UNKNOWN_SCALAR)
        else:
            regs.append(pointer(MEM | MAYBE_NULL, raw=size, id=env.new_id()))
    return regs
