"""Handing live objects to another process, and taking them, over a Unix socket.

    sender     connect | one message with the descriptors                     fd-send, tc ... export
    receiver   bind a socket | wait | ask each descriptor what it is           fd-recv, tc exec bpf import

The descriptor is the object, on both runtimes: while it is in flight it keeps the object alive, pinned or not, though
its sender is gone. The receiver is there first: nobody keeps a message for who is not.

A peer is not believed: sizes, count and kinds are checked, and of a message that is refused every descriptor is closed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from toolchain.errors import FilePlace, HandOverError
from toolchain.loader.fd_message import MAX_COUNT, MAX_SIZE, Record, decode, encode
from toolchain.spec.runtime import Handle, MapInfo, ProgInfo, Runtime

_KERNEL_MAX_FDS = 253
"""SCM_MAX_FD: more descriptors than this no message has. Source: include/net/scm.h, Linux 6.12."""
_SEND_SECONDS = 10.0
_STEP_SECONDS = 0.01
_MAX_PATH = 107


class Offer(NamedTuple):
    """An object to hand over. ``number`` is what the receiver finds it by."""

    handle: Handle
    number: int


class Received(NamedTuple):
    """An object that was handed over. Owns: the handle, which the taker closes."""

    handle: Handle
    number: int
    kind: str


def kind_of(handle: Handle) -> str:
    """'map', 'prog' or 'link'."""
    info: Any = handle.info()  # type: ignore[attr-defined]
    return "map" if isinstance(info, MapInfo) else "prog" if isinstance(info, ProgInfo) else "link"


class Sender:
    """A connection to who awaits objects at ``path``. Making it connects, and waits up to ``wait`` seconds for that.

    Raises: HandOverError: ENOENT or ECONNREFUSED where nobody is there, EACCES, ENAMETOOLONG, EPROTOTYPE for another
    kind of socket.
    """

    def __init__(self, path: str, wait: float = 0.0) -> None:
        self.where = FilePlace(path)
        self._socket = _datagram_socket(path)
        self._socket.settimeout(_SEND_SECONDS)
        until = time.monotonic() + wait
        while True:
            try:
                self._socket.connect(path)
                return
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ECONNREFUSED) or time.monotonic() >= until:
                    self._socket.close()
                    raise _failed("nobody to hand objects to", error, self.where) from error
            time.sleep(_STEP_SECONDS)

    def send(self, offers: Sequence[Offer], name: str = "") -> None:
        """Hand over all of them in one message; ``name`` is that of the object file that they are from.

        Raises: HandOverError; ENOBUFS and ETIMEDOUT where the receiver takes nothing.
        """
        records = [Record(each.number, _map_spec(each.handle)) for each in offers]
        try:
            status = os.stat(name) if name else None
        except OSError:
            status = None
        try:
            data = encode(records, name, status.st_dev if status else 0, status.st_ino if status else 0)
            socket.send_fds(self._socket, [data], [each.handle.fileno() for each in offers])
        except ValueError as error:
            raise HandOverError(str(error), errno.E2BIG, self.where) from error
        except OSError as error:
            raise _failed("cannot hand over", error, self.where) from error

    def close(self) -> None:
        """Disconnect. What was sent stays with the receiver."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Receiver:
    """A socket at ``path`` that only its owner's processes (and root's) may send to. Removed by ``close``.

    One that a killed receiver left there is removed first.

    Raises: HandOverError: EADDRINUSE where there is a file of that name, EACCES, ENOENT, ENAMETOOLONG.
    """

    def __init__(self, path: str) -> None:
        self.where = FilePlace(path)
        self._path = path
        self._socket = _datagram_socket(path)
        try:
            os.fchmod(self._socket.fileno(), 0o600)  # what bind(2) makes the file with
            _remove_stale(path)
            self._socket.bind(path)
        except OSError as error:
            self._socket.close()
            raise _failed("cannot await objects here", error, self.where) from error
        self._file = os.lstat(path)

    def receive(self, runtime: Runtime, timeout: float | None = None) -> tuple[str, tuple[Received, ...]]:
        """Wait for one message: the sender's name for it, and its objects. ``timeout`` in seconds, None: for ever.

        Owns: the caller closes the handles.
        Raises: HandOverError: EPROTO for a message that is none, ETIMEDOUT; PinError where a descriptor is no object
        of this runtime.
        """
        self._socket.settimeout(timeout)
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(
                MAX_SIZE + 1, socket.CMSG_SPACE(4 * _KERNEL_MAX_FDS), socket.MSG_CMSG_CLOEXEC
            )
        except TimeoutError as error:
            raise HandOverError(f"no objects came in {timeout:g} s", errno.ETIMEDOUT, self.where) from error
        except OSError as error:
            raise _failed("cannot receive", error, self.where) from error
        descriptors = _descriptors(ancillary)
        try:
            name, numbers = self._understood(data, flags, len(descriptors))
        except BaseException:
            _close_all(descriptors)
            raise
        return name, _opened(runtime, descriptors, numbers)

    def _understood(self, data: bytes, flags: int, count: int) -> tuple[str, tuple[int, ...]]:
        try:
            if flags & socket.MSG_CTRUNC:
                raise ValueError("descriptors were lost on the way (see ulimit -n)")
            name, numbers = decode(data)
            if len(numbers) != count:
                raise ValueError(f"{count} descriptors for {len(numbers)} objects")
        except ValueError as error:
            raise HandOverError(f"not a message that hands over objects: {error}", errno.EPROTO, self.where) from error
        return name, numbers

    def close(self) -> None:
        """Stop waiting, remove the socket."""
        self._socket.close()
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(self._path), self._file):
                os.unlink(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def environment(received: Sequence[Received]) -> Mapping[str, str]:
    """What tells a child its descriptors: tc's BPF_NUM_MAPS and BPF_MAP<number>; BPF_PROG<number>, BPF_LINK<number>."""
    found = {f"BPF_{each.kind.upper()}{each.number}": str(each.handle.fileno()) for each in received}
    return found | {"BPF_NUM_MAPS": str(sum(each.kind == "map" for each in received))}


def send_objects(path: str, handles: Sequence[Handle], name: str = "", wait: float = 0.0) -> None:
    """Hand objects to who awaits them at the socket ``path``, numbered from 0. Raises HandOverError."""
    if len(handles) > MAX_COUNT or not handles:
        raise HandOverError(f"{len(handles)} objects in a message (1..{MAX_COUNT})", errno.E2BIG, FilePlace(path))
    with Sender(path, wait) as sender:
        sender.send([Offer(handle, number) for number, handle in enumerate(handles)], name)


def receive_objects(runtime: Runtime, path: str, timeout: float | None = None) -> tuple[Handle, ...]:
    """Await objects at the socket ``path``, which is made and removed. Owns: the caller closes them."""
    with Receiver(path) as receiver:
        return tuple(each.handle for each in receiver.receive(runtime, timeout)[1])


def _opened(runtime: Runtime, descriptors: Sequence[int], numbers: Sequence[int]) -> tuple[Received, ...]:
    """The objects behind the descriptors, which are taken over; all of them, or none stays open."""
    with contextlib.ExitStack() as stack:
        waiting = list(descriptors)
        stack.callback(_close_all, waiting)
        received = []
        for number in numbers:
            handle = stack.enter_context(runtime.from_fd(waiting.pop(0)))
            received.append(Received(handle, number, kind_of(handle)))
        stack.pop_all()
        return tuple(received)


def _close_all(descriptors: Sequence[int]) -> None:
    for each in descriptors:
        os.close(each)


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """All descriptors of a message. What else came beside it is passed over."""
    found: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found += struct.unpack(f"={len(data) // 4}i", data[: len(data) // 4 * 4])
    return found


def _map_spec(handle: Handle) -> Any:
    info: Any = handle.info()  # type: ignore[attr-defined]
    return info.spec if isinstance(info, MapInfo) else None


def _datagram_socket(path: str) -> socket.socket:
    raw = os.fsencode(path)
    if len(raw) > _MAX_PATH or not raw or b"\0" in raw:
        number = errno.ENAMETOOLONG if len(raw) > _MAX_PATH else errno.EINVAL
        raise HandOverError(f"path of {len(raw)} bytes for a socket (1..{_MAX_PATH})", number, FilePlace(path))
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def _remove_stale(path: str) -> None:
    """Remove a socket that a killed receiver left: one that nobody listens to."""
    if not _is_socket(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:  # another kind of socket, or not ours to use: bind says what is in the way
            return


_HINTS = {
    errno.ENOENT: "start the receiver first, or wait for it with 'bpf-load fd-send --wait SECONDS'",
    errno.ECONNREFUSED: "its receiver is gone: start another",
    errno.EADDRINUSE: "another receiver, or a file of this name, is there: choose another name",
    errno.ETIMEDOUT: "the receiver does not take what was sent before",
}


def _failed(what: str, error: OSError, where: FilePlace) -> HandOverError:
    number = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno or errno.EIO
    hint = _HINTS.get(number, "")
    if number == errno.ECONNREFUSED and not _is_socket(where.path):
        what, hint = f"{what}: not a socket", ""
    return HandOverError(what, number, where, hint)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
