"""The verifier's cases: one file of tests/data/verify each.

A file is a program in assembly. It says ``# accept``, or on the guilty line ``# reject: MESSAGE`` with the message of
Linux 6.18. Type, licence and maps are those of the object that it assembles to.
"""

from __future__ import annotations

import functools
import pathlib
import re
from typing import NamedTuple

from toolchain.asm import assemble_text
from toolchain.elf.extract import extract
from toolchain.loader.link import link_all
from toolchain.spec.stages import LinkedProgram

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "data" / "verify"
_MARK = re.compile(r"#\s*(accept\b|reject:\s*(?P<message>.*\S))")


class Case(NamedTuple):
    """``message`` is '' for a program to be accepted. ``slot`` is that of the guilty line."""

    path: pathlib.Path
    message: str
    slot: int

    @property
    def name(self) -> str:
        return self.path.stem

    @functools.cache  # noqa: B019 (cases live as long as the run)
    def program(self) -> LinkedProgram:
        """The case as the verifier gets it."""
        return link_all(extract(assemble_text(self.path.read_text(), str(self.path))))[0]


def _slots(line: str) -> int:
    """How many slots the statement on a line fills."""
    statement = line.split("#")[0].strip()
    if not statement or statement.endswith(":"):
        return 0
    if statement.startswith("."):
        return 1 if statement.startswith(".8byte") else 0
    return 2 if statement.endswith(" ll") else 1


def read_case(path: pathlib.Path) -> Case:
    """The case in a file. Raises ValueError where it is not marked once."""
    slot = 0
    found: list[Case] = []
    for line in path.read_text().splitlines():
        mark = _MARK.search(line)
        if mark:
            found.append(Case(path, mark["message"] or "", slot))
        slot += _slots(line)
    if len(found) != 1:
        raise ValueError(f"{path}: {len(found)} marks (1)")
    return found[0]


CASES = tuple(read_case(path) for path in sorted(FOLDER.glob("*.s")))
