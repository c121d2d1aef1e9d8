"""How the bytes of one type become those of another, field by field: pure, and decided before any byte is read.

    struct v1 { u32 packets; u64 bytes; }           packets  uint32 @0  ->  uint64 @0    widened
    struct v2 { u64 packets; u32 errors; ...        bytes    uint64 @8  ->  uint64 @16   moved
                u64 bytes; }                        errors              ->  uint32 @8    new, zero

    fields        by name, in structs, unions and data sections; members of an unnamed struct count as the outer one's
    integers      wider: extended by their own sign; narrower or of another sign: each value is checked
    enums         by the names of their values where both name the value, else by number
    arrays        element by element; what is cut off has to be zero
    unions        as bytes, and only into a union that has all of the old one's members, each with the layout it had
    bit fields    as integers
    pointers, floats                as bytes, of one size
    locks, timers, lists, kptrs     begin anew: the kernel neither shows nor takes what is in them
    no types      the common prefix; what is cut off has to be zero

Soundness: whatever a conversion gives holds every value that it was given, or ``apply`` raises Misfit and names the
field that does not fit. A field that only the old type has is dropped, and ``rows`` says so before anything is done.
Complexity: a step for each run of bytes that moves alike; types are untrusted, so their size and depth are bounded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from toolchain.btf.types import Array, Datasec, Enum, Enum64, Float, Int, Ptr, Struct, TypeTag, Union, Var
from toolchain.errors import ObjectError
from toolchain.loader.migrate_steps import Bits, Conversion, Copy, FieldRow, Names, Number, Repeat, Step, Zero
from toolchain.loader.type_layout import layout_text, number_name, type_text

if TYPE_CHECKING:
    from toolchain.btf.codec import Btf

MAX_FIELDS = 20_000
MAX_DEPTH = 16
_UNION = "<union "
"""What the key of an unnamed union begins with; the names of its members follow."""
ANEW_STRUCTS = frozenset(
    {
        "bpf_spin_lock", "bpf_res_spin_lock", "bpf_timer", "bpf_wq", "bpf_list_head", "bpf_list_node", "bpf_rb_root",
        "bpf_rb_node", "bpf_refcount", "bpf_task_work",
    }
)  # fmt: skip
"""Structs whose bytes are the kernel's own. Source: kernel/bpf/btf.c, btf_get_field_type(), Linux 6.12 and 6.18."""
_KPTR_TAGS = frozenset({"kptr", "kptr_untrusted", "percpu_kptr", "uptr"})


class Typed(NamedTuple):
    """A type in its type information, and the bytes that a map has for it."""

    btf: Btf | None
    type_id: int
    size: int

    @property
    def is_known(self) -> bool:
        """There is a type, and it is as long as the map says."""
        if self.btf is None or not self.type_id:
            return False
        try:
            return self.btf.size_of(self.type_id) == self.size
        except ObjectError:
            return False


def conversion(old: Typed, new: Typed) -> Conversion:
    """How values of one type become those of the other; by prefix where either side has no type."""
    if not (old.is_known and new.is_known):
        return _by_prefix(old.size, new.size)
    assert old.btf is not None
    assert new.btf is not None
    walk = _Walk(old.btf, new.btf)
    try:
        walk.types("", old.type_id, 0, new.type_id, 0, 0)
        steps = tuple(_merged(walk.steps))
        inside = all(_is_inside(step, old.size, new.size) for step in steps)
        faults = tuple(walk.faults) if inside else ("types whose fields lie outside of them",)
    except ObjectError as error:
        steps, faults = (), (f"damaged types: {error.message}",)
    is_same = old.size == new.size and not walk.is_changed and all(_stays(step) for step in steps)
    return Conversion(old.size, new.size, "fields", steps, tuple(walk.rows), faults, is_same and not faults)


def _by_prefix(size: int, new_size: int) -> Conversion:
    if size == new_size:
        return Conversion(size, new_size, "prefix", is_identity=True)
    common = min(size, new_size)
    rows = [FieldRow("", f"{common} bytes", f"{common} bytes", "copied: no types to go by")]
    steps: list[Step] = [Copy(0, 0, common)]
    if size > new_size:
        steps.append(Zero(f"bytes {new_size}..{size - 1}", new_size, size - new_size))
        rows.append(FieldRow("", f"bytes {new_size}..{size - 1}", "", "cut off, have to be zero"))
    else:
        rows.append(FieldRow("", "", f"bytes {size}..{new_size - 1}", "new, zero"))
    return Conversion(size, new_size, "prefix", tuple(steps), tuple(rows))


def _merged(steps: Sequence[Step]) -> Iterator[Step]:
    """Neighbouring copies as one."""
    last: Copy | None = None
    for step in steps:
        if last is None:
            last = step if isinstance(step, Copy) else None
            if last is None:
                yield step
        elif isinstance(step, Copy) and step[:2] == (last.source + last.size, last.target + last.size):
            last = Copy(last.source, last.target, last.size + step.size)
        else:
            yield last
            last = step if isinstance(step, Copy) else None
            if last is None:
                yield step
    if last is not None:
        yield last


def _stays(step: Step) -> bool:
    match step:
        case Copy():
            return step.source == step.target
        case Repeat():
            same = (step.source, step.source_stride) == (step.target, step.target_stride)
            return same and all(_stays(each) for each in step.steps)
        case Bits():
            return step[1:4] == step[4:]
    return False


def _is_inside(step: Step, size: int, new_size: int) -> bool:
    """Whether a step stays inside of both values: types are untrusted."""
    match step:
        case Copy():
            return 0 <= step.source <= size - step.size and 0 <= step.target <= new_size - step.size
        case Number() | Names():
            return step.source + step.source_size <= size and step.target + step.target_size <= new_size
        case Bits():
            return step.source + step.source_width <= size * 8 and step.target + step.target_width <= new_size * 8
        case Zero():
            return step.source + step.size <= size
        case Repeat():
            room = size - step.source - (step.length - 1) * step.source_stride
            new_room = new_size - step.target - (step.length - 1) * step.target_stride
            return all(_is_inside(each, room, new_room) for each in step.steps)
    return False


class Field(NamedTuple):
    """A member at its place. Units: ``bit`` from the start of the outermost value; ``width`` 0 for a plain field."""

    type_id: int
    bit: int
    width: int


class _Walk:
    """Both types at once, from the top. ``is_changed``: something is new, dropped or made anew."""

    def __init__(self, old: Btf, new: Btf) -> None:
        self._old, self._new = old, new
        self._left = MAX_FIELDS
        self.steps: list[Step] = []
        self.rows: list[FieldRow] = []
        self.faults: list[str] = []
        self.is_changed = False

    def types(self, path: str, old_id: int, at: int, new_id: int, to: int, depth: int) -> None:
        """Add the steps for a value of one type at byte ``at`` that becomes one of the other at byte ``to``."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise ObjectError(f"more than {MAX_FIELDS} fields, or {MAX_DEPTH} levels of them")
        old, new = self._old.resolved(old_id), self._new.resolved(new_id)
        if begins_anew(self._old, old_id) and begins_anew(self._new, new_id):
            self._row(path, self._text(self._old, old_id, at), self._text(self._new, new_id, to), "begins anew")
        elif isinstance(old, Struct | Datasec) and isinstance(new, Struct | Datasec):
            self._members(path, old, at, new, to, depth)
        elif isinstance(old, Union) and isinstance(new, Union):
            self._union(path, old, at, new, to)
        elif isinstance(old, Array) and isinstance(new, Array):
            self._array(path, old, at, new, to, depth)
        elif isinstance(old, Int | Enum | Enum64) and isinstance(new, Int | Enum | Enum64):
            self._integer(path, old_id, at * 8, 0, new_id, to * 8, 0)
        elif type(old) is type(new) and isinstance(old, Ptr | Float) and (
            self._old.size_of(old_id) == self._new.size_of(new_id)
        ):  # fmt: skip
            self._copied(path, old_id, at, new_id, to, self._old.size_of(old_id))
        else:
            self._fault(path, old_id, new_id)

    def _members(self, path: str, old: Struct | Datasec, at: int, new: Struct | Datasec, to: int, depth: int) -> None:
        ours, theirs = fields_of(self._old, old, at * 8), fields_of(self._new, new, to * 8)
        theirs = _paired_unions(ours, theirs)
        for name, field in ours.items():
            inner = f"{path}.{name}".lstrip(".")
            other = theirs.get(name)
            if other is None:
                self.is_changed = True
                self.rows.append(FieldRow(inner, self._place(self._old, field), "", "dropped"))
            elif field.width or other.width:
                self._integer(inner, field.type_id, field.bit, field.width, other.type_id, other.bit, other.width)
            elif field.bit % 8 or other.bit % 8:
                raise ObjectError(f"field not at a byte's start: {inner}")
            else:
                self.types(inner, field.type_id, field.bit // 8, other.type_id, other.bit // 8, depth + 1)
        for name, field in theirs.items():
            if name not in ours:
                self._row(f"{path}.{name}".lstrip("."), "", self._place(self._new, field), "new, zero")

    def _array(self, path: str, old: Array, at: int, new: Array, to: int, depth: int) -> None:
        stride, new_stride = self._old.size_of(old.type_id), self._new.size_of(new.type_id)
        shared = min(old.count, new.count)
        if shared:
            outer, self.steps = self.steps, []
            self.types(f"{path}[]", old.type_id, 0, new.type_id, 0, depth + 1)
            steps, self.steps = tuple(_merged(self.steps)), outer
            is_flat = stride == new_stride and steps == (Copy(0, 0, stride),)
            self.steps.append(
                Copy(at, to, stride * shared) if is_flat else Repeat(shared, at, stride, to, new_stride, steps)
            )
        if old.count == new.count:
            return
        before, after = f"{old.count} elements @{at}", f"{new.count} elements @{to}"
        cut = old.count > new.count
        self._row(path, before, after, "what is cut off has to be zero" if cut else "more of them, zero")
        if cut:
            place = f"{path}[{shared}..{old.count - 1}]"
            self.steps.append(Zero(place, at + shared * stride, (old.count - shared) * stride))

    def _union(self, path: str, old: Union, at: int, new: Union, to: int) -> None:
        """As bytes: nobody knows which member a value is, so each must mean in the new union what it meant."""
        theirs = _union_members(self._new, new)
        for name, text in _union_members(self._old, old).items():
            if theirs.get(name) != text:
                after = theirs.get(name, "nothing")
                self.faults.append(f"{path or 'value'}: member {name} of a union changed: {text} -> {after}")
        self.steps.append(Copy(at, to, min(old.size, new.size)))
        if (at, old.size) != (to, new.size):
            self._row(path, f"union of {old.size} @{at}", f"union of {new.size} @{to}", "copied as bytes")

    def _integer(self, path: str, old_id: int, bit: int, width: int, new_id: int, new_bit: int, new_width: int) -> None:
        """An integer, an enum or a bit field. ``width`` 0: the type's own."""
        old, new = self._old.resolved(old_id), self._new.resolved(new_id)
        if not isinstance(old, Int | Enum | Enum64) or not isinstance(new, Int | Enum | Enum64):
            self._fault(path, old_id, new_id)
            return
        bit, width, is_signed = _extent(old, bit, width)
        new_bit, new_width, is_new_signed = _extent(new, new_bit, new_width)
        before, after = _number_text(old, bit, width), _number_text(new, new_bit, new_width)
        is_whole = not any(each % 8 for each in (bit, width, new_bit, new_width))
        numbers, renamed = _renumbered(old, new)
        if any(key != value for key, value in numbers.items()) or renamed:
            if not is_whole:
                self.faults.append(f"{path}: the numbers of an enum changed in a bit field")
                return
            self.steps.append(
                Names(path, bit // 8, width // 8, is_signed, new_bit // 8, new_width // 8, is_new_signed,
                      numbers, renamed)
            )  # fmt: skip
            gone = f"; refused where {', '.join(sorted(renamed.values()))}" if renamed else ""
            self._row(path, before, after, f"by the names of its values{gone}")
            return
        if isinstance(new, Int) and new.is_bool and not (isinstance(old, Int) and old.is_bool) and not new_bit % 8:
            lowest = new_bit + (0 if sys.byteorder == "little" else new_width - 1)
            self.steps.append(Bits(path, bit, width, is_signed, lowest, 1, False))
            self._row(path, before, after, "each value is checked")
            return
        is_same = (width, is_signed) == (new_width, is_new_signed) or _is_plain_pair(old, new, width, new_width)
        if is_same and is_whole:
            self._copied(path, old_id, bit // 8, new_id, new_bit // 8, width // 8)
            return
        fits = new_width > width and (is_new_signed or not is_signed)
        if is_whole and fits and not is_signed:
            shift = 0 if sys.byteorder == "little" else (new_width - width) // 8
            self.steps.append(Copy(bit // 8, new_bit // 8 + shift, width // 8))
        elif is_whole:
            self.steps.append(
                Number(path, bit // 8, width // 8, is_signed, new_bit // 8, new_width // 8, is_new_signed)
            )
        else:
            self.steps.append(Bits(path, bit, width, is_signed, new_bit, new_width, is_new_signed))
        if (bit, width, is_signed) != (new_bit, new_width, is_new_signed):
            if fits:
                self._row(path, before, after, "widened")
            else:
                is_moved = (new_width, is_new_signed) == (width, is_signed)
                self._row(path, before, after, "moved" if is_moved else "each value is checked")

    def _copied(self, path: str, old_id: int, at: int, new_id: int, to: int, size: int) -> None:
        self.steps.append(Copy(at, to, size))
        if at != to:
            before, after = self._text(self._old, old_id, at), self._text(self._new, new_id, to)
            self.rows.append(FieldRow(path, before, after, "moved"))

    def _row(self, path: str, before: str, after: str, how: str) -> None:
        self.is_changed = True
        self.rows.append(FieldRow(path, before, after, how))

    def _fault(self, path: str, old_id: int, new_id: int) -> None:
        before, after = type_text(self._old, old_id), type_text(self._new, new_id)
        self.faults.append(f"{path or 'the whole'}: {before} cannot become {after}")

    @staticmethod
    def _text(btf: Btf, type_id: int, at: int) -> str:
        return f"{type_text(btf, type_id)} @{at}"

    def _place(self, btf: Btf, field: Field) -> str:
        bits = f":{field.width}" if field.width else ""
        return f"{type_text(btf, field.type_id)}{bits} @{field.bit // 8}" + (f".{field.bit % 8}" if bits else "")


def fields_of(btf: Btf, each: Struct | Datasec, base: int, depth: int = 0) -> dict[str, Field]:
    """Members by name; those of an unnamed struct are the outer one's, an unnamed union goes by its members' names."""
    found: dict[str, Field] = {}
    if isinstance(each, Datasec):
        for row in each.variables:
            variable = btf.get(row.type_id)
            if isinstance(variable, Var):
                found[variable.name] = Field(variable.type_id, base + row.offset * 8, 0)
        return found
    if depth > MAX_DEPTH:
        raise ObjectError(f"unnamed structs more than {MAX_DEPTH} deep")
    for member in each.members:
        inner = btf.resolved(member.type_id)
        field = Field(member.type_id, base + member.bit_offset, member.bitfield_size)
        if member.name:
            found[member.name] = field
        elif isinstance(inner, Struct):
            found |= fields_of(btf, inner, field.bit, depth + 1)
        elif isinstance(inner, Union) and inner.members:
            found[f"{_UNION}{' '.join(each.name for each in inner.members)}>"] = field
        if len(found) > MAX_FIELDS:
            raise ObjectError(f"more than {MAX_FIELDS} fields")
    return found


def _paired_unions(ours: dict[str, Field], theirs: dict[str, Field]) -> dict[str, Field]:
    """``theirs``, an unnamed union that shares a member's name with one of ours called as ours is."""
    waiting = {key: set(key[len(_UNION) : -1].split()) for key in ours if key.startswith(_UNION)}
    found = {}
    for key, field in theirs.items():
        names = set(key[len(_UNION) : -1].split()) if key.startswith(_UNION) else set()
        same = next((other for other, known in waiting.items() if known & names), key)
        waiting.pop(same, None)
        found[same] = field
    return found


def _union_members(btf: Btf, union: Union) -> dict[str, str]:
    """Name (number where it has none) -> layout, of every member."""
    return {
        member.name or f"#{index}": layout_text(btf, member.type_id)
        + (f":{member.bitfield_size} @{member.bit_offset}" if member.bitfield_size else "")
        for index, member in enumerate(union.members)
    }


def _extent(each: Int | Enum | Enum64, bit: int, width: int) -> tuple[int, int, bool]:
    """First bit, bits and sign of an integer; those of an Int may be a bit field's by itself."""
    if width:
        return bit, width, each.is_signed
    if isinstance(each, Int):
        return bit + each.bit_offset, max(1, each.bits), each.is_signed
    return bit, each.size * 8, each.is_signed


def _is_plain_pair(old: Int | Enum | Enum64, new: Int | Enum | Enum64, width: int, new_width: int) -> bool:
    """Two enums, or an enum and an integer, of one size: compilers give an enum a sign for a negative value only."""
    return width == new_width and not (isinstance(old, Int) and isinstance(new, Int))


def _renumbered(old: Int | Enum | Enum64, new: Int | Enum | Enum64) -> tuple[dict[int, int], dict[int, str]]:
    """Old number -> new number of one name; old number -> why it means something else now."""
    if isinstance(old, Int) or isinstance(new, Int):
        return {}, {}
    by_name = {each.name: each.value for each in new.values}
    by_number = {each.value: each.name for each in new.values}
    numbers = {each.value: by_name[each.name] for each in old.values if each.name in by_name}
    renamed = {
        each.value: f"{each.name} is {by_number[each.value]} now"
        for each in old.values
        if each.value not in numbers and each.value in by_number
    }
    known = {each.value for each in old.values}
    if any(key != value for key, value in numbers.items()):
        renamed |= {
            value: f"it had no name and is {name} now" for value, name in by_number.items() if value not in known
        }
    return numbers, renamed


def begins_anew(btf: Btf, type_id: int) -> bool:
    """Its bytes are the kernel's own, and nobody reads or writes them from outside."""
    each = btf.resolved(type_id)
    if isinstance(each, Struct):
        return each.name in ANEW_STRUCTS
    if isinstance(each, Ptr):
        tag = btf.get(each.type_id)
        return isinstance(tag, TypeTag) and tag.name in _KPTR_TAGS
    return False


def _number_text(each: Int | Enum | Enum64, bit: int, width: int) -> str:
    return f"{number_name(each)}{width} @{bit // 8}" + (f".{bit % 8}" if bit % 8 or width % 8 else "")
