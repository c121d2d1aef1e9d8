"""Containment: what runs lies within what the verifier said.

Checks of a program that the verifier accepts:

- `check_run`: on random inputs it never leaves an object, never reaches an instruction that the verifier never reached,
  and ends;
- `observe`: with pruning off it is accepted as well;
- `check_states`: with pruning off, before each executed instruction all registers and stack slots lie within one of the
  states that the verifier had there. (With pruning on this holds for numbers that mattered only.)
"""

from __future__ import annotations

import random
from unittest.mock import patch

from tests.fuzz.programs import MAPS, generate
from tests.property.machine import Activation, Fault, Machine, NotModelled
from toolchain.errors import Rejected, Unsupported
from toolchain.isa.codec import encode
from toolchain.spec.stages import BoundProgram, LinkedProgram, VerifiedProgram
from toolchain.verifier import VerifyOptions, verify
from toolchain.verifier import regtypes as types
from toolchain.verifier.prune import Pruner
from toolchain.verifier.regtypes import Reg
from toolchain.verifier.regtypes import number as number_of
from toolchain.verifier.state import SPILL, ZERO_BYTE, Frame, State
from toolchain.verifier.width import truncate_to_size

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1
SAVED = range(6, 10)
Observed = dict[int, list[list[Frame]]]


def program_of(seed: int) -> LinkedProgram:
    """The random program of a seed."""
    generated = generate(seed)
    return LinkedProgram(f"seed {seed}", "fuzz", generated.prog_type, encode(generated.insns), MAPS, licence="GPL")


def accepted(program: LinkedProgram, limit: int = 20_000) -> VerifiedProgram | None:
    """The verified program, None where the verifier refuses it or needs more than ``limit`` instructions."""
    try:
        return verify(BoundProgram.unpinned(program), VerifyOptions(insn_limit=limit, explain_refusal=False))
    except (Rejected, Unsupported):
        return None


def observe(program: LinkedProgram, limit: int = 3_000) -> Observed | None:
    """The states that the verifier has before each slot when it prunes nothing; None where that is too many.

    Raises AssertionError where it then refuses the program: an accepted one would have been accepted by pruning alone.
    """
    seen: Observed = {}

    def note(slot: int, state: State) -> None:
        seen.setdefault(slot, []).append([frame.copy() for frame in state.frames])

    options = VerifyOptions(insn_limit=limit, explain_refusal=False, observer=note)
    with patch.object(Pruner, "is_visited", lambda self: False):
        try:
            verify(BoundProgram.unpinned(program), options)
        except Rejected as error:
            if error.message.startswith(("BPF program is too large", "The sequence of")):
                return None
            raise AssertionError(f"refused without pruning: {error.message}") from error
    return seen


def check_run(verified: VerifiedProgram, rng: random.Random, runs: int = 4) -> None:
    """Run a verified program. Raises Fault or AssertionError with the reason, NotModelled."""

    def watch(machine: Machine) -> None:
        assert machine.pc not in verified.dead_slots, f"insn {machine.pc} runs, but the verifier never reached it"

    for _ in range(runs):
        Machine(verified.program, rng, watch).run()


def check_states(program: LinkedProgram, seen: Observed, rng: random.Random, runs: int = 3) -> int:
    """Run a program beside the states in ``seen``; the number of instructions checked. Raises AssertionError."""
    checked = 0

    def watch(machine: Machine) -> None:
        nonlocal checked
        checked += 1
        reasons = []
        for frames in seen.get(machine.pc, ()):
            reason = misfit(machine, frames)
            if not reason:
                return
            reasons.append(reason)
        shown = "; ".join(sorted(set(reasons))[:8])
        raise AssertionError(f"insn {machine.pc}: in none of {len(reasons)} states: {shown}")

    for _ in range(runs):
        Machine(program, rng, watch).run()
    return checked


def misfit(machine: Machine, frames: list[Frame]) -> str:
    """Why the machine is not in this state; '' where it is."""
    if len(frames) != len(machine.frames):
        return f"{len(machine.frames)} frames, not {len(frames)}"
    links: dict[int, int] = {}
    for depth, frame in enumerate(frames):
        is_current = depth == len(frames) - 1
        regs = machine.regs if is_current else [0] * 6 + machine.frames[depth + 1].saved
        for number in range(10) if is_current else SAVED:
            reason = _reg_misfit(machine, frame.regs[number], regs[number], links)
            if reason:
                return f"r{number} of frame {depth} {reason}"
        reason = _stack_misfit(machine, machine.frames[depth], frame, links)
        if reason:
            return reason
    return ""


def _stack_misfit(machine: Machine, activation: Activation, frame: Frame, links: dict[int, int]) -> str:
    for number, slot in frame.stack.items():
        start = 512 - (number + 1) * 8
        held = bytes(activation.stack.data[start : start + 8])
        for at in range(8):
            if slot.kinds[7 - at] == ZERO_BYTE and held[at]:
                return f"byte {at} of fp{-(number + 1) * 8} is {held[at]}, not 0"
        if slot.kinds[7] != SPILL:
            continue
        size = sum(kind == SPILL for kind in slot.kinds)
        value = int.from_bytes(held[:size], "little")
        reg = slot.reg
        if size < 8:
            reg = number_of(truncate_to_size(reg.scalar, size))
        reason = _reg_misfit(machine, reg, value, links)
        if reason:
            return f"fp{-(number + 1) * 8} {reason}"
    return ""


def _reg_misfit(machine: Machine, reg: Reg, value: int, links: dict[int, int]) -> str:
    kind, base = reg.type, reg.type & types.BASE_MASK
    if kind == types.NOT_INIT:
        return ""
    if kind == types.SCALAR:
        if not reg.scalar.contains(value):
            return f"is 0x{value:x}, not in {reg.scalar}"
        if reg.id:
            delta = reg.off if reg.id & types.ADD_CONST else 0
            base = value - delta & (M32 if reg.id & types.ADD_CONST32 else M64)
            linked = links.setdefault(reg.id & ~types.ADD_CONST, base)
            if linked != base:
                return f"is 0x{value:x}, not linked value 0x{linked:x} {delta:+d}"
        return ""
    if kind & types.MAYBE_NULL and not value:
        return ""
    if base == types.STACK:
        return _offset_misfit(reg, value, machine.frames[reg.raw].top)
    if base == types.CTX:
        return _offset_misfit(reg, value, machine.ctx.base)
    if base == types.PACKET_END:
        return "" if value == machine.packet.base + len(machine.packet.data) else "is not the packet's end"
    if base == types.PACKET:
        proven = value - reg.off + max(reg.raw, 0) - machine.packet.base
        if reg.raw > 0 and signed_gap(proven) > len(machine.packet.data):
            return f"{reg.raw} bytes proven of {len(machine.packet.data)}"
        return _offset_misfit(reg, value, machine.packet.base)
    if base == types.MEM:
        found = machine.object_at(value)
        return _offset_misfit(reg, value, found.base) if found is not None else "is nowhere"
    if base == types.MAP_VALUE and reg.map is not None:
        found = machine.object_at(value)
        if found is None or found.kind != "value" or found.owner != reg.map.index:
            return "is no value of its map"
        return _offset_misfit(reg, value, found.base)
    return ""


def signed_gap(number: int) -> int:
    """A difference of addresses as a signed number."""
    number &= M64
    return number - (1 << 64) if number >> 63 else number


def _offset_misfit(reg: Reg, value: int, base: int) -> str:
    offset = value - base - reg.off & M64
    return "" if reg.scalar.contains(offset) else f"is {signed_gap(offset)} from its base, not {reg.scalar}"


__all__ = ["Fault", "NotModelled", "accepted", "check_run", "check_states", "observe", "program_of"]
