"""A handle on one object: an open file, and a private copy of its header."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from typing import Self

from toolchain.errors import PinError
from toolchain.pin.header import HEADER_SIZE, ObjectHeader
from toolchain.pin.root import write_at

DATA_OFFSET = HEADER_SIZE
"""Where an object's data begins in its file."""
_READ_SIZE = 1 << 20


class StoredObject:
    """A live object, held by an open file of its own.

    Owns: the fd (``close``, or the end of a ``with`` block). While it is open the object lives, pinned or not.
    ``is_writable`` says whether the fd is. ``header`` is a private copy. ``root``: its tree, '' for none.
    ``pin``: the path that it was got by, '' for none.
    """

    __slots__ = ("_descriptor", "header", "is_writable", "pin", "root")

    def __init__(self, descriptor: int, header: ObjectHeader, is_writable: bool, root: str = "") -> None:
        self._descriptor = descriptor
        self.header = header
        self.is_writable = is_writable
        self.root = root
        self.pin = ""

    @property
    def id(self) -> int:
        """Unique among all objects of its kind that this tree ever had."""
        return self.header.id

    @property
    def kind(self) -> str:
        """'map', 'prog' or 'link'."""
        return self.header.kind

    @property
    def name(self) -> str:
        """The full name that it was created with."""
        return self.header.name

    @property
    def spec(self) -> bytes:
        """What its maker said of it."""
        return self.header.spec

    @property
    def data_offset(self) -> int:
        """Where its data begins in the file."""
        return DATA_OFFSET

    @property
    def data_size(self) -> int:
        """Bytes of data."""
        return self.header.data_size

    def fileno(self) -> int:
        """The fd. Raises ValueError if it is closed."""
        if self._descriptor < 0:
            raise ValueError("object is closed")
        return self._descriptor

    def read(self) -> bytes:
        """All of its data."""
        return self._read_at(DATA_OFFSET, self.data_size)

    def write(self, data: bytes, offset: int = 0) -> None:
        """Write into its data. Raises ValueError outside of it."""
        if offset < 0 or offset + len(data) > self.data_size:
            raise ValueError(f"write outside of the data: {offset}+{len(data)} (0..{self.data_size})")
        write_at(self.fileno(), data, DATA_OFFSET + offset)

    def btf(self) -> bytes:
        """Its raw type information, b'' if it has none. Raises PinError(EINVAL) if it was altered."""
        data = self._read_at(self.header.btf_offset, self.header.btf_size)
        if data and hashlib.sha256(data).digest() != self.header.btf_hash:
            raise PinError(f"type information of {self.header.anchor} was altered", errno.EINVAL)
        return data

    def let_live(self) -> None:
        """Keep the file open, but hold the object no longer: it lives only as long as others hold it."""
        fcntl.flock(self.fileno(), fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go. Twice is once."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.header.anchor} {self.name!r}{' closed' if self._descriptor < 0 else ''}>"

    def _read_at(self, offset: int, size: int) -> bytes:
        parts = []
        while size > 0:
            part = os.pread(self.fileno(), min(size, _READ_SIZE), offset)
            if not part:
                raise PinError(f"{self.header.anchor} was cut short", errno.EINVAL)
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)
