"""What a call takes away: caller-saved registers, packet pointers, released references.

Source: kernel/bpf/verifier.c clear_caller_saved_regs, clear_all_pkt_pointers, release_reference, check_reference_leak
(6.12).
"""

from __future__ import annotations

from toolchain.verifier.env import Env
from toolchain.verifier.regtypes import (
    PACKET,
    PACKET_END,
    PACKET_META,
    UNINIT,
    UNKNOWN_SCALAR,
)
from toolchain.verifier.state import SPILL, Slot, State


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
