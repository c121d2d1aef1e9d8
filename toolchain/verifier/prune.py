"""Pruning: a path stops where a state at least as general was already proved safe.

    at a prune point:  for each stored state of this instruction and chain of calls
        still being explored  ->  exactly equal now: a loop that never ends; else go on (the loop makes progress)
        explored to the end   ->  includes the current one: stop here, and mark in the current path what mattered
        below it
    then store the current state if enough happened since the last one

Old includes current when each register and slot that is still read is included: pointers equal but for wider ranges,
numbers only if their precision mattered, and equal ids in old equal in current (a map of ids, old -> current, made on
the way).

Loops: a state inside a cycle has no final marks until the cycle's first state is done. A path that runs into such a
state is kept as a back edge; when the first state is done, marks are passed along all back edges until none is new.

Soundness: see the argument in docs/verifier.md. Source: kernel/bpf/verifier.c is_state_visited, states_equal,
regsafe, stacksafe, check_ids, propagate_precision (6.12), clean_func_state, add_scc_backedge, propagate_backedges
(6.17, 6.18).
"""

from __future__ import annotations

import errno
from typing import NoReturn

from toolchain.verifier.env import LOG_STATE, Env, Refusal
from toolchain.verifier.klog import PathLog
from toolchain.verifier.liveness import StackLiveness
from toolchain.verifier.precision import Backtrack, mark_everything, push_history, walk_back
from toolchain.verifier.regtypes import (
    ADD_CONST,
    ARENA,
    BASE_MASK,
    BUF,
    MAP_KEY,
    MAP_VALUE,
    MEM,
    NOT_INIT,
    PACKET,
    PACKET_META,
    SCALAR,
    STACK,
    TP_BUFFER,
    UNINIT,
    UNKNOWN_SCALAR,
    Reg,
)
from toolchain.verifier.state import (
    ANYTHING,
    EMPTY_SLOT,
    FP,
    INVALID,
    MISC,
    NUMBER_SLOT,
    SPILL,
    Frame,
    Slot,
    State,
    same_callsites,
)

NOT_EXACT, EXACT, RANGE_WITHIN = 0, 1, 2
_BACKEDGE_ROUNDS = 64


class IdMap:
    """Which id of the current state stands for which id of the stored one, as far as the comparison has come."""

    __slots__ = ("_next_fresh", "_old_of", "_pairs")

    def __init__(self, id_gen: int) -> None:
        self._pairs: dict[int, int] = {}
        self._old_of: dict[int, int] = {}
        self._next_fresh = id_gen

    def match(self, old: int, current: int) -> bool:
        """Both are zero, or the pair agrees with all pairs before."""
        if bool(old) != bool(current):
            return False
        if not old:
            return True
        known = self._pairs.get(old)
        if known is not None:
            return known == current
        if current in self._old_of:
            return False
        self._pairs[old] = current
        self._old_of[current] = old
        return True

    def match_scalar(self, old: int, current: int) -> bool:
        """`match` for numbers: an unlinked old number takes any, an unlinked current one gets an id of its own."""
        if not old:
            return True
        if not current:
            self._next_fresh += 1
            current = self._next_fresh
        if not self.match(old, current):
            return False
        return not old & ADD_CONST or self.match(old & ~ADD_CONST, current & ~ADD_CONST)


class LoopVisit:
    """One visit of a cycle under one chain of calls: the first state stored in it, and the back edges found since."""

    __slots__ = ("backedges", "entry")

    def __init__(self) -> None:
        self.entry: State | None = None
        self.backedges: list[State] = []


class Pruner:
    """The stored states of a run and the rules that use them."""

    def __init__(self, env: Env, live: StackLiveness, log: PathLog) -> None:
        self.env = env
        self.live = live
        self.log = log
        self._visits: dict[tuple[tuple[int, ...], int], LoopVisit] = {}
        self._has_loops = any(env.scc)

    # --- stored states ------------------------------------------------------------------------------------------------

    def is_visited(self) -> bool:
        """The current state need not be explored; else it may have been stored."""
        env = self.env
        insn = env.insn
        current = env.state
        force = env.always_checkpoint or (current.history is not None and current.history.count > 40)
        add = force or (env.jumps_processed - env.prev_jumps_processed >= 2 and env.processed - env.prev_processed >= 8)
        key = (insn ^ current.frames[-1].callsite & 0xFFFFFFFF) % len(env.code)
        stored = env.explored.get(key)
        if stored:
            self._clean_all(stored, insn, current)
            evicted: list[State] = []
            for old in stored:
                if old.insn != insn:
                    continue
                if old.branches:
                    if self._loops_forever(old, current):
                        self._refuse_loop(old, current)
                    if (
                        not force
                        and env.jumps_processed - env.prev_jumps_processed < 20
                        and env.processed - env.prev_processed < 100
                    ):
                        add = False
                else:
                    in_loop = self._has_backedges(old)
                    if self.states_equal(old, current, RANGE_WITHIN if in_loop else NOT_EXACT):
                        self._remove(stored, evicted)
                        self._hit(old, current, in_loop)
                        return True
                if add:
                    old.miss_count += 1
                if old.miss_count > old.hit_count * 3 + 3:
                    evicted.append(old)
            env.max_states_per_insn = max(env.max_states_per_insn, len(stored))
            self._remove(stored, evicted)
        if add:
            self._store(key, insn, current)
        return False

    def _remove(self, stored: list[State], evicted: list[State]) -> None:
        """Forget states that never helped. One that is still being explored, or is in an open loop, still counts as
        kept."""
        env = self.env
        for old in evicted:
            stored.remove(old)
            env.explored_count -= 1
            old.is_evicted = True
            if old.branches or self._has_backedges(old):
                env.evicted.append(old)

    def _store(self, key: int, insn: int, current: State) -> None:
        env = self.env
        env.total_states += 1
        env.explored_count += 1
        env.peak_states = max(env.peak_states, env.explored_count + len(env.evicted))
        env.prev_jumps_processed = env.jumps_processed
        env.prev_processed = env.processed
        stored = current.copy()
        stored.insn = insn
        stored.branches = 1
        self._enter_loop(stored)
        current.parent = stored
        current.first_insn = insn
        current.history = None
        env.history_open = False
        env.explored.setdefault(key, []).insert(0, stored)

    def _hit(self, old: State, current: State, in_loop: bool) -> None:
        env = self.env
        old.hit_count += 1
        if env.jump_points[env.insn]:
            push_history(env, 0)
        self._propagate(old, current)
        if in_loop:
            edge = current.copy()
            edge.insn = env.insn
            edge.equal_state = old
            key = self._visit_key(old)
            if key is not None and key in self._visits:
                self._visits[key].backedges.append(edge)
                self._trace_loop("backedge", key)

    def path_ended(self) -> None:
        """The current path is done: its stored states have one continuation less."""
        state: State | None = self.env.state
        state_count = 0
        while state is not None:
            state.branches -= 1
            if state.branches:
                break
            if state_count:
                self._exit_loop(state)
            state_count += 1
            parent = state.parent
            if state.is_evicted and not self._has_backedges(state) and state in self.env.evicted:
                self.env.evicted.remove(state)
            state = parent

    def _propagate(self, old: State, current: State) -> bool:
        """What mattered in ``old`` matters in the path that leads to ``current``."""
        env = self.env
        bt = Backtrack(len(current.frames) - 1)
        tracing = bool(env.log.level & LOG_STATE)
        for frameno in range(len(old.frames) - 1, -1, -1):
            frame = old.frames[frameno]
            bt.regs[frameno] = frame.precise_regs
            bt.slots[frameno] = frame.precise_slots
            if tracing and (frame.precise_regs or frame.precise_slots):
                names = [f"r{number}" for number in range(FP) if frame.precise_regs >> number & 1]
                names += [f"fp{-(number + 1) * 8}" for number in range(64) if frame.precise_slots >> number & 1]
                env.trace(f"frame {frameno}: propagating {','.join(names)}\n")
        return walk_back(env, current, current.insn if current is not env.state else env.insn, bt)

    # --- loops --------------------------------------------------------------------------------------------------------

    def _visit_key(self, state: State) -> tuple[tuple[int, ...], int] | None:
        """The outermost frame of a state that stands in a cycle: the calls that led there, and the cycle's number."""
        if not self._has_loops:
            return None
        chain: list[int] = []
        for frameno in range(len(state.frames)):
            insn = state.frame_insn(frameno)
            number = self.env.scc[insn]
            if number:
                return tuple(chain), number
            chain.append(insn)
        return None

    def _visit_of(self, state: State) -> LoopVisit | None:
        key = self._visit_key(state)
        return None if key is None else self._visits.get(key)

    def _has_backedges(self, state: State) -> bool:
        visit = self._visit_of(state)
        return visit is not None and bool(visit.backedges)

    def _enter_loop(self, state: State) -> None:
        key = self._visit_key(state)
        if key is None:
            return
        visit = self._visits.get(key)
        if visit is None:
            visit = self._visits[key] = LoopVisit()
        if visit.entry is None:
            visit.entry = state
            self._trace_loop("enter", key)

    def _exit_loop(self, state: State) -> None:
        key = self._visit_key(state)
        visit = None if key is None else self._visits.get(key)
        if key is None or visit is None or visit.entry is not state:
            return
        self._trace_loop("exit", key)
        rounds = 0
        changed = True
        while changed and visit.backedges:
            rounds += 1
            if rounds > _BACKEDGE_ROUNDS:
                for edge in visit.backedges:
                    mark_everything(edge)
                break
            changed = False
            for edge in visit.backedges:
                if edge.equal_state is not None:
                    changed |= self._propagate(edge.equal_state, edge)
        visit.entry = None
        visit.backedges = []

    def _trace_loop(self, what: str, key: tuple[tuple[int, ...], int]) -> None:
        if self.env.log.level & LOG_STATE:
            self.env.trace(f"SCC {what} ({','.join(str(part) for part in (*key[0], key[1]))})\n")

    def _loops_forever(self, old: State, current: State) -> bool:
        if len(old.frames) != len(current.frames):
            return False
        old_regs, regs = old.frames[-1].regs, current.frames[-1].regs
        for number in range(FP):
            old_reg, reg = old_regs[number], regs[number]
            if reg is old_reg:
                continue
            if old_reg.id != reg.id or old_reg.ref_obj_id != reg.ref_obj_id or not _same_contents(old_reg, reg):
                return False
        return self.states_equal(old, current, EXACT)

    def _refuse_loop(self, old: State, current: State) -> NoReturn:
        env = self.env
        self.log.source(env.insn, "; ")
        env.say(f"infinite loop detected at insn {env.insn}")
        if env.is_tracing:
            self.log.whole("cur state:", current.frames[-1])
            self.log.whole("old state:", old.frames[-1])
        raise Refusal(errno.EINVAL)

    # --- cleaning -----------------------------------------------------------------------------------------------------

    def _clean_all(self, stored: list[State], insn: int, current: State) -> None:
        for old in stored:
            if old.insn != insn or old.branches or old.is_cleaned:
                continue
            if not same_callsites(old, current) or self._has_backedges(old):
                continue
            self._clean(old, insn)

    def _clean(self, state: State, insn: int) -> None:
        """Drop from a finished state what no continuation reads."""
        state.is_cleaned = True
        for frameno, frame in enumerate(state.frames):
            keep = self.env.live_before[state.frame_insn(frameno)]
            for number in range(FP):
                if not keep >> number & 1:
                    frame.regs[number] = UNINIT
            frame.precise_regs &= keep
            if frame.stack:
                alive = self.live.is_alive(state, frameno, insn)
                frame.stack = {number: slot for number, slot in frame.stack.items() if alive >> number & 1}
                frame.precise_slots &= alive

    # --- comparison ---------------------------------------------------------------------------------------------------

    def states_equal(self, old: State, current: State, exact: int) -> bool:
        """``old`` includes ``current``; with EXACT, both are the same but for the names of ids."""
        if len(old.frames) != len(current.frames):
            return False
        ids = IdMap(self.env.id_gen)
        if len(old.refs) != len(current.refs):
            return False
        for (old_ref, _), (ref, _) in zip(old.refs, current.refs, strict=True):
            if not ids.match(old_ref, ref):
                return False
        for frameno, frame in enumerate(old.frames):
            other = current.frames[frameno]
            if frame.callsite != other.callsite:
                return False
            live = self.env.live_before[old.frame_insn(frameno)]
            if not _frames_equal(frame, other, live, ids, exact):
                return False
        return True


def _frames_equal(old: Frame, current: Frame, live: int, ids: IdMap, exact: int) -> bool:
    old_regs, regs = old.regs, current.regs
    precise = old.precise_regs
    for number in range(FP):
        if not live >> number & 1:
            continue
        one, other = old_regs[number], regs[number]
        if one is other and not one.id and not one.ref_obj_id:
            continue
        if not reg_safe(one, other, bool(precise >> number & 1), ids, exact):
            return False
    return _stacks_equal(old, current, ids, exact)


def _same_contents(old: Reg, current: Reg) -> bool:
    """All but the ids is equal."""
    return (
        old.type == current.type
        and old.off == current.off
        and old.raw == current.raw
        and old.map is current.map
        and old.map_uid == current.map_uid
        and (old.scalar is current.scalar or old.scalar == current.scalar)
    )


def _regs_exact(old: Reg, current: Reg, ids: IdMap) -> bool:
    return (
        _same_contents(old, current) and ids.match(old.id, current.id) and ids.match(old.ref_obj_id, current.ref_obj_id)
    )


_RANGED = frozenset({MAP_KEY, MAP_VALUE, MEM, BUF, TP_BUFFER})


def reg_safe(old: Reg, current: Reg, is_precise: bool, ids: IdMap, exact: int) -> bool:
    """If every continuation is safe with ``old``, it is with ``current``. Source: regsafe."""
    if exact == EXACT:
        return _regs_exact(old, current, ids)
    kind = old.type
    if kind == NOT_INIT and (exact == NOT_EXACT or current.type == NOT_INIT):
        return True
    if kind != current.type:
        return False
    if kind == SCALAR:
        if not is_precise and exact == NOT_EXACT:
            return True
        return _numbers_safe(old, current, ids)
    base = kind & BASE_MASK
    if base in _RANGED:
        return (
            old.off == current.off
            and old.raw == current.raw
            and old.map is current.map
            and old.map_uid == current.map_uid
            and old.scalar.includes(current.scalar)
            and ids.match(old.id, current.id)
            and ids.match(old.ref_obj_id, current.ref_obj_id)
        )
    if base in (PACKET, PACKET_META):
        if old.raw < 0 or current.raw < 0:
            if old.raw != current.raw:
                return False
        elif old.raw > current.raw:
            return False
        return old.off == current.off and ids.match(old.id, current.id) and old.scalar.includes(current.scalar)
    if base == STACK:
        return _regs_exact(old, current, ids) and old.raw == current.raw
    if base == ARENA:
        return True
    return _regs_exact(old, current, ids)


def _numbers_safe(old: Reg, current: Reg, ids: IdMap) -> bool:
    if old.id:
        if (old.id ^ current.id) & ADD_CONST:
            return False
        if old.id & ADD_CONST and old.off != current.off:
            return False
    return ids.match_scalar(old.id, current.id) and old.scalar.includes(current.scalar)


def _stacks_equal(old: Frame, current: Frame, ids: IdMap, exact: int) -> bool:
    """The order of slots does not matter: ids pair up in any order or in none. Source: stacksafe."""
    others = current.stack
    limit = current.stack_slots
    if exact != NOT_EXACT:
        if old.stack_slots > limit:
            return False
        for number in range(old.stack_slots):
            if old.slot(number).kinds != current.slot(number).kinds:
                return False
    precise = old.precise_slots
    for number, slot in old.stack.items():
        if slot.shape == ANYTHING:
            # Data that may be anything: a privileged program may read anything there.
            continue
        if number >= limit:
            return False
        other = others.get(number, EMPTY_SLOT)
        if slot is other and not slot.reg.id and not slot.reg.ref_obj_id:
            continue
        is_precise = bool(precise >> number & 1)
        if exact == NOT_EXACT and not is_precise and slot.shape == NUMBER_SLOT >= other.shape:
            continue
        if not _slot_safe(slot, other, is_precise, ids, exact):
            return False
    return True


def _slot_safe(old: Slot, current: Slot, is_precise: bool, ids: IdMap, exact: int) -> bool:
    """``old`` is not ANYTHING."""
    if old.shape == NUMBER_SLOT and current.shape <= NUMBER_SLOT:
        reg = current.reg if current.shape == NUMBER_SLOT else UNKNOWN_SCALAR
        return reg_safe(old.reg, reg, is_precise, ids, exact)
    kinds, others = old.kinds, current.kinds
    if kinds != others:
        for kind, other in zip(kinds, others, strict=True):
            if kind != other and kind not in (INVALID, MISC):
                return False
    if kinds[7] == SPILL:
        return reg_safe(old.reg, current.reg, is_precise, ids, exact)
    return True
