"""CO-RE relocations against libbpf, on the running kernel's types: the same instructions reach the kernel.

The kernel's tag of a program is a hash of its instructions, maps aside.
"""

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.kernel import oracle
from tests.small_objects import ALLOC, EXEC, PROGBITS, WRITE
from toolchain.btf import Btf, BtfBuilder, BtfExt, CoreKind, CoreRelocation, encode_both
from toolchain.btf.types import Enum, Enumerator, Member, Struct
from toolchain.elf import write
from toolchain.isa.codec import decode, encode
from toolchain.isa.insn import Insn, wide
from toolchain.isa.opcodes import LDDW
from toolchain.loader.core_target import TypesOf, with_core_types
from toolchain.loader.link import link
from toolchain.loader.objects import read_object
from toolchain.spec.objects import ObjectFile, Section, Symbol, SymbolBind, SymbolType

BPFFS = Path("/sys/fs/bpf")
TYPES = "/sys/kernel/btf/vmlinux"
BPFTOOL = shutil.which("bpftool", path="/usr/sbin:/usr/bin:/sbin:/bin") or ""
OBJECT = str(Path(__file__).parents[1] / "data" / "obj" / "core.o")


def why_not() -> str:
    if not BPFTOOL:
        return "bpftool is not installed"
    if not os.access(TYPES, os.R_OK):
        return f"no {TYPES}"
    return "" if BPFFS.is_mount() else "no bpffs at /sys/fs/bpf"


pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "available"),
]


def bpftool(*arguments: str) -> str:
    return subprocess.run([BPFTOOL, *arguments], check=True, capture_output=True, text=True).stdout


def questions() -> tuple[Btf, list[tuple[CoreKind, int, str, int]]]:
    """Types that differ from the kernel's, and (kind, type, path, number in the own types) of each question."""
    types = BtfBuilder()
    u32, u64 = types.integer("unsigned int", 4), types.integer("unsigned long", 8)
    number = types.integer("int", 4, is_signed=True)
    task = types.add(Struct("task_struct___mine", 8, (Member("pid", number, 0), Member("nothing", u32, 32))))
    bits = (Member("len", u32, 0), Member("pkt_type", u32, 32, 3), Member("ip_summed", u32, 35, 2))
    skb = types.add(Struct("sk_buff", 8, bits, kind_flag=True))
    kind = types.add(Enum("bpf_map_type", 4, (Enumerator("BPF_MAP_TYPE_RINGBUF", 1), Enumerator("NO_SUCH", 2))))
    gone = types.add(Struct("no_such_struct", 8, (Member("x", u64, 0),)))
    return types.build(), [
        (CoreKind.FIELD_BYTE_OFFSET, task, "0:0", 0),
        (CoreKind.FIELD_EXISTS, task, "0:0", 1),
        (CoreKind.FIELD_EXISTS, task, "0:1", 1),
        (CoreKind.FIELD_SIGNED, task, "0:0", 1),
        (CoreKind.FIELD_BYTE_SIZE, skb, "0:0", 4),
        (CoreKind.FIELD_BYTE_OFFSET, skb, "0:1", 4),
        (CoreKind.FIELD_BYTE_SIZE, skb, "0:2", 4),
        (CoreKind.FIELD_LSHIFT_U64, skb, "0:1", 61),
        (CoreKind.FIELD_RSHIFT_U64, skb, "0:2", 62),
        (CoreKind.TYPE_SIZE, task, "0", 8),
        (CoreKind.TYPE_EXISTS, gone, "0", 1),
        (CoreKind.TYPE_MATCHES, skb, "0", 1),
        (CoreKind.TYPE_ID_TARGET, task, "0", 0),
        (CoreKind.TYPE_ID_LOCAL, skb, "0", 0),
        (CoreKind.ENUMVAL_VALUE, kind, "0", 1),
        (CoreKind.ENUMVAL_EXISTS, kind, "1", 1),
    ]


def asking() -> bytes:
    """An object whose program asks all questions, and two that have no answer where it never comes."""
    btf, asked = questions()
    gone = btf.find("no_such_struct", Struct)
    never = [(CoreKind.FIELD_BYTE_OFFSET, gone, "0:0", 0), (CoreKind.ENUMVAL_VALUE, asked[-1][1], "1", 2)]
    insns = [wide(LDDW, 1, 0, held) for *_, held in asked]
    insns += [Insn(0x15, 1, off=2 * len(never))]  # the last answer is that NO_SUCH does not exist
    insns += [wide(LDDW, 1, 0, held) for *_, held in never]
    insns += [Insn(0xB7), Insn(0x95)]
    slots = [*range(0, 2 * len(asked), 2), *range(2 * len(asked) + 1, 2 * len(asked) + 1 + 2 * len(never), 2)]
    records = tuple(
        CoreRelocation(8 * slot, type_id, access, kind)
        for slot, (kind, type_id, access, _) in zip(slots, asked + never, strict=True)
    )
    ext = BtfExt(core_relocations={"socket": records})
    code = encode(insns)
    btf_bytes, ext_bytes = encode_both(btf, ext)
    sections = (
        Section("socket", PROGBITS, ALLOC | EXEC, code, 8),
        Section("license", PROGBITS, ALLOC | WRITE, b"GPL\0", 1),
        Section(".BTF", PROGBITS, 0, btf_bytes, 4),
        Section(".BTF.ext", PROGBITS, 0, ext_bytes, 4),
    )
    symbols = (Symbol("asking", 0, 0, len(code), SymbolType.FUNC, SymbolBind.GLOBAL),)
    return write(ObjectFile(sections, symbols, "little", 247))


def test_libbpf_sends_the_same_instructions(bpf_load, tmp_path):
    path = tmp_path / "asking.o"
    path.write_bytes(asking())
    ours, theirs = (BPFFS / f"core_{uuid.uuid4().hex[:8]}" for _ in range(2))
    try:
        outcome = bpf_load("load", "-r", "kernel", "--pin-root", str(BPFFS), str(path), "--pin", str(ours))
        assert outcome.status == 0, outcome.err
        bpftool("prog", "load", str(path), str(theirs))
        tags = [json.loads(bpftool("-j", "prog", "show", "pinned", str(each)))["tag"] for each in (ours, theirs)]
        assert tags[0] == tags[1]
    finally:
        ours.unlink(missing_ok=True)
        theirs.unlink(missing_ok=True)


def test_what_is_missing_is_refused_only_where_it_is_reached(bpf_load):
    for runtime in ("user", "kernel"):
        outcome = bpf_load("verify", "-r", runtime, OBJECT)
        assert outcome.status == 3, outcome.err
        assert "invalid func unknown#195896080" in outcome.err
        assert "field lshift u64 of task_struct, 0:1:1 (bits.high)" in outcome.err


def test_the_types_that_libbpf_needs_are_enough(tmp_path):
    """bpftool cuts the kernel's types down to those that the relocations of an object touch."""
    cut = tmp_path / "cut.btf"
    bpftool("gen", "min_core_btf", TYPES, str(cut), OBJECT)
    obj = read_object(OBJECT)
    programs = [list(decode(link(with_core_types(obj, TypesOf(path)), "leave").code)) for path in ("", str(cut))]
    differing = [(one, other) for one, other in zip(*programs, strict=True) if one != other]
    assert len(differing) <= 1, "only the id of a type of the kernel may differ"
    assert programs[0] != list(decode(link(with_core_types(obj, TypesOf(OBJECT)), "leave").code))


def test_where_the_kernel_has_a_field():
    types = Btf.decode(Path(TYPES).read_bytes())
    struct = types.types[types.find("task_struct", Struct)]
    offset = next(each.bit_offset // 8 for each in struct.members if each.name == "pid")
    linked = link(with_core_types(read_object(OBJECT)), "leave")
    assert offset in [insn.imm for insn in decode(linked.code)]
