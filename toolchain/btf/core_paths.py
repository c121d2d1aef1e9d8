"""How a CO-RE relocation names a field, and where another struct of the same name has it.

The compiler writes a path of indices from a root type, "0:1:2". Numbers mean nothing in other type information, so the
path is read as the names and array elements that it passes, and those are looked up in the other:

    struct sample {                 0:1:2, that is s[0].a[2]
        int first;                     0   element 0 of what the pointer points at
        struct {                       1   first member: no name, passed over
            int a[7];                  ..  member "a"
        };                             2   element 2
    };

A type may bear a *flavour*, ``task_struct___old``, which does not count: its *essential* name is ``task_struct``. So a
program can describe one kernel type in several ways.

Bounds: paths of 64 steps, as libbpf has; searches through nested anonymous members spend from a ``Budget``.

Source: libbpf 1.7, src/relo_core.c: bpf_core_parse_spec(), bpf_core_spec_match(), bpf_core_match_member(),
bpf_core_fields_are_compat(); src/libbpf.c: bpf_core_essential_name_len().
"""

from __future__ import annotations

import re
from typing import NamedTuple

from toolchain.btf.codec import MAX_DEPTH, Btf
from toolchain.btf.strings import essential_name
from toolchain.btf.types import COMPOSITES, Array, BtfType, Enum, Enum64, Float, Func, FuncProto, Fwd, Int, Ptr, Void
from toolchain.btf.types import Struct as StructType
from toolchain.btf.types import Union as UnionType
from toolchain.errors import LinkError

MAX_STEPS = 64
"""Indices of a path, those through anonymous members included. Source: relo_core.h, BPF_CORE_SPEC_MAX_LEN."""

ENUMS = (Enum, Enum64)
_PATH = re.compile(r"[0-9]{1,10}(:[0-9]{1,10})*\Z")


class Budget:
    """Comparisons that may still be made: what bounds the work on hostile types."""

    __slots__ = ("left",)

    def __init__(self, left: int = 4_000_000) -> None:
        self.left = left

    def spend(self, count: int = 1) -> None:
        """Raises LinkError where nothing is left."""
        self.left -= count
        if self.left < 0:
            raise LinkError("types too entangled to compare")


class Step(NamedTuple):
    """A turn of a path: member ``number`` of a struct, with its name, or element ``number`` of ``type_id``, with ''."""

    type_id: int
    number: int
    name: str = ""


class Path(NamedTuple):
    """A field of the type ``root``. Units: ``bit_offset`` in bits from the root's start."""

    root: int
    steps: tuple[Step, ...]
    bit_offset: int


def are_kinds_alike(one: BtfType, other: BtfType) -> bool:
    """They are of one kind; the two kinds of enums count as one."""
    return type(one) is type(other) or (isinstance(one, ENUMS) and isinstance(other, ENUMS))


def size_of(btf: Btf, type_id: int) -> int:
    """Bytes of a value of the type. Raises LinkError where it has no size: it is declared only, or a function."""
    last = type_id
    for _ in range(MAX_DEPTH):
        last = btf.resolve(last)
        each = btf.types[last]
        if not isinstance(each, Array):
            break
        last = each.type_id
    if isinstance(btf.types[last], Void | Fwd | Func | FuncProto):
        raise LinkError(f"type without a size: [{type_id}]")
    return btf.size_of(type_id)


def indices(access: str) -> tuple[int, ...]:
    """The numbers of "0:1:2". Raises LinkError."""
    if not _PATH.match(access):
        raise LinkError(f"malformed access path: {access[:80]} (0:1:2)")
    numbers = tuple(map(int, access.split(":")))
    if len(numbers) > MAX_STEPS or max(numbers) > 0x7FFFFFFF:
        raise LinkError(f"access path out of range: {access[:80]} (at most {MAX_STEPS} numbers of 31 bits)")
    return numbers


def read_path(btf: Btf, type_id: int, access: str) -> Path:
    """What a relocation's access string means in the object's own types. Raises LinkError, ObjectError."""
    first, *others = indices(access)
    here = btf.resolve(type_id)
    steps = [Step(here, first)]
    bits = first * size_of(btf, here) * 8
    for index in others:
        here = btf.resolve(here)
        each = btf.types[here]
        if isinstance(each, COMPOSITES):
            if index >= len(each.members):
                raise LinkError(f"access path leaves the type: member {index} of {len(each.members)}")
            member = each.members[index]
            bits += member.bit_offset
            if member.name:
                steps.append(Step(here, index, member.name))
            here = member.type_id
        elif isinstance(each, Array):
            here = btf.resolve(each.type_id)
            if index >= each.count and not _is_flexible(btf, steps[-1], each):
                raise LinkError(f"access path leaves the array: element {index} of {each.count}")
            steps.append(Step(here, index))
            bits += index * size_of(btf, here) * 8
        else:
            raise LinkError(f"access path goes on below a {each.kind.name.lower()}: {access[:80]}")
    return Path(type_id, tuple(steps), bits & 0xFFFFFFFF)


def _is_flexible(btf: Btf, step: Step, array: Array) -> bool:
    """The array is a struct's last member and has no length, so any element may be meant."""
    if not step.name or array.count:
        return False
    owner = btf.types[step.type_id]
    return isinstance(owner, COMPOSITES) and step.number == len(owner.members) - 1


class _Member(NamedTuple):
    """A member found: its path within the struct that was searched."""

    step: Step
    type_id: int
    bit_offset: int
    depth: int


def match_path(own: Btf, path: Path, other: Btf, candidate: int, budget: Budget) -> Path | None:
    """The same field in the type ``candidate`` of ``other``; None where it has none. Raises LinkError, ObjectError."""
    here, bits, length = candidate, 0, 0
    steps: list[Step] = []
    for step in path.steps:
        here = other.resolve(here)
        if step.name:
            found = _find_member(own, step, other, here, budget, length)
            if found is None:
                return None
            steps.append(found.step)
            here, bits, length = found.type_id, bits + found.bit_offset, found.depth
            continue
        if steps:
            array = other.types[here]
            if not isinstance(array, Array):
                return None
            if step.number >= array.count and not _is_flexible(other, steps[-1], array):
                return None
            here = other.resolve(array.type_id)
        length += 1
        _check_length(length)
        steps.append(Step(here, step.number))
        bits += step.number * size_of(other, here) * 8
    return Path(candidate, tuple(steps), bits & 0xFFFFFFFF)


def _check_length(length: int) -> None:
    if length > MAX_STEPS:
        raise LinkError(f"types nested too deep: over {MAX_STEPS}")


def _find_member(own: Btf, step: Step, other: Btf, type_id: int, budget: Budget, depth: int) -> _Member | None:
    """The member of that name, of a type that fits, in a struct or the anonymous ones within it."""
    type_id = other.resolve(type_id)
    owner = other.types[type_id]
    if not isinstance(owner, COMPOSITES):
        return None
    budget.spend(8 + len(owner.members))
    _check_length(depth + 1)
    for index, member in enumerate(owner.members):
        if not member.name:
            inner = _find_member(own, step, other, member.type_id, budget, depth + 1)
            if inner is not None:
                return inner._replace(bit_offset=inner.bit_offset + member.bit_offset)
        elif member.name == step.name:
            if not are_fields_compatible(own, _member_type(own, step), other, member.type_id):
                return None
            return _Member(Step(type_id, index, member.name), member.type_id, member.bit_offset, depth + 1)
    return None


def _member_type(btf: Btf, step: Step) -> int:
    owner = btf.types[step.type_id]
    assert isinstance(owner, StructType | UnionType)
    return owner.members[step.number].type_id


def are_fields_compatible(own: Btf, own_id: int, other: Btf, other_id: int) -> bool:
    """A field of one type may be read as one of the other.

    Structs, unions, pointers and numbers pass for each other whatever they hold; enums and declarations must not have
    different names; of arrays only the elements count.
    """
    for _ in range(MAX_DEPTH):
        mine, theirs = own.resolved(own_id), other.resolved(other_id)
        if isinstance(mine, COMPOSITES) and isinstance(theirs, COMPOSITES):
            return True
        if not are_kinds_alike(mine, theirs):
            return False
        match mine, theirs:
            case (Ptr(), _) | (Float(), _):
                return True
            case ((Fwd() | Enum() | Enum64()), (Fwd() | Enum() | Enum64())):
                names = essential_name(mine.name), essential_name(theirs.name)
                return not all(names) or names[0] == names[1]
            case Int(), Int():
                return mine.bit_offset == 0 == theirs.bit_offset
            case Array(), Array():
                own_id, other_id = mine.type_id, theirs.type_id
            case _:
                return False
    raise LinkError(f"types nested too deep: over {MAX_DEPTH}")
