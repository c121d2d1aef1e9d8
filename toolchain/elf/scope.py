"""An object while its meaning is extracted: its sections and symbols by name and place, and the warnings so far."""

from __future__ import annotations

from toolchain.elf import layout
from toolchain.errors import ObjectError, SectionPlace
from toolchain.spec.objects import ObjectFile, Section, Symbol, SymbolType

_UNNAMED_TYPES = (SymbolType.SECTION, SymbolType.FILE)
MAX_MAPS = 512
"""Maps that an object may declare in either style. The largest known has 87; a program may use 64."""
MAX_MEMBERS = 64
"""Members that a map's struct may have; a dozen are known."""
_HIDDEN = (1, 2)
"""STV_INTERNAL, STV_HIDDEN in the low two bits of a symbol's visibility."""


def is_hidden(symbol: Symbol) -> bool:
    """It is not to be seen from other objects."""
    return symbol.visibility & 3 in _HIDDEN


class Scope:
    """Indexes over an ObjectFile.

    ``symbols_of[i]`` are the named symbols in section ``i``, in file order. ``number_of`` gives the first section of
    a name.
    """

    __slots__ = ("file", "number_of", "path", "sections", "symbols", "symbols_of", "warnings")

    def __init__(self, file: ObjectFile) -> None:
        self.file = file
        self.path = file.path
        self.sections = file.sections
        self.symbols = file.symbols
        self.warnings: list[str] = []
        self.number_of: dict[str, int] = {}
        for number, section in enumerate(file.sections):
            self.number_of.setdefault(section.name, number)
        self.symbols_of: list[list[Symbol]] = [[] for _ in file.sections]
        for symbol in file.symbols:
            if 0 <= symbol.section < len(file.sections) and symbol.type not in _UNNAMED_TYPES and symbol.name:
                self.symbols_of[symbol.section].append(symbol)

    def find(self, name: str) -> Section | None:
        """The first section of that name."""
        number = self.number_of.get(name)
        return None if number is None else self.sections[number]

    def is_code(self, number: int) -> bool:
        """Section ``number`` holds instructions."""
        section = self.sections[number]
        return section.type == layout.SHT_PROGBITS and bool(section.flags & layout.SHF_EXECINSTR)

    def place(self, section: str, offset: int | None = None) -> SectionPlace:
        """Where something is."""
        return SectionPlace(self.path, section, offset)

    def number(self, data: bytes, signed: bool = False) -> int:
        """The number that ``data`` holds in the object's byte order."""
        return int.from_bytes(data, "little" if self.file.endian == "little" else "big", signed=signed)

    def fault(self, section: str, message: str, offset: int | None = None) -> ObjectError:
        """An error at a section's offset."""
        return ObjectError(message, SectionPlace(self.path, section, offset))

    def warn(self, message: str) -> None:
        """Something that a user should hear and that stops nothing."""
        self.warnings.append(message)
