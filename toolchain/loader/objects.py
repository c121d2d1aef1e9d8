"""read_object: a path to an ObjectSpec. The only place where the loader opens an object file."""

from __future__ import annotations

import os
import stat

from toolchain.errors import FilePlace, ObjectError
from toolchain.spec.objects import ObjectSpec

MAX_FILE = 256 << 20
"""Bytes of an object file that are read; the largest seen in the field has 13 MB."""


def read_bytes(path: str) -> bytes:
    """The bytes of a file. Raises ObjectError with its path where it cannot be read, or is too large."""
    place = FilePlace(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ObjectError("not a regular file", place)
            data = file.read(min(status.st_size, MAX_FILE) + 1)  # a read asks for all the memory that it may need
    except OSError as error:
        raise ObjectError(f"cannot read: {os.strerror(error.errno or 0)}", place) from error
    except ValueError as error:
        raise ObjectError(f"cannot read: {error}", place) from error
    if len(data) > MAX_FILE:
        raise ObjectError(f"file too large: over {MAX_FILE} bytes", place)
    return data


def read_object(path: str) -> ObjectSpec:
    """What an object means. Raises ObjectError."""
    from toolchain.elf import read_spec

    return read_spec(read_bytes(path), path)
