"""Which labels are functions, and how long they are.

A function is a label that .func or .type says is one, or that a call leads to. Loaders find functions by symbols of
type FUNC with a size, so both are completed here: a function without .size ends where the next one of its section
begins.

Source: libbpf 1.x, libbpf.c (bpf_object__add_programs) for what a loader asks of symbols.
"""

from __future__ import annotations

from toolchain.asm.expressions import names
from toolchain.asm.sections import SHF_EXEC
from toolchain.asm.state import State
from toolchain.spec.objects import SymbolType


def _call_labels(state: State) -> list[str]:
    """Names that calls lead to, in order."""
    found: dict[str, None] = {}
    for section in state.sections:
        if section.flags & SHF_EXEC:
            for fixup in state.fixups[section.index]:
                if fixup.kind == "call":
                    found.update(dict.fromkeys(names(fixup.expression)))
    return [name for name in found if name in state.labels]


def called_places(state: State) -> dict[int, set[int]]:
    """Of each section the offsets that calls by name lead to."""
    places: dict[int, set[int]] = {}
    for name in _call_labels(state):
        label = state.labels[name]
        places.setdefault(label.section, set()).add(label.offset)
    return places


def function_places(state: State) -> dict[int, dict[int, str]]:
    """Of each code section its functions by offset; one name for each."""
    places: dict[int, dict[int, str]] = {}
    for name in (*state.functions, *(each for each in _call_labels(state) if "\x01" not in each)):
        label = state.labels.get(name)
        if label is not None and state.sections[label.section].flags & SHF_EXEC:
            places.setdefault(label.section, {}).setdefault(label.offset, name)
    return places


def complete_functions(state: State) -> None:
    """Gives functions their type and size where the source does not."""
    for section, labels in function_places(state).items():
        ends = [*sorted(labels)[1:], state.sections[section].size]
        for offset, end in zip(sorted(labels), ends, strict=True):
            name = labels[offset]
            if name.startswith(".L"):
                continue
            info = state.symbol(name)
            if info.type is SymbolType.NOTYPE:
                info.type = SymbolType.FUNC
            if info.size is None and info.type is SymbolType.FUNC:
                info.size = end - offset
