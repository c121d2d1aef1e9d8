"""Programs that are loaded for one place of the kernel: which type of the kernel's own that place is.

    attach type        section            type of /sys/kernel/btf/vmlinux
    TRACE_FENTRY ..    fentry/NAME        FUNC NAME
    MODIFY_RETURN      fmod_ret/NAME      FUNC NAME
    TRACE_RAW_TP       tp_btf/NAME        TYPEDEF btf_trace_NAME
    LSM_MAC            lsm/NAME           FUNC bpf_lsm_NAME
    (a member's index) struct_ops         STRUCT, from what the object puts into its members
    TRACE_ITER         iter/NAME          FUNC bpf_iter_NAME

Source: libbpf.c, libbpf_find_attach_btf_id(); include/linux/btf.h and kernel/bpf/bpf_iter.c for the prefixes.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from toolchain.errors import LoadError, Unsupported
from toolchain.isa.program_types import AttachType, ProgType
from toolchain.spec.stages import LinkedProgram

if TYPE_CHECKING:
    from toolchain.btf import Btf

KERNEL_TYPES = "/sys/kernel/btf/vmlinux"
_PREFIXES = {
    AttachType.TRACE_RAW_TP: "btf_trace_",
    AttachType.LSM_MAC: "bpf_lsm_",
    AttachType.LSM_CGROUP: "bpf_lsm_",
    AttachType.TRACE_ITER: "bpf_iter_",
}


@functools.cache
def kernel_types() -> Btf | None:
    """The kernel's own type information, None where it has none. Decoding takes 60 ms: only who needs it asks."""
    from toolchain.btf.codec import Btf

    try:
        with open(KERNEL_TYPES, "rb") as file:
            return Btf.decode(file.read(), path=KERNEL_TYPES)
    except OSError:
        return None


class AttachPoint(NamedTuple):
    """What a program is loaded for: the id of a type of the kernel (0: none), and the attach type."""

    btf_id: int
    attach_type: int


def attach_point(program: LinkedProgram) -> AttachPoint:
    """What a program is loaded for.

    Raises: Unsupported (programs that replace a function of another one), LoadError ESRCH (no such place).
    """
    if program.prog_type == ProgType.STRUCT_OPS:
        return _member(program)
    return AttachPoint(_btf_id(program), program.expected_attach_type)


def _member(program: LinkedProgram) -> AttachPoint:
    """The struct of the kernel, and which member of it."""
    import errno

    from toolchain.btf.types import Struct

    struct_name, _, member_name = program.attach_target.partition(".")
    if not member_name:
        raise Unsupported("a struct_ops program that no struct of the object names", program.where)
    types = _types_for(program)
    type_id = types.find(struct_name, Struct)
    struct = types.get(type_id) if type_id else None
    names = [each.name for each in struct.members] if isinstance(struct, Struct) else []
    if member_name not in names:
        raise LoadError(f"no such operation in this kernel: {program.attach_target}", errno.ESRCH, program.where)
    return AttachPoint(type_id, names.index(member_name))


def _btf_id(program: LinkedProgram) -> int:
    if program.prog_type == ProgType.EXT:
        raise Unsupported("programs that replace another program's function (freplace)", program.where)
    if program.prog_type not in (ProgType.TRACING, ProgType.LSM):
        return 0
    if not program.attach_target:
        raise Unsupported(f"a {program.prog_type.label} program without a target in its section's name", program.where)
    return _find(program)


def _types_for(program: LinkedProgram) -> Btf:
    types = kernel_types()
    if types is None:
        raise Unsupported(f"attach targets on a kernel without {KERNEL_TYPES}", program.where)
    return types


def _find(program: LinkedProgram) -> int:
    import errno

    from toolchain.btf.types import Func, Typedef

    types = _types_for(program)
    kind = program.expected_attach_type
    prefix = next((text for attach_type, text in _PREFIXES.items() if attach_type == kind), "")
    wanted = Typedef if kind == AttachType.TRACE_RAW_TP else Func
    found = types.find(prefix + program.attach_target, wanted)
    if not found:
        raise LoadError(f"no such place in this kernel: {program.attach_target}", errno.ESRCH, program.where)
    return found
