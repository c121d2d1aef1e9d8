"""The reader against pyelftools, and what it says of files that are no objects."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from toolchain.elf import read, read_spec, write
from toolchain.elf.layout import BOOKKEEPING
from toolchain.errors import ObjectError
from toolchain.spec.objects import ObjectFile, Relocation, Section

OBJ = Path(__file__).parents[1] / "data" / "obj"
OBJECTS = sorted(OBJ.glob("*.o"))
PLAIN = (OBJ / "plain-v3.o").read_bytes()


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_same_as_pyelftools(path: Path) -> None:
    file = read(path.read_bytes(), str(path))
    other = ELFFile(io.BytesIO(path.read_bytes()))
    assert file.endian == ("little" if other.little_endian else "big")
    theirs = [each for each in other.iter_sections() if _type_number(each) not in BOOKKEEPING]
    assert [(each.name, each.size, each.flags, each.align) for each in file.sections] == [
        (each.name, each["sh_size"], each["sh_flags"], each["sh_addralign"]) for each in theirs
    ]
    assert [each.data for each in file.sections if each.type != 8] == [
        each.data() for each in theirs if each["sh_type"] != "SHT_NOBITS"
    ]
    table = other.get_section_by_name(".symtab")
    assert [(each.name, each.value, each.size, int(each.bind), int(each.type)) for each in file.symbols] == [
        (each.name, each["st_value"], each["st_size"], *divmod(_info(other, table, index), 16))
        for index, each in enumerate(table.iter_symbols())
        if index
    ]
    for section in file.sections:
        relocations = other.get_section_by_name(f".rel{section.name}")
        expected = list(relocations.iter_relocations()) if relocations is not None else []
        assert [(each.offset, each.type, each.symbol + 1) for each in section.relocations] == [
            (each["r_offset"], each["r_info_type"], each["r_info_sym"]) for each in expected
        ]


def _type_number(section: object) -> int:
    known = {"SHT_NULL": 0, "SHT_PROGBITS": 1, "SHT_SYMTAB": 2, "SHT_STRTAB": 3, "SHT_RELA": 4, "SHT_REL": 9}
    return known.get(section["sh_type"], 99)  # type: ignore[index]


def _info(other: ELFFile, table: object, index: int) -> int:
    other.stream.seek(table["sh_offset"] + 24 * index + 4)  # type: ignore[index]
    return other.stream.read(1)[0]


def test_debug_sections_can_be_left_out() -> None:
    data = (OBJ / "plain-dwarf.o").read_bytes()
    whole, lean = read(data), read(data, without_debug=True)
    assert [each.name for each in whole.sections] == [each.name for each in lean.sections]
    debug = [number for number, each in enumerate(whole.sections) if each.name.startswith(".debug_")]
    assert debug
    assert any(whole.sections[number].data for number in debug)
    assert not any(lean.sections[number].data or lean.sections[number].relocations for number in debug)


@pytest.mark.parametrize("flags", [2, 4, 6])
def test_debug_sections_in_use_are_kept(flags: int) -> None:
    odd = ObjectFile((Section(".debug_code", 1, flags, b"\x95" + bytes(7), relocations=(Relocation(0, 0, -1),)),), ())
    assert read(write(odd), without_debug=True) == odd


def patched(offset: int, number: int, size: int = 2) -> bytes:
    """PLAIN with one number of its file header changed."""
    return PLAIN[:offset] + number.to_bytes(size, "little") + PLAIN[offset + size :]


HEADERS = struct.unpack_from("<Q", PLAIN, 40)[0]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "x.o: not an ELF file: empty"),
        (b"\x7fELF", "x.o+0x0: file header cut short: 4 bytes (64)"),
        (b"#!/bin/sh\n" * 9, "x.o+0x0: not an ELF file: it begins with 23212f62"),
        (PLAIN[:100], "x.o+0x28: section headers lie outside the file"),
        (patched(4, 1, 1), "x.o+0x4: not a 64-bit ELF file: class 1 (2)"),
        (patched(5, 3, 1), "x.o+0x5: unknown byte order: 3 (1 little, 2 big)"),
        (patched(18, 62), "x.o+0x12: object of another machine: 62 (247 BPF)"),
        (patched(16, 2), "x.o+0x10: not a relocatable object: type 2 (1)"),
        (patched(60, 0), "x.o+0x3c: no section headers"),
        (patched(58, 40), "x.o+0x3a: section header of unknown size: 40 (64)"),
        (patched(62, 0), "x.o+0x3e: no table of section names: section 0"),
        (patched(40, 2**64 - 8, 8), "x.o+0x28: section headers lie outside the file"),
        (patched(HEADERS + 64 + 32, 2**40, 8), "section lies outside the file: 1099511627776 bytes"),
        (patched(HEADERS + 64, 2**30, 4), "x.o:#1: string offset beyond the strings: 1073741824 (below 89)"),
    ],
)
def test_no_object(data: bytes, text: str) -> None:
    with pytest.raises(ObjectError) as error:
        read_spec(data, "x.o")
    assert text in str(error.value)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_truncated_anywhere(path: Path) -> None:
    data = path.read_bytes()
    step = 1 if len(data) < 2000 else 37
    for length in range(0, len(data), step):
        with pytest.raises(ObjectError) as error:
            read_spec(data[:length], "cut.o")
        assert str(error.value).startswith("cut.o")


def test_machine_zero_is_bpf() -> None:
    file = read(PLAIN)
    old = ObjectFile(file.sections, file.symbols, machine=0)
    assert read_spec(write(old)).programs == read_spec(PLAIN).programs


def test_claimed_zeros_take_no_memory() -> None:
    huge = ObjectFile((Section("big", 8, 3, b"", size=2**62),), ())
    assert read(write(huge)).sections[0].size == 2**62
    named = ObjectFile((Section(".bss", 8, 3, b"", size=2**62),), ())
    with pytest.raises(ObjectError, match=r"\.bss: too many zeros: 4611686018427387904 bytes \(at most 268435456\)"):
        read_spec(write(named))
