"""Packet captures: pcap and pcapng in, pcap out. Own code of a screen or two, because every byte may be hostile.

    pcap      header 24 bytes (magic gives byte order and unit of time), then records: time, captured and true length
    pcapng    blocks: type u32, length u32, body, length u32
              0x0A0D0D0A section (gives the byte order), 1 interface (link type, unit of time),
              6 enhanced packet, 3 simple packet; all others are skipped

Packets are read one at a time, so a capture of any length needs the memory of one packet. Lengths are checked before
anything of that length is read; no packet is longer than MAX_PACKET.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple, Self

from toolchain.errors import CaptureError, FilePlace

MAX_PACKET = 262_144
"""Bytes of a packet: the largest snapshot length that capture tools use (MAXIMUM_SNAPLEN of libpcap)."""
_MAX_BLOCK = MAX_PACKET + 65_536
_MAX_INTERFACES = 65_536
ETHERNET = 1
"""LINKTYPE_ETHERNET."""

_PCAP_MAGICS = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
"""Magic -> nanoseconds in the smaller unit of time."""
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_OPTION_END, _OPTION_TIME_UNIT = 0, 9


class Packet(NamedTuple):
    """One captured packet. Units: ``time_ns`` since 1970; ``data`` is what was captured, ``length`` what was sent."""

    data: bytes
    time_ns: int = 0
    length: int = 0
    link_type: int = ETHERNET


def read_capture(path: str) -> Iterator[Packet]:
    """The packets of a pcap or pcapng file, in order.

    Raises: CaptureError at the file and offset; packets before a fault have been given by then.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
        except OSError as error:
            raise CaptureError(f"cannot read: {os.strerror(error.errno or 0)}", FilePlace(path)) from error
        reader = _Reader(file, path)
        magic = reader.take(4, "no packet capture: shorter than a magic number")
        for mark in "<>":
            number = struct.unpack(f"{mark}I", magic)[0]
            if number in _PCAP_MAGICS:
                yield from _read_pcap(reader, mark, _PCAP_MAGICS[number])
                return
            if number == _SECTION:
                yield from _read_pcapng(reader)
                return
        raise CaptureError(f"no packet capture: magic {magic.hex()} (pcap or pcapng)", FilePlace(path, 0))


class _Reader:
    """Reads exact lengths and knows where it is."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self.offset = 0

    def take(self, size: int, complaint: str = "packet capture cut short") -> bytes:
        data = self._read(size)
        if len(data) < size:
            raise self.fault(f"{complaint}: {len(data)} bytes ({size})")
        self.offset += size
        return data

    def take_or_end(self, size: int) -> bytes:
        """``size`` bytes, or b'' at the end of the file."""
        data = self._read(size)
        if data and len(data) < size:
            raise self.fault(f"packet capture cut short: {len(data)} bytes ({size})")
        self.offset += len(data)
        return data

    def fault(self, message: str) -> CaptureError:
        return CaptureError(message, FilePlace(self._path, self.offset))

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise self.fault(f"cannot read: {os.strerror(error.errno or 0)}") from error


def _read_pcap(reader: _Reader, mark: str, unit_ns: int) -> Iterator[Packet]:
    header = struct.unpack(f"{mark}HHiIII", reader.take(20))
    link_type = header[5] & 0x0FFFFFFF
    record = struct.Struct(f"{mark}IIII")
    while head := reader.take_or_end(16):
        seconds, fraction, captured, length = record.unpack(head)
        if captured > MAX_PACKET:
            raise reader.fault(f"packet too long: {captured} bytes ({MAX_PACKET})")
        data = reader.take(captured)
        yield Packet(data, seconds * 1_000_000_000 + fraction * unit_ns, length, link_type)


def _read_pcapng(reader: _Reader) -> Iterator[Packet]:
    """The blocks after the first block's type, which has been read already."""
    mark, interfaces = "<", list[tuple[int, int]]()
    kind, is_first = _SECTION, True
    while True:
        if not is_first:
            head = reader.take_or_end(4)
            if not head:
                return
            kind = struct.unpack(f"{mark}I", head)[0]
        is_first = False
        if kind == _SECTION:
            mark, interfaces = _read_section(reader), []
            continue
        size = struct.unpack(f"{mark}I", reader.take(4))[0]
        if size < 12 or size % 4 or size > _MAX_BLOCK:
            raise reader.fault(f"length of a block out of range: {size} (12..{_MAX_BLOCK}, a multiple of 4)")
        body = reader.take(size - 8)[:-4]
        if kind == _INTERFACE:
            if len(interfaces) == _MAX_INTERFACES:
                raise reader.fault(f"too many interfaces: over {_MAX_INTERFACES}")
            interfaces.append(_interface(reader, body, mark))
        elif kind == _ENHANCED:
            yield _enhanced(reader, body, mark, interfaces)
        elif kind == _SIMPLE:
            yield _simple(reader, body, mark, interfaces)


def _read_section(reader: _Reader) -> str:
    """Skip a section header from its length on; its byte order."""
    length, magic = reader.take(4), reader.take(4)
    mark = next((each for each in "<>" if struct.unpack(f"{each}I", magic)[0] == _BYTE_ORDER_MAGIC), "")
    if not mark:
        raise reader.fault(f"byte order of a section unknown: {magic.hex()}")
    size = struct.unpack(f"{mark}I", length)[0]
    if size < 28 or size % 4 or size > _MAX_BLOCK:
        raise reader.fault(f"length of a section header out of range: {size} (28..{_MAX_BLOCK})")
    reader.take(size - 12)
    return mark


def _interface(reader: _Reader, body: bytes, mark: str) -> tuple[int, int]:
    """Link type and time units a second."""
    if len(body) < 8:
        raise reader.fault(f"interface block cut short: {len(body)} bytes (8)")
    link_type, units, position = struct.unpack_from(f"{mark}H", body)[0], 1_000_000, 8
    while position + 4 <= len(body):
        code, size = struct.unpack_from(f"{mark}HH", body, position)
        if code == _OPTION_END:
            break
        if code == _OPTION_TIME_UNIT and size == 1 and position + 5 <= len(body):
            exponent = body[position + 4]
            units = 1 << (exponent & 0x7F) if exponent & 0x80 else 10 ** min(exponent, 30)
        position += 4 + size + (-size % 4)
    return link_type, units


def _enhanced(reader: _Reader, body: bytes, mark: str, interfaces: list[tuple[int, int]]) -> Packet:
    if len(body) < 20:
        raise reader.fault(f"packet block cut short: {len(body)} bytes (20)")
    index, high, low, captured, length = struct.unpack_from(f"{mark}IIIII", body)
    if index >= len(interfaces):
        raise reader.fault(f"packet of an unknown interface: {index} (below {len(interfaces)})")
    if captured > len(body) - 20 or captured > MAX_PACKET:
        raise reader.fault(f"packet longer than its block: {captured} bytes ({len(body) - 20})")
    link_type, units = interfaces[index]
    time_ns = (high << 32 | low) * 1_000_000_000 // units
    return Packet(body[20 : 20 + captured], time_ns, length, link_type)


def _simple(reader: _Reader, body: bytes, mark: str, interfaces: list[tuple[int, int]]) -> Packet:
    if len(body) < 4 or not interfaces:
        raise reader.fault("simple packet block cut short, or without an interface")
    length = struct.unpack_from(f"{mark}I", body)[0]
    return Packet(body[4 : 4 + min(length, len(body) - 4, MAX_PACKET)], 0, length, interfaces[0][0])


class CaptureWriter:
    """Writes a pcap with nanosecond times. Owns the file; a ``with`` block closes it.

    Raises: CaptureError where the file cannot be written.
    """

    def __init__(self, path: str, link_type: int = ETHERNET) -> None:
        self._path = path
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            self._file = os.fdopen(descriptor, "wb")
            self._file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, MAX_PACKET, link_type))
        except OSError as error:
            raise self._fault(error) from error

    def write(self, packet: Packet) -> None:
        """Add one packet."""
        seconds, nanoseconds = divmod(packet.time_ns, 1_000_000_000)
        head = struct.pack(
            "<IIII", seconds & 0xFFFFFFFF, nanoseconds, len(packet.data), max(packet.length, len(packet.data))
        )
        try:
            self._file.write(head + packet.data)
        except OSError as error:
            raise self._fault(error) from error

    def close(self) -> None:
        """Write what is buffered and close the file."""
        try:
            self._file.close()
        except OSError as error:
            raise self._fault(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _fault(self, error: OSError) -> CaptureError:
        return CaptureError(f"cannot write: {os.strerror(error.errno or 0)}", FilePlace(self._path))
