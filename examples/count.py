"""count.py CAPTURE.pcap: count a capture by protocol, with nothing of the toolchain: a yardstick.

Prints one line a class, `SLOT PACKETS BYTES`, for both directions: each example program sees the whole capture.
"""

import collections
import struct
import sys

OTHER, ARP = 0, 1
PROTOCOLS = {1: 2, 6: 3, 17: 4, 58: 5}
SLOTS_PER_DIRECTION = 8


def packets(data):
    """The captured bytes and the length on the wire of each record of a classic little-endian pcap file."""
    magic, *_ = struct.unpack_from("<IHHiIII", data)
    if magic not in (0xA1B2C3D4, 0xA1B23C4D):
        sys.exit("count.py: not a little-endian pcap file")
    at = 24
    while at < len(data):
        _, _, captured, length = struct.unpack_from("<IIII", data, at)
        yield data[at + 16 : at + 16 + captured], length
        at += 16 + captured


def class_of(packet):
    """The slot of a packet within its direction."""
    at = 12
    if packet[at : at + 2] == b"\x81\x00":
        at += 4
    kind, network = packet[at : at + 2], packet[at + 2 :]
    if kind == b"\x08\x06":
        return ARP
    if kind == b"\x08\x00":
        return PROTOCOLS.get(network[9], OTHER)
    if kind == b"\x86\xdd":
        return PROTOCOLS.get(network[6] or network[40], OTHER)
    return OTHER


def main():
    with open(sys.argv[1], "rb") as capture:
        counts = collections.Counter()
        for packet, length in packets(capture.read()):
            slot = class_of(packet)
            counts[slot, "packets"] += 1
            counts[slot, "bytes"] += length
    for direction in range(2):
        for slot in sorted({slot for slot, _ in counts}):
            print(direction * SLOTS_PER_DIRECTION + slot, counts[slot, "packets"], counts[slot, "bytes"])


if __name__ == "__main__":
    main()
