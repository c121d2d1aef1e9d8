"""A machine that runs verified programs slowly and trusts nothing: the concrete side of the containment check.

Every object has a part of the address space of its own, so that an address that strays by less than 2^39 bytes still
belongs to no other object, and each access must lie inside of one. What the kernel leaves undefined is random:
uninitialised stack and registers, fields of the context, results of helpers. Helpers do no more than their prototypes
say (toolchain.isa.helpers), and all of it: each reads and writes the memory that it is given, writes being random, and
moves the packet where it may.

Source: RFC 9669 for the instructions; include/linux/bpf.h for the meaning of argument types.
"""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Callable

from tests.verifier.scalar_cases import execute, holds, move, signed, swap
from toolchain.isa.helpers import CHANGES_PACKET, HELPER_IDS, Arg, ArgType, RetType, TypeFlag, proto_of
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.isa.opcodes import Alu, Class, Jmp
from toolchain.isa.program_types import ProgType
from toolchain.spec.stages import LinkedProgram

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1
_START = 0xFFFF_8000 << 32
_SPACING = 40
STACK_SIZE = 512
STEP_LIMIT = 20_000
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}


class Fault(Exception):
    """The program did what a verified one never does."""


class NotModelled(Exception):
    """The program needs something that this machine has not."""


class Ended(Exception):
    """A tail call was taken, or a load left the packet: the program ends without a return of its own."""


class Memory:
    """One object: ``kind`` is 'stack', 'value', 'packet', 'ctx', 'map', 'ring' or 'sock'.

    ``owner`` is the map's index for values; ``is_held`` says that the program must release it.
    """

    def __init__(self, number: int, kind: str, data: bytearray, owner: int = -1) -> None:
        self.base = _START + (number << _SPACING) + (1 << _SPACING - 1)
        self.kind = kind
        self.data = data
        self.owner = owner
        self.is_live = True
        self.is_held = False


class Activation:
    """A function's frame: its stack, and where and with what registers its caller goes on."""

    def __init__(self, stack: Memory, return_to: int, saved: list[int]) -> None:
        self.stack = stack
        self.return_to = return_to
        self.saved = saved

    @property
    def top(self) -> int:
        """r10."""
        return self.stack.base + STACK_SIZE


Watcher = Callable[["Machine"], None]


class Machine:
    """One run of a program on a random input. ``watcher`` is called before each instruction."""

    def __init__(self, program: LinkedProgram, rng: random.Random, watcher: Watcher) -> None:
        self.rng = rng
        self.watcher = watcher
        self.code = list(struct.iter_unpack("<BBhi", program.code))
        self.prog_type = program.prog_type
        self.objects: list[Memory] = []
        self.maps = program.maps
        self.map_handles = [self.make("map", bytearray(), index) for index in range(len(program.maps))]
        self.values: list[dict[bytes, Memory]] = [self._fill_map(index) for index in range(len(program.maps))]
        self.fields: dict[int, int] = {}
        self.ctx = self.make("ctx", bytearray(256))
        self.packet = self.make("packet", bytearray(rng.randbytes(rng.choice((0, 1, 13, 14, 20, 34, 40, 64, 300)))))
        self.frames = [Activation(self._new_stack(), -1, [])]
        self.regs = [rng.getrandbits(64) for _ in range(11)]
        self.regs[1], self.regs[10] = self.ctx.base, self.frames[0].top
        self.pc = 0

    def make(self, kind: str, data: bytearray, owner: int = -1) -> Memory:
        """A new object."""
        self.objects.append(Memory(len(self.objects), kind, data, owner))
        return self.objects[-1]

    def _new_stack(self) -> Memory:
        return self.make("stack", bytearray(self.rng.randbytes(STACK_SIZE)))

    def _fill_map(self, index: int) -> dict[bytes, Memory]:
        spec = self.maps[index]
        if spec.map_type in _ARRAYS:
            count = spec.max_entries
        else:
            count = self.rng.randrange(3) if spec.map_type in _HASHES else 0

        def make() -> Memory:
            return self.make("value", bytearray(self.interesting(spec.value_size)), index)

        return {key.to_bytes(spec.key_size, "little"): make() for key in range(count)}

    def interesting(self, size: int) -> bytes:
        """Mostly small numbers and ends: what makes a difference."""
        number = self.rng.choice((0, 1, 5, 8, 15, 39, 40, 47, 48, 255, M32, M64, 1 << 31, 1 << 63))
        return self.rng.choice((number.to_bytes(8, "little") * (size // 8 + 1), self.rng.randbytes(size)))[:size]

    def object_at(self, address: int) -> Memory | None:
        """The object in whose part of the address space ``address`` lies."""
        number = (address - _START) >> _SPACING
        return self.objects[number] if 0 <= number < len(self.objects) else None

    def place(self, address: int, size: int, what: str) -> tuple[Memory, int]:
        """Where an access goes. Raises Fault where it leaves the object."""
        found = self.object_at(address)
        if found is None or not found.is_live or found.kind == "map":
            raise Fault(f"{what} of {size} bytes at 0x{address:x}: nothing is there")
        off = address - found.base
        if found.kind != "ctx" and not 0 <= off <= len(found.data) - size:
            raise Fault(f"{what} of {size} bytes at {off} of {found.kind} of {len(found.data)} bytes")
        return found, off

    def _check_map(self, found: Memory, forbidden: MapFlag) -> None:
        if found.kind == "value" and self.maps[found.owner].map_flags & forbidden:
            raise Fault(f"access to a value of map {self.maps[found.owner].name} that its flags forbid")

    def check_writable(self, found: Memory) -> None:
        """Raises Fault for a read-only map's value or packet."""
        self._check_map(found, MapFlag.RDONLY_PROG)
        if found.kind == "sock" or (found.kind == "packet" and self.prog_type == ProgType.SOCKET_FILTER):
            raise Fault(f"store to a {found.kind} that is read-only")

    def load(self, address: int, size: int) -> int:
        found, off = self.place(address, size, "load")
        self._check_map(found, MapFlag.WRONLY_PROG)
        if found.kind == "ctx":
            return self._ctx_field(off, size)
        return int.from_bytes(found.data[off : off + size], "little")

    def store(self, address: int, size: int, number: int) -> None:
        found, off = self.place(address, size, "store")
        if found.kind == "ctx":
            self.fields.pop(off & ~3, None)
            return
        self.check_writable(found)
        found.data[off : off + size] = (number & (1 << size * 8) - 1).to_bytes(size, "little")

    def _ctx_field(self, off: int, size: int) -> int:
        is_xdp = self.prog_type == ProgType.XDP
        pointers = {0: 0, 4: len(self.packet.data), 8: 0} if is_xdp else {76: 0, 80: len(self.packet.data), 140: 0}
        if off in pointers:
            return self.packet.base + pointers[off]
        if not is_xdp and off == 168:
            return self.rng.choice((0, self.make("sock", bytearray(self.interesting(112))).base))
        if not is_xdp and off & ~3 == 0:
            self.fields[0] = len(self.packet.data)
        field = self.fields.setdefault(off & ~3, int.from_bytes(self.interesting(4), "little"))
        if size == 8:
            return field | self.fields.setdefault(off + 4, self.rng.getrandbits(32)) << 32
        return field >> (off & 3) * 8 & (1 << size * 8) - 1

    def run(self) -> None:
        """Execute to the end. Raises Fault, NotModelled."""
        with contextlib.suppress(Ended):
            self._run()
        if any(each.is_held for each in self.objects):
            raise Fault("something acquired is not released at the end")

    def _run(self) -> None:
        for _ in range(STEP_LIMIT):
            if not 0 <= self.pc < len(self.code):
                raise Fault(f"execution leaves the program at {self.pc}")
            self.watcher(self)
            opcode, registers, off, imm = self.code[self.pc]
            if opcode == 0x95 and len(self.frames) == 1:
                return
            self.pc += 1
            self.step(opcode, registers & 15, registers >> 4, off, imm)
        raise Fault(f"no end after {STEP_LIMIT} instructions")

    def step(self, opcode: int, dst: int, src: int, off: int, imm: int) -> None:
        regs = self.regs
        cls = opcode & 7
        if cls in (Class.ALU, Class.ALU64):
            regs[dst] = self._alu(opcode, regs[dst], regs[src] if opcode & 8 else imm, off, imm)
        elif cls == Class.LDX:
            size = _SIZES[opcode & 0x18]
            number = self.load(regs[src] + off & M64, size)
            regs[dst] = signed(number, size * 8) & M64 if opcode & 0xE0 == 0x80 else number
        elif cls == Class.ST:
            self.store(regs[dst] + off & M64, _SIZES[opcode & 0x18], imm & M64)
        elif cls == Class.STX and opcode & 0xE0 == 0xC0 and imm == 0x100:
            regs[dst] = self.load(regs[src] + off & M64, _SIZES[opcode & 0x18])
        elif cls == Class.STX and opcode & 0xE0 == 0xC0 and imm != 0x110:
            self._atomic(regs[dst] + off & M64, _SIZES[opcode & 0x18], src, imm)
        elif cls == Class.STX:
            self.store(regs[dst] + off & M64, _SIZES[opcode & 0x18], regs[src])
        elif opcode == 0x18:
            regs[dst] = self._wide(src, imm)
            self.pc += 1
        elif cls in (Class.JMP, Class.JMP32):
            self._jump(opcode, dst, src, off, imm)
        elif opcode & 0xE0 in (0x20, 0x40):
            self._load_packet(imm + (regs[src] if opcode & 0xE0 == 0x40 else 0) & M32, _SIZES[opcode & 0x18])
        else:
            raise NotModelled(f"opcode {opcode:02x}")

    def _load_packet(self, off: int, size: int) -> None:
        if off + size > len(self.packet.data):
            raise Ended
        self.regs[0] = int.from_bytes(self.packet.data[off : off + size], "big")
        self.forget_arguments()

    def forget_arguments(self) -> None:
        """What a call leaves in r1 to r5."""
        for number in range(1, 6):
            self.regs[number] = self.rng.getrandbits(64)

    def move_packet(self) -> None:
        """The packet is elsewhere now, and may have another length; nothing is left at the old place."""
        data, self.packet.is_live = self.packet.data, False
        self.packet = self.make(
            "packet", data[: self.rng.choice((0, 14, len(data)))] if self.rng.random() < 0.3 else data
        )
        self.fields.pop(0, None)

    @staticmethod
    def _alu(opcode: int, number: int, operand: int, off: int, imm: int) -> int:
        op, is64 = Alu(opcode & 0xF0), opcode & 7 == Class.ALU64
        if op == Alu.MOV:
            return move(is64, operand & M64, off)
        if op == Alu.END:
            return swap(number, imm, is64 or bool(opcode & 8))
        if off == 1:
            return _signed_division(op, 64 if is64 else 32, number, operand)
        return execute(op, is64, number, operand & M64)

    def _wide(self, kind: int, imm: int) -> int:
        high = self.code[self.pc][3]
        if kind == 5:
            return self.map_handles[imm].base
        if kind == 6:
            spec = self.maps[imm]
            return self.values[imm][bytes(spec.key_size)].base + (high & M32)
        if kind:
            raise NotModelled(f"wide load of kind {kind}")
        return (high & M32) << 32 | imm & M32

    def _atomic(self, address: int, size: int, src: int, imm: int) -> None:
        regs, bits = self.regs, size * 8
        width = (1 << bits) - 1
        old, operand = self.load(address, size), regs[src] & width
        if imm == 0xF1:
            self.store(address, size, operand if old == regs[0] & width else old)
            regs[0] = old
            return
        kind = imm & 0xF0
        new = {0x00: old + operand, 0x40: old | operand, 0x50: old & operand, 0xA0: old ^ operand, 0xE0: operand}[kind]
        self.store(address, size, new)
        if imm & 1:
            regs[src] = old

    def _jump(self, opcode: int, dst: int, src: int, off: int, imm: int) -> None:
        regs = self.regs
        if opcode == 0x95:
            frame = self.frames.pop()
            frame.stack.is_live = False
            regs[6:11] = frame.saved
            self.forget_arguments()
            self.pc = frame.return_to
        elif opcode == 0x85 and src == 1:
            self.frames.append(Activation(self._new_stack(), self.pc, regs[6:11]))
            regs[6:11] = [self.rng.getrandbits(64) for _ in range(4)] + [self.frames[-1].top]
            self.pc += imm
        elif opcode == 0x85 and src == 0:
            regs[0] = call_helper(self, imm) & M64
            self.forget_arguments()
        elif opcode & 0xF0 in (Jmp.CALL, Jmp.EXIT):
            raise NotModelled(f"opcode {opcode:02x} of kind {src}")
        elif opcode & 0xF0 == Jmp.JCOND:
            self.pc += off if self.rng.random() < 0.3 else 0
        elif opcode & 0xF0 == Jmp.JA:
            self.pc += off if opcode & 7 == Class.JMP else imm
        elif holds(Jmp(opcode & 0xF0), opcode & 7 == Class.JMP, regs[dst], (regs[src] if opcode & 8 else imm) & M64):
            self.pc += off


_ARRAYS = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
_HASHES = frozenset({MapType.HASH, MapType.LRU_HASH, MapType.LPM_TRIE})
_BOUNDED_RESULT = frozenset(
    HELPER_IDS[name]
    for name in ("get_stack", "get_task_stack", "probe_read_str", "probe_read_kernel_str", "probe_read_user_str")
)
"""Helpers whose result is at most the size that they were given."""


def call_helper(machine: Machine, number: int) -> int:
    """Do what the prototype of a helper allows; r0."""
    proto = proto_of(number, machine.prog_type)
    if proto is None:
        raise Fault(f"helper {number} is not for {machine.prog_type.label}")
    rng, regs = machine.rng, machine.regs
    owner, size = -1, 0
    for index, arg in enumerate(proto.args):
        value = regs[index + 1]
        if arg.type == ArgType.CONST_MAP_PTR:
            handles = [handle.base for handle in machine.map_handles]
            if value not in handles:
                raise Fault(f"argument {index + 1} of {proto.name} is no map")
            owner = handles.index(value)
        elif arg.type == ArgType.PTR_TO_CTX and value != machine.ctx.base:
            raise Fault(f"argument {index + 1} of {proto.name} is not the context")
        elif arg.type == ArgType.PTR_TO_MAP_KEY:
            _pass_memory(machine, arg, value, machine.maps[owner].key_size)
        elif arg.type == ArgType.PTR_TO_MAP_VALUE:
            _pass_memory(machine, arg, value, machine.maps[owner].value_size)
        elif arg.type == ArgType.PTR_TO_MEM:
            size = arg.size if arg.flags & TypeFlag.FIXED_SIZE else regs[index + 2]
            _pass_memory(machine, arg, value, size)
        elif arg.type in _OBJECTS:
            _pass_object(machine, arg, value, proto.name)
        elif arg.type == ArgType.CONST_ALLOC_SIZE_OR_ZERO:
            size = value
        elif arg.type == ArgType.CONST_SIZE and not value:
            raise Fault(f"argument {index + 1} of {proto.name} is a size of 0")
        elif arg.type not in _PLAIN:
            raise NotModelled(f"argument {arg.type.name}")
    if proto.name == "tail_call" and rng.random() < 0.5:
        raise Ended
    if proto.ret.type == RetType.PTR_TO_MAP_VALUE:
        return _look_up(machine, proto.name, owner)
    if proto.ret.type in _RESULTS:
        if proto.ret.may_be_null and rng.random() < 0.4:
            return 0
        kind = _RESULTS[proto.ret.type]
        made = machine.make(kind, bytearray(machine.interesting(size if kind == "ring" else 112)))
        made.is_held = proto.name in _ACQUIRES
        return made.base
    if proto.ret.type not in (RetType.INTEGER, RetType.VOID):
        raise NotModelled(f"result {proto.ret.type.name}")
    if number in CHANGES_PACKET:
        machine.move_packet()
    if number in _BOUNDED_RESULT:
        return rng.choice((-14, -1, 0, size, rng.randint(0, size)))
    return 0 if proto.name == "get_smp_processor_id" else int.from_bytes(machine.interesting(8), "little")


_PLAIN = frozenset(
    {ArgType.ANYTHING, ArgType.SCALAR, ArgType.PTR_TO_CTX, ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO}
)


_OBJECTS = {
    ArgType.PTR_TO_RINGBUF_MEM: "ring",
    ArgType.PTR_TO_SOCK_COMMON: "sock",
    ArgType.PTR_TO_SOCKET: "sock",
    ArgType.PTR_TO_BTF_ID_SOCK_COMMON: "sock",
}
_RESULTS = {
    RetType.PTR_TO_MEM: "ring",
    RetType.PTR_TO_SOCKET: "sock",
    RetType.PTR_TO_TCP_SOCK: "sock",
    RetType.PTR_TO_SOCK_COMMON: "sock",
}
_ACQUIRES = frozenset({"ringbuf_reserve", "sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp"})


def _pass_object(machine: Machine, arg: Arg, address: int, name: str) -> None:
    """The helper uses, or takes away, an object that another helper gave."""
    if not address and arg.may_be_null:
        return
    found = machine.object_at(address)
    if found is None or not found.is_live or found.kind != _OBJECTS[arg.type] or address != found.base:
        raise Fault(f"{name} of 0x{address:x}, which is no {_OBJECTS[arg.type]}")
    if arg.flags & TypeFlag.RELEASE:
        if not found.is_held:
            raise Fault(f"{name} of what is not held")
        found.is_held = found.is_live = False


def _pass_memory(machine: Machine, arg: Arg, address: int, size: int) -> None:
    """The helper reads, or writes at random, ``size`` bytes."""
    if not address and arg.may_be_null:
        return
    found, off = machine.place(address, size, f"helper's use of memory ({arg.flags!r})")
    if found.kind == "ctx":
        raise Fault("the context is passed as memory")
    if arg.flags & (TypeFlag.WRITE | TypeFlag.UNINIT):
        machine.check_writable(found)
        found.data[off : off + size] = machine.interesting(size)


def _look_up(machine: Machine, name: str, owner: int) -> int:
    """An element's address, or 0: for arrays by the key, for others whatever there is."""
    spec, values = machine.maps[owner], machine.values[owner]
    if name == "map_lookup_elem" and spec.map_type in _ARRAYS:
        place, off = machine.place(machine.regs[2], spec.key_size, "load")
        found = values.get(bytes(place.data[off : off + spec.key_size]))
    else:
        found = machine.rng.choice([*values.values(), None])
    return found.base if found else 0


def _signed_division(op: Alu, bits: int, number: int, operand: int) -> int:
    """Division towards zero; by zero gives 0, and the remainder leaves the number."""
    a, b = signed(number, bits), signed(operand, bits)
    width = (1 << bits) - 1
    if not b:
        return 0 if op == Alu.DIV else number & width
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return (quotient if op == Alu.DIV else a - quotient * b) & width
