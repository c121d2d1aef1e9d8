"""Precision: which numbers mattered.

Two states may be merged although a number differs in them, as long as nothing relied on it. A number matters when it
decides a branch, is added to a pointer, or is a size or a constant argument. Then the path is walked backwards,
instruction by instruction and stored state by stored state, and every register and stack slot that the number came
from is marked in the stored states:

    state A   r6 = ...        r6 precise in A       <-----.
              r7 = r6                                     |  walk back:  {r7} -> {r6} -> marked in A, go on above A
              if r7 > 5       decided: mark r7       -----'

Going back needs the path, not the graph: `push_history` records each arrival that is no fall-through, each access of
the stack through a pointer, and which linked registers a comparison taught together. The current state is never
marked; marks live in stored states as bit masks (state.py).

Source: kernel/bpf/verifier.c __mark_chain_precision, backtrack_insn, bt_sync_linked_regs, mark_all_scalars_precise
(6.12, with the start state as an argument as in 6.17).
"""

from __future__ import annotations

from toolchain.isa.helpers import HELPER_IDS
from toolchain.verifier.env import LOG_STATE, Env
from toolchain.verifier.insns import (
    ALU,
    ALU64,
    CMPXCHG,
    FETCH,
    JMP,
    JMP32,
    LD,
    LDX,
    MODE_ABS,
    MODE_ATOMIC,
    MODE_IMM,
    MODE_IND,
    OP_CALL,
    OP_END,
    OP_EXIT,
    OP_JA,
    OP_JCOND,
    OP_MOV,
    OP_NEG,
    ST,
    STX,
    Code,
    print_insn,
)
from toolchain.verifier.klog import state_text
from toolchain.verifier.regtypes import SCALAR
from toolchain.verifier.state import (
    FP,
    HIST_DST_STACK,
    HIST_SRC_STACK,
    HIST_STACK_ACCESS,
    MAX_FRAMES,
    SPILL,
    Frame,
    History,
    Links,
    State,
)

_ARGUMENTS = 0b111110
_TAIL_CALL = HELPER_IDS["tail_call"]

DONE, GO_ON, GIVE_UP = 0, 1, 2

_ALWAYS = 1 << 63
"""In `Code.touches` only where it is -1."""


def push_history(env: Env, flags: int, linked: Links = ()) -> None:
    """Record the instruction being checked; once an instruction, later facts are added to its entry."""
    last = env.state.history
    if env.history_open and last is not None:
        env.state.history = History(last.insn, last.prev, last.flags | flags, linked, last.before)
        return
    env.state.history = History(env.insn, env.prev_insn, flags, linked, last)
    env.history_open = True


class Backtrack:
    """The registers and slots still wanted, a mask of each for every frame; ``frame`` is where the walk is."""

    __slots__ = ("frame", "regs", "slots")

    def __init__(self, frame: int) -> None:
        self.frame = frame
        self.regs = [0] * MAX_FRAMES
        self.slots = [0] * MAX_FRAMES

    def is_empty(self) -> bool:
        """Nothing is wanted any more."""
        return not any(self.regs) and not any(self.slots)

    def apply_links(self, entry: History | None) -> None:
        """If one of the registers that learned together is wanted, all are."""
        if entry is None or not entry.links:
            return
        for frameno, number, is_reg in entry.links:
            if (self.regs if is_reg else self.slots)[frameno] >> number & 1:
                break
        else:
            return
        for frameno, number, is_reg in entry.links:
            if is_reg:
                self.regs[frameno] |= 1 << number
            else:
                self.slots[frameno] |= 1 << number


def mark_precise(env: Env, regno: int) -> None:
    """The number in ``regno`` of the current frame matters."""
    bt = Backtrack(len(env.state.frames) - 1)
    bt.regs[bt.frame] = 1 << regno
    walk_back(env, env.state, env.insn, bt)


def mark_slot_precise(env: Env, frameno: int, slot: int) -> None:
    """The number stored in a slot of a frame matters."""
    bt = Backtrack(len(env.state.frames) - 1)
    bt.slots[frameno] = 1 << slot
    walk_back(env, env.state, env.insn, bt)


def walk_back(env: Env, start: State, insn: int, bt: Backtrack) -> bool:
    """Follow ``bt`` from ``insn`` of ``start`` to where its numbers were made; True if a mark was added anywhere."""
    state: State | None = start
    changed = False
    is_first = True
    last, first = insn, start.first_insn
    following = -1
    if bt.is_empty():
        return False
    tracing = env.log.level & LOG_STATE
    while state is not None:
        if tracing:
            env.trace(f"mark_precise: frame{bt.frame}: last_idx {last} first_idx {first} subseq_idx {following} \n")
        outcome, following = _walk_state(env, state, last, following, bt, is_first)
        is_first = False
        if outcome == GIVE_UP:
            mark_everything(start)
            return True
        if outcome == DONE:
            return changed
        parent = state.parent
        if parent is None:
            break
        changed |= _mark_state(env, parent, bt)
        if bt.is_empty():
            return changed
        following = first
        state = parent
        last, first = state.last_insn, state.first_insn
    if not bt.is_empty():
        mark_everything(start)
        return True
    return changed


def _walk_state(env: Env, state: State, last: int, following: int, bt: Backtrack, is_first: bool) -> tuple[int, int]:
    """Walk the instructions of one state from ``last`` to its first; what to do next, and the last one looked at."""
    history = state.history
    index = last
    code = env.code
    tracing = bool(env.log.level & LOG_STATE)
    if index < 0:
        # The entry of a global function: its arguments are as precise as they can be.
        is_entry = bt.frame == 0 and not bt.slots[0] and not bt.regs[0] & ~_ARGUMENTS
        return (DONE if is_entry and state.frames[0].subprog else GIVE_UP), following
    while True:
        entry = history if history is not None and history.insn == index else None
        if is_first:
            is_first = False
        elif entry is not None or tracing or code[index].touches & (bt.regs[bt.frame] | _ALWAYS):
            if tracing and code[index].code:
                _trace_step(env, bt, index)
            if not _step_back(env, bt, code[index], index, following, entry):
                return GIVE_UP, following
            if bt.is_empty():
                return DONE, following
        following = index
        if index == state.first_insn and (history is None or (entry is not None and entry.count == 1)):
            return GO_ON, following
        if entry is not None:
            history = entry.before
            index = entry.prev
        else:
            index -= 1
        if index < 0:
            return GIVE_UP, following


def _mark_state(env: Env, state: State, bt: Backtrack) -> bool:
    """Mark what is wanted in a stored state; what is marked already, or is no number, is wanted no longer."""
    changed = False
    tracing = env.log.level & LOG_STATE
    for frameno in range(bt.frame, -1, -1):
        frame = state.frames[frameno]
        wanted = bt.regs[frameno]
        if wanted:
            numbers = _numbers_in(frame, wanted)
            fresh = numbers & ~frame.precise_regs
            frame.precise_regs |= fresh
            bt.regs[frameno] = fresh
            changed |= bool(fresh)
        wanted = bt.slots[frameno]
        if wanted:
            numbers = _stored_numbers_in(frame, wanted)
            fresh = numbers & ~frame.precise_slots
            frame.precise_slots |= fresh
            bt.slots[frameno] = fresh
            changed |= bool(fresh)
        if tracing:
            env.trace(
                f"mark_precise: frame{frameno}: parent state regs={mask_text(bt.regs[frameno], 'r', 1)} "
                f"stack={mask_text(bt.slots[frameno], '-', 8)}: "
            )
            env.trace(state_text(env, frame, True, state.refs))
    return changed


def _numbers_in(frame: Frame, mask: int) -> int:
    found = 0
    for number in range(FP):
        if mask >> number & 1 and frame.regs[number].type == SCALAR:
            found |= 1 << number
    return found


def _stored_numbers_in(frame: Frame, mask: int) -> int:
    found = 0
    while mask:
        low = mask & -mask
        mask ^= low
        if frame.slot(low.bit_length() - 1).is_spilled_scalar:
            found |= low
    return found


def mark_everything(start: State) -> None:
    """Mark every number of every stored state above ``start``: the walk met something it cannot follow."""
    state = start.parent
    while state is not None:
        for frame in state.frames:
            frame.precise_regs |= _numbers_in(frame, (1 << FP) - 1)
            for number, slot in frame.stack.items():
                if slot.kinds[7] == SPILL and slot.reg.type == SCALAR:
                    frame.precise_slots |= 1 << number
        state = state.parent


def mask_text(mask: int, prefix: str, unit: int) -> str:
    """``r1,r3`` of a register mask, ``-8,-24`` of a slot mask. Source: fmt_reg_mask, fmt_stack_mask."""
    numbers = [number for number in range(mask.bit_length()) if mask >> number & 1]
    if unit == 8:
        return ",".join(str(-(number + 1) * 8) for number in numbers)
    return ",".join(f"{prefix}{number}" for number in numbers)


def _trace_step(env: Env, bt: Backtrack, index: int) -> None:
    regs, slots = mask_text(bt.regs[bt.frame], "r", 1), mask_text(bt.slots[bt.frame], "-", 8)
    following = env.code[index + 1] if index + 1 < len(env.code) else None
    text = print_insn(env.code[index], following)
    env.trace(f"mark_precise: frame{bt.frame}: regs={regs} stack={slots} before {index}: {text}\n")


def _step_back(env: Env, bt: Backtrack, insn: Code, index: int, following: int, entry: History | None) -> bool:
    """Undo one instruction: from what is wanted after it to what is wanted before it; False where that cannot be
    told."""
    if insn.code == 0:
        return True
    bt.apply_links(entry)
    cls = insn.cls
    if cls in (ALU, ALU64):
        if not _undo_alu(bt, insn):
            return True
    elif cls == LDX or (_is_fetch(insn) and entry is not None and entry.flags & HIST_STACK_ACCESS):
        if not _undo_load(bt, insn, entry):
            return True
    elif cls in (STX, ST):
        known, stop = _undo_store(bt, insn, entry)
        if not known:
            return False
        if stop:
            return True
    elif cls in (JMP, JMP32):
        known, stop = _undo_jump(env, bt, insn, index, following, entry)
        if not known:
            return False
        if stop:
            return True
    elif cls == LD:
        if insn.mode == MODE_IMM:
            bt.regs[bt.frame] &= ~(1 << insn.dst)
            return True
        if insn.mode in (MODE_IND, MODE_ABS):
            if bt.regs[bt.frame] >> insn.dst & 1:
                return False
            return following == index + 1 or _enter(bt)
    bt.apply_links(entry)
    return True


def _is_fetch(insn: Code) -> bool:
    """An atomic that gives the old value. From the stack it is undone as a load (6.12.117); from other memory 6.18.44
    goes on wanting the register that it overwrote, which marks more than is needed, and so does this.
    """
    return insn.cls == STX and insn.mode == MODE_ATOMIC and bool(insn.imm & FETCH)


def _undo_alu(bt: Backtrack, insn: Code) -> bool:
    """False if the step ends here (linked registers are not looked at again)."""
    regs = bt.regs[bt.frame]
    if not regs >> insn.dst & 1 or insn.op in (OP_END, OP_NEG):
        return False
    if insn.op == OP_MOV:
        regs &= ~(1 << insn.dst)
    if insn.is_reg and insn.src != FP:
        regs |= 1 << insn.src
    bt.regs[bt.frame] = regs
    return True


def _undo_load(bt: Backtrack, insn: Code, entry: History | None) -> bool:
    loaded = insn.dst
    if insn.cls == STX:
        loaded = 0 if insn.imm == CMPXCHG else insn.src
    if not bt.regs[bt.frame] >> loaded & 1:
        return False
    bt.regs[bt.frame] &= ~(1 << loaded)
    if entry is None or not entry.flags & HIST_STACK_ACCESS:
        return False
    bt.slots[entry.flags & 7] |= 1 << (entry.flags >> 3 & 63)
    return True


def _undo_store(bt: Backtrack, insn: Code, entry: History | None) -> tuple[bool, bool]:
    """(can be told, the step ends here)."""
    if bt.regs[bt.frame] >> insn.dst & 1:
        return False, True
    if entry is None or not entry.flags & HIST_STACK_ACCESS:
        return True, True
    frameno, slot = entry.flags & 7, entry.flags >> 3 & 63
    if not bt.slots[frameno] >> slot & 1:
        return True, True
    bt.slots[frameno] &= ~(1 << slot)
    if insn.cls == STX:
        bt.regs[bt.frame] |= 1 << insn.src
    return True, False


def _undo_jump(
    env: Env, bt: Backtrack, insn: Code, index: int, following: int, entry: History | None
) -> tuple[bool, bool]:
    """(can be told, the step ends here)."""
    if insn.is_local_call:
        subprog = env.subprogs[env.subprog_at[index + insn.imm + 1]]
        if subprog.is_global:
            bt.regs[bt.frame] &= ~1
            return not bt.regs[bt.frame] & _ARGUMENTS, True
        return _leave(bt), True
    if insn.op == OP_CALL:
        bt.regs[bt.frame] &= ~1
        if insn.src == 0 and insn.imm == _TAIL_CALL and following != index + 1 and not _enter(bt):
            return False, False
        return not bt.regs[bt.frame] & _ARGUMENTS, False
    if insn.op == OP_EXIT:
        from_call = following >= 1 and env.code[following - 1].is_local_call
        wants_result = from_call and bool(bt.regs[bt.frame] & 1)
        if from_call and bt.regs[bt.frame] & _ARGUMENTS:
            return False, True
        bt.regs[bt.frame] &= ~1
        if not _enter(bt):
            return False, True
        if wants_result:
            bt.regs[bt.frame] |= 1
        return True, True
    if insn.op in (OP_JA, OP_JCOND) or not insn.is_reg:
        return True, False
    both = 1 << insn.dst | 1 << insn.src
    if not bt.regs[bt.frame] & both:
        return True, True
    flags = entry.flags if entry is not None else 0
    if not flags & HIST_SRC_STACK:
        bt.regs[bt.frame] |= 1 << insn.src
    if not flags & HIST_DST_STACK:
        bt.regs[bt.frame] |= 1 << insn.dst
    return True, False


def _leave(bt: Backtrack) -> bool:
    """Step out of a function backwards, at its call: only its arguments may still be wanted, of the caller now."""
    wanted = bt.regs[bt.frame]
    if wanted & ~_ARGUMENTS or bt.slots[bt.frame] or bt.frame == 0:
        return False
    bt.regs[bt.frame] = 0
    bt.frame -= 1
    bt.regs[bt.frame] |= wanted
    return True


def _enter(bt: Backtrack) -> bool:
    """Step into a function backwards, at its exit."""
    if bt.frame >= MAX_FRAMES - 1:
        return False
    bt.frame += 1
    return True
