"""Runs a vector on an engine of the user runtime and says in what the run differs from what the vector expects."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.vm.vectors import Vector
from toolchain.isa.map_types import PERCPU_TYPES
from toolchain.pin.store import ObjectStore
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, LinkedProgram, VerifiedProgram
from toolchain.verifier import verify
from toolchain.vm.engine import Code, Fault
from toolchain.vm.maps import Map, create_map
from toolchain.vm.program import UserProgram
from toolchain.vm.targets import Targets


@dataclass
class Observed:
    """What a run did. ``elements``: those that the vector asks for, per-CPU values summed, None where there is none."""

    retval: int = 0
    packet: bytes = b""
    ctx: bytes = b""
    elements: dict[tuple[str, bytes], bytes | None] = field(default_factory=dict)
    trace: tuple[str, ...] = ()
    fault: str = ""

    def differences(self, vector: Vector, has_trace: bool = True) -> list[str]:
        """One text for each thing that is not as expected."""
        if vector.fault or self.fault:
            return [] if vector.fault and vector.fault in self.fault else [f"fault: {self.fault} ({vector.fault})"]
        found = []
        if self.retval != vector.returns:
            found.append(f"returns {self.retval:#x} ({vector.returns:#x})")
        if vector.packet_after is not None and self.packet != vector.packet_after:
            found.append(f"packet {self.packet.hex()} ({vector.packet_after.hex()})")
        for offset, size, value in vector.ctx_after:
            got = int.from_bytes(self.ctx[offset : offset + size], "little")
            if got != value:
                found.append(f"ctx {offset:#x}: {got:#x} ({value:#x})")
        for name, key, value in vector.after:
            got = self.elements[name, key]
            if got != value:
                found.append(f"{name} {key.hex()}: {got and got.hex()} ({value and value.hex()})")
        if has_trace and vector.trace != self.trace:
            found.append(f"trace {self.trace} ({vector.trace})")
        return found


def run_user(vector: Vector, store: ObjectStore, verified: VerifiedProgram | None) -> Observed:
    """One run in the plain interpreter, or in the checked one where ``verified`` is None."""
    with ExitStack() as stack:
        maps = {spec.name: stack.enter_context(create_map(store, spec)) for spec in vector.maps}
        for name, key, value in vector.before:
            maps[name].update(key, value)
        for spec in vector.maps:
            if spec.is_frozen:
                maps[spec.name].freeze()
        held = list(maps.values())
        others = {each.name: stack.enter_context(_loaded(store, each, held)) for each in vector.others()}
        for name, key, what in vector.slots:
            maps[name][key] = others[what] if what in others else maps[what]
        targets = Targets(store, vector.linked(), held, UserProgram.open, is_checked=verified is None)
        pointers = [handle.pointer for handle in held]
        code = Code(vector.linked(), pointers, verified, takes_anything=True, targets=targets)
        stack.callback(code.close)
        try:
            result = code.run(vector.packet, vector.ctx_bytes, budget=1_000_000)
        except Fault as fault:
            return Observed(fault=fault.message)
        elements = {(name, key): _element(maps[name], key) for name, key, _ in vector.after}
        return Observed(result.retval, result.data_out, result.ctx_out, elements, tuple(result.trace.splitlines()))


def _loaded(store: ObjectStore, program: LinkedProgram, maps: list[Map]) -> UserProgram:
    return UserProgram.load(store, verify(BoundProgram.unpinned(program)), maps)


def hand_verified(vector: Vector) -> VerifiedProgram:
    """A VerifiedProgram without asking the verifier, for what it does not model and does not touch its context."""
    from toolchain.spec.stages import VerifierStats

    return VerifiedProgram(BoundProgram.unpinned(vector.linked()), VerifierStats())


def summed(spec: MapSpec, value: bytes | None) -> bytes | None:
    """A per-CPU value as one: the sum of all CPUs' 8-byte words; any other value as it is."""
    if value is None or spec.map_type not in PERCPU_TYPES:
        return value
    words = struct.unpack(f"<{len(value) // 8}Q", value)
    stride = (spec.value_size + 7) // 8
    sums = [sum(words[word::stride]) & (1 << 64) - 1 for word in range(stride)]
    return struct.pack(f"<{stride}Q", *sums)[: spec.value_size]


def _element(handle: Map, key: bytes) -> bytes | None:
    return summed(handle.spec, handle.lookup(key))
