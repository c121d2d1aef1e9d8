"""Whether two whole types, of two sets of type information, are the same for a CO-RE relocation or a kernel's symbol.

                  compatible (exists, size, id)            match (matches)
    int           always                                   same size and sign
    enum          always                                   same size; every own name is there, whatever its number
    struct        always: the names agree already          every own member is there and matches; behind a pointer
                                                           the name is enough, and a declaration will do
    pointer       what is pointed at is compatible         what is pointed at matches
    array         the elements are compatible              same length, the elements match
    prototype     as many parameters, all compatible       as many parameters, all match

The names of the two outermost types were compared by whoever chose the candidate.

Bounds: chains of 32 types and 32 levels of prototypes or structs, as libbpf has; the rest by a ``Budget``.

Source: libbpf 1.7, src/relo_core.c: __bpf_core_types_are_compat(), __bpf_core_types_match(),
bpf_core_composites_match(), bpf_core_enums_match(), bpf_core_names_match().
"""

from __future__ import annotations

from toolchain.btf.codec import Btf
from toolchain.btf.core_paths import Budget, are_kinds_alike
from toolchain.btf.strings import essential_name
from toolchain.btf.types import (
    Array,
    BtfType,
    Enum,
    Enum64,
    Func,
    FuncProto,
    Fwd,
    Int,
    Ptr,
    Struct,
    Union,
    Var,
    Void,
    name_of,
)
from toolchain.errors import LinkError

_LEVELS = 32


class _Pair:
    """Own and other type information, and what may still be spent on comparing them."""

    __slots__ = ("budget", "other", "own")

    def __init__(self, own: Btf, other: Btf, budget: Budget) -> None:
        self.own = own
        self.other = other
        self.budget = budget

    def resolved(self, own_id: int, other_id: int) -> tuple[BtfType, BtfType]:
        """Both types, without typedefs and qualifiers."""
        self.budget.spend()
        return self.own.resolved(own_id), self.other.resolved(other_id)


def are_types_compatible(own: Btf, own_id: int, other: Btf, other_id: int, budget: Budget) -> bool:
    """Values of one type may stand for values of the other. Raises LinkError, ObjectError."""
    if not are_kinds_alike(own.get(own_id), other.get(other_id)):
        return False
    return _are_compatible(_Pair(own, other, budget), own_id, other_id, _LEVELS)


def do_declarations_agree(own: Btf, own_id: int, other: Btf, other_id: int) -> bool:
    """A function (or variable) of one side may be used as the other declares it: both are that, of compatible types.

    Source: libbpf.c, bpf_object__resolve_ksym_func_btf_id() and bpf_object__resolve_ksym_var_btf_id().
    Raises: LinkError, ObjectError.
    """
    mine, theirs = own.get(own_id), other.get(other_id)
    if not isinstance(mine, Func | Var) or not isinstance(theirs, Func | Var) or type(mine) is not type(theirs):
        return False
    return are_types_compatible(own, own.resolve(mine.type_id), other, other.resolve(theirs.type_id), Budget())


def do_types_match(own: Btf, own_id: int, other: Btf, other_id: int, budget: Budget) -> bool:
    """The other type has all that the own one has. Raises LinkError, ObjectError."""
    return _match(_Pair(own, other, budget), own_id, other_id, False, _LEVELS)


def _are_compatible(pair: _Pair, own_id: int, other_id: int, level: int) -> bool:
    for _ in range(_LEVELS):
        mine, theirs = pair.resolved(own_id, other_id)
        if not are_kinds_alike(mine, theirs):
            return False
        match mine, theirs:
            case ((Void() | Struct() | Union() | Enum() | Enum64() | Fwd()), _):
                return True
            case Int(), Int():
                return mine.bit_offset == 0 == theirs.bit_offset
            case ((Ptr() | Array()), (Ptr() | Array())):
                own_id, other_id = mine.type_id, theirs.type_id
            case FuncProto(), FuncProto():
                if len(mine.params) != len(theirs.params):
                    return False
                for one, two in zip(mine.params, theirs.params, strict=True):
                    _check_level(level)
                    if not _are_compatible(pair, one.type_id, two.type_id, level - 1):
                        return False
                own_id, other_id = mine.type_id, theirs.type_id
            case _:
                return False
    raise _too_deep()


def _check_level(level: int) -> None:
    if level <= 0:
        raise _too_deep()


def _too_deep() -> LinkError:
    return LinkError(f"types nested too deep: over {_LEVELS}")


def _match(pair: _Pair, own_id: int, other_id: int, is_behind_pointer: bool, level: int) -> bool:
    _check_level(level)
    for _ in range(_LEVELS):
        mine, theirs = pair.resolved(own_id, other_id)
        if not _do_names_match(name_of(mine), name_of(theirs)):
            return False
        match mine, theirs:
            case Void(), Void():
                return True
            case Fwd(), _:
                return _does_declaration_match(mine, theirs, is_behind_pointer)
            case ((Struct() | Union()), Fwd()):
                return is_behind_pointer and isinstance(mine, Union) == theirs.is_union
            case ((Struct() | Union()), (Struct() | Union())):
                if mine.kind != theirs.kind:
                    return False
                return is_behind_pointer or _do_members_match(pair, mine, theirs, level)
            case ((Enum() | Enum64()), (Enum() | Enum64())):
                return _do_enums_match(pair, mine, theirs)
            case Int(), Int():
                return mine.size == theirs.size and mine.is_signed == theirs.is_signed
            case Ptr(), Ptr():
                is_behind_pointer = True
                own_id, other_id = mine.type_id, theirs.type_id
            case Array(), Array():
                if mine.count != theirs.count:
                    return False
                own_id, other_id = mine.type_id, theirs.type_id
            case FuncProto(), FuncProto():
                if len(mine.params) != len(theirs.params):
                    return False
                for one, two in zip(mine.params, theirs.params, strict=True):
                    if not _match(pair, one.type_id, two.type_id, is_behind_pointer, level - 1):
                        return False
                own_id, other_id = mine.type_id, theirs.type_id
            case _:
                return False
    raise _too_deep()


def _do_names_match(mine: str, theirs: str) -> bool:
    return essential_name(mine) == essential_name(theirs)


def _does_declaration_match(mine: Fwd, theirs: BtfType, is_behind_pointer: bool) -> bool:
    if isinstance(theirs, Fwd):
        return mine.is_union == theirs.is_union
    return is_behind_pointer and isinstance(theirs, Union if mine.is_union else Struct)


def _do_members_match(pair: _Pair, mine: Struct | Union, theirs: Struct | Union, level: int) -> bool:
    """Every own member has one of its name among theirs that matches."""
    if len(mine.members) > len(theirs.members):
        return False
    by_name: dict[str, list[int]] = {}
    for each in theirs.members:
        by_name.setdefault(essential_name(each.name), []).append(each.type_id)
    pair.budget.spend(len(theirs.members))
    return all(
        any(
            _match(pair, member.type_id, type_id, False, level - 1)
            for type_id in by_name.get(essential_name(member.name), ())
        )
        for member in mine.members
    )


def _do_enums_match(pair: _Pair, mine: Enum | Enum64, theirs: Enum | Enum64) -> bool:
    if mine.size != theirs.size or len(mine.values) > len(theirs.values):
        return False
    pair.budget.spend(len(theirs.values))
    names = {essential_name(each.name) for each in theirs.values}
    return all(essential_name(each.name) in names for each in mine.values)
