"""Live kernel objects as the Runtime protocol's handles: each owns one fd.

An errno of an element operation is a MapError, whatever it is: EPERM there means a frozen map or a handle without the
right, not a missing capability.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import NoReturn, Self, TypeVar

from toolchain.errors import LoadError, MapError, Unsupported, errno_name
from toolchain.isa.map_types import MAP_IN_MAP_TYPES, PERCPU_TYPES, MapType
from toolchain.isa.program_types import ProgType, prog_type_label
from toolchain.kernel import calls, info
from toolchain.kernel.attr import Command
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.native import lib
from toolchain.kernel.privileges import refuse
from toolchain.kernel.since import require_map_type
from toolchain.spec.maps import MAP_NAME_SIZE, MapSpec, MapStyle, key_words
from toolchain.spec.runtime import LinkInfo, MapInfo, ProgHandle, ProgInfo, RunResult

_BATCH_COUNT = 4096
_ENOTSUPP = 524
_WITHOUT_PACKET = frozenset({ProgType.SYSCALL, ProgType.RAW_TRACEPOINT, ProgType.SK_LOOKUP})
"""Their test runs take a context alone, EINVAL else. Source: net/bpf/test_run.c, kernel/bpf/syscall.c, Linux 6.12."""
_NO_BATCH = frozenset({_ENOTSUPP, errno.EINVAL, errno.EOPNOTSUPP})
_I = TypeVar("_I")


def cpu_count() -> int:
    """How many values an element of a per-CPU map has: one for each possible CPU. Source: /sys/devices/system/cpu."""
    try:
        with open("/sys/devices/system/cpu/possible") as file:
            return int(file.read().strip().rsplit(",", 1)[-1].rsplit("-", 1)[-1]) + 1
    except (OSError, ValueError):
        return os.cpu_count() or 1


class _FdHandle:
    """An fd that is closed once. Owns: the fd."""

    __slots__ = ("_fd",)
    kind = ""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        """The object's fd. Raises ValueError after close."""
        if self._fd < 0:
            raise ValueError(f"{self.kind} is closed")
        return self._fd

    def close(self) -> None:
        """Let go of the object. Twice is once."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()

    def _asked(self, ask: Callable[[int], _I]) -> _I:
        """What the kernel says of a new handle's object; closes it where the kernel does not say."""
        try:
            return ask(self._fd)
        except BpfCallError as error:
            self.close()
            refuse(error, f"information on a {self.kind}")


class KernelMap(_FdHandle):
    """A kernel map. Keys and values are bytes of the declared sizes.

    Shape: a per-CPU value is all CPUs' values, each padded to 8 bytes. Where values are fds (prog arrays, maps of
    maps), a lookup gives an id.
    Raises: MapError with the kernel's errno, from every operation on elements.
    """

    __slots__ = ("_info", "_name", "_value_size")
    kind = "map"

    def __init__(self, fd: int, name: str = "") -> None:
        """Owns: ``fd``. ``name`` is the full one, where it is known."""
        super().__init__(fd)
        self._info = self._asked(info.map_info)
        self._name = name
        self._value_size = self._info.value_size
        if self._info.map_type in PERCPU_TYPES:
            self._value_size = (self._info.value_size + 7) // 8 * 8 * cpu_count()

    @property
    def id(self) -> int:
        """The kernel's id."""
        return self._info.id

    def info(self) -> MapInfo:
        """What the kernel says of it now."""
        live = self._info
        btf = info.btf_bytes(live.btf_id) if live.btf_id else b""
        details = info.details(self.fileno())
        spec = MapSpec(
            self._name or info.full_map_name(live.name, btf),
            info.map_type_of(live.map_type),
            live.key_size,
            live.value_size,
            live.max_entries,
            live.map_flags,
            MapStyle.LIVE,
            map_extra=live.map_extra,
            key_type_id=live.key_type_id,
            value_type_id=live.value_type_id,
        )
        return MapInfo(live.id, spec, details.is_frozen, btf=btf, btf_id=live.btf_id, memory_size=details.memory_size)

    def lookup(self, key: bytes) -> bytes | None:
        """The value, or None."""
        try:
            return calls.map_lookup(self.fileno(), self._checked(key), self._value_size)
        except BpfCallError as error:
            if error.errno == errno.ENOENT:
                return None
            self._fail("lookup", error, key)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Write an element."""
        if len(value) != self._value_size:
            raise self._error(f"value of {len(value)} bytes ({self._value_size})")
        try:
            calls.map_update(self.fileno(), self._checked(key), value, flags)
        except BpfCallError as error:
            self._fail("update", error, key)

    def fill(self, keys: bytes, values: bytes, flags: int = 0) -> int:
        """Set many elements, keys and values given end to end; how many. By batches where the type has them."""
        key_size, value_size = self._info.key_size, self._value_size
        count = len(keys) // key_size if key_size else 0
        if len(keys) != count * key_size or len(values) != count * value_size:
            wanted = f"multiples of {key_size} and {value_size} bytes, as many keys as values"
            raise self._error(f"batch: {len(keys)} bytes of keys, {len(values)} of values ({wanted})")
        done = 0
        try:
            while done < count:
                end = min(count, done + _BATCH_COUNT)
                part, of_values = keys[done * key_size : end * key_size], values[done * value_size : end * value_size]
                done += calls.map_update_batch(self.fileno(), part, of_values, end - done, flags)
        except BpfCallError as error:
            if error.errno not in _NO_BATCH or done or error.done:
                self._fail(f"update {done + error.done + 1} of {count}", error)
            for at in range(count):
                value = values[at * value_size : (at + 1) * value_size]
                self.update(keys[at * key_size : (at + 1) * key_size], value, flags)
        return count

    def delete(self, key: bytes) -> None:
        """Remove an element."""
        try:
            calls.map_delete(self.fileno(), self._checked(key))
        except BpfCallError as error:
            self._fail("delete", error, key)

    def next_key(self, key: bytes | None) -> bytes | None:
        """The key after ``key`` (None: the first); None at the end."""
        try:
            after = None if key is None else self._checked(key)
            return calls.map_next_key(self.fileno(), after, self._info.key_size)
        except BpfCallError as error:
            if error.errno == errno.ENOENT:
                return None
            self._fail("next", error, key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every element once, as far as concurrent writers allow; by batches where the type has them."""
        try:
            yield from self._batches()
        except BpfCallError as error:
            if error.errno not in _NO_BATCH:
                self._fail("dump", error)
            yield from self._one_by_one()

    def freeze(self) -> None:
        """No more writes from user space. Raises MapError EPERM the second time."""
        try:
            calls.map_freeze(self.fileno())
        except BpfCallError as error:
            self._fail("freeze", error)

    def _batches(self) -> Iterator[tuple[bytes, bytes]]:
        """Elements by batches; one that a bucket of a hash does not fit into (ENOSPC) is asked for again, larger."""
        key_size, value_size = self._info.key_size, self._value_size
        if self._info.map_type in MAP_IN_MAP_TYPES:
            raise BpfCallError(Command.MAP_LOOKUP_BATCH, _ENOTSUPP)
        room = max(1, min(self._info.max_entries, _BATCH_COUNT))
        cursor: bytes | None = None
        while True:
            try:
                batch = calls.map_lookup_batch(self.fileno(), key_size, value_size, room, cursor)
            except BpfCallError as error:
                if error.errno != errno.ENOSPC or room > self._info.max_entries:
                    raise
                room *= 2
                continue
            for at in range(batch.taken):
                yield (
                    batch.keys[at * key_size : (at + 1) * key_size],
                    batch.values[at * value_size : (at + 1) * value_size],
                )
            if batch.at_end:
                return
            cursor = batch.cursor

    def _one_by_one(self) -> Iterator[tuple[bytes, bytes]]:
        """Ends after max_entries at the latest, for a key that goes meanwhile sends the walk back to its start."""
        key = self.next_key(None)
        for _ in range(self._info.max_entries):
            if key is None:
                return
            value = self.lookup(key)
            if value is not None:
                yield key, value
            key = self.next_key(key)

    def _checked(self, key: bytes) -> bytes:
        if len(key) != self._info.key_size:
            raise self._error(f"key of {len(key)} bytes ({self._info.key_size})")
        return key

    def _error(self, what: str, number: int = errno.EINVAL) -> MapError:
        return MapError(f"map {self._name or self._info.name!r}: {what}", number)

    def _fail(self, operation: str, error: BpfCallError, key: bytes | None = None) -> NoReturn:
        what = operation if key is None else f"{operation} of key {key_words(key)}"
        raise self._error(what, error.errno) from error


class KernelProgram(_FdHandle):
    """A loaded program."""

    __slots__ = ("_info", "_name")
    kind = "prog"

    def __init__(self, fd: int, name: str = "") -> None:
        """Owns: ``fd``. ``name`` is the full one, where it is known."""
        super().__init__(fd)
        self._info = self._asked(info.prog_info)
        self._name = name

    @property
    def id(self) -> int:
        """The kernel's id."""
        return self._info.id

    def info(self) -> ProgInfo:
        """What the kernel says of it."""
        live = self._info
        name = self._name or live.name
        if len(name) == MAP_NAME_SIZE and live.btf_id:
            name = info.full_program_name(self.fileno(), live)
        return ProgInfo(
            live.id,
            name,
            live.prog_type,
            live.tag,
            live.xlated_size // 8,
            live.map_ids,
            live.gpl_compatible,
            live.owner_uid,
            live.load_time_ns,
            btf_id=live.btf_id,
            jited_size=live.jited_size,
            memory_size=info.details(self.fileno()).memory_size,
            run_time_ns=live.run_time_ns,
            run_count=live.run_count,
        )

    def run(self, data: bytes, ctx: bytes = b"", repeat: int = 1) -> RunResult:
        """Run on one packet, ``repeat`` times, each on what the one before left.

        Raises: LoadError, RuntimeUnavailable, Unsupported for types that no packet is given to.
        """
        try:
            result = calls.prog_test_run(self.fileno(), data, ctx, repeat, ctx_size_out=len(ctx))
        except BpfCallError as error:
            kind = self.info().prog_type
            if error.errno == _ENOTSUPP or (error.errno == errno.EINVAL and kind in _WITHOUT_PACKET):
                hint = f"the kernel does not run them on packets by itself: {errno_name(error.errno)}"
                raise Unsupported(f"running programs of type {prog_type_label(kind)}", hint=hint) from error
            refuse(error, f"test run of program {self._name or self._info.name}")
        return RunResult(result.retval, result.data, result.ctx, result.duration_ns)


class KernelLink(_FdHandle):
    """An attachment. ``update`` swaps its program at once."""

    __slots__ = ()
    kind = "link"

    @property
    def id(self) -> int:
        """The kernel's id."""
        return self.info().id

    def info(self) -> LinkInfo:
        """What the kernel says of it now."""
        return info.link_info(self.fileno())

    def place(self) -> dict[str, str | int]:
        """Where it is attached, under bpftool's keys."""
        return info.link_place(self.fileno())

    def update(self, program: ProgHandle, expected: ProgHandle | None = None) -> None:
        """Put another program in its place.

        Raises: LoadError: EPERM where it does not hold ``expected``, ENOLINK where it was detached.
        """
        try:
            calls.link_update(self.fileno(), program.fileno(), expected.fileno() if expected else None)
        except BpfCallError as error:
            raise LoadError("update of a link", error.errno) from error

    def detach(self) -> None:
        """Detach now; the object stays until its last holder is gone."""
        try:
            calls.link_detach(self.fileno())
        except BpfCallError as error:
            raise LoadError("detach of a link", error.errno) from error


def map_create(spec: MapSpec, btf_fd: int = 0, inner_fd: int = 0, token_fd: int = 0) -> KernelMap:
    """Make a map. Raises LoadError with the kernel's errno, RuntimeUnavailable on EPERM."""
    try:
        fd = calls.map_create(
            int(spec.map_type),
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            name=spec.name,
            map_flags=spec.map_flags,
            inner_map_fd=inner_fd,
            numa_node=spec.numa_node,
            map_extra=spec.map_extra,
            btf_fd=btf_fd,
            key_type_id=spec.key_type_id if btf_fd else 0,
            value_type_id=spec.value_type_id if btf_fd else 0,
            token_fd=token_fd,
        )
    except BpfCallError as error:
        label = MapType(spec.map_type).label
        if error.errno == errno.EINVAL:
            require_map_type(spec.map_type, spec.where)
        refuse(error, f"cannot create map {spec.name!r} ({label})", spec.where)
    made = KernelMap(fd, spec.name)
    if spec.map_type == MapType.ARENA and (spec.data or not spec.map_extra):
        try:
            _fill_arena(fd, spec)
        except LoadError:
            made.close()
            raise
    return made


def _fill_arena(fd: int, spec: MapSpec) -> None:
    """Map an arena once: for its address, as programs that use it are refused without one, and for its variables.

    It keeps the address of the first mapping. An arena that this process has no room for stays without, if it holds no
    variables. Source: kernel/bpf/arena.c, arena_map_mmap() and arena_get_unmapped_area(), Linux 6.12.

    Raises: LoadError.
    """
    data = spec.data or b""
    size = spec.max_entries * os.sysconf("SC_PAGE_SIZE")
    if len(data) > size:
        text = f"arena {spec.name!r} is too small for its variables: {size} bytes ({len(data)} or more)"
        raise LoadError(text, errno.E2BIG, spec.where)
    status = lib.fill_arena(fd, spec.map_extra, size, data, len(data))
    if status and data:
        raise LoadError(f"mapping arena {spec.name!r}", -status, spec.where)
