"""The nineteen kinds of BTF types, as values.

BTF describes C types, functions and variables of a BPF object (or of the kernel) as one flat list. A type refers to
another by its *id*, its place in that list; id 0 is void and stands in no file. In the file each type is

    u32 name_off   u32 info                            u32 size_or_type    then what its kind adds
                   31        28..24   15..0
                   kind_flag kind     vlen (count)

    kind  dataclass   size_or_type   what follows
    1     Int         size           u32: encoding, bit offset, bits
    2     Ptr         type
    3     Array       -              type, index type, count
    4, 5  Struct, Union size         vlen Member: name, type, bit offset (kind_flag: bit-field size in the top byte)
    6     Enum        size           vlen Enumerator: name, s32 or u32 (kind_flag: signed)
    7     Fwd         -              (kind_flag: a union)
    8     Typedef     type
    9-11  Volatile, Const, Restrict  type
    12    Func        prototype      (vlen: static 0, global 1, extern 2)
    13    FuncProto   return type    vlen Param: name, type; a last one of ('', 0) says variadic
    14    Var         type           u32 linkage: static 0, global 1, extern 2
    15    Datasec     size           vlen VarSecinfo: variable, offset, size
    16    Float       size
    17    DeclTag     type           u32 component index, -1 for the declaration itself
    18    TypeTag     type
    19    Enum64      size           vlen Enumerator: name, low word, high word

Every class holds exactly what the file does, so encoding a decoded type gives the same type again.

Source: Linux 6.12, Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""

from __future__ import annotations

from dataclasses import Field, dataclass
from enum import IntEnum
from typing import Any, ClassVar, TypeAlias, TypeVar, dataclass_transform

MAGIC = 0xEB9F
HEADER_SIZE = 24
"""Of a .BTF section."""


class Kind(IntEnum):
    """``BTF_KIND_*``."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


class Linkage(IntEnum):
    """Of a Func or Var."""

    STATIC = 0
    GLOBAL = 1
    EXTERN = 2


INT_SIGNED, INT_CHAR, INT_BOOL = 1, 2, 4
"""Bits of Int.encoding."""


class _Value:
    """What all types share: equal when of one class and equal in every field."""

    __slots__: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    kind: ClassVar[Kind]

    def _fields(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self.__slots__])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._fields()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


_C = TypeVar("_C", bound=type)


@dataclass_transform(frozen_default=True)
def _value(cls: _C) -> _C:
    """A dataclass with slots whose fields nobody assigns to: frozen for the type checker, not at run time.

    ``dataclass(frozen=True)`` and its own comparison cost 0.6 ms a class to import and 0.6 us more to make a value;
    there are 24 classes, and an object holds thousands of values. This way it is 0.1 ms and a plain assignment.
    """
    return dataclass(slots=True, eq=False, repr=False)(cls)  # type: ignore[return-value]


@_value
class Void(_Value):
    """Type 0; in no file."""

    kind: ClassVar[Kind] = Kind.VOID


@_value
class Int(_Value):
    """An integer of ``size`` bytes, of which ``bits`` from ``bit_offset`` on count; ``encoding`` ors INT_* bits."""

    name: str
    size: int
    encoding: int = 0
    bits: int = -1
    bit_offset: int = 0
    kind: ClassVar[Kind] = Kind.INT

    def __post_init__(self) -> None:
        if self.bits < 0:
            self.bits = self.size * 8  # type: ignore[misc]

    @property
    def is_signed(self) -> bool:
        """It has a sign bit."""
        return bool(self.encoding & INT_SIGNED)

    @property
    def is_bool(self) -> bool:
        """It is C's bool."""
        return bool(self.encoding & INT_BOOL)


@_value
class Ptr(_Value):
    """A pointer; 8 bytes."""

    type_id: int
    kind: ClassVar[Kind] = Kind.PTR


@_value
class Array(_Value):
    """``count`` elements of ``type_id``."""

    type_id: int
    index_type_id: int
    count: int
    kind: ClassVar[Kind] = Kind.ARRAY


@_value
class Member(_Value):
    """A field of a struct or union. ``bitfield_size`` is 0 for a plain field, else its width in bits.

    Units: ``bit_offset`` in bits from the struct's start.
    """

    name: str
    type_id: int
    bit_offset: int = 0
    bitfield_size: int = 0


@_value
class Struct(_Value):
    """A struct of ``size`` bytes. ``kind_flag`` says that its members carry bit-field sizes."""

    name: str
    size: int
    members: tuple[Member, ...] = ()
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.STRUCT


@_value
class Union(_Value):
    """A union of ``size`` bytes."""

    name: str
    size: int
    members: tuple[Member, ...] = ()
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.UNION


@_value
class Enumerator(_Value):
    """A name of an enum. ``value`` is signed where the enum is."""

    name: str
    value: int


@_value
class Enum(_Value):
    """An enum whose values fit in 32 bits."""

    name: str
    size: int
    values: tuple[Enumerator, ...] = ()
    is_signed: bool = False
    kind: ClassVar[Kind] = Kind.ENUM


@_value
class Enum64(_Value):
    """An enum with values of 64 bits."""

    name: str
    size: int
    values: tuple[Enumerator, ...] = ()
    is_signed: bool = False
    kind: ClassVar[Kind] = Kind.ENUM64


@_value
class Fwd(_Value):
    """A struct or union that is declared only."""

    name: str
    is_union: bool = False
    kind: ClassVar[Kind] = Kind.FWD


@_value
class Typedef(_Value):
    """A typedef."""

    name: str
    type_id: int
    kind: ClassVar[Kind] = Kind.TYPEDEF


@_value
class Volatile(_Value):
    """A volatile type."""

    type_id: int
    kind: ClassVar[Kind] = Kind.VOLATILE


@_value
class Const(_Value):
    """A const type."""

    type_id: int
    kind: ClassVar[Kind] = Kind.CONST


@_value
class Restrict(_Value):
    """A restrict pointer."""

    type_id: int
    kind: ClassVar[Kind] = Kind.RESTRICT


@_value
class Func(_Value):
    """A function; ``type_id`` is its FuncProto, ``linkage`` a Linkage."""

    name: str
    type_id: int
    linkage: int = Linkage.GLOBAL
    kind: ClassVar[Kind] = Kind.FUNC


@_value
class Param(_Value):
    """A parameter. A last one of no name and type 0 makes the function variadic."""

    name: str
    type_id: int


@_value
class FuncProto(_Value):
    """A prototype; ``type_id`` is what it returns."""

    type_id: int
    params: tuple[Param, ...] = ()
    kind: ClassVar[Kind] = Kind.FUNC_PROTO


@_value
class Var(_Value):
    """A variable; ``linkage`` is a Linkage."""

    name: str
    type_id: int
    linkage: int = Linkage.GLOBAL
    kind: ClassVar[Kind] = Kind.VAR


@_value
class VarSecinfo(_Value):
    """A variable's place in its section. Units: bytes."""

    type_id: int
    offset: int
    size: int


@_value
class Datasec(_Value):
    """A section and the variables (or extern functions) in it. ``size`` may be 0: compilers leave it to the loader."""

    name: str
    size: int
    variables: tuple[VarSecinfo, ...] = ()
    kind: ClassVar[Kind] = Kind.DATASEC


@_value
class Float(_Value):
    """A floating-point number of ``size`` bytes."""

    name: str
    size: int
    kind: ClassVar[Kind] = Kind.FLOAT


@_value
class DeclTag(_Value):
    """A tag on a declaration, or on its member or parameter ``component_index``. ``kind_flag``: a whole attribute."""

    name: str
    type_id: int
    component_index: int = -1
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.DECL_TAG


@_value
class TypeTag(_Value):
    """A tag on a type. ``kind_flag``: a whole attribute."""

    name: str
    type_id: int
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.TYPE_TAG


BtfType: TypeAlias = (
    Void | Int | Ptr | Array | Struct | Union | Enum | Enum64 | Fwd | Typedef | Volatile | Const | Restrict | Func
    | FuncProto | Var | Datasec | Float | DeclTag | TypeTag
)  # fmt: skip
"""Any type."""

Modifier: TypeAlias = Typedef | Volatile | Const | Restrict | TypeTag
"""A type that only adds a name or a quality to another."""

MODIFIERS = (Typedef, Volatile, Const, Restrict, TypeTag)
"""For isinstance: what ``Btf.resolve`` looks through."""

COMPOSITES = (Struct, Union)
"""For isinstance: what has members."""


def name_of(each: BtfType) -> str:
    """A type's name, '' where its kind has none."""
    return getattr(each, "name", "")
