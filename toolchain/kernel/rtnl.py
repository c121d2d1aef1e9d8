"""rtnetlink: requests to the kernel's network part and what answers them. What the attributes mean is said elsewhere.

    struct nlmsghdr | a fixed struct | attribute, attribute ...         attribute: length, type, value, up to 4 bytes
    16 bytes        | per kind       |                                  of padding; a nested one holds attributes

A request is answered by an acknowledgement (errno, and in words where the kernel has any: NLMSGERR_ATTR_MSG) or, where
it asks for a list, by rows and an end. Values are in the machine's byte order.

The one library for this (pyroute2) takes 110 ms to import, whatever is needed of it; it is the tests' oracle.

Source: include/uapi/linux/netlink.h, include/uapi/linux/rtnetlink.h of Linux 6.12.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

from toolchain.errors import LoadError, RuntimeUnavailable
from toolchain.kernel.privileges import explain

REQUEST, ACK, ECHO, DUMP = 0x1, 0x4, 0x8, 0x300
REPLACE, EXCL, CREATE = 0x100, 0x200, 0x400
"""NLM_F_*."""

GETLINK, SETLINK = 18, 19
NEWQDISC, DELQDISC, GETQDISC = 36, 37, 38
NEWTFILTER, DELTFILTER, GETTFILTER = 44, 45, 46
"""RTM_*."""

_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
_ATTRIBUTE = struct.Struct("=HH")
_ERROR, _DONE = 2, 3
_ERROR_TEXT = 1
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_TYPE_MASK, _NESTED = 0x3FFF, 0x8000
_ROOM = 1 << 18

Attribute = int | str | bytes | tuple[tuple[int, "Attribute"], ...]
"""A value to be sent: 32 bits, a C string, bytes, or attributes in it."""


def packed(attributes: tuple[tuple[int, Attribute], ...]) -> bytes:
    """Attributes as they are sent."""
    out = bytearray()
    for kind, value in attributes:
        if isinstance(value, tuple):
            kind, data = kind | _NESTED, packed(value)
        elif isinstance(value, int):
            data = struct.pack("=I", value & 0xFFFFFFFF)
        else:
            data = value.encode("utf-8", "surrogateescape") + b"\0" if isinstance(value, str) else value
        out += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def unpacked(data: bytes) -> dict[int, bytes]:
    """Type -> value of the attributes in ``data``; what is cut short is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if size < _ATTRIBUTE.size or at + size > len(data):
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + size]
        at += -(-size // 4) * 4
    return found


def number(attributes: Mapping[int, bytes], kind: int) -> int:
    """An attribute as a number, 0 where it is missing."""
    return int.from_bytes(attributes.get(kind, b"")[:8], "little" if _IS_LITTLE else "big")


def text(attributes: Mapping[int, bytes], kind: int) -> str:
    """An attribute as a C string, '' where it is missing."""
    return attributes.get(kind, b"").split(b"\0", 1)[0].decode(errors="backslashreplace")


_IS_LITTLE = struct.pack("=H", 1)[0] == 1


class Row(NamedTuple):
    """A message of an answer: its fixed struct, as sent, and its attributes."""

    head: bytes
    attributes: dict[int, bytes]


class RtnetlinkSocket:
    """A socket in this network namespace. Owns: the socket; ``close`` or a ``with`` block ends it.

    Raises: LoadError with the kernel's errno and words, RuntimeUnavailable on EPERM.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
            self._socket.bind((0, 0))
            for option in (_EXT_ACK, _CAP_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        except OSError as error:
            raise RuntimeUnavailable("cannot open a netlink socket", error.errno or errno.EIO) from error
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(
        self,
        kind: int,
        flags: int,
        what: str,
        head: bytes,
        attributes: tuple[tuple[int, Attribute], ...] = (),
        hints: Mapping[int, str] | None = None,
    ) -> list[Row]:
        """Send a request; the rows that answer it. ``what`` is said of it in an error, ``hints`` by errno."""
        self._sequence += 1
        body = head + packed(attributes)
        message = _HEADER.pack(_HEADER.size + len(body), kind, flags | REQUEST, self._sequence, 0) + body
        rows: list[Row] = []
        try:
            self._socket.send(message)
            while True:
                for answer, body in _messages(self._socket.recv(_ROOM), self._sequence):
                    if answer == _ERROR:
                        _check(body, what, hints or {})
                        return rows
                    if answer == _DONE:
                        return rows
                    if len(body) >= len(head):
                        rows.append(Row(body[: len(head)], unpacked(body[len(head) :])))
        except OSError as error:
            raise LoadError(what, error.errno or errno.EIO) from error


def _messages(data: bytes, sequence: int) -> Iterator[tuple[int, bytes]]:
    """(type, what follows the header) of each message of a datagram that answers the request of that number."""
    at = 0
    while at + _HEADER.size <= len(data):
        size, kind, _, number, _ = _HEADER.unpack_from(data, at)
        if size < _HEADER.size:
            return
        if number == sequence:
            yield kind, data[at + _HEADER.size : at + size]
        at += -(-size // 4) * 4


def _check(body: bytes, what: str, hints: Mapping[int, str]) -> None:
    """Raise what an acknowledgement refuses; none has errno 0. Behind the errno stands the request's header."""
    refused = -struct.unpack_from("=i", body.ljust(4, b"\0"))[0]
    if not refused:
        return
    words = text(unpacked(body[4 + _HEADER.size :]), _ERROR_TEXT).rstrip(".")
    said = f"{what}: {words}" if words else what
    if refused == errno.EPERM:
        reason, hint = explain(("CAP_NET_ADMIN",))
        raise RuntimeUnavailable(said + reason, refused, None, hint)
    raise LoadError(said, refused, None, hints.get(refused, ""))
