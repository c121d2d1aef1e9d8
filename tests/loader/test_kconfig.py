"""Variables of a kernel's configuration: which value fits which type, where values come from, what is missing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.cli.conftest import bpf_load
from tests.loader.handmade import END, LOAD, an_object, function
from toolchain.btf.builder import BtfBuilder
from toolchain.btf.types import INT_BOOL, INT_SIGNED, Array, Datasec, Enum, Int, Ptr, Struct, Var, VarSecinfo
from toolchain.errors import LinkError, ObjectError, Unsupported
from toolchain.isa.codec import decode
from toolchain.isa.map_types import MapFlag
from toolchain.isa.opcodes import PseudoSrc
from toolchain.loader.kconfig import VARIABLE, version_code, with_kconfig
from toolchain.loader.link import link
from toolchain.spec.objects import ExternSpec, Reference, ReferenceKind

__all__ = ["bpf_load"]

OBJECT = str(Path(__file__).parents[1] / "data/obj/kconfig.o")

TYPES = {
    "bool": lambda btf: btf.add(Int("_Bool", 1, INT_BOOL)),
    "wide bool": lambda btf: btf.add(Int("_Bool", 4, INT_BOOL)),
    "tristate": lambda btf: btf.add(Enum("libbpf_tristate", 4)),
    "enum": lambda btf: btf.add(Enum("colour", 4)),
    "char": lambda btf: btf.add(Int("char", 1, INT_SIGNED)),
    "int": lambda btf: btf.add(Int("int", 4, INT_SIGNED)),
    "unsigned": lambda btf: btf.add(Int("unsigned", 4)),
    "short": lambda btf: btf.add(Int("short", 2)),
    "long": lambda btf: btf.add(Int("long", 8, INT_SIGNED)),
    "unsigned long": lambda btf: btf.add(Int("unsigned long", 8)),
    "three": lambda btf: btf.add(Int("three", 3)),
    "text": lambda btf: btf.add(Array(btf.add(Int("char", 1, INT_SIGNED)), btf.integer("int", 4, True), 6)),
    "no text": lambda btf: btf.add(Array(btf.add(Int("char", 1, INT_SIGNED)), btf.integer("int", 4, True), 0)),
    "vast text": lambda btf: btf.add(Array(btf.add(Int("char", 1)), btf.integer("int", 4, True), 0xFFFFFFFF)),
    "numbers": lambda btf: btf.add(Array(btf.integer("int", 4, True), btf.integer("int", 4, True), 6)),
    "pointer": lambda btf: btf.add(Ptr(0)),
    "struct": lambda btf: btf.add(Struct("s", 4)),
}

FITS = [
    ("bool", "y", "01"), ("bool", "n", "00"), ("tristate", "y", "01000000"), ("tristate", "m", "02000000"),
    ("tristate", "n", "00000000"), ("char", "m", "6d"), ("char", "65", "41"), ("char", "-1", "ff"),
    ("int", "250", "fa000000"), ("int", "-5", "fbffffff"), ("int", "0x7fffffff", "ffffff7f"),
    ("int", "010", "08000000"),
    ("int", "0", "00000000"), ("unsigned", "0xFFFFFFFF", "ffffffff"), ("short", "65535", "ffff"),
    ("unsigned long", "0xdead000000000000", "000000000000adde"), ("long", "0xffffffffffffffff", "ffffffffffffffff"),
    ("unsigned long", "-1", "ffffffffffffffff"), ("text", '"abc"', "616263000000"), ("text", '""', "000000000000"),
    ("text", '"longer than it"', "6c6f6e676500"), ("text", '"a"b"', "612262000000"),
]  # fmt: skip

DOES_NOT_FIT = [
    ("bool", "m"), ("bool", "1"), ("bool", '"y"'), ("tristate", "1"), ("int", "y"), ("int", '"5"'),
    ("int", "0x80000000"), ("unsigned", "-1"), ("short", "65536"), ("char", "128"), ("text", "y"), ("text", "5"),
    ("text", '"'), ("text", '"a'), ("int", "5 "), ("int", "1_0"), ("int", "09"), ("int", ""), ("int", "9" * 5000),
    ("unsigned long", "0x1ffffffffffffffff"),
    *((kind, "1") for kind in ("wide bool", "enum", "three", "no text", "vast text", "numbers", "pointer", "struct")),
]  # fmt: skip


def declaring(kind: str, name: str = "CONFIG_X", is_weak: bool = False):
    """An object whose program loads the address of one variable."""
    btf = BtfBuilder()
    var = btf.add(Var(name, TYPES[kind](btf), 2))
    btf.add(Datasec(".kconfig", 0, (VarSecinfo(var, 0, 0),)))
    reference = Reference(0, ReferenceKind.EXTERN_DATA, name, is_weak=is_weak)
    externs = (ExternSpec(name, ".kconfig", is_weak, var),)
    return an_object([function("main", [LOAD, END], [reference])], externs=externs, btf=btf.build())


@pytest.fixture
def configured(monkeypatch, tmp_path):
    def configure(text: str, packed: bool = False) -> None:
        path = tmp_path / "config"
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        monkeypatch.setenv(VARIABLE, str(path))

    return configure


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("kind", "text", "expected"), FITS)
def test_what_fits(configured, kind, text, expected, packed):
    configured(f"# CONFIG_X=9 is a comment\nCONFIG_XY=3\nCONFIG_X={text}\nCONFIG_X=later\n", packed)
    linked = link(with_kconfig(declaring(kind)), "main")
    (spec,) = linked.maps
    assert spec.data == bytes.fromhex(expected)
    assert (spec.name, spec.is_frozen, spec.value_type_id) == ("a.kconfig", True, 0)
    assert spec.map_flags & MapFlag.RDONLY_PROG
    first = decode(linked.code)[0]
    assert (first.src, first.imm, first.imm_high) == (PseudoSrc.MAP_IDX_VALUE, 0, 0)


@pytest.mark.parametrize(("kind", "text"), DOES_NOT_FIT)
@pytest.mark.parametrize("is_weak", [False, True])
def test_what_does_not_fit(configured, kind, text, is_weak):
    configured(f"CONFIG_X={text}\n")
    with pytest.raises(LinkError, match=r"undefined symbol: CONFIG_X (is a|has a type)"):
        link(with_kconfig(declaring(kind, is_weak=is_weak)), "main")


def test_what_is_not_set(configured):
    configured("CONFIG_Y=1\n# CONFIG_X is not set\n")
    assert link(with_kconfig(declaring("long", is_weak=True)), "main").maps[0].data == bytes(8)
    with pytest.raises(LinkError, match="configuration does not set CONFIG_X"):
        link(with_kconfig(declaring("long")), "main")
    assert link(with_kconfig(declaring("int", "LINUX_WHAT", is_weak=True)), "main").maps[0].data == bytes(4)
    for name, is_weak in (("LINUX_WHAT", False), ("HZ", True)):
        with pytest.raises(LinkError, match=f"{name} is no variable of a kernel configuration"):
            link(with_kconfig(declaring("int", name, is_weak)), "main")


def test_the_user_runtime_is_linux_6_18(configured):
    configured("")
    for name, kind, expected in (
        ("LINUX_KERNEL_VERSION", "int", 0x61200),
        ("LINUX_HAS_BPF_COOKIE", "bool", 1),
        ("LINUX_HAS_SYSCALL_WRAPPER", "bool", 1),
    ):
        data = link(with_kconfig(declaring(kind, name)), "main").maps[0].data
        assert int.from_bytes(data, "little") == expected


def test_no_configuration_to_read(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("os.path.exists", lambda path: False)
    with pytest.raises(Unsupported, match="kernel configuration variable CONFIG_X") as refused:
        link(with_kconfig(declaring("int")), "main")
    assert VARIABLE in refused.value.hint
    assert link(with_kconfig(declaring("int", is_weak=True)), "main").maps[0].data == bytes(4)


def test_a_configuration_that_is_none(monkeypatch, tmp_path):
    path = tmp_path / "config"
    for data in (b"\x1f\x8b broken", b"\x1f\x8b"):
        path.write_bytes(data)
        monkeypatch.setenv(VARIABLE, str(path))
        if data == b"\x1f\x8b broken":
            with pytest.raises(ObjectError, match="cannot unpack"):
                with_kconfig(declaring("int"))
        else:
            assert with_kconfig(declaring("int")).externs[0].fault
    monkeypatch.setenv(VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(ObjectError, match="cannot read"):
        with_kconfig(declaring("int"))


@pytest.mark.parametrize(
    ("release", "code"),
    [("6.18.44-fc", 0x61200 + 44), ("5.15", 0x50F00), ("6.1.300", 0x601FF), ("6", 0x60000), ("x", 0), ("", 0),
     ("6.18-rc3", 0x61200), ("99999.1.1", (9999 << 16) + 0x101)],
)  # fmt: skip
def test_versions(release, code):
    assert version_code(release) == code


CONFIG = """CONFIG_HZ=777
CONFIG_BPF=y
CONFIG_VETH=m
CONFIG_DEFAULT_HOSTNAME="localhost.example"
CONFIG_ILLEGAL_POINTER_VALUE=0xdead000000000000
CONFIG_TOO_SMALL=256
"""
RETURNED = {"hz": 777, "bpf": 1, "veth": 2, "text": 27648, "wide": 57005, "cookie": 1, "weak": 0, "constant": 0}


def test_programs_see_constants(configured, bpf_load):
    configured(CONFIG)
    for name, value in RETURNED.items():
        outcome = bpf_load("--json", "run", OBJECT, "-p", name)
        assert (name, outcome.json["runs"][0]["retval"]) == (name, value)
    outcome = bpf_load("--json", "verify", OBJECT)
    refused = {each["program"]: each["message"] for each in outcome.json["programs"] if each["verdict"] != "accept"}
    assert set(refused) == {"strong", "small"}
    configured(CONFIG.replace("777", "778"))
    outcome = bpf_load("verify", OBJECT, "-p", "constant")
    assert outcome.status == 3
    assert "R9 !read_ok" in outcome.err
