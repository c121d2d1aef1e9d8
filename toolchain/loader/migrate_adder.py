"""Adding to words of a map's elements from outside, atomically with what programs add: by a program of our own.

    packet   22 bytes | key, padded | delta | delta | .. | key and value of the old map, each padded
    program  value = lookup(key)      value[word] += delta, atomically, for each word
             base[old key] = old value        in the journal, which so says what was added: migrate_journal.py

A read and a write by bpf(2) would lose what a program counts between the two. In a per-CPU map the program runs on the
CPU whose value it changes; a kernel keeps its packet programs from interrupting it there. One program is made for each
set of words that change together. Where none can be loaded or run, elements are read and written: ``is_exact``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from toolchain.errors import MapError, ToolchainError
from toolchain.isa.codec import encode
from toolchain.isa.insn import Insn, wide
from toolchain.isa.map_types import UpdateFlag
from toolchain.isa.opcodes import CALL, EXIT, LDDW, SRC_REG, Alu, Atomic, Class, Jmp, Mode, PseudoSrc, Size
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import MapHandle, ProgHandle, Runtime
from toolchain.spec.stages import BoundProgram, LinkedProgram

Words = tuple[tuple[int, int], ...]
"""(offset, size) of words of a value: 4 or 8 bytes, aligned."""

_PAD = 22
"""Bytes before the key in the packet: more than an Ethernet header, and aligned after the kernel's two."""
_DATA, _DATA_END = 76, 80
"""Offsets in struct __sk_buff. Source: include/uapi/linux/bpf.h, Linux 6.12."""
_MAP_LOOKUP, _MAP_UPDATE = 1, 2
_MAX_PROGRAMS = 64
_MAX_WORDS = 256
_MAX_PACKET = 3072
"""Bytes that every kernel's test run takes in one piece."""
_DONE = 42
_LOAD = Class.LDX | Mode.MEM
_SET = Class.ALU64 | Alu.MOV


class Addition(NamedTuple):
    """What is added to one element's value on one CPU; ``tail`` takes the place of its last bytes.

    ``seen``: key and value of the old map that this is the addition of.
    """

    key: bytes
    deltas: dict[tuple[int, int], int]
    tail: bytes = b""
    seen: tuple[bytes, bytes] = (b"", b"")


class Adder:
    """Adds to words of elements, atomically where a program can. Owns: its programs.

    ``base``: where the same run notes what was ``seen``, if it fits in a packet.
    """

    def __init__(self, runtime: Runtime, handle: MapHandle, base: MapHandle | None = None) -> None:
        self._runtime, self._handles = runtime, (handle,) if base is None else (handle, base)
        self._specs = tuple(each.info().spec for each in self._handles)
        self._programs: dict[tuple[Words, bool], ProgHandle | None] = {}
        self._waiting: dict[int, list[Addition]] = {}
        self.is_exact = True

    def add(self, cpu: int, addition: Addition) -> None:
        """Note what is to be added on ``cpu`` (-1: there is only one value)."""
        self._waiting.setdefault(cpu, []).append(addition)

    def flush(self) -> None:
        """Do all that is noted, CPU by CPU. Raises MapError for the first that failed, after all of them."""
        waiting, self._waiting = self._waiting, {}
        failed: list[MapError] = []
        for cpu, additions in waiting.items():
            with _on_cpu(cpu) as is_there:
                left = [self._run(each) if is_there else each for each in additions]
            for each in left:
                try:
                    self._rewrite(each, max(cpu, 0))
                except MapError as error:
                    failed.append(error)
        if failed:
            raise failed[0]

    def close(self) -> None:
        """Let go of the programs."""
        while self._programs:
            program = self._programs.popitem()[1]
            if program is not None:
                program.close()

    def _run(self, addition: Addition) -> Addition:
        """Let a program do it; what is left."""
        words = tuple(sorted(addition.deltas))
        data = bytes(_PAD) + _padded(addition.key)
        data += b"".join(_word(addition.deltas[each], each[1]) for each in words)
        seen = b"".join(map(_padded, addition.seen))
        notes = len(self._specs) > 1 and len(data) + len(seen) <= _MAX_PACKET
        program = self._program(words, notes)
        if program is None:
            return addition
        data += seen if notes else b""
        with contextlib.suppress(ToolchainError):
            if program.run(data).retval == _DONE:
                return addition._replace(deltas={})
        return addition

    def _rewrite(self, addition: Addition, cpu: int) -> None:
        """Read, change, write what is left: not atomic."""
        key, deltas, tail, _ = addition
        if not deltas and not tail:
            return
        self.is_exact = False
        value = bytearray(self._handles[0].lookup(key) or b"")
        if not value:
            return
        start = cpu * _room(self._specs[0].value_size)
        for (offset, size), delta in deltas.items():
            part = slice(start + offset, start + offset + size)
            total = (int.from_bytes(value[part], sys.byteorder) + delta) % (1 << size * 8)
            value[part] = total.to_bytes(size, sys.byteorder)
        end = start + self._specs[0].value_size
        value[end - len(tail) : end] = tail
        self._handles[0].update(key, bytes(value), UpdateFlag.EXIST)

    def _program(self, words: Words, notes: bool) -> ProgHandle | None:
        which = words, notes
        if which not in self._programs and len(self._programs) < _MAX_PROGRAMS and 0 < len(words) <= _MAX_WORDS:
            self._programs[which] = None
            count = 2 if notes else 1
            with contextlib.suppress(ToolchainError):
                self._programs[which] = _load(self._runtime, self._handles[:count], self._specs[:count], words)
        return self._programs.get(which)


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


def _word(delta: int, size: int) -> bytes:
    """A delta in the packet: 8 bytes, of which a word of 4 is the first half."""
    return delta.to_bytes(size, sys.byteorder).ljust(8, b"\0")


def _room(size: int) -> int:
    return -(-size // 8) * 8


def _padded(data: bytes) -> bytes:
    return data.ljust(_room(len(data)), b"\0")


def _load(runtime: Runtime, handles: Sequence[MapHandle], specs: Sequence[MapSpec], words: Words) -> ProgHandle:
    code = adding_code(specs, words)
    linked = LinkedProgram("late_writes", "tc", ProgType.SCHED_CLS, code, tuple(specs), licence="GPL")
    bound = BoundProgram.unpinned(linked)
    if not runtime.takes_verified:
        return runtime.prog_load(bound, handles)
    from toolchain.verifier import verify

    return runtime.prog_load(verify(bound), handles)


def adding_code(specs: Sequence[MapSpec], words: Words) -> bytes:
    """A classifier that adds to words of the element whose key its packet has.

    ``specs`` are those of the map, and of the one that takes what follows in the packet, if there is one.
    Shape: 22 bytes, the key padded to 8, 8 bytes for each word, then a key and a value, each padded to 8. Returns 42
    when it is done, 0 where the packet is shorter, or there is no such element.
    """
    deltas = _PAD + _room(specs[0].key_size)
    old_key = deltas + 8 * len(words)
    old_value = end = old_key
    note: list[Insn] = []
    for spec in specs[1:]:
        old_value = old_key + _room(spec.key_size)
        end = old_value + _room(spec.value_size)
        note += [*_address(2, old_key), *_address(3, old_value), Insn(_SET, 4, 0, 0, UpdateFlag.ANY)]
        note += [wide(LDDW, 1, PseudoSrc.MAP_IDX, 1), Insn(CALL, 0, 0, 0, _MAP_UPDATE)]
    begin = [Insn(_LOAD | Size.W, 7, 1, _DATA), Insn(_LOAD | Size.W, 8, 1, _DATA_END), *_address(2, end)]
    lookup = [*_address(2, _PAD), wide(LDDW, 1, PseudoSrc.MAP_IDX, 0), Insn(CALL, 0, 0, 0, _MAP_LOOKUP)]
    add = [insn for at, word in enumerate(words) for insn in _add(deltas + 8 * at, *word)]
    done = [Insn(_SET, 0, 0, 0, _DONE), Insn(EXIT)]
    nothing = [Insn(_SET, 0, 0, 0, 0), Insn(EXIT)]
    is_absent = Insn(Class.JMP | Jmp.JEQ, 0, 0, _slots(add, note, done), 0)
    is_short = Insn(Class.JMP | Jmp.JGT | SRC_REG, 2, 8, _slots(lookup, [is_absent], add, note, done), 0)
    return encode([*begin, is_short, *lookup, is_absent, *add, *note, *done, *nothing])


def _address(register: int, offset: int) -> tuple[Insn, Insn]:
    """``register`` = the packet's byte ``offset``."""
    return Insn(_SET | SRC_REG, register, 7), Insn(Class.ALU64 | Alu.ADD, register, 0, 0, offset)


def _add(source: int, offset: int, width: int) -> tuple[Insn, Insn]:
    """Add the packet's word at ``source`` to the value's word at ``offset``."""
    size = Size.DW if width == 8 else Size.W
    return Insn(_LOAD | size, 1, 7, source), Insn(Class.STX | Mode.ATOMIC | size, 0, 1, offset, Atomic.ADD)


def _slots(*parts: list[Insn]) -> int:
    return sum(each.slot_count for part in parts for each in part)
