"""An independent count of a capture: what the example's programs should have counted, from tcpdump's file alone."""

from __future__ import annotations

import collections
import struct
from collections.abc import Iterator
from pathlib import Path

OTHER, ARP = 0, 1
PROTOCOLS = {1: 2, 6: 3, 17: 4, 58: 5}
SLOTS_PER_DIRECTION = 8


def packets(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    assert struct.unpack_from("<I", data)[0] in (0xA1B2C3D4, 0xA1B23C4D)
    at = 24
    while at + 16 <= len(data):
        size, length = struct.unpack_from("<II", data, at + 8)
        assert size == length, "a packet was cut"
        yield data[at + 16 : at + 16 + size]
        at += 16 + size


def class_of(packet: bytes) -> int:
    match packet[12:14]:
        case b"\x08\x06":
            return ARP
        case b"\x08\x00":
            return PROTOCOLS.get(packet[23], OTHER)
    return OTHER


def expected(path: Path, own_address: bytes) -> dict[int, tuple[int, int]]:
    """Slot -> (packets, bytes) of both directions; what ``own_address`` (6 bytes) sent is egress."""
    counts: collections.Counter[int] = collections.Counter()
    octets: collections.Counter[int] = collections.Counter()
    for packet in packets(path):
        is_egress = packet[6:12] == own_address
        slot = class_of(packet) + (SLOTS_PER_DIRECTION if is_egress else 0)
        counts[slot] += 1
        octets[slot] += len(packet)
    return {slot: (counts[slot], octets[slot]) for slot in counts}
