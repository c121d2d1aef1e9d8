"""bpf-load run --both: one program on the user runtime and on the kernel, with maps of its own on each.

    object --link--> user runtime   --run--> value, packet    compared after each packet
                     kernel runtime --run--> value, packet    maps compared once, after the last one

Pins are not used: both begin with the maps as the object declares them. The process stays on one CPU, so that the
values of per-CPU maps can be compared.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from toolchain.cli import render
from toolchain.cli.common import Settings, explained_by_verify, parse_prog_type
from toolchain.cli.map_changes import changes, snapshot
from toolchain.cli.run_report import Subject, packet_difference
from toolchain.cli.selection import select_one
from toolchain.cli.verdicts import verdict_text
from toolchain.errors import ExpectationError, UsageError
from toolchain.isa.map_types import FD_VALUE_TYPES
from toolchain.loader.captures import Packet
from toolchain.spec.runtime import RunResult, Runtime

_SHOWN = 32
"""Differences that are shown as text; -v shows all."""


class MapDifference(NamedTuple):
    """An element that the two runtimes left differently; None where one has it not."""

    name: str
    key: bytes
    user: bytes | None
    kernel: bytes | None


def run_both(settings: Settings, target: str, options: dict[str, Any], packets: Iterable[Packet]) -> int:
    """Run on both runtimes. Raises ExpectationError where they differ, with --json only its exit status is returned."""
    for name in ("maps", "write_pcap"):
        if options[name]:
            raise UsageError(f"--both uses no pins and writes no capture: --{name.replace('_', '-').rstrip('s')}")
    with ExitStack() as stack, _on_one_cpu():
        user, kernel = (_subject(name, target, options, stack) for name in ("user", "kernel"))
        report = _Report(settings, user)
        for packet in packets:
            report.add(packet, *(each.handle.run(packet.data, repeat=options["repeat"]) for each in (user, kernel)))
        return report.finish(list(map_differences(user, kernel)), options["expect"])


def _subject(runtime_name: str, target: str, options: dict[str, Any], stack: ExitStack) -> Subject:
    """The program of an object on one runtime, with new maps."""
    from dataclasses import replace

    from toolchain.loader.objects import read_object
    from toolchain.loader.pipeline import LoadOptions, load
    from toolchain.loader.runtimes import open_runtime
    from toolchain.spec.maps import Pinning

    obj = read_object(target)
    obj = replace(obj, maps=tuple(each.with_pin(Pinning.NONE) for each in obj.maps))
    kind = parse_prog_type(options["prog_type"])
    chosen = LoadOptions(
        tuple(options["programs"]), tuple(options["sections"]), kind, is_published=False, btf=options["btf"]
    )
    runtime: Runtime = open_runtime(runtime_name)
    stack.callback(runtime.close)
    with explained_by_verify(target):
        loaded = stack.enter_context(load(runtime, obj, select_one(obj, chosen)))
    program = loaded.programs[0]
    maps = {each.spec.name: each.handle for each in loaded.maps}
    return Subject(program.handle, program.program.name, program.program.prog_type, maps)


@contextlib.contextmanager
def _on_one_cpu() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def map_differences(user: Subject, kernel: Subject) -> Iterator[MapDifference]:
    """The elements that differ, of all maps that can be compared."""
    for name, handle in user.maps.items():
        if handle.info().spec.map_type in FD_VALUE_TYPES:  # ids, which each runtime gives by itself
            continue
        ours, theirs = snapshot(handle), snapshot(kernel.maps[name])
        if ours is not None and theirs is not None:
            for each in changes(ours, theirs):
                yield MapDifference(name, each.key, each.before, each.after)


class _Report:
    """Gathers pairs of results and shows those that differ."""

    def __init__(self, settings: Settings, subject: Subject) -> None:
        self._settings = settings
        self._subject = subject
        self._rows: list[dict[str, Any]] = []
        self._count = self._differing = 0
        self._returned: list[int] = []

    def add(self, packet: Packet, user: RunResult, kernel: RunResult) -> None:
        """Compare one run with the other."""
        self._count += 1
        self._returned.append(user.retval)
        is_equal = user.retval == kernel.retval and user.data_out == kernel.data_out
        self._differing += not is_equal
        if self._settings.as_json:
            self._rows.append(_row(user) | {"kernel": _row(kernel)})
        elif not is_equal and (self._differing <= _SHOWN or self._settings.verbosity):
            for line in self._lines(packet, user, kernel):
                render.write(line)

    def _lines(self, packet: Packet, user: RunResult, kernel: RunResult) -> Iterator[str]:
        head = f"packet {self._count}: {len(packet.data)} bytes"
        kind = self._subject.prog_type
        if user.retval != kernel.retval:
            returned = verdict_text(kind, user.retval), verdict_text(kind, kernel.retval)
            yield f"{head}: user returned {returned[0]}, kernel {returned[1]}"
        if user.data_out != kernel.data_out:
            yield f"{head}: user left {len(user.data_out)} bytes (-), kernel {len(kernel.data_out)} (+)"
            yield from packet_difference(user.data_out, kernel.data_out)

    def finish(self, maps: list[MapDifference], expected: str | None) -> int:
        """Show the maps' differences and the sum; the exit status."""
        error = self._error(maps, expected)
        if self._settings.as_json:
            document: dict[str, Any] = {
                "schema": "bpf-load.run/1",
                "program": self._subject.name,
                "runs": self._rows,
                "differing": self._differing,
                "maps": [{"name": name, "compared": True, "differences": found} for name, found in _by_map(maps)],
            }
            if error is not None:
                document |= {"error": error.message, "code": error.code}
            render.write(render.json_text(document))
            return error.exit_status if error is not None else 0
        for each in maps if self._settings.verbosity else maps[:_SHOWN]:
            values = ", ".join(f"{who} {_hex(value) or 'none'}" for who, value in _sides(each))
            render.write(render.printable(f"map {each.name}: {each.key.hex(' ')}: {values}"))
        if error is not None:
            raise error
        render.write(f"packets run: {self._count}, maps compared: {len(self._subject.maps)}: equal on both runtimes")
        return 0

    def _error(self, maps: list[MapDifference], expected: str | None) -> ExpectationError | None:
        name = self._subject.name
        if self._differing or maps:
            counts = f"{self._differing} of {self._count} packets, {len(maps)} map elements"
            return ExpectationError(f"{name}: the runtimes differ: {counts}")
        if expected is None:
            return None
        from toolchain.cli.verdicts import parse_retval

        kind = self._subject.prog_type
        wanted = parse_retval(expected, kind)
        met = sorted({value for value in self._returned if value != wanted})
        if not met:
            return None
        texts = ", ".join(verdict_text(kind, value) for value in met)
        return ExpectationError(f"{name}: returned {texts} ({verdict_text(kind, wanted)} expected)")


def _sides(each: MapDifference) -> tuple[tuple[str, bytes | None], tuple[str, bytes | None]]:
    return ("user", each.user), ("kernel", each.kernel)


def _by_map(maps: list[MapDifference]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    names = dict.fromkeys(each.name for each in maps)
    for name in names:
        found = [each for each in maps if each.name == name]
        yield name, [{"key": each.key.hex(), **{who: _hex(value) for who, value in _sides(each)}} for each in found]


def _row(result: RunResult) -> dict[str, Any]:
    return {"retval": result.retval, "data_out": result.data_out.hex(), "duration_ns": result.duration_ns}


def _hex(data: bytes | None) -> str | None:
    return data.hex() if data is not None else None
