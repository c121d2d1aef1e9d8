"""bpf-load load: the programs of an object into a runtime, their maps shared through the pin tree."""

from __future__ import annotations

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
from toolchain.cli.migration_report import migrated_document, migrated_lines, recovery_documents, warn_of
from toolchain.cli.selection import load_options

if TYPE_CHECKING:
    from toolchain.loader.loaded import Loaded
    from toolchain.loader.pipeline import LoadOptions
    from toolchain.spec.objects import ObjectSpec
    from toolchain.spec.runtime import Runtime


@click.command(cls=Command)
@click.argument("path", metavar="OBJ")
@selection_options
@click.option("--pin", metavar="PATH", default="", help="Pin the program here; with several programs, a directory.")
@click.option("--mount", is_flag=True, help="Mount a BPF file system on the pin root where there is none (kernel).")
@click.option("--dry-run", is_flag=True, help="Say what would become of each map, and change nothing.")
@binding_options
def load(settings: Settings, path: str, **options: Any) -> Action:
    """Load the programs of OBJ: all of them, unless some are chosen.

    Maps that ask for it are pinned, and reused where they are pinned already. Programs stay loaded while they are
    pinned (--pin). All or nothing: if anything fails, nothing has changed.
    """
    return partial(_load, settings, path, options)


def _load(settings: Settings, path: str, options: dict[str, Any]) -> int:
    from toolchain.loader.objects import read_object
    from toolchain.loader.pipeline import load as load_object
    from toolchain.loader.runtimes import relative_pin

    prog_type = parse_prog_type(options["prog_type"])
    obj = read_object(path)
    for warning in obj.warnings:
        render.complain(f"{render.printable(path)}: warning: {render.printable(warning)}")
    runtime = settings.open_runtime(options["mount"])
    try:
        chosen = load_options(options, prog_type, runtime.pin_root, relative_pin(runtime.pin_root, options["pin"]))
        if options["dry_run"]:
            with explained_by_verify(path):
                return _preview(settings, runtime, obj, chosen)
        with explained_by_verify(path), load_object(runtime, obj, chosen) as loaded:
            _show(settings, runtime.name, loaded)
    finally:
        runtime.close()
    return 0


def _preview(settings: Settings, runtime: Runtime, obj: ObjectSpec, options: LoadOptions) -> int:
    from toolchain.cli.migration_report import show_preview
    from toolchain.loader.dry_run import preview

    made = preview(runtime, obj, options)
    return show_preview(settings, runtime.name, made, options.migration.is_lossy)


def _show(settings: Settings, runtime_name: str, loaded: Loaded) -> None:
    if settings.as_json:
        render.write(render.json_text(_document(runtime_name, loaded)))
        warn_of(loaded)
        return
    for each in loaded.programs:
        pin = f", pinned at {each.pin}" if each.pin else ", not pinned: gone when this command ends"
        kind = each.program.prog_type.label
        render.write(render.printable(f"program {each.program.name}: {kind}, id {each.handle.id}{pin}"))
    for each_map in loaded.maps:
        origin = "reused" if each_map.is_reused else "created"
        pin = f", pinned at {each_map.pin}" if each_map.pin else ""
        name, kind = each_map.spec.name, each_map.spec.map_type.label
        render.write(render.printable(f"map {name}: {kind}, id {each_map.handle.id}, {origin}{pin}"))
        for line in migrated_lines(each_map.migrated) if each_map.migrated else ():
            render.write(render.printable(line))
    warn_of(loaded)


def _document(runtime_name: str, loaded: Loaded) -> dict[str, Any]:
    return {
        "schema": "bpf-load.load/1",
        "runtime": runtime_name,
        "programs": [
            {
                "section": each.program.section,
                "program": each.program.name,
                "type": each.program.prog_type.label,
                "id": each.handle.id,
                "pin": each.pin or None,
            }
            for each in loaded.programs
        ],
        "maps": [
            {"name": each.spec.name, "id": each.handle.id, "pin": each.pin or None, "reused": each.is_reused}
            | ({"migrated": migrated_document(each.migrated)} if each.migrated else {})
            for each in loaded.maps
        ],
        **recovery_documents(loaded),
    }
