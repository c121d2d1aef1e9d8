"""bpf-load prog: what is loaded, and its code."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from toolchain.cli import render
from toolchain.cli.addressing import live_programs, open_program, take_reference
from toolchain.cli.common import Action, Command, Group, Settings
from toolchain.cli.keepers import Keepers
from toolchain.errors import PinError, UsageError
from toolchain.isa.program_types import prog_type_label
from toolchain.spec.runtime import ProgHandle, ProgInfo, Runtime

if TYPE_CHECKING:
    from toolchain.spec.stages import LinkedProgram


@click.group(cls=Group, name="prog")
def prog_group() -> None:
    """Show loaded programs and their code. A program is PIN, id N, name X or fd N."""


@prog_group.command(cls=Command)
@click.argument("words", metavar="[PROG]", nargs=-1)
def show(settings: Settings, words: tuple[str, ...]) -> Action:
    """Show a program, or all programs."""
    return partial(_show, settings, words)


@prog_group.command(cls=Command)
@click.argument("words", metavar="PROG", nargs=-1, required=True)
def dump(settings: Settings, words: tuple[str, ...]) -> Action:
    """Show a program's instructions with their source lines. The kernel's are those after its rewrites."""
    return partial(_dump, settings, words)


def _dump(settings: Settings, words: tuple[str, ...]) -> int:
    from toolchain.cli.prog_listing import listing_lines, listing_rows

    reference, rest = take_reference(words, "program")
    if rest:
        raise UsageError(f"unexpected word: {rest[0]}")
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        handle, info = open_program(runtime, reference, stack)
        program, names = _code_of(runtime, handle, info)
        rows = listing_rows(program, names)
        if settings.as_json:
            body = {"program": _document(info, Keepers(runtime, "prog", handle)), "insns": list(rows)}
            render.write(render.json_text({"schema": "bpf-load.prog-dump/1", **body}))
        else:
            for line in listing_lines(rows):
                render.write(render.printable(line))
    return 0


def _code_of(runtime: Runtime, handle: ProgHandle, info: ProgInfo) -> tuple[LinkedProgram, dict[int, str]]:
    """A live program's code, and the maps' names, by what its wide loads hold: ids in the kernel, else indexes."""
    names = {}
    for index, each in enumerate(info.map_ids):
        with suppress(PinError), runtime.map_by_id(each) as found:
            names[each if runtime.name == "kernel" else index] = found.info().spec.name
    if runtime.name == "kernel":
        from toolchain.kernel.dump import dumped_program

        return dumped_program(handle.fileno()), names
    program: LinkedProgram = handle.program  # type: ignore[attr-defined]
    return program, names


def _show(settings: Settings, words: tuple[str, ...]) -> int:
    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        if words:
            reference, rest = take_reference(words, "program")
            if rest:
                raise UsageError(f"unexpected word: {rest[0]}")
            handle, info = open_program(runtime, reference, stack)
            infos, keepers = [info], Keepers(runtime, "prog", handle)
        else:
            infos, keepers = list(live_programs(runtime)), Keepers(runtime, "prog")
    if settings.as_json:
        rows = [_document(info, keepers) for info in infos]
        body = {"program": rows[0]} if words else {"programs": rows}
        render.write(render.json_text({"schema": "bpf-load.prog-show/1", **body}))
    else:
        for info in infos:
            render.write(render.printable(_text(info, keepers)))
    return 0


def _loaded_at(info: ProgInfo) -> int:
    """Seconds since 1970, as bpftool computes them from the boot-time clock."""
    boot_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return (boot_ns + info.load_time_ns) // 10**9


def _document(info: ProgInfo, keepers: Keepers) -> dict[str, Any]:
    runs = {"run_time_ns": info.run_time_ns, "run_cnt": info.run_count}
    return {
        "id": info.id,
        "type": prog_type_label(info.prog_type),
        "name": info.name,
        "tag": info.tag,
        "gpl_compatible": info.gpl_compatible,
        **(runs if info.run_count else {}),
        "loaded_at": _loaded_at(info),
        "uid": info.owner_uid,
        "insns": info.slot_count,
        "bytes_xlated": 8 * info.slot_count,
        "jited": info.jited_size > 0,
        **({"bytes_jited": info.jited_size} if info.jited_size else {}),
        **({"bytes_memlock": info.memory_size} if info.memory_size else {}),
        **({"btf_id": info.btf_id} if info.btf_id else {}),
        "map_ids": list(info.map_ids),
        **keepers.document(info.id),
    }


def _text(info: ProgInfo, keepers: Keepers) -> str:
    maps = f", maps {', '.join(map(str, info.map_ids))}" if info.map_ids else ""
    runs = f", {render.counted(info.run_count, 'run')} in {info.run_time_ns} ns" if info.run_count else ""
    kind = prog_type_label(info.prog_type)
    size = render.counted(info.slot_count, "insn")
    return f"prog {info.id}: {kind} {info.name}, tag {info.tag}, {size}{maps}{runs}{keepers.text(info.id)}"
