"""bpf-load replay: the packets of a capture through what is attached to a hook; what becomes of them, what changed."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Settings
from toolchain.cli.map_changes import Change, Snapshot, changes, snapshot
from toolchain.cli.run_report import changes_document, show_changes
from toolchain.cli.verdicts import signed, verdict_text
from toolchain.errors import CaptureError, FilePlace, ToolchainError, UsageError
from toolchain.isa.program_types import ProgType
from toolchain.loader.captures import ETHERNET, CaptureWriter, Packet, read_capture
from toolchain.loader.chain import NEXT, Chain, Outcome, passes
from toolchain.spec.runtime import HOOKS, MapHandle, ProgHandle, Runtime, Target

_AT_ONCE = 1024
"""Packets that are read ahead; from a pipe each is sent as it comes."""


@click.command(cls=Command)
@click.argument("device", metavar="DEV")
@click.argument("hook", metavar="HOOK")
@click.option("--pcap", metavar="IN", required=True, help="The packets: an Ethernet capture (pcap or pcapng).")
@click.option("--write-pcap", metavar="OUT", help="Write the packets that pass, as the programs left them.")
def replay(settings: Settings, device: str, hook: str, pcap: str, write_pcap: str | None) -> Action:
    """Send the packets of a capture through everything that is attached to HOOK of DEV: ingress, egress or xdp.

    On ingress and egress a program that returns -1 (TCX_NEXT) hands the packet on to the next one; any other value
    ends its way. What is attached, replaced or detached meanwhile takes effect at once.
    """
    if hook not in HOOKS:
        raise UsageError(f"no hook of a device: {hook} ({', '.join(HOOKS)})")
    if write_pcap and os.path.exists(write_pcap) and os.path.exists(pcap) and os.path.samefile(pcap, write_pcap):
        raise UsageError("--pcap and --write-pcap name the same file")
    return partial(_replay, settings, Target(device, hook), pcap, write_pcap)


class _WatchedMap(NamedTuple):
    name: str
    handle: MapHandle
    before: Snapshot | None


class _Maps:
    """The maps of all programs that were in the chain, as each was before its program ran. Owns: their handles."""

    def __init__(self, runtime: Runtime, stack: ExitStack) -> None:
        self._runtime, self._stack = runtime, stack
        self._by_id: dict[int, _WatchedMap] = {}

    def watch(self, program: ProgHandle) -> None:
        """Remember the maps of a program that is about to run."""
        for each in program.info().map_ids:
            if each not in self._by_id:
                handle = self._stack.enter_context(self._runtime.map_by_id(each))
                self._by_id[each] = _WatchedMap(handle.info().spec.name, handle, snapshot(handle))

    def differing(self) -> list[tuple[str, MapHandle, list[Change] | None]]:
        """Each map and what is not as it was; None where that is not known."""
        found = []
        for name, handle, before in self._by_id.values():
            after = snapshot(handle) if before is not None else None
            found.append((name, handle, changes(before, after) if before is not None and after is not None else None))
        return found


class _Counts:
    """What became of the packets."""

    def __init__(self) -> None:
        self.verdicts: Counter[int | None] = Counter()
        self.packets = self.rewritten = self.passed = 0

    def add(self, packet: Packet, outcome: Outcome, is_passed: bool) -> None:
        self.packets += 1
        self.verdicts[outcome.retval] += 1
        self.rewritten += outcome.data != packet.data
        self.passed += is_passed

    def ordered(self) -> list[tuple[int | None, int]]:
        """(verdict, packets), verdicts rising, those without one last."""
        return sorted(self.verdicts.items(), key=lambda each: (each[0] is None, each[0] or 0))


def _replay(settings: Settings, target: Target, source: str, out: str | None) -> int:
    prog_type = ProgType.XDP if target.hook == "xdp" else ProgType.SCHED_CLS
    counts = _Counts()
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        maps = _Maps(runtime, stack)
        chain = stack.enter_context(Chain(runtime, target, maps.watch))
        first = chain.seen
        writer = stack.enter_context(CaptureWriter(out)) if out else None
        for group in _groups(source):
            for packet, outcome in _sent(chain, source, counts, group):
                is_passed = passes(prog_type, outcome)
                counts.add(packet, outcome, is_passed)
                if settings.verbosity and not settings.as_json:
                    render.write(f"packet {counts.packets}: {_verdict(prog_type, outcome.retval)}")
                if writer is not None and is_passed:
                    writer.write(packet._replace(data=outcome.data, length=0))
        chain.refresh()
        differing = maps.differing()
        if settings.as_json:
            rows = [changes_document(*each) for each in differing]
            render.write(render.json_text(_document(target, prog_type, counts, chain, first.prog_ids) | {"maps": rows}))
            return 0
        _show(target, prog_type, counts, chain)
        for name, handle, found in differing:
            show_changes(name, handle, found, settings.verbosity)
    return 0


def _groups(path: str) -> Iterator[list[Packet]]:
    """The packets, some at once; one by one from a pipe, whose writer may take his time."""
    try:
        size = _AT_ONCE if stat.S_ISREG(os.stat(path).st_mode) else 1
    except OSError:
        size = 1  # reading says what is wrong
    packets = read_capture(path)
    while group := list(islice(packets, size)):
        for packet in group:
            if packet.link_type != ETHERNET:
                raise CaptureError(f"no Ethernet capture: link type {packet.link_type} ({ETHERNET})", FilePlace(path))
        yield group


def _sent(chain: Chain, path: str, counts: _Counts, group: list[Packet]) -> Iterator[tuple[Packet, Outcome]]:
    """Each packet and what became of it. An error names the packets among which one was refused."""
    begin = counts.packets + 1
    try:
        yield from zip(group, chain.run([packet.data for packet in group]), strict=True)
    except ToolchainError as error:
        if error.where is None:
            error.where = FilePlace(path)
            error.message = f"packet {begin}..{begin + len(group) - 1}: {error.message}"
        raise


def _verdict(prog_type: int, retval: int | None) -> str:
    return "no verdict: passed" if retval is None else verdict_text(prog_type, retval)


def _show(target: Target, prog_type: int, counts: _Counts, chain: Chain) -> None:
    render.write(render.printable(f"{target}: {render.counted(len(chain.programs), 'program')}"))
    render.write(
        f"{render.counted(counts.packets, 'packet')}, {counts.rewritten} of them changed, {counts.passed} passed"
    )
    for retval, count in counts.ordered():
        render.write(f"  {count:>8} {_verdict(prog_type, retval)}")
    if chain.changes:
        render.write(f"the hook changed meanwhile: {render.counted(chain.changes, 'time')}")


def _document(target: Target, prog_type: int, counts: _Counts, chain: Chain, first: tuple[int, ...]) -> dict[str, Any]:
    verdicts = [
        {
            "retval": signed(NEXT if retval is None else retval),
            "verdict": _verdict(prog_type, retval),
            "packets": count,
        }
        for retval, count in counts.ordered()
    ]
    return {
        "schema": "bpf-load.replay/1",
        "devname": target.device,
        "hook": target.hook,
        "packets": counts.packets,
        "changed": counts.rewritten,
        "passed": counts.passed,
        "verdicts": verdicts,
        "prog_ids_before": list(first),
        "prog_ids": list(chain.seen.prog_ids),
        "hook_changes": chain.changes,
    }
