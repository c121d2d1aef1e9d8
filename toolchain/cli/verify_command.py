"""bpf-load verify: the verdict on every program of some objects. Touches no pin and no runtime's state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Settings, parse_prog_type, selection_options
from toolchain.errors import LinkError, ObjectError, Rejected, ToolchainError, Unsupported

if TYPE_CHECKING:
    from toolchain.isa.program_types import ProgType
    from toolchain.spec.objects import ObjectSpec
    from toolchain.spec.stages import LinkedProgram, VerifierStats
    from toolchain.verifier.explain import Explanation


@click.command(cls=Command)
@click.argument("paths", metavar="OBJ...", nargs=-1, required=True)
@selection_options
@click.option("--log-level", type=click.IntRange(0, 4), default=0, help="Show the verifier's log, as the kernel does.")
@click.option("--explain", is_flag=True, help="Say of each rejection what was needed, what was known, and what to try.")
def verify(settings: Settings, paths: tuple[str, ...], **options: Any) -> Action:
    """Verify the programs of each OBJ: all of them, unless some are chosen.

    Exit status 3 if a program is rejected, 1 if an object cannot be read or linked, 5 if a program needs something
    that is not supported, 0 if all are accepted.
    """
    return partial(_verify, settings, paths, options)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one program, or of a whole file where none could be reached."""

    file: str
    verdict: str
    stage: str
    section: str = ""
    program: str = ""
    insns: int = 0
    stats: VerifierStats | None = None
    log: str = ""
    error: ToolchainError | None = None
    linked: LinkedProgram | None = None

    def explanation(self) -> Explanation | None:
        """Of a rejection by the verifier."""
        if not isinstance(self.error, Rejected) or self.linked is None:
            return None
        from toolchain.loader.pipeline import bind_unpinned
        from toolchain.verifier.explain import explain

        return explain(self.error, bind_unpinned(self.linked))


def _verify(settings: Settings, paths: tuple[str, ...], options: dict[str, Any]) -> int:
    settings.require_user_runtime()
    prog_type = parse_prog_type(options["prog_type"])
    verdicts = []
    for path in paths:
        for verdict in verdicts_of(path, options["programs"], options["sections"], prog_type, options["log_level"]):
            verdicts.append(verdict)
            if not settings.as_json:
                _show(verdict, options["log_level"] > 0, options["explain"])
    if settings.as_json:
        rows = [_row(each, options["log_level"] > 0, options["explain"]) for each in verdicts]
        render.write(render.json_text({"schema": "bpf-load.verify/1", "programs": rows}))
    return max((each.error.exit_status for each in verdicts if each.error), key=_gravity, default=0)


def _gravity(status: int) -> int:
    """A rejection outweighs a file that cannot be read, and that a feature that is missing."""
    return (Unsupported.exit_status, ObjectError.exit_status, Rejected.exit_status).index(status)


def verdicts_of(
    path: str, programs: tuple[str, ...], sections: tuple[str, ...], prog_type: ProgType | None, log_level: int = 0
) -> Iterator[Verdict]:
    """The verdict on each selected program of a file, or one on the file."""
    from toolchain.loader.link import select
    from toolchain.loader.objects import read_object

    try:
        obj = read_object(path)
        chosen = select(obj, programs, sections)
    except ToolchainError as error:
        yield Verdict(path, _word(error), "open", error=error)
        return
    for each in chosen:
        yield _judge(path, obj, each.name, each.section, prog_type, log_level)


def _judge(path: str, obj: ObjectSpec, name: str, section: str, prog_type: ProgType | None, log_level: int) -> Verdict:
    from toolchain.loader.link import link
    from toolchain.loader.pipeline import bind_unpinned
    from toolchain.verifier import VerifyOptions
    from toolchain.verifier import verify as verify_program

    linked: LinkedProgram | None = None
    try:
        linked = link(obj, name, prog_type)
        verified = verify_program(bind_unpinned(linked), VerifyOptions(log_level=log_level))
    except ToolchainError as error:
        insns = linked.slot_count if linked is not None else 0
        stats = cast("VerifierStats | None", error.stats) if isinstance(error, Rejected) else None
        log = error.log if isinstance(error, Rejected) else ""
        stage = "verifier" if linked is not None else "core" if "CO-RE" in error.message else "reloc"
        return Verdict(path, _word(error), stage, section, name, insns, stats, log, error, linked)
    return Verdict(path, "accept", "verifier", section, name, linked.slot_count, verified.stats, verified.log)


def _word(error: ToolchainError) -> str:
    """A program whose type nobody named was not judged."""
    is_untyped = isinstance(error, LinkError) and "--type" in error.hint
    return "unsupported" if isinstance(error, Unsupported) or is_untyped else "reject"


def _show(verdict: Verdict, with_log: bool, with_explanation: bool) -> None:
    explanation = verdict.explanation() if with_explanation else None
    if explanation is not None:
        render.complain(render.printable_lines(f"{verdict.file}: error: {explanation.as_text()}"))
    elif verdict.error is not None:
        render.complain(render.error_text(verdict.error))
    elif with_log:
        render.write(render.printable_lines(verdict.log))
    if verdict.program:
        stats = verdict.stats
        work = f", {stats.processed} processed, {stats.usec / 1000:.1f} ms" if stats else ""
        place = f"{verdict.file}: {verdict.section}: {verdict.program}"
        render.write(render.printable(f"{verdict.verdict:<11} {place}: {verdict.insns} insns{work}"))


def _row(verdict: Verdict, with_log: bool, with_explanation: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"file": verdict.file}
    if verdict.program:
        row |= {"section": verdict.section, "program": verdict.program}
    row |= {"verdict": verdict.verdict, "stage": verdict.stage, "message": "", "insn": None, "insns": verdict.insns}
    row["processed"] = verdict.stats.processed if verdict.stats else 0
    row["usec"] = verdict.stats.usec if verdict.stats else 0
    error = verdict.error
    if error is not None:
        row["message"] = error.message
        row["code"] = error.code
        row["hint"] = error.hint
        row["where"] = error.where.as_json() if error.where else None
        row["insn"] = getattr(error.where, "slot", None)
        if isinstance(error, Rejected):
            row["rule"] = error.rule
    explanation = verdict.explanation() if with_explanation else None
    if explanation is not None:
        row["explanation"] = explanation.as_json()
    if with_log:
        row["log"] = verdict.log.splitlines()
    return row
