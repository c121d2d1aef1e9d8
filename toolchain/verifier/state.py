"""States: what is known at one instruction of one path, and the frames and stack slots it is made of.

A frame is eleven registers and a stack of 8-byte slots, numbered downwards from the frame pointer:

    fp-8  = slot 0        a slot's eight bytes each have a kind; index 0 is the byte next to the frame pointer,
    fp-16 = slot 1        index 7 the one with the lowest address:   fp-8+0 -> kinds[7],  fp-8+7 -> kinds[0]
    ...
    fp-512 = slot 63

A slot with kinds[7] == SPILL holds a stored register (all eight bytes, or for numbers the low ones).

A state that has been stored for pruning (``parent`` of later ones) changes in three ways only: registers and slots that
no continuation reads are dropped, and precision marks are added. Marks are two bit masks a frame, so a register that is
shared between states needs no copy to be marked.

Source: struct bpf_verifier_state, bpf_func_state, bpf_stack_state (include/linux/bpf_verifier.h, 6.12 and 6.18).
"""

from __future__ import annotations

from toolchain.verifier.regtypes import NOT_INIT, SCALAR, STACK, UNINIT, Reg, pointer

INVALID, SPILL, MISC, ZERO_BYTE = 0, 1, 2, 3
"""Kinds of a stack byte: never written, part of a stored register, some data, zero."""

SLOT_LETTERS = "?rm0"
ALL_INVALID = bytes(8)
ALL_SPILL = bytes([SPILL]) * 8
ALL_MISC = bytes([MISC]) * 8
ALL_ZERO = bytes([ZERO_BYTE]) * 8

MAX_STACK = 512
MAX_FRAMES = 8

FP = 10


ANYTHING, NUMBER_SLOT, POINTER_SLOT, MIXED = 0, 1, 2, 3
"""Shapes of a slot: only unwritten bytes and data; a whole stored number; a whole stored pointer; all else."""

_SHAPES: dict[bytes, int] = {}


def _shape_of(kinds: bytes) -> int:
    if kinds == ALL_SPILL:
        shape = NUMBER_SLOT
    else:
        shape = MIXED if kinds.translate(None, bytes([INVALID, MISC])) else ANYTHING
    _SHAPES[kinds] = shape
    return shape


class Slot:
    """An immutable stack slot. ``reg`` is the stored register where kinds[7] == SPILL, else UNINIT."""

    __slots__ = ("kinds", "reg", "shape")

    def __init__(self, kinds: bytes, reg: Reg = UNINIT) -> None:
        self.kinds = kinds
        self.reg = reg
        shape = _SHAPES.get(kinds, -1)
        if shape < 0:
            shape = _shape_of(kinds)
        self.shape = POINTER_SLOT if shape == NUMBER_SLOT and reg.type != SCALAR else shape

    @property
    def is_spilled_scalar(self) -> bool:
        """A number is stored in its low bytes at least."""
        return self.kinds[7] == SPILL and self.reg.type == SCALAR


EMPTY_SLOT = Slot(ALL_INVALID)


class Frame:
    """One activation of a function.

    ``callsite`` is the slot number of the call that made it, -1 for the main program. ``stack`` holds the slots that
    were ever touched, by number; ``stack_slots`` is one more than the highest number the frame has grown to.
    """

    __slots__ = ("callsite", "frameno", "precise_regs", "precise_slots", "regs", "stack", "stack_slots", "subprog")

    def __init__(self, callsite: int, frameno: int, subprog: int) -> None:
        self.regs: list[Reg] = []
        self.stack: dict[int, Slot] = {}
        self.stack_slots = 0
        self.callsite = callsite
        self.frameno = frameno
        self.subprog = subprog
        self.precise_regs = 0
        self.precise_slots = 0

    @classmethod
    def fresh(cls, callsite: int, frameno: int, subprog: int) -> Frame:
        """A frame just entered: nothing is set but the frame pointer."""
        frame = cls(callsite, frameno, subprog)
        frame.regs = [UNINIT] * FP + [pointer(STACK, raw=frameno)]
        return frame

    def copy(self) -> Frame:
        """An independent frame with the same contents; precision marks are not inherited."""
        other = Frame(self.callsite, self.frameno, self.subprog)
        other.regs = self.regs[:]
        other.stack = self.stack.copy()
        other.stack_slots = self.stack_slots
        return other

    def slot(self, number: int) -> Slot:
        """The slot of that number, EMPTY_SLOT where nothing was stored."""
        return self.stack.get(number, EMPTY_SLOT)


Links = tuple[tuple[int, int, bool], ...]
"""Linked registers as (frame, register or slot, is register)."""


class History:
    """An immutable entry of a path's history, with all before it: copies of a state share it.

    ``insn`` was reached from ``prev``; ``flags`` are HIST_*; ``links`` learned together; ``count`` entries end here.
    """

    __slots__ = ("before", "count", "flags", "insn", "links", "prev")

    def __init__(self, insn: int, prev: int, flags: int, links: Links, before: History | None) -> None:
        self.insn = insn
        self.prev = prev
        self.flags = flags
        self.links = links
        self.before = before
        self.count: int = 1 if before is None else before.count + 1


HIST_STACK_ACCESS = 1 << 9
HIST_DST_STACK = 1 << 10
HIST_SRC_STACK = 1 << 11
"""Flags of a history entry; the low bits hold frame (3) and slot (6) of a stack access."""


def stack_access_flags(frameno: int, slot: int) -> int:
    """The history flags of a spill or fill."""
    return HIST_STACK_ACCESS | slot << 3 | frameno


class State:
    """A point of a path.

    ``history`` ends with the last jump or stack access since ``parent``. ``branches`` counts the unexplored
    continuations below a stored state: above zero, its future is not yet proved safe. ``refs`` are (id, instruction) of
    references that must be released. ``equal_state`` is set on the copies kept of loop back edges.
    """

    __slots__ = (
        "branches",
        "equal_state",
        "first_insn",
        "frames",
        "history",
        "hit_count",
        "insn",
        "is_cleaned",
        "is_evicted",
        "last_insn",
        "miss_count",
        "parent",
        "refs",
    )

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = frames
        self.parent: State | None = None
        self.first_insn = 0
        self.last_insn = 0
        self.insn = 0
        self.history: History | None = None
        self.branches = 1
        self.refs: tuple[tuple[int, int], ...] = ()
        self.is_cleaned = False
        self.is_evicted = False
        self.hit_count = 0
        self.miss_count = 0
        self.equal_state: State | None = None

    def copy(self) -> State:
        """An independent copy, its history included; the copy is not cleaned, not evicted and has no counts."""
        other = State([frame.copy() for frame in self.frames])
        other.parent = self.parent
        other.first_insn = self.first_insn
        other.last_insn = self.last_insn
        other.insn = self.insn
        other.history = self.history
        other.branches = self.branches
        other.refs = self.refs
        return other

    @property
    def frame(self) -> Frame:
        """The frame that is executing."""
        return self.frames[-1]

    def frame_insn(self, frameno: int) -> int:
        """Where that frame stands: its own next instruction, or the call it waits for."""
        return self.insn if frameno == len(self.frames) - 1 else self.frames[frameno + 1].callsite


def same_callsites(one: State, other: State) -> bool:
    """Both have the same chain of calls."""
    if len(one.frames) != len(other.frames):
        return False
    return all(a.callsite == b.callsite for a, b in zip(one.frames, other.frames, strict=True))


def stored_registers_of(frame: Frame) -> list[int]:
    """Numbers of the slots that hold a stored register, ascending."""
    return sorted(
        number for number, slot in frame.stack.items() if slot.kinds[7] == SPILL and slot.reg.type != NOT_INIT
    )
