"""Walks: programs whose interest is how they are walked, one file of tests/data/walks each.

The first line holds the live kernel's figures: ``# kernel: accept processed=58 total_states=5 ...``.
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

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "data" / "walks"


@functools.cache
def assembled(text: str, path: str = "<text>") -> LinkedProgram:
    """The first program of an assembly text."""
    return link_all(extract(assemble_text(text, path)))[0]


def tc_program(body: str, head: str = "") -> LinkedProgram:
    """A classifier from its instructions; ``head`` holds map directives."""
    return assembled(f'{head}\n.section tc,"ax"\n.globl main\nmain:\n{body}\n.license "GPL"\n')


class Walk(NamedTuple):
    """``figures`` are the kernel's: processed, total_states, peak_states, max_states_per_insn."""

    name: str
    figures: dict[str, int]
    program: LinkedProgram


def read_walk(path: pathlib.Path) -> Walk:
    """The walk in a file."""
    text = path.read_text()
    first = text.splitlines()[0]
    if not first.startswith("# kernel: accept "):
        raise ValueError(f"{path}: no figures on the first line")
    figures = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", first)}
    return Walk(path.stem, figures, assembled(text, str(path)))


def walks() -> list[Walk]:
    """All of them, by name."""
    return [read_walk(path) for path in sorted(FOLDER.glob("*.s"))]
