"""What programs wrote to the old map after the last copy: merged into the new map, which others write to meanwhile.

An entry was A when it was last copied, and is B now. What became of it in the new map is not known, so

    integers of 4 and 8 bytes   B - A is added to what the new map has: counts of both are kept, none twice
    all else                    B takes the place of A where the new map still has A; else the new map's is newer
    an entry that is new        is added, unless the new map has one of that key: then as from A = 0
    an entry that is gone       goes from the new map too, if it is as it was there

The adding is done by a program (below) that runs where the new map is: its additions are atomic with those of other
programs, which no read and write from outside could be. In per-CPU maps it runs on the CPU whose value it changes.
Where it cannot be loaded, entries are read and written, and what is counted between the two is lost: ``is_exact``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from toolchain.errors import MapError, ToolchainError
from toolchain.isa.codec import encode
from toolchain.isa.insn import Insn, wide
from toolchain.isa.map_types import PERCPU_TYPES, MapType, UpdateFlag
from toolchain.isa.opcodes import CALL, EXIT, LDDW, SRC_REG, Alu, Atomic, Class, Jmp, Mode, PseudoSrc, Size
from toolchain.isa.program_types import ProgType
from toolchain.loader.migrate_copy import MapCopy
from toolchain.loader.migrate_entries import cpu_parts
from toolchain.loader.migrate_plan import Content
from toolchain.loader.migrate_steps import Misfit
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import MapHandle, ProgHandle, Runtime
from toolchain.spec.stages import BoundProgram, LinkedProgram

Words = tuple[tuple[int, int], ...]
"""(offset, size) of words of a value: 4 or 8 bytes, aligned."""

_PAD = 22
"""Bytes before the key in the packet: more than an Ethernet header, and aligned after the kernel's two."""
_DATA, _DATA_END = 76, 80
"""Offsets in struct __sk_buff. Source: include/uapi/linux/bpf.h, Linux 6.12."""
_MAP_LOOKUP = 1
_MAX_PROGRAMS = 64
_MAX_WORDS = 256
_DONE = 42


class LateWrites:
    """Merges the late writes of one map. Owns: its programs; ``close`` lets them go.

    ``merged`` counts entries; ``kept`` those where the new map's own value was left, ``lost`` those that do not fit.
    """

    def __init__(self, copy: MapCopy) -> None:
        assert copy.new is not None
        self._copy, self._new = copy, copy.new
        self._adder = Adder(copy.runtime, copy.new)
        self._keys: set[bytes] | None = None
        self.merged = self.kept = self.lost = 0

    @property
    def is_exact(self) -> bool:
        """Every addition was atomic."""
        return self._adder.is_exact

    def move(self) -> int:
        """Merge what was written since the last copy or move; how many entries had changed. Raises MapError."""
        if self._copy.plan.content is not Content.ENTRIES:
            return 0
        before, self._keys = self._copy.baseline, None
        count = self.merged + self.kept + self.lost
        for key in self._copy.changes(self._merge):
            self._remove(key, before[key])
        return self.merged + self.kept + self.lost - count

    def close(self) -> None:
        """Let go of the programs."""
        self._adder.close()

    def _merge(self, key: bytes, before: bytes | None, value: bytes) -> None:
        try:
            new_key, now = self._copy.convert(key, value)
        except Misfit as error:
            self._lose(key, str(error))
            return
        base = self._base(key, before, len(now))
        try:
            if base is None:
                if self._insert(new_key, now):
                    return
                base = bytes(len(now))
            self._merge_into(new_key, base, now)
        except MapError as error:
            self._lose(key, error.message)

    def _base(self, key: bytes, before: bytes | None, size: int) -> bytes | None:
        """What the new map was given for this entry; None where it was given none."""
        if before is None:
            return None
        try:
            return self._copy.convert(key, before)[1]
        except Misfit:
            return bytes(size)

    def _insert(self, key: bytes, value: bytes) -> bool:
        if self._lookup(key) is not None:
            return False
        try:
            self._new.update(key, value, UpdateFlag.NOEXIST)
        except MapError:
            self._keys = None
            if self._lookup(key) is None:
                raise
            return False
        self.merged += 1
        return True

    def _merge_into(self, key: bytes, base: bytes, now: bytes) -> None:
        current = self._lookup(key)
        if current is None:
            self.kept += 1
            return
        spec, counters = self._copy.plan.new, self._copy.plan.counters
        is_kept = is_merged = False
        rows = zip(cpu_parts(spec, base), cpu_parts(spec, now), cpu_parts(spec, current), strict=True)
        for cpu, (was, will_be, there) in enumerate(rows):
            if was == will_be:
                continue
            deltas, tail, kept = _deltas(was, will_be, there, counters)
            is_kept |= kept
            if deltas or tail:
                is_merged = True
                self._adder.add(key, cpu if spec.map_type in PERCPU_TYPES else -1, deltas, tail)
        self.merged += is_merged
        self.kept += is_kept and not is_merged

    def _remove(self, key: bytes, before: bytes) -> None:
        with contextlib.suppress(Misfit, MapError):
            new_key, base = self._copy.convert(key, before)
            if self._lookup(new_key) == base:
                self._new.delete(new_key)
                self.merged += 1
            else:
                self.kept += 1

    def _lookup(self, key: bytes) -> bytes | None:
        """The value of this very key: in a trie a lookup would answer with a shorter prefix."""
        if self._copy.plan.new.map_type is MapType.LPM_TRIE:
            if self._keys is None:
                self._keys = {each for each, _ in self._new.items()}
            if key not in self._keys:
                return None
        return self._new.lookup(key)

    def _lose(self, key: bytes, why: str) -> None:
        self.lost += 1
        self._copy.misfit(key, f"written after the copy: {why}")


def _deltas(was: bytes, now: bytes, there: bytes, counters: Words) -> tuple[dict[tuple[int, int], int], bytes, bool]:
    """Word -> what to add, the new last bytes where they are no whole word, and whether something is left as it is."""
    found: dict[tuple[int, int], int] = {}
    is_kept = False
    for offset, size, is_counter in _words(len(was), counters):
        part = slice(offset, offset + size)
        if was[part] == now[part]:
            continue
        if not is_counter and there[part] != was[part]:
            is_kept = True
            continue
        delta = int.from_bytes(now[part], sys.byteorder) - int.from_bytes(was[part], sys.byteorder)
        found[offset, size] = delta % (1 << size * 8)
    end = len(was) // 4 * 4
    tail = now[end:] if was[end:] != now[end:] and there[end:] == was[end:] else b""
    return found, tail, is_kept or (was[end:] != now[end:] and not tail)


def _words(size: int, counters: Words) -> Iterator[tuple[int, int, bool]]:
    """The whole words of a value: the counters, and words of 4 bytes where there is none."""
    sizes = dict(counters)
    at = 0
    while at + 4 <= size:
        width = sizes.get(at, 0)
        yield at, width or 4, bool(width)
        at += width or 4


class Adder:
    """Adds to words of elements, atomically where a program can. Owns: its programs."""

    def __init__(self, runtime: Runtime, handle: MapHandle) -> None:
        self._runtime, self._handle = runtime, handle
        self._spec = handle.info().spec
        self._programs: dict[Words, ProgHandle] = {}
        self.is_exact = True

    def add(self, key: bytes, cpu: int, deltas: dict[tuple[int, int], int], tail: bytes = b"") -> None:
        """Add to the element's value on ``cpu`` (-1: there is only one); ``tail`` replaces its last bytes."""
        words = tuple(sorted(deltas))
        program = self._program(words) if words else None
        if program is not None:
            data = bytes(_PAD) + key.ljust(_room(len(key)), b"\0") + b"".join(
                deltas[each].to_bytes(8, "little") if sys.byteorder == "little"
                else deltas[each].to_bytes(each[1], "big").ljust(8, b"\0") for each in words
            )  # fmt: skip
            with _on_cpu(cpu) as is_there:
                if is_there and program.run(data).retval == _DONE:
                    words = ()
        if words or tail:
            self._rewrite(key, max(cpu, 0), {each: deltas[each] for each in words}, tail)

    def close(self) -> None:
        """Let go of the programs."""
        while self._programs:
            self._programs.popitem()[1].close()

    def _rewrite(self, key: bytes, cpu: int, deltas: dict[tuple[int, int], int], tail: bytes) -> None:
        """Read, change, write: not atomic."""
        self.is_exact = False
        value = bytearray(self._handle.lookup(key) or b"")
        if not value:
            return
        start = cpu * _room(self._spec.value_size)
        for (offset, size), delta in deltas.items():
            part = slice(start + offset, start + offset + size)
            total = (int.from_bytes(value[part], sys.byteorder) + delta) % (1 << size * 8)
            value[part] = total.to_bytes(size, sys.byteorder)
        end = start + self._spec.value_size
        value[end - len(tail) : end] = tail
        self._handle.update(key, bytes(value), UpdateFlag.EXIST)

    def _program(self, words: Words) -> ProgHandle | None:
        made = self._programs.get(words)
        if made is None and len(self._programs) < _MAX_PROGRAMS and len(words) <= _MAX_WORDS:
            with contextlib.suppress(ToolchainError):
                made = self._programs[words] = _load(self._runtime, self._handle, self._spec, words)
        return made


@contextlib.contextmanager
def _on_cpu(cpu: int) -> Iterator[bool]:
    """Run on one CPU during the block; whether that is so. -1: any will do."""
    if cpu < 0:
        yield True
        return
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:  # not there now, or not ours to run on
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, allowed)


def _room(size: int) -> int:
    return -(-size // 8) * 8


def _load(runtime: Runtime, handle: MapHandle, spec: MapSpec, words: Words) -> ProgHandle:
    code = adding_code(spec, words)
    linked = LinkedProgram("late_writes", "tc", ProgType.SCHED_CLS, code, (spec,), licence="GPL")
    bound = BoundProgram.unpinned(linked)
    if not runtime.takes_verified:
        return runtime.prog_load(bound, [handle])
    from toolchain.verifier import verify

    return runtime.prog_load(verify(bound), [handle])


def adding_code(spec: MapSpec, words: Words) -> bytes:
    """A classifier that adds to words of the element whose key its packet has.

    Shape of the packet: 22 bytes, the key padded to 8, then 8 bytes for each word. Returns 42 when it is done.
    """
    room = _room(spec.key_size)
    size = _PAD + room + 8 * len(words)
    load = Class.LDX | Mode.MEM
    body = [
        Insn(load | Size.W, 7, 1, _DATA),
        Insn(load | Size.W, 8, 1, _DATA_END),
        _move(2, 7),
        Insn(Class.ALU64 | Alu.ADD, 2, 0, 0, size),
    ]
    found = [
        insn
        for index, (offset, width) in enumerate(words)
        for insn in (
            Insn(load | (Size.DW if width == 8 else Size.W), 1, 7, _PAD + room + 8 * index),
            Insn(Class.STX | Mode.ATOMIC | (Size.DW if width == 8 else Size.W), 0, 1, offset, Atomic.ADD),
        )
    ]
    found += [Insn(Class.ALU64 | Alu.MOV, 0, 0, 0, _DONE), Insn(EXIT)]
    lookup = [
        _move(2, 7),
        Insn(Class.ALU64 | Alu.ADD, 2, 0, 0, _PAD),
        wide(LDDW, 1, PseudoSrc.MAP_IDX, 0),
        Insn(CALL, 0, 0, 0, _MAP_LOOKUP),
        Insn(Class.JMP | Jmp.JEQ, 0, 0, len(found), 0),
    ]
    short = Insn(Class.JMP | Jmp.JGT | SRC_REG, 2, 8, sum(each.slot_count for each in (*lookup, *found)), 0)
    ending = [Insn(Class.ALU64 | Alu.MOV, 0, 0, 0, 0), Insn(EXIT)]
    return encode([*body, short, *lookup, *found, *ending])


def _move(dst: int, src: int) -> Insn:
    return Insn(Class.ALU64 | Alu.MOV | SRC_REG, dst, src)
