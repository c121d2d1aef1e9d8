"""The Runtime protocol, shaped like bpf(2): what each runtime is, and all that loader/ and cli/ know of it.

Handles own an fd each and close it in ``close()`` or at the end of a ``with`` block. An unpinned object lives as long
as a handle on it does, in whatever process.

Raises: MapError for element operations, PinError for pins, LoadError for creating, loading and running,
RuntimeUnavailable where the runtime cannot work at all; each with the errno that bpf(2) gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, Self

from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, VerifiedProgram
from toolchain.values import Value, value_type


@value_type
class MapInfo(Value):
    """What a live map says of itself.

    ``spec.name`` is as full as the runtime keeps it, ``btf`` is raw type information. Where the runtime knows:
    ``btf_id`` is the id of that type information, ``memory_size`` the bytes that the map takes.
    """

    id: int
    spec: MapSpec
    is_frozen: bool = False
    owner_uid: int = 0
    created_ns: int = 0
    btf: bytes = b""
    btf_id: int = 0
    memory_size: int = 0


@value_type
class ProgInfo(Value):
    """What a live program says of itself. ``tag`` is 16 hex digits; ``load_time_ns`` is on the boot-time clock.

    Where the runtime knows: ``btf_id`` is the id of its type information, ``jited_size`` the bytes of machine code,
    ``memory_size`` those that the program takes, ``run_count`` and ``run_time_ns`` its runs so far (the kernel counts
    them while kernel.bpf_stats_enabled is on).
    """

    id: int
    name: str
    prog_type: int
    tag: str
    slot_count: int
    map_ids: tuple[int, ...] = ()
    gpl_compatible: bool = False
    owner_uid: int = 0
    load_time_ns: int = 0
    btf_id: int = 0
    jited_size: int = 0
    memory_size: int = 0
    run_time_ns: int = 0
    run_count: int = 0


@value_type
class RunResult(Value):
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


@value_type
class LinkInfo(Value):
    """What a live link says of itself.

    ``link_type`` in bpftool's words: 'tcx', 'xdp' ... ``hook`` is 'ingress', 'egress', 'xdp', or '' for other types.
    ``device`` is its name, '' where the runtime does not know it any more. ``is_attached`` is false of a link that was
    detached (severed) and of one whose device is gone; such a link lives on, and runs nothing.
    """

    id: int
    link_type: str
    prog_id: int
    device: str = ""
    hook: str = ""
    is_attached: bool = True
    ifindex: int = 0
    owner_uid: int = 0
    created_ns: int = 0


@value_type
class HookInfo(Value):
    """Who is attached to a hook, in the order in which they run. ``link_ids`` are parallel to ``prog_ids`` (0: none).

    ``revision`` is 1 while nothing is attached and one more for each change since; 0 where the hook counts none (xdp).
    """

    prog_ids: tuple[int, ...] = ()
    link_ids: tuple[int, ...] = ()
    revision: int = 1


@value_type
class Order(Value):
    """A place in a hook's list: beside a program or link by id, or first/last where ``relative_id`` is 0.

    Neither ``is_before`` nor ``is_after`` means last. ``is_link`` says what the id names. ``revision`` is the hook's
    revision that the caller has seen (0: any).
    """

    is_before: bool = False
    is_after: bool = False
    relative_id: int = 0
    is_link: bool = False
    revision: int = 0


class Target(NamedTuple):
    """Where a program is attached: a device and its hook, in general. ``priority`` counts at netfilter hooks only."""

    device: str
    hook: str
    priority: int = 0

    def __str__(self) -> str:
        return f"{self.device} {self.hook}"


@value_type
class PinEntry(Value):
    """One pin. ``path`` is relative to the pin root; ``kind`` is 'map', 'prog' or 'link'.

    Where the runtime read them: ``name`` is the object's own, ``size`` the bytes that it takes.
    """

    path: str
    kind: str
    id: int
    name: str = ""
    size: int = 0


@value_type
class Process(Value):
    """A process that holds an object open. ``comm`` is its short name, as the kernel cuts it."""

    pid: int
    comm: str


class Handle(Protocol):
    """A reference on a live object."""

    @property
    def id(self) -> int:
        """The runtime's id of the object; never used twice."""

    def fileno(self) -> int:
        """The fd. Owns: the handle keeps it."""

    def close(self) -> None:
        """Let go; a second call does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...


class MapHandle(Handle, Protocol):
    """A live map.

    Shape: keys and values are bytes of the declared sizes; a per-CPU value is all CPUs' values, each padded to 8 bytes.
    """

    def info(self) -> MapInfo:
        """What the map says of itself now."""

    def lookup(self, key: bytes) -> bytes | None:
        """The value, None where there is none."""

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Set an element; ``flags`` is an UpdateFlag."""

    def fill(self, keys: bytes, values: bytes, flags: int = 0) -> int:
        """Set many elements, keys and values given end to end; how many. Those before one that fails are set."""

    def delete(self, key: bytes) -> None:
        """Remove an element; ENOENT where there is none."""

    def next_key(self, key: bytes | None) -> bytes | None:
        """The key after ``key`` (None: the first one), None after the last."""

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every element, as far as concurrent writers allow; always ends."""

    def freeze(self) -> None:
        """No more writes from outside programs."""


class ProgHandle(Handle, Protocol):
    """A loaded program."""

    def info(self) -> ProgInfo:
        """What the program says of itself."""

    def run(self, data: bytes, ctx: bytes = b"", repeat: int = 1) -> RunResult:
        """Run on a packet (and a context, in its user-visible layout); the result is the last run's."""


HOOKS = ("ingress", "egress", "xdp")
"""The hooks of a device. Ingress and egress are ordered lists, xdp is one place."""


class LinkHandle(Handle, Protocol):
    """A live link: what attaches a program to a hook. It detaches when nobody holds it and nothing pins it."""

    def info(self) -> LinkInfo:
        """What the link says of itself now."""

    def place(self) -> dict[str, str | int]:
        """Where it is attached, under bpftool's keys."""

    def update(self, program: ProgHandle, expected: ProgHandle | None = None) -> None:
        """Put another program in its place, in one step.

        Raises: LoadError: EPERM where it does not hold ``expected``, EINVAL another type of program, EEXIST a program
        that is on this hook already, ENOLINK where it was detached.
        """

    def detach(self) -> None:
        """Sever it from its hook, for good; the object lives on. Twice is once."""


class Runtime(Protocol):
    """A place where maps and programs live.

    ``name`` is 'user' or 'kernel'; ``takes_verified`` says that prog_load wants a VerifiedProgram (the user runtime),
    else it takes a BoundProgram and the runtime itself gives the verdict.
    """

    name: str
    pin_root: str
    takes_verified: bool

    def map_create(self, spec: MapSpec, btf: bytes = b"") -> MapHandle:
        """A new map, unpinned."""

    def prog_load(self, program: VerifiedProgram | BoundProgram, maps: Sequence[MapHandle]) -> ProgHandle:
        """A new program, unpinned; ``maps`` are parallel to the program's. Raises Rejected where the runtime
        verifies.
        """

    def attach(self, program: ProgHandle, target: Target, order: Order | None = None) -> LinkHandle:
        """A new link, unpinned.

        Raises: LoadError as bpf(2): ENODEV, EINVAL (type of program, order), EEXIST (twice on one hook), EBUSY (xdp is
        taken), ESTALE (another revision), ENOENT (nothing there to stand beside), ERANGE (hook is full). Unsupported.
        """

    def query(self, target: Target) -> HookInfo:
        """Who is attached to a hook of a device, in order."""

    def pin(self, handle: Handle, path: str, replacing: bool = False) -> None:
        """Pin at ``path``; ``replacing`` takes over an existing pin in one step."""

    def publish(self, pins: Sequence[tuple[Handle, str]], swaps: Sequence[tuple[Handle, str]] = ()) -> None:
        """Pin several objects, all or none: ``pins`` only where nothing is pinned yet, ``swaps`` in the place of pins.

        A swap is one rename: whoever gets the path gets the old object or the new one.
        """

    def wait_for_programs(self) -> None:
        """Return when every run of a program that was under way at the call has ended, as far as that can be known."""

    def unpin(self, path: str) -> None:
        """Remove a pin."""

    def get(self, path: str) -> Handle:
        """A handle on what is pinned at ``path``."""

    def from_fd(self, fd: int) -> Handle:
        """A handle on the object behind an fd that came from elsewhere. Owns: the fd, in any case.

        Raises: PinError EINVAL, EBADF where it is no object of this runtime.
        """

    def map_by_id(self, id: int) -> MapHandle:
        """A handle on a live map."""

    def prog_by_id(self, id: int) -> ProgHandle:
        """A handle on a live program."""

    def link_by_id(self, id: int) -> LinkHandle:
        """A handle on a live link."""

    def map_ids(self) -> Iterator[int]:
        """Live maps, by ascending id."""

    def prog_ids(self) -> Iterator[int]:
        """Live programs, by ascending id."""

    def link_ids(self) -> Iterator[int]:
        """Live links, by ascending id."""

    def pins(self, below: str = "") -> Iterator[PinEntry]:
        """Everything pinned below a directory."""

    def pins_of(self, handle: Handle) -> list[str]:
        """The paths of an object's pins, in order."""

    def holders(self, kind: str, id: int = 0) -> Mapping[int, tuple[Process, ...]]:
        """Which other processes hold objects of a kind ('map', 'prog', 'link') open, by id, as far as they can be seen.

        ``id``: only those of this object.
        """

    def map_users(self) -> Mapping[int, tuple[int, ...]]:
        """The ids of the programs that use each map, by its id."""

    def close(self) -> None:
        """End the use of the runtime; what nobody holds and nothing pins goes."""
