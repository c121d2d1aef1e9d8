"""CO-RE relocations: instructions that a loader adapts to the types of the machine it loads on.

The compiler leaves a record for each such instruction: what it asks (CoreKind) about which type of the object, and how
the field is reached ("0:2:1"). Answered here is what the object's own types answer: the id of a local type
(BPF_CORE_TYPE_ID_LOCAL). Every other question is about the types of a kernel, which no part of this loader knows yet;
a program that asks one is Unsupported, never loaded with the compiler's guess.

Source: tools/lib/bpf/relo_core.c of Linux 6.12, bpf_core_patch_insn(); include/uapi/linux/bpf.h, enum
bpf_core_relo_kind.
"""

from __future__ import annotations

from toolchain.errors import LinkError, SectionPlace, Unsupported
from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import LDDW, SRC_REG, Class
from toolchain.spec.objects import FunctionSpec, ObjectSpec

_TYPE_ID_LOCAL = 6


def resolve_core(obj: ObjectSpec, function: FunctionSpec) -> dict[int, Insn]:
    """The instructions of ``function`` that a CO-RE relocation changes, by slot.

    Raises: Unsupported naming the relocation, LinkError where one does not fall on a fitting instruction.
    """
    tables = obj.btf_ext.core_relocations if obj.btf_ext is not None else {}
    if function.section not in tables:
        return {}
    end = function.offset + 8 * function.slot_count
    records = [each for each in tables[function.section] if function.offset <= each.offset < end]
    if not records:
        return {}
    insns = _by_slot(function)
    patched: dict[int, Insn] = {}
    for record in records:
        where = SectionPlace(obj.path, function.section, record.offset)
        if record.kind != _TYPE_ID_LOCAL:
            raise Unsupported(f"CO-RE relocation ({_question(obj, record.kind, record.type_id, record.access)})", where)
        slot, rest = divmod(record.offset - function.offset, 8)
        if rest or slot not in insns:
            raise LinkError("CO-RE relocation does not fall on an instruction", where)
        patched[slot] = _with_number(insns[slot], record.type_id, where)
    return patched


def _by_slot(function: FunctionSpec) -> dict[int, Insn]:
    insns: dict[int, Insn] = {}
    slot = 0
    for insn in function.insns:
        insns[slot] = insn
        slot += insn.slot_count
    return insns


def _with_number(insn: Insn, number: int, where: SectionPlace) -> Insn:
    """``insn`` with its immediate replaced, where it is one that has an immediate to replace."""
    if insn.opcode == LDDW and insn.is_wide:
        return insn._replace(imm=number, imm_high=0)
    if insn.opcode & 7 in (Class.ALU, Class.ALU64) and not insn.opcode & SRC_REG:
        return insn._replace(imm=number)
    raise LinkError(f"CO-RE relocation on an instruction without immediate: opcode 0x{insn.opcode:02x}", where)


def _question(obj: ObjectSpec, kind: int, type_id: int, access: str) -> str:
    """What a relocation asks, for a message: ``field offset of task_struct, 0:5``."""
    from toolchain.btf.ext import CoreKind
    from toolchain.btf.types import name_of

    known = kind in set(CoreKind)
    words = CoreKind(kind).name.lower().replace("_", " ") if known else f"kind {kind}"
    name = name_of(obj.btf.get(type_id)) if obj.btf is not None else ""
    return f"{words} of {name or f'type {type_id}'}, {access}"
