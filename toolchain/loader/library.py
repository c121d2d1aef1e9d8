"""The arrows as functions, for ``from toolchain import ...``: one object, one call.

    with load("ingress.o", pin="ingress") as loaded:
        verdict = loaded.program()(packet)
        value = loaded.maps["acc"][key]

A map is the runtime's own handle, a MutableMapping from bytes to bytes; a program is callable on a packet.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from toolchain.errors import LinkError
from toolchain.isa.program_types import ProgType
from toolchain.loader.bind import OnMismatch, PinLayout
from toolchain.loader.link import link_all
from toolchain.loader.objects import read_object
from toolchain.loader.pipeline import LoadOptions, bind_unpinned, verify_all
from toolchain.loader.pipeline import load as load_object
from toolchain.loader.prepare import prepared
from toolchain.loader.runtimes import open_runtime
from toolchain.spec.objects import ObjectSpec
from toolchain.spec.runtime import MapHandle, ProgHandle, RunResult
from toolchain.spec.stages import LinkedProgram, VerifiedProgram


class Program:
    """A loaded program: ``program(packet)`` is its return value, ``program.run(packet)`` all that came of it."""

    def __init__(self, handle: ProgHandle, name: str) -> None:
        self.handle = handle
        self.name = name

    def __call__(self, packet: bytes) -> int:
        """The return value of one run, unsigned 32 bits."""
        return self.run(packet).retval

    def run(self, packet: bytes, repeat: int = 1) -> RunResult:
        """One run, or the last of several. Raises LoadError."""
        return self.handle.run(packet, repeat=repeat)


class LoadedObject:
    """Programs and maps by name. Owns: their handles and the runtime; ``close`` or a ``with`` block releases them."""

    def __init__(self, programs: Mapping[str, Program], maps: Mapping[str, MapHandle], stack: ExitStack) -> None:
        self.programs = dict(programs)
        self.maps = dict(maps)
        self._stack = stack

    def program(self, name: str = "") -> Program:
        """The program of that name, or the only one. Raises LinkError."""
        if name in self.programs:
            return self.programs[name]
        if not name and len(self.programs) == 1:
            return next(iter(self.programs.values()))
        raise LinkError(f"no such program: {name or 'none named'} ({', '.join(self.programs)})")

    def close(self) -> None:
        """Close everything: what is not pinned goes."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def load(
    obj: str | os.PathLike[str] | ObjectSpec,
    *,
    programs: Sequence[str] = (),
    prog_type: ProgType | None = None,
    pin: str = "",
    maps: Mapping[str, str] | None = None,
    layout: PinLayout | str = PinLayout.TC,
    on_mismatch: OnMismatch | str = OnMismatch.FAIL,
    runtime: str = "",
    pin_root: str = "",
) -> LoadedObject:
    """Load an object's programs, as ``bpf-load load`` does; ``maps`` says which pin to use for which map.

    Raises: ToolchainError; whatever it is, nothing has changed.
    """
    spec = obj if isinstance(obj, ObjectSpec) else read_object(os.fspath(obj))
    options = LoadOptions(
        programs=tuple(programs),
        prog_type=prog_type,
        map_paths=maps or {},
        layout=PinLayout(layout),
        on_mismatch=OnMismatch(on_mismatch),
        pin=pin,
    )
    with ExitStack() as stack:
        where = open_runtime(runtime, pin_root)
        stack.callback(where.close)
        loaded = stack.enter_context(load_object(where, spec, options))
        named = {each.program.name: Program(each.handle, each.program.name) for each in loaded.programs}
        return LoadedObject(named, {each.spec.name: each.handle for each in loaded.maps}, stack.pop_all())


def link(obj: ObjectSpec, programs: Sequence[str] = (), prog_type: ProgType | None = None) -> tuple[LinkedProgram, ...]:
    """The named programs, or all, linked for the running kernel's types ($BPF_BTF). Raises LinkError, Unsupported."""
    return link_all(prepared(obj, for_kernel=False), programs, prog_type=prog_type)


def verify(program: LinkedProgram) -> VerifiedProgram:
    """The program proved safe, with maps as it declares them. Raises Rejected, Unsupported."""
    return verify_all([bind_unpinned(program)])[0]
