"""CMap: one mapped map of the C core, with bpf(2)'s element commands on bytes.

The map's memory is the data area of a file that somebody else owns (the object store's file, or a memory file for maps
nobody else shall see); a CMap only maps it. Errors carry the errno that bpf(2) gives.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from typing import Any

from toolchain.errors import LoadError, MapError, Unsupported, Where
from toolchain.isa.map_types import PERCPU_TYPES, MapFlag
from toolchain.spec.maps import MapSpec
from toolchain.vm._core import ffi, lib

READ: int = lib.VM_MAP_READ
WRITE: int = lib.VM_MAP_WRITE
_DUMP_BYTES = 1 << 18
"""Bytes of values copied out in one call while all elements are read."""


def cpu_count() -> int:
    """CPUs that per-CPU maps have values for: those this machine may ever have."""
    try:
        with open("/sys/devices/system/cpu/possible") as file:
            ranges = [part.split("-") for part in file.read().strip().split(",")]
        return max(int(ends[-1]) for ends in ranges) + 1
    except (OSError, ValueError):
        return os.cpu_count() or 1


def map_def(spec: MapSpec, cpus: int = 0) -> Any:
    """The C definition of ``spec``. ``cpus`` 0: this machine's count, for types that keep one value a CPU."""
    fields = (int(spec.map_type), spec.key_size, spec.value_size, spec.max_entries, spec.map_flags)
    if any(not 0 <= field < 1 << 32 for field in fields):
        raise LoadError("map definition out of range", errno.EINVAL, spec.where)
    count = (cpus or cpu_count()) if spec.map_type in PERCPU_TYPES else 1
    return ffi.new("struct vm_map_def *", [*fields, count])


def data_size(spec: MapSpec, cpus: int = 0) -> int:
    """Bytes of file that a map of this definition needs behind its header.

    Raises: Unsupported for a map type that this runtime has not, LoadError with the errno that BPF_MAP_CREATE gives.
    """
    size = ffi.new("uint64_t *")
    _check_create(lib.vm_map_size(map_def(spec, cpus), size), spec)
    return int(size[0])


def format_map(fd: int, offset: int, spec: MapSpec, cpus: int = 0) -> None:
    """Write an empty map at ``offset`` of a file that is all zeros there and that nobody else has open."""
    seed = int.from_bytes(os.urandom(8), "little")
    _check_create(lib.vm_map_format(fd, offset, map_def(spec, cpus), seed), spec)


def user_access(spec: MapSpec) -> int:
    """What BPF_F_RDONLY and BPF_F_WRONLY leave to the user side."""
    access = READ | WRITE
    if spec.map_flags & MapFlag.RDONLY:
        access &= ~WRITE
    if spec.map_flags & MapFlag.WRONLY:
        access &= ~READ
    return access


def _check_create(status: int, spec: MapSpec) -> None:
    if status == -errno.EOPNOTSUPP:
        raise Unsupported(f"maps of type {spec.map_type.label} in the user runtime", spec.where)
    if status < 0:
        raise LoadError(f"cannot create map {spec.name}", -status, spec.where)


class CMap:
    """A mapped map. Owns the mapping, not the file; it ends with the last reference to ``pointer``."""

    def __init__(
        self, fd: int, offset: int, spec: MapSpec, cpus: int = 0, is_writable: bool = True, where: Where | None = None
    ) -> None:
        """Map the map at ``offset`` of ``fd``. Raises: MapError EINVAL where no map of this definition is there."""
        out = ffi.new("struct vm_map **")
        status = lib.vm_map_open(fd, offset, map_def(spec, cpus), user_access(spec), is_writable, out)
        if status < 0:
            raise MapError("no map of this definition", -status, where)
        self.pointer = ffi.gc(out[0], lib.vm_map_close)
        self.key_size = spec.key_size
        self.value_size = int(lib.vm_map_value_size(self.pointer))
        self.where = where

    @classmethod
    def anonymous(cls, spec: MapSpec, cpus: int = 0) -> CMap:
        """A new, empty map in memory that goes with this process. Raises as ``data_size`` does."""
        size = data_size(spec, cpus)
        fd = os.memfd_create("bpf-map", os.MFD_CLOEXEC)
        try:
            os.posix_fallocate(fd, 0, max(size, 1))
            format_map(fd, 0, spec, cpus)
            return cls(fd, 0, spec, cpus, where=spec.where)
        except OSError as error:
            raise LoadError(f"cannot create map {spec.name}", error.errno or errno.ENOMEM, spec.where) from error
        finally:
            os.close(fd)

    @property
    def is_frozen(self) -> bool:
        """User space may not write it any more."""
        return bool(lib.vm_map_is_frozen(self.pointer))

    def lookup(self, key: bytes) -> bytes | None:
        """The value of ``key``, None where there is none. Raises MapError."""
        value = ffi.new("uint8_t[]", self.value_size)
        status = lib.vm_map_read(self.pointer, self._key(key), value)
        if status == -errno.ENOENT:
            return None
        self._check("lookup", status)
        return bytes(ffi.buffer(value))

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Set the value of ``key``. Raises MapError."""
        if len(value) != self.value_size:
            raise MapError(f"value size: {len(value)} ({self.value_size})", errno.EINVAL, self.where)
        status = lib.vm_map_write(self.pointer, self._key(key), ffi.from_buffer(value), flags & (1 << 64) - 1)
        self._check("update", status)

    def delete(self, key: bytes) -> None:
        """Remove ``key``. Raises MapError."""
        self._check("delete", lib.vm_map_erase(self.pointer, self._key(key)))

    def next_key(self, key: bytes | None) -> bytes | None:
        """The key after ``key`` (None: the first one), None at the end. Raises MapError."""
        following = ffi.new("uint8_t[]", max(self.key_size, 1))
        status = lib.vm_map_next_key(self.pointer, ffi.NULL if key is None else self._key(key), following)
        if status == -errno.ENOENT:
            return None
        self._check("next_key", status)
        return bytes(ffi.buffer(following, self.key_size))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All elements, in no order; one that is inserted or removed meanwhile may be met or not. Raises MapError."""
        capacity = max(_DUMP_BYTES // max(self.value_size, 1), 1)
        keys = ffi.new("uint8_t[]", max(capacity * self.key_size, 1))
        values = ffi.new("uint8_t[]", max(capacity * self.value_size, 1))
        cursor = ffi.new("uint64_t *", 0)
        while True:
            count = lib.vm_map_dump(self.pointer, cursor, keys, values, capacity)
            self._check("dump", count)
            if count == 0:
                return
            key_bytes = bytes(ffi.buffer(keys, count * self.key_size))
            value_bytes = bytes(ffi.buffer(values, count * self.value_size))
            for index in range(count):
                key = key_bytes[index * self.key_size : (index + 1) * self.key_size]
                yield key, value_bytes[index * self.value_size : (index + 1) * self.value_size]

    def update_batch(self, keys: Sequence[bytes] | bytes, values: Sequence[bytes] | bytes, flags: int = 0) -> int:
        """Set many elements in one call: sequences, or all keys and all values end to end. Gives how many.

        Raises: MapError of the first failure; those before it are in.
        """
        all_keys = keys if isinstance(keys, bytes) else b"".join(keys)
        all_values = values if isinstance(values, bytes) else b"".join(values)
        count = len(all_values) // self.value_size
        if len(all_keys) != count * self.key_size or len(all_values) != count * self.value_size:
            raise MapError(f"batch of {len(all_keys)} key and {len(all_values)} value bytes", errno.EINVAL, self.where)
        done = ffi.new("uint64_t *", 0)
        status = lib.vm_map_write_batch(
            self.pointer, ffi.from_buffer(all_keys), ffi.from_buffer(all_values), count, flags, done
        )
        self._check(f"update of element {done[0]}", status)
        return int(done[0])

    def freeze(self) -> None:
        """No more writes from user space. Raises MapError."""
        self._check("freeze", lib.vm_map_freeze(self.pointer))

    def reset_locks(self) -> None:
        """Locks as after a reboot. Only while nobody else has the map open. Raises MapError."""
        self._check("repair", lib.vm_map_reset_locks(self.pointer))

    def count(self) -> int:
        """Elements in it: max_entries for arrays."""
        return int(lib.vm_map_count(self.pointer))

    def faults(self) -> str:
        """'' where the map's memory is sound, else the first thing that is not."""
        message = ffi.new("char[]", 256)
        return ffi.string(message).decode() if lib.vm_map_check(self.pointer, message, 256) else ""

    def _key(self, key: bytes) -> Any:
        if len(key) != self.key_size:
            raise MapError(f"key size: {len(key)} ({self.key_size})", errno.EINVAL, self.where)
        return ffi.from_buffer(key)

    def _check(self, what: str, status: int) -> None:
        if status < 0:
            raise MapError(f"map {what} failed", -status, self.where)
