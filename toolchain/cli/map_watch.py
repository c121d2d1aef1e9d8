"""bpf-load map watch: the changes of a map as they happen.

    look | compare with the look before | one line for each element that differs | pause | look again ...

Nothing tells a process that shared memory or a kernel's map was written to, so the map is looked at again and again: a
value that changes and changes back between two looks is not seen. A look at a map of n entries costs time and memory
in proportion to n (about a second and 250 MB for a million), and the pause is never shorter than the look took, so
watching takes half a CPU at most. An element that a look missed, because it moved meanwhile, is asked for by its key
before it is called gone.

Watching keeps no map alive: it is opened for each look, and when it is gone, so is the watch.
"""

from __future__ import annotations

import errno
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from toolchain.cli import map_entries, render
from toolchain.cli.addressing import Reference, open_map, take_reference
from toolchain.cli.common import Action, Command, Settings
from toolchain.errors import PinError, RuntimeUnavailable, ToolchainError, Unsupported, UsageError

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.spec.runtime import MapHandle, MapInfo, Runtime

_ENTRY_OVERHEAD = 200
"""Bytes that Python takes for an entry besides key and value."""
MEMORY_LIMIT = 1 << 30
"""Bytes that a look may take."""

Change = tuple[str, bytes, bytes | None, bytes | None]
"""What happened (initial, insert, update, delete), the key, the value before, the value now."""
Look = dict[bytes, bytes]


@click.command(cls=Command, context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]})
@click.argument("words", metavar="MAP [[key] KEY..]", nargs=-1)
@click.option("--initial", is_flag=True, help="Show what is in the map first.")
@click.option("--interval", type=click.FloatRange(0.001, 86_400), default=0.2, metavar="SECONDS",
              help="Pause between two looks, or as long as a look takes. [default: 0.2]")  # fmt: skip
@click.option("--count", type=click.IntRange(1), default=None, metavar="N", help="End after N changes.")
def watch(settings: Settings, words: tuple[str, ...], initial: bool, interval: float, count: int | None) -> Action:
    """Show changes of a map, or of one key, until interrupted or until the map is gone.

    JSON lines (event, key, old, new, formatted); on a terminal without --json a line of text for each.
    """
    return partial(_watch, settings, words, initial, interval, count)


def _watch(settings: Settings, words: tuple[str, ...], initial: bool, interval: float, count: int | None) -> int:
    reference, rest = take_reference(words, "map")
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        handle, info = open_map(runtime, reference, stack)
        if not info.spec.key_size:
            raise Unsupported(f"watching a map without keys ({info.spec.map_type.label})")
        key = _key(rest, info)
        handle.close()
        as_json = settings.as_json or not sys.stdout.isatty()
        show = partial(_show, info, map_entries.map_btf(info), as_json)
        for change in changes(partial(_opened, runtime, reference, info.id), key, initial, interval):
            show(change)
            if count is not None and change[0] != "initial":
                count -= 1
                if not count:
                    return 0
        render.complain(f"bpf-load: map {info.id} is gone")
    return 0


def _key(words: tuple[str, ...], info: MapInfo) -> bytes | None:
    if not words:
        return None
    from toolchain.cli.addressing import take_element
    from toolchain.cli.values import parse_bytes

    element = take_element(words, takes_value=False)
    if not element.key:
        raise UsageError("no key given", hint=f"the key has {info.spec.key_size} bytes")
    return parse_bytes(element.key, info.spec.key_size, "key")


def changes(
    opened: Callable[[], MapHandle | None], key: bytes | None, initial: bool, interval: float
) -> Iterator[Change]:
    """Every change of a map, or of one key, seen by looking every ``interval`` seconds; ends when the map is gone.

    ``opened`` gives the map for one look, None once it is gone. The first look is shown where ``initial``.
    """
    before: Look | None = None
    while True:
        began = time.monotonic()
        handle = opened()
        if handle is None:
            return
        with handle:
            now: Look = {}
            yield from _compared(handle, key, before, now, initial)
            before = now
        sys.stdout.flush()
        _require_reader()
        time.sleep(max(interval, time.monotonic() - began))


def _require_reader() -> None:
    """Raise BrokenPipeError where nobody reads our output any more: without changes no write would tell."""
    waiting = select.poll()
    try:
        waiting.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # no file: the output of a program that calls this one
        return
    if waiting.poll(0):
        raise BrokenPipeError


def _compared(handle: MapHandle, key: bytes | None, before: Look | None, now: Look, initial: bool) -> Iterator[Change]:
    """One look, which fills ``now``: what differs from the look before, as soon as it is found."""
    for each, value in _entries(handle, key):
        now[each] = value
        old = None if before is None else before.get(each)
        if before is None:
            if initial:
                yield "initial", each, None, value
        elif old is None:
            yield "insert", each, None, value
        elif old != value:
            yield "update", each, old, value
    missing = [] if before is None else [(each, old) for each, old in before.items() if each not in now]
    for each, old in missing:
        found = handle.lookup(each)
        if found is None:
            yield "delete", each, old, None
            continue
        now[each] = found
        if found != old:
            yield "update", each, old, found


def _entries(handle: MapHandle, key: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """The entries, or the one of a key. Raises ToolchainError where they are more than memory should hold."""
    if key is not None:
        value = handle.lookup(key)
        if value is not None:
            yield key, value
        return
    size = 0
    for each, value in handle.items():
        size += len(each) + len(value) + _ENTRY_OVERHEAD
        if size > MEMORY_LIMIT:
            limit = f"{MEMORY_LIMIT >> 20} MB"
            raise ToolchainError(f"map too large to be watched as a whole: more than {limit}", hint="watch one key")
        yield each, value


def _opened(runtime: Runtime, reference: Reference, id: int) -> MapHandle | None:
    """The map, for one look. Who may not open maps by their ids opens the pin, as long as it is this map's."""
    try:
        return runtime.map_by_id(id)
    except PinError as error:
        if error.errno != errno.ENOENT:
            raise
        return None
    except RuntimeUnavailable:
        if reference.kind == "name":
            raise
    with ExitStack() as stack:
        try:
            handle, info = open_map(runtime, reference, stack)
        except PinError as error:
            if error.errno != errno.ENOENT:
                raise
            return None
        if info.id != id:
            return None
        stack.pop_all()
        return handle


def _show(info: MapInfo, btf: Btf | None, as_json: bool, change: Change) -> None:
    event, key, old, new = change
    if not as_json:
        texts = ["-" if value is None else map_entries.value_text(info, btf, value) for value in (old, new)]
        text = texts[1] if event == "initial" else " -> ".join(texts)
        render.write(render.printable(f"{map_entries.key_text(info, btf, key)}: {text}"))
        return
    document: dict[str, Any] = {"schema": "bpf-load.map-watch/1", "time": round(time.time(), 3), "event": event}
    render.write(render.json_text(document | map_entries.change_document(info, btf, key, old, new)))
