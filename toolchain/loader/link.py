"""link: ObjectSpec -> LinkedProgram. One entry point and every function that it reaches, as one piece of code.

    object                                linked program
    section tc      section .text         slot 0   main        imm of a call: slots from the next instruction
    +-------+       +--------+                     ...           to the callee, wherever it came to lie
    | main  |--call-> parse  |    link    slot 12  parse       address of a callback: likewise
    +-------+   |   +--------+    ---->            ...         map, data: index in ``maps``
    | other |   '---> count  |            slot 30  count
    +-------+       +--------+                     ...

Functions are laid out in the order in which calls first reach them, depth first, as libbpf does (libbpf.c,
bpf_object__reloc_code): so slot numbers in a verifier's log are the same as with other loaders. Functions and maps
that the program does not reach are left out.

What is absent: a weak symbol that nobody defines has address 0, and a call of one becomes a call of a helper that no
runtime has, which is harmless where the program guards it. A strong one is a LinkError that names it. Functions and
variables of a kernel (.ksyms) are those of ``obj.target``; without one, weak or not, they are Unsupported: a verdict
without them would not be the kernel's. Variables of a kernel's configuration are a data section by now (kconfig.py).

Pure: no file, no clock. Complexity: linear in the instructions reached.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from toolchain.errors import FilePlace, LinkError, SectionPlace, ToolchainError, Unsupported, Where
from toolchain.isa.codec import encode
from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import CALL, LDDW, CallSrc, PseudoSrc
from toolchain.isa.program_types import ProgType
from toolchain.loader.core_relocation import CoreResolver
from toolchain.loader.object_maps import MapTable
from toolchain.loader.source_info import function_info, line_info
from toolchain.spec.objects import (
    ExternSpec,
    FunctionSpec,
    ObjectSpec,
    ProgramSpec,
    Reference,
    ReferenceKind,
    TargetKernel,
)
from toolchain.spec.sections import XDP_HAS_FRAGS
from toolchain.spec.stages import LinkedProgram

POISON_CALL = 2_002_000_000
"""Helper number that stands for a weak function which does not exist. Source: libbpf.c, POISON_CALL_KFUNC_BASE."""


def select(obj: ObjectSpec, programs: Sequence[str] = (), sections: Sequence[str] = ()) -> tuple[ProgramSpec, ...]:
    """The programs named, or all that are not optional where none is.

    Raises: LinkError listing what there is, where a name is not in the object or the object has no program.
    """
    if not obj.programs:
        hint = "maps are made for the programs that use them; 'bpf-load map create' makes one by itself"
        raise LinkError("no program in the object", _file(obj), hint if obj.maps else "")
    if not programs and not sections:
        return tuple(each for each in obj.programs if not each.is_optional) or obj.programs
    known = {each.name for each in obj.programs}, {each.section for each in obj.programs}
    for kind, wanted, names in (("program", programs, known[0]), ("section", sections, known[1])):
        for name in wanted:
            if name not in names and not (kind == "section" and f"?{name}" in names):
                raise LinkError(f"no such {kind}: {name} ({', '.join(sorted(names)[:20])})", _file(obj))
    return tuple(
        each
        for each in obj.programs
        if each.name in programs or each.section in sections or each.section.removeprefix("?") in sections
    )


def link_all(
    obj: ObjectSpec,
    programs: Sequence[str] = (),
    sections: Sequence[str] = (),
    prog_type: ProgType | None = None,
) -> tuple[LinkedProgram, ...]:
    """Every selected program, linked. Raises the first error with the faults of all programs."""
    linked: list[LinkedProgram] = []
    faults: list[ToolchainError] = []
    for program in select(obj, programs, sections):
        try:
            linked.append(link(obj, program.name, prog_type))
        except (LinkError, Unsupported) as error:
            faults.append(error)
    if faults:
        faults[0].faults = tuple(faults)
        raise faults[0]
    return tuple(linked)


def link(obj: ObjectSpec, program_name: str, prog_type: ProgType | None = None) -> LinkedProgram:
    """The program of that name, linked.

    ``prog_type`` overrides what the section's name says.
    Raises: LinkError (unresolved symbol, wrong endian, unknown type), Unsupported (kfuncs, kconfig, CO-RE).
    """
    program = select(obj, (program_name,))[0]
    if obj.endian != "little":
        raise LinkError(
            f"object of the wrong endian: {obj.endian} (little)", _file(obj), "assemble or compile it for bpfel"
        )
    kind = prog_type or program.prog_type
    if kind is None:
        raise LinkError(
            f"program {program.name}: section name gives no program type: {program.section}",
            SectionPlace(obj.path, program.section),
            "name the type with --type, such as --type sched_cls",
        )
    linker = _Linker(obj)
    linker.reach(program.name)
    callback = _exception_callback(obj, program.name)
    if callback and callback not in linker.starts:
        linker.reach(callback)
    overridden = prog_type is not None and prog_type != program.prog_type
    return LinkedProgram(
        name=program.name,
        section=program.section,
        prog_type=kind,
        code=linker.emit(),
        maps=tuple(linker.maps.used),
        functions=function_info(obj, linker.order, linker.starts),
        line_info=line_info(obj, linker.order, linker.starts),
        expected_attach_type=0 if overridden else program.expected_attach_type,
        attach_target=program.attach_target,
        prog_flags=program.prog_flags if kind == ProgType.XDP else program.prog_flags & ~XDP_HAS_FRAGS,
        licence=obj.licence,
        kernel_version=obj.kernel_version,
        btf=obj.btf,
        path=obj.path,
        where=program.where,
    )


_EXCEPTION_CALLBACK = "exception_callback:"


def _exception_callback(obj: ObjectSpec, program: str) -> str:
    """The function that a program's declaration names as the one called after bpf_throw(), '' for none or several.

    Source: libbpf.c, bpf_prog_assign_exc_cb().
    """
    if obj.btf is None:
        return ""
    found = []
    from toolchain.btf.types import DeclTag, Func, Kind

    for type_id in obj.btf.ids_of_kind(Kind.DECL_TAG):
        tag = obj.btf.get(type_id)
        if isinstance(tag, DeclTag) and tag.component_index == -1 and tag.name.startswith(_EXCEPTION_CALLBACK):
            tagged = obj.btf.get(tag.type_id)
            if isinstance(tagged, Func) and tagged.name == program:
                found.append(tag.name.removeprefix(_EXCEPTION_CALLBACK))
    return found[0] if len(found) == 1 else ""


def _file(obj: ObjectSpec) -> FilePlace:
    return FilePlace(obj.path)


class _Linker:
    """The layout of one program while it is made.

    ``order`` are the functions in layout order, ``starts[name]`` their first slots. ``_calls[name]`` gives, for each
    slot of a function that calls another or takes its address, that function and the slot in it that is meant.
    """

    def __init__(self, obj: ObjectSpec) -> None:
        self.obj = obj
        self.maps = MapTable(obj)
        self.core = CoreResolver(obj)
        self.order: list[FunctionSpec] = []
        self.starts: dict[str, int] = {}
        self._size = 0
        self._calls: dict[str, dict[int, tuple[FunctionSpec, int]]] = {}
        self._by_name = {each.name: each for each in obj.functions}
        self._by_section: dict[str, list[FunctionSpec]] = {}
        for each in sorted(obj.functions, key=lambda function: function.offset):
            self._by_section.setdefault(each.section, []).append(each)

    def reach(self, name: str) -> None:
        """Lay out a function and all that it calls, in the order of a depth-first walk (own stack: no recursion)."""
        walks = [self._append(self._function(name, FilePlace(self.obj.path)))]
        while walks:
            callee = next(walks[-1], None)
            if callee is None:
                walks.pop()
            elif callee.name not in self.starts:
                walks.append(self._append(callee))

    def emit(self) -> bytes:
        """The code of all functions laid out, every reference resolved."""
        return encode(insn for function in self.order for insn in self._patched(function))

    def _append(self, function: FunctionSpec) -> Iterator[FunctionSpec]:
        """Give ``function`` its place; the functions that it calls, in slot order."""
        self.starts[function.name] = self._size
        self.order.append(function)
        self._size += function.slot_count
        calls = self._calls[function.name] = dict(self._find_calls(function))
        return iter([callee for callee, _ in calls.values()])

    def _find_calls(self, function: FunctionSpec) -> Iterator[tuple[int, tuple[FunctionSpec, int]]]:
        references = {each.slot: each for each in function.references}
        slot = 0
        for insn in function.insns:
            reference = references.get(slot)
            if reference is not None:
                if reference.kind in (ReferenceKind.CALL, ReferenceKind.FUNC_ADDRESS):
                    yield slot, (self._function(reference.target, self._place(function, slot)), 0)
            elif (insn.opcode == CALL and insn.src == CallSrc.LOCAL) or (
                insn.opcode == LDDW and insn.src == PseudoSrc.FUNC
            ):
                yield slot, self._at_offset(function, slot, insn.imm)
            slot += insn.slot_count

    def _function(self, name: str, where: Where) -> FunctionSpec:
        found = self._by_name.get(name)
        if found is None:
            raise LinkError(f"undefined function: {name}", where)
        return found

    def _at_offset(self, function: FunctionSpec, slot: int, imm: int) -> tuple[FunctionSpec, int]:
        """What a call without a relocation means: ``imm`` slots from the next one, within the section."""
        offset = function.offset + 8 * (slot + 1 + imm)
        peers = self._by_section[function.section]
        index = bisect_right(peers, offset, key=lambda each: each.offset) - 1
        if index >= 0 and offset < peers[index].offset + 8 * peers[index].slot_count:
            return peers[index], (offset - peers[index].offset) // 8
        where = self._place(function, slot)
        raise LinkError(f"call leaves every function of the section: to offset {offset}", where)

    def _patched(self, function: FunctionSpec) -> Iterator[Insn]:
        """The instructions of ``function`` as they stand in the linked code."""
        patches = self.core.patches(function)
        references = {each.slot: each for each in function.references}
        calls = self._calls[function.name]
        start, slot = self.starts[function.name], 0
        for insn in function.insns:
            reference, call = references.pop(slot, None), calls.get(slot)
            if call is not None:
                yield self._call(function, slot, insn, self.starts[call[0].name] + call[1] - (start + slot + 1))
            elif reference is not None:
                yield self._refer(function, insn, reference)
            else:
                yield from patches.get(slot, (insn,))
            slot += insn.slot_count
        for reference in references.values():
            text = f"relocation does not fall on an instruction: {reference.target}"
            raise LinkError(text, self._place(function, reference.slot))

    def _call(self, function: FunctionSpec, slot: int, insn: Insn, distance: int) -> Insn:
        if insn.opcode == CALL:
            return insn._replace(src=CallSrc.LOCAL, imm=distance)
        if insn.opcode == LDDW and insn.is_wide:
            return insn._replace(src=PseudoSrc.FUNC, imm=distance, imm_high=0)
        raise LinkError(
            f"relocation of a call on another instruction: opcode 0x{insn.opcode:02x}", self._place(function, slot)
        )

    def _refer(self, function: FunctionSpec, insn: Insn, reference: Reference) -> Insn:
        """``insn`` with a reference to a map, data or an extern resolved."""
        where, kind, target = self._place(function, reference.slot), reference.kind, reference.target
        if kind == ReferenceKind.EXTERN_CALL:
            return self._extern_call(insn, reference, where)
        if insn.opcode != LDDW or not insn.is_wide:
            raise LinkError(
                f"relocation against {target} on another instruction than a wide load: opcode 0x{insn.opcode:02x}",
                where,
            )
        if kind == ReferenceKind.MAP:
            return insn._replace(src=PseudoSrc.MAP_IDX, imm=self.maps.index_of_map(target, where), imm_high=0)
        if kind == ReferenceKind.DATA:
            index = self.maps.index_of_data(target, where)
            return insn._replace(src=PseudoSrc.MAP_IDX_VALUE, imm=index, imm_high=_signed32(reference.addend))
        return self._extern_data(insn, reference, where)

    def _extern_call(self, insn: Insn, reference: Reference, where: Where) -> Insn:
        if insn.opcode != CALL:
            raise LinkError(f"relocation of a call on another instruction: opcode 0x{insn.opcode:02x}", where)
        extern = self._extern(reference.target)
        if extern.section == ".ksyms":
            if self.obj.target is None:
                raise Unsupported(f"kernel function {reference.target}", where)
            number = self._declared(extern, self.obj.target.function(extern.name), self.obj.target, where)
            if number:
                return insn._replace(src=CallSrc.KFUNC, off=0, imm=number)
        if reference.is_weak:
            return insn._replace(src=CallSrc.HELPER, off=0, imm=POISON_CALL)
        raise LinkError(f"undefined function: {reference.target}", where)

    def _extern_data(self, insn: Insn, reference: Reference, where: Where) -> Insn:
        """The address of a kernel's symbol, or 0 for a weak one that nobody defines."""
        extern = self._extern(reference.target)
        if extern.section == ".kconfig":
            if extern.fault:
                raise LinkError(f"undefined symbol: {extern.fault}", where)
            hint = "no kernel configuration can be read here: name a file with $BPF_KCONFIG"
            raise Unsupported(f"kernel configuration variable {reference.target}", where, hint)
        if extern.section == ".ksyms":
            if self.obj.target is None:
                raise Unsupported(f"kernel variable {reference.target}", where)
            found = self._kernel_symbol(insn, extern, self.obj.target, where)
            if found is not None:
                return found
        if not reference.is_weak:
            raise LinkError(f"undefined symbol: {reference.target}", where)
        return insn._replace(src=PseudoSrc.IMM64, imm=0, imm_high=0)

    def _kernel_symbol(self, insn: Insn, extern: ExternSpec, target: TargetKernel, where: Where) -> Insn | None:
        """A wide load of a kernel's symbol: by the id of its type where it is declared with one, else its address."""
        from toolchain.btf.types import Func, Var, Void

        btf = self.obj.btf
        declared = btf.get(extern.type_id) if btf is not None else None
        if btf is None or not isinstance(declared, Func | Var) or isinstance(btf.resolved(declared.type_id), Void):
            address = target.address(extern.name)
            if not address:
                return None
            return insn._replace(src=PseudoSrc.IMM64, imm=_signed32(address), imm_high=_signed32(address >> 32))
        number = target.function(extern.name) if isinstance(declared, Func) else target.variable(extern.name)
        number = self._declared(extern, number, target, where)
        return insn._replace(src=PseudoSrc.BTF_ID, imm=number, imm_high=0) if number else None

    def _declared(self, extern: ExternSpec, number: int, target: TargetKernel, where: Where) -> int:
        """``number``, of what the object declares as the kernel does; 0 for a weak function where it does not."""
        from toolchain.btf.core_types import do_declarations_agree
        from toolchain.btf.types import Func

        btf = self.obj.btf
        if not number or btf is None or not extern.type_id:
            return number
        if do_declarations_agree(btf, extern.type_id, target.types, number):
            return number
        if extern.is_weak and isinstance(btf.get(extern.type_id), Func):
            return 0
        raise LinkError(f"declared otherwise than in this kernel: {extern.name}", where)

    def _extern(self, name: str) -> ExternSpec:
        return next((each for each in self.obj.externs if each.name == name), ExternSpec(name))

    def _place(self, function: FunctionSpec, slot: int) -> SectionPlace:
        return SectionPlace(self.obj.path, function.section, function.offset + 8 * slot)


def _signed32(value: int) -> int:
    return (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
