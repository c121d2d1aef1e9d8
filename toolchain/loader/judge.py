"""judge: a verdict on a linked program, our verifier's or the kernel's, without leaving anything behind.

    user     bind as if nothing were pinned | complete the maps | verify
    kernel   bind as if nothing were pinned | complete the maps | create them, filled and frozen | load | close all

Each program is judged by itself; programs of one object share no map here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from toolchain.isa.map_types import FD_VALUE_TYPES, MAP_IN_MAP_TYPES, MapType
from toolchain.loader.core_target import TypesOf
from toolchain.loader.pipeline import bind_unpinned, create_map, this_machine
from toolchain.loader.prepare import prepared
from toolchain.spec.maps import MapSpec
from toolchain.spec.objects import ObjectSpec
from toolchain.spec.stages import BoundProgram, LinkedProgram, MapBinding, VerifierStats

if TYPE_CHECKING:
    from toolchain.kernel.runtime import KernelRuntime


class Judgement(NamedTuple):
    """What is said of a program that is accepted. ``log`` is '' unless a level asked for it."""

    stats: VerifierStats
    log: str


class Judge(NamedTuple):
    """``prepare`` makes an object ready to be linked for this judge, ``judge`` takes a program and a log level."""

    prepare: Callable[[ObjectSpec], ObjectSpec]
    judge: Callable[[LinkedProgram, int], Judgement]


def open_judge(runtime: str, stack: ExitStack, btf: str = "") -> Judge:
    """The judge of the runtime of that name, 'user' or 'kernel'; what it holds is released with ``stack``.

    ``btf`` names the types that answer CO-RE relocations (see core_target.py).

    Raises: RuntimeUnavailable where the kernel runtime is not built, ObjectError for ``btf``.
    """
    types = TypesOf(btf)
    if runtime == "user":
        return Judge(partial(prepared, types=types, for_kernel=False), judge_by_verifier)
    from toolchain.loader.runtimes import open_kernel

    kernel = open_kernel()
    stack.callback(kernel.close)
    return Judge(partial(prepared, types=types, for_kernel=True), partial(judge, kernel))


def judge_by_verifier(program: LinkedProgram, log_level: int = 0) -> Judgement:
    """Our verifier's verdict on a program. Raises Rejected, Unsupported."""
    from toolchain.verifier import VerifyOptions, verify

    verified = verify(as_judged(program), VerifyOptions(log_level=log_level))
    return Judgement(verified.stats, verified.log)


def judge(runtime: KernelRuntime, program: LinkedProgram, log_level: int = 0) -> Judgement:
    """The kernel's verdict on a program.

    Raises: Rejected with the kernel's reason, Unsupported, LoadError (a map cannot be made), RuntimeUnavailable.
    """
    bound = as_judged(program)
    with ExitStack() as stack:
        maps = [stack.enter_context(create_map(runtime, program.btf, each.spec)) for each in bound.bindings]
        return Judgement(*runtime.judge(bound, maps, log_level))


def as_judged(program: LinkedProgram) -> BoundProgram:
    """The program as it would be bound where nothing is pinned, with maps that can be made."""
    bound = bind_unpinned(program)
    return BoundProgram(program, tuple(MapBinding(_completed(each.spec)) for each in bound.bindings))


_NEEDS_NO_SIZE = frozenset(
    {MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE, MapType.STRUCT_OPS}
    | {MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE}
)


_RINGS = frozenset({MapType.RINGBUF, MapType.USER_RINGBUF})
_ANY_INNER = MapSpec("inner", MapType.ARRAY, 4, 4, 1)


def _completed(spec: MapSpec) -> MapSpec:
    """``spec`` as a map that can be made, as small as can be, where it leaves that to its user space.

    That is how many elements it has, how deep its stack traces are, what stands in the slots of a map of fds, that its
    fds have 4 bytes, and that a ring has neither keys nor values.
    """
    if spec.values:
        spec = replace(spec, values=())
    if spec.inner is not None:
        spec = replace(spec, inner=_completed(spec.inner))
    if not spec.max_entries and spec.map_type not in _NEEDS_NO_SIZE:
        spec = replace(spec, max_entries=this_machine().page_size if spec.map_type in _RINGS else 1)
    if spec.map_type in _RINGS:
        spec = replace(spec, key_size=0, value_size=0, key_type_id=0, value_type_id=0)
    if spec.map_type is MapType.STACK_TRACE:
        spec = replace(spec, key_size=spec.key_size or 4, value_size=spec.value_size or 8)
    if spec.map_type in FD_VALUE_TYPES:
        spec = replace(spec, key_size=spec.key_size or 4, value_size=4, value_type_id=0)
    if spec.map_type in MAP_IN_MAP_TYPES and spec.inner is None:
        spec = replace(spec, inner=_ANY_INNER)
    return spec
