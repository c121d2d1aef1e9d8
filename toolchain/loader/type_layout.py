"""A type as one line of text that says where each field lies, for comparing the types of two maps.

    struct flow { __u32 src; __u32 dst; char name[8]; }   ->   {src: int32 @0, dst: int32 @4, name: int8[8] @8}

Names of types and signs do not count, names and places of fields do: two maps of equal sizes whose fields are swapped
differ in this text. ``type_text`` says the kind of number too (uint32, bool8, enum32), for people who read what becomes
of a type. Bounded in depth and length, so that no type information can make it endless.
"""

from __future__ import annotations

from toolchain.btf import Btf
from toolchain.btf.types import COMPOSITES, Array, Enum, Enum64, Float, Int, Ptr

_MAX_DEPTH = 16
_MAX_MEMBERS = 1000


def field_layout(btf: Btf, type_id: int) -> str:
    """The text for a struct or union; '' for any other type, which says nothing that its size does not."""
    if not isinstance(btf.resolved(type_id), COMPOSITES):
        return ""
    return layout_text(btf, type_id)


def layout_text(btf: Btf, type_id: int) -> str:
    """The text for any type."""
    return _Describer(btf, False).text(type_id, 0)


def type_text(btf: Btf, type_id: int) -> str:
    """The text for any type, with the kind of each number."""
    return _Describer(btf, True).text(type_id, 0)


def number_name(each: Int | Enum | Enum64) -> str:
    """enum, bool, int or uint."""
    return "enum" if not isinstance(each, Int) else "bool" if each.is_bool else "int" if each.is_signed else "uint"


class _Describer:
    """Counts the members met, over the whole type. ``has_kinds``: a number's kind is said, else all are int."""

    def __init__(self, btf: Btf, has_kinds: bool) -> None:
        self._btf, self._has_kinds = btf, has_kinds
        self._left = _MAX_MEMBERS

    def text(self, type_id: int, depth: int) -> str:
        each = self._btf.resolved(type_id)
        match each:
            case Int() | Enum() | Enum64():
                return f"{number_name(each) if self._has_kinds else 'int'}{each.size * 8}"
            case Float():
                return f"float{each.size * 8}"
            case Ptr():
                return "pointer"
            case Array():
                return f"{self.text(each.type_id, depth + 1)}[{each.count}]" if depth < _MAX_DEPTH else "..."
        if not isinstance(each, COMPOSITES) or depth >= _MAX_DEPTH:
            return each.kind.name.lower() if not isinstance(each, COMPOSITES) else "..."
        fields = []
        for member in each.members:
            self._left -= 1
            if self._left < 0:
                fields.append("...")
                break
            offset, bit = divmod(member.bit_offset, 8)
            place = f"@{offset}" + (f".{bit}" if bit else "")
            width = f":{member.bitfield_size}" if member.bitfield_size else ""
            fields.append(f"{member.name}: {self.text(member.type_id, depth + 1)}{width} {place}".lstrip(": "))
        return "{" + ", ".join(fields) + "}"
