"""bpf-load pin: what is pinned where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Group, Settings
from toolchain.errors import ToolchainError, Unsupported
from toolchain.spec.runtime import LinkInfo, MapInfo, PinEntry, Runtime

if TYPE_CHECKING:
    from toolchain.pin.check import Finding
    from toolchain.pin.store import ObjectStore


@click.group(cls=Group, name="pin")
def pin_group() -> None:
    """Show, remove, clean and check pins."""


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


@pin_group.command(cls=Command)
def gc(settings: Settings) -> Action:
    """Remove what no pin and no process holds. Every command does so at its end; this one says what went."""
    return partial(_collect, settings)


@pin_group.command(cls=Command)
@click.option("--repair", "is_repaired", is_flag=True, help="Put right what can be; say what was done.")
def fsck(settings: Settings, is_repaired: bool) -> Action:
    """Check the whole pin tree and every map in it. Ends with 1 where a fault is left. Check a tree at rest."""
    return partial(_check, settings, is_repaired)


def _user_store(settings: Settings, what: str) -> ObjectStore:
    runtime = settings.open_runtime()
    store = getattr(runtime, "store", None)
    if store is None:
        raise Unsupported(f"{what} on the {runtime.name} runtime", hint="a kernel keeps its own objects")
    return cast("ObjectStore", store)


def _collect(settings: Settings) -> int:
    from toolchain.vm.care import collect

    removed = collect(_user_store(settings, "pin gc"))
    if settings.as_json:
        render.write(render.json_text({"schema": "bpf-load.pin-gc/1", "removed": removed}))
        return 0
    for line in [f"removed {each}" for each in removed] or ["nothing to remove"]:
        render.write(line)
    return 0


def _check(settings: Settings, is_repaired: bool) -> int:
    from toolchain.vm.care import inspect
    from toolchain.vm.repair import repair

    store = _user_store(settings, "pin fsck")
    before = inspect(store)
    done = repair(store) if is_repaired else []
    left = inspect(store) if is_repaired else before
    fault_count = sum(each.is_fault for each in left)
    if settings.as_json:
        rows = [{"path": each.path, "message": each.message, "fault": each.is_fault} for each in before]
        rest = [str(each) for each in left] if is_repaired else None
        body = {"root": store.root, "findings": rows, "repaired": done, "left": rest, "faults": fault_count}
        render.write(render.json_text({"schema": "bpf-load.pin-fsck/1", **body}))
    else:
        for line in _check_lines(before, done, left if is_repaired else []):
            render.write(render.printable(line))
    return 1 if fault_count else 0


def _check_lines(before: list[Finding], done: list[str], left: list[Finding]) -> Iterator[str]:
    yield from (f"{'fault' if each.is_fault else 'note'}: {each}" for each in before)
    yield from (f"repaired: {each}" for each in done)
    yield from (f"left: {each}" for each in left)
    if not before:
        yield "sound"


def _tree(settings: Settings, below: str) -> int:
    from toolchain.loader.runtimes import relative_pin

    runtime = settings.open_runtime()
    try:
        start = relative_pin(runtime.pin_root, below) if below else ""
        entries = sorted(runtime.pins(start), key=lambda each: each.path)
        rows = [(entry, entry.name or _name(runtime, entry)) for entry in entries]
    finally:
        runtime.close()
    if settings.as_json:
        pins = [
            {"path": entry.path, "kind": entry.kind, "id": entry.id, "name": name, "bytes_memlock": entry.size}
            for entry, name in rows
        ]
        render.write(render.json_text({"schema": "bpf-load.pin-tree/1", "root": runtime.pin_root, "pins": pins}))
        return 0
    render.write(render.printable(runtime.pin_root))
    can_draw = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    for line in tree_lines(rows, _LINES if can_draw else _ASCII_LINES):
        render.write(line)
    return 0


class _Directory(dict[str, "_Directory | str"]):
    """Names -> directories, or what to say of a pin."""


_LINES = ("├── ", "└── ", "│   ", "    ")
_ASCII_LINES = ("|-- ", "`-- ", "|   ", "    ")
"""Before a name, before the last one; below a directory, below the last one."""


def tree_lines(rows: list[tuple[PinEntry, str]], lines: tuple[str, ...] = _LINES) -> Iterator[str]:
    """The pins as a picture of the tree, with kind, id, size and the object's name where the pin has another."""
    top = _Directory()
    for entry, name in rows:
        *parents, leaf = entry.path.split("/")
        directory = top
        for parent in parents:
            below = directory.setdefault(parent, _Directory())
            directory = below if isinstance(below, _Directory) else _Directory()
        size = f", {_size(entry.size)}" if entry.size else ""
        directory[leaf] = f"{entry.kind} {entry.id}{f' {name}' if name not in ('', leaf) else ''}{size}"
    yield from _branches(top, lines)


def _branches(top: _Directory, lines: tuple[str, ...]) -> Iterator[str]:
    """Without recursion, since others choose the depth."""
    branch, last, beside, blank = lines
    waiting = [(name, what, "", at == len(top) - 1) for at, (name, what) in enumerate(top.items())][::-1]
    while waiting:
        name, what, indent, is_last = waiting.pop()
        start = f"{indent}{last if is_last else branch}"
        if not isinstance(what, _Directory):
            yield f"{start}{render.printable(f'{name}  {what}')}"
            continue
        yield f"{start}{render.printable(name)}/"
        inner = indent + (blank if is_last else beside)
        below = [(each, what[each], inner, at == len(what) - 1) for at, each in enumerate(what)]
        waiting += below[::-1]


def _size(size: int) -> str:
    """Bytes in the largest unit that leaves no more than four digits."""
    for unit in ("B", "KiB", "MiB"):
        if size < 10_000:
            return f"{size} {unit}"
        size = -(-size // 1024)
    return f"{size} GiB"


def _name(runtime: Runtime, entry: PinEntry) -> str:
    """The object's own name, which its pin need not be, or where a link is; '' where it has gone meanwhile."""
    try:
        with runtime.get(entry.path) as found:
            info = found.info() if found.id == entry.id else None  # type: ignore[attr-defined]
    except ToolchainError:
        return ""
    if isinstance(info, LinkInfo):
        return f"{info.device}/{info.hook}" if info.device and info.hook else ""
    return str(info.spec.name if isinstance(info, MapInfo) else getattr(info, "name", ""))


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
