"""What a run of a program shows: return values, packets and maps, as text or as one JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from toolchain.cli import render
from toolchain.cli.common import Settings
from toolchain.cli.map_changes import Change, Snapshot, changes, snapshot
from toolchain.cli.map_entries import key_text, map_btf, value_text
from toolchain.cli.verdicts import verdict_text
from toolchain.errors import ExpectationError
from toolchain.loader.captures import Packet

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.spec.runtime import MapHandle, MapInfo, ProgHandle, RunResult

_SHOWN_CHANGES = 32
"""Changed entries of a map that are shown as text; -v shows all."""


class Subject(NamedTuple):
    """The program that runs and the maps that it uses, by name."""

    handle: ProgHandle
    name: str
    prog_type: int
    maps: dict[str, MapHandle]


class RunReport:
    """Gathers the runs and shows them: one run in full, many as counts (and each with -v)."""

    def __init__(self, settings: Settings, subject: Subject) -> None:
        self._settings = settings
        self._subject = subject
        self._returned: Counter[int] = Counter()
        self._rows: list[dict[str, Any]] = []
        self._last: tuple[Packet, RunResult] | None = None
        self._rewritten = 0
        self._duration_ns = 0

    def add(self, packet: Packet, result: RunResult) -> None:
        """Count one run."""
        self._returned[result.retval] += 1
        self._rewritten += result.data_out != packet.data
        self._duration_ns += result.duration_ns
        self._last = packet, result
        if self._settings.as_json:
            self._rows.append(_row(result))
            return
        for line in result.trace.splitlines():
            render.write(f"trace: {render.printable(line)}")
        if self._settings.verbosity:
            text = verdict_text(self._subject.prog_type, result.retval)
            render.write(f"packet {self._returned.total()}: {len(packet.data)} bytes, returned {text}")

    def finish(self, before: dict[str, Snapshot | None], repeat: int, expected: int | None) -> int:
        """Show everything. Raises ExpectationError where a run returned something else than expected.

        With --json that error is part of the one document, and only its exit status is returned.
        """
        differing = [
            (name, handle, self._map_changes(handle, before[name])) for name, handle in self._subject.maps.items()
        ]
        error = self._unexpected(expected)
        if self._settings.as_json:
            self._write_json(differing, error)
            return error.exit_status if error is not None else 0
        self._show(differing, repeat)
        if error is not None:
            raise error
        return 0

    def _show(self, differing: list[tuple[str, MapHandle, list[Change] | None]], repeat: int) -> None:
        total, kind = self._returned.total(), self._subject.prog_type
        if total == 1 and self._last is not None:
            self._show_one(*self._last)
        else:
            render.write(f"{render.counted(total, 'packet')}, {self._rewritten} of them changed")
            for retval, count in sorted(self._returned.items()):
                render.write(f"  {count:>8} returned {verdict_text(kind, retval)}")
        if repeat > 1 and total:
            render.write(f"{self._duration_ns / total:.0f} ns a run")
        for name, handle, found in differing:
            show_changes(name, handle, found, self._settings.verbosity)

    def _unexpected(self, expected: int | None) -> ExpectationError | None:
        wrong = {retval: count for retval, count in self._returned.items() if retval != expected}
        if expected is None or not wrong:
            return None
        kind = self._subject.prog_type
        met = ", ".join(f"{verdict_text(kind, retval)} ({count} times)" for retval, count in sorted(wrong.items()))
        return ExpectationError(f"{self._subject.name}: returned {met} ({verdict_text(kind, expected)} expected)")

    def _map_changes(self, handle: MapHandle, before: Snapshot | None) -> list[Change] | None:
        after = snapshot(handle) if before is not None else None
        return changes(before, after) if before is not None and after is not None else None

    def _write_json(
        self, differing: list[tuple[str, MapHandle, list[Change] | None]], error: ExpectationError | None
    ) -> None:
        maps = [changes_document(*each) for each in differing]
        document = {"schema": "bpf-load.run/1", "program": self._subject.name, "runs": self._rows, "maps": maps}
        if error is not None:
            document |= {"error": error.message, "code": error.code}
        render.write(render.json_text(document))

    def _show_one(self, packet: Packet, result: RunResult) -> None:
        target = f", redirected to interface {result.redirect_ifindex}" if result.redirect_ifindex else ""
        render.write(f"returned {verdict_text(self._subject.prog_type, result.retval)}{target}")
        if result.data_out == packet.data:
            render.write(f"packet unchanged: {len(packet.data)} bytes")
            return
        render.write(f"packet changed: {len(packet.data)} -> {len(result.data_out)} bytes")
        for line in packet_difference(packet.data, result.data_out):
            render.write(line)


def show_changes(name: str, handle: MapHandle, found: list[Change] | None, verbosity: int) -> None:
    """Lines on a map: unchanged, not compared (None), or its changed entries, the first ones without ``verbosity``."""
    name = render.printable(name)
    if found is None:
        render.write(f"map {name}: not compared")
    elif not found:
        render.write(f"map {name}: unchanged")
    else:
        info = handle.info()
        btf = map_btf(info)
        render.write(f"map {name}: {len(found)} {'entry' if len(found) == 1 else 'entries'} changed")
        shown = found if verbosity else found[:_SHOWN_CHANGES]
        for each in shown:
            render.write(render.printable("  " + _change_text(each, info, btf)))
        if len(shown) < len(found):
            render.write(f"  {len(found) - len(shown)} more (-v shows all)")


def changes_document(name: str, handle: MapHandle, found: list[Change] | None) -> dict[str, Any]:
    """The same for --json."""
    rows = [{"key": each.key.hex(), "before": _hex(each.before), "after": _hex(each.after)} for each in found or ()]
    return {"name": name, "id": handle.id, "compared": found is not None, "changes": rows}


def _row(result: RunResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        "retval": result.retval,
        "data_out": result.data_out.hex(),
        "duration_ns": result.duration_ns,
    }
    known = {"insns": result.insn_count, "redirect_ifindex": result.redirect_ifindex, "trace": result.trace}
    return row | {name: value for name, value in known.items() if value}


def _change_text(change: Change, info: MapInfo, btf: Btf | None) -> str:
    old = value_text(info, btf, change.before) if change.before is not None else "none"
    new = value_text(info, btf, change.after) if change.after is not None else "gone"
    return f"{key_text(info, btf, change.key)}: {old} -> {new}"


def _hex(data: bytes | None) -> str | None:
    return data.hex() if data is not None else None


def packet_difference(before: bytes, after: bytes) -> Iterator[str]:
    """Lines of 16 bytes that are not as they were, old and new."""
    for offset in range(0, max(len(before), len(after)), 16):
        old, new = before[offset : offset + 16], after[offset : offset + 16]
        if old != new:
            yield f"  {offset:04x}  - {old.hex(' ')}"
            yield f"        + {new.hex(' ')}"
