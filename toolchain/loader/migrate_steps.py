"""The steps that make a value of one type out of a value of another: what migrate_types.py decides, carried out.

    Copy      bytes as they are                 Names    an enum whose names have other numbers now
    Number    an integer of another size        Zero     bytes without a place: they have to be zero
    Bits      a bit field                       Repeat   the same steps for each element of an array

Each step knows where it takes from and where it puts to, from the start of the part of the value that it belongs to.
Whoever makes them has checked that all stay inside of both values.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from toolchain.values import Value, value_type


class Misfit(Exception):
    """A value that the new type cannot hold. Never leaves the loader."""


class FieldRow(NamedTuple):
    """One field in a plan. ``before`` and ``after`` are its types and places, '' where it has none."""

    path: str
    before: str
    after: str
    how: str


class Step(Protocol):
    """Moves some bytes. ``source`` and ``target`` are whole values, ``at`` and ``to`` where this part begins."""

    def move(self, source: bytes, at: int, target: bytearray, to: int) -> None:
        """Raises Misfit."""


class Copy(NamedTuple):
    """Bytes as they are. Units of all steps: bytes, but for ``Bits``."""

    source: int
    target: int
    size: int

    def move(self, source: bytes, at: int, target: bytearray, to: int) -> None:
        """Never fails."""
        begin, end = at + self.source, to + self.target
        target[end : end + self.size] = source[begin : begin + self.size]


class Number(NamedTuple):
    """An integer of another size or sign."""

    path: str
    source: int
    source_size: int
    is_source_signed: bool
    target: int
    target_size: int
    is_target_signed: bool

    def move(self, source: bytes, at: int, target: bytearray, to: int) -> None:
        """Raises Misfit where the number does not fit."""
        begin, end = at + self.source, to + self.target
        value = int.from_bytes(source[begin : begin + self.source_size], sys.byteorder, signed=self.is_source_signed)
        try:
            made = value.to_bytes(self.target_size, sys.byteorder, signed=self.is_target_signed)
        except OverflowError:
            kind = "signed" if self.is_target_signed else "unsigned"
            raise Misfit(f"{self.path}: {value} does not fit in {self.target_size} bytes, {kind}") from None
        target[end : end + self.target_size] = made


class Names(NamedTuple):
    """An enum whose names have other numbers now. ``renamed`` are old numbers that now mean something else."""

    path: str
    source: int
    source_size: int
    is_signed: bool
    target: int
    target_size: int
    is_target_signed: bool
    numbers: dict[int, int]
    renamed: dict[int, str]

    def move(self, source: bytes, at: int, target: bytearray, to: int) -> None:
        """Raises Misfit where the number has another name now, or does not fit."""
        begin, end = at + self.source, to + self.target
        value = int.from_bytes(source[begin : begin + self.source_size], sys.byteorder, signed=self.is_signed)
        if value not in self.numbers and value in self.renamed:
            raise Misfit(f"{self.path}: {value} means something else now: {self.renamed[value]}")
        number = self.numbers.get(value, value)
        try:
            made = number.to_bytes(self.target_size, sys.byteorder, signed=self.is_target_signed)
        except OverflowError:
            raise Misfit(f"{self.path}: {number} does not fit in {self.target_size} bytes") from None
        target[end : end + self.target_size] = made


class Bits(NamedTuple):
    """A bit field, at either end or at both. Units: bits from the start of the value."""

    path: str
    source: int
    source_width: int
    is_source_signed: bool
    target: int
    target_width: int
    is_target_signed: bool

    def move(self, source: bytes, at: int, target: bytearray, to: int) -> None:
        """Raises Misfit where the number does not fit."""
        value = _get_bits(source, at * 8 + self.source, self.source_width)
        if self.is_source_signed and value >> (self.source_width - 1):
            value -= 1 << self.source_width
        low = -(1 << self.target_width - 1) if self.is_target_signed else 0
        high = (1 << self.target_width - self.is_target_signed) - 1
        if not low <= value <= high:
            raise Misfit(f"{self.path}: {value} does not fit in {self.target_width} bits")
        _put_bits(target, to * 8 + self.target, self.target_width, value)


class Zero(NamedTuple):
    """Bytes that have no place in the new type; they hold nothing."""

    path: str
    source: int
    size: int

    def move(self, source: bytes, at: int, target: bytearray, to: int) -> None:
        """Raises Misfit where a byte is not zero."""
        if any(source[at + self.source : at + self.source + self.size]):
            raise Misfit(f"{self.path}: bytes that would be cut off are not zero")


class Repeat(NamedTuple):
    """The same steps for each element of an array."""

    length: int
    source: int
    source_stride: int
    target: int
    target_stride: int
    steps: tuple[Step, ...]

    def move(self, source: bytes, at: int, target: bytearray, to: int) -> None:
        """Raises what a step raises."""
        for index in range(self.length):
            begin = at + self.source + index * self.source_stride
            end = to + self.target + index * self.target_stride
            try:
                for step in self.steps:
                    step.move(source, begin, target, end)
            except Misfit as error:
                head, _, tail = str(error).rpartition("[]")
                raise Misfit(f"{head}[{index}]{tail}") from None


def _bit_window(bit: int, width: int) -> tuple[int, int, int]:
    """First byte, byte after the last, and the shift of ``width`` bits at ``bit`` in the machine's byte order."""
    first, last = bit // 8, (bit + width + 7) // 8
    return first, last, bit % 8 if sys.byteorder == "little" else (last - first) * 8 - bit % 8 - width


def _get_bits(source: bytes, bit: int, width: int) -> int:
    first, last, shift = _bit_window(bit, width)
    return int.from_bytes(source[first:last], sys.byteorder) >> shift & ((1 << width) - 1)


def _put_bits(target: bytearray, bit: int, width: int, value: int) -> None:
    first, last, shift = _bit_window(bit, width)
    mask = (1 << width) - 1
    whole = int.from_bytes(target[first:last], sys.byteorder) & ~(mask << shift) | (value & mask) << shift
    target[first:last] = whole.to_bytes(last - first, sys.byteorder)


@value_type
class Conversion(Value):
    """How values of ``size`` bytes become values of ``new_size`` bytes.

    ``by``: 'fields', or 'prefix' where one side has no types. ``rows``: each field that is not copied to where it was.
    ``faults``: why it cannot be done at all. ``is_identity``: every byte stays where it is. ``template``: what is there
    where nothing is put ('' = zeros).
    """

    size: int
    new_size: int
    by: Literal["fields", "prefix"]
    steps: tuple[Step, ...] = ()
    rows: tuple[FieldRow, ...] = ()
    faults: tuple[str, ...] = ()
    is_identity: bool = False
    template: bytes = b""

    def apply(self, data: bytes) -> bytes:
        """The new bytes. Raises Misfit, naming the field."""
        if self.is_identity:
            return data
        made = bytearray(self.template or self.new_size)
        for step in self.steps:
            step.move(data, 0, made, 0)
        return bytes(made)

    def compiled(self) -> Callable[[bytes], bytes]:
        """``apply`` as a function; where bytes only move, it joins slices, which takes a third of the time."""
        if self.is_identity or not all(isinstance(step, Copy) for step in self.steps):
            return self.apply
        template = self.template or bytes(self.new_size)
        pieces: list[slice | bytes] = []
        end = 0
        for source, target, size in sorted((step for step in self.steps if isinstance(step, Copy)), key=lambda s: s[1]):
            if target < end:
                return self.apply
            if target > end:
                pieces.append(template[end:target])
            pieces.append(slice(source, source + size))
            end = target + size
        pieces.append(template[end:])
        return lambda data: b"".join([data[each] if isinstance(each, slice) else each for each in pieces])
