"""What one verification run works on, and how it says no.

`Env` is the only mutable thing besides the current state. Modules of this folder are functions of it; none keeps
globals.

    Env ── code, maps, subprogs        what is verified
        ── state                       the current path
        ── pending, explored           what is left, what was seen
        ── log                         the kernel-format text

A refusal is raised as `Refusal` by ``env.refuse``; its text is already in the log, so that the log's last line is the
reason.

Source: struct bpf_verifier_env (include/linux/bpf_verifier.h, 6.12 and 6.18).
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Callable
from typing import NoReturn

from toolchain.btf import Btf
from toolchain.errors import Unsupported
from toolchain.isa.program_types import ProgType
from toolchain.verifier.insns import Code
from toolchain.verifier.regtypes import MapView, Reg
from toolchain.verifier.state import Frame, State

INSN_LIMIT = 1_000_000
PENDING_LIMIT = 8192
LOG_LIMIT = 16 << 20
"""Characters kept of a log, at least; older text is dropped beyond twice that."""

LOG_PATH, LOG_STATE, LOG_STATS = 1, 2, 4

ALL_CHANGED = (1 << 64) - 1
"""As a mask of registers or slots that the log has not shown: all of them."""


class Refusal(Exception):
    """The program is refused; the reason is the log's last line."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


class Log:
    """A growing text that can be cut back to an earlier mark.

    Units: a mark counts pieces written since the start; pieces that were dropped for space still count.
    """

    __slots__ = ("_dropped", "_length", "_pieces", "level")

    def __init__(self, level: int) -> None:
        self.level = level
        self._pieces: list[str] = []
        self._dropped = 0
        self._length = 0

    def write(self, text: str) -> None:
        """Append, dropping the oldest half when the text grows beyond twice LOG_LIMIT."""
        self._pieces.append(text)
        self._length += len(text)
        if self._length > 2 * LOG_LIMIT:
            keep = len(self._pieces) // 2
            self._dropped += keep
            del self._pieces[:keep]
            self._length = sum(len(piece) for piece in self._pieces)

    def mark(self) -> int:
        """A place to come back to."""
        return self._dropped + len(self._pieces)

    def cut(self, mark: int) -> None:
        """Forget what was written since ``mark``."""
        keep = max(0, mark - self._dropped)
        self._length -= sum(len(piece) for piece in self._pieces[keep:])
        del self._pieces[keep:]

    def replace_last(self, text: str) -> str:
        """Put ``text`` in place of the last piece, which is returned."""
        last = self._pieces[-1]
        self._pieces[-1] = text
        self._length += len(text) - len(last)
        return last

    def text(self) -> str:
        """All of it."""
        return "".join(self._pieces)


class Subprog:
    """One function of the program: slots ``start`` to ``end - 1``."""

    __slots__ = (
        "changes_packets",
        "end",
        "has_ld_abs",
        "has_tail_call",
        "is_global",
        "name",
        "stack_depth",
        "start",
        "type_id",
    )

    def __init__(self, start: int, end: int, name: str, is_global: bool, type_id: int = 0) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.is_global = is_global
        self.type_id = type_id
        self.changes_packets = False
        self.has_tail_call = False
        self.has_ld_abs = False
        self.stack_depth = 0


class Env:
    """One run. Construction gives a run that has not started; see engine.py."""

    def __init__(
        self,
        name: str,
        prog_type: ProgType,
        attach_type: int,
        code: list[Code],
        maps: tuple[MapView, ...],
        log_level: int,
    ) -> None:
        self.name = name
        self.prog_type = prog_type
        self.attach_type = attach_type
        self.code = code
        self.maps = maps
        self.log = Log(log_level)
        self.is_tracing = bool(log_level & (LOG_PATH | LOG_STATE))
        self.is_strict = False
        self.is_gpl = False
        self.is_sleepable = False
        self.always_checkpoint = False
        self.has_func_info = False
        self.btf: Btf | None = None
        self.called_globals: set[int] = set()
        self.cpu_count = 1
        self.insn_limit = INSN_LIMIT
        self.observer: Callable[[int, State], None] | None = None

        self.subprogs: list[Subprog] = []
        self.subprog_at: dict[int, int] = {}
        self.prune_points = bytearray()
        self.jump_points = bytearray()
        self.live_before: list[int] = []
        self.scc: list[int] = []
        self.pointer_type_at: dict[int, int] = {}
        self.ctx_accesses: dict[int, tuple[int, int, bool]] = {}
        self.reached = bytearray()

        self.state: State = State([])
        self.insn = 0
        self.prev_insn = -1
        self.is_walking = False
        self.history_open = False
        self.pending: list[tuple[State, int, int, int]] = []
        self.explored: dict[int, list[State]] = {}
        self.id_gen = 0

        self.processed = 0
        self.jumps_processed = 0
        self.prev_processed = 0
        self.prev_jumps_processed = 0
        self.total_states = 0
        self.peak_states = 0
        self.explored_count = 0
        self.evicted: list[State] = []
        self.max_states_per_insn = 0

        self.scratched_regs = 0
        self.scratched_slots = 0

    @property
    def frame(self) -> Frame:
        """The frame that is executing."""
        return self.state.frames[-1]

    @property
    def regs(self) -> list[Reg]:
        """The registers of the frame that is executing."""
        return self.state.frames[-1].regs

    def frame_of(self, reg: Reg) -> Frame:
        """The frame that a stack pointer points into."""
        return self.state.frames[reg.raw]

    def new_id(self) -> int:
        """A number never given before in this run."""
        self.id_gen += 1
        return self.id_gen

    def say(self, text: str) -> None:
        """One line of an error message; written at any log level."""
        self.log.write(text + "\n")

    def trace(self, text: str) -> None:
        """Text of the path log."""
        self.log.write(text)

    def refuse(self, text: str, errno: int = _errno.EINVAL) -> NoReturn:
        """End the run: the program is not safe, or cannot be shown to be."""
        self.say(text)
        raise Refusal(errno)

    def deny(self, text: str) -> NoReturn:
        """`refuse` with EACCES."""
        self.refuse(text, _errno.EACCES)

    def unsupported(self, feature: str) -> NoReturn:
        """End the run without a verdict."""
        raise Unsupported(feature)
