"""Functions of the program: entering and leaving them, and leaving the program.

A static function is entered: a new frame, arguments copied; every path through it is walked anew for each call. A
global one is only checked to be called as its prototype says (functions.py). LD_ABS and LD_IND are here as calls in
disguise.

Source: kernel/bpf/verifier.c check_func_call, prepare_func_exit, check_return_code, check_ld_abs (6.12).
"""

from __future__ import annotations

import errno

from toolchain.verifier import functions, memory, progtypes
from toolchain.verifier.env import ALL_CHANGED, Env, Refusal
from toolchain.verifier.forget import check_leaks, forget_caller_saved, forget_packets
from toolchain.verifier.insns import Code
from toolchain.verifier.jumps import push_state
from toolchain.verifier.klog import PathLog, state_text
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.precision import mark_precise
from toolchain.verifier.regtypes import (
    CTX,
    SCALAR,
    STACK,
    UNKNOWN_SCALAR,
    ZERO_SCALAR,
    type_text,
)
from toolchain.verifier.state import MAX_FRAMES, Frame


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
