"""Random programs that a verifier has to think about.

Pure noise is refused at its first instruction, so the generator knows roughly what each register holds and mostly does
what makes sense with it, but chooses numbers at the edges: an offset one byte beyond a value, a bound one too large, a
sign forgotten. Some statements in a hundred are noise.

    program ::= prologue statement* epilogue
    statement ::= arithmetic | branch { statement* } | loop { statement* } | load | store | spill | fill
                | lookup null-check access | packet check access | helper | call of a subprogram

Jumps go forward over a nested block, or back to the head of a counted loop, so most programs end.
"""

from __future__ import annotations

import functools
import random
from typing import NamedTuple

from toolchain.isa.context_types import CtxResult
from toolchain.isa.contexts import CONTEXTS, ctx_access
from toolchain.isa.helpers import HELPER_NAMES, ArgType, HelperProto, RetType, TypeFlag, is_map_allowed, proto_of
from toolchain.isa.insn import Insn, wide
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.isa.opcodes import LDDW, Alu, Jmp
from toolchain.isa.program_types import ProgType, loaded_attach_type
from toolchain.spec.maps import MapSpec

Types = tuple[tuple[ProgType, int], ...]
NETWORK: Types = (
    *((ProgType.SOCKET_FILTER, 0), (ProgType.SCHED_CLS, 0), (ProgType.XDP, 0)),
    (ProgType.SCHED_CLS, 0),
)
"""(program type, attach type); a type that stands twice is chosen twice as often."""
EVERY: Types = (
    *NETWORK,
    *((kind, 0) for kind in CONTEXTS if kind != ProgType.SYSCALL and loaded_attach_type(kind, 0) is not None),
    *((ProgType.CGROUP_SKB, 1), (ProgType.CGROUP_SOCK, 12), (ProgType.CGROUP_SOCK, 13)),
    *((ProgType.CGROUP_SOCK_ADDR, attach) for attach in (8, 9, 10, 11, 14, 15, 19, 20, 29)),
    *((ProgType.CGROUP_SOCKOPT, 21), (ProgType.CGROUP_SOCKOPT, 22), (ProgType.SK_LOOKUP, 36), (ProgType.NETFILTER, 45)),
    *((ProgType.SOCK_OPS, 3), (ProgType.SK_MSG, 7), (ProgType.XDP, 33)),
)
"""All types whose contexts are known, but for sleepable ones."""
VALUE_SIZE = 48
STRICT_ALIGNMENT, TEST_STATE_FREQ = 1, 8
"""BPF_F_* of a load: misaligned accesses are refused; a state is kept at every place where one may be."""
FUNCTIONS = 3
"""Functions below the main one at most; each may call those further down."""
MAPS: tuple[MapSpec, ...] = (
    MapSpec("array", MapType.ARRAY, 4, VALUE_SIZE, 4),
    MapSpec("hash", MapType.HASH, 8, VALUE_SIZE, 4),
    MapSpec("small", MapType.ARRAY, 4, 7, 1),
    MapSpec("single", MapType.ARRAY, 4, VALUE_SIZE, 1),
    MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 16, 2),
    MapSpec("lru", MapType.LRU_HASH, 4, 16, 4),
    MapSpec("trie", MapType.LPM_TRIE, 8, 8, 4, MapFlag.NO_PREALLOC),
    MapSpec("read_only", MapType.ARRAY, 4, 24, 1, MapFlag.RDONLY_PROG),
    MapSpec("write_only", MapType.ARRAY, 4, 24, 1, MapFlag.WRONLY_PROG),
    MapSpec("programs", MapType.PROG_ARRAY, 4, 4, 2),
    MapSpec("events", MapType.PERF_EVENT_ARRAY, 4, 4, 2),
    MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
    MapSpec("queue", MapType.QUEUE, 0, 8, 4),
    MapSpec("devices", MapType.DEVMAP, 4, 4, 2),
    MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=MapSpec("inner", MapType.ARRAY, 4, VALUE_SIZE, 4)),
)
PLAIN = (0, 1, 2, 3, 4, 5, 6, 7, 8)
"""Maps whose values programs look up."""

_ALU = (Alu.ADD, Alu.SUB, Alu.MUL, Alu.AND, Alu.OR, Alu.XOR, Alu.LSH, Alu.RSH, Alu.ARSH)
_COMPARE = (
    *(Jmp.JEQ, Jmp.JNE, Jmp.JGT, Jmp.JGE, Jmp.JLT, Jmp.JLE),
    *(Jmp.JSGT, Jmp.JSGE, Jmp.JSLT, Jmp.JSLE, Jmp.JSET),
)
_SIZE_BITS = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_SAVED = (6, 7, 8, 9)

SCALAR, CTX, STACK, VALUE, PACKET, PACKET_END, UNSET = "scalar", "ctx", "stack", "value", "packet", "end", "unset"


_MAKEABLE = {
    *(ArgType.ANYTHING, ArgType.SCALAR, ArgType.PTR_TO_CTX, ArgType.CONST_MAP_PTR, ArgType.PTR_TO_MAP_KEY),
    *(ArgType.PTR_TO_MAP_VALUE, ArgType.PTR_TO_MEM, ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO),
}


@functools.cache
def _fields(prog_type: ProgType, attach_type: int, kind: CtxResult) -> tuple[tuple[int, int], ...]:
    """(offset, width) of the context's fields that give ``kind``, the widest load of each; of long ones the start."""
    found = []
    for field in CONTEXTS[prog_type].fields:
        width = max(field.read.first, default=0)
        if field.result == kind and ctx_access(prog_type, attach_type, field.offset, width or 1, False) is not None:
            found.append((field.offset, width))
    return tuple(found)


@functools.cache
def _callable(prog_type: ProgType, attach_type: int) -> tuple[HelperProto, ...]:
    """The helpers whose arguments the generator can make and whose results it can use."""
    found = (proto_of(number, prog_type, attach_type) for number in range(1, len(HELPER_NAMES)))
    return tuple(
        proto
        for proto in found
        if proto is not None
        and all(arg.type in _MAKEABLE for arg in proto.args)
        and proto.ret.type in (RetType.INTEGER, RetType.VOID, RetType.PTR_TO_MAP_VALUE)
    )


class Generated(NamedTuple):
    """A program and its type; maps are `MAPS`, by index. ``flags`` are BPF_F_* of its load."""

    prog_type: ProgType
    insns: tuple[Insn, ...]
    attach_type: int = 0
    flags: int = 0


class _Generator:
    """Grows one function: the program's main one (level 0), or one that functions of lower levels call."""

    def __init__(self, rng: random.Random, types: Types = (), level: int = 0, main: _Generator | None = None) -> None:
        self.rng = rng
        self.level = level
        self.prog_type, self.attach_type = (main.prog_type, main.attach_type) if main else rng.choice(types)
        self.code: list[Insn] = []
        self.kinds = [UNSET] * 11
        self.kinds[1], self.kinds[10] = UNSET if level else CTX, STACK
        self.calls: list[tuple[int, int]] = []
        self.depth = 0
        self.spilled: dict[int, str] = {}
        self.held: set[int] = set()
        self.daring = main.daring if main else rng.choice((0.0, 0.01, 0.02, 0.1))

    # ---- small things

    def emit(self, opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        imm &= 0xFFFFFFFF
        self.code.append(Insn(opcode, dst, src, max(-32768, min(32767, off)), imm - (imm >> 31 << 32)))

    def slots(self) -> int:
        return sum(insn.slot_count for insn in self.code)

    def number(self) -> int:
        """Small, or near a power of two, or at an end."""
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 3:
            return rng.randint(-2, 9)
        if kind < 5:
            return rng.choice((1, 7, 8, 15, 16, 31, 32, 39, 40, 41, 47, 48, 49, 63, 64, 255))
        if kind == 5:
            return (1 << rng.randrange(32)) + rng.randint(-1, 1)
        if kind == 6:
            return -(1 << rng.randrange(31)) + rng.randint(-1, 1)
        return rng.randint(-(1 << 31), (1 << 31) - 1)

    def dares(self) -> bool:
        """Now is the time for a mistake."""
        return self.rng.random() < self.daring

    def edge(self, size: int, width: int) -> int:
        """An offset into ``size`` bytes for an access of ``width``: at the end more often than not."""
        last = max(size - width, 0)
        if self.dares():
            return self.rng.choice((last + 1, last + width, -1, -width))
        return self.rng.choice((0, last, last, max(last - 1, 0), self.rng.randint(0, last)))

    def width(self) -> int:
        return self.rng.choice((1, 2, 4, 8, 8))

    def pick(self, *kinds: str) -> int | None:
        """A register of one of ``kinds``."""
        found = [number for number in range(10) if self.kinds[number] in kinds]
        return self.rng.choice(found) if found else None

    def target(self) -> int:
        """A register to overwrite: none that a statement still needs."""
        return self.rng.choice([number for number in range(10) if number not in self.held])

    def saved(self) -> int:
        """The same, of those that survive calls."""
        return self.rng.choice([number for number in _SAVED if number not in self.held])

    def scalar(self) -> int:
        """A register that holds a number, made if there is none."""
        found = self.pick(SCALAR)
        return self.unknown() if found is None or self.rng.random() < 0.1 else found

    def clobber(self) -> None:
        for number in range(1, 6):
            self.kinds[number] = UNSET

    # ---- statements

    def constant(self) -> int:
        register = self.target()
        if self.rng.random() < 0.15:
            self.code.append(wide(LDDW, register, 0, self.rng.getrandbits(64)))
        else:
            self.emit(self.rng.choice((0xB7, 0xB7, 0xB4)), register, imm=self.number())
        self.kinds[register] = SCALAR
        return register

    def unknown(self) -> int:
        """A number of which nothing, or only its width, is known."""
        rng = self.rng
        ctx = self.pick(CTX)
        register = self.saved()
        words = _fields(self.prog_type, self.attach_type, CtxResult.SCALAR)
        if ctx is not None and words and rng.random() < 0.8:
            self.load_field(register, ctx, rng.choice(words))
        else:
            self.emit(0x85, imm=7)
            self.clobber()
            self.kinds[0] = SCALAR
            self.emit(0xBF, register, 0)
        self.kinds[register] = SCALAR
        if rng.random() < 0.2:
            self.emit(0xBF | 0, register, register, off=rng.choice((8, 16, 32)))  # movsx
        return register

    def load_field(self, register: int, ctx: int, field: tuple[int, int]) -> None:
        """A load of a context field: (offset, width)."""
        self.emit(0x61 | _SIZE_BITS[field[1]], register, ctx, field[0])

    def context(self) -> None:
        """A load or store anywhere in the context; what it gives is used."""
        rng = self.rng
        ctx = self.pick(CTX)
        if ctx is None:
            return
        register = self.target()
        kind = rng.choice(tuple(CtxResult))
        fields = _fields(self.prog_type, self.attach_type, kind)
        offset, width = rng.choice(fields) if fields else (rng.randrange(64), self.width())
        if self.dares():
            offset, width = rng.choice(((offset + 1, width), (offset, self.width()), (rng.randrange(256), 4)))
        if rng.random() < 0.2:
            self.emit(0x62 | _SIZE_BITS[width], ctx, off=offset, imm=self.number())
            return
        if not fields and not self.dares():
            return
        self.load_field(register, ctx, (offset, width))
        self.kinds[register] = SCALAR if kind == CtxResult.SCALAR else UNSET
        if kind in (CtxResult.SOCKET, CtxResult.SOCKET_OR_NULL, CtxResult.SOCK_COMMON_OR_NULL):
            if kind != CtxResult.SOCKET and not self.dares():
                self.leave_if(Jmp.JEQ | 0x05, register)
            self.emit(0x61, 0, register, rng.choice((4, 4, 24, 44, 48, 52, 72, 12)))
            self.kinds[0] = SCALAR
        elif kind == CtxResult.FLOW_KEYS:
            self.touch(register, self.edge(56, 4), 4)

    def arithmetic(self) -> None:
        rng = self.rng
        dst = self.scalar()
        op = rng.choice(_ALU)
        base = rng.choice((0x07, 0x07, 0x04))
        bits = 64 if base == 0x07 else 32
        if rng.random() < 0.4:
            self.emit(op | 0x08 | base, dst, self.scalar())
        elif op in (Alu.LSH, Alu.RSH, Alu.ARSH):
            self.emit(op | base, dst, imm=rng.choice((0, 1, 2, 3, 8, bits // 2, bits - 1, rng.randrange(bits))))
        else:
            self.emit(op | base, dst, imm=self.number())

    def rare_arithmetic(self) -> None:
        rng = self.rng
        dst = self.scalar()
        kind = rng.randrange(4)
        if kind == 0:
            self.emit(0xDC if rng.random() < 0.5 else 0xD4, dst, imm=rng.choice((16, 32, 64)))
        elif kind == 1:
            self.emit(rng.choice((0x87, 0x84)), dst)
        elif kind == 2:
            op = rng.choice((Alu.DIV, Alu.MOD))
            self.emit(op | rng.choice((0x07, 0x04)), dst, off=rng.choice((0, 0, 1)), imm=self.number() or 1)
        else:
            op = rng.choice((Alu.DIV, Alu.MOD))
            self.emit(op | 0x08 | rng.choice((0x07, 0x04)), dst, self.scalar(), off=rng.choice((0, 0, 1)))

    def narrow(self, limit: int) -> int:
        """A number that is at most about ``limit``, by a mask, a shift, a comparison or a remainder."""
        rng = self.rng
        register = self.unknown()
        kind = rng.randrange(5)
        too_far = self.dares()
        if kind == 0:
            mask = (1 << max(limit + 1, 1).bit_length() - 1) - 1
            self.emit(
                rng.choice((0x57, 0x54)), register, imm=limit | 1 if too_far else rng.choice((mask, limit & 0x2A))
            )
        elif kind == 1:
            if rng.random() < 0.5:
                self.emit(0xBC, register, register)
                self.emit(0x77, register, imm=33 - max(limit + 1, 1).bit_length() - too_far)
            else:
                self.emit(0x77, register, imm=65 - max(limit + 1, 1).bit_length() - too_far)
        elif kind == 2:
            self.emit(0x97, register, imm=max(1, limit + 1 + too_far))
        else:
            op = rng.choice((Jmp.JGT, Jmp.JGE, Jmp.JSGT, Jmp.JSGE))
            width = rng.choice((0x05, 0x06))
            self.leave_if(op | width, register, imm=limit + (op in (Jmp.JGE, Jmp.JSGE)) + too_far)
            if op in (Jmp.JSGT, Jmp.JSGE) and not self.dares():
                self.leave_if(Jmp.JSLT | width, register, imm=0)
            if width == 0x06 and not self.dares():
                self.emit(0xBC, register, register)
        return register

    def leave_if(self, opcode: int, dst: int, src: int = 0, imm: int = 0) -> None:
        """Exit where the comparison holds."""
        opposite = {
            Jmp.JGT: Jmp.JLE, Jmp.JGE: Jmp.JLT, Jmp.JSGT: Jmp.JSLE, Jmp.JSGE: Jmp.JSLT, Jmp.JSLT: Jmp.JSGE,
            Jmp.JEQ: Jmp.JNE, Jmp.JLT: Jmp.JGE, Jmp.JNE: Jmp.JEQ, Jmp.JSLE: Jmp.JSGT, Jmp.JLE: Jmp.JGT,
        }  # fmt: skip
        self.emit(opposite[Jmp(opcode & 0xF0)] | (opcode & 0x0F), dst, src, 2, imm)
        self.emit(0xB7, 0)
        self.emit(0x95)

    def branch(self) -> None:
        rng = self.rng
        dst = self.scalar()
        opcode = rng.choice(_COMPARE) | rng.choice((0x05, 0x05, 0x06))
        if rng.random() < 0.35:
            self.emit(opcode | 0x08, dst, self.scalar())
        else:
            self.emit(opcode, dst, imm=self.number())
        self.block(rng.randint(1, 3))

    def block(self, count: int) -> None:
        """Statements that the jump just emitted skips."""
        at = len(self.code) - 1
        before = list(self.kinds)
        start = self.slots()
        self.depth += 1
        for _ in range(count):
            self.statement()
        self.depth -= 1
        self.code[at] = self.code[at]._replace(off=self.slots() - start)
        self.kinds = [mine if mine == other else UNSET for mine, other in zip(self.kinds, before, strict=True)]
        self.kinds[10] = STACK

    def loop(self) -> None:
        """A counted loop: the counter is one of the saved registers, and its body leaves it alone."""
        rng = self.rng
        counter = self.saved()
        self.emit(0xB7, counter)
        head, kinds = self.slots(), list(self.kinds)
        self.kinds[counter] = UNSET
        self.held.add(counter)
        for _ in range(rng.randint(0, 2)):
            rng.choice((self.arithmetic, self.store, self.fill))()
        self.held.discard(counter)
        self.emit(0x07, counter, imm=rng.choice((1, 1, 2)))
        opcode = rng.choice((Jmp.JLT, Jmp.JNE, Jmp.JSLT, Jmp.JLE)) | rng.choice((0x05, 0x06))
        self.emit(opcode, counter, off=head - self.slots() - 1, imm=rng.choice((1, 2, 4, 6, 10)))
        self.kinds = [mine if mine == other else UNSET for mine, other in zip(self.kinds, kinds, strict=True)]
        self.kinds[counter], self.kinds[10] = SCALAR, STACK

    def copy(self) -> None:
        src = self.pick(SCALAR, CTX, STACK, VALUE, PACKET)
        if src is not None:
            dst = self.target()
            self.emit(0xBF if self.rng.random() < 0.9 else 0xBC, dst, src)
            self.kinds[dst] = self.kinds[src] if self.code[-1].opcode == 0xBF else SCALAR

    def store(self) -> None:
        """A number or a pointer into the stack."""
        rng = self.rng
        width = self.width()
        off = -rng.choice((8, 8, 16, 24, 32, 512, 520 if self.dares() else 40, 12))
        if not self.dares():
            off = off // width * width
        src = self.pick(SCALAR, CTX, STACK, VALUE)
        if src is not None and self.kinds[src] != SCALAR and not self.dares():
            width, off = 8, off // 8 * 8
        if src is None or rng.random() < 0.3:
            self.emit(0x62 | _SIZE_BITS[width], 10, off=off, imm=self.number())
        else:
            self.emit(0x63 | _SIZE_BITS[width], 10, src, off)
            if width == 8:
                self.spilled[off] = self.kinds[src]

    def fill(self) -> None:
        """A load from the stack."""
        rng = self.rng
        width = self.width()
        off = rng.choice((*self.spilled, -8, -16))
        if width < 8 and rng.random() < 0.5:
            off += rng.choice((0, 4))
        dst = self.target()
        opcode = 0x61 if rng.random() < 0.85 or width == 8 else 0x81
        self.emit(opcode | _SIZE_BITS[width], dst, 10, off)
        self.kinds[dst] = self.spilled.get(off, SCALAR) if width == 8 else SCALAR

    def stack_index(self) -> None:
        """A load or store at a variable offset in the stack."""
        rng = self.rng
        self.emit(0x7A, 10, off=-8)
        self.emit(0x7A, 10, off=-16)
        index = self.narrow(rng.choice((7, 7, 15, 16 if self.dares() else 3)))
        base = rng.choice([number for number in (*_SAVED, 2, 3) if number != index and number not in self.held])
        self.emit(0xBF, base, 10)
        self.emit(0x07, base, imm=rng.choice((-8, -24) if self.dares() else (-16,)))
        self.emit(0x0F, base, index)
        self.kinds[base] = UNSET
        if rng.random() < 0.5:
            dst = self.target()
            self.emit(0x71, dst, base)
            self.kinds[dst] = SCALAR
        else:
            self.emit(0x72, base, imm=1)

    def lookup(self) -> None:
        """A map value in r0, usually checked for NULL, then used."""
        rng = self.rng
        number = rng.choice(PLAIN)
        at = -8 if MAPS[number].key_size == 8 else rng.choice((-4, -8))
        if rng.random() < 0.7:
            self.emit(0x7A if MAPS[number].key_size == 8 else 0x62, 10, off=at, imm=rng.choice((0, 0, 1, 3, 4)))
        else:
            self.emit(0x7B if MAPS[number].key_size == 8 else 0x63, 10, self.scalar(), at)
        self.emit(0xBF, 2, 10)
        self.emit(0x07, 2, imm=at)
        self.code.append(wide(LDDW, 1, 5, number))
        self.emit(0x85, imm=1)
        self.clobber()
        self.kinds[0] = VALUE
        if not self.dares():
            self.leave_if(Jmp.JEQ | 0x05, 0)
        keep = self.saved()
        self.emit(0xBF, keep, 0)
        self.kinds[keep] = VALUE
        self.access_value(keep, MAPS[number].value_size)

    def value_address(self) -> None:
        """A map value by its address, without a lookup."""
        rng = self.rng
        number = rng.choice((2, 3, 3))
        size = MAPS[number].value_size
        dst = self.saved()
        base = size if self.dares() else rng.choice((0, 0, size - 1, 4))
        self.code.append(wide(LDDW, dst, 6, number | base << 32))
        self.kinds[dst] = VALUE
        self.access_value(dst, size - base)

    def access_value(self, register: int, size: int) -> None:
        """Accesses of a value of ``size`` bytes, from its start or from an index."""
        self.held.add(register)
        self._access_value(register, size)
        self.held.discard(register)

    def _access_value(self, register: int, size: int) -> None:
        rng = self.rng
        for _ in range(rng.randint(1, 2)):
            width = self.width()
            kind = rng.randrange(4)
            pointer, left = register, size
            if kind >= 2:
                reach = rng.choice((size - width, size - width, size - 1 if self.dares() else size // 2 - width))
                index = self.narrow(max(reach, 0))
                pointer = rng.choice([number for number in (*_SAVED, 3, 4) if number not in (index, *self.held)])
                self.emit(0xBF, pointer, register)
                self.emit(0x1F if self.dares() else 0x0F, pointer, index)
                self.kinds[pointer] = UNSET
                left = 2 * width if self.dares() else width
            elif kind == 1 and rng.random() < 0.5:
                delta = rng.choice((1, size - width, -8 if self.dares() else 0))
                pointer = rng.choice([number for number in _SAVED if number not in self.held])
                self.emit(0xBF, pointer, register)
                self.emit(0x07, pointer, imm=delta)
                self.kinds[pointer] = UNSET
                left = size - delta
            self.touch(pointer, self.edge(left, width), width)

    def touch(self, pointer: int, off: int, width: int) -> None:
        """A load, store or atomic through a pointer."""
        rng = self.rng
        kind = rng.randrange(6)
        if kind < 3:
            dst = self.target()
            self.emit((0x61 if width == 8 or rng.random() < 0.8 else 0x81) | _SIZE_BITS[width], dst, pointer, off)
            self.kinds[dst] = SCALAR
        elif kind == 3:
            self.emit(0x62 | _SIZE_BITS[width], pointer, off=off, imm=self.number())
        elif kind == 4:
            src = self.pick(SCALAR)
            if src is not None:
                self.emit(0x63 | _SIZE_BITS[width], pointer, src, off)
        else:
            src = self.pick(SCALAR)
            if src is not None and width >= 4:
                self.emit(0xC3 | _SIZE_BITS[width], pointer, src, off, rng.choice((0, 1, 0x40, 0x51, 0xE1)))

    def packet(self) -> None:
        """Packet bytes after a comparison with the packet's end, at the edge of what it proves."""
        rng = self.rng
        ctx = self.pick(CTX)
        starts = _fields(self.prog_type, self.attach_type, CtxResult.PACKET)
        ends = _fields(self.prog_type, self.attach_type, CtxResult.PACKET_END)
        if ctx is None or not starts:
            return
        index = self.narrow(rng.choice((15, 255, 65534, 65535))) if rng.random() < 0.4 else None
        ctx = self.pick(CTX)
        if ctx is None:
            return
        free = [number for number in range(2, 10) if number not in (ctx, index) and number not in self.held]
        start, limit, probe = rng.sample(free, 3)
        self.load_field(start, ctx, starts[0])
        self.load_field(limit, ctx, ends[0])
        self.kinds[start], self.kinds[limit], self.kinds[probe] = PACKET, PACKET_END, UNSET
        if index is not None:
            self.emit(0x0F, start, index)
        size = rng.choice((1, 8, 14, 20, 34))
        self.emit(0xBF, probe, start)
        self.emit(0x07, probe, imm=size)
        self.kinds[probe] = PACKET
        compare = rng.choice((Jmp.JGT, Jmp.JGT, Jmp.JGE))
        if rng.random() < 0.8:
            self.leave_if(compare | 0x0D, probe, limit)
        else:
            self.leave_if({Jmp.JGT: Jmp.JLT, Jmp.JGE: Jmp.JLE}[compare] | 0x0D, limit, probe)
        self.held.add(start)
        for _ in range(rng.randint(1, 2)):
            width = self.width()
            if width <= size or self.dares():
                self.touch(start, self.edge(size, width), width)
        self.held.discard(start)

    def helper(self) -> None:
        """A helper that writes a buffer on the stack, or that moves the packet."""
        rng = self.rng
        ctx = self.pick(CTX)
        if ctx is None or self.prog_type not in (ProgType.SOCKET_FILTER, ProgType.SCHED_CLS):
            self.emit(0x85, imm=rng.choice((5, 7, 8)))
            self.clobber()
            self.kinds[0] = SCALAR
            return
        if rng.random() < 0.6:
            size = rng.choice((17, 0)) if self.dares() else rng.choice((1, 8, 16))
            if rng.random() < 0.5:
                self.emit(0xBF, 4, self.narrow(size or 8))
            else:
                self.emit(0xB7, 4, imm=size)
            ctx = self.pick(CTX)
            if ctx is None or ctx == 4:
                return
            self.emit(0xBF, 1, ctx)
            self.emit(0xB7, 2, imm=self.number())
            self.emit(0xBF, 3, 10)
            self.emit(0x07, 3, imm=-16)
            self.emit(0x85, imm=26)
        elif self.prog_type == ProgType.SCHED_CLS:
            self.emit(0xBF, 1, ctx)
            self.emit(0xB7, 2, imm=64)
            self.emit(0x85, imm=39)
            self.kinds = [UNSET if kind in (PACKET, PACKET_END) else kind for kind in self.kinds]
        else:
            return
        self.clobber()
        self.kinds[0] = SCALAR

    def any_helper(self) -> None:
        """Any helper that this type of program has, with arguments of the kinds that it takes, most of the time."""
        rng = self.rng
        proto = rng.choice(_callable(self.prog_type, self.attach_type))
        ctx = self.pick(CTX)
        if ctx is None:
            return
        length = self.narrow(rng.choice((0, 7, 8, 15, 16))) if rng.random() < 0.3 else None
        ctx = self.pick(CTX)
        if ctx is None or ctx < 6:
            return
        if rng.random() < 0.8:
            self.emit(0x7A, 10, off=-8, imm=rng.choice((0, 1)))
            self.emit(0x7A, 10, off=-16)
        number = rng.choice(PLAIN)
        kinds = [index for index, spec in enumerate(MAPS) if is_map_allowed(proto.name, spec.map_type, self.prog_type)]
        if kinds and not self.dares():
            number = rng.choice(kinds)
        for index, arg in enumerate(proto.args):
            register = index + 1
            if arg.type == ArgType.PTR_TO_CTX and not self.dares():
                self.emit(0xBF, register, ctx)
            elif arg.type == ArgType.CONST_MAP_PTR and not self.dares():
                self.code.append(wide(LDDW, register, 5, number))
            elif arg.type in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO):
                if length is not None:
                    self.emit(0xBF, register, length)
                else:
                    self.emit(0xB7, register, imm=rng.choice((1, 4, 8, 8, 16, 17 if self.dares() else 2, 0)))
            elif arg.type in (ArgType.PTR_TO_MEM, ArgType.PTR_TO_MAP_KEY, ArgType.PTR_TO_MAP_VALUE):
                self._memory(register, bool(arg.flags & TypeFlag.MAYBE_NULL))
            else:
                self.emit(0xB7, register, imm=rng.choice((0, 0, 1, self.number())))
        self.emit(0x85, imm=proto.id)
        self.clobber()
        self.kinds[0] = SCALAR if proto.ret.type == RetType.INTEGER else UNSET
        self.kinds = [UNSET if kind in (PACKET, PACKET_END) else kind for kind in self.kinds]
        if proto.ret.type == RetType.PTR_TO_MAP_VALUE:
            if not self.dares():
                self.leave_if(Jmp.JEQ | 0x05, 0)
            self.touch(0, 0, rng.choice((1, 4, 8)))
            self.kinds[0] = UNSET

    def _memory(self, register: int, may_be_null: bool) -> None:
        """A pointer to some memory, by chance of the stack, a map or the packet."""
        rng = self.rng
        pointer = self.pick(VALUE, PACKET)
        if may_be_null and rng.random() < 0.3:
            self.emit(0xB7, register)
        elif pointer is not None and pointer >= 6 and rng.random() < 0.4:
            self.emit(0xBF, register, pointer)
            if rng.random() < 0.3:
                self.emit(0x07, register, imm=rng.choice((1, 8, 40)))
        elif rng.random() < 0.15:
            self.code.append(wide(LDDW, register, 6, rng.choice((2, 3, 7, 8))))
        else:
            self.emit(0xBF, register, 10)
            self.emit(0x07, register, imm=-8 if self.dares() else rng.choice((-16, -16, -16, -24)))

    def inner_map(self) -> None:
        """A lookup in a map that an outer map holds."""
        outer = next(number for number, spec in enumerate(MAPS) if spec.inner is not None)
        self.emit(0x62, 10, off=-8, imm=self.rng.choice((0, 0, 1, 5)))
        for map_known in (True, False):
            self.emit(0xBF, 2, 10)
            self.emit(0x07, 2, imm=-8)
            if map_known:
                self.code.append(wide(LDDW, 1, 5, outer))
            else:
                self.emit(0xBF, 1, 0)
            self.emit(0x85, imm=1)
            self.clobber()
            self.kinds[0] = UNSET
            if not self.dares():
                self.leave_if(Jmp.JEQ | 0x05, 0)
        keep = self.saved()
        self.emit(0xBF, keep, 0)
        self.kinds[keep] = VALUE
        self.access_value(keep, VALUE_SIZE)

    def socket(self) -> None:
        """A socket looked up, read and given back, in the end or on every path but one."""
        rng = self.rng
        ctx = self.pick(CTX)
        if ctx is None or ctx < 6 or proto_of(84, self.prog_type, self.attach_type) is None:
            return
        for off in (-8, -16):
            self.emit(0x7A, 10, off=off, imm=self.number())
        self.emit(0xBF, 1, ctx)
        self.emit(0xBF, 2, 10)
        self.emit(0x07, 2, imm=-16)
        self.emit(0xB7, 3, imm=13 if self.dares() else 12)
        self.emit(0xB7, 4, imm=rng.choice((-1, 0)))
        self.emit(0xB7, 5, imm=1 if self.dares() else 0)
        self.emit(0x85, imm=rng.choice((84, 85, 99)))
        self.clobber()
        self.reference(release=86, fields=(0, 4, 12, 24, 48, 44, 72, 76))

    def record(self) -> None:
        """A ring buffer's record, written and submitted or discarded."""
        rng = self.rng
        ring = next(number for number, spec in enumerate(MAPS) if spec.map_type == MapType.RINGBUF)
        self.code.append(wide(LDDW, 1, 5, ring))
        self.emit(0xB7, 2, imm=rng.choice((8, 16, 40)))
        self.emit(0xB7, 3, imm=1 if self.dares() else 0)
        self.emit(0x85, imm=131)
        self.clobber()
        self.reference(release=rng.choice((132, 133)), fields=(0, 4, 8, 32) if self.dares() else (0, 4))

    def reference(self, release: int, fields: tuple[int, ...]) -> None:
        """What r0 holds is checked for NULL, kept, used, and released."""
        rng = self.rng
        self.kinds[0] = UNSET
        keep = self.saved()
        self.kinds[keep] = UNSET
        self.emit(0xBF, keep, 0)
        if not self.dares():
            self.leave_if(Jmp.JEQ | 0x05, rng.choice((0, keep)))
        self.held.add(keep)
        for _ in range(rng.randint(0, 2)):
            if release == 86 or rng.random() < 0.4:
                dst = self.target()
                self.emit(0x61, dst, keep, rng.choice(fields))
                self.kinds[dst] = SCALAR
            else:
                self.emit(0x62, keep, off=rng.choice(fields), imm=self.number())
            if rng.random() < 0.4:
                rng.choice((self.arithmetic, self.store, self.fill, self.branch))()
        self.held.discard(keep)
        if not self.dares():
            self.emit(0xBF, 1, keep)
            if release != 86:
                self.emit(0xB7, 2)
            self.emit(0x85, imm=release)
            self.clobber()
        self.kinds[0] = UNSET
        if rng.random() < 0.1:
            self.touch(keep, 0, 4)
        self.kinds[keep] = UNSET

    def subprogram(self) -> None:
        """A call of a function further down, with a pointer to a buffer, a number and the context."""
        rng = self.rng
        if self.level == FUNCTIONS:
            return
        source = self.pick(VALUE) if rng.random() < 0.4 else 10
        number = self.narrow(15) if rng.random() < 0.3 else self.scalar()
        ctx = self.pick(CTX)
        if source is None or number < 6 or ctx is None or self.kinds[number] != SCALAR:
            return
        if source == 10:
            self.emit(0x7A, 10, off=-8, imm=self.number())
            self.emit(0x7A, 10, off=-16)
        self.emit(0xBF, 3, ctx)
        self.emit(0xBF, 2, number)
        self.emit(0xBF, 1, source)
        if source == 10:
            self.emit(0x07, 1, imm=-16)
        self.calls.append((len(self.code), rng.randint(self.level + 1, FUNCTIONS)))
        self.emit(0x85, src=1)
        self.clobber()
        self.kinds[0] = SCALAR
        if rng.random() < 0.5:
            keep = self.saved()
            self.emit(0xBF, keep, 0)
            self.kinds[keep] = SCALAR

    def function(self) -> None:
        """The body of a function: its arguments kept, some statements, accesses of the buffer, a number returned."""
        rng = self.rng
        buffer, number, ctx = rng.sample(_SAVED, 3)
        for register, argument in ((buffer, 1), (number, 2), (ctx, 3)):
            self.emit(0xBF, register, argument)
        self.kinds[buffer], self.kinds[number], self.kinds[ctx] = UNSET, SCALAR, CTX
        self.held.add(buffer)
        for _ in range(rng.randint(0, 4)):
            self.statement()
            if rng.random() < 0.4:
                width = self.width()
                self.touch(buffer, self.edge(16, width), width)
        self.held.discard(buffer)
        result = self.pick(SCALAR)
        if result is None or rng.random() < 0.3:
            self.emit(0xB7, 0, imm=rng.randrange(9))
        else:
            self.emit(0xBF, 0, result)
            if rng.random() < 0.4:
                self.emit(0x57, 0, imm=rng.choice((7, 15)))
        self.emit(0x95)

    def noise(self) -> None:
        """Something that need not make sense."""
        rng = self.rng
        opcode = rng.choice((0x07, 0x0F, 0x1F, 0xBF, 0xBC, 0x61, 0x79, 0x7B, 0x63, 0x57, 0x67, 0x04, 0x0C))
        self.emit(opcode, rng.randrange(11), rng.randrange(11), rng.choice((0, 0, -8, 4)), self.number())
        self.code[-1] = self._without_reserved(self.code[-1])

    @staticmethod
    def _without_reserved(insn: Insn) -> Insn:
        if insn.opcode & 7 in (4, 7):
            insn = insn._replace(off=0)
            return insn._replace(imm=0) if insn.opcode & 8 else insn._replace(src=0)
        return insn._replace(imm=0)

    def statement(self) -> None:
        """One statement, by weight."""
        choices: list[tuple[float, object]] = [
            (14, self.arithmetic), (3, self.rare_arithmetic), (6, self.constant), (6, self.unknown), (5, self.copy),
            (7, self.store), (7, self.fill), (3, self.stack_index), (8, self.lookup), (5, self.value_address),
            (9, self.packet), (4, self.helper), (6, self.any_helper), (9, self.subprogram),
            (20 * self.daring, self.noise), (2, self.inner_map), (2, self.socket), (2, self.record),
            (4, self.context),
        ]  # fmt: skip
        if self.depth < 3:
            choices += [(12, self.branch), (3, self.loop)]
        weights = [weight for weight, _ in choices]
        chosen = self.rng.choices(choices, weights)[0][1]
        chosen()  # type: ignore[operator]

    def finish(self) -> None:
        """Return value and exit."""
        if self.kinds[0] != SCALAR or self.rng.random() < 0.5:
            self.emit(0xB7, 0, imm=self.rng.randrange(3))
        self.emit(0x95)


def _assemble(main: _Generator) -> tuple[Insn, ...]:
    """``main`` and the functions that it reaches, one after another, calls resolved."""
    parts = {0: main}
    while missing := {callee for part in parts.values() for _, callee in part.calls} - set(parts):
        level = min(missing)
        part = parts[level] = _Generator(main.rng, (), level, main)
        part.function()
    starts: dict[int, int] = {}
    end = 0
    for level in sorted(parts):
        starts[level] = end
        end += parts[level].slots()
    code: list[Insn] = []
    for level, part in sorted(parts.items()):
        for at, callee in part.calls:
            after = starts[level] + sum(insn.slot_count for insn in part.code[: at + 1])
            part.code[at] = part.code[at]._replace(imm=starts[callee] - after)
        code += part.code
    return tuple(code)


def _damaged(rng: random.Random, insns: tuple[Insn, ...]) -> tuple[Insn, ...]:
    """``insns`` with a few fields replaced; wide loads are left alone, as their immediates name maps."""
    code = list(insns)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(code))
        if code[at].is_wide:
            continue
        changes = (
            {"opcode": rng.choice([opcode for opcode in range(256) if opcode != LDDW])},
            {"opcode": code[at].opcode ^ rng.choice((0x08, 0x10, 0x20, 0x80))},
            {"dst": rng.choice((*range(11), 11, 15))},
            {"src": rng.choice((*range(11), 11, 15))},
            {"off": rng.choice((-1, 0, 1, 2, 4, -8, 32767, -32768))},
            {"imm": rng.choice((0, 1, -1, 2, 64, 1 << 30, -(1 << 31)))},
        )
        changed = code[at]._replace(**rng.choice(changes))
        if changed.opcode != LDDW:
            code[at] = changed
    return tuple(code)


def generate(seed: int, types: Types = NETWORK) -> Generated:
    """The program of a seed, of one of ``types``; the same one on every machine."""
    rng = random.Random(seed)
    generator = _Generator(rng, types)
    keep = rng.choice(_SAVED)
    generator.emit(0xBF, keep, 1)
    generator.kinds[keep] = CTX
    for _ in range(rng.randint(1, rng.choice((6, 12, 30)))):
        generator.statement()
        if generator.slots() > 400:
            break
    generator.finish()
    insns = _assemble(generator)
    if rng.random() < 0.15:
        insns = _damaged(rng, insns)
    flags = rng.choice((STRICT_ALIGNMENT, TEST_STATE_FREQ)) if rng.random() < 0.2 else 0
    return Generated(generator.prog_type, insns, generator.attach_type, flags)
