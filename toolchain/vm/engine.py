"""Code: a program as the C core holds it, and runs of it.

    LinkedProgram --Code--> cells in C --run--> RunResult
                                    `--run_batch--> many packets, one call into C

Verified code runs in the plain interpreter, any other in the checked one, where whatever is not allowed ends the run
with a Fault that names the instruction. A Code owns its C program and the machine (packet buffer, stack, trace text) it
runs on, and keeps the maps alive that it was given; it is not for several threads at once.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

from toolchain.errors import InsnPlace, LoadError, ToolchainError, Unsupported
from toolchain.isa.opcodes import LDDW
from toolchain.isa.program_types import ProgType
from toolchain.spec.runtime import RunResult
from toolchain.spec.stages import CtxAccess, LinkedProgram, VerifiedProgram
from toolchain.vm.native import ffi, lib

RUNNABLE_TYPES = frozenset(
    {ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.XDP, ProgType.CGROUP_SKB}
)
"""Program types that the C core has a context for."""
MAX_PACKET_SIZE: int = lib.VM_MAX_PACKET
"""Bytes of the largest packet, its Ethernet header included."""
CTX_SIZE: int = lib.VM_CTX_SIZE
_SLOT = struct.Struct("<BBhi")
_GROWTH = 20_480
"""How much larger than it came in a packet may go out: skb_change_tail gives 16,064 bytes, head and tags hundreds."""
_new_buffer = ffi.new_allocator(should_clear_after_alloc=False)
_SLICE_NS = 100_000_000
_CHUNK = 256
"""Packets of a batch that are in C's hands at a time: bounds the memory of a long batch."""
MAX_IDLE_TARGETS = 1024
"""Programs and maps met in slots that stay open between runs."""
BUDGET = 1 << 26
"""Instructions that an unverified program may execute in one run, unless the caller says otherwise: some 0.1 s."""

_FAULTS: dict[int, str] = {
    lib.VM_FAULT_INSN: "instruction that cannot be executed",
    lib.VM_FAULT_END: "execution past the last instruction",
    lib.VM_FAULT_JUMP: "jump out of the program, to slot {signed}",
    lib.VM_FAULT_LOAD: "load from 0x{address:x}: no memory of the program",
    lib.VM_FAULT_STORE: "store to 0x{address:x}: no memory of the program that it may write",
    lib.VM_FAULT_ALIGN: "atomic access of 0x{address:x}: not a multiple of its size",
    lib.VM_FAULT_FRAMES: "call too deep: {address} frames (8)",
    lib.VM_FAULT_HELPER: "call of a helper that does not exist here",
    lib.VM_FAULT_ARGUMENT: "helper argument 0x{address:x}: not what the helper takes",
    lib.VM_FAULT_FRAME_POINTER: "write of the frame pointer r10",
    lib.VM_FAULT_BUDGET: "instruction budget spent: {count} instructions",
}


class Fault(ToolchainError):
    """An unverified program did what a verified one cannot. ``insn_count`` is how far it came."""

    code = "fault"

    def __init__(self, message: str, where: InsnPlace, insn_count: int) -> None:
        super().__init__(message, where, "verify the program to learn why: bpf-load verify")
        self.insn_count = insn_count


class Resolver(Protocol):
    """Opens what stands in slots of maps (targets.py)."""

    @property
    def count(self) -> int:
        """How many objects are open."""

    def resolve(self, holder: int, id: int) -> Any:
        """The C program or map, NULL where it is gone. Raises nothing."""

    def raise_failure(self) -> None:
        """Raise what went wrong meanwhile."""

    def name_of(self, id: int) -> str:
        """A program's name."""

    def close(self) -> None:
        """Let go of all; they are opened again when asked for."""


@ffi.def_extern()  # type: ignore[untyped-decorator]
def vm_py_resolve(resolver: Any, holder: int, id: int) -> Any:
    """The vm_resolve_fn of every Code that has targets."""
    return ffi.from_handle(resolver).resolve(holder, id)


class Code:
    """A program in C."""

    def __init__(
        self,
        program: LinkedProgram,
        maps: Sequence[Any] = (),
        verified: VerifiedProgram | None = None,
        seed: int = 0,
        takes_anything: bool = False,
        targets: Resolver | None = None,
        id: int = 0,
    ) -> None:
        """Decode ``program``; ``verified`` picks the plain interpreter, None the checked one.

        Shape: ``maps`` are C maps (Map.pointer), parallel to ``program.maps``; who closes one closes this first.
        ``seed``: of the program's random numbers, 0 = unpredictable. ``takes_anything``: unverified code that calls
        helpers which are not modelled is taken too, and faults when it gets there. ``targets``: who opens what stands
        in the slots of its maps; without, they are empty. ``id``: the program's, for faults of a tail call's target.
        Raises: Unsupported for a program type, helper or instruction that is not modelled; LoadError for broken code.
        """
        self.program = program
        self.is_checked = verified is None
        self._maps = tuple(maps)
        self.id = id
        self._targets = targets
        if program.prog_type not in RUNNABLE_TYPES:
            raise Unsupported(f"running programs of type {program.prog_type.label}", program.where)
        self._prog = ffi.gc(self._create(verified, takes_anything), lib.vm_prog_destroy)
        machine = ffi.new("struct vm_machine **")
        if lib.vm_machine_create(seed, machine):
            raise LoadError("cannot make a machine", errno.ENOMEM, program.where)
        self._machine = ffi.gc(machine[0], lib.vm_machine_destroy)
        if targets is not None:
            self._handle = ffi.new_handle(targets)
            lib.vm_machine_set_resolver(self._machine, lib.vm_py_resolve, self._handle)
        self._single, self._out = ffi.new("struct vm_run *"), _new_buffer("uint8_t[]", 2048 + _GROWTH)
        self._trace_size, self._trace_dropped = ffi.new("uint32_t *"), ffi.new("uint64_t *")

    def _create(self, verified: VerifiedProgram | None, takes_anything: bool) -> Any:
        program = self.program
        maps = ffi.new("struct vm_map *[]", self._maps or 1)
        accesses, access_count = _accesses(verified.ctx_accesses if verified else ())
        dead_slots = bytearray(program.slot_count)
        for slot in verified.dead_slots if verified else ():
            dead_slots[slot] = 1
            if program.code[8 * slot] == LDDW and slot + 1 < program.slot_count:
                dead_slots[slot + 1] = 1  # the second slot of a wide load that is never reached
        code, dead = ffi.from_buffer(program.code), ffi.from_buffer(dead_slots)
        readable = writable = 0
        if verified is None:
            from toolchain.vm.context import context_masks

            readable, writable = context_masks(program.prog_type)
        source = ffi.new(
            "struct vm_source *",
            {
                "code": ffi.cast("const uint8_t *", code),
                "slot_count": program.slot_count,
                "prog_type": int(program.prog_type),
                "maps": maps,
                "map_count": len(self._maps),
                "id": self.id,
                "is_checked": verified is None,
                "accesses": accesses,
                "access_count": access_count,
                "dead_slots": ffi.cast("const uint8_t *", dead),
                "ctx_readable": readable,
                "ctx_writable": writable,
            },
        )
        prog, problem = ffi.new("struct vm_prog **"), ffi.new("struct vm_problem *")
        status = lib.vm_prog_create(source, prog, problem)
        if status == lib.VM_OK and problem.value and not takes_anything:
            lib.vm_prog_destroy(prog[0])
            status = lib.VM_UNSUPPORTED_HELPER
        if status:
            raise self._load_error(status, problem.slot, problem.value)
        return prog[0]

    def _load_error(self, status: int, slot: int, value: int) -> ToolchainError:
        where = InsnPlace(self.program.name, slot)
        if status == lib.VM_UNSUPPORTED_HELPER:
            from toolchain.isa.helpers import helper_name

            return Unsupported(f"helper {helper_name(value)} in the user runtime", where)
        if status == lib.VM_UNSUPPORTED_INSN:
            return Unsupported(f"instruction {_form_name(self.program.code, slot)} in the user runtime", where)
        if status == lib.VM_UNSUPPORTED_FIELD:
            return Unsupported(f"context field at offset {value} in the user runtime", where)
        if status == lib.VM_NO_MEMORY:
            return LoadError("cannot load the program", errno.ENOMEM, where)
        if status == lib.VM_BAD_MAP:
            return LoadError(f"wide load of map {value}: no such map, or no address in its value", errno.EINVAL, where)
        return LoadError(f"invalid instruction: opcode 0x{value:02x}", errno.EINVAL, where)

    def run(self, data: bytes, ctx: bytes = b"", repeat: int = 1, budget: int = BUDGET) -> RunResult:
        """Run on one packet, ``repeat`` times, each on what the one before left.

        Shape: ``data`` from the Ethernet header on; ``ctx`` empty or as BPF_PROG_TEST_RUN takes it.
        Raises: LoadError EINVAL for a packet or context that the kernel's test run refuses, Fault.
        """
        self._check(ctx, repeat)
        run = self._single
        source = _prepare(run, data, self._room_for((data,)), ctx)
        status = lib.vm_run_batch(self._machine, self._prog, run, 1, budget)
        if repeat > 1 and not status:
            status = self._again(repeat - 1, budget)
        del source
        trace = self._take_trace()
        if self._targets is not None:
            self._targets.raise_failure()
        if status:
            raise self._run_error(run, len(data))
        return _result(run, len(ctx), trace)

    def _again(self, count: int, budget: int) -> int:
        """The last run ``count`` times more, in slices short enough for Ctrl-C. Gives the status."""
        run, done, total_ns, insn_count, status = self._single, 0, 0, self._single.insn_count, 0
        while done < count and not status:
            step = min(count - done, max(_SLICE_NS // (run.duration_ns + 1), 1))
            status = lib.vm_run_again(self._machine, run, step, budget)
            done, total_ns, insn_count = done + step, total_ns + step * run.duration_ns, insn_count + run.insn_count
        run.duration_ns, run.insn_count = total_ns // done, insn_count
        return int(status)

    def run_batch(self, packets: Iterable[bytes], ctx: bytes = b"", budget: int = BUDGET) -> tuple[RunResult, ...]:
        """Run on each packet in turn, in one call. All are run; then the first failure is raised, if there is one.

        Shape: one result a packet; what trace_printk wrote stands in the last one.
        """
        self._check(ctx, 1)
        rest, results = iter(packets), []
        failure: ToolchainError | None = None
        while chunk := tuple(islice(rest, _CHUNK)):
            runs, out, held = ffi.new("struct vm_run[]", len(chunk)), self._room_for(chunk), []
            for run, data in zip(runs, chunk, strict=True):
                held.append(_prepare(run, data, out, ctx))
                out += len(data) + _GROWTH
            status = lib.vm_run_batch(self._machine, self._prog, runs, len(chunk), budget)
            if status and failure is None:
                failed = next(index for index, run in enumerate(runs) if run.status)
                failure = self._run_error(runs[failed], len(chunk[failed]))
            results += [_result(run, len(ctx)) for run in runs]
            del held
            if self._targets is not None:
                self._targets.raise_failure()
            self._bound_targets()
        trace = self._take_trace()
        if failure is not None:
            raise failure
        if trace:
            results[-1] = replace(results[-1], trace=trace)
        return tuple(results)

    def _room_for(self, packets: Sequence[bytes]) -> Any:
        """Where these packets go afterwards, one behind the other; the next call uses the same memory."""
        size = sum(map(len, packets)) + len(packets) * _GROWTH
        if size > len(self._out):
            self._out = _new_buffer("uint8_t[]", size)
        return self._out + 0

    @property
    def pointer(self) -> Any:
        """The C core's ``struct vm_prog *``, valid until close."""
        return self._prog

    def close(self) -> None:
        """No more runs. Twice is once."""
        self._prog = None
        if self._targets is not None:
            lib.vm_machine_forget(self._machine)
            self._targets.close()

    def _bound_targets(self) -> None:
        """Let go of targets that are too many; not during a run."""
        if self._targets is not None and self._targets.count > MAX_IDLE_TARGETS:
            lib.vm_machine_forget(self._machine)
            self._targets.close()

    def _check(self, ctx: bytes, repeat: int) -> None:
        if self._prog is None:
            raise ValueError("program is closed")
        self._bound_targets()
        if not 1 <= repeat < 1 << 32:
            raise LoadError(f"repeat count: {repeat} (1..4294967295)", errno.EINVAL)
        if len(ctx) > CTX_SIZE:
            raise LoadError(f"context size: {len(ctx)} (at most {CTX_SIZE})", errno.E2BIG)

    def _run_error(self, run: Any, size: int) -> ToolchainError:
        if run.status == lib.VM_BAD_PACKET:
            limits = f"14..{MAX_PACKET_SIZE}, with the whole IP header where there is one"
            return LoadError(f"packet size: {size} ({limits})", errno.EINVAL)
        if run.status == lib.VM_BAD_CONTEXT:
            return LoadError("context sets a field that a run does not take", errno.EINVAL)
        address = int(run.fault_address)
        text = _FAULTS[run.status].format(
            address=address, signed=address - (address >> 63 << 64), count=int(run.insn_count)
        )
        name = self.program.name
        if run.fault_prog != self.id and self._targets is not None:
            name = self._targets.name_of(run.fault_prog)
        return Fault(text, InsnPlace(name, int(run.fault_slot)), int(run.insn_count))

    def _take_trace(self) -> str:
        size, dropped = self._trace_size, self._trace_dropped
        start = lib.vm_trace_text(self._machine, size, dropped)
        if not size[0] and not dropped[0]:
            return ""
        text = ffi.buffer(start, size[0])[:]
        lib.vm_trace_clear(self._machine)
        lost = f"[{dropped[0]} bytes of trace text lost]\n" if dropped[0] else ""
        return _printable(bytes(text).decode("utf-8", "backslashreplace")) + lost


def _accesses(accesses: Sequence[CtxAccess]) -> tuple[Any, int]:
    array = ffi.new("struct vm_ctx_access[]", max(len(accesses), 1))
    for index, access in enumerate(accesses):
        row = array[index]
        row.slot, row.offset, row.size, row.is_write = access.slot, access.offset, access.size, access.is_write
    return array, len(accesses)


def _prepare(run: Any, data: bytes, out: Any, ctx: bytes) -> Any:
    """Fill in what goes into a run. Gives what must live until the run is over."""
    source = ffi.from_buffer("const uint8_t[]", data)
    run.data, run.data_size = source, len(data)
    run.out, run.out_capacity = out, len(data) + _GROWTH
    run.has_ctx = bool(ctx)
    if ctx:
        ffi.memmove(run.ctx, ctx.ljust(CTX_SIZE, b"\0"), CTX_SIZE)
    return source


def _result(run: Any, ctx_size: int, trace: str = "") -> RunResult:
    return RunResult(
        run.retval,
        ffi.buffer(run.out, run.out_size)[:] if run.out_size <= run.out_capacity else b"",
        ffi.buffer(run.ctx, ctx_size)[:] if ctx_size else b"",
        run.duration_ns,
        trace,
        run.redirect_ifindex,
        run.insn_count,
    )


def _printable(text: str) -> str:
    """The text without what would steer a terminal: other control characters than newline and tab are escaped."""
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)


def _form_name(code: bytes, slot: int) -> str:
    from toolchain.isa.forms import form_of
    from toolchain.isa.insn import Insn

    opcode, registers, off, imm = _SLOT.unpack_from(code, slot * 8)
    is_wide = opcode == LDDW
    form = form_of(Insn(opcode, registers & 15, registers >> 4, off, imm, 0 if is_wide else None))
    return form.name if form else f"0x{opcode:02x}"
