"""bpf-load link: what is attached, where, and by which links."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Group, Settings
from toolchain.cli.keepers import Keepers
from toolchain.errors import PinError, UsageError
from toolchain.spec.runtime import HOOKS, LinkInfo, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.spec.runtime import LinkHandle, Runtime


@click.group(cls=Group, name="link")
def link_group() -> None:
    """Show and detach links. A link is PIN, id N or fd N."""


@link_group.command(cls=Command)
@click.argument("words", metavar="[LINK | DEV HOOK]", nargs=-1)
def show(settings: Settings, words: tuple[str, ...]) -> Action:
    """Show a link, or all links; or what is attached to ingress, egress or xdp of a device, in order.

    The order of a hook comes with its revision, which 'attach --revision' takes.
    """
    return partial(_show, settings, words)


@link_group.command(cls=Command)
@click.argument("words", metavar="LINK", nargs=-1, required=True)
def detach(settings: Settings, words: tuple[str, ...]) -> Action:
    """Sever a link now, whoever holds it. It stays, with its pins, but is attached to nothing."""
    return partial(_detach, settings, words)


def open_link(runtime: Runtime, words: tuple[str, ...], stack: ExitStack) -> LinkHandle:
    """The link that PIN, ``id N`` or ``fd N`` names; closed with ``stack``. Raises ToolchainError where it is none."""
    from toolchain.cli.addressing import Reference, open_fd, open_pin, other_kind

    kind, text = (words[0], words[1]) if len(words) == 2 else ("pinned", words[0])
    if kind == "id":
        if not text.isdecimal() or not 0 < int(text) < 1 << 32:
            raise UsageError(f"no id: {text} (a number from 1)")
        return stack.enter_context(runtime.link_by_id(int(text)))
    if kind not in ("pinned", "fd") or len(words) > 2:
        raise UsageError(f"no link: {' '.join(words)}", hint="a link is PIN, id N or fd N")
    handle = open_fd(runtime, text, stack) if kind == "fd" else open_pin(runtime, text, stack)
    info = handle.info()  # type: ignore[attr-defined]
    if not isinstance(info, LinkInfo):
        raise other_kind(Reference(kind, text), "link", info)
    return cast("LinkHandle", handle)


def _show(settings: Settings, words: tuple[str, ...]) -> int:
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        if len(words) == 2 and words[0] not in ("id", "fd", "pinned"):
            return _show_hook(settings, runtime, words[0], words[1])
        rows = list(_rows(runtime, words, stack))
    if settings.as_json:
        body = {"link": rows[0]} if words else {"links": rows}
        render.write(render.json_text({"schema": "bpf-load.link-show/1", **body}))
    else:
        for row in rows:
            render.write(render.printable(link_text(row)))
    return 0


def _rows(runtime: Runtime, words: tuple[str, ...], stack: ExitStack) -> Iterator[dict[str, Any]]:
    if words:
        link = open_link(runtime, words, stack)
        yield link_document(link, Keepers(runtime, "link", link).document(link.id))
        return
    keepers = Keepers(runtime, "link")
    for each in runtime.link_ids():
        with suppress(PinError), runtime.link_by_id(each) as link:
            yield link_document(link, keepers.document(each))


def _show_hook(settings: Settings, runtime: Runtime, device: str, hook: str) -> int:
    from toolchain.loader.attach import entries_of

    if hook not in HOOKS:
        raise UsageError(f"no hook of a device: {hook} ({', '.join(HOOKS)})")
    entries, revision = entries_of(runtime, Target(device, hook))
    if settings.as_json:
        attached = [{"prog_id": each.prog_id, "link_id": each.link_id or None} for each in entries]
        document = {"devname": device, "hook": hook, "revision": revision, "attached": attached}
        render.write(render.json_text({"schema": "bpf-load.link-show/1", **document}))
        return 0
    known = f": revision {revision}" if revision else ""
    render.write(render.printable(f"{device} {hook}{known}"))
    for each in entries:
        render.write(f"  prog {each.prog_id}, " + (f"link {each.link_id}" if each.link_id else "no link"))
    return 0


def link_document(link: LinkHandle, kept: dict[str, Any]) -> dict[str, Any]:
    """A link under bpftool's keys; ``kept``: those that say who keeps it alive."""
    info = link.info()
    document: dict[str, Any] = {"id": info.id, "type": info.link_type, "prog_id": info.prog_id, **link.place()}
    if not info.is_attached:
        document["defunct"] = True
    return document | kept


_HIDDEN = ("id", "type", "prog_id", "pinned", "pids", "defunct")


def link_text(row: dict[str, Any]) -> str:
    """A link on one line."""
    parts = [row["type"], f"prog {row['prog_id']}"]
    parts += [f"{name} {value}" for name, value in row.items() if name not in _HIDDEN]
    parts += ["defunct: detached, or its device is gone"] if row.get("defunct") else []
    parts += [f"pinned at {', '.join(row['pinned'])}"] if row["pinned"] else []
    holders = [f"{each['comm']} ({each['pid']})" for each in row.get("pids", ())]
    parts += [f"held by {', '.join(holders)}"] if holders else []
    return f"link {row['id']}: {', '.join(parts)}"


def _detach(settings: Settings, words: tuple[str, ...]) -> int:
    from toolchain.loader.attach import detach_link

    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        link = open_link(runtime, words, stack)
        detach_link(runtime, link, "")
        if settings.as_json:
            render.write(render.json_text({"schema": "bpf-load.detach/1", "detached": 1}))
    return 0
