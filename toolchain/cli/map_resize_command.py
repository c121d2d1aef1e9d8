"""bpf-load map resize: another number of elements, without losing one."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from toolchain.cli import render
from toolchain.cli.addressing import open_map, take_reference
from toolchain.cli.common import Action, Command, Settings
from toolchain.cli.migration_report import migrated_document, migrated_lines, migration_warnings
from toolchain.errors import UsageError

if TYPE_CHECKING:
    from toolchain.spec.runtime import MapHandle, Runtime


@click.command(cls=Command)
@click.argument("words", metavar="MAP N", nargs=-1)
@click.option("--while-used", is_flag=True, help="Even if programs use it: they go on with the old map.")
@click.option("--drain", type=click.FloatRange(0, 1_000_000), metavar="SECONDS", default=0.0,
              help="Then merge what they write to the old map, until none uses it.")  # fmt: skip
@click.option("--lossy", is_flag=True, help="Leave entries behind for which there is no room.")
@click.option("--dry-run", is_flag=True, help="Say whether every entry would go over, and change nothing.")
def resize(settings: Settings, words: tuple[str, ...], **options: Any) -> Action:
    """Make a pinned map's max_entries N: a new map with its entries takes over all its pins at once."""
    reference, rest = take_reference(words, "map")
    if len(rest) != 1:
        raise UsageError("map resize takes a map and a number", hint="write: MAP N")
    try:
        count = int(rest[0], 0)
    except ValueError:
        count = -1
    if not 0 < count < 1 << 32:
        raise UsageError(f"no number of elements: {rest[0]} (1..4294967295)")
    return partial(_resize, settings, reference, count, options)


def _resize(settings: Settings, reference: Any, count: int, options: dict[str, Any]) -> int:
    from toolchain.loader.migrate import MigrationOptions
    from toolchain.loader.resize import resize as resize_map

    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        handle, info = open_map(runtime, reference, stack)
        if options["dry_run"]:
            return _preview(settings, runtime, handle, count, options["lossy"])
        chosen = MigrationOptions(options["lossy"], options["drain"])
        made = resize_map(runtime, handle, count, chosen, options["while_used"])
        new_id = made.new_id if made else info.id
        if settings.as_json:
            document = {"schema": "bpf-load.map-resize/1", "id": new_id, "max_entries": count}
            render.write(render.json_text(document | ({"migrated": migrated_document(made)} if made else {})))
        elif made is None:
            text = f"has {render.counted(count, 'entry', 'entries')} already"
            render.write(render.printable(f"map {info.spec.name}: id {new_id}, {text}"))
        else:
            text = f"{render.counted(count, 'entry', 'entries')}, pinned at {made.path}"
            render.write(render.printable(f"map {info.spec.name}: id {new_id}, {text}"))
            for line in migrated_lines(made):
                render.write(render.printable(line))
        for text in migration_warnings(made) if made else ():
            render.complain(render.printable(f"bpf-load: warning: {text}"))
    return 0


def _preview(settings: Settings, runtime: Runtime, handle: MapHandle, count: int, is_lossy: bool) -> int:
    from toolchain.cli.migration_report import show_preview
    from toolchain.loader.dry_run import Preview, preview_of_plan
    from toolchain.loader.resize import plan_resize

    plan, _ = plan_resize(runtime, handle, count)
    made = Preview((), (preview_of_plan(runtime, plan, handle),))
    return show_preview(settings, runtime.name, made, is_lossy)
