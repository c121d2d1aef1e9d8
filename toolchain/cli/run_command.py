"""bpf-load run: a program on packets; what it returns, how it changes the packet, what it does to its maps."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from toolchain.cli import render
from toolchain.cli.addressing import open_pin
from toolchain.cli.common import (
    Action,
    Command,
    Settings,
    binding_options,
    explained_by_verify,
    parse_prog_type,
    selection_options,
)
from toolchain.cli.map_changes import snapshot
from toolchain.cli.run_report import RunReport, Subject
from toolchain.cli.selection import is_object, load_options, select_one
from toolchain.cli.verdicts import parse_retval, passed
from toolchain.errors import CaptureError, FilePlace, PinPlace, RuntimeUnavailable, ToolchainError, UsageError
from toolchain.loader.captures import ETHERNET, CaptureWriter, Packet, read_capture

if TYPE_CHECKING:
    from toolchain.spec.runtime import Runtime


@click.command(cls=Command)
@click.argument("target", metavar="OBJ|PIN")
@selection_options
@binding_options
@click.option("--packet", metavar="HEX|@FILE", help="One packet: hex digits, or the bytes of a file. [64 zero bytes]")
@click.option("--pcap", metavar="IN", help="All packets of an Ethernet capture (pcap or pcapng).")
@click.option("--write-pcap", metavar="OUT", help="Write the packets that pass, as the program left them.")
@click.option("--repeat", type=click.IntRange(1, 1_000_000_000), default=1, help="Run this often on each packet.")
@click.option("--both", is_flag=True, help="Run on the kernel too, both with new maps; fail (exit 6) if they differ.")
@click.option("--expect", metavar="RET", help="Fail (exit 6) unless every run returns this: a number or a verdict.")
def run(settings: Settings, target: str, **options: Any) -> Action:
    """Run a program on packets and show the return value and what changed.

    OBJ is loaded for this run only: its maps are reused where they are pinned, no pin is made. PIN is a program
    that was loaded before.
    """
    if options["packet"] and options["pcap"]:
        raise UsageError("--packet and --pcap exclude each other")
    if options["pcap"] and options["write_pcap"] and _is_same(options["pcap"], options["write_pcap"]):
        raise UsageError("--pcap and --write-pcap name the same file")
    return partial(_run, settings, target, options)


def _run(settings: Settings, target: str, options: dict[str, Any]) -> int:
    packets = _packets(options)
    if options["both"]:
        from toolchain.cli.run_both import run_both

        return run_both(settings, target, options, packets)
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        subject = _open_program(runtime, target, options, stack)
        expected = parse_retval(options["expect"], subject.prog_type) if options["expect"] else None
        writer = stack.enter_context(CaptureWriter(options["write_pcap"])) if options["write_pcap"] else None
        before = {name: snapshot(handle) for name, handle in subject.maps.items()}
        report = RunReport(settings, subject)
        for number, packet in enumerate(packets, 1):
            with _named_packet(options["pcap"], number):
                result = subject.handle.run(packet.data, repeat=options["repeat"])
            report.add(packet, result)
            data = passed(subject.prog_type, result) if writer is not None else None
            if writer is not None and data is not None:
                writer.write(packet._replace(data=data, length=0))
        return report.finish(before, options["repeat"], expected)


@contextlib.contextmanager
def _named_packet(capture: str | None, number: int) -> Iterator[None]:
    """An error in the block names the packet of the capture."""
    try:
        yield
    except ToolchainError as error:
        if capture and error.where is None:
            error.where, error.message = FilePlace(capture), f"packet {number}: {error.message}"
        raise


def _is_same(one: str, other: str) -> bool:
    return os.path.exists(other) and os.path.exists(one) and os.path.samefile(one, other)


def _packets(options: dict[str, Any]) -> Iterator[Packet]:
    """What to run on. A single packet is read at once, a capture as it is consumed."""
    if options["pcap"]:
        return _ethernet(options["pcap"], read_capture(options["pcap"]))
    text = options["packet"]
    if not text:
        return iter([Packet(bytes(64))])
    if text.startswith("@"):
        from toolchain.loader.objects import read_bytes

        return iter([Packet(read_bytes(text[1:]))])
    try:
        return iter([Packet(bytes.fromhex(text.removeprefix("0x").replace(":", "")))])
    except ValueError:
        raise UsageError(f"--packet takes hex digits or @FILE: {text[:60]}") from None


def _ethernet(path: str, packets: Iterator[Packet]) -> Iterator[Packet]:
    for packet in packets:
        if packet.link_type != ETHERNET:
            raise CaptureError(f"no Ethernet capture: link type {packet.link_type} ({ETHERNET})", FilePlace(path))
        yield packet


def _open_program(runtime: Runtime, target: str, options: dict[str, Any], stack: ExitStack) -> Subject:
    """A pin if it names one below the pin root, else an object file."""
    if not is_object(runtime.pin_root, target):
        _require_nothing_to_choose(target, options)
        handle = open_pin(runtime, target, stack)
        return _pinned_program(runtime, handle, target, stack)
    from toolchain.loader.objects import read_object
    from toolchain.loader.pipeline import load

    chosen = load_options(options, parse_prog_type(options["prog_type"]), runtime.pin_root, is_published=False)
    obj = read_object(target)
    single = select_one(obj, chosen)
    with explained_by_verify(target):
        loaded = stack.enter_context(load(runtime, obj, single))
    program = loaded.programs[0]
    maps = {each.spec.name: each.handle for each in loaded.maps}
    return Subject(program.handle, program.program.name, program.program.prog_type, maps)


def _require_nothing_to_choose(target: str, options: dict[str, Any]) -> None:
    """A pinned program is chosen, typed and bound already. Raises UsageError."""
    chosen = {"--section": "sections", "--program": "programs", "--type": "prog_type", "--map": "maps"}
    for option, name in chosen.items():
        if options[name]:
            raise UsageError(f"{option} is for object files; this is a pin", PinPlace(target))


def _pinned_program(runtime: Runtime, handle: Any, target: str, stack: ExitStack) -> Subject:
    from toolchain.spec.runtime import ProgInfo

    info = handle.info()
    if not isinstance(info, ProgInfo):
        raise ToolchainError("pinned here is no program but a map", PinPlace(target))
    maps = []
    try:
        maps = [stack.enter_context(runtime.map_by_id(each)) for each in info.map_ids]
    except RuntimeUnavailable as error:
        render.complain(f"bpf-load: warning: what changes in maps is not shown: {error.message}")
    return Subject(handle, info.name, info.prog_type, {each.info().spec.name: each for each in maps})
