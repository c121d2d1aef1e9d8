"""CO-RE relocations: instructions that a loader adapts to the types of the machine it loads on.

The compiler leaves a record for each such instruction: what it asks (CoreKind) about which type of the object, and how
the field is reached ("0:2:1"). The types that answer are the kernel's: ``obj.core_types``, else those of ``obj.target``
(toolchain/btf/core.py finds the answer). Where none are given, a program that asks is Unsupported, never loaded with
the compiler's guess. What the object's own types answer, the id of a local type, needs none.

    instruction                 what is replaced
    r1 = IMM, r1 += IMM ..      the immediate                        must hold what the compiler's types say, or the
    r1 = IMM ll                 all 64 bits                          object is broken: LinkError
    r1 = *(u32 *)(r2 + OFF)     the offset, up to 32767; the width
    *(u32 *)(r2 + OFF) = ..     too, where the field's has changed

A field or enumerator that the kernel does not have, or that cannot be loaded with another width, turns the instruction
into a call of a helper that there is not. That is no error: programs ask first whether the field exists, and the
verifier refuses only calls that can be reached, by ``invalid func unknown#195896080``.

Source: libbpf 1.7, src/relo_core.c, bpf_core_patch_insn() and bpf_core_poison_insn(); src/libbpf.c,
bpf_object__relocate_core(); include/uapi/linux/bpf.h, enum bpf_core_relo_kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.errors import LinkError, ObjectError, SectionPlace, Unsupported
from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import CALL, LDDW, SRC_REG, Class
from toolchain.spec.objects import FunctionSpec, ObjectSpec

if TYPE_CHECKING:
    from toolchain.btf.codec import Btf
    from toolchain.btf.core import Answer, Budget
    from toolchain.btf.ext import CoreRelocation
    from toolchain.spec.stages import LinkedProgram

POISON = 195_896_080
"""Helper that stands for a field which is not there; 0xbad2310. Source: relo_core.c, bpf_core_poison_insn()."""

_POISONED = Insn(CALL, 0, 0, 0, POISON)
_TYPE_ID_LOCAL = 6
_LAST_KIND = 12
_SIZES = {8: 0x18, 4: 0x00, 2: 0x08, 1: 0x10}
"""Bytes of a load or store -> the size bits of its opcode."""


class CoreResolver:
    """The relocations of one object; remembers answers while the object's functions are linked."""

    def __init__(self, obj: ObjectSpec) -> None:
        self._obj = obj
        self._tables = obj.btf_ext.core_relocations if obj.btf_ext is not None else {}
        self._answers: dict[tuple[int, str, int], Answer] = {}
        self._candidates: dict[int, list[int]] = {}
        self._left: dict[int, dict[tuple[str, int], list[int]]] = {}
        self._by_type: dict[int, list[CoreRelocation]] | None = None
        self._budget: Budget | None = None

    def patches(self, function: FunctionSpec) -> dict[int, tuple[Insn, ...]]:
        """What stands instead of the instructions of ``function`` that a relocation changes, by slot.

        Raises: Unsupported naming the relocation, LinkError where it has no answer or falls on no fitting instruction.
        """
        if function.section not in self._tables:
            return {}
        end = function.offset + 8 * function.slot_count
        records = [each for each in self._tables[function.section] if function.offset <= each.offset < end]
        insns = _by_slot(function) if records else {}
        patched: dict[int, tuple[Insn, ...]] = {}
        for record in records:
            slot, rest = divmod(record.offset - function.offset, 8)
            if rest or slot not in insns:
                raise LinkError("CO-RE relocation does not fall on an instruction", self._place(function, record))
            insn = patched[slot][0] if slot in patched else insns[slot]
            if insn == _POISONED:
                continue
            try:
                patched[slot] = self._patch(insn, record)
            except (LinkError, ObjectError) as error:
                text = f"CO-RE relocation ({self._question(record)}): {error.message}"
                raise LinkError(text, self._place(function, record), error.hint) from error
            except Unsupported as error:
                error.where = error.where or self._place(function, record)
                raise
        return patched

    def question_at(self, function: FunctionSpec, slot: int) -> str:
        """What the relocation at a slot of ``function`` asks, '' where there is none."""
        offset = function.offset + 8 * slot
        records = self._tables.get(function.section, ())
        return next((self._question(each) + self._spelt(each) for each in records if each.offset == offset), "")

    def _spelt(self, record: CoreRelocation) -> str:
        """The names on the way to a field, or an enumerator's: `` (bits.high)``."""
        from toolchain.btf.core import find_own

        try:
            found = find_own(self._obj.btf, record) if self._obj.btf is not None else None
        except (LinkError, ObjectError):
            return ""
        if found is None or found.path is None:
            return ""
        names = [f".{each.name}" if each.name else f"[{each.number}]" for each in found.path.steps[1:]]
        return f" ({''.join(names).lstrip('.')})"

    def _place(self, function: FunctionSpec, record: CoreRelocation) -> SectionPlace:
        return SectionPlace(self._obj.path, function.section, record.offset)

    def _patch(self, insn: Insn, record: CoreRelocation) -> tuple[Insn, ...]:
        from toolchain.btf.core import Answer, Number

        if record.kind == _TYPE_ID_LOCAL:
            number = Number(record.type_id, is_certain=False)
            return patch(insn, Answer(number, number))
        return patch(insn, self._answer(record))

    def _answer(self, record: CoreRelocation) -> Answer:
        key = record.type_id, record.access, record.kind
        if key not in self._answers:
            self._answers[key] = self._find(record)
        return self._answers[key]

    def _find(self, record: CoreRelocation) -> Answer:
        from toolchain.btf.core import Budget, decide, find_other, find_own

        own, types = self._obj.btf, self._obj.core_types or self._obj.target
        if own is None or types is None or record.kind > _LAST_KIND:
            raise Unsupported(f"CO-RE relocation ({self._question(record)})")
        budget = self._budget = self._budget or Budget()
        asked, other = find_own(own, record), types.types
        chosen = self._candidates_of(record, own, other, budget)
        found = (find_other(own, record, asked, other, each, budget) for each in chosen)
        return decide(own, record, asked, other, [each for each in found if each is not None])

    def _candidates_of(self, record: CoreRelocation, own: Btf, other: Btf, budget: Budget) -> list[int]:
        """The types that may answer: of several, only those that had what earlier relocations asked for."""
        from toolchain.btf.core import candidates

        type_id = record.type_id
        if type_id not in self._candidates:
            self._candidates[type_id] = candidates(own, type_id, other)
        named = self._candidates[type_id]
        if len(named) < 2:
            return named
        if type_id not in self._left:
            self._left[type_id] = self._narrowed(type_id, named, own, other, budget)
        return self._left[type_id].get((record.access, record.kind), named)

    def _narrowed(
        self, type_id: int, named: list[int], own: Btf, other: Btf, budget: Budget
    ) -> dict[tuple[str, int], list[int]]:
        """The candidates left to each question about a type, as they narrow down in the order of the object."""
        from toolchain.btf.core import find_other, find_own

        left: dict[tuple[str, int], list[int]] = {}
        for record in self._records_of(type_id):
            key = record.access, record.kind
            if key in left or record.kind == _TYPE_ID_LOCAL or record.kind > _LAST_KIND:
                continue
            left[key] = named
            try:
                asked = find_own(own, record)
                fitting = [each for each in named if find_other(own, record, asked, other, each, budget) is not None]
            except (LinkError, ObjectError):
                continue
            named = fitting or named
        return left

    def _records_of(self, type_id: int) -> list[CoreRelocation]:
        """Every relocation of the object that asks about a type, in the file's order."""
        if self._by_type is None:
            self._by_type = {}
            for table in self._tables.values():
                for each in table:
                    self._by_type.setdefault(each.type_id, []).append(each)
        return self._by_type.get(type_id, [])

    def _question(self, record: CoreRelocation) -> str:
        """What a relocation asks, for a message: ``field byte offset of task_struct, 0:5``."""
        from toolchain.btf.ext import CoreKind
        from toolchain.btf.types import name_of

        btf, type_id = self._obj.btf, record.type_id
        words = f"kind {record.kind}"
        if record.kind <= _LAST_KIND:
            words = CoreKind(record.kind).name.lower().replace("_", " ")
        name = name_of(btf.types[type_id]) if btf is not None and type_id < len(btf.types) else ""
        return f"{words} of {name or f'type {type_id}'}, {record.access[:80]}"


def missing_at(obj: ObjectSpec, program: LinkedProgram, slot: int) -> str:
    """What the types did not have that the call of the POISON helper at ``slot`` of the linked program stands for."""
    start = max((each for each in program.functions if each.slot <= slot), key=lambda each: each.slot, default=None)
    function = next((each for each in obj.functions if start is not None and each.name == start.name), None)
    if start is None or function is None:
        return ""
    return CoreResolver(obj).question_at(function, slot - start.slot)


def _by_slot(function: FunctionSpec) -> dict[int, Insn]:
    insns: dict[int, Insn] = {}
    slot = 0
    for insn in function.insns:
        insns[slot] = insn
        slot += insn.slot_count
    return insns


def patch(insn: Insn, answer: Answer) -> tuple[Insn, ...]:
    """What stands instead of ``insn``: itself with another number, or as many calls of a helper that there is not.

    Raises: LinkError where the instruction is of no fitting kind or does not hold what the compiler's types say.
    """
    if answer.after is None:
        return (_POISONED,) * insn.slot_count
    number = answer.after.value
    kind = insn.opcode & 7
    if insn.opcode == LDDW and insn.is_wide and not insn.src:
        _check(insn.imm64, answer)
        return (insn._replace(imm=_signed32(number), imm_high=_signed32(number >> 32)),)
    if kind in (Class.ALU, Class.ALU64) and not insn.opcode & SRC_REG:
        _check(insn.imm, answer)
        return (insn._replace(imm=_signed32(number)),)
    if kind in (Class.LDX, Class.ST, Class.STX):
        _check(insn.off, answer)
        if number > 0x7FFF:
            raise LinkError(f"offset out of range for a load or store: {number} (at most 32767)")
        if not answer.keeps_value:
            return (_POISONED,) * insn.slot_count
        return (insn._replace(opcode=_resized(insn.opcode, answer), off=number),)
    raise LinkError(f"instruction without a number to replace: opcode 0x{insn.opcode:02x}")


def _check(held: int, answer: Answer) -> None:
    expected = answer.before.value
    if answer.before.is_certain and held & 0xFFFFFFFFFFFFFFFF != expected:
        raise LinkError(f"instruction does not hold the compiler's number: {held} ({expected})")


def _resized(opcode: int, answer: Answer) -> int:
    """The opcode of a load or store, of the field's new size where that has changed."""
    if answer.after is None or not answer.changes_size:
        return opcode
    if _SIZES.get(answer.before.size) != opcode & 0x18:
        raise LinkError(f"instruction is not as wide as the field: opcode 0x{opcode:02x} ({answer.before.size} bytes)")
    if answer.after.size not in _SIZES:
        raise LinkError(f"no load or store is as wide as the field: {answer.after.size} bytes (1, 2, 4, 8)")
    return opcode & ~0x18 | _SIZES[answer.after.size]


def _signed32(value: int) -> int:
    return (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
