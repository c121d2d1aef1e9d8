"""Tracked numbers: what is known of each of the 64 bits of a value.

A tnum is a pair of unsigned 64-bit integers (value, mask). A set bit of ``mask`` says "unknown"; where it is clear, the
bit of ``value`` is the bit. ``value & mask == 0`` always holds.

    value  0 1 0 0          bits   x = 0 or 1
    mask   0 0 1 0          means  0 1 x 0        = {0b0100, 0b0110}

Soundness of a transfer function f: for all concrete x in a and y in b, ``x op y`` is in f(a, b). The smallest member is
``value``, the largest ``value | mask`` (unsigned).

Everything here is a pure function of integers and returns a new pair; nothing loops but ``mul`` (at most 64 rounds).
Arguments are pairs spelt out (av, am, bv, bm), because a call with four integers is cheaper than with two tuples.

Source: the abstraction and the precision of each operator follow Linux kernel/bpf/tnum.c (6.18); the multiplication is
the bitwise union form of 6.18, which 6.12 does not have yet.
"""

from __future__ import annotations

M64 = 0xFFFF_FFFF_FFFF_FFFF
M32 = 0xFFFF_FFFF
_HIGH32 = M64 ^ M32
_B31 = 1 << 31
_B63 = 1 << 63

Tnum = tuple[int, int]
"""(value, mask), both unsigned 64-bit."""

UNKNOWN: Tnum = (0, M64)


def const(value: int) -> Tnum:
    """The tnum of one value; any Python integer is taken modulo 2**64."""
    return value & M64, 0


def range_(umin: int, umax: int) -> Tnum:
    """The least tnum that holds every value of umin..umax: the bits above the highest differing one are known."""
    bits = (umin ^ umax).bit_length()
    if bits > 63:
        return UNKNOWN
    delta = (1 << bits) - 1
    return umin & ~delta, delta


def lshift(value: int, mask: int, shift: int) -> Tnum:
    """Shift left by a constant 0..63."""
    return value << shift & M64, mask << shift & M64


def rshift(value: int, mask: int, shift: int) -> Tnum:
    """Logical shift right by a constant 0..63."""
    return value >> shift, mask >> shift


def arshift(value: int, mask: int, shift: int, bits: int) -> Tnum:
    """Arithmetic shift right of the low ``bits`` (32 or 64) by a constant; an unknown sign bit spreads unknown bits."""
    if bits == 32:
        value = ((value & M32) ^ _B31) - _B31
        mask = ((mask & M32) ^ _B31) - _B31
        return value >> shift & M32, mask >> shift & M32
    value = (value ^ _B63) - _B63
    mask = (mask ^ _B63) - _B63
    return value >> shift & M64, mask >> shift & M64


def add(av: int, am: int, bv: int, bm: int) -> Tnum:
    """Sum. A bit is unknown where an operand's is, or where the smallest and the largest sum differ by a carry."""
    least = av + bv
    unknown = ((least + am + bm) ^ least) | am | bm
    return least & ~unknown & M64, unknown & M64


def sub(av: int, am: int, bv: int, bm: int) -> Tnum:
    """Difference. Borrows show where ``least - b's unknown`` and ``least + a's unknown`` differ."""
    base = av - bv
    unknown = ((base + am) ^ (base - bm)) | am | bm
    return base & ~unknown & M64, unknown & M64


def neg(value: int, mask: int) -> Tnum:
    """0 minus the value."""
    return sub(0, 0, value, mask)


def and_(av: int, am: int, bv: int, bm: int) -> Tnum:
    """Bitwise and: a known 0 on either side is a known 0."""
    value = av & bv
    return value, (av | am) & (bv | bm) & ~value


def or_(av: int, am: int, bv: int, bm: int) -> Tnum:
    """Bitwise or: a known 1 on either side is a known 1."""
    value = av | bv
    return value, (am | bm) & ~value


def xor(av: int, am: int, bv: int, bm: int) -> Tnum:
    """Bitwise exclusive or: unknown where either side is."""
    mask = am | bm
    return (av ^ bv) & ~mask, mask


def mul(av: int, am: int, bv: int, bm: int) -> Tnum:
    """Product, by long multiplication over the bits of a.

    A known 1 adds the shifted b; an unknown bit joins "added" and "not added".
    """
    if not am and not bm:
        return av * bv & M64, 0
    value, mask = 0, 0
    while av or am:
        if av & 1:
            value, mask = add(value, mask, bv, bm)
        elif am & 1:
            value, mask = union(value, mask, *add(value, mask, bv, bm))
        av >>= 1
        am >>= 1
        bv = bv << 1 & M64
        bm = bm << 1 & M64
    return value, mask


def intersect(av: int, am: int, bv: int, bm: int) -> Tnum:
    """What both say. Where they contradict each other the bit becomes a known 1, as in the kernel: no value is left."""
    mask = am & bm
    return (av | bv) & ~mask, mask


def union(av: int, am: int, bv: int, bm: int) -> Tnum:
    """The least tnum that holds all values of both."""
    mask = (av ^ bv) | am | bm
    return av & bv & ~mask, mask


def overlaps(av: int, am: int, bv: int, bm: int) -> bool:
    """Some value is in both: the bits that both know agree."""
    return not (av ^ bv) & ~(am | bm)


def includes(av: int, am: int, bv: int, bm: int) -> bool:
    """Every value of b is in a."""
    return not bm & ~am and av == bv & ~am


def contains(value: int, mask: int, concrete: int) -> bool:
    """The unsigned 64-bit ``concrete`` is one of the values."""
    return not (concrete ^ value) & ~mask & M64


def cast(value: int, mask: int, size: int) -> Tnum:
    """The low ``size`` bytes (1..8), the rest known 0."""
    low = (1 << size * 8) - 1
    return value & low, mask & low


def swap_bytes(value: int, mask: int, size: int) -> Tnum:
    """The low ``size`` bytes in reverse order, the rest known 0."""
    value, mask = cast(value, mask, size)
    return (
        int.from_bytes(value.to_bytes(size, "little"), "big"),
        int.from_bytes(mask.to_bytes(size, "little"), "big"),
    )


def step(value: int, mask: int, number: int) -> int:
    """The least member above ``number``; the greatest member where there is none.

    Members are ``value`` plus a subset of ``mask``. To count up within the subset, all positions outside of it are
    filled with ones, so that the carry runs through them; so are those below the highest stray bit of ``number``:
    members differ from it there already.
    """
    greatest = value | mask
    if number >= greatest:
        return greatest
    if number < value:
        return value
    above = number - value
    stray = above & ~mask
    filled = above | ~mask & M64 | (1 << stray.bit_length()) - 1
    return value | (filled + 1) & mask


def subreg(value: int, mask: int) -> Tnum:
    """The low 32 bits, the rest known 0."""
    return value & M32, mask & M32


def with_subreg(value: int, mask: int, low_value: int, low_mask: int) -> Tnum:
    """The high 32 bits of the first, the low 32 bits of the second."""
    return (value & _HIGH32) | (low_value & M32), (mask & _HIGH32) | (low_mask & M32)


def is_aligned(value: int, mask: int, size: int) -> bool:
    """Every value is a multiple of ``size`` (a power of two, or 0 for no demand)."""
    return not size or not (value | mask) & (size - 1)


def format_tnum(value: int, mask: int) -> str:
    """The kernel's text: ``(0x0; 0xff)``, or the number where all bits are known. Source: log.c tnum_strn."""
    if not mask:
        return str(value) if value <= 0xFFFF else f"0x{value:x}"
    return f"(0x{value:x}; 0x{mask:x})"
