"""Object files: bytes to ObjectFile and back (reader.py, writer.py), and what they mean (extract.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.lazy import lazy_names

if TYPE_CHECKING:
    from toolchain.elf.extract import read_spec
    from toolchain.elf.reader import read
    from toolchain.elf.writer import write

_HOMES = {
    "read": "toolchain.elf.reader",
    "read_spec": "toolchain.elf.extract",
    "write": "toolchain.elf.writer",
}

__all__ = [
    "read",
    "read_spec",
    "write",
]
__getattr__ = lazy_names(__name__, _HOMES)
