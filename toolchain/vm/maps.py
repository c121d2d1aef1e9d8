"""Maps of the user runtime: an object of the pin tree whose data is a shared-memory map of the C core.

    Map           a handle: MapHandle of spec/runtime.py, and a MutableMapping from bytes to bytes
    create_map    from a MapSpec          anonymous_map  the same, in no tree
    open_map      from a StoredObject
    check_map     every fault, for fsck   repair_map     new locks after a reboot

What makes a map is kept in its object's spec: 10 words, 32 bits each but the last (map_extra, 64 bits):
type, key_size, value_size, max_entries, flags, CPUs, numa node, BTF ids of key and value, 0, map_extra.
The C core checks every byte of the shared area before use; this file checks lengths, rights are the C core's too.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence, Set
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any, Final, Self

from toolchain.errors import LoadError, MapError, PinError, PinPlace, RuntimeUnavailable, Unsupported
from toolchain.isa.map_types import MAP_IN_MAP_TYPES, PERCPU_TYPES, MapFlag, MapType, UpdateFlag
from toolchain.pin.header import HEADER_SIZE, BadHeader, ObjectHeader, decode
from toolchain.pin.root import translated
from toolchain.pin.slot_edges import SlotKeeper
from toolchain.pin.store import ObjectStore
from toolchain.pin.stored import DATA_OFFSET, StoredObject
from toolchain.spec.maps import MapSpec, MapStyle, key_words
from toolchain.spec.runtime import Handle, MapInfo
from toolchain.vm.native import ffi, lib
from toolchain.vm.slots import KIND_HELD, Slots

READ: Final = 1
WRITE: Final = 2
_SPEC: Final = struct.Struct("<10IQ")
_BATCH_SIZE: Final = 1 << 20
_BATCH_COUNT: Final = 1 << 12
_MESSAGE_SIZE: Final = 256
_KERNEL_ENOTSUPP: Final = 524


class Map(MutableMapping[bytes, bytes]):
    """A handle on a live map.

    Shape: keys are ``key_size`` bytes; values ``value_size``, for per-CPU types all CPUs' values, each padded to 8.
    Owns: the object's file and its mapping; ``close`` (or the end of a ``with`` block) gives both back.
    Raises: MapError with bpf(2)'s errno, from every operation; KeyError from ``map[key]``.
    """

    __slots__ = ("_pointer", "_slots", "key_size", "spec", "stored", "value_size")

    def __init__(self, stored: StoredObject, spec: MapSpec, pointer: Any) -> None:
        self.stored = stored
        self.spec = spec
        self._pointer = pointer
        self.key_size: int = spec.key_size
        self.value_size: int = lib.vm_map_value_size(pointer)
        self._slots = Slots(stored, spec, pointer) if spec.map_type in KIND_HELD else None

    @property
    def id(self) -> int:
        """The map's id."""
        return self.stored.id

    @property
    def pointer(self) -> Any:
        """The C core's ``struct vm_map *``, for programs; valid until close.

        Raises: ValueError after close; RuntimeUnavailable (EROFS) where the file is open for reading only, since
        a program would write to it.
        """
        pointer = self._live()
        if not self.stored.is_writable:
            raise self._read_only("run a program on it")
        return pointer

    def fileno(self) -> int:
        """The object's fd."""
        return self.stored.fileno()

    def close(self) -> None:
        """Unmap and let go of the object. Twice is once."""
        if self._pointer is not None:
            ffi.release(self._pointer)
            self._pointer = None
        self.stored.close()

    def info(self) -> MapInfo:
        """What the map says of itself."""
        header = self.stored.header
        frozen = bool(lib.vm_map_is_frozen(self._live()))
        size = header.file_size
        return MapInfo(self.id, self.spec, frozen, header.uid, header.created_ns, self.stored.btf(), memory_size=size)

    def lookup(self, key: bytes) -> bytes | None:
        """The value, whole as some update wrote it, or None."""
        value = bytearray(self.value_size)
        status = lib.vm_map_read(self._live(), self._key(key), ffi.from_buffer(value))
        if status == -errno.ENOENT:
            return None
        self._require(status, "lookup", key)
        return bytes(value)

    def update(  # type: ignore[override]
        self,
        key: bytes | Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]] = (),
        value: bytes | Handle | None = None,
        flags: int = UpdateFlag.ANY,
    ) -> None:
        """``update(key, value, flags)`` writes one element, ``update(mapping)`` and ``update(pairs)`` many, in batches.

        Many stop at the first that fails; those before it are in. In a prog array or a map of maps the value is an fd,
        as in bpf(2), or a handle, which has one; what is read there is an id.
        """
        if self._slots is not None:
            self._put(key, value, flags)
            return
        if isinstance(key, bytes):
            if value is None:
                raise TypeError("update of one element needs a value")
            status = lib.vm_map_write(self._live(), self._key(key), self._value(_bytes(value)), flags)
            self._require(status, "update", key)
            return
        pairs = iter(key.items() if isinstance(key, Mapping) else key)
        while chunk := list(islice(pairs, _BATCH_COUNT)):
            keys, values = [key for key, _ in chunk], [value for _, value in chunk]
            if set(map(len, keys)) != {self.key_size} or set(map(len, values)) != {self.value_size}:
                for one_key, one_value in chunk:
                    self.update(one_key, one_value, flags)
            else:
                self.fill(b"".join(keys), b"".join(values), flags)

    def fill(self, keys: bytes, values: bytes, flags: int = UpdateFlag.ANY) -> int:
        """Write many elements given end to end in two buffers; how many."""
        if self._slots is not None:
            raise self._error("batch of fds", errno.EINVAL)
        count = len(keys) // self.key_size
        if len(keys) != count * self.key_size or len(values) != count * self.value_size:
            wanted = f"multiples of {self.key_size} and {self.value_size} bytes, as many keys as values"
            raise self._error(f"batch: {len(keys)} bytes of keys, {len(values)} of values ({wanted})", errno.EINVAL)
        done = ffi.new("uint64_t *")
        status = lib.vm_map_write_batch(
            self._live(), ffi.from_buffer(keys), ffi.from_buffer(values), count, flags, done
        )
        self._require(status, f"update {done[0] + 1} of {count}")
        return count

    def _put(self, key: Any, value: bytes | Handle | None, flags: int) -> None:
        pairs: Iterable[tuple[bytes, Any]] = (
            [(key, value)] if isinstance(key, bytes) else key.items() if isinstance(key, Mapping) else key
        )
        self._live()
        for one_key, one in pairs:
            self._key(one_key)
            if isinstance(one, bytes):
                self._value(one)
            fd = struct.unpack("=i", one)[0] if isinstance(one, bytes) else one.fileno()
            self._slots.put(one_key, fd, flags, _spec_of)  # type: ignore[union-attr]

    def named(self) -> set[str]:
        """The anchors of what stands in a prog array or a map of maps."""
        return self._slots.named() if self._slots is not None else set()

    def empty(self, ids: Set[int]) -> None:
        """Empty the slots of these objects; for who holds the map's edges (pin/slot_edges.py)."""
        for key, value in list(self.items()):
            if int.from_bytes(value, sys.byteorder) in ids:
                self._require(lib.vm_map_erase(self._live(), self._key(key)), "delete")

    def adopt(self, owner: int) -> None:
        """In a prog array: refuse programs that are unlike ``owner`` from now on. Raises LoadError(EINVAL)."""
        if self.spec.map_type is MapType.PROG_ARRAY and lib.vm_map_adopt(self.pointer, owner):
            raise LoadError(f"prog array {self.spec.name!r} is of another program type", errno.EINVAL)

    def delete(self, key: bytes) -> None:
        """Remove an element. Raises MapError: ENOENT; EINVAL in an array."""
        if self._slots is not None:
            self._live(), self._key(key)
            self._slots.remove(key)
            return
        self._require(lib.vm_map_erase(self._live(), self._key(key)), "delete", key)

    def next_key(self, key: bytes | None) -> bytes | None:
        """The key after ``key`` (None: the first); None at the end."""
        after = bytearray(self.key_size)
        before = ffi.NULL if key is None else self._key(key)
        status = lib.vm_map_next_key(self._live(), before, ffi.from_buffer(after))
        if status == -errno.ENOENT:
            return None
        self._require(status, "next_key", key)
        return bytes(after)

    def items(self) -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override]
        """Every element, in the order of next_key; read in batches without stopping writers."""
        key_size, value_size = self.key_size, self.value_size
        capacity = max(1, min(_BATCH_SIZE // (key_size + value_size), self.spec.max_entries))
        keys, values = bytearray(capacity * key_size), bytearray(capacity * value_size)
        cursor = ffi.new("uint64_t *")
        while True:
            count = lib.vm_map_dump(self._live(), cursor, ffi.from_buffer(keys), ffi.from_buffer(values), capacity)
            self._require(min(count, 0), "dump")
            if count == 0:
                return
            read_keys, read_values = bytes(keys[: count * key_size]), bytes(values[: count * value_size])
            for index in range(count):
                at = index * value_size
                yield read_keys[index * key_size : (index + 1) * key_size], read_values[at : at + value_size]

    def values(self) -> Iterator[bytes]:  # type: ignore[override]
        """Every value, as ``items`` reads them: an element that goes meanwhile is no error."""
        return (value for _, value in self.items())

    def freeze(self) -> None:
        """Refuse writes of user space from now on. Raises MapError(EPERM) the second time."""
        self._require(lib.vm_map_freeze(self._live()), "freeze")

    def check(self) -> str:
        """'' if every chain, list, counter and lock is sound, else the first fault and how many there are."""
        message = ffi.new("char[]", _MESSAGE_SIZE)
        faults = lib.vm_map_check(self._live(), message, _MESSAGE_SIZE)
        return f"{_text(message)} ({faults} faults)" if faults else ""

    def __getitem__(self, key: bytes) -> bytes:
        value = self.lookup(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes | Handle) -> None:
        self.update(key, value)

    def __delitem__(self, key: bytes) -> None:
        try:
            self.delete(key)
        except MapError as error:
            if error.errno == errno.ENOENT:
                raise KeyError(key) from error
            raise

    def __iter__(self) -> Iterator[bytes]:
        return (key for key, _ in self.items())

    def __len__(self) -> int:
        count = int(lib.vm_map_count(self._live()))
        self._require(min(count, 0), "count")
        return count

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Map id {self.id} {self.spec.name!r} {self.spec.map_type.label}>"

    def _live(self) -> Any:
        if self._pointer is None:
            raise ValueError("map is closed")
        return self._pointer

    def _read_only(self, what: str) -> RuntimeUnavailable:
        hint = "remount it writable, or choose another tree with --pin-root"
        return RuntimeUnavailable(f"map {self.spec.name!r}: cannot {what}", errno.EROFS, hint=hint)

    def _key(self, key: bytes) -> Any:
        if len(key) != self.key_size:
            raise self._error(f"key of {len(key)} bytes ({self.key_size})", errno.EINVAL)
        return ffi.from_buffer(key)

    def _value(self, value: bytes) -> Any:
        if len(value) != self.value_size:
            raise self._error(f"value of {len(value)} bytes ({self.value_size})", errno.EINVAL)
        return ffi.from_buffer(value)

    def _require(self, status: int, what: str, key: bytes | None = None) -> None:
        if status == -errno.EPERM and not self.stored.is_writable and os.fstatvfs(self.fileno()).f_flag & os.ST_RDONLY:
            raise self._read_only(what)
        if status != 0:
            raise self._error(what if key is None else f"{what} of key {key_words(key)}", -status)

    def _error(self, what: str, number: int) -> MapError:
        return MapError(f"map {self.spec.name!r}: {what}", number)


def create_map(store: ObjectStore, spec: MapSpec, btf: bytes = b"") -> Map:
    """A new map, empty, without a pin.

    Raises: LoadError with the errno that BPF_MAP_CREATE gives, Unsupported (map type), RuntimeUnavailable.
    """
    definition, size = _checked_definition(spec)
    stored = store.create(
        "map", spec.name, _packed(spec, definition), size, btf=btf, prepare=lambda made: _format(made, definition),
        has_slots=spec.map_type in KIND_HELD,
    )  # fmt: skip
    return open_map(stored, _creator_access(spec))


def anonymous_map(spec: MapSpec) -> Map:
    """A new map in memory that belongs to no tree: it cannot be pinned, has id 0 and goes with its handle.

    Raises: LoadError, Unsupported as create_map.
    """
    definition, size = _checked_definition(spec)
    header = ObjectHeader("map", 0, spec.name, _packed(spec, definition), size, uid=os.geteuid())
    try:
        stored = StoredObject(os.memfd_create("bpf-map", os.MFD_CLOEXEC), header, is_writable=True)
        os.posix_fallocate(stored.fileno(), 0, DATA_OFFSET + size)
        _format(stored, definition)
    except OSError as error:
        raise LoadError(f"cannot create map {spec.name!r}", error.errno or errno.ENOMEM, spec.where) from error
    return open_map(stored, _creator_access(spec))


def open_map(stored: StoredObject, access: int = READ | WRITE) -> Map:
    """A handle on a stored map. ``access``: READ | WRITE, what this handle may do.

    Owns: the Map closes ``stored``; if this raises, it is closed already.
    Raises: PinError(EINVAL) where the file's bytes are not the map that its header speaks of.
    """
    try:
        spec, definition = stored_definition(stored)
        out = ffi.new("struct vm_map **")
        status = lib.vm_map_open(stored.fileno(), DATA_OFFSET, definition, access, stored.is_writable, out)
        if status == -errno.EINVAL:
            raise PinError(f"damaged map {stored.name!r}", errno.EINVAL, PinPlace(stored.header.anchor))
        if status != 0:
            error = OSError(-status, os.strerror(-status))
            raise translated(error, f"cannot open map {stored.name!r}", PinPlace(stored.header.anchor))
    except BaseException:
        stored.close()
        raise
    pointer = ffi.gc(out[0], lib.vm_map_close)
    pointer.id = stored.id
    return Map(stored, spec, pointer)


def has_slots(stored: StoredObject) -> bool:
    """Whether a stored map holds programs or maps. Raises PinError where its definition is none."""
    return stored_definition(stored)[0].map_type in KIND_HELD


def data_size(spec: MapSpec) -> int:
    """Bytes that a map's data takes in its file. Raises LoadError, Unsupported as create_map; makes nothing."""
    return _checked_definition(spec)[1]


def check_map(stored: StoredObject) -> list[str]:
    """What is wrong with a stored map; [] if it is sound. Closes ``stored``."""
    try:
        with open_map(stored) as opened:
            fault = opened.check()
            return [fault] if fault else []
    except PinError as error:
        return [str(error)]


def repair_map(stored: StoredObject) -> None:
    """Make a map's locks anew and mend what their holders left; for the store's ``repairers``."""
    _, definition = stored_definition(stored)
    out = ffi.new("struct vm_map **")
    if lib.vm_map_open(stored.fileno(), DATA_OFFSET, definition, 0, 1, out) == 0:
        lib.vm_map_reset_locks(out[0])
        lib.vm_map_close(out[0])


@cache
def cpu_count() -> int:
    """CPUs that may ever be there: how many copies a per-CPU value has. Source: /sys/devices/system/cpu/possible."""
    try:
        with open("/sys/devices/system/cpu/possible") as file:
            last = file.read().replace(",", "-").split("-")[-1]
        return int(last) + 1
    except (OSError, ValueError):
        return os.cpu_count() or 1


def _checked_definition(spec: MapSpec) -> tuple[Any, int]:
    """The C definition, and the bytes of data that it needs. Raises LoadError, Unsupported."""
    definition = _definition(spec, cpu_count() if spec.map_type in PERCPU_TYPES else 1)
    size = ffi.new("uint64_t *")
    status = _status_of_extras(spec) or _status_of_inner(spec) or lib.vm_map_size(definition, size)
    if status == -errno.EOPNOTSUPP:
        raise Unsupported(f"maps of type {spec.map_type.label} in the user runtime", spec.where)
    if status != 0:
        raise LoadError(f"cannot create map {spec.name!r}: {_summary(spec)}", -status, spec.where)
    return definition, int(size[0])


def _format(stored: StoredObject, definition: Any) -> None:
    seed = int.from_bytes(os.urandom(8), "little")
    status = lib.vm_map_format(stored.fileno(), DATA_OFFSET, definition, seed)
    if status != 0:
        raise OSError(-status, os.strerror(-status))


def _packed(spec: MapSpec, definition: Any) -> bytes:
    own = _SPEC.pack(
        spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.map_flags, definition.cpu_count,
        spec.numa_node, spec.key_type_id, spec.value_type_id, 0, spec.map_extra,
    )  # fmt: skip
    if spec.map_type not in MAP_IN_MAP_TYPES or spec.inner is None:
        return own
    return own + _packed(replace(spec.inner, key_type_id=0, value_type_id=0), definition)


def _creator_access(spec: MapSpec) -> int:
    """What BPF_F_RDONLY and BPF_F_WRONLY leave to the handle that creates the map; others choose their own."""
    access = READ | WRITE
    if spec.map_flags & MapFlag.RDONLY:
        access &= ~WRITE
    if spec.map_flags & MapFlag.WRONLY:
        access &= ~READ
    return access


def _definition(spec: MapSpec, cpus: int) -> Any:
    try:
        return ffi.new(
            "struct vm_map_def *",
            (spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.map_flags, cpus),
        )  # fmt: skip
    except OverflowError as error:
        raise LoadError(f"cannot create map {spec.name!r}: {_summary(spec)}", errno.EINVAL, spec.where) from error


def stored_definition(stored: StoredObject) -> tuple[MapSpec, Any]:
    """Spec and C definition from an object's header. Raises PinError(EINVAL)."""
    try:
        spec = _spec_of(stored.header)
    except MapError as error:
        raise PinError(error.message, errno.EINVAL, PinPlace(stored.header.anchor)) from error
    return spec, _definition(spec, _SPEC.unpack_from(stored.spec)[5])


def _spec_of(header: ObjectHeader) -> MapSpec:
    """The definition in a map's header, with that of its inner map behind it. Raises MapError(EINVAL)."""
    try:
        parts = [_unpacked(words) for words in _SPEC.iter_unpack(header.spec)]
        if len(parts) != 1 + (parts[0].map_type in MAP_IN_MAP_TYPES):
            raise ValueError("definitions")
    except (struct.error, ValueError, IndexError) as error:
        raise MapError("damaged map: its definition is none", errno.EINVAL) from error
    return replace(parts[0], name=header.name, inner=parts[1] if len(parts) > 1 else None)


def _unpacked(words: Sequence[int]) -> MapSpec:
    return MapSpec(
        "inner", MapType(words[0]), words[1], words[2], words[3], words[4], MapStyle.LIVE,
        numa_node=words[6], key_type_id=words[7], value_type_id=words[8], map_extra=words[10],
    )  # fmt: skip


def _status_of_inner(spec: MapSpec) -> int:
    """What may be an inner map. Source: kernel/bpf/map_in_map.c, bpf_map_meta_alloc, Linux 6.12."""
    if spec.map_type not in MAP_IN_MAP_TYPES:
        return 0
    if spec.inner is None or spec.inner.map_type in MAP_IN_MAP_TYPES:
        return -errno.EINVAL
    if spec.inner.map_type is MapType.PROG_ARRAY:
        return -_KERNEL_ENOTSUPP
    _checked_definition(spec.inner)
    return 0


def slot_keeper() -> SlotKeeper:
    """How the object store reads and empties slots."""
    return SlotKeeper(_named, _clear)


def _named(descriptor: int) -> set[str]:
    with _opened_again(descriptor) as opened:
        return opened.named()


def _clear(descriptor: int) -> None:
    with _opened_again(descriptor) as opened:
        lib.vm_map_clear(opened.pointer)


def _opened_again(descriptor: int) -> Map:
    try:
        header = decode(os.pread(descriptor, HEADER_SIZE, 0))
    except BadHeader as error:
        raise PinError(str(error), errno.EINVAL) from error
    return open_map(StoredObject(os.dup(descriptor), header, is_writable=True))


def _bytes(value: bytes | Handle) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a value of this map is bytes")
    return value


def _status_of_extras(spec: MapSpec) -> int:
    """What map_create checks besides sizes and flags. Source: kernel/bpf/syscall.c, map_create, Linux 6.12."""
    if spec.map_extra != 0:
        return -errno.EINVAL
    if spec.map_flags & MapFlag.NUMA_NODE and spec.numa_node != 0:
        return 0 if os.path.exists(f"/sys/devices/system/node/node{spec.numa_node}") else -errno.EINVAL
    return 0


def _summary(spec: MapSpec) -> str:
    return (
        f"{spec.map_type.label}, key {spec.key_size}, value {spec.value_size}, max_entries {spec.max_entries}, "
        f"flags 0x{spec.map_flags:x}"
    )


def _text(message: Any) -> str:
    return bytes(ffi.string(message)).decode(errors="replace")
