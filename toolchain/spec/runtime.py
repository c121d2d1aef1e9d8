"""The Runtime protocol, shaped like bpf(2): what vm/ and kernel/ both are, and all that loader/ and cli/ know of them.

Handles own an fd each and close it in ``close()`` or at the end of a ``with`` block. An unpinned object lives as long as
a handle on it does, in whatever process.

Errors: MapError for element operations, PinError for pins, LoadError for creation, loading and running, RuntimeUnavailable
where the runtime cannot work at all; each with the errno that bpf(2) gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, VerifiedProgram


@dataclass(frozen=True, slots=True)
class MapInfo:
    """What a live map says of itself. ``spec.name`` is as full as the runtime keeps it. ``btf`` is raw type information."""

    id: int
    spec: MapSpec
    is_frozen: bool = False
    owner_uid: int = 0
    created_ns: int = 0
    btf: bytes = b""


@dataclass(frozen=True, slots=True)
class ProgInfo:
    """What a live program says of itself. ``tag`` is 16 hex digits; ``load_time_ns`` is on the boot-time clock."""

    id: int
    name: str
    prog_type: int
    tag: str
    slot_count: int
    map_ids: tuple[int, ...] = ()
    gpl_compatible: bool = False
    owner_uid: int = 0
    load_time_ns: int = 0


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run of a program. ``retval`` is unsigned 32 bits; ``data_out`` the packet afterwards.

    Where the runtime knows: ``trace`` is the text that trace_printk wrote, ``redirect_ifindex`` the target of a
    redirect (0: none), ``insn_count`` how many instructions were executed (0: nobody counted).
    """

    retval: int
    data_out: bytes = b""
    ctx_out: bytes = b""
    duration_ns: int = 0
    trace: str = ""
    redirect_ifindex: int = 0
    insn_count: int = 0


@dataclass(frozen=True, slots=True)
class PinEntry:
    """One pin. ``path`` is relative to the pin root; ``kind`` is 'map', 'prog' or 'link'."""

    path: str
    kind: str
    id: int


class Handle(Protocol):
    """A reference on a live object."""

    @property
    def id(self) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...


class MapHandle(Handle, Protocol):
    """A live map. Keys and values are bytes of the declared sizes; a per-CPU value is all CPUs' values, each padded to 8 bytes."""

    def info(self) -> MapInfo: ...
    def lookup(self, key: bytes) -> bytes | None: ...
    def update(self, key: bytes, value: bytes, flags: int = 0) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def next_key(self, key: bytes | None) -> bytes | None: ...
    def items(self) -> Iterator[tuple[bytes, bytes]]: ...
    def freeze(self) -> None: ...


class ProgHandle(Handle, Protocol):
    """A loaded program."""

    def info(self) -> ProgInfo: ...
    def run(self, data: bytes, ctx: bytes = b"", repeat: int = 1) -> RunResult: ...


class Runtime(Protocol):
    """A place where maps and programs live. ``name`` is 'user' or 'kernel'; ``takes_verified`` says that prog_load wants a
    VerifiedProgram (the user runtime), else it takes a BoundProgram and the runtime itself gives the verdict.
    ``pin(replacing=True)`` takes over an existing pin in one step; ``publish`` pins several objects, all or none."""

    name: str
    pin_root: str
    takes_verified: bool

    def map_create(self, spec: MapSpec, btf: bytes = b"") -> MapHandle: ...
    def prog_load(self, program: VerifiedProgram | BoundProgram, maps: Sequence[MapHandle]) -> ProgHandle: ...
    def pin(self, handle: Handle, path: str, replacing: bool = False) -> None: ...
    def publish(self, pins: Sequence[tuple[Handle, str]]) -> None: ...
    def unpin(self, path: str) -> None: ...
    def get(self, path: str) -> Handle: ...
    def map_by_id(self, id: int) -> MapHandle: ...
    def prog_by_id(self, id: int) -> ProgHandle: ...
    def map_ids(self) -> Iterator[int]: ...
    def prog_ids(self) -> Iterator[int]: ...
    def pins(self, below: str = "") -> Iterator[PinEntry]: ...
    def close(self) -> None: ...
