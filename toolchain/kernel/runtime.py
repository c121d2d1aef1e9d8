"""KernelRuntime: the running kernel behind the Runtime protocol, on bpf(2) and bpffs.

    maps, programs, links   kernel objects; a handle is an fd, the kernel counts references
    types                   sections of type information, loaded once for all that refer to them (types.py)
    pins                    files of a bpffs; ``pin_root`` lies in one
    verdict                 the kernel's own, in our form (programs.py)

A place without a bpffs is no obstacle to what needs no pins (verify, run). Publishing pins everything or nothing, also
if it is killed (publish.py); bpffs refuses a path that is taken, so a pin never replaces another one. Between two pins
others may see the first. Maps go first, so a program that is there has its maps there.

In a user namespace a token is passed on, where its bpffs delegates (token.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterator, Mapping, Sequence

from toolchain.errors import LoadError, PinError, PinPlace, RuntimeUnavailable, ToolchainError, Unsupported
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.kernel import bpffs, calls, handles, holders, hooks, programs, publish
from toolchain.kernel.attach_target import attach_point
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.handles import KernelLink, KernelMap, KernelProgram
from toolchain.kernel.info import details
from toolchain.kernel.privileges import closed_to_us, refuse
from toolchain.kernel.publish import PublishError
from toolchain.kernel.token import open_token
from toolchain.kernel.types import TypeSections
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import HOOKS, Handle, HookInfo, MapHandle, Order, PinEntry, Process, ProgHandle, Target
from toolchain.spec.stages import BoundProgram, LinkedProgram, VerifiedProgram, VerifierStats

_RDONLY = 1 << 3
_KINDS: dict[str, type[KernelMap] | type[KernelProgram] | type[KernelLink]] = {
    "anon_inode:bpf-map": KernelMap,
    "anon_inode:bpf-prog": KernelProgram,
    "anon_inode:bpf_link": KernelLink,
    "anon_inode:bpf-link": KernelLink,
}


class KernelRuntime:
    """The running kernel. Making it asks the kernel nothing.

    Raises: RuntimeUnavailable from everything, where bpf(2) or a bpffs is not there or not permitted.
    """

    name = "kernel"
    takes_verified = False

    def __init__(self, pin_root: str = "") -> None:
        """``pin_root`` '': $BPF_PIN_ROOT, else the bpffs that tc would use."""
        self.pin_root = _resolved(pin_root)
        self._has_bpffs = False
        self._types = TypeSections()
        self._token = -1

    def mount(self) -> None:
        """Mount a bpffs on the pin root unless it lies in one. Raises RuntimeUnavailable."""
        bpffs.mount(self.pin_root)

    def map_create(self, spec: MapSpec, btf: bytes = b"") -> KernelMap:
        """A new, empty map without a pin. ``btf``: the object's type information, in which ``spec``'s type ids count.

        Where the kernel takes the map but not its types, the map is made without.
        """
        token = self._token_fd()
        with contextlib.ExitStack() as stack:
            inner_fd = 0
            if spec.inner is not None:
                inner_fd = stack.enter_context(self.map_create(spec.inner, btf)).fileno()
            btf_fd = self._types.fd_of(btf, token) if btf and (spec.key_type_id or spec.value_type_id) else 0
            if btf_fd:
                with contextlib.suppress(LoadError):
                    return handles.map_create(spec, btf_fd, inner_fd, token)
            return handles.map_create(spec, 0, inner_fd, token)

    def prog_load(self, program: VerifiedProgram | BoundProgram, maps: Sequence[MapHandle]) -> KernelProgram:
        """A new program without a pin. Raises Rejected with the kernel's verdict, Unsupported, LoadError."""
        linked = program.program
        if linked.prog_type == ProgType.STRUCT_OPS:
            hint = "'bpf-load -r kernel verify' gives the kernel's verdict on its programs"
            raise Unsupported("registering operations (struct_ops) on the kernel runtime", linked.where, hint)
        return programs.load(linked, self._request(linked, maps))

    def judge(self, program: BoundProgram, maps: Sequence[MapHandle], log_level: int = 0) -> tuple[VerifierStats, str]:
        """The kernel's figures and log (where ``log_level`` asks for one) for a program that it accepts.

        Raises: Rejected with its verdict, Unsupported, LoadError.
        """
        linked = program.program
        handle, stats, log = programs.judge(linked, self._request(linked, maps), log_level)
        handle.close()
        return stats, log

    def attach(self, program: ProgHandle, target: Target, order: Order | None = None) -> KernelLink:
        """A new link, unpinned; the program's type says what ``target`` means. Raises as toolchain.kernel.hooks."""
        if not isinstance(program, KernelProgram):
            raise LoadError("program of another runtime", errno.EINVAL)
        return hooks.attach(program, target, order)

    def query(self, target: Target) -> HookInfo:
        """Who is attached to a hook of a device. On xdp only what has a link is found. Raises LoadError."""
        if target.hook in hooks.DIRECTIONS:
            found = hooks.query_tcx(target)
            return HookInfo(found.prog_ids, found.link_ids, found.revision)
        if target.hook != "xdp":
            raise LoadError(f"hook {target.hook!r} ({', '.join(HOOKS)})", errno.EINVAL)
        hooks.device_index(target.device)
        for each in self.link_ids():
            with contextlib.suppress(PinError), self.link_by_id(each) as link:
                live = link.info()
                if (live.link_type, live.device) == ("xdp", target.device):
                    return HookInfo((live.prog_id,), (each,), 0)
        return HookInfo((), (), 0)

    def pin(self, handle: Handle, path: str, replacing: bool = False) -> None:
        """Pin an object; with ``replacing`` it takes over an existing pin in one step. Raises PinError as bpffs."""
        if not replacing:
            self._pin(handle, path)
            return
        self.publish((), [(handle, path)])

    def wait_for_programs(self) -> None:
        """Return when every run of a program that was under way at the call has ended; at once where nobody may ask.

        A change of a map of maps from user space waits for all programs that might still use what stood there.
        Source: kernel/bpf/syscall.c, maybe_wait_bpf_programs(), Linux 6.12.
        """
        inner = MapSpec("wait", MapType.ARRAY, 4, 4, 1)
        outer = MapSpec("wait", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner)
        with contextlib.suppress(ToolchainError), self.map_create(inner) as held, self.map_create(outer) as waiting:
            waiting.update(bytes(4), struct.pack("=i", held.fileno()))

    def publish(self, pins: Sequence[tuple[Handle, str]], swaps: Sequence[tuple[Handle, str]] = ()) -> None:
        """Pin several objects, all or none, even if killed meanwhile (publish.py); ``swaps`` take over pins.

        Raises: PinError as bpffs.
        """
        for _, path in (*pins, *swaps):
            self._full(path)
        wanted = [[(handle.fileno(), path) for handle, path in each] for each in (pins, swaps)]
        try:
            publish.publish(self.pin_root, *wanted)
        except PublishError as error:
            raise self._pin_error("cannot pin", error.path, error.errno, writing=True) from error

    def unpin(self, path: str) -> None:
        """Remove a pin. Raises PinError as bpffs."""
        try:
            os.unlink(self._full(path))
        except OSError as error:
            raise self._pin_error("cannot unpin", path, error.errno or errno.EIO, writing=True) from error

    def get(self, path: str) -> KernelMap | KernelProgram | KernelLink:
        """What is pinned at ``path``, for reading only where the pin or its file system allows no more.

        Raises: PinError as bpffs.
        """
        full = self._full(path)
        try:
            fd = self._get(full)
        except BpfCallError as error:
            raise self._pin_error("cannot get", path, error.errno) from error
        return _handle_on(fd, PinPlace(path))

    def from_fd(self, fd: int) -> KernelMap | KernelProgram | KernelLink:
        """The object behind an fd. Owns: the fd, in any case. Raises PinError."""
        return _handle_on(fd, PinPlace(f"fd {fd}"))

    def map_by_id(self, id: int) -> KernelMap:
        """The live map of that id. Raises PinError ENOENT."""
        return KernelMap(self._fd_by_id("map", id))

    def prog_by_id(self, id: int) -> KernelProgram:
        """The live program of that id. Raises PinError ENOENT."""
        return KernelProgram(self._fd_by_id("prog", id))

    def link_by_id(self, id: int) -> KernelLink:
        """The live link of that id. Raises PinError ENOENT."""
        return KernelLink(self._fd_by_id("link", id))

    def map_ids(self) -> Iterator[int]:
        """Ids of all live maps of the machine, rising."""
        return self._ids("map")

    def prog_ids(self) -> Iterator[int]:
        """Ids of all live programs of the machine, rising."""
        return self._ids("prog")

    def link_ids(self) -> Iterator[int]:
        """Ids of all live links of the machine, rising."""
        return self._ids("link")

    def pins(self, below: str = "") -> Iterator[PinEntry]:
        """Every pin in a directory and below it, none where there is no bpffs. What cannot be got is left out.

        Raises: RuntimeUnavailable where the directory is closed to this process.
        """
        if not below and not bpffs.mount_point_of(self.pin_root):
            return
        start = self._full(below)
        closed = closed_to_us(os.path.join(start, "any"), writing=False)
        if closed is not None:
            raise RuntimeUnavailable(f"cannot list pins: {closed[0]}", errno.EACCES, PinPlace(start), closed[1])
        for path in bpffs.walk(self.pin_root, below):
            with contextlib.suppress(ToolchainError), self.get(path) as handle:
                size = details(handle.fileno()).memory_size
                yield PinEntry(path, handle.kind, handle.id, size=size)

    def pins_of(self, handle: Handle) -> list[str]:
        """The paths of an object's pins, in order."""
        kind = getattr(handle, "kind", "")
        return [each.path for each in self.pins() if (each.kind, each.id) == (kind, handle.id)]

    def holders(self, kind: str, id: int = 0) -> Mapping[int, tuple[Process, ...]]:
        """Which other processes hold objects of a kind open, by id, as far as they can be seen."""
        return holders.processes(kind, id)

    def map_users(self) -> Mapping[int, tuple[int, ...]]:
        """The ids of the programs that use each map, by its id; none without the right to list programs."""
        return holders.users()

    def close(self) -> None:
        """Let go of type information and token. Handles stay valid."""
        self._types.close()
        if self._token > 0:
            os.close(self._token)
        self._token = -1

    def __del__(self) -> None:
        if getattr(self, "_types", None) is not None:
            self.close()

    def _request(self, program: LinkedProgram, maps: Sequence[MapHandle]) -> calls.ProgLoad:
        own = [_kernel_map(handle) for handle in maps]
        return programs.request_of(program, own, self._types, self._token_fd(), attach_point(program))

    def _full(self, path: str) -> str:
        """The path in the bpffs, in which the first use finishes what killed processes of this user left.

        Raises: RuntimeUnavailable where that is none, PinError for a zero byte.
        """
        if not self._has_bpffs:
            bpffs.require_bpffs(self.pin_root)
            self._has_bpffs = True
            publish.recover(self.pin_root)
        if "\0" in path:
            raise PinError("path with a zero byte", errno.EINVAL, PinPlace(path))
        return os.path.join(self.pin_root, path)

    def _pin(self, handle: Handle, path: str) -> None:
        try:
            calls.obj_pin(handle.fileno(), self._full(path))
        except BpfCallError as error:
            raise self._pin_error("cannot pin", path, error.errno, writing=True) from error

    def _pin_error(self, what: str, path: str, number: int, writing: bool = False) -> PinError | RuntimeUnavailable:
        """Read-only, full or closed places are unusable; the rest is the answer to this request."""
        where = PinPlace(path)
        if number == errno.EROFS:
            return RuntimeUnavailable(what, number, where, "remount the bpffs read-write, which takes root")
        if number == errno.ENOSPC:
            return RuntimeUnavailable(what, number, where)
        if number in (errno.EACCES, errno.EPERM):
            closed = closed_to_us(self._full(path), writing=writing)
            if closed is not None:
                return RuntimeUnavailable(f"{what}: {closed[0]}", number, where, closed[1])
        return PinError(what, number, where, _hint(self._full(path), number))

    def _get(self, full: str) -> int:
        try:
            return calls.obj_get(full)
        except BpfCallError as error:
            if error.errno not in (errno.EACCES, errno.EROFS):
                raise
            try:
                return calls.obj_get(full, _RDONLY)
            except BpfCallError:
                raise error from None

    def _fd_by_id(self, kind: str, number: int) -> int:
        try:
            return calls.fd_by_id(kind, number)
        except BpfCallError as error:
            if error.errno == errno.ENOENT:
                raise PinError(f"no {kind} with this id", error.errno, PinPlace(f"{kind} id {number}")) from error
            refuse(error, f"opening {kind} {number} by its id", None, ("CAP_SYS_ADMIN",))

    def _ids(self, kind: str) -> Iterator[int]:
        try:
            yield from calls.ids(kind)
        except BpfCallError as error:
            refuse(
                error, f"listing the {'program' if kind == 'prog' else kind}s of the machine", None, ("CAP_SYS_ADMIN",)
            )

    def _token_fd(self) -> int:
        """The token to pass on, 0 where there is none."""
        if self._token < 0:
            self._token = open_token(self.pin_root)
        return self._token


def is_usable(pin_root: str = "") -> bool:
    """This process may create maps in the kernel and there is a bpffs for pins: what ``-r auto`` asks."""
    if not bpffs.mount_point_of(_resolved(pin_root)):
        return False
    try:
        token = open_token(_resolved(pin_root))
        os.close(calls.map_create(int(MapType.ARRAY), 4, 4, 1, token_fd=token))
    except (BpfCallError, RuntimeUnavailable):
        return False
    if token:
        os.close(token)
    return True


def _resolved(pin_root: str) -> str:
    return pin_root or os.environ.get("BPF_PIN_ROOT", "") or bpffs.find_root()


def _hint(full: str, number: int) -> str:
    """What an errno of bpffs means for a path, where its name does not say it."""
    if number == errno.EPERM and "." in os.path.basename(full):
        return "a BPF file system takes no dots in names"
    if number == errno.EACCES and os.path.isdir(full):
        return "a directory is there, no pin"
    return ""


def _handle_on(fd: int, where: PinPlace) -> KernelMap | KernelProgram | KernelLink:
    """The object behind an fd, which it takes over. Raises PinError EBADF, EINVAL for another kind of file."""
    try:
        made = _KINDS.get(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError as error:
        raise PinError("no open file", errno.EBADF, where) from error
    if made is None:
        os.close(fd)
        hint = "an object of the user runtime takes -r user"
        raise PinError("neither a map, a program nor a link of the kernel", errno.EINVAL, where, hint)
    return made(fd)


def _kernel_map(handle: MapHandle) -> KernelMap:
    if not isinstance(handle, KernelMap):
        raise LoadError("map of another runtime", errno.EINVAL)
    return handle
