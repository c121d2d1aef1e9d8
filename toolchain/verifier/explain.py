"""Why a program was refused, in at most 25 lines.

    counter: insn 12: reads or writes past the part of the packet that was checked [V-PKT-RANGE]
      invalid access to packet, off=34 size=4, R2(id=0,off=0,r=34)
      counter.c:41: return *(u32 *)(data + 34);
      12: r0 = *(u32 *)(r2 +34)
    needed: bytes 34..37, counted from the packet pointer that R2 was made of
    known:  bytes 0..33 are proven to exist
    how R2 came to be:
       2  counter.c:30  r2 = *(u32 *)(r1 +0)           loaded: R2 = pkt, 0 bytes proven
    try: before this instruction, leave if R2 + 38 is greater than data_end

All of it comes from the log (level 1 or 2; logpath.py) and the table of rules (rules.py), so that a pasted kernel log
gets the same explanation as a verdict of ours, and an accepted program pays nothing. The history walks the path
backwards from the refused instruction, from the guilty register to what it was copied, loaded or computed from.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from toolchain.errors import Rejected, Unsupported
from toolchain.isa.contexts import CONTEXTS
from toolchain.isa.program_types import ProgType
from toolchain.spec.stages import BoundProgram, LineInfo
from toolchain.verifier.logpath import Step, Trail, read_trail
from toolchain.verifier.rules import OTHER, PACKET_STALE, Rule, match_rule
from toolchain.verifier.state import State

MAX_LINES = 25
MAX_EVENTS = 9
WIDTH = 110

_COPY = re.compile(r"^([rw])(\d+) = (?:\(s\d+\))?[rw](\d+)$")
_CHANGE = re.compile(r"^[rw](\d+) (?:[-+*/%&|^]|<<|>>|s>>|s/|s%)= (\S+)$")
_SELF = re.compile(r"^[rw](\d+) = (?:-[rw]|(?:be|le|bswap)\d+ r)\1$")
_LOAD = re.compile(r"^[rw](\d+) = \*\([us]\d+ \*\)\(r(\d+) ([+-]\d+)\)$")
_STORE = re.compile(r"^\*\(u\d+ \*\)\(r(\d+) ([+-]\d+)\) = (.*)$")
_SET = re.compile(r"^[rw](\d+) = ")
_ACCESS = re.compile(r"\(r(\d+) [+-]\d+\)")
_OPERANDS = re.compile(r"^[rw](\d+) [-+]= r(\d+)$")
_SCALING = re.compile(r"^[rw]\d+ (<<|\*|\+)= ([1-9]\d*)$")
_NUMBER = re.compile(r"(-?(?:0x[0-9a-f]+|\d+))")

Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a value's history: what happened to ``register`` (or stack slot), what was known of it afterwards."""

    slot: int
    source: str
    text: str
    effect: str
    register: str
    value: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A refusal, explained. Texts are '' and tuples empty where the log does not tell.

    ``register`` is the guilty one (``R2``); ``cost`` lists (slot, times checked, source) of the most visited slots.
    """

    rule: str
    title: str
    message: str
    program: str
    slot: int
    insn: str
    source: tuple[str, int, int, str]
    needed: str
    known: str
    register: str
    history: tuple[Event, ...]
    edit: str
    cost: tuple[tuple[int, int, str], ...] = ()

    def as_json(self) -> dict[str, object]:
        """The same as plain data; keys are stable."""
        path, line, column, text = self.source
        return {
            "rule": self.rule,
            "title": self.title,
            "message": self.message,
            "program": self.program,
            "insn": self.slot,
            "text": self.insn,
            "source": {"file": path, "line": line, "column": column, "text": text} if path else None,
            "needed": self.needed,
            "known": self.known,
            "register": self.register,
            "history": [
                {
                    "insn": event.slot,
                    "source": event.source,
                    "text": event.text,
                    "effect": event.effect,
                    "register": event.register,
                    "value": event.value,
                }
                for event in self.history
                if event.slot >= 0
            ],
            "suggestion": self.edit,
            "cost": [{"insn": slot, "visits": times, "source": source} for slot, times, source in self.cost],
        }

    def as_text(self, width: int = WIDTH) -> str:
        """The explanation for a terminal. Shape: at most MAX_LINES lines of at most ``width`` columns."""
        at = f": insn {self.slot}" if self.slot >= 0 else ""
        lines = [f"{self.program or 'program'}{at}: {self.title or self.message} [{self.rule}]"]
        if self.title:
            lines += [f"  {line}" for line in self.message.splitlines()]
        path, line_number, column, text = self.source
        if path:
            prefix = f"  {path}:{line_number}: "
            lines.append(prefix + text.strip())
            indent = column - 1 - (len(text) - len(text.lstrip()))
            if column > 0 and 0 <= indent < len(text.strip()):
                lines.append(" " * (len(prefix) + indent) + "^")
        if self.insn:
            lines.append(f"  {self.slot}: {self.insn}")
        if self.needed:
            lines += [f"needed: {self.needed}", f"known:  {self.known}"]
        if self.history:
            lines.append(f"how {self.register} came to be:")
            lines += _columns(self.history)
        if self.cost:
            lines.append("checked most often:")
            lines += [f"  {times:>9} times  {slot:>5}  {source}" for slot, times, source in self.cost]
        if self.edit:
            lines.append(f"try: {self.edit}")
        return "\n".join(_cut(line, width) for line in lines[:MAX_LINES])


def _columns(history: Sequence[Event]) -> list[str]:
    sources = max(len(event.source) for event in history)
    texts = min(40, max(len(event.text) for event in history))
    rows = []
    for event in history:
        result = f"{event.effect}: {event.register} = {brief(event.value)}" if event.value else event.effect
        if event.slot < 0:
            rows.append(f"  ...    {event.text}")
            continue
        rows.append(f"  {event.slot:>5}  {event.source:<{sources}}  {_cut(event.text, 40):<{texts}}  {result}")
    return rows


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 3] + "..."


def explain(refusal: Rejected, bound: BoundProgram) -> Explanation:
    """The explanation of a refusal of ours.

    A program that is too complex is walked once more, a little way, to see where the walk stays.
    """
    program = bound.program
    found = explain_log(refusal.log, program.name, program.line_info, program.prog_type)
    if found.rule != "V-COMPLEX" or found.cost:
        return found
    return replace(found, cost=_hottest(bound))


_SAMPLE = 50_000
"""Instructions walked to find out where a complex program spends them."""


def _hottest(bound: BoundProgram) -> tuple[tuple[int, int, str], ...]:
    from toolchain.verifier.verify import VerifyOptions, verify

    visits: Counter[int] = Counter()

    def count(slot: int, _: State) -> None:
        visits[slot] += 1

    with contextlib.suppress(Rejected, Unsupported):
        verify(bound, VerifyOptions(insn_limit=_SAMPLE, explain_refusal=False, observer=count))
    infos = {info.slot: info for info in bound.program.line_info}
    return tuple((slot, times, _source_name(slot, ("", 0, ""), infos)) for slot, times in visits.most_common(5))


def explain_log(
    log: str, program: str = "", line_info: Sequence[LineInfo] = (), prog_type: ProgType | None = None
) -> Explanation:
    """The explanation of a log, of level 1 or 2, that ends in a refusal.

    ``line_info`` adds source lines to what the log has of them, ``prog_type`` what the context's fields allow.

    Any text is accepted; where it is no log, its last line is the message and the rest is empty.
    """
    trail = read_trail(log)
    message = "\n".join(trail.reason)
    rule, groups = match_rule(message)
    message = _told(rule, trail.reason)
    last = trail.path[-1] if trail.path else None
    slot = _place(groups, last)
    if last is not None and last.slot != slot:
        last = next((step for step in reversed(trail.path) if step.slot == slot), None)
    key = _guilty(rule, groups, last, trail.path)
    value = _value_of(trail.path, key, before_last=True) if key else ""
    fields = _fields(groups, key, value, trail)
    if rule.id == "V-NOT-POINTER" and value.startswith("pkt") and (call := _last_call(trail.path)):
        rule = PACKET_STALE
        fields["forgot"], fields["forgotten_by"] = call.slot, call.text
    if "limit" in fields:
        fields["bound"] = _bound(trail.path, key, int(str(fields["limit"])))
    if rule.id == "V-CTX-ACCESS":
        _add_context(fields, prog_type, int(groups["off"]), last.text if last else "")
    sources = {info.slot: info for info in line_info}
    return Explanation(
        rule=rule.id,
        title=rule.title.format_map(fields),
        message=message,
        program=program,
        slot=slot,
        insn=last.text if last else "",
        source=_source(slot, last, sources),
        needed=rule.needed.format_map(fields),
        known=rule.known.format_map(fields),
        register=key[1] if key else "",
        history=_history(trail.path, key, sources) if key else (),
        edit=rule.edit.format_map(fields),
        cost=_cost(trail, sources) if rule.id == "V-COMPLEX" else (),
    )


def _told(rule: Rule, reason: tuple[str, ...]) -> str:
    """The lines of the reason that the rule speaks of: the last one, with the one before it where it needs both."""
    if rule is OTHER or not reason:
        return reason[-1] if reason else ""
    only = match_rule(reason[-1])[0]
    return reason[-1] if only is rule or len(reason) == 1 else "\n".join(reason[-2:])


def _last_call(path: Sequence[Step]) -> Step | None:
    return next((step for step in reversed(path[:-1]) if step.text.startswith("call")), None)


def _place(groups: dict[str, str], last: Step | None) -> int:
    """The slot that the message names, else the last one on the path."""
    if "at" in groups:
        return int(groups["at"])
    return last.slot if last is not None else -1


def _guilty(rule: Rule, groups: dict[str, str], last: Step | None, path: Sequence[Step]) -> Key | None:
    frame = last.frame if last else 0
    if rule.guilty == "r" and "r" in groups:
        return frame, f"R{groups['r']}"
    if last is None:
        return None
    if rule.guilty == "base":
        found = _ACCESS.search(last.text)
        return (frame, f"R{found[1]}") if found else None
    if rule.guilty == "dst":
        found = _SET.match(last.text) or _CHANGE.match(last.text)
        return (frame, f"R{found[1]}") if found else None
    if rule.guilty == "scalar" and (found := _OPERANDS.match(last.text)):
        for number in (found[2], found[1]):
            key = (frame, f"R{number}")
            text = _value_of(path, key, before_last=True).lstrip("P")
            if text.startswith(("scalar", "-")) or text[:1].isdigit():
                return key
    return None


def _value_of(path: Sequence[Step], key: Key, before_last: bool = False) -> str:
    for step in reversed(path[:-1] if before_last else path):
        if key in step.changes:
            return step.changes[key]
    return ""


class _Fields(dict[str, object]):
    """Template fields; one that could not be computed reads as 'unknown'."""

    def __missing__(self, name: str) -> str:
        return "unknown"


def _fields(groups: dict[str, str], key: Key | None, value: str, trail: Trail) -> _Fields:
    """Everything that a template of rules.py may name."""
    fields = _Fields(groups)
    if "r" in groups:
        fields["r"] = f"R{groups['r']}"
    if key is not None:
        fields["r"] = key[1]
    if value:
        fields["value"] = brief(value)
    least, most = value_range(value)
    if least is not None:
        fields["least"] = least
    if most is not None:
        fields["most"] = most
    if "size" in groups and "off" in groups:
        _add_bytes(fields, int(groups["off"]), int(groups["size"]), most)
        fixed = re.search(r"\boff=(-?(?:0x[0-9a-f]+|\d+))", value)
        fields["reach"] = int(groups["off"]) + int(groups["size"]) - (int(fixed[1], 0) if fixed else 0)
    if "have" in groups:
        fields["have_last"] = int(groups["have"]) - 1
    if "range" in groups:
        proven = int(groups["range"])
        fields["proven"] = f"bytes 0..{proven - 1} are proven to exist" if proven > 0 else "no byte is proven to exist"
    taken = next((step for step in trail.path if step.slot == int(groups.get("alloc", -1))), None)
    fields["held"] = f"taken at insn {taken.slot}: {taken.text}" if taken else "it is still held here"
    fields["index"] = fields.get("r", "the index")
    if key is not None and (added := _last_addend(trail.path, key)):
        fields["index"] = added[1]
    checked = trail.processed if trail.processed >= 0 else sum(trail.visits.values())
    fields["cost"] = f"{checked:,} checked"
    return fields


def _bound(path: Sequence[Step], key: Key | None, limit: int) -> str:
    """The comparison that keeps what is added to ``key`` at most ``limit``: the one that is there mended, or a new one.

    From the addition back to the comparison the number may have been shifted, multiplied or moved; so is the limit.
    """
    index = _last_addend(path, key) if key is not None else None
    name = index[1] if index is not None else "the index"
    advice = f"bound {name} before it is added: leave if {name} is greater than {limit} (unsigned)"
    if index is None:
        return advice
    for at in range(len(path) - 2, -1, -1):
        step = path[at]
        effect, before = _effect(path, at, index)
        if effect == "narrowed":
            most = value_range(step.changes[index])[1]
            if most is None or limit < 0 or most <= limit:
                return advice
            return f"the check at insn {step.slot} lets {index[1]} be up to {most}; let it be up to {limit}"
        if effect == "changed" and (found := _SCALING.match(step.text)):
            amount = int(found[2], 0)
            limit = limit >> amount if found[1] == "<<" else limit // amount if found[1] == "*" else limit - amount
        elif effect == "changed":
            return advice
        if before is None:
            return advice
        index = before
    return advice


def _add_context(fields: _Fields, prog_type: ProgType | None, off: int, insn: str) -> None:
    """What the context's table says of the byte that was touched."""
    fields["touched"] = f"bytes {fields['first']}..{fields['last']} of the context are none"
    fields["field_edit"] = "use the field's own offset and width"
    context = CONTEXTS.get(prog_type) if prog_type is not None else None
    if context is None or prog_type is None:
        return
    kind = f"programs of type {prog_type.label}"
    field = next((field for field in context.fields if field.offset <= off < field.end), None)
    if field is None:
        others = (other for each in CONTEXTS.values() if each.struct == context.struct for other in each.fields)
        name = next((f"{other.name}, " for other in others if other.offset <= off < other.end), "")
        fields["touched"] = f"byte {off} of struct {context.struct} is {name}closed to {kind}"
        fields["field_edit"] = "use another field or a helper, or another program type"
        return
    is_write = insn.startswith(("*(", "lock", "store_release"))
    widths = field.write.first if is_write else field.read.first
    verb = "written" if is_write else "read"
    taken = ", ".join(map(str, sorted(widths)))
    span = f"{field.name} (bytes {field.offset}..{field.end - 1})"
    if not widths:
        fields["touched"] = f"{span} of struct {context.struct} cannot be {verb} by {kind}"
        open_ = [each.name for each in context.fields if (each.write if is_write else each.read).first]
        fields["field_edit"] = f"these can be {verb}: {', '.join(open_) or 'none'}"
        return
    fields["touched"] = f"{span} of struct {context.struct} is {verb} {taken} bytes at a time"
    fields["field_edit"] = f"access {field.name} at {field.offset} with a width of {taken} bytes"


def _last_addend(path: Sequence[Step], key: Key) -> Key | None:
    """The register that was added last to a pointer in ``key``, with copies of the pointer followed."""
    for index in range(len(path) - 2, -1, -1):
        if addend := _addend(path[index], key):
            return addend
        _, before = _effect(path, index, key)
        if before is None:
            return None
        key = before
    return None


def _add_bytes(fields: _Fields, off: int, size: int, most: int | None) -> None:
    fields["first"], fields["last"], fields["end"] = off, off + size - 1, off + size
    if "have" in fields:
        have = int(str(fields["have"]))
        fields["limit"] = max(have - size, 0)
        if most is not None and off >= most:
            fields["limit"] = max(have - size - (off - most), 0)


def brief(text: str) -> str:
    """A register's text in fewer words.

    ``scalar(smin=0,smax=umax=255,...)`` -> ``0..255``, ``pkt(off=14,r=34)`` -> ``pkt+14, 34 bytes proven``.
    """
    text = text.removeprefix("P")
    name, _, inside = text.partition("(")
    if not inside:
        return text
    least, most = value_range(text)
    low = "" if least in (None, -(1 << 63)) else str(least)
    span = f"{low}..{'' if most is None else most}" if low or most is not None else ""
    if name == "scalar":
        return "any number" if span in ("", "0..18446744073709551615") else span
    numbers = dict(re.findall(r"\b(off|imm|r|vs)=(-?(?:0x[0-9a-f]+|\d+))", inside))
    place = name + "".join(f"{int(numbers[key], 0):+d}" for key in ("off", "imm") if key in numbers)
    if span:
        place += f" + {span}"
    elif "var_off" in inside:
        place += " + any number"
    if "vs" in numbers:
        place += f", value of {numbers['vs']} bytes"
    if "r" in numbers:
        place += f", {numbers['r']} bytes proven"
    return place


def value_range(text: str) -> tuple[int | None, int | None]:
    """The least and the greatest number that a register's text allows; None where it says nothing.

    Unsigned ends where the text has an upper one, signed ones else.
    """
    text = text.lstrip("P")
    if _NUMBER.fullmatch(text):
        return int(text, 0), int(text, 0)
    ends: dict[str, int] = {}
    for part in re.findall(r"((?:[su](?:min|max)(?:32)?=)+)(-?(?:0x[0-9a-f]+|\d+))", text):
        for name in part[0].rstrip("=").split("="):
            ends[name] = int(part[1], 0)
    if "umax" in ends:
        return ends.get("umin", 0), ends["umax"]
    smin, smax = ends.get("smin"), ends.get("smax")
    if smin is not None and smin >= 1 << 63:
        smin -= 1 << 64
    return (smin if smin is not None else -(1 << 63) if "scalar" in text else None), smax


def _source(slot: int, step: Step | None, infos: dict[int, LineInfo]) -> tuple[str, int, int, str]:
    info = _info_at(slot, infos)
    if info is not None:
        return info.path, info.line, info.column, info.text
    if step is not None and step.source[0]:
        return step.source[0], step.source[1], 0, step.source[2]
    return "", 0, 0, ""


def _info_at(slot: int, infos: dict[int, LineInfo]) -> LineInfo | None:
    before = [at for at in infos if at <= slot]
    return infos[max(before)] if before else None


def _source_name(slot: int, source: tuple[str, int, str], infos: dict[int, LineInfo]) -> str:
    info = _info_at(slot, infos)
    path, line = (info.path, info.line) if info else source[:2]
    return f"{path.rsplit('/', 1)[-1]}:{line}" if path else ""


def _cost(trail: Trail, infos: dict[int, LineInfo]) -> tuple[tuple[int, int, str], ...]:
    return tuple(
        (slot, times, _source_name(slot, trail.sources.get(slot, ("", 0, "")), infos))
        for slot, times in trail.visits.most_common(5)
    )


def _history(path: Sequence[Step], key: Key, infos: dict[int, LineInfo]) -> tuple[Event, ...]:
    """What made the value of ``key`` before the last step, oldest first; numbers added to it are followed as well."""
    events: list[tuple[Key, Event]] = []
    wanted = {key}
    for index in range(len(path) - 2, -1, -1):
        if not wanted:
            break
        step = path[index]
        for each in sorted(wanted):
            effect, before = _effect(path, index, each)
            if not effect and before == each:
                continue
            name = _source_name(step.slot, step.source, infos)
            value = step.changes.get(each, "")
            events.append((each, Event(step.slot, name, _step_text(step), effect, each[1], value)))
            wanted.discard(each)
            if before is not None:
                wanted.add(before)
            addend = _addend(step, each)
            if addend is not None and value and not _NUMBER.fullmatch(value.removeprefix("fp")):
                wanted.add(addend)
    events.reverse()
    seen: dict[Key, str] = {}
    kept = []
    for each, event in events:
        if event.effect != "narrowed" or seen.get(each, "") != event.value:
            kept.append(event)
        if event.value:
            seen[each] = event.value
    if len(kept) > MAX_EVENTS:
        left_out = len(kept) - MAX_EVENTS + 1
        kept = [*kept[:2], Event(-1, "", f"{left_out} more", "", "", ""), *kept[-(MAX_EVENTS - 3) :]]
    return tuple(kept)


def _addend(step: Step, key: Key) -> Key | None:
    """The register that a step adds to (or takes from) ``key``."""
    found = _OPERANDS.match(step.text)
    return (key[0], f"R{found[2]}") if found and key == (step.frame, f"R{found[1]}") else None


def _step_text(step: Step) -> str:
    if not step.text.startswith("if "):
        return step.text
    return f"{step.text.split(' goto')[0]} ({'yes' if step.is_taken else 'no'})"


def _effect(path: Sequence[Step], index: int, key: Key) -> tuple[str, Key | None]:
    """What a step did to ``key``: ('' for nothing, where to look before it; None where the value begins here)."""
    step = path[index]
    frame, name = key
    text = step.text
    if step.slot < 0:
        return "", key
    if text.startswith("call"):
        return _call_effect(step, key)
    if frame != step.frame:
        return "", key
    if not name.startswith("R"):
        return _store_effect(path, index, key)
    number = name[1:]
    if (found := _COPY.match(text)) and found[2] == number:
        return f"copied from R{found[3]}", (frame, f"R{found[3]}")
    if (found := _CHANGE.match(text) or _SELF.match(text)) and found[1] == number:
        return "changed", key
    if (found := _LOAD.match(text)) and found[1] == number:
        slot = _stack_slot(path, index, frame, found[2], int(found[3]))
        return ("loaded back", slot) if slot else ("loaded", None)
    if (found := _SET.match(text)) and found[1] == number:
        return "set", None
    if text.startswith("if ") and key in step.changes:
        return "narrowed", key
    return "", key


def _call_effect(step: Step, key: Key) -> tuple[str, Key | None]:
    frame, name = key
    if step.text.startswith("call pc"):
        if frame > step.frame or step.changes.keys() & {(frame, name)}:
            return "passed", (frame - 1, name) if frame and name in _ARGUMENTS else None
        return "", key
    if name == "R0":
        return "returned", None
    return ("cleared by the call", None) if name in _ARGUMENTS else ("", key)


_ARGUMENTS = frozenset({"R1", "R2", "R3", "R4", "R5"})


def _store_effect(path: Sequence[Step], index: int, key: Key) -> tuple[str, Key | None]:
    found = _STORE.match(path[index].text)
    if not found or _stack_slot(path, index, key[0], found[1], int(found[2])) != key:
        return "", key
    source = re.fullmatch(r"r(\d+)", found[3])
    return ("saved", (key[0], f"R{source[1]}")) if source else ("saved", None)


def _stack_slot(path: Sequence[Step], index: int, frame: int, base: str, off: int) -> Key | None:
    """The 8-byte slot at ``base + off`` if base is a known place in the frame."""
    pointer = "fp0" if base == "10" else _value_of(path[:index], (frame, f"R{base}"))
    found = re.fullmatch(r"fp(-?\d+)", pointer)
    if not found:
        return None
    return frame, f"fp{(int(found[1]) + off) // 8 * 8}"
