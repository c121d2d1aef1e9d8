"""The message in which objects change hands: the one that ``tc ... export`` sends and ``tc exec bpf import`` awaits.

One datagram on a Unix socket, and as many descriptors beside it (SCM_RIGHTS) as it has records:

    0   u16 version, 1          4   char object[64], the file that the maps are from
    2   u16 count, 1..64        72  u64 device and u64 inode of that file
    88  count records of nine u32: type, key size, value size, entries, flags, number, pinning, inner number and index

``number`` is what the receiver finds a map by (the id in a classic object; BPF_MAP<number> in the environment of what
it runs). Programs and links, which tc does not send, have records of type 0. A receiver believes nothing of all that
but the numbers: what a descriptor is, it asks the descriptor.

Source: iproute2 7.1.0, include/bpf_scm.h (struct bpf_map_aux), include/bpf_elf.h (struct bpf_elf_map), lib/bpf_legacy.c
(bpf_map_set_send, bpf_map_set_recv).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from toolchain.spec.maps import MapSpec

VERSION = 1
MAX_COUNT = 64
_HEAD = struct.Struct("@HH64sQQ")
_RECORD = struct.Struct("@9I")
_UINT_MAX = 0xFFFFFFFF
MAX_SIZE = _HEAD.size + MAX_COUNT * _RECORD.size


class Record(NamedTuple):
    """One object of a message. ``spec`` is None for what is no map."""

    number: int
    spec: MapSpec | None = None


def encode(records: Sequence[Record], name: str = "", device: int = 0, inode: int = 0) -> bytes:
    """A message. Raises ValueError for more or fewer records than it may have."""
    if not 1 <= len(records) <= MAX_COUNT:
        raise ValueError(f"{len(records)} objects in a message (1..{MAX_COUNT})")
    raw_name = name.encode("utf-8", "surrogateescape")[:63]
    head = _HEAD.pack(VERSION, len(records), raw_name, device & (2**64 - 1), inode & (2**64 - 1))
    return head + b"".join(map(_encoded, records))


def _encoded(record: Record) -> bytes:
    spec = record.spec
    if spec is None:
        return _RECORD.pack(0, 0, 0, 0, 0, record.number, 0, 0, 0)
    sizes = (spec.key_size, spec.value_size, spec.max_entries, spec.map_flags)
    return _RECORD.pack(
        spec.map_type, *(size & _UINT_MAX for size in sizes), record.number, 0, spec.classic_inner_id & _UINT_MAX, 0
    )


def decode(data: bytes) -> tuple[str, tuple[int, ...]]:
    """The object's name and the records' numbers. Raises ValueError for bytes that are no such message."""
    if len(data) < _HEAD.size:
        raise ValueError(f"message of {len(data)} bytes ({_HEAD.size} at least)")
    version, count, name, _, _ = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"message of version {version} ({VERSION})")
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"{count} objects in a message (1..{MAX_COUNT})")
    if len(data) != _HEAD.size + count * _RECORD.size:
        raise ValueError(f"message of {len(data)} bytes for {count} objects ({_HEAD.size + count * _RECORD.size})")
    numbers = tuple(words[5] for words in _RECORD.iter_unpack(data[_HEAD.size :]))
    return name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape"), numbers
