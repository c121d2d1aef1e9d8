"""Objects made by hand, for tests of the pure parts of the loader."""

from toolchain.errors import SectionPlace
from toolchain.isa.insn import Insn, wide
from toolchain.isa.map_types import MapType
from toolchain.isa.opcodes import CALL, EXIT, LDDW
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec, Pinning
from toolchain.spec.objects import FunctionSpec, ObjectSpec, ProgramSpec, Reference, ReferenceKind

MOV0 = Insn(0xB7)
END = Insn(EXIT)
CALL_UNRESOLVED = Insn(CALL, src=1, imm=-1)
LOAD = wide(LDDW, 1, 0, 0)


def function(name, insns, references=(), section="tc", offset=0, **more):
    return FunctionSpec(name, section, offset, tuple(insns), tuple(references), **more)


def call(slot, target):
    return Reference(slot, ReferenceKind.CALL, target)


def to_map(slot, target):
    return Reference(slot, ReferenceKind.MAP, target)


def an_array(name="acc", **changes):
    fields = {"key_size": 4, "value_size": 16, "max_entries": 8, "pinning": Pinning.BY_NAME, **changes}
    return MapSpec(name, fields.pop("map_type", MapType.ARRAY), **fields)


def an_object(functions, maps=(), programs=None, **more):
    """Every function of section tc is a program, unless programs are given."""
    if programs is None:
        programs = tuple(
            ProgramSpec(each.name, each.section, ProgType.SCHED_CLS, where=SectionPlace("a.o", each.section))
            for each in functions
            if each.section == "tc"
        )
    fields = {"path": "dir/a.o", "endian": "little", "licence": "GPL", "kernel_version": 0, **more}
    return ObjectSpec(functions=tuple(functions), programs=tuple(programs), maps=tuple(maps), **fields)


def counting_object(*maps):
    """One program that loads the address of each map."""
    maps = maps or (an_array(),)
    insns = [LOAD] * len(maps) + [MOV0, END]
    references = [to_map(2 * index, each.name) for index, each in enumerate(maps)]
    return an_object([function("main", insns, references)], maps, sha1="5" * 40)
