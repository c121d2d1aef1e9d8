"""What a run of the assembler may be told."""

from __future__ import annotations

from toolchain.errors import UsageError
from toolchain.values import Value, value_type

CPU_VERSIONS = ("v1", "v2", "v3", "v4")
DIALECTS = ("auto", "pseudoc", "normal")


@value_type
class AsmOptions(Value):
    """How to read text and what to make of it.

    ``cpu`` is v1..v4, '' for every instruction known; v4 includes what came after it. ``dialect`` is auto (line by
    line), pseudoc or normal (mnemonics). ``debug`` adds line information for the lines of the text itself.
    ``include_dirs`` are searched by .include and .incbin after the including file's own folder.
    ``defines`` are symbols and their values. ``may_read_files`` is false where text must not reach the file system.

    Raises: UsageError.
    """

    endian: str = "little"
    cpu: str = ""
    dialect: str = "auto"
    debug: bool = False
    include_dirs: tuple[str, ...] = ()
    defines: tuple[tuple[str, int], ...] = ()
    may_read_files: bool = True

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("endian", self.endian, ("little", "big")),
            ("cpu", self.cpu, ("", *CPU_VERSIONS)),
            ("dialect", self.dialect, DIALECTS),
        ):
            if value not in allowed:
                raise UsageError(f"unknown {name}: {value!r} ({', '.join(each for each in allowed if each)})")

    @property
    def isa_limit(self) -> int:
        """The greatest ``Form.isa`` allowed."""
        return int(self.cpu[1]) if self.cpu in ("v1", "v2", "v3") else 5
