"""What an object holds: symbols, relocations, sections, maps and type information."""

import pytest

from toolchain.asm.api import assemble_text
from toolchain.asm.options import AsmOptions
from toolchain.btf import Btf, BtfExt
from toolchain.elf import read, write
from toolchain.elf.extract import extract
from toolchain.errors import AsmError
from toolchain.isa.codec import decode
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.spec.maps import Pinning
from toolchain.spec.objects import ObjectFile, RelocationType, Section, SymbolBind, SymbolType

PROGRAM = """
.map acc, array, key=4, value=16, entries=2, pin=name
.map seen, lru_hash, key=u32, value=u64, entries=1024, flags=NO_COMMON_LRU
.license "GPL"
.section tc,"ax"
.func main
	r1 = acc ll
	r2 = seen ll
	call helper
	r0 = 0
	exit
.endfunc
.func second
	r0 = 1
	exit
.endfunc
.text
helper:
	r0 = 7
	exit
"""


def section_of(object_file: ObjectFile, name: str) -> Section:
    return next(each for each in object_file.sections if each.name == name)


def symbol_of(object_file: ObjectFile, name: str):
    return next(each for each in object_file.symbols if each.name == name)


@pytest.mark.parametrize("endian", ["little", "big"])
def test_maps_are_what_was_declared(endian: str) -> None:
    object_file = assemble_text(PROGRAM, options=AsmOptions(endian=endian))
    assert read(write(object_file)).sections == object_file.sections
    if endian == "big":
        return
    spec = extract(read(write(object_file)))
    acc, seen = spec.maps
    assert (acc.name, acc.map_type, acc.key_size, acc.value_size, acc.max_entries) == ("acc", MapType.ARRAY, 4, 16, 2)
    assert acc.pinning is Pinning.BY_NAME
    assert (seen.map_type, seen.key_size, seen.value_size, seen.max_entries) == (MapType.LRU_HASH, 4, 8, 1024)
    assert seen.map_flags == MapFlag.NO_COMMON_LRU
    assert seen.key_type_id
    assert seen.pinning is Pinning.NONE
    assert spec.licence == "GPL"
    assert {each.name for each in spec.programs} == {"main", "second"}


def test_functions_have_types_and_sizes() -> None:
    object_file = assemble_text(PROGRAM, options=AsmOptions(debug=True))
    main, second, helper = (symbol_of(object_file, name) for name in ("main", "second", "helper"))
    assert (main.value, main.size, main.type, main.bind) == (0, 56, SymbolType.FUNC, SymbolBind.GLOBAL)
    assert (second.value, second.size) == (56, 16)
    assert (helper.size, helper.type, helper.bind) == (16, SymbolType.FUNC, SymbolBind.LOCAL)
    btf = Btf.decode(section_of(object_file, ".BTF").data)
    ext = BtfExt.decode(section_of(object_file, ".BTF.ext").data, btf)
    names = {section: [btf.types[each.type_id].name for each in records] for section, records in ext.func_info.items()}
    assert names == {"tc": ["main", "second"], ".text": ["helper"]}
    lines = [(each.offset, each.line, each.text) for each in ext.line_info["tc"]]
    assert lines[0] == (0, 7, "r1 = acc ll")
    assert [offset for offset, _, _ in lines] == [0, 16, 32, 40, 48, 56, 64]


def test_no_type_information_where_none_is_asked_for() -> None:
    assert [each.name for each in assemble_text(".type f,@function\nf: exit").sections] == [".text"]


def test_own_type_information_is_kept() -> None:
    object_file = assemble_text('.map a, array, key=4, value=4, entries=1\n.section .BTF,""\n.byte 1\n')
    assert section_of(object_file, ".BTF").data == b"\x01"


def test_a_goto_that_is_too_far_becomes_gotol() -> None:
    text = "goto far\n.rept 40000\nr0 = 0\n.endr\nfar: exit\n"
    code = decode(section_of(assemble_text(text), ".text").data)
    assert (code[0].opcode, code[0].off, code[0].imm) == (0x06, 0, 40000)
    for bad, options in ((text, AsmOptions(cpu="v3")), (text.replace("goto", "if r1 == 0 goto", 1), None)):
        with pytest.raises(AsmError, match="target out of reach: 40000"):
            assemble_text(bad, options=options)


def test_relocations_by_kind_of_symbol() -> None:
    text = """
    .globl known
    known: r1 = own ll
    r2 = own+4 ll
    r3 = outside-8 ll
    call outside
    call known
    call inner
    exit
    inner: exit
    .data
    .quad own, outside + 1
    .long outside
    own: .quad 0
    """
    object_file = assemble_text(text)
    code = section_of(object_file, ".text")
    names = [object_file.symbols[each.symbol].name for each in code.relocations]
    assert [(each.offset, each.type) for each in code.relocations] == [
        (0, RelocationType.R64_64), (16, RelocationType.R64_64), (32, RelocationType.R64_64),
        (48, RelocationType.R64_32), (56, RelocationType.R64_32),
    ]  # fmt: skip
    assert names == ["", "", "outside", "outside", "known"]
    insns = decode(code.data)
    assert [each.imm for each in insns[:7]] == [20, 24, -8, -1, -1, 1, 0]
    data = section_of(object_file, ".data")
    assert [(each.offset, each.type) for each in data.relocations] == [(0, 2), (8, 2), (16, 3)]
    assert symbol_of(object_file, "outside").section == -1


def test_a_section_without_flags_becomes_code_by_its_first_instruction() -> None:
    sections = assemble_text('.section tc\nexit\n.section other\n.byte 1\n.section license\n.asciz "GPL"\n').sections
    flags = {each.name: each.flags for each in sections}
    assert (flags["tc"], flags["other"], flags["license"]) == (6, 0, 3)


def test_uleb128_of_a_distance_ahead_is_exact() -> None:
    text = ".data\na: .uleb128 c - b, 5, c - a\nb: .zero {}\nc:\n"
    for count in (0, 1, 120, 125, 126, 127, 128, 16380, 16384):
        data = section_of(assemble_text(text.format(count)), ".data").data
        size = len(data) - count
        numbers, shift, value = [], 0, 0
        for byte in data[:size]:
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                numbers.append(value)
                shift = value = 0
        assert numbers == [count, 5, count + size]


def test_defines_and_their_use() -> None:
    options = AsmOptions(defines=(("N", 3),))
    assert section_of(assemble_text("r1 = N\n.if N == 3\nr2 = N + 1\n.endif", options=options), ".text").data.hex() == (
        "b701000003000000b702000004000000"
    )


def test_files_are_read_only_where_allowed(tmp_path) -> None:
    (tmp_path / "blob").write_bytes(bytes(range(10)))
    text = '.data\n.incbin "blob", 2, 3\n'
    object_file = assemble_text(text, str(tmp_path / "x.s"))
    assert section_of(object_file, ".data").data == b"\2\3\4"
    with pytest.raises(AsmError, match="files may not be read here"):
        assemble_text(text, str(tmp_path / "x.s"), AsmOptions(may_read_files=False))


@pytest.mark.parametrize(
    ("text", "off"),
    [("r2 - 1 + 5", 4), ("r2 + 1 - 5", -4), ("r2 - 2*3 - 1", -7), ("r2 - (1 + 5)", -6), ("r2 + -8", -8), ("r2", 0)],
)
def test_offsets_are_sums(text: str, off: int) -> None:
    assert decode(section_of(assemble_text(f"r1 = *(u8 *)({text})"), ".text").data)[0].off == off
    mnemonic = text.replace("r2", "%r2")
    assert decode(section_of(assemble_text(f"ldxb %r1, [{mnemonic}]"), ".text").data)[0].off == off


def test_registers_in_either_case() -> None:
    assert assemble_text("R1 = W2\nadd %R1, %r2").sections == assemble_text("r1 = w2\nadd %r1, %r2").sections
