"""Which stack slots are still read: gathered while paths are walked, for each chain of calls.

Registers have static liveness (cfg.py); stack slots may be reached through pointers, so the engine notes what each
instruction really read and wrote, for each frame of the chain, and a backward data flow over the function completes it:

    live_before = may_read | (live_after & ~must_write)

``may_read`` grows with every visit, ``must_write`` shrinks (only what all visits wrote). What a callee reads or
always writes of its callers' frames is passed on to the call instruction. Only fully explored states are cleaned by
it, so later visits cannot make a dropped slot live again.

    frame of main   [ fp-8 | fp-16 ]     a call is one instruction to its caller: it reads what the callee's entry
    needs, frame of callee [ fp-8 ]             and writes what every path through the callee writes

Complexity: a pass over a function's visited instructions for each finished path that changed something.

Source: kernel/bpf/liveness.c of Linux 6.18.
"""

from __future__ import annotations

from toolchain.verifier.cfg import postorder, successors
from toolchain.verifier.env import Env
from toolchain.verifier.state import State


class _Masks:
    """For one frame of a chain: slot masks of each instruction of the innermost function, by instruction."""

    __slots__ = ("live_before", "may_read", "must_write", "written_after")

    def __init__(self) -> None:
        self.may_read: dict[int, int] = {}
        self.must_write: dict[int, int] = {}
        self.written_after: dict[int, int] = {}
        self.live_before: dict[int, int] = {}


class _Instance:
    """A function as called through one chain of call instructions."""

    __slots__ = ("chain", "has_dropped_writes", "is_changed", "masks", "subprog", "visited")

    def __init__(self, chain: tuple[int, ...], subprog: int) -> None:
        self.chain = chain
        self.subprog = subprog
        self.masks: dict[int, _Masks] = {}
        self.visited: set[int] = set()
        self.is_changed = False
        self.has_dropped_writes = False

    def frame_masks(self, frameno: int) -> _Masks:
        masks = self.masks.get(frameno)
        if masks is None:
            masks = self.masks[frameno] = _Masks()
        return masks

    def note_read(self, frameno: int, insn: int, mask: int) -> None:
        masks = self.frame_masks(frameno)
        before = masks.may_read.get(insn, 0)
        if mask & ~before:
            masks.may_read[insn] = before | mask
            if mask & ~masks.live_before.get(insn, 0):
                self.is_changed = True

    def note_write(self, insn: int, writes: dict[int, int]) -> None:
        is_first = insn not in self.visited
        if is_first:
            self.visited.add(insn)
        elif not self.masks:
            return
        for frameno in range(len(self.chain) + 1):
            mask = writes.get(frameno, 0)
            if is_first and not mask:
                continue
            masks = self.masks.get(frameno)
            if masks is None:
                if not mask or not is_first:
                    continue
                masks = self.frame_masks(frameno)
            old = masks.must_write.get(insn, 0)
            new = mask if is_first else mask & old
            if new != old:
                masks.must_write[insn] = new
                self.is_changed = True
            if old & ~new:
                self.has_dropped_writes = True


class StackLiveness:
    """The marks of a run. ``mark_read`` and ``mark_write`` speak of the instruction being checked."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self._instances: dict[tuple[int, ...], _Instance] = {}
        self._order: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        self._current: _Instance | None = None
        self._insn = 0
        self._writes: dict[int, int] = {}

    def begin(self, insn: int) -> None:
        """An instruction is about to be checked."""
        if self._writes:
            self._writes = {}
        self._insn = insn
        if self._current is None:
            self._current = self._instance_of(self.env.state, len(self.env.state.frames) - 1)

    def commit(self) -> None:
        """It was checked."""
        if self._current is not None:
            self._current.note_write(self._insn, self._writes)

    def frames_changed(self) -> None:
        """A call, an exit or another path: the chain of calls is another one now."""
        self._current = None

    def mark_read(self, frameno: int, mask: int) -> None:
        """The instruction reads those slots."""
        if self._current is not None:
            self._current.note_read(frameno, self._insn, mask)

    def mark_write(self, frameno: int, mask: int) -> None:
        """The instruction overwrites those slots whole."""
        self._writes[frameno] = self._writes.get(frameno, 0) | mask

    def path_ended(self) -> None:
        """A path or a function's activation ended: complete the data flow of its chain, innermost function first."""
        self._current = None
        state = self.env.state
        for depth in range(len(state.frames) - 1, -1, -1):
            instance = self._instance_of(state, depth)
            if instance.is_changed:
                self._complete(instance)
                if instance.chain:
                    self._pass_outwards(instance, self._instance_of(state, depth - 1))

    def is_alive(self, state: State, frameno: int, insn: int) -> int:
        """Mask of the slots of a frame of ``state`` that are still read by some continuation."""
        last = len(state.frames) - 1
        alive = self._live(state, last, frameno, insn)
        for outer in range(frameno, last):
            alive |= self._live(state, outer, frameno, state.frames[outer + 1].callsite + 1)
        return alive

    def _live(self, state: State, depth: int, frameno: int, insn: int) -> int:
        masks = self._instance_of(state, depth).masks.get(frameno)
        return 0 if masks is None else masks.live_before.get(insn, 0)

    def _instance_of(self, state: State, depth: int) -> _Instance:
        chain = tuple(frame.callsite for frame in state.frames[1 : depth + 1])
        instance = self._instances.get(chain)
        if instance is None:
            instance = self._instances[chain] = _Instance(chain, state.frames[depth].subprog)
        return instance

    def _function_order(self, subprog: int) -> list[tuple[int, tuple[int, ...]]]:
        """The instructions of a function with their successors, successors first."""
        if not self._order:
            bounds = [(entry.start, entry.end) for entry in self.env.subprogs]
            for number in range(len(bounds)):
                self._order[number] = []
            starts = [start for start, _ in bounds]
            number = 0
            for index in postorder(self.env):
                while not bounds[number][0] <= index < bounds[number][1]:
                    number = (number + 1) % len(starts)
                targets = successors(self.env.code[index], index)
                if targets:
                    self._order[number].append((index, targets))
        return self._order[subprog]

    def _complete(self, instance: _Instance) -> None:
        order = self._function_order(instance.subprog)
        for masks in instance.masks.values():
            if instance.has_dropped_writes:
                masks.written_after = {}
            live, written = masks.live_before, masks.written_after
            changed = True
            while changed:
                changed = False
                for index, targets in order:
                    if len(targets) == 1:
                        after, writes = live.get(targets[0], 0), written.get(targets[0], 0)
                    else:
                        one, other = targets
                        after = live.get(one, 0) | live.get(other, 0)
                        writes = written.get(one, 0) & written.get(other, 0)
                    must_write = masks.must_write.get(index, 0)
                    before = after & ~must_write | masks.may_read.get(index, 0)
                    writes |= must_write
                    if before != live.get(index, 0) or writes != written.get(index, 0):
                        live[index] = before
                        written[index] = writes
                        changed = True
        instance.is_changed = False
        instance.has_dropped_writes = False

    def _pass_outwards(self, instance: _Instance, outer: _Instance) -> None:
        """Give the caller's call instruction what the callee's entry reads and always writes."""
        callsite = instance.chain[-1]
        entry = self.env.subprogs[instance.subprog].start
        writes: dict[int, int] = {}
        for frameno, masks in instance.masks.items():
            if frameno < len(instance.chain):
                writes[frameno] = masks.written_after.get(entry, 0)
                outer.note_read(frameno, callsite, masks.live_before.get(entry, 0))
        outer.note_write(callsite, writes)
