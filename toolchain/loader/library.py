"""The arrows as functions, for ``from toolchain import ...``: one object, one call.

    with load("ingress.o", pin="ingress") as loaded:
        verdict = loaded.program()(packet)
        value = loaded.maps["acc"][key]
    with get("ingress") as program, program.attach("eth0", "ingress"):
        ...

A map is a MutableMapping from bytes (or numbers, or typed values) to bytes (mapping.py), a program is callable on a
packet, and all of it is the same on both runtimes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self

from toolchain.errors import LinkError, UsageError
from toolchain.isa.map_types import MapType, map_type_of
from toolchain.isa.program_types import ProgType
from toolchain.loader.attach import Attached, apply, attaching
from toolchain.loader.bind import OnMismatch, PinLayout
from toolchain.loader.hand_over import receive_objects, send_objects
from toolchain.loader.link import link_all
from toolchain.loader.mapping import Map
from toolchain.loader.objects import read_object
from toolchain.loader.pinning import pin_all
from toolchain.loader.pipeline import LoadOptions, bind_unpinned, verify_all
from toolchain.loader.pipeline import load as load_object
from toolchain.loader.prepare import prepared
from toolchain.loader.runtimes import open_runtime, relative_pin
from toolchain.spec.maps import MapSpec, MapStyle
from toolchain.spec.objects import ObjectSpec
from toolchain.spec.runtime import LinkHandle, MapInfo, Order, ProgHandle, ProgInfo, RunResult, Runtime, Target
from toolchain.spec.stages import LinkedProgram, VerifiedProgram


class Program:
    """A loaded program: ``program(packet)`` is its return value, ``program.run(packet)`` all that came of it.

    Owns: ``handle``, the runtime's own, and ``stack``; ``close`` or a ``with`` block releases them.
    """

    def __init__(self, handle: ProgHandle, name: str, runtime: Runtime, stack: ExitStack | None = None) -> None:
        self.handle = handle
        self.name = name
        self._runtime = runtime
        self._stack = stack

    def __call__(self, packet: bytes) -> int:
        """The return value of one run, unsigned 32 bits."""
        return self.run(packet).retval

    def run(self, packet: bytes, repeat: int = 1) -> RunResult:
        """One run, or the last of several. Raises LoadError."""
        return self.handle.run(packet, repeat=repeat)

    def attach(self, device: str, hook: str, pin: str = "", order: Order | None = None) -> Link:
        """Attach it to ingress, egress or xdp of a device. Without a pin it stays until the link is closed.

        Raises: LoadError as TCX and XDP, PinError; then nothing is attached.
        """
        made = Attached()
        path = relative_pin(self._runtime.pin_root, pin) if pin else ""
        apply(self._runtime, self.handle, attaching(self._runtime, Target(device, hook), order or Order(), path, made))
        assert made.link is not None
        return Link(made.link)

    def close(self) -> None:
        """Let go; it lives on where it is pinned, attached or in a slot. Twice is once."""
        self.handle.close()
        if self._stack is not None:
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Program {self.handle.id} {self.name!r}>"


class Link:
    """What attaches a program to a hook. Owns: ``handle`` and ``stack``; without a pin, ``close`` detaches it."""

    def __init__(self, handle: LinkHandle, stack: ExitStack | None = None) -> None:
        self.handle = handle
        self._stack = stack

    @property
    def device(self) -> str:
        """The device's name."""
        return self.handle.info().device

    @property
    def hook(self) -> str:
        """'ingress', 'egress' or 'xdp'."""
        return self.handle.info().hook

    def update(self, program: Program) -> None:
        """Put another program in its place, in one step. Raises LoadError."""
        self.handle.update(program.handle)

    def detach(self) -> None:
        """Sever it from its hook, for good. Raises LoadError."""
        self.handle.detach()

    def close(self) -> None:
        """Let go. Twice is once."""
        self.handle.close()
        if self._stack is not None:
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Link {self.handle.id} {self.device} {self.hook}>"


class LoadedObject:
    """Programs and maps by name. Owns: their handles and the runtime; ``close`` or a ``with`` block releases them."""

    def __init__(self, programs: Mapping[str, Program], maps: Mapping[str, Map], stack: ExitStack) -> None:
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
        named = {each.program.name: Program(each.handle, each.program.name, where) for each in loaded.programs}
        return LoadedObject(named, {each.spec.name: Map(each.handle) for each in loaded.maps}, stack.pop_all())


def create_map(
    name: str,
    map_type: MapType | str,
    key_size: int,
    value_size: int,
    max_entries: int,
    *,
    flags: int = 0,
    pin: str = "",
    runtime: str = "",
    pin_root: str = "",
) -> Map:
    """A new map, pinned where ``pin`` says; ``map_type`` as bpftool calls it: 'array', 'hash' ... Owns: the caller.

    Raises: UsageError for an unknown type, LoadError, PinError, Unsupported; then nothing has changed.
    """
    try:
        kind = map_type_of(map_type) if isinstance(map_type, str) else map_type
    except ValueError as error:
        raise UsageError(str(error)) from error
    spec = MapSpec(name, kind, key_size, value_size, max_entries, flags, MapStyle.LIVE)
    with ExitStack() as stack:
        where = open_runtime(runtime, pin_root)
        stack.callback(where.close)
        handle = stack.enter_context(where.map_create(spec))
        if pin:
            pin_all(where, [(handle, relative_pin(where.pin_root, pin))])
        return Map(handle, stack.pop_all())


def get(path: str, *, runtime: str = "", pin_root: str = "") -> Map | Program | Link:
    """What is pinned at ``path``. Owns: the caller closes it. Raises PinError."""
    with ExitStack() as stack:
        where = open_runtime(runtime, pin_root)
        stack.callback(where.close)
        handle = stack.enter_context(where.get(relative_pin(where.pin_root, path)))
        return _wrapped(where, handle, stack.pop_all())


def _wrapped(where: Runtime, handle: Any, stack: ExitStack) -> Map | Program | Link:
    info = handle.info()
    if isinstance(info, MapInfo):
        return Map(handle, stack)
    return Program(handle, info.name, where, stack) if isinstance(info, ProgInfo) else Link(handle, stack)


def send(path: str, *objects: Map | Program | Link, name: str = "", wait: float = 0.0) -> None:
    """Hand objects to who awaits them at the Unix socket ``path``, for up to ``wait`` seconds. Raises HandOverError."""
    send_objects(path, [each.handle for each in objects], name, wait)


def receive(
    path: str, *, timeout: float | None = None, runtime: str = "", pin_root: str = ""
) -> tuple[Map | Program | Link, ...]:
    """Await objects at the Unix socket ``path``, which is made and removed. Owns: the caller closes each of them.

    Raises: HandOverError, PinError where something else came.
    """
    with ExitStack() as unused:
        where = open_runtime(runtime, pin_root)
        unused.callback(where.close)
        handles = receive_objects(where, path, timeout)
        unused.pop_all()
    found = []
    for handle in handles:
        stack = ExitStack()
        stack.callback(where.close)
        found.append(_wrapped(where, stack.enter_context(handle), stack))
    return tuple(found)


def link(obj: ObjectSpec, programs: Sequence[str] = (), prog_type: ProgType | None = None) -> tuple[LinkedProgram, ...]:
    """The named programs, or all, linked for the running kernel's types ($BPF_BTF). Raises LinkError, Unsupported."""
    return link_all(prepared(obj, for_kernel=False), programs, prog_type=prog_type)


def verify(program: LinkedProgram) -> VerifiedProgram:
    """The program proved safe, with maps as it declares them. Raises Rejected, Unsupported."""
    return verify_all([bind_unpinned(program)])[0]
