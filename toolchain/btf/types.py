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

Every class is a value (toolchain.values) that holds exactly what the file does, so encoding a decoded type gives the
same type again.

Source: Linux 6.12, Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, TypeAlias

from toolchain.values import Value, value_type

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


@value_type
class Void(Value):
    """Type 0; in no file."""

    kind: ClassVar[Kind] = Kind.VOID


@value_type
class Int(Value):
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


@value_type
class Ptr(Value):
    """A pointer; 8 bytes."""

    type_id: int
    kind: ClassVar[Kind] = Kind.PTR


@value_type
class Array(Value):
    """``count`` elements of ``type_id``."""

    type_id: int
    index_type_id: int
    count: int
    kind: ClassVar[Kind] = Kind.ARRAY


@value_type
class Member(Value):
    """A field of a struct or union. ``bitfield_size`` is 0 for a plain field, else its width in bits.

    Units: ``bit_offset`` in bits from the struct's start.
    """

    name: str
    type_id: int
    bit_offset: int = 0
    bitfield_size: int = 0


@value_type
class Struct(Value):
    """A struct of ``size`` bytes. ``kind_flag`` says that its members carry bit-field sizes."""

    name: str
    size: int
    members: tuple[Member, ...] = ()
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.STRUCT


@value_type
class Union(Value):
    """A union of ``size`` bytes."""

    name: str
    size: int
    members: tuple[Member, ...] = ()
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.UNION


@value_type
class Enumerator(Value):
    """A name of an enum. ``value`` is signed where the enum is."""

    name: str
    value: int


@value_type
class Enum(Value):
    """An enum whose values fit in 32 bits."""

    name: str
    size: int
    values: tuple[Enumerator, ...] = ()
    is_signed: bool = False
    kind: ClassVar[Kind] = Kind.ENUM


@value_type
class Enum64(Value):
    """An enum with values of 64 bits."""

    name: str
    size: int
    values: tuple[Enumerator, ...] = ()
    is_signed: bool = False
    kind: ClassVar[Kind] = Kind.ENUM64


@value_type
class Fwd(Value):
    """A struct or union that is declared only."""

    name: str
    is_union: bool = False
    kind: ClassVar[Kind] = Kind.FWD


@value_type
class Typedef(Value):
    """A typedef."""

    name: str
    type_id: int
    kind: ClassVar[Kind] = Kind.TYPEDEF


@value_type
class Volatile(Value):
    """A volatile type."""

    type_id: int
    kind: ClassVar[Kind] = Kind.VOLATILE


@value_type
class Const(Value):
    """A const type."""

    type_id: int
    kind: ClassVar[Kind] = Kind.CONST


@value_type
class Restrict(Value):
    """A restrict pointer."""

    type_id: int
    kind: ClassVar[Kind] = Kind.RESTRICT


@value_type
class Func(Value):
    """A function; ``type_id`` is its FuncProto, ``linkage`` a Linkage."""

    name: str
    type_id: int
    linkage: int = Linkage.GLOBAL
    kind: ClassVar[Kind] = Kind.FUNC


@value_type
class Param(Value):
    """A parameter. A last one of no name and type 0 makes the function variadic."""

    name: str
    type_id: int


@value_type
class FuncProto(Value):
    """A prototype; ``type_id`` is what it returns."""

    type_id: int
    params: tuple[Param, ...] = ()
    kind: ClassVar[Kind] = Kind.FUNC_PROTO


@value_type
class Var(Value):
    """A variable; ``linkage`` is a Linkage."""

    name: str
    type_id: int
    linkage: int = Linkage.GLOBAL
    kind: ClassVar[Kind] = Kind.VAR


@value_type
class VarSecinfo(Value):
    """A variable's place in its section. Units: bytes."""

    type_id: int
    offset: int
    size: int


@value_type
class Datasec(Value):
    """A section and the variables (or extern functions) in it. ``size`` may be 0: compilers leave it to the loader."""

    name: str
    size: int
    variables: tuple[VarSecinfo, ...] = ()
    kind: ClassVar[Kind] = Kind.DATASEC


@value_type
class Float(Value):
    """A floating-point number of ``size`` bytes."""

    name: str
    size: int
    kind: ClassVar[Kind] = Kind.FLOAT


@value_type
class DeclTag(Value):
    """A tag on a declaration, or on its member or parameter ``component_index``. ``kind_flag``: a whole attribute."""

    name: str
    type_id: int
    component_index: int = -1
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.DECL_TAG


@value_type
class TypeTag(Value):
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
