"""Slots: prog arrays, and arrays and hashes of maps, written from user space.

    update(key, fd)    fd -> object -> edge in refs/ -> its id into the slot      (pin/slot_edges.py)
    lookup(key)        the id
    delete(key)        the slot is empty, the edge gone unless another slot needs it

What may stand in a slot is the kernel's rule. A prog array takes programs that are alike in what a tail call cannot
change (type, XDP fragments, attach type); the first program that uses it or stands in it decides. A map of maps takes
maps that are like its template.

Source: kernel/bpf/core.c (__bpf_prog_map_compatible), kernel/bpf/arraymap.c (bpf_fd_array_map_update_elem,
array_map_meta_equal), kernel/bpf/map_in_map.c (bpf_map_meta_equal), kernel/bpf/syscall.c, Linux 6.12 and 6.18.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import Any, Final

from toolchain.errors import MapError, PinPlace
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.pin.header import HEADER_SIZE, BadHeader, ObjectHeader, decode
from toolchain.pin.root import PRIVATE, translated
from toolchain.pin.slot_edges import changing
from toolchain.pin.stored import StoredObject
from toolchain.spec.maps import MapSpec, key_words
from toolchain.spec.sections import XDP_HAS_FRAGS
from toolchain.spec.stages import LinkedProgram
from toolchain.vm.native import ffi, lib

KIND_HELD: Final = {
    MapType.PROG_ARRAY: "prog",
    MapType.ARRAY_OF_MAPS: "map",
    MapType.HASH_OF_MAPS: "map",
}
"""Map type -> the kind of object that its slots hold."""
_WORD: Final = struct.Struct("=I")


def owner_of(program: LinkedProgram) -> int:
    """What programs must have in common to stand in one prog array, as a number that is never 0."""
    has_frags = bool(program.prog_flags & XDP_HAS_FRAGS)
    return int(program.prog_type) | has_frags << 8 | (program.expected_attach_type & 0x7FFF) << 16


def is_alike(template: MapSpec, spec: MapSpec) -> bool:
    """Whether a map may stand where ``template`` is declared as the inner map."""
    for name in ("map_type", "key_size", "value_size", "map_flags"):
        if getattr(template, name) != getattr(spec, name):
            return False
    may_differ = template.map_type is not MapType.ARRAY or template.map_flags & MapFlag.INNER_MAP
    return bool(may_differ) or template.max_entries == spec.max_entries


class Slots:
    """The slots of one map. ``pointer`` is its ``struct vm_map *``; ``template`` the inner map of a map of maps."""

    __slots__ = ("_kind", "_pointer", "_spec", "_stored")

    def __init__(self, stored: StoredObject, spec: MapSpec, pointer: Any) -> None:
        self._stored, self._spec, self._pointer = stored, spec, pointer
        self._kind = KIND_HELD[spec.map_type]

    def put(self, key: bytes, fd: int, flags: int, held_spec: Any) -> None:
        """Put the object behind ``fd`` into a slot. ``held_spec``: a map's definition from its header.

        Raises: MapError: EPERM, E2BIG; EBADF for what is no fd, EINVAL for what is no such object or does not fit.
        """
        self._require_writable()
        is_array = self._spec.map_type is not MapType.HASH_OF_MAPS
        if is_array and flags:
            raise self._error(f"update with flags {flags} (0)", errno.EINVAL)
        if is_array and _WORD.unpack(key)[0] >= self._spec.max_entries:
            raise self._error(f"slot {_WORD.unpack(key)[0]} (0..{self._spec.max_entries - 1})", errno.E2BIG)
        held = self._held(fd)
        self._require_fit(held, held_spec)
        try:
            with changing(self._stored.root, self._stored.header.anchor, self.named) as change:
                before = self._id_at(key)
                change.add(held.anchor)
                status = lib.vm_map_write(self._pointer, key, _WORD.pack(held.id), flags)
                for stale in (before, held.id):
                    if stale and not lib.vm_map_names(self._pointer, stale):
                        change.drop(f"{self._kind}{stale}")
        except OSError as error:
            raise translated(error, f"cannot put {held.anchor} into a slot", self._place) from error
        if status:
            raise self._error(f"update of key {key_words(key)}", -status)

    def remove(self, key: bytes) -> None:
        """Empty a slot. Raises MapError: ENOENT, E2BIG, EPERM."""
        self._require_writable()
        try:
            with changing(self._stored.root, self._stored.header.anchor, self.named) as change:
                before = self._id_at(key)
                status = lib.vm_map_erase(self._pointer, key)
                if before and not lib.vm_map_names(self._pointer, before):
                    change.drop(f"{self._kind}{before}")
        except OSError as error:
            raise translated(error, "cannot empty a slot", self._place) from error
        if status:
            raise self._error(f"delete of key {key_words(key)}", -status)

    def named(self) -> set[str]:
        """The anchors of all that the slots name."""
        count = min(self._spec.max_entries, 1 << 12)
        keys, values = bytearray(count * self._spec.key_size), bytearray(count * _WORD.size)
        cursor = ffi.new("uint64_t *")
        ids: set[int] = set()
        while (
            got := lib.vm_map_dump(self._pointer, cursor, ffi.from_buffer(keys), ffi.from_buffer(values), count)
        ) > 0:
            ids.update(struct.unpack_from(f"={got}I", values))
        return {f"{self._kind}{each}" for each in ids if each}

    @property
    def _place(self) -> PinPlace:
        return PinPlace(self._stored.header.anchor)

    def _id_at(self, key: bytes) -> int:
        value = bytearray(_WORD.size)
        return 0 if lib.vm_map_read(self._pointer, key, ffi.from_buffer(value)) else int(_WORD.unpack(value)[0])

    def _require_writable(self) -> None:
        if not self._stored.root:
            raise self._error("a map of no pin tree holds nothing", errno.EINVAL)
        if lib.vm_map_is_frozen(self._pointer):
            raise self._error("frozen", errno.EPERM)

    def _held(self, fd: int) -> ObjectHeader:
        """The header of the object behind an fd, which must be of this tree."""
        try:
            held = decode(os.pread(fd, HEADER_SIZE, 0))
            anchor = os.lstat(os.path.join(self._stored.root, PRIVATE, "objs", held.anchor))
            is_ours = os.path.samestat(anchor, os.fstat(fd))
        except BadHeader as error:
            raise self._error(f"fd {fd} is no {self._kind}", errno.EINVAL) from error
        except OSError as error:
            number = errno.EBADF if error.errno == errno.EBADF else errno.EINVAL
            raise self._error(f"fd {fd} is no {self._kind} of this tree", number) from error
        if held.kind != self._kind or not is_ours or held.id >> 32:
            raise self._error(f"fd {fd} is {held.anchor} (a {self._kind} of this tree)", errno.EINVAL)
        return held

    def _require_fit(self, held: ObjectHeader, held_spec: Any) -> None:
        if self._kind == "prog":
            owner = int.from_bytes(held.spec, "little") if len(held.spec) == 4 else 0
            if not owner or lib.vm_map_adopt(self._pointer, owner):
                raise self._error(f"{held.anchor} is of another program type than its programs", errno.EINVAL)
        elif self._spec.inner is None or not is_alike(self._spec.inner, held_spec(held)):
            raise self._error(f"{held.anchor} is not like its inner map", errno.EINVAL)

    def _error(self, what: str, number: int) -> MapError:
        return MapError(f"map {self._spec.name!r}: {what}", number)
