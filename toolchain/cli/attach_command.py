"""bpf-load attach, detach, replace: programs at the hooks of devices, cgroups and netfilter."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from toolchain.cli import render
from toolchain.cli.common import (
    Action,
    Command,
    Settings,
    binding_options,
    explained_by_verify,
    parse_prog_type,
    selection_options,
)
from toolchain.cli.link_command import link_document, link_text, open_link
from toolchain.cli.migration_report import migrated_document, migrated_lines, recovery_documents, warn_of
from toolchain.errors import PinPlace, ToolchainError, Unsupported, UsageError
from toolchain.spec.runtime import HOOKS, MapInfo, Order, Target

if TYPE_CHECKING:
    from toolchain.loader.attach import Attached, Made
    from toolchain.loader.loaded import Loaded
    from toolchain.spec.runtime import ProgHandle, Runtime

_TARGET_HELP = """

\b
program      DEV                  HOOK
sched_cls    device               ingress, egress
xdp          device               xdp
cgroup_skb   cgroup directory     ingress, egress
netfilter    ipv4, ipv6           prerouting, input, forward, output, postrouting
"""


@click.command(cls=Command, epilog=_TARGET_HELP)
@click.argument("source", metavar="PIN|OBJ")
@click.argument("device", metavar="DEV")
@click.argument("hook", metavar="HOOK")
@selection_options
@click.option("--pin", metavar="PATH", default="", help="Pin the link: it stays attached until its pin is removed.")
@click.option("--hold", is_flag=True, help="Stay in the foreground, attached, until interrupted or terminated.")
@click.option("--before", metavar="REF", help="Before this one: prog:ID, link:ID or the pin of either.")
@click.option("--after", metavar="REF", help="After this one.")
@click.option("--first", is_flag=True, help="Before all others.")
@click.option("--last", is_flag=True, help="After all others. [default]")
@click.option("--revision", type=click.IntRange(1), default=None, help="Only if the hook has this revision.")
@click.option("--priority", type=click.IntRange(-(1 << 31), (1 << 31) - 1), default=0, help="At a netfilter hook.")
@click.option("--netlink", is_flag=True, help="Without a link: a clsact filter, or classic XDP. It stays by itself.")
@binding_options
def attach(settings: Settings, source: str, device: str, hook: str, **options: Any) -> Action:
    """Attach a program to HOOK of DEV: one that is pinned, or one of OBJ, which is loaded first.

    It stays attached as long as its link is held: by a pin (--pin), or by this process (--hold).
    """
    if sum(map(bool, (options["before"], options["after"], options["first"], options["last"]))) > 1:
        raise UsageError("--before, --after, --first and --last exclude each other")
    if options["netlink"]:
        named = ("pin", "hold", "before", "after", "first", "last", "revision", "priority")
        useless = [f"--{name}" for name in named if options[name]]
        if useless:
            raise UsageError(f"--netlink makes no link: {', '.join(useless)}")
    return partial(_attach, settings, source, device, hook, options)


def _attach(settings: Settings, source: str, device: str, hook: str, options: dict[str, Any]) -> int:
    with ExitStack() as stack:
        runtime = _open_runtime(settings, stack, needs_kernel=options["netlink"])
        from toolchain.loader.attach import Attached, attaching
        from toolchain.loader.runtimes import relative_pin

        target = Target(device, hook, options["priority"])
        made = Attached()
        stack.callback(made.close)
        if options["netlink"]:
            from toolchain.loader.attach_classic import netlink_attaching

            do = netlink_attaching(target, made)
        else:
            pin = relative_pin(runtime.pin_root, options["pin"])
            do = attaching(runtime, target, _order(runtime, options, stack), pin, made)
        if options["hold"]:
            signal.pthread_sigmask(signal.SIG_BLOCK, _END)
        loaded = _with_program(runtime, source, options, do, made, stack)
        _show(settings, "attach", runtime, made, target, loaded, options["pin"])
        if options["hold"]:
            sys.stdout.flush()
            signal.sigwait(_END)
        elif made.link is not None and not options["pin"]:
            render.complain(
                "bpf-load: warning: neither pinned nor held (--pin, --hold): detached when this command ends"
            )
    return 0


_END = {signal.SIGINT, signal.SIGTERM}


def _open_runtime(settings: Settings, stack: ExitStack, *, needs_kernel: bool) -> Runtime:
    """The runtime asked for; closed with ``stack``. Raises Unsupported for netlink on the user runtime."""
    runtime = settings.open_runtime()
    stack.callback(runtime.close)
    if needs_kernel and runtime.name != "kernel":
        raise Unsupported("filters over netlink in the user runtime", None, "use the kernel runtime: -r kernel")
    return runtime


def _order(runtime: Runtime, options: dict[str, Any], stack: ExitStack) -> Order:
    reference = options["before"] or options["after"]
    revision = options["revision"] or 0
    if not reference:
        return Order(options["first"], options["last"], revision=revision)
    kind, identifier = _beside(runtime, reference, stack)
    return Order(bool(options["before"]), bool(options["after"]), identifier, kind == "link", revision)


def _beside(runtime: Runtime, reference: str, stack: ExitStack) -> tuple[str, int]:
    """What stands beside: ('prog' or 'link', id)."""
    from toolchain.cli.addressing import open_pin

    kind, colon, number = reference.partition(":")
    if colon and kind in ("prog", "link"):
        if not number.isdecimal() or not 0 < int(number) < 1 << 32:
            raise UsageError(f"no id: {reference} (prog:ID or link:ID)")
        return kind, int(number)
    handle = open_pin(runtime, reference, stack)
    if getattr(handle, "kind", "") == "link":
        return "link", handle.id
    if isinstance(handle.info(), MapInfo):  # type: ignore[attr-defined]
        raise ToolchainError("pinned here is a map (a program or a link)", PinPlace(reference))
    return "prog", handle.id


def _with_program(
    runtime: Runtime, source: str, options: dict[str, Any], do: Made, made: Attached, stack: ExitStack
) -> Loaded | None:
    """Do it with the program that ``source`` names; what was loaded for it, None for a pin.

    A filter is called as tc calls it: the file's name, and the section's.
    """
    from toolchain.cli.addressing import Reference, open_program
    from toolchain.cli.selection import is_object, load_options, select_one
    from toolchain.loader.attach import apply, as_finish
    from toolchain.loader.objects import read_object
    from toolchain.loader.pipeline import load

    if not is_object(runtime.pin_root, source):
        made.name = f"{os.path.basename(source)}:[*fsobj]"
        handle, _ = open_program(runtime, Reference("pinned", source), stack)
        apply(runtime, handle, do)
        return None
    obj = read_object(source)
    chosen = select_one(obj, load_options(options, parse_prog_type(options["prog_type"]), runtime.pin_root))
    (section,) = {each.section for each in obj.programs if each.name in chosen.programs}
    made.name = f"{os.path.basename(source)}:[{section}]"
    with explained_by_verify(source):
        return stack.enter_context(load(runtime, obj, chosen, as_finish(do)))


def _show(
    settings: Settings,
    verb: str,
    runtime: Runtime,
    made: Attached,
    target: object,
    loaded: Loaded | None,
    pin: str,
) -> None:
    maps = [
        {"name": each.spec.name, "id": each.handle.id, "pin": each.pin or None, "reused": each.is_reused}
        | ({"migrated": migrated_document(each.migrated)} if each.migrated else {})
        for each in (loaded.maps if loaded else ())
    ]
    if loaded is not None:
        warn_of(loaded)
    link = link_document(made.link, {"pinned": [pin] if pin else []}) if made.link is not None else None
    if settings.as_json:
        classic = _filter_document(made) if link is None else None
        document = {"schema": f"bpf-load.{verb}/1", "runtime": runtime.name, "link": link, "filter": classic}
        render.write(render.json_text({**document, "maps": maps, **(recovery_documents(loaded) if loaded else {})}))
        return
    if link is not None:
        severed = ", a new link: the old one was severed" if made.is_anew else ""
        render.write(render.printable(f"{link_text(link)}{severed}"))
    elif made.filter is not None:
        each = made.filter
        render.write(render.printable(f"filter at {target}: pref {each.pref}, handle 0x{each.handle:x}"))
    else:
        render.write(render.printable(f"program at {target}"))
    for row in maps:
        origin = "reused" if row["reused"] else "created"
        place = f", pinned at {row['pin']}" if row["pin"] else ""
        render.write(render.printable(f"map {row['name']}: id {row['id']}, {origin}{place}"))
    for one in loaded.maps if loaded else ():
        for line in migrated_lines(one.migrated) if one.migrated else ():
            render.write(render.printable(line))


def _filter_document(made: Attached) -> dict[str, Any] | None:
    if made.filter is None:
        return None
    each = made.filter
    return {"pref": each.pref, "handle": f"0x{each.handle:x}", "bpf_name": each.name, "prog_id": each.prog_id}


@click.command(cls=Command)
@click.argument("source", metavar="PIN|OBJ")
@click.argument("words", metavar="LINK [DEV HOOK] | DEV HOOK", nargs=-1, required=True)
@selection_options
@click.option("--expect-old", metavar="PROG", help="Only if this program is there: its pin, or prog:ID. [what is seen]")
@click.option("--priority", type=click.IntRange(-(1 << 31), (1 << 31) - 1), default=0, help="At a netfilter hook.")
@click.option("--netlink", is_flag=True, help="The only clsact filter of DEV HOOK, or classic XDP.")
@binding_options
def replace(settings: Settings, source: str, words: tuple[str, ...], **options: Any) -> Action:
    """Put another program in the place of one that is attached, at once: no packet meets neither of them.

    LINK is the pin of a link, or 'id N'; DEV HOOK alone means the only link there. Where a pinned link was severed
    (detached, or its device is gone), a new link at DEV HOOK takes over its pin.
    """
    return partial(_replace, settings, source, words, options)


def _replace(settings: Settings, source: str, words: tuple[str, ...], options: dict[str, Any]) -> int:
    from toolchain.loader.runtimes import relative_pin

    with ExitStack() as stack:
        runtime = _open_runtime(settings, stack, needs_kernel=options["netlink"])
        from toolchain.loader.attach import Attached, only_link, replacing

        reference, place = split_words(words)
        target = Target(place[0], place[1], options["priority"]) if place else None
        made = Attached()
        stack.callback(made.close)
        pin = ""
        if options["netlink"]:
            from toolchain.loader.attach_classic import netlink_replacing

            if target is None or reference:
                raise UsageError("--netlink takes DEV HOOK")
            do = netlink_replacing(runtime, target, made)
        else:
            if reference:
                link = open_link(runtime, reference, stack)
                pin = relative_pin(runtime.pin_root, reference[0]) if len(reference) == 1 else ""
            else:
                assert target is not None
                link = stack.enter_context(only_link(runtime, target))
            do = replacing(runtime, link, pin, target, _expected(runtime, options["expect_old"], stack), made)
        loaded = _with_program(runtime, source, options, do, made, stack)
        _show(settings, "replace", runtime, made, target, loaded, pin)
    return 0


def _expected(runtime: Runtime, reference: str | None, stack: ExitStack) -> ProgHandle | None:
    """The program that must be there; a pinned one is opened by its pin, for an id takes more rights."""
    from toolchain.cli.addressing import Reference, open_program

    if not reference:
        return None
    kind, colon, number = reference.partition(":")
    if colon and kind == "link":
        raise UsageError(f"--expect-old takes a program: {reference}")
    is_id = bool(colon) and kind == "prog"
    return open_program(runtime, Reference("id", number) if is_id else Reference("pinned", reference), stack)[0]


def split_words(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a link (PIN, or id N), and those of a place (DEV HOOK); either may be missing. Raises UsageError."""
    link: tuple[str, ...] = ()
    if words[0] == "id" and len(words) != 3:
        link, words = words[:2], words[2:]
    elif len(words) in (1, 3):
        link, words = words[:1], words[1:]
    if len(words) not in (0, 2) or (len(link) == 1 and link[0] == "id"):
        raise UsageError(f"neither a link nor a device with its hook: {' '.join((*link, *words))}")
    return link, words


@click.command(cls=Command)
@click.argument("words", metavar="LINK | DEV HOOK", nargs=-1, required=True)
@click.option("--all", "takes_all", is_flag=True, help="Everything that is attached to DEV HOOK.")
@click.option("--netlink", is_flag=True, help="clsact filters of DEV HOOK, or classic XDP.")
def detach(settings: Settings, words: tuple[str, ...], takes_all: bool, netlink: bool) -> Action:
    """Detach a link and remove its pin, or what is attached to HOOK of DEV.

    LINK is the pin of a link, or 'id N'.
    """
    return partial(_detach, settings, words, takes_all, netlink)


def _detach(settings: Settings, words: tuple[str, ...], takes_all: bool, netlink: bool) -> int:
    from toolchain.loader.runtimes import relative_pin

    with ExitStack() as stack:
        runtime = _open_runtime(settings, stack, needs_kernel=netlink)
        from toolchain.loader.attach import detach_hook, detach_link, only_link
        from toolchain.loader.attach_classic import netlink_detach

        reference, place = split_words(words)
        if bool(reference) == bool(place) or (reference and netlink):
            raise UsageError("detach takes a link, or DEV HOOK", hint="LINK is the pin of a link, or 'id N'")
        if reference:
            link = open_link(runtime, reference, stack)
            detach_link(runtime, link, relative_pin(runtime.pin_root, reference[0]) if len(reference) == 1 else "")
            count = 1
        elif netlink:
            count = netlink_detach(runtime, Target(place[0], place[1]), takes_all=takes_all)
        else:
            target = Target(place[0], place[1])
            if target.hook not in HOOKS:
                only_link(runtime, target)
            count = len(detach_hook(runtime, target, takes_all=takes_all))
        if settings.as_json:
            render.write(render.json_text({"schema": "bpf-load.detach/1", "detached": count}))
    return 0
