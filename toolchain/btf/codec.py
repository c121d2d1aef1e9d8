"""Type information to values and back: the ``.BTF`` section.

    +--------+-----------------------+------------------------+
    | header | types, one after      | strings, each ended by |     header: magic, version, flags, hdr_len,
    | 24     | another, in 4-byte    | a zero byte; offset 0  |             type_off, type_len, str_off, str_len
    | bytes  | words                 | is the empty string    |             (offsets from the header's end)
    +--------+-----------------------+------------------------+

Decoding is lazy. One pass over the words finds where each type begins (0.3 us a type: the kernel's own 126,000 types
take 60 ms), checks its kind and that it lies inside the section; the dataclass is made when the type is asked for.
A program touches a few dozen of the thousands of types that an object carries.

Every byte is untrusted. What the pass cannot see (a string offset of a member) raises ObjectError when it is met;
type ids are checked by ``Btf.get``, chains of types by depth, so no input loops or recurses without end. Strings that
overlap are made only as long as their sum stays in proportion to the section.

Source: Linux 6.12, Documentation/bpf/btf.rst; limits from include/uapi/linux/btf.h and kernel/bpf/btf.c
(btf_parse_hdr).
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar, overload

from toolchain.btf.encode import encode_type, encode_types, frame
from toolchain.btf.strings import StringBuilder, StringTable, essential_name
from toolchain.btf.types import (
    HEADER_SIZE,
    MODIFIERS,
    Array,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Kind,
    Member,
    Param,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    VarSecinfo,
    Void,
    Volatile,
    name_of,
)
from toolchain.errors import ObjectError, SectionPlace

MAX_TYPES: Final = 0xFFFFF
"""Type ids have 20 bits in the kernel (BTF_MAX_TYPE)."""
MAX_DEPTH: Final = 64
"""Longest chain of modifiers or nested arrays followed; the kernel follows 32 (MAX_RESOLVE_DEPTH)."""
POINTER_SIZE: Final = 8
_MAX_SEARCHES: Final = 8
"""Names looked up by searching the strings; who asks for more gets an index of all names (0.6 us a type)."""
VOID: Final = Void()

_FIXED_WORDS = {
    Kind.INT: 1, Kind.PTR: 0, Kind.ARRAY: 3, Kind.FWD: 0, Kind.TYPEDEF: 0, Kind.VOLATILE: 0, Kind.CONST: 0,
    Kind.RESTRICT: 0, Kind.FUNC: 0, Kind.VAR: 1, Kind.FLOAT: 0, Kind.DECL_TAG: 1, Kind.TYPE_TAG: 0,
}  # fmt: skip
_WORDS_PER_ELEMENT = {
    Kind.STRUCT: 3, Kind.UNION: 3, Kind.ENUM: 2, Kind.FUNC_PROTO: 2, Kind.DATASEC: 3, Kind.ENUM64: 3,
}  # fmt: skip
_BASE_WORDS = tuple(3 + _FIXED_WORDS.get(Kind(kind), 0) if kind else -1 for kind in range(20)) + (-1,) * 12
_ELEMENT_WORDS = tuple(_WORDS_PER_ELEMENT.get(Kind(kind), 0) for kind in range(20)) + (0,) * 12
"""Words of a record and of each of its elements, by the five bits of its kind; -1: no such kind."""


def _signed(word: int) -> int:
    return word - (word >> 31 << 32)


def _signed64(value: int) -> int:
    return value - (value >> 63 << 64)


class _LazyTypes(Sequence[BtfType]):
    """The types of a section, each made when first asked for."""

    __slots__ = ("_made", "_replaced", "_starts", "_strings", "_words")

    def __init__(self, words: array[int], starts: list[int], strings: StringTable) -> None:
        self._words = words
        self._starts = starts
        self._strings = strings
        self._made: list[BtfType | None] = [None] * len(starts)
        self._made[0] = VOID
        self._replaced: dict[int, BtfType] = {}

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> BtfType: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[BtfType, ...]: ...
    def __getitem__(self, index: int | slice) -> BtfType | tuple[BtfType, ...]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        made = self._made[index]
        if made is None:
            made = self._made[index] = self._make(self._starts[index])
        return made

    def _make(self, start: int) -> BtfType:
        words = self._words
        info = words[start + 1]
        name = self._strings.at(words[start])
        count, kind_flag = info & 0xFFFF, bool(info >> 31)
        kind = info >> 24 & 31
        body = words[start + 3 : start + _BASE_WORDS[kind] + _ELEMENT_WORDS[kind] * count]
        return _MAKERS[kind](name, words[start + 2], count, kind_flag, body, self._strings)

    def ids_of_kind(self, kind: int) -> list[int]:
        """The ids of all types of a kind, without making them."""
        words = self._words
        return [i for i, start in enumerate(self._starts) if i and words[start + 1] >> 24 & 31 == kind]

    def replaced(self, types: dict[int, BtfType]) -> _LazyTypes:
        """The same types but for ``types``, by id."""
        other = _LazyTypes(self._words, self._starts, self._strings)
        other._replaced = {**self._replaced, **types}
        for type_id, each in other._replaced.items():
            other._made[type_id] = each
        return other

    def patched_words(self) -> array[int] | None:
        """A copy of all words, those of replaced types renewed; None where one does not fit its old place."""
        words = self._words[:]
        for type_id, each in self._replaced.items():
            start = self._starts[type_id]
            info = words[start + 1]
            kind = info >> 24 & 31
            size = _BASE_WORDS[kind] + _ELEMENT_WORDS[kind] * (info & 0xFFFF)
            name_offset = words[start]
            old_name = {self._strings.at(name_offset): name_offset}
            try:
                renewed = encode_type(each, old_name.__getitem__)
            except (KeyError, ValueError):
                return None
            if len(renewed) != size:
                return None
            words[start : start + size] = array("I", renewed)
        return words

    def name_offsets(self) -> Iterator[int]:
        """The string offset of each type's name, without making the types."""
        words = self._words
        yield 0
        for start in self._starts[1:]:
            yield words[start]


_Body = array  # of "I"
_Maker = Callable[[str, int, int, bool, "_Body[int]", StringTable], BtfType]


def _make_int(name: str, size: int, count: int, flag: bool, body: _Body[int], strings: StringTable) -> BtfType:
    word = body[0]
    return Int(name, size, word >> 24 & 15, word & 0xFF, word >> 16 & 0xFF)


def _members(flag: bool, body: _Body[int], strings: StringTable) -> tuple[Member, ...]:
    at = strings.at
    triples = zip(body[0::3], body[1::3], body[2::3], strict=True)
    if flag:
        return tuple(Member(at(name), type_id, word & 0xFFFFFF, word >> 24) for name, type_id, word in triples)
    return tuple(Member(at(name), type_id, word) for name, type_id, word in triples)


def _make_enum(name: str, size: int, count: int, flag: bool, body: _Body[int], strings: StringTable) -> BtfType:
    pairs = zip(body[0::2], body[1::2], strict=True)
    return Enum(name, size, tuple(Enumerator(strings.at(n), _signed(v) if flag else v) for n, v in pairs), flag)


def _make_enum64(name: str, size: int, count: int, flag: bool, body: _Body[int], strings: StringTable) -> BtfType:
    values = []
    for text, low, high in zip(body[0::3], body[1::3], body[2::3], strict=True):
        value = high << 32 | low
        values.append(Enumerator(strings.at(text), _signed64(value) if flag else value))
    return Enum64(name, size, tuple(values), flag)


def _make_proto(name: str, type_id: int, count: int, flag: bool, body: _Body[int], strings: StringTable) -> BtfType:
    return FuncProto(type_id, tuple(Param(strings.at(n), t) for n, t in zip(body[0::2], body[1::2], strict=True)))


def _make_datasec(name: str, size: int, count: int, flag: bool, body: _Body[int], strings: StringTable) -> BtfType:
    return Datasec(name, size, tuple(map(VarSecinfo, body[0::3], body[1::3], body[2::3])))


_MAKERS: dict[int, _Maker] = {
    Kind.INT: _make_int,
    Kind.PTR: lambda name, word, count, flag, body, strings: Ptr(word),
    Kind.ARRAY: lambda name, word, count, flag, body, strings: Array(body[0], body[1], body[2]),
    Kind.STRUCT: lambda name, word, count, flag, body, strings: Struct(name, word, _members(flag, body, strings), flag),
    Kind.UNION: lambda name, word, count, flag, body, strings: Union(name, word, _members(flag, body, strings), flag),
    Kind.ENUM: _make_enum,
    Kind.FWD: lambda name, word, count, flag, body, strings: Fwd(name, flag),
    Kind.TYPEDEF: lambda name, word, count, flag, body, strings: Typedef(name, word),
    Kind.VOLATILE: lambda name, word, count, flag, body, strings: Volatile(word),
    Kind.CONST: lambda name, word, count, flag, body, strings: Const(word),
    Kind.RESTRICT: lambda name, word, count, flag, body, strings: Restrict(word),
    Kind.FUNC: lambda name, word, count, flag, body, strings: Func(name, word, count),
    Kind.FUNC_PROTO: _make_proto,
    Kind.VAR: lambda name, word, count, flag, body, strings: Var(name, word, body[0]),
    Kind.DATASEC: _make_datasec,
    Kind.FLOAT: lambda name, word, count, flag, body, strings: Float(name, word),
    Kind.DECL_TAG: lambda name, word, count, flag, body, strings: DeclTag(name, word, _signed(body[0]), flag),
    Kind.TYPE_TAG: lambda name, word, count, flag, body, strings: TypeTag(name, word, flag),
    Kind.ENUM64: _make_enum64,
}


class Btf:
    """Type information. ``types[id]`` is the type of that id; ``types[0]`` is Void.

    Immutable by convention. Two are equal when their types are.
    """

    __slots__ = ("_by_name", "_by_offset", "_searches", "place", "strings", "types")

    def __init__(
        self, types: Sequence[BtfType], strings: StringTable | None = None, place: SectionPlace | None = None
    ) -> None:
        self.types: Sequence[BtfType] = types
        self.place = place or SectionPlace("<memory>", ".BTF")
        self.strings = strings or StringTable(b"\0", self.place)
        self._by_name: dict[str, list[int]] | None = None
        self._by_offset: dict[int, list[int]] | None = None
        self._searches = 0

    @classmethod
    def decode(cls, data: bytes, endian: str | None = None, path: str = "<memory>", section: str = ".BTF") -> Btf:
        """The types of a ``.BTF`` section, or of /sys/kernel/btf/vmlinux. ``endian`` None: as its magic shows.

        Raises: ObjectError at the section and offset.
        """
        place = SectionPlace(path, section)
        header_size, type_offset, type_size, string_offset, string_size, endian = _decode_header(data, endian, place)
        type_start, string_start = header_size + type_offset, header_size + string_offset
        words = array("I", data[type_start : type_start + type_size])
        if endian != sys.byteorder:
            words.byteswap()
        text = data[string_start : string_start + string_size]
        if string_size and (text[0] or text[-1]):
            raise ObjectError("strings do not begin and end with a zero byte", _at(place, string_start))
        strings = StringTable(text or b"\0", place)
        return cls(_LazyTypes(words, _find_types(words, place, type_start), strings), strings, place)

    def encode(self, endian: str = "little") -> bytes:
        """The ``.BTF`` section's bytes. Raises ObjectError where a field does not fit its place.

        What was decoded keeps its words and strings (as the kernel wants them from a loader), replaced types apart.
        """
        if isinstance(self.types, _LazyTypes):
            words = self.types.patched_words()
            if words is not None:
                if endian != sys.byteorder:
                    words.byteswap()
                return frame(words.tobytes(), self.strings.data, endian)
        return encode_types(self.types, StringBuilder(), endian, self.place)

    def get(self, type_id: int) -> BtfType:
        """The type of an id. Raises ObjectError where there is none."""
        if 0 <= type_id < len(self.types):
            return self.types[type_id]
        raise ObjectError(f"no such type id: {type_id} (below {len(self.types)})", self.place)

    def ids_of(self, name: str) -> list[int]:
        """The ids of all types of that name, in order."""
        if not name:
            return []
        if self._by_name is None and isinstance(self.types, _LazyTypes) and self._searches < _MAX_SEARCHES:
            self._searches += 1
            offsets = self.strings.offsets_of(name)
            if offsets is not None:
                return self._ids_at(self.types, offsets)
        if self._by_name is None:
            lazy = self.types if isinstance(self.types, _LazyTypes) else None
            names = map(self.strings.at, lazy.name_offsets()) if lazy else map(name_of, self.types)
            self._by_name = _group(names)
        return list(self._by_name.get(name, ()))

    def ids_of_flavours(self, stem: str) -> list[int]:
        """The ids of all types named ``stem``, or ``stem___`` and a flavour, in order."""
        if isinstance(self.types, _LazyTypes):
            wanted, data = re.escape(stem.encode("utf-8", "surrogateescape")), self.strings.data
            offsets = [found.start() for found in re.finditer(wanted + rb"(?=\0|___[^_])", data)]
            ids = self._ids_at(self.types, offsets)
        else:
            ids = list(range(len(self.types)))
        return [type_id for type_id in ids if essential_name(name_of(self.types[type_id])) == stem]

    def _ids_at(self, types: _LazyTypes, offsets: list[int]) -> list[int]:
        """The ids of the types whose names begin at one of ``offsets``: a few names need no text of all."""
        if self._by_offset is None:
            self._by_offset = _group(types.name_offsets())
        index = self._by_offset
        return sorted(type_id for offset in offsets for type_id in index.get(offset, ()))

    def ids_of_kind(self, kind: Kind) -> list[int]:
        """The ids of all types of a kind, in order."""
        if isinstance(self.types, _LazyTypes):
            return self.types.ids_of_kind(kind)
        return [type_id for type_id, each in enumerate(self.types) if each.kind == kind]

    def datasecs(self) -> list[tuple[int, Datasec]]:
        """(id, type) of every DATASEC."""
        found = ((type_id, self.types[type_id]) for type_id in self.ids_of_kind(Kind.DATASEC))
        return [(type_id, each) for type_id, each in found if isinstance(each, Datasec)]

    def replaced(self, types: dict[int, BtfType]) -> Btf:
        """The same type information but for ``types``, by id, which keep the names of those that they replace."""
        if isinstance(self.types, _LazyTypes):
            return Btf(self.types.replaced(types), self.strings, self.place)
        return Btf(tuple(types.get(i, each) for i, each in enumerate(self.types)), self.strings, self.place)

    def find(self, name: str, *kinds: type[BtfType]) -> int:
        """The id of the first type of that name, of one of ``kinds`` where any are given; 0 where there is none."""
        for type_id in self.ids_of(name):
            if not kinds or isinstance(self.types[type_id], kinds):
                return type_id
        return 0

    def resolve(self, type_id: int) -> int:
        """The id behind typedefs, const, volatile, restrict and type tags. Raises ObjectError on a loop."""
        for _ in range(MAX_DEPTH):
            each = self.get(type_id)
            if not isinstance(each, MODIFIERS):
                return type_id
            type_id = each.type_id
        raise ObjectError(f"chain of types too long: over {MAX_DEPTH} at type {type_id}", self.place)

    def resolved(self, type_id: int) -> BtfType:
        """The type behind typedefs, const, volatile, restrict and type tags."""
        return self.types[self.resolve(type_id)]

    def size_of(self, type_id: int) -> int:
        """Bytes that a value of the type fills; 0 for void and for functions. Raises ObjectError on a loop."""
        factor = 1
        for _ in range(MAX_DEPTH):
            each = self.get(type_id)
            match each:
                case Int() | Struct() | Union() | Enum() | Enum64() | Datasec() | Float():
                    return factor * each.size
                case Ptr():
                    return factor * POINTER_SIZE
                case Array():
                    factor *= each.count
                    type_id = each.type_id
                case Typedef() | Volatile() | Const() | Restrict() | TypeTag() | Var():
                    type_id = each.type_id
                case _:
                    return 0
        raise ObjectError(f"chain of types too long: over {MAX_DEPTH} at type {type_id}", self.place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Btf) and tuple(self.types) == tuple(other.types)

    def __hash__(self) -> int:
        return hash(len(self.types))

    def __repr__(self) -> str:
        return f"<Btf of {len(self.types) - 1} types>"


_N = TypeVar("_N", str, int)


def _group(names: Iterable[_N]) -> dict[_N, list[int]]:
    groups: dict[_N, list[int]] = defaultdict(list)
    for type_id, name in enumerate(names):
        groups[name].append(type_id)
    return groups


def _at(place: SectionPlace, offset: int) -> SectionPlace:
    return SectionPlace(place.path, place.section, offset)


def detect_endian(data: bytes, endian: str | None, place: SectionPlace) -> str:
    """The endian that the magic number at the start of ``data`` shows. Raises ObjectError if it is not ``endian``."""
    found = {b"\x9f\xeb": "little", b"\xeb\x9f": "big"}.get(bytes(data[:2]))
    if found is None:
        raise ObjectError(f"not type information: magic {bytes(data[:2]).hex() or 'missing'} (9feb)", _at(place, 0))
    if endian not in (None, found):
        raise ObjectError(f"type information of the other endian: {found} ({endian})", _at(place, 0))
    return found


def _decode_header(data: bytes, endian: str | None, place: SectionPlace) -> tuple[int, int, int, int, int, str]:
    endian = detect_endian(data, endian, place)
    if len(data) < HEADER_SIZE:
        raise ObjectError(f"header cut short: {len(data)} bytes ({HEADER_SIZE})", _at(place, 0))
    fields = struct.unpack_from("<BBIIIII" if endian == "little" else ">BBIIIII", data, 2)
    version, flags, header_size, type_offset, type_size, string_offset, string_size = fields
    if version != 1 or flags:
        raise ObjectError(f"unknown version or flags: {version}, {flags} (1, 0)", _at(place, 2))
    if header_size < HEADER_SIZE or header_size > len(data):
        raise ObjectError(f"header size out of range: {header_size} ({HEADER_SIZE}..{len(data)})", _at(place, 4))
    room = len(data) - header_size
    if type_offset % 4 or type_size % 4 or type_offset + type_size > room:
        message = (
            f"types lie outside the section: offset {type_offset}, size {type_size} (multiples of 4, below {room})"
        )
        raise ObjectError(message, _at(place, 8))
    if string_offset + string_size > room:
        message = f"strings lie outside the section: offset {string_offset}, size {string_size} (below {room})"
        raise ObjectError(message, _at(place, 16))
    return header_size, type_offset, type_size, string_offset, string_size, endian


def _find_types(words: array[int], place: SectionPlace, start: int) -> list[int]:
    """The word at which each type begins; entry 0 stands for void."""
    base, element = _BASE_WORDS, _ELEMENT_WORDS
    starts = [0]
    append = starts.append
    position, end = 0, len(words)
    try:
        while position < end:
            info = words[position + 1]
            kind = info >> 24 & 31
            size = base[kind]
            if size < 0:
                break
            append(position)
            position += size + element[kind] * (info & 0xFFFF)
    except IndexError:
        position = end + 1
    if position > end:
        raise ObjectError(f"type {len(starts) - 1} cut short", _at(place, start + 4 * starts[-1]))
    if position < end:
        kind = words[position + 1] >> 24 & 31
        raise ObjectError(f"unknown kind of type {len(starts)}: {kind} (1..19)", _at(place, start + 4 * position))
    if len(starts) > MAX_TYPES:
        raise ObjectError(f"too many types: {len(starts) - 1} (at most {MAX_TYPES - 1})", place)
    return starts
