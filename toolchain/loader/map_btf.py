"""The type information that a map keeps: of the object's, only the types of its key and its value.

An object may carry the whole kernel's types. A map needs a handful, so what they reach is copied into a new, small
section; pointers are cut off (``void *``), because nobody prints what they point to. Bounded: what would grow past
``_MAX_TYPES`` is left out altogether, and the map then has no type information.
"""

from __future__ import annotations

from dataclasses import replace

from toolchain.btf.builder import BtfBuilder
from toolchain.btf.codec import Btf
from toolchain.btf.types import (
    MODIFIERS,
    Array,
    BtfType,
    Datasec,
    Enum,
    Enum64,
    Float,
    Fwd,
    Int,
    Ptr,
    Struct,
    Union,
    Var,
)
from toolchain.errors import ObjectError
from toolchain.spec.maps import MapSpec

_MAX_TYPES = 4096
_MAX_DEPTH = 32


def with_own_types(spec: MapSpec, btf: Btf | None) -> tuple[MapSpec, bytes]:
    """``spec`` with type ids of a small section of its own, and that section's bytes (b'' where it has no types)."""
    bare = replace(spec, key_type_id=0, value_type_id=0)
    if btf is None or not (spec.key_type_id or spec.value_type_id):
        return bare, b""
    copier = _Copier(btf)
    try:
        key, value = copier.copy(spec.key_type_id), copier.copy(spec.value_type_id)
        return replace(spec, key_type_id=key, value_type_id=value), copier.builder.build().encode()
    except ObjectError:
        return bare, b""


class _Copier:
    """Copies types, each once. Raises ObjectError where they are too many, too deep, or contain themselves."""

    def __init__(self, btf: Btf) -> None:
        self.builder = BtfBuilder()
        self._btf = btf
        self._done: dict[int, int] = {0: 0}

    def copy(self, type_id: int, depth: int = 0) -> int:
        done = self._done.get(type_id)
        if done is None:
            if depth > _MAX_DEPTH or len(self._done) > _MAX_TYPES:
                raise ObjectError("types of a map too large", self._btf.place)
            done = self._done[type_id] = self.builder.add(self._copied(self._btf.get(type_id), depth + 1))
        return done

    def _copied(self, each: BtfType, depth: int) -> BtfType:
        match each:
            case Int() | Float() | Enum() | Enum64() | Fwd():
                return each
            case Ptr():
                return Ptr(0)
            case Array():
                return Array(self.copy(each.type_id, depth), self.copy(each.index_type_id, depth), each.count)
            case Struct() | Union():
                members = tuple(replace(member, type_id=self.copy(member.type_id, depth)) for member in each.members)
                return replace(each, members=members)
            case Datasec():
                variables = tuple(replace(var, type_id=self.copy(var.type_id, depth)) for var in each.variables)
                return replace(each, variables=variables)
            case Var():
                return replace(each, type_id=self.copy(each.type_id, depth))
        if isinstance(each, MODIFIERS):
            return replace(each, type_id=self.copy(each.type_id, depth))
        raise ObjectError(f"type that no map can hold: {each.kind.name.lower()}", self._btf.place)
