"""bpf-load fd-send and fd-recv: live objects from one process to another, over a Unix socket, with or without pins.

receiver   bpf-load fd-recv /run/uds -- bpf-load map dump fd 3          waits; tc's import, on both runtimes
sender     bpf-load fd-send /run/uds tc/globals/acc                     the message is tc's
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Settings
from toolchain.errors import FilePlace, ToolchainError, UsageError

if TYPE_CHECKING:
    from toolchain.loader.hand_over import Received
    from toolchain.spec.runtime import Handle, Runtime

_SECONDS = click.FloatRange(0, 86_400)


@click.command(cls=Command)
@click.argument("socket", metavar="SOCKET")
@click.argument("objects", metavar="OBJECT...", nargs=-1, required=True)
@click.option("--wait", type=_SECONDS, default=0.0, metavar="SECONDS", help="Wait so long for a receiver. [default: 0]")
@click.option("--name", default="", help="What to call them together; tc gives the object file's path here.")
def fd_send(settings: Settings, socket: str, objects: tuple[str, ...], wait: float, name: str) -> Action:
    """Hand maps, programs and links to the process that awaits them at SOCKET, in tc's format.

    An OBJECT is a PIN, or map:ID, prog:ID, link:ID, fd:N. The receiver holds what it is given, pinned or not.
    """
    return partial(_send, settings, socket, objects, wait, name)


@click.command(cls=Command)
@click.argument("socket", metavar="SOCKET")
@click.argument("words", metavar="[-- CMD ...]", nargs=-1)
@click.option("--pin", metavar="PATH", default="", help="Pin what comes: one object at PATH, several below it by name.")
@click.option("--timeout", type=_SECONDS, default=None, metavar="SECONDS", help="Wait no longer. [default: for ever]")
def fd_recv(settings: Settings, socket: str, words: tuple[str, ...], pin: str, timeout: float | None) -> Action:
    """Make SOCKET, await one message of objects there, and pin them, or run CMD with them, or just show them.

    CMD finds its descriptors in BPF_MAP0, BPF_PROG1 ..., by the sender's numbers, and BPF_NUM_MAPS, as with tc's
    import. 'bpf-load map dump fd N' and the like take such a descriptor.
    """
    return partial(_receive, settings, socket, words, pin, timeout)


def open_object(runtime: Runtime, text: str, stack: ExitStack) -> Handle:
    """What PIN, map:ID, prog:ID, link:ID or fd:N names; closed with ``stack``."""
    from toolchain.cli.addressing import open_fd, open_pin

    kind, colon, number = text.partition(":")
    openers = {"map": runtime.map_by_id, "prog": runtime.prog_by_id, "link": runtime.link_by_id}
    if colon and kind == "fd":
        return open_fd(runtime, number, stack)
    if colon and kind in openers:
        if not number.isdecimal() or not 0 < int(number) < 1 << 32:
            raise UsageError(f"no id: {text} (map:ID, prog:ID, link:ID)")
        return stack.enter_context(openers[kind](int(number)))
    return open_pin(runtime, text, stack)


def _send(settings: Settings, socket: str, objects: tuple[str, ...], wait: float, name: str) -> int:
    from toolchain.loader.hand_over import Received, kind_of, send_objects

    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        handles = [open_object(runtime, text, stack) for text in objects]
        send_objects(socket, handles, name, wait)
        sent = [Received(handle, number, kind_of(handle)) for number, handle in enumerate(handles)]
        _show(settings, "fd-send", name, sent, {})
    return 0


def _receive(settings: Settings, socket: str, words: tuple[str, ...], pin: str, timeout: float | None) -> int:
    from toolchain.loader.hand_over import Receiver
    from toolchain.loader.runtimes import relative_pin

    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        pin = relative_pin(runtime.pin_root, pin) if pin else ""
        with Receiver(socket) as receiver:
            name, received = receiver.receive(runtime, timeout)
        for each in received:
            stack.callback(each.handle.close)
        pins = _pinned(runtime, received, pin) if pin else {}
        if words:
            run(words, received)
        _show(settings, "fd-recv", name, received, pins)
    return 0


def run(words: Sequence[str], received: Sequence[Received]) -> NoReturn:
    """Become another command, which has the objects open. Raises ToolchainError where there is none of that name."""
    from toolchain.loader.hand_over import environment

    for each in received:
        os.set_inheritable(each.handle.fileno(), True)
    sys.stdout.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a child would inherit that
    try:
        os.execvpe(words[0], list(words), {**os.environ, **environment(received)})
    except (OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise ToolchainError(f"cannot run: {text}", FilePlace(words[0])) from error


def _pinned(runtime: Runtime, received: Sequence[Received], pin: str) -> dict[int, str]:
    """Pin all objects, or none: their pins, by number in the message."""
    from toolchain.loader.pinning import pin_all

    if len(received) == 1:
        paths = [pin]
    else:
        paths = [f"{pin.rstrip('/')}/{_name_of(each).replace('.', '_')}" for each in received]
    pin_all(runtime, [(each.handle, path) for each, path in zip(received, paths, strict=True)])
    return {each.number: path for each, path in zip(received, paths, strict=True)}


def _name_of(each: Received) -> str:
    """An object's own name; where it has none, its kind and id."""
    info: Any = each.handle.info()  # type: ignore[attr-defined]
    name: str = info.spec.name if each.kind == "map" else info.name if each.kind == "prog" else ""
    return name or f"{each.kind}{each.handle.id}"


def _show(settings: Settings, verb: str, name: str, objects: Sequence[Received], pins: dict[int, str]) -> None:
    rows = [
        {"kind": each.kind, "id": each.handle.id, "name": _name_of(each), "number": each.number,
         "pin": pins.get(each.number)}
        for each in objects
    ]  # fmt: skip
    if settings.as_json:
        render.write(render.json_text({"schema": f"bpf-load.{verb}/1", "from": name, "objects": rows}))
        return
    for row in rows:
        place = f", pinned at {row['pin']}" if row["pin"] else ""
        render.write(render.printable(f"{row['kind']} {row['id']} {row['name']}, number {row['number']}{place}"))
