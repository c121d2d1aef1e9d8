"""bpf-load pin: what is pinned where."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Group, Settings
from toolchain.errors import PinError, ToolchainError
from toolchain.spec.runtime import PinEntry, Runtime


@click.group(cls=Group, name="pin")
def pin_group() -> None:
    """Show and remove pins."""


@pin_group.command(cls=Command)
@click.argument("below", metavar="[DIR]", default="")
def tree(settings: Settings, below: str) -> Action:
    """Show what is pinned, below DIR or everywhere."""
    return partial(_tree, settings, below)


@pin_group.command(cls=Command)
@click.argument("paths", metavar="PIN...", nargs=-1, required=True)
def rm(settings: Settings, paths: tuple[str, ...]) -> Action:
    """Remove pins. An object lives on while a process or another pin holds it."""
    return partial(_remove, settings, paths)


def _tree(settings: Settings, below: str) -> int:
    from toolchain.loader.runtimes import relative_pin

    runtime = settings.open_runtime()
    try:
        start = relative_pin(runtime.pin_root, below) if below else ""
        entries = sorted(runtime.pins(start), key=lambda each: each.path)
        rows = [(entry, _name(runtime, entry)) for entry in entries]
    finally:
        runtime.close()
    if settings.as_json:
        pins = [{"path": entry.path, "kind": entry.kind, "id": entry.id, "name": name} for entry, name in rows]
        render.write(render.json_text({"schema": "bpf-load.pin-tree/1", "root": runtime.pin_root, "pins": pins}))
        return 0
    render.write(render.printable(runtime.pin_root))
    for line in tree_lines(rows):
        render.write(render.printable(line))
    return 0


def tree_lines(rows: list[tuple[PinEntry, str]]) -> Iterator[str]:
    """The pins, indented below their directories; each directory once. ``rows`` are sorted by path."""
    above: list[str] = []
    for entry, name in rows:
        *parents, leaf = entry.path.split("/")
        for depth, parent in enumerate(parents):
            if above[: depth + 1] != parents[: depth + 1]:
                yield f"{'  ' * (depth + 1)}{parent}/"
        above = parents
        label = f" {name}" if name and name != leaf else ""
        yield f"{'  ' * (len(parents) + 1)}{leaf}  {entry.kind} {entry.id}{label}"


def _name(runtime: Runtime, entry: PinEntry) -> str:
    """The object's own name, which its pin need not be; '' where it has gone meanwhile."""
    try:
        if entry.kind == "map":
            with runtime.map_by_id(entry.id) as found:
                return found.info().spec.name
        if entry.kind == "prog":
            with runtime.prog_by_id(entry.id) as program:
                return program.info().name
    except PinError:
        pass
    return ""


def _remove(settings: Settings, paths: tuple[str, ...]) -> int:
    from toolchain.loader.runtimes import relative_pin

    runtime = settings.open_runtime()
    faults: list[ToolchainError] = []
    try:
        for path in paths:
            try:
                runtime.unpin(relative_pin(runtime.pin_root, path))
            except ToolchainError as error:
                faults.append(error)
    finally:
        runtime.close()
    if faults:
        faults[0].faults = tuple(faults) if len(faults) > 1 else ()
        raise faults[0]
    if settings.as_json:
        render.write(render.json_text({"schema": "bpf-load.pin-rm/1", "removed": list(paths)}))
    return 0
