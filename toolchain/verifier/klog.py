"""The kernel's log format: registers, states, paths and the closing figures.

    0: R1=ctx() R10=fp0                                    the state a function starts with
    ; r1 = *(u32 *)(r1 + 4) @ prog.c:7                     the source line, when it changes
    0: (61) r1 = *(u32 *)(r1 +4)    ; R1=scalar(...)       the instruction, and what it changed
    from 3 to 5: R0=0 R10=fp0                              another path is taken up
    processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

Tools that read kernel logs work on ours, and the live kernel is a line-by-line oracle. Differences: a wide load of a
map shows 0x0 where the kernel shows an address.

Source: kernel/bpf/log.c (print_verifier_state, print_insn_state, verbose_linfo), Linux 6.12; 6.15 dropped the
liveness marks.
"""

from __future__ import annotations

from toolchain.spec.stages import LineInfo, VerifierStats
from toolchain.verifier.env import LOG_STATS, Env
from toolchain.verifier.insns import print_insn
from toolchain.verifier.regtypes import (
    ADD_CONST,
    BASE_MASK,
    FUNC,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MEM,
    NOT_INIT,
    PACKET,
    PACKET_META,
    SCALAR,
    STACK,
    Reg,
    type_text,
)
from toolchain.verifier.scalar_text import format_ranges, format_scalar, signed_text, unsigned_text
from toolchain.verifier.state import INVALID, SLOT_LETTERS, SPILL, Frame, Slot


def reg_text(reg: Reg, frameno: int, is_precise: bool = False) -> str:
    """A register as the log shows it in a frame."""
    kind = reg.type
    if kind == SCALAR:
        attributes = ""
        if reg.id:
            attributes = f"id={reg.id & ~ADD_CONST}" + (f"{reg.off:+d}" if reg.id & ADD_CONST else "")
        return format_scalar(reg.scalar, attributes, is_precise)
    text = type_text(kind)
    scalar = reg.scalar
    if kind == STACK:
        if reg.raw != frameno:
            text += f"[{reg.raw}]"
        if not scalar.mask:
            return text + signed_text(scalar.signed_value + reg.off)
    parts = []
    base = kind & BASE_MASK
    if reg.id:
        parts.append(f"id={reg.id}")
    if reg.ref_obj_id:
        parts.append(f"ref_obj_id={reg.ref_obj_id}")
    if base in (MAP_PTR, MAP_VALUE, MAP_KEY) and reg.map is not None:
        if reg.map.name:
            parts.append(f"map={reg.map.name}")
        parts.append(f"ks={reg.map.key_size},vs={reg.map.value_size}")
    if reg.off:
        parts.append(f"off={signed_text(reg.off)}")
    if kind in (PACKET, PACKET_META):
        parts.append(f"r={unsigned_text(reg.raw)}")
    if base == MEM:
        parts.append(f"sz={unsigned_text(reg.raw)}")
    if not scalar.mask:
        if scalar.value and base != FUNC:
            parts.append(f"imm={signed_text(scalar.signed_value)}")
    else:
        ranges = format_ranges(scalar)
        if ranges:
            parts.append(ranges)
    return f"{text}({','.join(parts)})"


def _slot_text(slot: Slot, frameno: int, is_precise: bool) -> str:
    letters = "".join(SLOT_LETTERS[kind] for kind in slot.kinds)
    if slot.kinds[7] != SPILL:
        return letters
    return letters[: slot.kinds.index(SPILL)] + reg_text(slot.reg, frameno, is_precise)


def state_text(env: Env, frame: Frame, print_all: bool, refs: tuple[tuple[int, int], ...] = ()) -> str:
    """Registers and slots of a frame, all or those changed since the last print; ends with a line end."""
    parts = [f" frame{frame.frameno}:"] if frame.frameno else []
    for number, reg in enumerate(frame.regs):
        if reg.type == NOT_INIT or not (print_all or env.scratched_regs >> number & 1):
            continue
        parts.append(f" R{number}={reg_text(reg, frame.frameno, bool(frame.precise_regs >> number & 1))}")
    for number in sorted(frame.stack):
        if not (print_all or env.scratched_slots >> number & 1):
            continue
        slot = frame.stack[number]
        if all(kind == INVALID for kind in slot.kinds):
            continue
        is_precise = bool(frame.precise_slots >> number & 1)
        parts.append(f" fp{(-number - 1) * 8}={_slot_text(slot, frame.frameno, is_precise)}")
    if refs:
        parts.append(" refs=" + ",".join(str(ref) for ref, _ in refs))
    if not print_all:
        env.scratched_regs = env.scratched_slots = 0
    return "".join(parts) + "\n"


class PathLog:
    """Writes the path log of a run. Owns what is needed to put a state on its instruction's line."""

    __slots__ = ("_insn_mark", "_insn_width", "_line_at", "_lines", "env")

    def __init__(self, env: Env, lines: tuple[LineInfo, ...]) -> None:
        self.env = env
        self._lines = sorted(lines, key=lambda line: line.slot)
        self._line_at: LineInfo | None = None
        self._insn_mark = -1
        self._insn_width = 0

    def insn(self, index: int) -> None:
        """The instruction about to be checked, with its source line if that changed."""
        env = self.env
        if env.scratched_regs or env.scratched_slots:
            self.changes(index)
        self.source(index, "; ")
        following = env.code[index + 1] if index + 1 < len(env.code) else None
        text = f"{index}: {print_insn(env.code[index], following)}\n"
        env.trace(text)
        self._insn_mark = env.log.mark()
        self._insn_width = len(text)

    def changes(self, index: int) -> None:
        """What changed, on the line of the instruction just printed if nothing else was printed since."""
        env = self.env
        text = state_text(env, env.frame, False, env.state.refs)
        if self._insn_mark == env.log.mark() and env.log.mark():
            last = env.log.replace_last("")
            padding = " " * (_alignment(self._insn_width) - 1)
            env.log.replace_last(f"{last[:-1]}{padding} ;{text}")
        else:
            env.trace(f"{index}:{text}")

    def whole(self, prefix: str, frame: Frame) -> None:
        """A whole frame after ``prefix``."""
        env = self.env
        env.trace(prefix + state_text(env, frame, True, env.state.refs))

    def source(self, index: int, prefix: str) -> None:
        """The source line of an instruction, if it is another than the last one printed."""
        line = self.line(index)
        if line is None or line is self._line_at:
            return
        last, self._line_at = self._line_at, line
        if last is not None and (last.path, last.line) == (line.path, line.line):
            self._line_at = last
            return
        self.env.trace(f"{prefix}{line.text.lstrip()} @ {line.path.rsplit('/', 1)[-1]}:{line.line}\n")

    def line(self, index: int) -> LineInfo | None:
        """The line information that covers a slot."""
        low, high = 0, len(self._lines)
        while low < high:
            middle = (low + high) // 2
            if self._lines[middle].slot <= index:
                low = middle + 1
            else:
                high = middle
        return self._lines[low - 1] if low else None


def _alignment(position: int) -> int:
    """How far the state's column is from ``position``. Source: kernel/bpf/log.c vlog_alignment (columns of 40, then
    8)."""
    target = max(position + 4, 40)
    return (target + 7) // 8 * 8 - position - 1


def write_stats(env: Env, usec: int) -> VerifierStats:
    """The closing lines of a run, and the same as a value."""
    stats = VerifierStats(
        processed=env.processed,
        peak_states=env.peak_states,
        total_states=env.total_states,
        max_states_per_insn=env.max_states_per_insn,
        mark_read=0,
        stack_depth=tuple(subprog.stack_depth for subprog in env.subprogs),
        usec=usec,
    )
    if env.log.level & LOG_STATS:
        env.trace(f"verification time {usec} usec\n")
        env.trace(f"stack depth {'+'.join(str(depth) for depth in stats.stack_depth)}\n")
    env.trace(
        f"processed {env.processed} insns (limit 1000000) max_states_per_insn {stats.max_states_per_insn} "
        f"total_states {stats.total_states} peak_states {stats.peak_states} mark_read 0\n"
    )
    return stats
