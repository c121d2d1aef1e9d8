"""Types in a few words, for tests: lists of (name, type).

    "u32" "s16" "u8" "bool" "char" "double" "ptr"     ("u32", 4) an array        "u32:3" a bit field
    {"A": 0, "B": 1} an enum                          [...] a struct             ("union", [...])
    "spin" a bpf_spin_lock                            ("", [...]) an unnamed struct's members

Fields lie one after another, aligned as C does.
"""

from __future__ import annotations

from typing import Any

from toolchain.btf import Btf, BtfBuilder
from toolchain.btf.types import Array, Enum, Enumerator, Float, Int, Member, Ptr, Struct, Union
from toolchain.loader.migrate_types import Typed

_ENCODING = {"u": 0, "s": 1}


class Shape:
    """A type, its information and its size."""

    def __init__(self, fields: Any) -> None:
        self.fields = fields
        self._builder = BtfBuilder()
        self.type_id, self.size, _ = self._add(fields)
        self.btf: Btf = self._builder.build()

    @property
    def typed(self) -> Typed:
        return Typed(self.btf, self.type_id, self.size)

    def _add(self, what: Any) -> tuple[int, int, int]:
        """Type id, size, alignment."""
        if isinstance(what, list):
            return self._struct(what)
        if isinstance(what, dict):
            values = tuple(Enumerator(name, value) for name, value in what.items())
            return self._builder.add(Enum("e", 4, values, any(value < 0 for value in what.values()))), 4, 4
        if isinstance(what, tuple) and what[0] == "union":
            return self._union(what[1])
        if isinstance(what, tuple):
            inner, size, alignment = self._add(what[0])
            index = self._builder.integer("index", 4)
            return self._builder.add(Array(inner, index, what[1])), size * what[1], alignment
        return self._plain(what)

    def _plain(self, what: str) -> tuple[int, int, int]:
        add = self._builder.add
        if what == "bool":
            return add(Int("bool", 1, 4)), 1, 1
        if what == "char":
            return add(Int("char", 1, 1)), 1, 1
        if what in ("float", "double"):
            size = 8 if what == "double" else 4
            return add(Float(what, size)), size, size
        if what == "ptr":
            return add(Ptr(0)), 8, 8
        if what == "spin":
            return add(Struct("bpf_spin_lock", 4, (Member("val", self._plain("u32")[0]),))), 4, 4
        size = int(what[1:].split(":")[0]) // 8
        return add(Int(what.split(":")[0], size, _ENCODING[what[0]])), size, size

    def _struct(self, fields: list[Any]) -> tuple[int, int, int]:
        members, bit, most = [], 0, 1
        for name, what in fields:
            type_id, size, alignment = self._add(what)
            most = max(most, alignment)
            width = int(what.split(":")[1]) if isinstance(what, str) and ":" in what else 0
            if not width:
                bit = -(-bit // (alignment * 8)) * alignment * 8
            members.append(Member(name, type_id, bit, width))
            bit += width or size * 8
        size = -(-bit // (most * 8)) * most
        has_bits = any(each.bitfield_size for each in members)
        return self._builder.add(Struct("s", size, tuple(members), has_bits)), size, most

    def _union(self, fields: list[Any]) -> tuple[int, int, int]:
        members, most, largest = [], 1, 0
        for name, what in fields:
            type_id, size, alignment = self._add(what)
            most, largest = max(most, alignment), max(largest, size)
            members.append(Member(name, type_id))
        size = -(-largest // most) * most
        return self._builder.add(Union("u", size, tuple(members))), size, most
