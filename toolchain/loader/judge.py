"""judge: the kernel's verdict on a linked program, without leaving anything behind.

    bind as if nothing were pinned | create the maps, filled and frozen | load, keep the figures and the log | close all

Programs of one object share no map here: each is judged by itself, as ``verify`` of the user runtime does.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from toolchain.loader.pipeline import bind_unpinned, create_map
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, LinkedProgram, MapBinding, VerifierStats

if TYPE_CHECKING:
    from toolchain.kernel.runtime import KernelRuntime


class Judgement(NamedTuple):
    """What the kernel says of a program that it accepts. ``log`` is '' unless a level asked for it."""

    stats: VerifierStats
    log: str


def judge(runtime: KernelRuntime, program: LinkedProgram, log_level: int = 0) -> Judgement:
    """The kernel's verdict on a program.

    Raises: Rejected with the kernel's reason, Unsupported, LoadError (a map cannot be made), RuntimeUnavailable.
    """
    bound = bind_unpinned(program)
    bindings = tuple(MapBinding(_without_values(each.spec)) for each in bound.bindings)
    with ExitStack() as stack:
        maps = [stack.enter_context(create_map(runtime, program.btf, each.spec)) for each in bindings]
        return Judgement(*runtime.judge(BoundProgram(program, bindings), maps, log_level))


def _without_values(spec: MapSpec) -> MapSpec:
    """What stands in the slots of a map of fds changes no verdict."""
    return replace(spec, values=()) if spec.values else spec
