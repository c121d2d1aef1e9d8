"""What is checked before any path is walked: functions, jump targets, wide loads, opcodes.

    subprograms   every function starts where a call or function address points, ends in exit or a jump, keeps its
    jumps inside wide loads    two well-formed slots; a map reference names a map that can be referred to so
    opcodes       each slot is a known instruction

Everything is one pass over the slots; nothing here depends on register contents.

Source: kernel/bpf/verifier.c add_subprog_and_kfunc, check_subprogs, check_abnormal_return, resolve_pseudo_ldimm64
(6.12); kernel/bpf/core.c bpf_opcode_in_insntable.
"""

from __future__ import annotations

import errno

from toolchain.btf.types import Enum, Enum64, Func, FuncProto, Int
from toolchain.errors import ObjectError
from toolchain.isa.helpers import CHANGES_PACKET, HELPER_IDS
from toolchain.isa.map_types import MapType
from toolchain.isa.opcodes import PseudoSrc
from toolchain.spec.stages import FunctionInfo
from toolchain.verifier.env import LOG_STATE, Env, Subprog
from toolchain.verifier.insns import (
    JMP,
    JMP32,
    LD,
    LDX,
    MODE_ABS,
    MODE_IND,
    MODE_MEM,
    MODE_MEMSX,
    OP_CALL,
    OP_EXIT,
    OP_JA,
    WIDE,
    Code,
)

MAX_SUBPROGS = 256
MAX_VAR_OFF = 1 << 29
HELPER_TAIL_CALL = HELPER_IDS["tail_call"]
ENOTSUPP = 524

_ALU_KNOWN = {
    cls | op | source
    for cls in (4, 7)
    for op in (*range(0x00, 0x80, 0x10), 0x90, 0xA0, 0xB0, 0xC0)
    for source in (0, 8)
}
_JUMP_KNOWN = {
    cls | op | source
    for cls in (5, 6)
    for op in (*range(0x10, 0x80, 0x10), 0xA0, 0xB0, 0xC0, 0xD0)
    for source in (0, 8)
}
_MEMORY_KNOWN = {cls | mode | size for cls, mode in ((1, 0x60), (2, 0x60), (3, 0x60)) for size in (0, 8, 16, 24)}
KNOWN_OPCODES = frozenset(
    _ALU_KNOWN
    | _JUMP_KNOWN
    | _MEMORY_KNOWN
    | {4 | 0x80, 7 | 0x80, 4 | 0xD0, 4 | 0xD0 | 8, 7 | 0xD0}
    | {5 | 0x80, 5 | 0x90, 5 | 0x00, 6 | 0x00, 5 | 0xE0}
    | {1 | 0x80 | size for size in (0, 8, 16)}
    | {3 | 0xC0 | size for size in (0, 8, 16, 24)}
    | {0 | mode | size for mode in (0x20, 0x40) for size in (0, 8, 16)}
    | {WIDE}
)


def find_subprogs(env: Env, functions: tuple[FunctionInfo, ...]) -> None:
    """Fill ``env.subprogs``: the main program and every target of a call or function address, in code order."""
    count = len(env.code)
    starts = {0}
    for index, insn in enumerate(env.code):
        if insn.is_kfunc_call:
            env.unsupported(f"kernel functions (kfunc call at insn {index})")
        if not (insn.is_local_call or insn.is_func_address):
            continue
        target = index + insn.imm + 1
        if not 0 <= target < count:
            env.refuse("call to invalid destination")
        if target not in starts and len(starts) >= MAX_SUBPROGS:
            env.refuse("too many subprograms", errno.E2BIG)
        starts.add(target)
    known = {function.slot: function for function in functions}
    ordered = sorted(starts)
    for number, start in enumerate(ordered):
        end = ordered[number + 1] if number + 1 < len(ordered) else count
        function = known.get(start)
        name = function.name if function else ""
        is_global = bool(function and function.is_global and env.has_func_info)
        env.subprogs.append(Subprog(start, end, name, is_global, function.type_id if function else 0))
        env.subprog_at[start] = number
        if env.log.level & LOG_STATE:
            env.trace(f"func#{number} @{start}\n")


def check_subprogs(env: Env) -> None:
    """Every jump stays in its function, and no function runs into the next."""
    for subprog in env.subprogs:
        for index in range(subprog.start, subprog.end):
            insn = env.code[index]
            if insn.is_helper_call and insn.imm == HELPER_TAIL_CALL:
                subprog.has_tail_call = True
            elif insn.cls == LD and insn.mode in (MODE_ABS, MODE_IND):
                subprog.has_ld_abs = True
            if insn.cls in (JMP, JMP32) and insn.op not in (OP_EXIT, OP_CALL):
                target = index + insn.jump_offset + 1
                if not subprog.start <= target < subprog.end:
                    env.refuse(f"jump out of range from insn {index} to {target}")
        last = env.code[subprog.end - 1].code
        if last not in (JMP | OP_EXIT, JMP32 | OP_JA, JMP | OP_JA):
            env.refuse("last insn is not an exit or jmp")


def check_described(env: Env, functions: tuple[FunctionInfo, ...]) -> None:
    """Where functions have types, those described are those that are called. Source: check_btf_func."""
    if not env.has_func_info:
        return
    if len(functions) != len(env.subprogs):
        env.refuse("number of funcs in func_info doesn't match number of subprogs")
    if any(each.slot != subprog.start for each, subprog in zip(functions, env.subprogs, strict=True)):
        env.refuse("func_info BTF section doesn't match subprog layout in BPF program")


def find_packet_changes(env: Env) -> None:
    """Which functions may move the packet, by a helper of theirs or of a function they call."""
    callers: dict[int, set[int]] = {}
    changing: list[int] = []
    for number, subprog in enumerate(env.subprogs):
        for index in range(subprog.start, subprog.end):
            insn = env.code[index]
            if insn.is_helper_call and insn.imm in CHANGES_PACKET:
                subprog.changes_packets = True
            elif insn.is_local_call:
                callers.setdefault(env.subprog_at[index + insn.imm + 1], set()).add(number)
        if subprog.changes_packets:
            changing.append(number)
    while changing:
        for number in callers.get(changing.pop(), ()):
            if not env.subprogs[number].changes_packets:
                env.subprogs[number].changes_packets = True
                changing.append(number)


def check_results(env: Env) -> None:
    """Functions that packet loads or tail calls may leave must return a number, and say so in their types."""
    if env.has_func_info:
        for subprog in env.subprogs[1:]:
            if (subprog.has_ld_abs or subprog.has_tail_call) and not _returns_number(env, subprog):
                what = "LD_ABS" if subprog.has_ld_abs else "tail_call"
                env.refuse(f"{what} is only allowed in functions that return 'int'.")
        return
    for subprog in env.subprogs[1:]:
        if subprog.has_ld_abs:
            env.refuse("LD_ABS is not allowed in subprogs without BTF")
        if subprog.has_tail_call:
            env.refuse("tail_call is not allowed in subprogs without BTF")


def _returns_number(env: Env, subprog: Subprog) -> bool:
    """Its prototype gives an integer of at most 8 bytes, or an enumerator. Source: check_btf_func_early."""
    if env.btf is None or not subprog.type_id:
        return False
    try:
        function = env.btf.get(subprog.type_id)
        proto = env.btf.get(function.type_id) if isinstance(function, Func) else None
        result = env.btf.get(env.btf.resolve(proto.type_id)) if isinstance(proto, FuncProto) else None
    except ObjectError:
        return False
    return isinstance(result, (Enum, Enum64)) or (isinstance(result, Int) and result.size <= 8)


def check_slots(env: Env) -> None:
    """Wide loads and opcodes."""
    index = 0
    while index < len(env.code):
        insn = env.code[index]
        if insn.cls == LDX and (insn.mode not in (MODE_MEM, MODE_MEMSX) or insn.imm != 0):
            env.refuse("BPF_LDX uses reserved fields")
        if insn.code == WIDE:
            _check_wide(env, index, insn)
            index += 2
            continue
        if insn.code not in KNOWN_OPCODES:
            env.refuse(f"unknown opcode {insn.code:02x}")
        index += 1


def _check_wide(env: Env, index: int, insn: Code) -> None:
    following = env.code[index + 1] if index + 1 < len(env.code) else None
    if following is None or following.code or following.dst or following.src or following.off:
        env.refuse("invalid bpf_ld_imm64 insn")
    if insn.src in (PseudoSrc.IMM64, PseudoSrc.FUNC):
        return
    if insn.src == PseudoSrc.BTF_ID:
        env.unsupported(f"kernel variables by type id (insn {index})")
    is_value = insn.src in (PseudoSrc.MAP_VALUE, PseudoSrc.MAP_IDX_VALUE)
    is_map = insn.src in (PseudoSrc.MAP_FD, PseudoSrc.MAP_IDX)
    if not is_value and not (is_map and following.imm == 0):
        env.refuse("unrecognized bpf_ld_imm64 insn")
    if insn.src in (PseudoSrc.MAP_FD, PseudoSrc.MAP_VALUE) or not 0 <= insn.imm < len(env.maps):
        env.refuse(f"fd {insn.imm} is not pointing to valid bpf_map", errno.EBADF)
    view = env.maps[insn.imm]
    _check_map_and_program(env, view.map_type)
    if is_value:
        offset = following.imm & 0xFFFFFFFF
        if offset >= MAX_VAR_OFF:
            env.refuse(f"direct value offset of {offset} is not allowed")
        if view.map_type != MapType.ARRAY:
            env.refuse("no direct value access support for this map type")
        if view.max_entries != 1 or offset >= view.value_size:
            error = ENOTSUPP if view.max_entries != 1 else errno.EINVAL
            env.refuse(f"invalid access to map value pointer, value_size={view.value_size} off={offset}", error)


_SLEEPABLE_MAPS = frozenset(
    {
        MapType.HASH,
        MapType.LRU_HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_PERCPU_HASH,
        MapType.ARRAY_OF_MAPS,
        MapType.HASH_OF_MAPS,
        MapType.RINGBUF,
        MapType.USER_RINGBUF,
        MapType.INODE_STORAGE,
        MapType.SK_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
        MapType.QUEUE,
        MapType.STACK,
        MapType.ARENA,
    }
)


def _check_map_and_program(env: Env, map_type: int) -> None:
    """Source: check_map_prog_compatibility."""
    if map_type == MapType.ARENA:
        env.unsupported("arena maps")
    if map_type == MapType.STRUCT_OPS:
        env.refuse("bpf_struct_ops map cannot be used in prog")
    if env.is_sleepable and map_type not in _SLEEPABLE_MAPS:
        env.refuse("Sleepable programs can only use array, hash, ringbuf and local storage maps")
