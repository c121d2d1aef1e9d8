"""The ELF-64 structures that a relocatable BPF object uses, as tables for reader and writer.

    +-------------+----------------------+---------+---------+-----------+-------------+-----------------+
    | file header | sections' bytes      | .symtab | .strtab | .shstrtab | .rel<name>  | section headers |
    | 64 bytes    | each at its align    | 24 each |         |           | 16/24 each  | 64 each         |
    +-------------+----------------------+---------+---------+-----------+-------------+-----------------+

The order between the first and the last header is the writer's; a reader goes by the section headers alone.

Source: System V ABI, gABI 4.1 chapter 4 (ELF-64); machine and relocations of BPF: LLVM's ELFRelocs/BPF.def.
"""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"\x7fELF"
CLASS64: Final = 2
DATA: Final = {"little": 1, "big": 2}
"""e_ident[EI_DATA]."""
MARK: Final = {"little": "<", "big": ">"}
"""struct's sign of each endian."""
MACHINE_BPF: Final = 247
TYPE_RELOCATABLE: Final = 1

FILE_HEADER: Final = "16sHHIQQQIHHHHHH"
"""ident, type, machine, version, entry, phoff, shoff, flags, ehsize, phentsize, phnum, shentsize, shnum, shstrndx."""
FILE_HEADER_SIZE: Final = 64
SECTION_HEADER: Final = "IIQQQQIIQQ"
"""name, type, flags, addr, offset, size, link, info, addralign, entsize."""
SECTION_HEADER_SIZE: Final = 64
SYMBOL: Final = "IBBHQQ"
"""name, info (bind << 4 | type), other, section, value, size."""
SYMBOL_SIZE: Final = 24
REL: Final = "QQ"
"""offset, info (symbol << 32 | type)."""
REL_SIZE: Final = 16
RELA: Final = "QQq"
"""offset, info, addend."""
RELA_SIZE: Final = 24

SHT_NULL: Final = 0
SHT_PROGBITS: Final = 1
SHT_SYMTAB: Final = 2
SHT_STRTAB: Final = 3
SHT_RELA: Final = 4
SHT_NOBITS: Final = 8
SHT_REL: Final = 9
BOOKKEEPING: Final = frozenset({SHT_NULL, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_REL})
"""Section types that ObjectFile holds in other forms."""

SHF_WRITE: Final = 1
SHF_ALLOC: Final = 2
SHF_EXECINSTR: Final = 4
SHF_INFO_LINK: Final = 0x40

SHN_LORESERVE: Final = 0xFF00
MAX_SECTIONS: Final = SHN_LORESERVE - 1
MAX_ALIGN: Final = 1 << 16
"""Largest alignment written."""
