"""Operations of kernel structs (struct_ops): which member of which struct each program is.

    struct tcp_congestion_ops cubic = { .init = (void *)bpf_cubic_init, ... }      in section .struct_ops(.link)

    .BTF: DATASEC .struct_ops --> VAR cubic --> STRUCT tcp_congestion_ops, its members by offset
    a pointer of the section at that offset --> the function bpf_cubic_init

A program's target becomes ``tcp_congestion_ops.init``: what a kernel must know to judge it. The struct itself is not
kept: no runtime registers one.

Source: libbpf.c, init_struct_ops_maps() and bpf_object__collect_st_ops_relos().
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from toolchain.btf import Btf
from toolchain.btf.types import Struct, Var
from toolchain.elf.references import Resolver
from toolchain.elf.scope import Scope
from toolchain.errors import ObjectError
from toolchain.isa.program_types import ProgType
from toolchain.spec.objects import ProgramSpec, ReferenceKind

_SECTIONS = (".struct_ops", "?.struct_ops")


def with_members(
    scope: Scope, btf: Btf | None, programs: Sequence[ProgramSpec], resolver: Resolver
) -> list[ProgramSpec]:
    """The programs, those of type struct_ops with their member as target; without one where nothing names it."""
    if btf is None or not any(each.prog_type is ProgType.STRUCT_OPS for each in programs):
        return list(programs)
    members = _members(scope, btf, resolver)
    return [
        replace(each, attach_target=members.get(each.name, "")) if each.prog_type is ProgType.STRUCT_OPS else each
        for each in programs
    ]


def _members(scope: Scope, btf: Btf, resolver: Resolver) -> dict[str, str]:
    """Function -> STRUCT.MEMBER. A section that does not hold what its types say names nothing."""
    found: dict[str, str] = {}
    for _, datasec in btf.datasecs():
        number = scope.number_of.get(datasec.name)
        if number is None or not datasec.name.startswith(_SECTIONS):
            continue
        try:
            references = resolver.of_data(number)
        except ObjectError:
            continue
        pointers = {8 * each.slot: each.target for each in references if each.kind is ReferenceKind.FUNC_ADDRESS}
        for variable in datasec.variables:
            var = btf.get(variable.type_id)
            struct = btf.resolved(var.type_id) if isinstance(var, Var) else None
            for member in struct.members if isinstance(struct, Struct) else ():
                function = pointers.get(variable.offset + member.bit_offset // 8)
                if function is not None and isinstance(struct, Struct):
                    found.setdefault(function, f"{_essential(struct.name)}.{_essential(member.name)}")
    return found


def _essential(name: str) -> str:
    """Without the ``___suffix`` that tells declarations apart."""
    at = name.rfind("___")
    return name[:at] if at > 0 else name
