"""What the frozen objects mean; their sources stand beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.elf import read, read_spec
from toolchain.elf.extract import extract
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import AttachType, ProgType
from toolchain.spec.maps import InitialValue, MapSpec, MapStyle, Pinning
from toolchain.spec.objects import Linkage, ObjectSpec, Reference, ReferenceKind

OBJ = Path(__file__).parents[1] / "data" / "obj"


def spec_of(name: str) -> ObjectSpec:
    return read_spec((OBJ / name).read_bytes(), name)


def the_map(spec: ObjectSpec, name: str) -> MapSpec:
    return next(each for each in spec.maps if each.name == name)


def sizes(each: MapSpec) -> tuple[MapType, int, int, int, int]:
    return each.map_type, each.key_size, each.value_size, each.max_entries, each.map_flags


@pytest.mark.parametrize("name", ["classic.o", "classic-be.o", "classic-nobtf.o"])
def test_classic_records(name: str) -> None:
    spec = spec_of(name)
    assert [each.name for each in spec.maps] == ["counters", "inner", "outer", "jumps"]
    assert {each.style for each in spec.maps} == {MapStyle.CLASSIC}
    counters, inner, outer, jumps = spec.maps
    assert sizes(counters) == (MapType.ARRAY, 4, 16, 8, 0)
    assert (counters.pinning, counters.classic_id) == (Pinning.GLOBAL, 1)
    assert sizes(inner) == (MapType.HASH, 8, 4, 32, 1)
    assert (inner.classic_id, inner.classic_inner_index) == (5, 2)
    assert (outer.pinning, outer.inner, outer.values) == (Pinning.OBJECT, inner, (InitialValue(2, "inner"),))
    assert (jumps.pinning, jumps.pinning_id) == (Pinning.CUSTOM, 9)
    assert jumps.values == (InitialValue(3, "next"),), "the program of section 7/3"
    assert (spec.licence, spec.kernel_version) == ("GPL", 0x40E00)
    assert [(each.name, each.section, each.prog_type) for each in spec.programs] == [
        ("count", "classifier", ProgType.SCHED_CLS),
        ("next", "7/3", ProgType.SCHED_CLS),
    ]


def test_object_pins_are_named_by_the_file() -> None:
    spec = spec_of("classic.o")
    assert len(spec.sha1) == 40
    assert spec_of("btf.o").sha1 == "", "nothing in it is pinned by object"
    assert extract(read((OBJ / "classic.o").read_bytes())).sha1 == ""


@pytest.mark.parametrize("name", ["mapdef.o", "mapdef-btf.o"])
def test_map_def_records(name: str) -> None:
    spec = spec_of(name)
    assert {each.style for each in spec.maps} == {MapStyle.DEF}
    first, nested, template, near = spec.maps
    assert sizes(first) == (MapType.HASH, 4, 8, 64, 0)
    assert (nested.inner, nested.values) == (template, ())
    assert (near.map_flags, near.numa_node, near.pinning) == (4, 1, Pinning.NONE)
    assert spec.licence == ""
    assert spec.warnings == ("no licence: helpers for GPL-compatible programs only are refused",)


@pytest.mark.parametrize("name", ["btf.o", "btf-be.o"])
def test_btf_maps(name: str) -> None:
    spec = spec_of(name)
    flows = the_map(spec, "flows")
    assert sizes(flows) == (MapType.HASH, 8, 8, 100, 1)
    assert (flows.pinning, flows.numa_node, flows.style) == (Pinning.BY_NAME, 3, MapStyle.BTF)
    assert spec.btf is not None
    assert spec.btf.resolved(flows.key_type_id).name == "key"  # type: ignore[union-attr]
    assert spec.btf.size_of(flows.value_type_id) == 8
    nested = the_map(spec, "nested")
    assert sizes(nested) == (MapType.HASH_OF_MAPS, 4, 4, 4, 0)
    assert nested.inner is not None
    assert sizes(nested.inner) == sizes(the_map(spec, "one")) == (MapType.ARRAY, 4, 8, 5, 0)
    assert nested.values == (InitialValue(1, "one"), InitialValue(3, "two"))
    assert the_map(spec, "jumps").values == (InitialValue(1, "tail"),)
    assert spec.warnings == ("map ring: unknown field 'novelty' is ignored",)


@pytest.mark.parametrize("name", ["btf.o", "btf-be.o"])
def test_functions_and_programs(name: str) -> None:
    spec = spec_of(name)
    assert spec.endian == ("big" if name == "btf-be.o" else "little")
    assert {each.name: each.linkage for each in spec.functions if each.section == ".text"} == {
        "global": Linkage.GLOBAL,
        "helper": Linkage.STATIC,
        "soft": Linkage.WEAK,
        "hidden": Linkage.STATIC,
        "each": Linkage.STATIC,
        "local": Linkage.STATIC,
    }
    programs = {each.name: each for each in spec.programs}
    assert set(programs) == {"ingress", "tail", "off"}
    assert programs["ingress"].expected_attach_type == AttachType.TCX_INGRESS
    off = programs["off"]
    assert (off.section, off.is_optional, off.prog_flags) == ("xdp.frags", True, 1 << 5)
    assert spec.function("off").section == "?xdp.frags"


def test_references() -> None:
    spec = spec_of("btf.o")
    found = {(each.kind, each.target) for function in spec.functions for each in function.references}
    assert found == {
        (ReferenceKind.MAP, "flows"),
        (ReferenceKind.MAP, "nested"),
        (ReferenceKind.MAP, "jumps"),
        (ReferenceKind.MAP, "ring"),
        (ReferenceKind.DATA, ".data"),
        (ReferenceKind.DATA, ".data.wide"),
        (ReferenceKind.DATA, ".rodata"),
        (ReferenceKind.DATA, ".rodata.str1.1"),
        (ReferenceKind.DATA, ".bss"),
        (ReferenceKind.CALL, "global"),
        (ReferenceKind.CALL, "soft"),
        (ReferenceKind.CALL, "hidden"),
        (ReferenceKind.CALL, "local"),
        (ReferenceKind.FUNC_ADDRESS, "each"),
        (ReferenceKind.EXTERN_DATA, "CONFIG_HZ"),
        (ReferenceKind.EXTERN_DATA, "kernel_thing"),
        (ReferenceKind.EXTERN_DATA, "kfunc"),
        (ReferenceKind.EXTERN_CALL, "kfunc"),
    }
    assert [(each.name, each.section, each.is_weak) for each in spec.externs] == [
        ("CONFIG_HZ", ".kconfig", True),
        ("kernel_thing", ".ksyms", False),
        ("kfunc", ".ksyms", True),
    ]
    assert [each.slot for each in spec.function("tail").references] == [4, 11]


def test_data_sections() -> None:
    spec = spec_of("btf.o")
    assert {each.name: (each.kind, each.data) for each in spec.data} == {
        ".data": (".data", (5).to_bytes(8, "little")),
        ".data.wide": (".data", b"\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0"),
        ".bss": (".bss", bytes(4)),
        ".rodata": (".rodata", b"\x09\0\0\0"),
        ".rodata.str1.1": (".rodata", b"seen %d\0"[:8]),
    }
    assert spec_of("core.o").data[0].references == (
        Reference(1, ReferenceKind.DATA, ".data", 0),
        Reference(2, ReferenceKind.FUNC_ADDRESS, "plus"),
    )


def test_types_are_repaired() -> None:
    """Compilers leave DATASEC sizes and global variables' offsets at 0, and hidden functions global."""
    spec = spec_of("btf.o")
    assert spec.btf is not None
    sections = {each.name: each for _, each in spec.btf.datasecs()}
    assert sections[".data.wide"].size == 16
    assert sections[".bss"].size == 4
    offsets = [each.offset for each in sections[".maps"].variables]
    assert offsets == sorted(offsets)
    assert len(set(offsets)) == 6
    hidden = spec.btf.types[spec.btf.find("hidden")]
    assert hidden.linkage == 0  # type: ignore[union-attr]
    assert spec.btf.types[spec.btf.find("global")].linkage == 1  # type: ignore[union-attr]


def test_functions_without_type_or_size() -> None:
    spec = spec_of("untyped.o")
    assert [(each.name, each.section, each.offset, each.slot_count) for each in spec.functions] == [
        ("first_text", ".text", 0, 2),
        ("first", "classifier", 0, 3),
        ("second", "classifier", 24, 4),
        ("local", "xdp", 0, 2),
    ]
    assert [each.name for each in spec.programs] == ["first", "second", "local"]
    assert spec.function("local").references == (Reference(0, ReferenceKind.CALL, "first_text"),)
    assert spec.licence == "GPL"
    assert spec.warnings == ("the licence is not ended by a zero byte",)


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_every_cpu(cpu: str) -> None:
    spec = spec_of(f"plain-{cpu}.o")
    assert [(each.name, each.prog_type) for each in spec.programs] == [("length", ProgType.SOCKET_FILTER)]
    assert spec.functions[0].insns[-1].opcode == 0x95
    assert spec.warnings == ()


def test_operations_of_kernel_structs() -> None:
    """The suffix of a local declaration is not part of the names."""
    assert {each.name: each.attach_target for each in spec_of("struct_ops.o").programs} == {
        "limit": "tcp_congestion_ops.ssthresh",
        "undo": "tcp_congestion_ops.undo_cwnd",
        "absent": "tcp_congestion_ops.no_such_operation",
        "unused": "",
    }
