"""bpf-load map create: a map that no object declares, in bpftool's words."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Settings
from toolchain.errors import Unsupported, UsageError

if TYPE_CHECKING:
    from toolchain.spec.maps import MapSpec

_NUMBERS = {"key": "key_size", "value": "value_size", "entries": "max_entries", "flags": "map_flags"}
_OTHER_WORDS = ("inner_map", "dev", "offload_dev")


@click.command(cls=Command)
@click.argument("pin", metavar="PIN")
@click.argument("words", metavar="type TYPE key SIZE value SIZE entries N [name X] [flags F]", nargs=-1)
def create(settings: Settings, pin: str, words: tuple[str, ...]) -> Action:
    """Make an empty map and pin it. Sizes are in bytes; the name is the pin's last part if none is given."""
    return partial(_create, settings, pin, parse_definition(pin, words))


def parse_definition(pin: str, words: tuple[str, ...]) -> MapSpec:
    """The definition that the words make. Raises UsageError, Unsupported."""
    from toolchain.isa.map_types import map_type_of
    from toolchain.spec.maps import MapSpec, MapStyle

    found: dict[str, str] = {}
    for at in range(0, len(words), 2):
        word = words[at]
        if word in _OTHER_WORDS:
            raise Unsupported(f"map create {word}", hint="declare the map in an object and load that")
        if word not in ("type", "name", *_NUMBERS):
            raise UsageError(f"unknown word: {word} (type, name, {', '.join(_NUMBERS)})")
        if word in found:
            raise UsageError(f"{word} is given twice")
        if at + 1 == len(words):
            raise UsageError(f"{word} takes a word after it")
        found[word] = words[at + 1]
    missing = [word for word in ("type", "key", "value", "entries") if word not in found]
    if missing:
        raise UsageError(f"{missing[0]} is missing", hint="write: PIN type array key 4 value 8 entries 16")
    try:
        kind = map_type_of(found["type"])
    except ValueError as error:
        raise UsageError(str(error)) from error
    sizes = {field: _number(word, found[word]) for word, field in _NUMBERS.items() if word in found}
    name = found.get("name") or pin.rstrip("/").rpartition("/")[2]
    return MapSpec(
        name,
        kind,
        sizes["key_size"],
        sizes["value_size"],
        sizes["max_entries"],
        sizes.get("map_flags", 0),
        MapStyle.LIVE,
    )


def _number(word: str, text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 32:
        raise UsageError(f"{word} is no number from 0 to 4294967295: {text}")
    return number


def _create(settings: Settings, pin: str, spec: MapSpec) -> int:
    from toolchain.loader.pinning import pin_all
    from toolchain.loader.publish import require_free
    from toolchain.loader.runtimes import relative_pin

    runtime = settings.open_runtime()
    try:
        path = relative_pin(runtime.pin_root, pin)
        require_free(runtime, path)
        with runtime.map_create(spec) as handle:
            pin_all(runtime, [(handle, path)])
            number = handle.id
    finally:
        runtime.close()
    if settings.as_json:
        body = {"id": number, "type": spec.map_type.label, "name": spec.name, "pinned": [path]}
        render.write(render.json_text({"schema": "bpf-load.map-create/1", "map": body}))
    else:
        render.write(render.printable(f"map {spec.name}: {spec.map_type.label}, id {number}, pinned at {path}"))
    return 0
