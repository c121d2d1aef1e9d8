"""Makes type information: types in, ids out.

Types without an identity of their own (integers, pointers, arrays, modifiers, prototypes) are kept once however often
they are added. A type that refers to itself is made in two steps: ``reserve()`` an id, then ``define`` it.
"""

from __future__ import annotations

from toolchain.btf.codec import VOID, Btf
from toolchain.btf.types import (
    INT_SIGNED,
    Array,
    BtfType,
    Const,
    Float,
    FuncProto,
    Fwd,
    Int,
    Ptr,
    Restrict,
    Typedef,
    TypeTag,
    Volatile,
)

_SHARED = (Int, Ptr, Array, Fwd, Typedef, Volatile, Const, Restrict, FuncProto, Float, TypeTag)


class BtfBuilder:
    """Collects types. ``add`` gives a type's id."""

    __slots__ = ("_ids", "_types")

    def __init__(self) -> None:
        self._types: list[BtfType] = [VOID]
        self._ids: dict[BtfType, int] = {}

    def add(self, each: BtfType) -> int:
        """The id of ``each``: an equal one's that is there already, where its kind has no identity of its own."""
        if not isinstance(each, _SHARED):
            self._types.append(each)
            return len(self._types) - 1
        type_id = self._ids.get(each)
        if type_id is None:
            self._types.append(each)
            type_id = self._ids[each] = len(self._types) - 1
        return type_id

    def reserve(self) -> int:
        """An id whose type follows by ``define``."""
        self._types.append(VOID)
        return len(self._types) - 1

    def define(self, type_id: int, each: BtfType) -> None:
        """Gives a reserved id its type."""
        if self._types[type_id] is not VOID or type_id == 0:
            raise ValueError(f"type {type_id} is defined already")
        self._types[type_id] = each

    def integer(self, name: str, size: int, is_signed: bool = False) -> int:
        """The id of an integer type."""
        return self.add(Int(name, size, INT_SIGNED if is_signed else 0))

    def sized_array(self, count: int) -> int:
        """The id of a pointer to ``int[count]``: how a ``.maps`` definition spells a number (libbpf's __uint)."""
        number = self.integer("int", 4, is_signed=True)
        index = self.integer("__ARRAY_SIZE_TYPE__", 4)
        return self.add(Ptr(self.add(Array(number, index, count))))

    def build(self) -> Btf:
        """All types so far."""
        return Btf(tuple(self._types))
