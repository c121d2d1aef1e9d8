"""Special fields of map values: locks, timers, kernel pointers, found by type name in the map's type information.

A plain load or store must not touch them. None of them is modelled here, so that a map which has one is known by the
first one's name.

Source: kernel/bpf/btf.c btf_parse_fields, btf_get_field_type (6.12).
"""

from __future__ import annotations

from toolchain.btf import Btf
from toolchain.btf.types import Array, Const, Datasec, Ptr, Restrict, Struct, Typedef, TypeTag, Union, Var, Volatile
from toolchain.errors import ObjectError
from toolchain.spec.maps import MapSpec

_SPECIAL = frozenset(
    {
        "bpf_spin_lock",
        "bpf_res_spin_lock",
        "bpf_timer",
        "bpf_wq",
        "bpf_list_head",
        "bpf_list_node",
        "bpf_rb_root",
        "bpf_rb_node",
        "bpf_refcount",
        "bpf_task_work",
        "bpf_dynptr",
    }
)
_POINTER_TAGS = frozenset({"kptr", "kptr_untrusted", "percpu_kptr", "uptr"})
_DEPTH = 32


def special_field(spec: MapSpec, btf: Btf | None) -> str:
    """The name of the first special type in a map's value, '' where there is none."""
    if btf is None or not spec.value_type_id:
        return ""
    try:
        return _find(btf, spec.value_type_id, 0, set())
    except ObjectError:
        return "type that cannot be read"


def _find(btf: Btf, type_id: int, depth: int, seen: set[int]) -> str:
    if depth > _DEPTH:
        return "type nested too deep"
    if type_id in seen or not 0 < type_id < len(btf.types):
        return ""
    seen.add(type_id)
    kind = btf.get(type_id)
    if isinstance(kind, (Struct, Union)):
        if kind.name in _SPECIAL:
            return kind.name
        return _first(btf, [member.type_id for member in kind.members], depth, seen)
    if isinstance(kind, Datasec):
        return _first(btf, [variable.type_id for variable in kind.variables], depth, seen)
    if isinstance(kind, Ptr):
        return _tag_below(btf, kind.type_id)
    if isinstance(kind, (Array, Typedef, Const, Volatile, Restrict, TypeTag, Var)):
        return _find(btf, kind.type_id, depth + 1, seen)
    return ""


def _first(btf: Btf, type_ids: list[int], depth: int, seen: set[int]) -> str:
    for type_id in type_ids:
        found = _find(btf, type_id, depth + 1, seen)
        if found:
            return found
    return ""


def _tag_below(btf: Btf, type_id: int) -> str:
    """The kernel-pointer tag that a pointer carries."""
    for _ in range(_DEPTH):
        if not 0 < type_id < len(btf.types):
            return ""
        kind = btf.get(type_id)
        if isinstance(kind, TypeTag) and kind.name in _POINTER_TAGS:
            return kind.name
        if not isinstance(kind, (TypeTag, Const, Volatile, Restrict, Typedef)):
            return ""
        type_id = kind.type_id
    return ""
