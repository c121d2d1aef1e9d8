"""Sections while they grow, and the defaults that their names imply.

Source: System V ABI (ELF), sections "Special Sections"; LLVM 19 ELFAsmParser.cpp for what a name alone implies.
"""

from __future__ import annotations

from toolchain.asm.faults import Fault

SHT_PROGBITS, SHT_NOTE, SHT_NOBITS = 1, 7, 8
SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY = 14, 15, 16
SHF_WRITE, SHF_ALLOC, SHF_EXEC, SHF_MERGE, SHF_STRINGS = 1, 2, 4, 16, 32
SHF_GROUP, SHF_TLS, SHF_LINK_ORDER, SHF_RETAIN, SHF_EXCLUDE = 0x200, 0x400, 0x80, 0x200000, 0x80000000

_FLAG_LETTERS = {
    "w": SHF_WRITE, "a": SHF_ALLOC, "x": SHF_EXEC, "M": SHF_MERGE, "S": SHF_STRINGS, "T": SHF_TLS, "R": SHF_RETAIN,
    "e": SHF_EXCLUDE,
}  # fmt: skip
_TYPES = {
    "progbits": SHT_PROGBITS, "nobits": SHT_NOBITS, "note": SHT_NOTE, "init_array": SHT_INIT_ARRAY,
    "fini_array": SHT_FINI_ARRAY, "preinit_array": SHT_PREINIT_ARRAY,
}  # fmt: skip
_CODE, _DATA, _CONST = SHF_ALLOC | SHF_EXEC, SHF_ALLOC | SHF_WRITE, SHF_ALLOC

_BY_NAME = (
    # name or prefix (ends in '.'), type, flags
    (".text", SHT_PROGBITS, _CODE),
    (".data", SHT_PROGBITS, _DATA),
    (".bss", SHT_NOBITS, _DATA),
    (".rodata", SHT_PROGBITS, _CONST),
    ("license", SHT_PROGBITS, _DATA),
    ("version", SHT_PROGBITS, _DATA),
    ("maps", SHT_PROGBITS, _DATA),
    (".maps", SHT_PROGBITS, _DATA),
    (".kconfig", SHT_PROGBITS, _DATA),
    (".ksyms", SHT_PROGBITS, _DATA),
    (".struct_ops", SHT_PROGBITS, _DATA),
)
_NEVER_CODE = (".BTF", ".debug_", ".note", ".comment")

MAX_SIZE = 64 << 20
"""Bytes of one section; far more than a kernel takes."""


MAX_TOTAL = 128 << 20
"""Bytes that directives may reserve in all sections together."""


class Budget:
    """What is left of MAX_TOTAL."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_TOTAL


class SectionBuilder:
    """A section that grows. ``pieces`` hold its bytes so far; ``size`` is their length."""

    __slots__ = ("align", "budget", "entry_size", "flags", "index", "is_undecided", "name", "pieces", "size", "type")

    def __init__(
        self, name: str, index: int, type: int, flags: int, entry_size: int, is_undecided: bool, budget: Budget
    ) -> None:
        self.name = name
        self.index = index
        self.type = type
        self.flags = flags
        self.entry_size = entry_size
        self.is_undecided = is_undecided
        self.budget = budget
        self.align = 1
        self.pieces: list[bytes] = []
        self.size = 0

    def append(self, data: bytes) -> None:
        """Adds bytes. Raises Fault past MAX_SIZE."""
        self.reserve(len(data))
        self.pieces.append(data)
        self.size += len(data)

    def reserve(self, count: int) -> None:
        """Raises Fault where ``count`` more bytes would be too many."""
        if count < 0 or self.size + count > MAX_SIZE:
            raise Fault(f"section {self.name} grows too large: {self.size} + {count} bytes ({MAX_SIZE})")
        if count > self.budget.left:
            raise Fault(f"sections grow too large together: {count} bytes more ({MAX_TOTAL} in all)")
        self.budget.left -= count

    def pad(self, align: int, fill: int | None, limit: int = 0) -> None:
        """Fills up to a multiple of ``align``, in code with instructions that do nothing (goto +0)."""
        self.align = max(self.align, align)
        count = -self.size % align
        if limit and count > limit:
            return
        if fill is None and self.flags & SHF_EXEC and count and count % 8 == 0 and self.size % 8 == 0:
            self.append(bytes((5, 0, 0, 0, 0, 0, 0, 0)) * (count // 8))
        else:
            self.append(bytes(((fill or 0) & 0xFF,)) * count)


def defaults(name: str) -> tuple[int, int, bool]:
    """Type, flags, and whether the first instruction may still make it a code section."""
    for known, type, flags in _BY_NAME:
        if name == known or (known[0] == "." and name.startswith(known + ".")):
            return type, flags, False
    return SHT_PROGBITS, 0, not name.startswith(_NEVER_CODE)


def parse_flags(text: str) -> int:
    """SHF_* of letters. Raises Fault."""
    flags = 0
    for letter in text:
        if letter not in _FLAG_LETTERS:
            raise Fault(f"unknown section flag: {letter} ({''.join(_FLAG_LETTERS)})", token=f'"{text}"')
        flags |= _FLAG_LETTERS[letter]
    return flags


def parse_type(text: str) -> int:
    """SHT_* of a word. Raises Fault."""
    if text.startswith("0x"):
        number = int(text, 16)
        if number < 1 << 32:
            return number
    if text not in _TYPES:
        raise Fault(f"unknown section type: {text} ({', '.join(_TYPES)})")
    return _TYPES[text]


def flag_letters(flags: int) -> str | None:
    """The letters of SHF_* flags; None where some have no letter."""
    letters = "".join(letter for letter, bit in _FLAG_LETTERS.items() if flags & bit)
    return letters if parse_flags(letters) == flags else None


def type_word(type: int) -> str:
    """The word of a SHT_* type, or its number where it has none."""
    return next((word for word, number in _TYPES.items() if number == type), f"0x{type:x}")
