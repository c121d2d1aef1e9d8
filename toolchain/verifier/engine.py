"""The walk over all paths: depth first, one instruction at a time, the other side of each branch put aside.

    current state --check instruction--> current state'         env.pending: sides of branches not yet walked
         |  at prune points: prune.py says stop, or stores it            (last in, first out)
         '- exit of main: path done, take the last side put aside; none left: accepted

Limits: 1,000,000 instructions processed, 8192 sides put aside, 8 frames, 512 bytes of stack over a chain of calls.
They bound time and memory for any input.

Source: kernel/bpf/verifier.c do_check, do_check_common, check_max_stack_depth_subprog, bpf_check (6.12, 6.18).
"""

from __future__ import annotations

import errno

from toolchain.isa.program_types import ProgType
from toolchain.spec.stages import FunctionInfo, LineInfo
from toolchain.verifier import calls, cfg, functions, precheck, progtypes
from toolchain.verifier.alu import check_alu
from toolchain.verifier.env import ALL_CHANGED, LOG_STATE, Env, Subprog
from toolchain.verifier.forget import check_leaks
from toolchain.verifier.helper_calls import call_helper
from toolchain.verifier.insns import (
    ALU,
    ALU64,
    CMPXCHG,
    FETCH,
    JMP,
    JMP32,
    LDX,
    LOAD_ACQ,
    MODE_ABS,
    MODE_ATOMIC,
    MODE_IMM,
    MODE_IND,
    MODE_MEM,
    MODE_MEMSX,
    OP_CALL,
    OP_EXIT,
    OP_JA,
    PSEUDO_CALL,
    PSEUDO_FUNC,
    ST,
    STORE_REL,
    STX,
    XCHG,
    Code,
)
from toolchain.verifier.jumps import check_cond_jump
from toolchain.verifier.klog import PathLog
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.memory import check_access, need_readable, need_writable, note_pointer_type
from toolchain.verifier.precision import push_history
from toolchain.verifier.prune import Pruner
from toolchain.verifier.regtypes import (
    ARENA,
    CTX,
    FLOW_KEYS,
    MAP_PTR,
    MAP_VALUE,
    SOCK_TYPES,
    UNKNOWN_SCALAR,
    Reg,
    constant,
    is_packet,
    pointer,
    type_text,
)
from toolchain.verifier.state import MAX_FRAMES, MAX_STACK, Frame, State

_RMW = frozenset({0x00, 0x40, 0x50, 0xA0, 0x01, 0x41, 0x51, 0xA1, XCHG, CMPXCHG})


class Engine:
    """One verification. ``run`` walks everything and returns, or raises Refusal or Unsupported."""

    def __init__(self, env: Env, names: tuple[FunctionInfo, ...], lines: tuple[LineInfo, ...]) -> None:
        self.env = env
        self.names = names
        self.log = PathLog(env, lines)
        self.live = StackLiveness(env)
        self.pruner = Pruner(env, self.live, self.log)

    def run(self) -> None:
        """All checks, in the kernel's order."""
        env = self.env
        precheck.find_subprogs(env, self.names)
        precheck.check_subprogs(env)
        precheck.check_described(env, self.names)
        precheck.check_results(env)
        precheck.check_slots(env)
        cfg.check_cfg(env)
        env.reached = bytearray(len(env.code))
        cfg.compute_live_registers(env, lambda number: progtypes.argument_count(env, number))
        cfg.compute_loops(env)
        env.reached = bytearray(len(env.code))
        precheck.find_packet_changes(env)
        self._walk_function(0, [pointer(CTX)])
        self._walk_globals()
        env.is_walking = False
        check_stack_depth(env)

    def _walk_function(self, number: int, arguments: list[Reg]) -> None:
        """All paths of the main program, or of a global function. Source: do_check_common."""
        env = self.env
        frame = Frame.fresh(-1, 0, number)
        frame.regs[1 : 1 + len(arguments)] = arguments
        env.state = State([frame])
        start = env.subprogs[number].start
        env.state.first_insn = start
        env.insn, env.prev_insn = start, -1
        env.is_walking = True
        env.explored = {}
        self.live = StackLiveness(env)
        self.pruner = Pruner(env, self.live, self.log)
        if env.is_tracing:
            env.scratched_regs = env.scratched_slots = ALL_CHANGED
        self._walk()
        if not env.log.level & LOG_STATE:
            env.log.cut(0)

    def _walk_globals(self) -> None:
        """Each global function that some walked path calls, by itself. Source: do_check_subprogs."""
        env = self.env
        done: set[int] = set()
        while env.called_globals - done:
            for number, subprog in enumerate(env.subprogs):
                if number in done or number not in env.called_globals:
                    continue
                if env.log.level:
                    env.trace(f"Validating {subprog.name}() func#{number}...\n")
                arguments = functions.arguments_of(env, subprog, number)
                self._walk_function(number, functions.entry_registers(env, arguments))
                done.add(number)
                if env.is_tracing:
                    env.trace(f"Func#{number} ('{subprog.name}') is safe for any args that match its prototype\n")

    def _walk(self) -> None:
        """The main loop. Source: do_check."""
        env = self.env
        code = env.code
        count = len(code)
        prune_points, jump_points, reached = env.prune_points, env.jump_points, env.reached
        limit = env.insn_limit
        tracing, observer = env.is_tracing, env.observer
        prints_state = False
        prev_insn = -1
        while True:
            env.history_open = False
            env.prev_insn = prev_insn
            index = env.insn
            if index >= count:
                env.refuse(f"invalid insn idx {index} insn_cnt {count}", errno.EFAULT)
            insn = code[index]
            env.processed += 1
            if env.processed > limit:
                env.refuse(f"BPF program is too large. Processed {env.processed} insn", errno.E2BIG)
            state = env.state
            state.last_insn = prev_insn
            state.insn = index
            if prune_points[index] and self.pruner.is_visited():
                if tracing:
                    place = f"\nfrom {prev_insn} to {index}: safe\n" if prints_state else f"{index}: safe\n"
                    env.trace(place)
                if not self._next_path():
                    return
                prev_insn = env.prev_insn
                prints_state = True
                continue
            if jump_points[index]:
                push_history(env, 0)
            if tracing:
                if prints_state and env.log.level & LOG_STATE:
                    self.log.whole(f"\nfrom {prev_insn} to {index}:", state.frames[-1])
                    prints_state = False
                self.log.insn(index)
            reached[index] = 1
            prev_insn = index
            if observer is not None:
                observer(index, state)
            self.live.begin(index)
            outcome = self._step(insn)
            self.live.commit()
            if outcome == _ENDED:
                if not self._next_path():
                    return
                prev_insn = env.prev_insn
                prints_state = True
            elif outcome == _RETURNED:
                prints_state = True

    def _next_path(self) -> bool:
        """Finish this path and take up the last one put aside; False when there is none."""
        env = self.env
        if env.is_tracing:
            env.scratched_regs = env.scratched_slots = ALL_CHANGED
        self.live.path_ended()
        self.pruner.path_ended()
        if not env.pending:
            return False
        env.state, env.insn, env.prev_insn, mark = env.pending.pop()
        if not env.log.level & LOG_STATE:
            env.log.cut(mark)
        self.live.frames_changed()
        return True

    def _step(self, insn: Code) -> int:
        """Check one instruction and set ``env.insn`` to the next. Source: do_check_insn."""
        env = self.env
        cls = insn.cls
        if cls in (ALU64, ALU):
            check_alu(env, insn)
        elif cls == LDX:
            self._load(insn)
        elif cls == STX:
            self._store_reg(insn)
        elif cls == ST:
            self._store_imm(insn)
        elif cls in (JMP, JMP32):
            env.jumps_processed += 1
            if insn.op == OP_CALL:
                return self._call(insn)
            if insn.op == OP_JA:
                self._jump(insn)
                return _GOES_ON
            if insn.op == OP_EXIT:
                return self._exit(insn)
            here = env.insn
            check_cond_jump(env, insn)
            if env.is_tracing:
                self.log.changes(here)
        else:
            self._load_special(insn)
        env.insn += 1
        return _GOES_ON

    def _load(self, insn: Code) -> None:
        env = self.env
        reg = need_readable(env, insn.src)
        need_writable(env, insn.dst)
        check_access(env, self.live, insn.src, insn.off, insn.size, False, insn.dst, False, insn.mode == MODE_MEMSX)
        note_pointer_type(env, reg.type)

    def _store_reg(self, insn: Code) -> None:
        env = self.env
        if insn.mode == MODE_ATOMIC:
            self._atomic(insn)
            return
        if insn.mode != MODE_MEM or insn.imm:
            env.refuse("BPF_STX uses reserved fields")
        need_readable(env, insn.src)
        reg = need_readable(env, insn.dst)
        check_access(env, self.live, insn.dst, insn.off, insn.size, True, insn.src)
        note_pointer_type(env, reg.type)

    def _store_imm(self, insn: Code) -> None:
        env = self.env
        if insn.mode != MODE_MEM or insn.src:
            env.refuse("BPF_ST uses reserved fields")
        reg = need_readable(env, insn.dst)
        check_access(env, self.live, insn.dst, insn.off, insn.size, True, -1)
        note_pointer_type(env, reg.type)

    def _atomic(self, insn: Code) -> None:
        env = self.env
        if insn.imm in (LOAD_ACQ, STORE_REL):
            self._ordered(insn)
            return
        if insn.imm not in _RMW:
            env.refuse(f"BPF_ATOMIC uses invalid atomic opcode {insn.imm & 0xFFFFFFFF:02x}")
        if insn.size not in (4, 8):
            env.refuse("invalid atomic operand size")
        need_readable(env, insn.src)
        reg = need_readable(env, insn.dst)
        if insn.imm == CMPXCHG:
            need_readable(env, 0)
        self._atomic_target(insn.dst, reg.type, "stores into")
        loaded = -1
        if insn.imm & FETCH:
            loaded = 0 if insn.imm == CMPXCHG else insn.src
            need_writable(env, loaded)
            env.regs[loaded] = UNKNOWN_SCALAR
        check_access(env, self.live, insn.dst, insn.off, insn.size, False, -1, True)
        if loaded >= 0:
            check_access(env, self.live, insn.dst, insn.off, insn.size, False, loaded, True)
        note_pointer_type(env, env.regs[insn.dst].type)
        check_access(env, self.live, insn.dst, insn.off, insn.size, True, -1, True)

    def _atomic_target(self, regno: int, kind: int, verb: str) -> None:
        if kind == ARENA:
            self.env.unsupported("arena pointers")
        if kind in (CTX, FLOW_KEYS) or is_packet(kind) or kind in SOCK_TYPES:
            self.env.deny(f"BPF_ATOMIC {verb} R{regno} {type_text(kind)} is not allowed")

    def _ordered(self, insn: Code) -> None:
        """Load-acquire and store-release. Source: check_atomic_load, check_atomic_store (6.15)."""
        env = self.env
        is_load = insn.imm == LOAD_ACQ
        address = insn.src if is_load else insn.dst
        if address > 10:
            env.refuse(f"R{address} is invalid")
        kind = env.regs[address].type
        if is_load:
            need_readable(env, insn.src)
            need_writable(env, insn.dst)
        else:
            need_readable(env, insn.src)
            need_readable(env, insn.dst)
        self._atomic_target(address, kind, "loads from" if is_load else "stores into")
        check_access(env, self.live, address, insn.off, insn.size, not is_load, insn.dst if is_load else insn.src, True)
        note_pointer_type(env, kind)

    def _jump(self, insn: Code) -> None:
        env = self.env
        reserved = insn.imm if insn.cls == JMP else insn.off
        if insn.is_reg or insn.src or insn.dst or reserved:
            env.refuse("BPF_JA uses reserved fields")
        env.insn += insn.jump_offset + 1

    def _call(self, insn: Code) -> int:
        env = self.env
        if insn.is_reg or insn.off or insn.src not in (0, PSEUDO_CALL) or insn.dst or insn.cls == JMP32:
            env.refuse("BPF_CALL uses reserved fields")
        if insn.src == PSEUDO_CALL:
            calls.call_function(env, self.live, self.log, insn)
        else:
            call_helper(env, self.live, insn)
            env.insn += 1
        if env.is_tracing:
            env.scratched_regs |= 1
        return _GOES_ON

    def _exit(self, insn: Code) -> int:
        env = self.env
        if insn.is_reg or insn.imm or insn.src or insn.dst or insn.cls == JMP32:
            env.refuse("BPF_EXIT uses reserved fields")
        if len(env.state.frames) > 1:
            self.live.path_ended()
            calls.return_from_function(env, self.live)
            return _RETURNED
        if check_leaks(env):
            env.refuse("BPF_EXIT instruction in main prog would lead to reference leak")
        calls.check_return(env)
        return _ENDED

    def _load_special(self, insn: Code) -> None:
        env = self.env
        if insn.mode in (MODE_ABS, MODE_IND):
            calls.load_from_packet(env, self.live, insn)
            return
        if insn.mode != MODE_IMM:
            env.refuse("invalid BPF_LD mode")
        if insn.size != 8:
            env.refuse("invalid BPF_LD_IMM insn")
        if insn.off:
            env.refuse("BPF_LD_IMM64 uses reserved fields")
        need_writable(env, insn.dst)
        high = env.code[env.insn + 1].imm & 0xFFFFFFFF
        regs = env.regs
        if insn.src == 0:
            regs[insn.dst] = constant(high << 32 | insn.imm & 0xFFFFFFFF)
        elif insn.src == PSEUDO_FUNC:
            env.unsupported("function addresses (callbacks)")
        else:
            view = env.maps[insn.imm]
            if insn.src in (2, 6):
                regs[insn.dst] = pointer(MAP_VALUE, off=high, map=view)
            else:
                regs[insn.dst] = pointer(MAP_PTR, map=view)
        env.insn += 1


_GOES_ON, _ENDED, _RETURNED = 0, 1, 2


_PRIVATE_STACKS = frozenset({ProgType.KPROBE, ProgType.TRACEPOINT, ProgType.PERF_EVENT, ProgType.RAW_TRACEPOINT})
_PRIVATE_STACK_MIN = 64


def check_stack_depth(env: Env) -> None:
    """No chain of calls needs more than 512 bytes of stack, or is deeper than 8.

    Chains may be exponentially many; what was found good for a function, entered with so much stack used at that
    depth, is not looked at again. Functions of some program types have private stacks if they need 64 bytes or more:
    those do not add up. Source: check_max_stack_depth_subprog, bpf_enable_priv_stack (6.13, x86-64).
    """
    is_private = env.prog_type in _PRIVATE_STACKS and not any(subprog.has_tail_call for subprog in env.subprogs)
    callees = [_callees(env, subprog) for subprog in env.subprogs]
    good: set[tuple[int, int, int]] = set()
    _check_chain(env, callees, good, is_private, 0, 0, 0)


def _callees(env: Env, subprog: Subprog) -> tuple[int, ...]:
    """The functions that one calls, by first call."""
    found: dict[int, None] = {}
    for index in range(subprog.start, subprog.end):
        insn = env.code[index]
        if insn.is_local_call or insn.is_func_address:
            found[env.subprog_at[index + insn.imm + 1]] = None
    return tuple(found)


def _check_chain(
    env: Env,
    callees: list[tuple[int, ...]],
    good: set[tuple[int, int, int]],
    is_private: bool,
    number: int,
    depth: int,
    frame: int,
) -> None:
    """``depth`` bytes are in use by the ``frame`` functions above."""
    subprog = env.subprogs[number]
    if number and subprog.has_tail_call and depth >= 256:
        env.deny(f"tail_calls are not allowed when call stack of previous frames is {depth} bytes. Too large")
    size = (subprog.stack_depth + 15) // 16 * 16
    if not is_private or size < _PRIVATE_STACK_MIN:
        depth += size
    if depth > MAX_STACK:
        env.deny(f"combined stack size of {frame + 1} calls is {depth}. Too large")
    for callee in callees[number]:
        if frame + 1 >= MAX_FRAMES:
            env.refuse(f"the call stack of {frame + 1} frames is too deep !", errno.E2BIG)
        if (callee, depth, frame) not in good:
            _check_chain(env, callees, good, is_private, callee, depth, frame + 1)
            good.add((callee, depth, frame))
