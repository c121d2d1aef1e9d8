"""bpf-load map: show, dump, lookup, update, delete, next, freeze. The other commands have files of their own."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from toolchain.cli import map_entries, render
from toolchain.cli.addressing import live_maps, open_map, open_program, take_element, take_reference, take_slot
from toolchain.cli.common import Action, Command, Group, Settings
from toolchain.cli.keepers import Keepers
from toolchain.cli.map_create import create
from toolchain.cli.map_resize_command import resize
from toolchain.cli.map_transfer_command import export_map, import_map
from toolchain.cli.map_watch import watch
from toolchain.cli.typed_values import hex_list
from toolchain.cli.values import parse_bytes
from toolchain.errors import MapError, Unsupported, UsageError
from toolchain.isa.map_types import FD_VALUE_TYPES, PERCPU_TYPES, MapType
from toolchain.spec.maps import key_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.cli.addressing import Element
    from toolchain.spec.runtime import Handle, MapHandle, MapInfo, Runtime

_WORDS = {"ignore_unknown_options": True, "allow_interspersed_args": True, "help_option_names": ["-h", "--help"]}
"""Words that begin with '-' may be negative numbers."""


@click.group(cls=Group, name="map")
def map_group() -> None:
    """Show and change maps. A map is PIN, id N, name X or fd N; bpftool's words (pinned, key, value, hex) work too.

    KEY and VALUE are one number of the whole size, as many numbers as bytes, or hex followed by bytes.
    """


def _map_command(name: str, help_text: str, metavar: str, action: Callable[..., int]) -> None:
    """Add a command that takes a map and words about it."""

    @map_group.command(name=name, cls=Command, help=help_text, context_settings=_WORDS)
    @click.argument("words", metavar=metavar, nargs=-1)
    def command(settings: Settings, words: tuple[str, ...]) -> Action:
        return partial(_with_map, settings, words, action)


def _with_map(settings: Settings, words: tuple[str, ...], action: Callable[..., int]) -> int:
    reference, rest = take_reference(words, "map")
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        handle, info = open_map(runtime, reference, stack)
        return action(settings, runtime, handle, info, rest)


@map_group.command(cls=Command)
@click.argument("words", metavar="[MAP]", nargs=-1)
def show(settings: Settings, words: tuple[str, ...]) -> Action:
    """Show a map, or all maps."""
    if not words:
        return partial(_show_all, settings)
    return partial(_with_map, settings, words, _show)


def _show(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    _refuse_rest(words)
    keepers = Keepers(runtime, "map", handle)
    if settings.as_json:
        document = {"schema": "bpf-load.map-show/1", "map": map_entries.map_document(info, keepers)}
        render.write(render.json_text(document))
    else:
        render.write(render.printable(map_entries.map_text(info, keepers)))
    return 0


def _show_all(settings: Settings) -> int:
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        keepers = Keepers(runtime, "map")
        infos = list(live_maps(runtime))
        if settings.as_json:
            maps = [map_entries.map_document(info, keepers) for info in infos]
            render.write(render.json_text({"schema": "bpf-load.map-show/1", "maps": maps}))
        else:
            for info in infos:
                render.write(render.printable(map_entries.map_text(info, keepers)))
    return 0


def _dump(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    _refuse_rest(words)
    if not info.spec.key_size:
        raise Unsupported(f"listing a map without keys ({info.spec.map_type.label})")
    btf = map_entries.map_btf(info)
    if settings.as_json:
        entries = [map_entries.entry_document(info, btf, key, value) for key, value in handle.items()]
        document = {"schema": "bpf-load.map-dump/1", "map": map_entries.map_document(info), "entries": entries}
        render.write(render.json_text(document))
    else:
        for line in map_entries.entry_lines(info, btf, handle.items()):
            render.write(render.printable(line))
    return 0


def _lookup(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    key = _key(take_element(words, takes_value=False), info)
    value = handle.lookup(key)
    if value is None:
        import errno

        what = f"no such key: {key_words(key)}" if key else "empty"
        raise MapError(f"map {info.spec.name!r}: {what}", errno.ENOENT)
    btf = map_entries.map_btf(info)
    if settings.as_json:
        document = {"schema": "bpf-load.map-lookup/1", **map_entries.entry_document(info, btf, key, value)}
        render.write(render.json_text(document))
    else:
        before = f"{map_entries.key_text(info, btf, key)}: " if key else ""
        render.write(render.printable(before + map_entries.value_text(info, btf, value)))
    return 0


def _update(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    if info.spec.map_type in FD_VALUE_TYPES:
        return _update_slot(settings, runtime, handle, info, words)
    element = take_element(words, takes_value=True)
    key = _key(element, info)
    value = parse_bytes(element.value, info.spec.value_size, "value")
    if info.spec.map_type in PERCPU_TYPES:
        from toolchain.loader.pipeline import possible_cpus

        value = value.ljust((len(value) + 7) // 8 * 8, b"\0") * possible_cpus()
    handle.update(key, value, int(element.flag))
    return _done(settings, "map-update")


def _update_slot(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    """Put a program or a map, which PIN, id N or name X names, into a slot."""
    what = "prog" if info.spec.map_type is MapType.PROG_ARRAY else "map"
    element, reference = take_slot(words, what)
    opener: Callable[..., tuple[Handle, Any]] = open_program if what == "prog" else open_map
    with ExitStack() as stack:
        held, _ = opener(runtime, reference, stack)
        handle.update(_key(element, info), struct.pack("=i", held.fileno()), int(element.flag))
    return _done(settings, "map-update")


def _freeze(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    _refuse_rest(words)
    handle.freeze()
    return _done(settings, "map-freeze")


def _delete(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    handle.delete(_key(take_element(words, takes_value=False), info))
    return _done(settings, "map-delete")


def _next(settings: Settings, runtime: Runtime, handle: MapHandle, info: MapInfo, words: tuple[str, ...]) -> int:
    key = _key(take_element(words, takes_value=False), info) if words else None
    following = handle.next_key(key)
    if following is None:
        import errno

        after = f"no key after {key_words(key)}" if key is not None else "no keys"
        raise MapError(f"map {info.spec.name!r}: {after}", errno.ENOENT)
    if settings.as_json:
        document: dict[str, Any] = {"schema": "bpf-load.map-next/1", "next_key": hex_list(following)}
        render.write(render.json_text(document))
    else:
        render.write(render.printable(map_entries.key_text(info, map_entries.map_btf(info), following)))
    return 0


def _key(element: Element, info: MapInfo) -> bytes:
    if not element.key and info.spec.key_size:
        raise UsageError("no key given", hint=f"the key has {info.spec.key_size} bytes")
    return parse_bytes(element.key, info.spec.key_size, "key")


def _refuse_rest(words: tuple[str, ...]) -> None:
    if words:
        raise UsageError(f"unexpected word: {words[0]}")


def _done(settings: Settings, schema: str) -> int:
    if settings.as_json:
        render.write(render.json_text({"schema": f"bpf-load.{schema}/1"}))
    return 0


_map_command("dump", "Show all entries of a map.", "MAP", _dump)
_map_command("lookup", "Show the value of a key.", "MAP [key] KEY..", _lookup)
_map_command("update",
             "Set the value of a key, on every CPU of a per-CPU map. In a prog array or a map of maps, VALUE is: prog"
             " (or map), then PIN, id N or name X.",
             "MAP [key] KEY.. [value] VALUE.. [any|exist|noexist]", _update)  # fmt: skip
_map_command("delete", "Remove a key.", "MAP [key] KEY..", _delete)
_map_command("freeze", "Refuse changes from user space from now on.", "MAP", _freeze)
_map_command("next", "Show the key after KEY, or the first one.", "MAP [[key] KEY..]", _next)
map_group.add_command(watch)
for _command in (create, resize, export_map, import_map):
    map_group.add_command(_command)
