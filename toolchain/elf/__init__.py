"""Object files: bytes to ObjectFile and back (reader.py, writer.py), and what they mean (extract.py)."""

from toolchain.elf.extract import extract, read_spec
from toolchain.elf.reader import read
from toolchain.elf.writer import write

__all__ = ["extract", "read", "read_spec", "write"]
