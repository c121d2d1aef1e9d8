"""bpf-load tc: tc's own words for clsact and bpf filters, so that a script changes one word.

It always means the kernel runtime. What is done is silent, as with tc; --json says what was made. Differences from tc:
all or nothing (a filter that is refused leaves no pins), no bpffs is mounted, the exit status is bpf-load's.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from toolchain.cli import render, tc_rows
from toolchain.cli.common import Action, Command, Settings, explained_by_verify, parse_prog_type
from toolchain.cli.tc_options import Display, take_display
from toolchain.cli.tc_words import (
    FilterRequest,
    GraftRequest,
    ImportRequest,
    QdiscRequest,
    Request,
    Source,
    parse,
)
from toolchain.errors import PinConflict, PinError, PinPlace, ToolchainError
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MAP_NAME_SIZE, MapStyle

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.kernel.netlink import Filter, Place
    from toolchain.kernel.runtime import KernelRuntime
    from toolchain.loader.attach import Made
    from toolchain.loader.publish import Undo
    from toolchain.spec.objects import ObjectSpec
    from toolchain.spec.runtime import ProgHandle, ProgInfo

_EPILOG = """

\b
qdisc add|replace|del dev DEV clsact
qdisc show [dev DEV] [clsact]
filter add|replace|change dev DEV ingress|egress [pref N] [handle H] [protocol P]
       bpf [da] obj FILE [sec S] [verbose] [export SOCKET]  |  bpf [da] object-pinned PATH
filter show|del dev DEV ingress|egress [pref N [handle H bpf]]
exec bpf graft MAP key N obj FILE sec S
exec bpf import SOCKET [run CMD ...]

Before them -json (tc's own rows), -pretty, -details; -stats and other options of how rows look are taken too.
"""


class _TcCommand(Command):
    """tc's own options stand before the words. Words after ``exec bpf import SOCKET run`` are another command's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        display, args = take_display(args)
        at = next((at for at, word in enumerate(args) if word == "run" and "exec" in args[:at]), len(args))
        left = super().parse_args(ctx, [*args[:at], "--", *args[at:]] if at < len(args) else args)
        ctx.params["display"] = display
        return left


@click.command(cls=_TcCommand, epilog=_EPILOG)
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
def tc(settings: Settings, words: tuple[str, ...], display: Display) -> Action:
    """Do what tc does with these words: the clsact qdisc, its bpf filters, slots of prog arrays, maps handed over.

    Maps are pinned and found below tc/ of the bpffs that tc uses ($TC_BPF_MNT, /sys/fs/bpf, the first one mounted).
    """
    return partial(_tc, settings, display, parse(words))


def _tc(settings: Settings, display: Display, request: Request) -> int:
    with ExitStack() as stack:
        if isinstance(request, QdiscRequest) and request.verb == "show":
            return _show_qdiscs(settings, display, request)
        if isinstance(request, QdiscRequest):
            document = _qdisc(request)
        elif isinstance(request, GraftRequest):
            document = _graft(_runtime(settings, stack), request, stack)
        elif isinstance(request, ImportRequest):
            _import(_runtime(settings, stack), request)
        elif request.verb == "show":
            return _show(settings, display, request, stack)
        elif request.verb == "delete":
            document = _delete(request)
        else:
            document = _set_filter(_runtime(settings, stack), request, stack)
    if settings.as_json:
        render.write(render.json_text({"schema": "bpf-load.tc/1", **document}))
    return 0


def _runtime(settings: Settings, stack: ExitStack) -> KernelRuntime:
    from toolchain.loader.runtimes import open_kernel

    runtime = open_kernel(settings.pin_root)
    stack.callback(runtime.close)
    return runtime


def _qdisc(request: QdiscRequest) -> dict[str, Any]:
    from toolchain.kernel.hooks import device_index
    from toolchain.loader.attach_classic import open_netlink

    with open_netlink() as control:
        index = device_index(request.device)
        if request.verb == "delete":
            control.remove_clsact(index, request.device)
        else:
            control.add_clsact(index, request.device, replacing=request.verb == "replace")
    return {"qdisc": "clsact", "dev": request.device}


def _show_qdiscs(settings: Settings, display: Display, request: QdiscRequest) -> int:
    from toolchain.kernel.hooks import device_index
    from toolchain.loader.attach_classic import open_netlink

    with open_netlink() as control:
        found = list(control.qdiscs(device_index(request.device) if request.device else 0))
    rows = [each for each in found if each.kind == "clsact" or not request.clsact_only]
    names_device = not request.device
    head = {"schema": "bpf-load.tc-qdisc-show/1", **({"dev": request.device} if request.device else {})}
    documents = [tc_rows.qdisc_document(each, names_device) for each in rows]
    lines = [tc_rows.qdisc_line(each, names_device) for each in rows]
    return _emit(settings, display, {**head, "qdiscs": documents}, documents, lines)


def _emit(
    settings: Settings, display: Display, document: dict[str, Any], rows: list[dict[str, Any]], lines: list[str]
) -> int:
    """Show rows: as a document of ours, as tc's array, or as text."""
    if settings.as_json:
        render.write(render.json_text(document))
    elif display.is_json:
        render.write(tc_rows.array_text(rows, is_pretty=display.is_pretty))
    else:
        for line in lines:
            render.write(render.printable(line))
    return 0


def _place(request: FilterRequest) -> Place:
    from toolchain.kernel.hooks import device_index
    from toolchain.kernel.netlink import Place

    index = device_index(request.device)
    return Place(index, request.direction, request.protocol, request.pref, request.handle)


def _what(request: FilterRequest) -> str:
    return f"{request.verb} filter at {request.device} {request.direction}"


def _set_filter(runtime: KernelRuntime, request: FilterRequest, stack: ExitStack) -> dict[str, Any]:
    from toolchain.loader.attach_classic import open_netlink

    control = stack.enter_context(open_netlink())
    place = _place(request)
    made: list[Filter] = []
    export = _export(runtime, request.source, stack)

    def do(program: ProgHandle, undo: Undo) -> None:
        export(program)
        name = _annotation(request.source, sections[0] if sections else "")
        options = {"is_direct": request.is_direct, "classid": request.classid, "flags": request.flags}
        made.append(control.set_filter(place, program.fileno(), name, _what(request), verb=request.verb, **options))

    sections: list[str] = []
    maps = _with_source(runtime, request.source, do, stack, sections)
    return {"dev": request.device, "filter": tc_rows.filter_document(made[0], _program(runtime, made[0])), "maps": maps}


EXPORT_VARIABLE = "TC_BPF_UDS"
"""Where maps go if no word says so. Source: iproute2 include/bpf_util.h, BPF_ENV_UDS."""


def _export(runtime: KernelRuntime, source: Source, stack: ExitStack) -> Callable[[ProgHandle], None]:
    """A function that hands a program's maps to who awaits them, as tc does, before the filter is made.

    They are numbered as in the object: by classic ids where all maps have different ones, else from 0.
    Raises: HandOverError, where nobody awaits them.
    """
    path = source.export or os.environ.get(EXPORT_VARIABLE, "")
    if not path:
        return lambda program: None
    from toolchain.loader.hand_over import Offer, Sender
    from toolchain.loader.objects import read_object

    sender = stack.enter_context(Sender(path))
    maps = read_object(source.object_path).maps if source.object_path else ()
    ids = [each.classic_id for each in maps]
    is_classic = len(set(ids)) == len(ids) and all(each.style is MapStyle.CLASSIC for each in maps)
    numbers = {each.name[:MAP_NAME_SIZE]: each.classic_id for each in maps if is_classic}

    def send(program: ProgHandle) -> None:
        handles = [stack.enter_context(runtime.map_by_id(each)) for each in program.info().map_ids]
        names = [handle.info().spec.name[:MAP_NAME_SIZE] for handle in handles]
        offers = [Offer(handle, numbers.get(names[at], at)) for at, handle in enumerate(handles)]
        sender.send(offers, source.object_path)

    return send


def _import(runtime: KernelRuntime, request: ImportRequest) -> NoReturn:
    from toolchain.cli.fd_command import run
    from toolchain.loader.hand_over import Receiver

    with Receiver(request.path) as receiver:
        _, received = receiver.receive(runtime)
    run(request.command, received)


def _annotation(source: Source, section: str) -> str:
    """What tc writes beside a filter."""
    if source.pin:
        return f"{os.path.basename(source.pin)}:[*fsobj]"
    return f"{os.path.basename(source.object_path)}:[{section}]"


def _with_source(
    runtime: KernelRuntime, source: Source, do: Made, stack: ExitStack, sections: list[str]
) -> list[dict[str, Any]]:
    """Do it with an object's program (its section goes to ``sections``), or with a pinned one; the object's maps."""
    from toolchain.kernel.handles import KernelProgram
    from toolchain.loader.attach import apply, as_finish
    from toolchain.loader.objects import read_object
    from toolchain.loader.pipeline import LoadOptions, load

    if source.pin:
        handle = stack.enter_context(runtime.get(tc_path(source.pin)))
        if not isinstance(handle, KernelProgram):
            raise ToolchainError(f"pinned here is no program but a {handle.kind}", PinPlace(source.pin))
        apply(runtime, handle, do)
        return []
    obj = read_object(source.object_path)
    name, section = choose(obj, source)
    sections.append(section)
    prog_type = parse_prog_type(source.prog_type) or ProgType.SCHED_CLS
    options = LoadOptions(programs=(name,), prog_type=prog_type)
    with explained_by_verify(source.object_path):
        loaded = stack.enter_context(load(runtime, obj, options, as_finish(do)))
    if source.is_verbose:
        _explain(runtime, obj, name, prog_type)
    for each in loaded.maps:
        if each.spec.map_type is MapType.PROG_ARRAY and not each.pin:
            text = "without a pin: its slots are cleared when this command ends"
            render.complain(render.printable(f"bpf-load: warning: prog array {each.spec.name} {text}"))
    return [
        {"name": each.spec.name, "id": each.handle.id, "pin": each.pin or None, "reused": each.is_reused}
        for each in loaded.maps
    ]


def choose(obj: ObjectSpec, source: Source) -> tuple[str, str]:
    """The program that is meant, and its section: the first of a section; of "classifier" or of all, by default.

    Raises: LinkError listing what there is.
    """
    from toolchain.loader.link import select

    if source.program or source.section:
        sections = (source.section,) if source.section and not source.program else ()
        found = select(obj, (source.program,) if source.program else (), sections)[0]
    else:
        programs = select(obj)
        found = next((each for each in programs if each.section == "classifier"), programs[0])
    return found.name, found.section


def _explain(runtime: KernelRuntime, obj: ObjectSpec, name: str, prog_type: ProgType) -> None:
    """tc's ``verbose``: what was loaded, and the verifier's log, on stderr."""
    from toolchain.loader.judge import judge
    from toolchain.loader.link import link
    from toolchain.loader.prepare import prepared

    linked = link(prepared(obj, for_kernel=True), name, prog_type)
    lines = [f"Prog section '{linked.section}' loaded: {linked.slot_count} insns, license: {linked.licence}"]
    lines += [
        f"Map '{each.name}': type {each.map_type.label}, key {each.key_size}, value {each.value_size},"
        f" max elem {each.max_entries}, flags 0x{each.map_flags:x}, pinning {each.pinning}"
        for each in linked.maps
    ]
    log = judge(runtime, linked, 1).log
    render.complain(render.printable_lines("\n".join([*lines, "Verifier analysis:", log])))


def tc_path(path: str) -> str:
    """A path as tc reads it: ``m:`` is its own directory of the bpffs; else a file's path."""
    if path.startswith("m:"):
        return f"tc/{path[2:].lstrip('/')}"
    return os.path.abspath(path)


def _graft(runtime: KernelRuntime, request: GraftRequest, stack: ExitStack) -> dict[str, Any]:
    from toolchain.kernel.handles import KernelMap
    from toolchain.loader.slots import set_program

    array = stack.enter_context(runtime.get(tc_path(request.map_path)))
    if not isinstance(array, KernelMap):
        raise PinError("no map is pinned here", errno.EINVAL, PinPlace(request.map_path))
    kind = array.info().spec.map_type
    if kind is not MapType.PROG_ARRAY:
        row = ("graft", request.map_path, "type", MapType.PROG_ARRAY.label, kind.label)
        raise PinConflict("this map has no slots for programs", PinPlace(request.map_path), "", (row,))
    maps = _with_source(
        runtime,
        request.source,
        lambda program, undo: set_program(runtime, array, request.slot, program, undo),
        stack,
        [],
    )
    return {"graft": request.map_path, "key": request.slot, "maps": maps}


def _delete(request: FilterRequest) -> dict[str, Any]:
    from toolchain.loader.attach_classic import open_netlink

    with open_netlink() as control:
        control.remove_filter(_place(request), _what(request), request.kind)
    return {"dev": request.device, "deleted": request.direction}


def _show(settings: Settings, display: Display, request: FilterRequest, stack: ExitStack) -> int:
    from toolchain.loader.attach_classic import open_netlink

    runtime = _runtime(settings, stack)
    control = stack.enter_context(open_netlink())
    place = _place(request)
    rows = []
    for each in control.filters(place, _what(request)):
        if request.protocol in (0, each.protocol) and request.kind in ("", each.kind):
            rows.append((each, _program(runtime, each)))
    asked = tc_rows.Asked(request.protocol, request.pref, display.has_details)
    filters = [tc_rows.filter_document(*row) for row in rows]
    document = {"schema": "bpf-load.tc-filter-show/1", "dev": request.device, "filters": filters}
    documents = [tc_rows.filter_document(*row, asked) for row in rows]
    return _emit(settings, display, document, documents, [tc_rows.filter_line(*row, asked) for row in rows])


def _program(runtime: KernelRuntime, each: Filter) -> ProgInfo | None:
    """The filter's program; None where it has none, or has gone meanwhile."""
    if not each.prog_id:
        return None
    with suppress(ToolchainError), runtime.prog_by_id(each.prog_id) as program:
        return program.info()
    return None
