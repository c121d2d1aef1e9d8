"""How a command line names a map or a program, and a map's keys and values. bpftool's words are understood.

    PIN | pinned PIN | id N | name X                  what
    [key] K.. [value] V.. [any|exist|noexist]         and which element

The words key and value may be left out where key and value are one word each.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple, cast

from toolchain.errors import PinError, PinPlace, ToolchainError, UsageError
from toolchain.isa.map_types import UpdateFlag
from toolchain.loader.runtimes import relative_pin
from toolchain.spec.maps import MAP_NAME_SIZE
from toolchain.spec.runtime import Handle, MapHandle, MapInfo, ProgHandle, ProgInfo, Runtime

_FLAGS = {"any": UpdateFlag.ANY, "noexist": UpdateFlag.NOEXIST, "exist": UpdateFlag.EXIST}


class Reference(NamedTuple):
    """A map or program as the command line names it: kind is pinned, id or name."""

    kind: str
    text: str


def take_reference(words: Sequence[str], what: str) -> tuple[Reference, tuple[str, ...]]:
    """The reference at the start of ``words``, and the words after it. Raises UsageError."""
    if not words:
        raise UsageError(f"no {what} named", hint=f"a {what} is PIN, id N or name X")
    if words[0] in ("id", "name", "pinned"):
        if len(words) < 2:
            raise UsageError(f"{words[0]} takes a word after it")
        return Reference(words[0], words[1]), tuple(words[2:])
    return Reference("pinned", words[0]), tuple(words[1:])


def open_map(runtime: Runtime, reference: Reference, stack: ExitStack) -> tuple[MapHandle, MapInfo]:
    """The map that is meant; closed with ``stack``. Raises ToolchainError where it is none, or several."""
    if reference.kind == "pinned":
        handle = open_pin(runtime, reference.text, stack)
        info = handle.info()  # type: ignore[attr-defined]
        if not isinstance(info, MapInfo):
            raise ToolchainError("pinned here is no map but a program", PinPlace(reference.text))
        return cast(MapHandle, handle), info
    if reference.kind == "id":
        found = stack.enter_context(runtime.map_by_id(_number(reference.text)))
        return found, found.info()
    named = [each for each in live_maps(runtime) if _is_name(reference.text, each.spec.name)]
    found = stack.enter_context(runtime.map_by_id(_only("map", reference.text, [each.id for each in named])))
    return found, found.info()


def open_program(runtime: Runtime, reference: Reference, stack: ExitStack) -> tuple[ProgHandle, ProgInfo]:
    """The program that is meant; closed with ``stack``."""
    if reference.kind == "pinned":
        handle = open_pin(runtime, reference.text, stack)
        info = handle.info()  # type: ignore[attr-defined]
        if not isinstance(info, ProgInfo):
            raise ToolchainError("pinned here is no program but a map", PinPlace(reference.text))
        return cast(ProgHandle, handle), info
    if reference.kind == "id":
        found = stack.enter_context(runtime.prog_by_id(_number(reference.text)))
        return found, found.info()
    named = [each for each in live_programs(runtime) if _is_name(reference.text, each.name)]
    found = stack.enter_context(runtime.prog_by_id(_only("program", reference.text, [each.id for each in named])))
    return found, found.info()


def open_pin(runtime: Runtime, path: str, stack: ExitStack) -> Handle:
    """What is pinned at ``path``; closed with ``stack``. Raises PinError, and hints at a pin of that name elsewhere."""
    try:
        return stack.enter_context(runtime.get(relative_pin(runtime.pin_root, path)))
    except PinError as error:
        if error.errno == errno.ENOENT and not error.hint and "/" not in path:
            places = [each.path for each in runtime.pins() if each.path.endswith(f"/{path}")]
            error.hint = (
                f"pinned under this name: {', '.join(places[:5])}" if places else "'bpf-load pin tree' lists the pins"
            )
        raise


def live_maps(runtime: Runtime) -> Iterator[MapInfo]:
    """What every map says of itself, by id. One that goes meanwhile is left out."""
    for each in sorted(runtime.map_ids()):
        with contextlib.suppress(PinError), runtime.map_by_id(each) as handle:
            yield handle.info()


def live_programs(runtime: Runtime) -> Iterator[ProgInfo]:
    """What every program says of itself, by id. One that goes meanwhile is left out."""
    for each in sorted(runtime.prog_ids()):
        with contextlib.suppress(PinError), runtime.prog_by_id(each) as handle:
            yield handle.info()


def _is_name(text: str, name: str) -> bool:
    return text in (name, name[:MAP_NAME_SIZE])


def _only(what: str, name: str, ids: list[int]) -> int:
    if not ids:
        raise ToolchainError(f"no {what} of that name: {name}")
    if len(ids) > 1:
        listed = ", ".join(map(str, ids))
        raise ToolchainError(f"several have the name {name}: ids {listed}", hint=f"name one by id: id {ids[0]}")
    return ids[0]


def _number(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = 0
    if not 0 < number < 1 << 32:
        raise UsageError(f"no id: {text} (a number from 1)")
    return number


class Element(NamedTuple):
    """The words of an element operation. Empty where they were not given."""

    key: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    flag: UpdateFlag = UpdateFlag.ANY


def take_element(words: Sequence[str], takes_value: bool) -> Element:
    """Key, value and flag from the words after the map. Raises UsageError."""
    words = tuple(words)
    flag = UpdateFlag.ANY
    if takes_value and len(words) > 2 and words[-1] in _FLAGS:
        flag, words = _FLAGS[words[-1]], words[:-1]
    if words and words[0] == "key":
        words = words[1:]
        at = words.index("value") if "value" in words else len(words)
        return Element(words[:at], words[at + 1 :], flag)
    if not takes_value:
        return Element(words)
    if len(words) == 2:
        return Element(words[:1], words[1:], flag)
    if "value" in words:
        at = words.index("value")
        return Element(words[:at], words[at + 1 :], flag)
    raise UsageError("key and value not told apart", hint="write: key K.. value V..")


def take_slot(words: Sequence[str], what: str) -> tuple[Element, Reference]:
    """Key and flag of a slot, and the program or map for it: [key] K.. prog|map|value REFERENCE [any]. UsageError."""
    words = tuple(words)
    flag = UpdateFlag.ANY
    if len(words) > 2 and words[-1] in _FLAGS:
        flag, words = _FLAGS[words[-1]], words[:-1]
    words = words[1:] if words and words[0] == "key" else words
    marks = [at for at, word in enumerate(words) if word in (what, "value")]
    if not marks:
        raise UsageError(f"no {what} named for the slot", hint=f"write: KEY {what} PIN, or KEY {what} id N")
    reference, rest = take_reference(words[marks[0] + 1 :], "program" if what == "prog" else what)
    if rest:
        raise UsageError(f"unexpected word: {rest[0]}")
    return Element(words[: marks[0]], (), flag), reference
