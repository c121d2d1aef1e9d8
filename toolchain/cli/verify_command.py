"""bpf-load verify: the verdict on every program of some objects. Touches no pin and no runtime's state.

The judge is our verifier, or with ``-r kernel`` the running kernel; ``--both`` asks both and shows where they differ.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Settings, parse_prog_type, selection_options
from toolchain.cli.judgement import gravest, row, show, verdicts_of


@click.command(cls=Command)
@click.argument("paths", metavar="OBJ...", nargs=-1, required=True)
@selection_options
@click.option("--log-level", type=click.IntRange(0, 4), default=0, help="Show the verifier's log, as the kernel does.")
@click.option("--both", is_flag=True, help="Ask the kernel too; show the programs on which the verdicts differ.")
@click.option("--explain", is_flag=True, help="Say of each rejection what was needed, what was known, and what to try.")
def verify(settings: Settings, paths: tuple[str, ...], **options: Any) -> Action:
    """Verify the programs of each OBJ: all of them, unless some are chosen.

    Exit status 3 if a program is rejected, 1 if an object cannot be read or linked, 5 if a program needs something
    that is not supported, 0 if all are accepted. With --both 6 if verdicts, messages or processed counts differ.
    """
    return partial(_verify, settings, paths, options)


def _verify(settings: Settings, paths: tuple[str, ...], options: dict[str, Any]) -> int:
    from toolchain.loader.judge import open_judge
    from toolchain.loader.runtimes import runtime_name

    prog_type = parse_prog_type(options["prog_type"])
    names = ("user", "kernel") if options["both"] else (runtime_name(settings.runtime, settings.pin_root),)
    log_level, explain = options["log_level"], options["explain"]
    with ExitStack() as stack:
        judges = [open_judge(name, stack, options["btf"]) for name in names]
        found = (
            verdicts
            for path in paths
            for verdicts in verdicts_of(path, options["programs"], options["sections"], prog_type, judges, log_level)
        )
        if options["both"]:
            from toolchain.cli.verify_both import compare

            return compare(found, settings.as_json, explain)
        verdicts = []
        for (verdict,) in found:
            verdicts.append(verdict)
            if not settings.as_json:
                show(verdict, log_level > 0, explain)
    if settings.as_json:
        rows = [row(each, log_level > 0, explain) for each in verdicts]
        render.write(render.json_text({"schema": "bpf-load.verify/1", "programs": rows}))
    return gravest(each.error for each in verdicts)
