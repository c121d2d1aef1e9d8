"""UserRuntime: maps, programs and links without a kernel's BPF, in a pin tree of object files.

It is toolchain.spec.runtime's protocol over three parts: the object store (pin/) knows files, ids, pins and who is
alive; the C core knows what is in a map and how a program runs; maps.py, engine.py and program.py join them.
A reaper at ``close`` removes what nobody holds any more.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence

from toolchain.errors import LoadError, PinError, PinPlace
from toolchain.pin.adopt import adopt
from toolchain.pin.root import resolve_pin_root
from toolchain.pin.store import ObjectStore
from toolchain.pin.stored import StoredObject
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import Handle, HookInfo, MapHandle, Order, PinEntry, Process, ProgHandle, Target
from toolchain.spec.stages import BoundProgram, VerifiedProgram
from toolchain.vm import holders
from toolchain.vm.links import Link, query
from toolchain.vm.maps import READ, WRITE, Map, create_map, open_map, repair_map, slot_keeper
from toolchain.vm.native import lib
from toolchain.vm.program import UserProgram

_RDONLY, _WRONLY = 1 << 3, 1 << 4
_ACCESS = {0: READ | WRITE, _RDONLY: READ, _WRONLY: WRITE}
"""File flags of BPF_OBJ_GET -> what a map's handle may do."""


class UserRuntime:
    """The user runtime on one pin tree. Making it touches nothing; the first map or program makes the tree.

    Raises: RuntimeUnavailable from everything, where the tree cannot be used (full, read-only, somebody else's).
    """

    name = "user"
    takes_verified = True

    def __init__(self, pin_root: str = "") -> None:
        """``pin_root`` '': $BPF_PIN_ROOT, else $XDG_RUNTIME_DIR/bpf, else /dev/shm/bpf-UID."""
        self.pin_root = resolve_pin_root(pin_root or None)
        self.store = ObjectStore(self.pin_root, {"map": repair_map}, slot_keeper())

    def map_create(self, spec: MapSpec, btf: bytes = b"") -> Map:
        """A new, empty map without a pin. Raises Unsupported (map type), LoadError with bpf(2)'s errno."""
        return create_map(self.store, spec, btf)

    def prog_load(self, program: VerifiedProgram | BoundProgram, maps: Sequence[MapHandle]) -> UserProgram:
        """A new program without a pin, ready to run. ``maps`` are this runtime's, parallel to the program's.

        Raises: LoadError EPERM for a program that is not verified, Unsupported for what this runtime has not.
        """
        if not isinstance(program, VerifiedProgram):
            raise LoadError(f"program {program.program.name} is not verified", errno.EPERM, program.program.where)
        return UserProgram.load(self.store, program, [_own_map(handle) for handle in maps])

    def attach(self, program: ProgHandle, target: Target, order: Order | None = None) -> Link:
        """A new link without a pin; the device is only a name here.

        Raises: LoadError as TCX and XDP: EINVAL, EEXIST, EBUSY, ESTALE, ENOENT, ERANGE, ENODEV for what is no name.
        """
        if not isinstance(program, UserProgram):
            raise LoadError("program of another runtime", errno.EINVAL)
        return Link.create(self.store, program, target, order or Order())

    def query(self, target: Target) -> HookInfo:
        """Who is attached to a hook, in order. Raises LoadError, PinError EUCLEAN for a damaged list."""
        return query(self.store, target)

    def pin(self, handle: Handle, path: str, replacing: bool = False) -> None:
        """Pin an object; with ``replacing`` it takes over an existing pin in one step. Raises PinError as bpffs."""
        self.store.pin(_stored(handle), path, replacing)

    def publish(self, pins: Sequence[tuple[Handle, str]], swaps: Sequence[tuple[Handle, str]] = ()) -> None:
        """Pin several objects, all or none, even if killed in between; ``swaps`` take over pins. PinError as bpffs."""
        stored = [(_stored(handle), path) for handle, path in pins]
        self.store.publish(stored, [(_stored(handle), path) for handle, path in swaps])

    def wait_for_programs(self) -> None:
        """Return at once: a process that runs programs lets go of one that was replaced, which ``prog_ids`` shows."""

    def unpin(self, path: str) -> None:
        """Remove a pin. Raises PinError as bpffs."""
        self.store.unpin(path)

    def get(self, path: str, flags: int = 0) -> Map | UserProgram | Link:
        """The map, program or link pinned at ``path``. Raises PinError as bpffs, and EINVAL for a damaged object.

        ``flags``: BPF_F_RDONLY or BPF_F_WRONLY, a handle that may only read or only write elements; links have neither.
        """
        if flags not in _ACCESS:
            raise PinError(f"flags of a get: {flags:#x} (0x8: read only, or 0x10: write only)", errno.EINVAL)
        stored = self.store.get(path, writable=False if flags == _RDONLY else None)
        if stored.kind == "map":
            return open_map(stored, _ACCESS[flags])
        if stored.kind == "link" and flags:
            stored.close()
            raise PinError("links are for reading and writing", errno.EINVAL, PinPlace(path))
        return self._opened(stored, PinPlace(path))

    def from_fd(self, fd: int) -> Map | UserProgram | Link:
        """The object of this tree behind an fd, with rights no greater. Owns: the fd, in any case. Raises PinError."""
        return self._opened(adopt(self.store, fd), PinPlace(f"fd {fd}"))

    def map_by_id(self, id: int) -> Map:
        """The live map of that id. Raises PinError ENOENT."""
        return open_map(self.store.by_id("map", id))

    def prog_by_id(self, id: int) -> UserProgram:
        """The live program of that id. Raises PinError ENOENT."""
        return UserProgram.open(self.store, self.store.by_id("prog", id), PinPlace(f"prog id {id}"))

    def link_by_id(self, id: int) -> Link:
        """The live link of that id. Raises PinError ENOENT."""
        return Link.open(self.store, self.store.by_id("link", id), PinPlace(f"link id {id}"))

    def map_ids(self) -> Iterator[int]:
        """Ids of the live maps, rising."""
        return iter(self.store.ids("map"))

    def prog_ids(self) -> Iterator[int]:
        """Ids of the live programs, rising."""
        return iter(self.store.ids("prog"))

    def link_ids(self) -> Iterator[int]:
        """Ids of the live links, rising."""
        return iter(self.store.ids("link"))

    def pins(self, below: str = "") -> Iterator[PinEntry]:
        """Every pin in a directory and below it. Raises PinError."""
        return self.store.walk(below)

    def pins_of(self, handle: Handle) -> list[str]:
        """The paths of an object's pins, in order."""
        return self.store.pins_of(_stored(handle))

    def holders(self, kind: str, id: int = 0) -> Mapping[int, tuple[Process, ...]]:
        """Which other processes hold objects of a kind open, by id, as far as they can be seen."""
        return holders.processes(self.pin_root, kind, id)

    def map_users(self) -> Mapping[int, tuple[int, ...]]:
        """The ids of the programs that use each map, by its id."""
        return holders.users(self.pin_root)

    def close(self) -> None:
        """Remove what nobody holds any more. Handles stay valid."""
        self.store.reap()

    def _opened(self, stored: StoredObject, where: PinPlace) -> Map | UserProgram | Link:
        if stored.kind == "map":
            return open_map(stored)
        if stored.kind == "prog":
            return UserProgram.open(self.store, stored, where)
        return Link.open(self.store, stored, where)


def end_on_bus_error(as_json: bool) -> None:
    """For commands: where a mapped file is cut short by another process, say so and end with status 1."""
    lib.vm_end_on_bus_error(as_json)


def _stored(handle: Handle) -> StoredObject:
    if not isinstance(handle, Map | UserProgram | Link):
        raise LoadError("handle of another runtime", errno.EINVAL)
    return handle.stored


def _own_map(handle: MapHandle) -> Map:
    if not isinstance(handle, Map):
        raise LoadError("map of another runtime", errno.EINVAL)
    return handle
