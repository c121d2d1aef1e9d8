"""The path to a refusal, read from a log of level 1 or 2: ours or the kernel's.

The log is a walk through a tree. After a comparison the fall-through goes on at once; the other side is kept on a
stack, and "from A to B:" says that it is taken up:

    3: (55) if r1 != 0 goto pc+2       ; R1=0           fall-through of 3, known: R1=0
    4: (b7) r0 = 0 ...
    6: (95) exit
    from 3 to 6: R1=scalar() R10=fp0                    the other side of 3
    6: (95) exit

So the path to the last line is found backwards: each instruction's predecessor is the line before it, but after "from
A to B:" it is the last A that is still open. Complexity: linear in the log; a log cut at its start gives the path from
there.

Source: the formats of kernel/bpf/log.c and verifier.c do_check (Linux 6.1 to 6.18).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

_INSN = re.compile(r"^(\d+): \(([0-9a-f]{2})\) (.*)$")
_STATE = re.compile(r"^(\d+):( .*)$")
_BRANCH = re.compile(r"^from (\d+) to (\d+)(?: \([a-z ]+\))?:(.*)$")
_SOURCE = re.compile(r"^; (.*?)(?: @ (\S+):(\d+))?$")
_ITEM = re.compile(r"(?:^| )(?:frame(\d+):|(R\d+|fp-\d+)(?:_[a-zA-Z]+)?=)")
_NOISE = re.compile(
    r"^(mark_precise:|func#\d|Live regs before|\s+\d+: [.0-9]|caller:|callee:|returning from callee|to caller at|"
    r"propagating |max_states|stack depth|verification time|processed \d|last_idx |parent |regs=|Validating |"
    r"arg#\d+ reference|old state:|cur state:|verifier bug:|REG INVARIANTS|\d+: safe|Global function|Func#|  )"
)
MAX_LINE = 4000
"""Characters of a line that are read: no kernel writes more, and Python converts no number of 4,300 digits."""
_PROCESSED = re.compile(r"^processed (\d+) insns")


class Step(NamedTuple):
    """One instruction on the path, or one side of a comparison.

    ``changes`` maps (frame, register or slot) to the text after it; ``is_taken``: the jump's target was gone to.
    ``source`` is (file, line, text), ('', 0, '') where the log names none.
    """

    slot: int
    text: str
    frame: int
    changes: dict[tuple[int, str], str]
    source: tuple[str, int, str]
    is_taken: bool
    previous: int


class Trail(NamedTuple):
    """What a log says: the path, oldest first; the lines that give the reason; how often each slot was checked."""

    path: tuple[Step, ...]
    reason: tuple[str, ...]
    visits: Counter[int]
    sources: dict[int, tuple[str, int, str]]
    processed: int


def parse_state(text: str, frame: int) -> tuple[int, dict[tuple[int, str], str]]:
    """The registers and slots of a state's text, and the frame that it ends in."""
    found: dict[tuple[int, str], str] = {}
    items = list(_ITEM.finditer(text))
    for index, item in enumerate(items):
        if item[1] is not None:
            frame = int(item[1])
            continue
        end = items[index + 1].start() if index + 1 < len(items) else len(text)
        value = text[item.end() : end].strip()
        found[frame, item[2]] = value.split(" refs=")[0].removesuffix(" cb")
    return frame, found


class _Reader:
    """Collects steps; ``open`` are the comparisons whose other side may still be taken up, oldest first."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.open: list[int] = []
        self.last = -1
        self.frame = 0
        self.source = ("", 0, "")
        self.sources: dict[int, tuple[str, int, str]] = {}
        self.visits: Counter[int] = Counter()
        self.reason: list[str] = []
        self.processed = -1

    def line(self, line: str) -> None:
        if match := _INSN.match(line):
            self.insn(int(match[1]), match[3])
        elif match := _BRANCH.match(line):
            self.branch(int(match[1]), match[3])
        elif (match := _STATE.match(line)) and "=" in match[2]:
            self.state(match[2])
        elif (match := _SOURCE.match(line)) and not line.startswith("; R"):
            self.source = (match[2] or "", int(match[3] or 0), match[1])
        elif match := _PROCESSED.match(line):
            self.processed = int(match[1])
        elif line.startswith(" ") and _ITEM.match(line):
            self.state(line)
        elif line.strip() and not _NOISE.match(line):
            self.reason.append(line)

    def insn(self, slot: int, text: str) -> None:
        text, _, state = text.partition(" ;")
        self.frame, changes = parse_state(state, 0 if "frame" in state else self.frame)
        self.visits[slot] += 1
        self.sources.setdefault(slot, self.source)
        self.steps.append(Step(slot, text.strip(), self.frame, changes, self.source, False, self.last))
        self.last = len(self.steps) - 1
        if text.startswith(("if ", "may_goto", "call")) or "&=" in text or "|=" in text:
            self.open.append(self.last)
        self.reason.clear()

    def state(self, text: str) -> None:
        """A whole state belongs to the step before it: it is what that step left."""
        self.frame, changes = parse_state(text, 0)
        if self.last >= 0:
            self.steps[self.last].changes.update(changes)
        else:
            self.steps.append(Step(-1, "", self.frame, changes, ("", 0, ""), False, -1))
            self.last = 0

    def branch(self, slot: int, text: str) -> None:
        if text.strip() == "safe":
            return
        while self.open and self.steps[self.open[-1]].slot != slot:
            self.open.pop()
        self.frame, changes = parse_state(text, 0)
        if self.open:
            here = self.steps[self.open.pop()]
            self.steps.append(here._replace(frame=self.frame, changes=changes, is_taken=True))
        else:
            self.steps.append(Step(slot, "", self.frame, changes, ("", 0, ""), True, -1))
        self.last = len(self.steps) - 1
        self.source = ("", 0, "")
        self.reason.clear()


def read_trail(log: str) -> Trail:
    """The path to the last instruction of a log, and the lines after it that say why it was refused.

    Any text is accepted; one that is no log gives an empty path and its last lines as the reason.
    """
    reader = _Reader()
    for line in log.splitlines():
        reader.line(line[:MAX_LINE])
    path = []
    index = reader.last
    while index >= 0:
        path.append(reader.steps[index])
        index = reader.steps[index].previous
    return Trail(tuple(reversed(path)), tuple(reader.reason[-4:]), reader.visits, reader.sources, reader.processed)
