"""bpf-load verify --both: our verdict beside the kernel's, for the programs on which they differ.

Compared are the verdict, the message of a rejection and the count of processed instructions. A program that one of the
two cannot judge is shown, but is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from toolchain.cli import render
from toolchain.cli.judgement import Verdict, gravest, row, show
from toolchain.errors import ExpectationError, ToolchainError

FIELDS = ("verdict", "message", "processed")


def compare(found: Iterable[tuple[Verdict, ...]], as_json: bool, explain: bool) -> int:
    """Show the programs with two verdicts that differ, and all faults of others; the exit status."""
    rows: list[dict[str, Any]] = []
    errors: list[ToolchainError | None] = []
    judged = differing = 0
    for verdicts in found:
        errors += [each.error for each in verdicts]
        fields = differences(*verdicts) if len(verdicts) == 2 else ()
        judged += len(verdicts) == 2 and all(each.verdict != "unsupported" for each in verdicts)
        differing += bool(fields)
        if as_json:
            rows.append(_row(verdicts, fields, explain))
        elif len(verdicts) == 1:
            show(verdicts[0], False, explain)
        elif fields or any(each.verdict == "unsupported" for each in verdicts):
            render.write(render.printable(line(verdicts, fields)))
    if as_json:
        render.write(render.json_text({"schema": "bpf-load.verify/1", "programs": rows, "differing": differing}))
    else:
        render.write(f"{judged} programs judged by both, {differing} differ")
    return ExpectationError.exit_status if differing else gravest(errors)


def differences(ours: Verdict, kernels: Verdict) -> tuple[str, ...]:
    """The names of FIELDS in which two verdicts differ."""
    if "unsupported" in (ours.verdict, kernels.verdict) or "reloc" in (ours.stage, kernels.stage):
        return ()
    return tuple(name for name in FIELDS if _field(ours, name) != _field(kernels, name))


def _field(verdict: Verdict, name: str) -> object:
    match name:
        case "verdict":
            return verdict.verdict
        case "message":
            return verdict.error.message if verdict.error is not None else ""
    return verdict.stats.processed if verdict.stats is not None else 0


def line(verdicts: tuple[Verdict, ...], fields: tuple[str, ...]) -> str:
    """One line on two verdicts, ours and the kernel's."""
    ours, kernels = verdicts
    place = f"{ours.file}: {ours.section}: {ours.program}"
    head = "differs" if fields else "not judged"
    return f"{head:<11} {place}: user {_text(ours)}; kernel {_text(kernels)}"


def _text(verdict: Verdict) -> str:
    work = f", {verdict.stats.processed} processed" if verdict.stats is not None else ""
    reason = f" ({verdict.error.message})" if verdict.error is not None else ""
    return f"{verdict.verdict}{reason}{work}"


def _row(verdicts: tuple[Verdict, ...], fields: tuple[str, ...], explain: bool) -> dict[str, Any]:
    keys = row(verdicts[0], False, explain)
    if len(verdicts) == 2:
        kernels = row(verdicts[1], False, False)
        keys["kernel"] = {name: kernels[name] for name in ("verdict", "stage", "message", "insn", "processed", "usec")}
        keys["differs"] = list(fields)
    return keys
