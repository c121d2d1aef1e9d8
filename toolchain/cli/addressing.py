"""How a command line names a map or a program, and a map's keys and values. bpftool's words are understood.

    PIN | pinned PIN | id N | name X | fd N           what
    [key] K.. [value] V.. [any|exist|noexist]         and which element

The words key and value may be left out where key and value are one word each.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple, cast

from toolchain.errors import PinError, PinPlace, ToolchainError, UsageError
from toolchain.isa.map_types import UpdateFlag
from toolchain.loader.runtimes import relative_pin
from toolchain.spec.maps import MAP_NAME_SIZE
from toolchain.spec.runtime import Handle, LinkInfo, MapHandle, MapInfo, ProgHandle, ProgInfo, Runtime

_FLAGS = {"any": UpdateFlag.ANY, "noexist": UpdateFlag.NOEXIST, "exist": UpdateFlag.EXIST}


class Reference(NamedTuple):
    """A map or program as the command line names it: kind is pinned, id, name or fd (a descriptor inherited open)."""

    kind: str
    text: str


def take_reference(words: Sequence[str], what: str) -> tuple[Reference, tuple[str, ...]]:
    """The reference at the start of ``words``, and the words after it. Raises UsageError."""
    if not words:
        raise UsageError(f"no {what} named", hint=f"a {what} is PIN, id N, name X or fd N")
    if words[0] in ("id", "name", "pinned", "fd") and (words[0] != "fd" or len(words) > 1):
        if len(words) < 2:
            raise UsageError(f"{words[0]} takes a word after it")
        return Reference(words[0], words[1]), tuple(words[2:])
    return Reference("pinned", words[0]), tuple(words[1:])


def open_map(runtime: Runtime, reference: Reference, stack: ExitStack) -> tuple[MapHandle, MapInfo]:
    """The map that is meant; closed with ``stack``. Raises ToolchainError where it is none, or several."""
    if reference.kind in ("pinned", "fd"):
        handle, info = _opened(runtime, reference, stack)
        if not isinstance(info, MapInfo):
            raise other_kind(reference, "map", info)
        return cast(MapHandle, handle), info
    if reference.kind == "id":
        found = stack.enter_context(runtime.map_by_id(_number(reference.text)))
        return found, found.info()
    named = [each for each in live_maps(runtime) if _is_name(reference.text, each.spec.name)]
    found = stack.enter_context(runtime.map_by_id(_only("map", reference.text, [each.id for each in named])))
    return found, found.info()


def open_program(runtime: Runtime, reference: Reference, stack: ExitStack) -> tuple[ProgHandle, ProgInfo]:
    """The program that is meant; closed with ``stack``."""
    if reference.kind in ("pinned", "fd"):
        handle, info = _opened(runtime, reference, stack)
        if not isinstance(info, ProgInfo):
            raise other_kind(reference, "program", info)
        return cast(ProgHandle, handle), info
    if reference.kind == "id":
        found = stack.enter_context(runtime.prog_by_id(_number(reference.text)))
        return found, found.info()
    named = [each for each in live_programs(runtime) if _is_name(reference.text, each.name)]
    found = stack.enter_context(runtime.prog_by_id(_only("program", reference.text, [each.id for each in named])))
    return found, found.info()


def _opened(runtime: Runtime, reference: Reference, stack: ExitStack) -> tuple[Handle, object]:
    """What is pinned, or open already, and what it says of itself."""
    if reference.kind == "fd":
        handle = open_fd(runtime, reference.text, stack)
    else:
        handle = open_pin(runtime, reference.text, stack)
    return handle, handle.info()  # type: ignore[attr-defined]


_KINDS: dict[type, tuple[str, str]] = {
    MapInfo: ("map", "map"),
    ProgInfo: ("program", "prog"),
    LinkInfo: ("link", "link"),
}
"""What an object says of itself -> what it is, and the command for it."""


def other_kind(reference: Reference, wanted: str, info: object) -> ToolchainError:
    """The error for an object that is not of the kind that a command takes; it says what to type instead."""
    found, command = _KINDS[type(info)]
    fd = reference.kind == "fd"
    what = f"{'open' if fd else 'pinned'} here is no {wanted} but a {found}"
    words = f"fd {reference.text}" if fd else reference.text
    return ToolchainError(what, PinPlace(words), f"'bpf-load {command} show {words}' shows it")


def open_fd(runtime: Runtime, text: str, stack: ExitStack) -> Handle:
    """The object behind a descriptor that this process inherited; closed with ``stack``. The descriptor stays."""
    if not text.isdecimal() or int(text) > 1 << 20:
        raise UsageError(f"no descriptor: {text} (a number from 0)")
    try:
        copy = fcntl.fcntl(int(text), fcntl.F_DUPFD_CLOEXEC, 0)
    except OSError as error:
        raise PinError("no open file", error.errno or errno.EBADF, PinPlace(f"fd {text}")) from error
    return stack.enter_context(runtime.from_fd(copy))


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
    if words and words[0] == "value":  # a queue or a stack has no keys
        return Element((), words[1:], flag)
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
