"""The nineteen kinds of BTF types, as frozen values.

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

Every dataclass holds exactly what the file does, so encoding a decoded type gives the same type again.

Source: Linux 6.12, Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, TypeAlias

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


@dataclass(frozen=True, slots=True)
class Void:
    """Type 0; in no file."""

    kind: ClassVar[Kind] = Kind.VOID


@dataclass(frozen=True, slots=True)
class Int:
    """An integer of ``size`` bytes, of which ``bits`` from ``bit_offset`` on count; ``encoding`` ors INT_* bits."""

    name: str
    size: int
    encoding: int = 0
    bits: int = -1
    bit_offset: int = 0
    kind: ClassVar[Kind] = Kind.INT

    def __post_init__(self) -> None:
        if self.bits < 0:
            object.__setattr__(self, "bits", self.size * 8)

    @property
    def is_signed(self) -> bool:
        """It has a sign bit."""
        return bool(self.encoding & INT_SIGNED)

    @property
    def is_bool(self) -> bool:
        """It is C's bool."""
        return bool(self.encoding & INT_BOOL)


@dataclass(frozen=True, slots=True)
class Ptr:
    """A pointer; 8 bytes."""

    type_id: int
    kind: ClassVar[Kind] = Kind.PTR


@dataclass(frozen=True, slots=True)
class Array:
    """``count`` elements of ``type_id``."""

    type_id: int
    index_type_id: int
    count: int
    kind: ClassVar[Kind] = Kind.ARRAY


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a struct or union. ``bitfield_size`` is 0 for a plain field, else its width in bits.

    Units: ``bit_offset`` in bits from the struct's start.
    """

    name: str
    type_id: int
    bit_offset: int = 0
    bitfield_size: int = 0


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct of ``size`` bytes. ``kind_flag`` says that its members carry bit-field sizes."""

    name: str
    size: int
    members: tuple[Member, ...] = ()
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.STRUCT


@dataclass(frozen=True, slots=True)
class Union:
    """A union of ``size`` bytes."""

    name: str
    size: int
    members: tuple[Member, ...] = ()
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.UNION


@dataclass(frozen=True, slots=True)
class Enumerator:
    """A name of an enum. ``value`` is signed where the enum is."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum whose values fit in 32 bits."""

    name: str
    size: int
    values: tuple[Enumerator, ...] = ()
    is_signed: bool = False
    kind: ClassVar[Kind] = Kind.ENUM


@dataclass(frozen=True, slots=True)
class Enum64:
    """An enum with values of 64 bits."""

    name: str
    size: int
    values: tuple[Enumerator, ...] = ()
    is_signed: bool = False
    kind: ClassVar[Kind] = Kind.ENUM64


@dataclass(frozen=True, slots=True)
class Fwd:
    """A struct or union that is declared only."""

    name: str
    is_union: bool = False
    kind: ClassVar[Kind] = Kind.FWD


@dataclass(frozen=True, slots=True)
class Typedef:
    """A typedef."""

    name: str
    type_id: int
    kind: ClassVar[Kind] = Kind.TYPEDEF


@dataclass(frozen=True, slots=True)
class Volatile:
    """A volatile type."""

    type_id: int
    kind: ClassVar[Kind] = Kind.VOLATILE


@dataclass(frozen=True, slots=True)
class Const:
    """A const type."""

    type_id: int
    kind: ClassVar[Kind] = Kind.CONST


@dataclass(frozen=True, slots=True)
class Restrict:
    """A restrict pointer."""

    type_id: int
    kind: ClassVar[Kind] = Kind.RESTRICT


@dataclass(frozen=True, slots=True)
class Func:
    """A function; ``type_id`` is its FuncProto, ``linkage`` a Linkage."""

    name: str
    type_id: int
    linkage: int = Linkage.GLOBAL
    kind: ClassVar[Kind] = Kind.FUNC


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter. A last one of no name and type 0 makes the function variadic."""

    name: str
    type_id: int


@dataclass(frozen=True, slots=True)
class FuncProto:
    """A prototype; ``type_id`` is what it returns."""

    type_id: int
    params: tuple[Param, ...] = ()
    kind: ClassVar[Kind] = Kind.FUNC_PROTO


@dataclass(frozen=True, slots=True)
class Var:
    """A variable; ``linkage`` is a Linkage."""

    name: str
    type_id: int
    linkage: int = Linkage.GLOBAL
    kind: ClassVar[Kind] = Kind.VAR


@dataclass(frozen=True, slots=True)
class VarSecinfo:
    """A variable's place in its section. Units: bytes."""

    type_id: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Datasec:
    """A section and the variables (or extern functions) in it. ``size`` may be 0: compilers leave it to the loader."""

    name: str
    size: int
    variables: tuple[VarSecinfo, ...] = ()
    kind: ClassVar[Kind] = Kind.DATASEC


@dataclass(frozen=True, slots=True)
class Float:
    """A floating-point number of ``size`` bytes."""

    name: str
    size: int
    kind: ClassVar[Kind] = Kind.FLOAT


@dataclass(frozen=True, slots=True)
class DeclTag:
    """A tag on a declaration, or on its member or parameter ``component_index``. ``kind_flag``: a whole attribute."""

    name: str
    type_id: int
    component_index: int = -1
    kind_flag: bool = False
    kind: ClassVar[Kind] = Kind.DECL_TAG


@dataclass(frozen=True, slots=True)
class TypeTag:
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
