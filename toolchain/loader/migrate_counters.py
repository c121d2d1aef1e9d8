"""Where in a value the integers are that programs count in: what may be added to, for two maps that both went on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.btf.types import Array, Datasec, Int, Struct, Union
from toolchain.errors import ObjectError
from toolchain.loader.migrate_types import MAX_DEPTH, MAX_FIELDS, Typed, begins_anew, fields_of

if TYPE_CHECKING:
    from toolchain.btf.codec import Btf


def counter_places(btf: Btf | None, type_id: int, size: int) -> tuple[tuple[int, int], ...]:
    """(offset, size) of the aligned integers of 4 and 8 bytes in a value: what programs can add to atomically.

    Without types every whole aligned word of 8 bytes (of 4 where the size leaves no other) is taken for one.
    """
    if btf is not None and Typed(btf, type_id, size).is_known:
        found: list[tuple[int, int]] = []
        try:
            _find_counters(btf, type_id, 0, found, 0)
        except ObjectError:
            return ()
        return tuple(sorted(each for each in set(found) if each[0] + each[1] <= size))
    word = 8 if size % 8 == 0 else 4
    return tuple((at, word) for at in range(0, size - word + 1, word)) if size % word == 0 else ()


def _find_counters(btf: Btf, type_id: int, at: int, found: list[tuple[int, int]], depth: int) -> None:
    if depth > MAX_DEPTH or len(found) > MAX_FIELDS:
        raise ObjectError("types too large")
    each = btf.resolved(type_id)
    if isinstance(each, Int):
        if each.size in (4, 8) and each.bits == each.size * 8 and not each.is_bool and at % each.size == 0:
            found.append((at, each.size))
    elif isinstance(each, Array):
        stride = btf.size_of(each.type_id)
        for index in range(min(each.count, MAX_FIELDS)):
            _find_counters(btf, each.type_id, at + index * stride, found, depth + 1)
    elif isinstance(each, Struct | Datasec) and not begins_anew(btf, type_id):
        for field in fields_of(btf, each, at * 8).values():
            if not field.width and field.bit % 8 == 0 and not isinstance(btf.resolved(field.type_id), Union):
                _find_counters(btf, field.type_id, field.bit // 8, found, depth + 1)
