"""The text pass: comments over several lines, and whether macros.py has anything to do.

    text --block comments blanked--> lines --macros.py, where a directive asks for it--> lines with their origins

A text without macros, conditions, repetitions and included files skips all but the first step: its lines are
themselves.
"""

from __future__ import annotations

import re

from toolchain.asm.options import AsmOptions
from toolchain.asm.shapes import Shapes
from toolchain.asm.unit import Unit, lines_of

_TRIGGER = r"\.(?:macro|rept?|irpc?|if\w*|else\w*|endif|endm|endmacro|endr|include|incbin|exitm|purgem|end)(?![\w.$])"


def preprocess(text: str, path: str, options: AsmOptions, shapes: Shapes) -> Unit:
    """The unit of a text."""
    lines = lines_of(text)
    constants = tuple(options.defines)
    if not re.search(_TRIGGER, text):
        bare = _without_comments(lines) if "#" in text else lines
        return Unit(path, bare, None, shapes.statements(bare), shapes, (), constants, lines)
    from toolchain.asm.macros import expand

    made, origins, faults = expand(lines, path, options, shapes)
    return Unit(path, made, origins, shapes.statements(made), shapes, tuple(faults), constants)


def _without_comments(lines: list[str]) -> list[str]:
    """Lines less their comments, where no quote leaves a doubt; shapes.py sees to the rest.

    Most lines of a compiler differ in their comments only, so that fewer different lines remain.
    """
    return [line if '"' in line or "'" in line else line.partition("#")[0] for line in lines]
