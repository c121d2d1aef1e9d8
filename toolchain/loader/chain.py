"""Chain: packets through everything that is attached to a hook, as a device would send them.

    packet --> program --> program --> ...      ingress, egress
                 | verdict                      -1 (TCX_NEXT): on to the next one, with the packet and the marks on it
                 v                              as this one left them; any other value ends the chain
    no verdict, at the end: the packet passes   xdp: one program, whose value is the verdict

The chain is looked up anew before each run of packets, so a change of the hook takes effect at once: with the next
packet where packets come one at a time, within a few milliseconds in a run of them. Nothing here holds a link: one
whose last holder dies is off the chain by that.

Marks are what a test run takes and gives back of a packet's context: mark, priority, cb, tstamp. Others (tc_index,
queue_mapping, tc_classid) begin anew in each program.

Source: kernel order and verdicts, net/core/dev.c (tcx_run) and include/net/tcx.h (tcx_action_code), Linux 6.12.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Protocol, cast

from toolchain.errors import PinError
from toolchain.isa.program_types import ProgType
from toolchain.spec.runtime import HookInfo, ProgHandle, RunResult, Runtime, Target

NEXT = 0xFFFFFFFF
"""TCX_NEXT as an unsigned 32-bit value."""
_CTX_SIZE = 192
_CARRIED = ((8, 4), (32, 4), (48, 20), (152, 8))
"""(offset, size) in struct __sk_buff of mark, priority, cb and tstamp."""
_STEP_SECONDS = 0.002
"""How long a run of packets may take before the hook is looked at again."""
_LONGEST = 4096
_ATTEMPTS = 100


class Outcome(NamedTuple):
    """What became of a packet. ``retval`` is the verdict, None where no program gave one: it passes.

    ``ran`` are the places in the chain that it came by; ``data`` the packet afterwards.
    """

    retval: int | None
    data: bytes
    ran: int
    redirect_ifindex: int = 0


class Chain:
    """What is attached to a hook now. Owns: handles on the programs, not on the links; ``close`` lets them go.

    ``seen`` is what the hook said last; ``changes`` counts how often that was news.
    """

    def __init__(self, runtime: Runtime, target: Target, opened: Callable[[ProgHandle], None] | None = None) -> None:
        """``opened`` is called with each program before it runs first."""
        self.target = target
        self.seen = HookInfo()
        self.changes = -1
        self.programs: tuple[ProgHandle, ...] = ()
        self._runtime = runtime
        self._opened = opened or (lambda handle: None)
        self._stack = ExitStack()
        self.refresh()

    def refresh(self) -> bool:
        """Look at the hook; whether it has changed. Raises LoadError, PinError."""
        seen = self._runtime.query(self.target)
        if self.changes >= 0 and seen == self.seen:
            return False
        for attempt in range(_ATTEMPTS):
            with ExitStack() as stack:
                try:
                    programs = tuple([stack.enter_context(self._runtime.prog_by_id(each)) for each in seen.prog_ids])
                except PinError:  # it went after the list was read: at the next look it is on the list no more
                    if attempt == _ATTEMPTS - 1:
                        raise
                else:
                    for handle in programs:
                        self._opened(handle)
                    self._stack.close()
                    self._stack, self.programs = stack.pop_all(), programs
                    break
            time.sleep(0.001)
            seen = self._runtime.query(self.target)
        self.seen = seen
        self.changes += 1
        return True

    def run(self, packets: Sequence[bytes]) -> Iterator[Outcome]:
        """Send packets through, in order. The hook is looked at before the first one, and as often as time goes by."""
        at, count = 0, 1
        while at < len(packets):
            self.refresh()
            chunk = packets[at : at + count]
            begin = time.monotonic()
            outcomes = self._run(chunk)
            taken = time.monotonic() - begin
            at += len(chunk)
            count = max(1, min(2 * count if taken < _STEP_SECONDS / 2 else count // 2, _LONGEST))
            yield from outcomes

    def close(self) -> None:
        """Let go. Twice is once."""
        self._stack.close()
        self.programs = ()

    def __enter__(self) -> Chain:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, packets: Sequence[bytes]) -> list[Outcome]:
        if not self.programs:
            return [Outcome(None, data, 0) for data in packets]
        if len(self.programs) > 1:
            return [self._one(data) for data in packets]
        (program,) = self.programs
        if hasattr(program, "run_batch"):
            results = cast(_Batching, program).run_batch(packets)
        else:
            results = tuple(program.run(data) for data in packets)
        return [self._outcome(result, 1) for result in results]

    def _one(self, data: bytes) -> Outcome:
        ctx = bytes(_CTX_SIZE)
        for ran, program in enumerate(self.programs, 1):
            result = program.run(data, ctx)
            outcome = self._outcome(result, ran)
            if outcome.retval is not None:
                return outcome
            data, ctx = result.data_out, _carried(result.ctx_out)
        return outcome

    def _outcome(self, result: RunResult, ran: int) -> Outcome:
        retval = None if result.retval == NEXT and self.target.hook != "xdp" else result.retval
        return Outcome(retval, result.data_out, ran, result.redirect_ifindex)


class _Batching(Protocol):
    def run_batch(self, packets: Sequence[bytes]) -> tuple[RunResult, ...]: ...


def passes(prog_type: int, outcome: Outcome) -> bool:
    """Whether a packet goes on: dropped and redirected ones do not, values that TCX has no meaning for pass.

    Source: net/core/dev.c (sch_handle_ingress, bpf_prog_run_generic_xdp), Linux 6.12.
    """
    if prog_type == ProgType.XDP:
        return outcome.retval in (None, 2)
    return outcome.retval not in (2, 7)


def _carried(given: bytes) -> bytes:
    kept = bytearray(_CTX_SIZE)
    for offset, size in _CARRIED:
        kept[offset : offset + size] = given[offset : offset + size].ljust(size, b"\0")
    return bytes(kept)
