"""A program's verdict, by whichever judge, and how verify shows it: a line and an error, or a row of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from toolchain.cli import render
from toolchain.errors import (
    LinkError,
    LoadError,
    ObjectError,
    Rejected,
    RuntimeUnavailable,
    ToolchainError,
    Unsupported,
)
from toolchain.values import Value, value_type

if TYPE_CHECKING:
    from toolchain.isa.program_types import ProgType
    from toolchain.loader.judge import Judge
    from toolchain.spec.objects import ObjectSpec, ProgramSpec
    from toolchain.spec.stages import LinkedProgram, VerifierStats
    from toolchain.verifier.explain import Explanation


@value_type
class Verdict(Value):
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
        from toolchain.loader.judge import as_judged
        from toolchain.verifier.explain import explain

        return explain(self.error, as_judged(self.linked))


def gravest(errors: Iterable[ToolchainError | None]) -> int:
    """The exit status: a rejection outweighs a file that cannot be read, and that a feature that is missing."""
    order = (0, Unsupported.exit_status, ObjectError.exit_status, Rejected.exit_status)
    return max((error.exit_status for error in errors if error is not None), key=order.index, default=0)


def verdicts_of(
    path: str,
    programs: tuple[str, ...],
    sections: tuple[str, ...],
    prog_type: ProgType | None,
    judges: Sequence[Judge],
    log_level: int = 0,
) -> Iterator[tuple[Verdict, ...]]:
    """Each judge's verdict on each selected program of a file; one alone where the file cannot be read."""
    from toolchain.loader.link import select
    from toolchain.loader.objects import read_object

    try:
        obj = read_object(path)
        chosen = select(obj, programs, sections)
    except ToolchainError as error:
        yield (Verdict(path, _word(error), "open", error=error),)
        return
    objects = [judge.prepare(obj) for judge in judges]
    for each in chosen:
        yield tuple(
            _judge(path, own, each, prog_type, judge, log_level) for own, judge in zip(objects, judges, strict=True)
        )


def _judge(
    path: str, obj: ObjectSpec, program: ProgramSpec, prog_type: ProgType | None, judge: Judge, log_level: int
) -> Verdict:
    from toolchain.loader.link import link

    section, name = program.section, program.name
    try:
        linked = link(obj, name, prog_type)
    except ToolchainError as error:
        stage = "core" if "CO-RE" in error.message else "reloc"
        return Verdict(path, _word(error), stage, section, name, error=error)
    insns = linked.slot_count
    try:
        judgement = judge.judge(linked, log_level)
    except Rejected as error:
        error.hint = error.hint or _hint(obj, linked, error)
        stats = cast("VerifierStats", error.stats)
        return Verdict(path, "reject", "verifier", section, name, insns, stats, error.log, error, linked)
    except ToolchainError as error:
        stage = "map" if isinstance(error, LoadError) else "verifier"
        return Verdict(path, _word(error), stage, section, name, insns, error=error, linked=linked)
    return Verdict(path, "accept", "verifier", section, name, insns, judgement.stats, judgement.log)


def _hint(obj: ObjectSpec, linked: LinkedProgram, error: Rejected) -> str:
    """Of a field or enumerator that the kernel does not have: which one."""
    from toolchain.loader.core_relocation import POISON, missing_at

    slot = getattr(error.where, "slot", None)
    if slot is None or not error.message.endswith(f"#{POISON}"):
        return ""
    missing = missing_at(obj, linked, slot)
    return f"the kernel's types do not answer a CO-RE relocation: {missing}; ask first whether it exists"


def _word(error: ToolchainError) -> str:
    """A program whose type nobody named was not judged, nor one that the judge could not take."""
    is_untyped = isinstance(error, LinkError) and "--type" in error.hint
    is_judged = not isinstance(error, Unsupported | RuntimeUnavailable) and not is_untyped
    return "reject" if is_judged else "unsupported"


def show(verdict: Verdict, with_log: bool, with_explanation: bool) -> None:
    """A verdict as text: the log if asked for, the error or what explains it, and one line."""
    if with_log and verdict.log:
        render.write(render.printable_lines(verdict.log))
    explanation = verdict.explanation() if with_explanation else None
    if explanation is not None:
        render.complain(render.printable_lines(f"{verdict.file}: error: {explanation.as_text()}"))
    elif verdict.error is not None:
        render.complain(render.error_text(verdict.error))
    if verdict.program:
        stats = verdict.stats
        work = f", {stats.processed} processed, {stats.usec / 1000:.1f} ms" if stats else ""
        place = f"{verdict.file}: {verdict.section}: {verdict.program}"
        render.write(render.printable(f"{verdict.verdict:<11} {place}: {render.counted(verdict.insns, 'insn')}{work}"))


def row(verdict: Verdict, with_log: bool, with_explanation: bool) -> dict[str, Any]:
    """A verdict as an entry of the JSON document; without a program it speaks of the whole file."""
    keys: dict[str, Any] = {"file": verdict.file}
    if verdict.program:
        keys |= {"section": verdict.section, "program": verdict.program}
    keys |= {"verdict": verdict.verdict, "stage": verdict.stage, "message": "", "insn": None, "insns": verdict.insns}
    keys["processed"] = verdict.stats.processed if verdict.stats else 0
    keys["usec"] = verdict.stats.usec if verdict.stats else 0
    error = verdict.error
    if error is not None:
        keys["message"] = error.message
        keys["code"] = error.code
        keys["hint"] = error.hint
        keys["where"] = error.where.as_json() if error.where else None
        keys["insn"] = getattr(error.where, "slot", None)
        if isinstance(error, Rejected):
            keys["rule"] = error.rule
    explanation = verdict.explanation() if with_explanation else None
    if explanation is not None:
        keys["explanation"] = explanation.as_json()
    if with_log:
        keys["log"] = verdict.log.splitlines()
    return keys
