"""A number's width changes: cut, zero-extended, sign-extended.

Loads and stores of fewer than eight bytes, 32-bit arithmetic and movsx all come here. Each view of the number
(scalar.py) survives where the cut loses nothing of it; what the kernel forgets is forgotten too.

Source: Linux 6.18.44 kernel/bpf/verifier.c (zext_32_to_64, coerce_reg_to_size and its kin), as facts.
"""

from __future__ import annotations

from toolchain.verifier import tnum
from toolchain.verifier.scalar import M32, M64, S32_MAX, S32_MIN, UNKNOWN, Scalar, const, sync

_B31 = 1 << 31


def zext32(scalar: Scalar) -> Scalar:
    """The low half with the high half zero: what every 32-bit operation leaves. Source: verifier.c zext_32_to_64."""
    s = scalar
    if s is UNKNOWN:
        return _UNKNOWN_BY_SIZE[4]
    if not s.mask & M32 and s.u32_min == s.u32_max:
        return const(s.value & M32)
    return zext_views(s.value, s.mask, s.s32_min, s.s32_max, s.u32_min, s.u32_max)


def zext_views(value: int, mask: int, s32_min: int, s32_max: int, u32_min: int, u32_max: int) -> Scalar:
    """`zext32` of views of the low half; the high half of ``value`` and ``mask`` is ignored."""
    if s32_min >= 0 and s32_max >= 0:
        smin, smax = s32_min, s32_max
    else:
        smin, smax = 0, M32
    return sync(value & M32, mask & M32, smin, smax, u32_min, u32_max, s32_min, s32_max, u32_min, u32_max)


def with_low_half(scalar: Scalar, low: int) -> Scalar:
    """The low half is the number ``low`` (unsigned 32 bits), the high half as before; not synchronised.

    Source: verifier.c __mark_reg32_known.
    """
    value, mask = tnum.with_subreg(scalar.value, scalar.mask, low, 0)
    signed = (low ^ _B31) - _B31
    return Scalar(value, mask, scalar.smin, scalar.smax, scalar.umin, scalar.umax, signed, signed, low, low)


def truncate_to_size(scalar: Scalar, size: int) -> Scalar:
    """The low ``size`` bytes (1, 2 or 4), the rest zero: a narrow load or spill. Source: coerce_reg_to_size."""
    s = scalar
    low = (1 << size * 8) - 1
    if s.umin & ~low == s.umax & ~low:
        umin, umax = s.umin & low, s.umax & low
    else:
        umin, umax = 0, low
    if size < 4:
        return sync(s.value & low, s.mask & low, umin, umax, umin, umax, S32_MIN, S32_MAX, 0, M32)
    return sync(s.value & low, s.mask & low, umin, umax, umin, umax, s.s32_min, s.s32_max, s.u32_min, s.u32_max)


_UNKNOWN_BY_SIZE = {
    8: UNKNOWN,
    4: truncate_to_size(UNKNOWN, 4),
    2: truncate_to_size(UNKNOWN, 2),
    1: truncate_to_size(UNKNOWN, 1),
}


def unknown_of_size(size: int) -> Scalar:
    """Any value of ``size`` bytes (1, 2, 4, 8), zero-extended; a shared object."""
    return _UNKNOWN_BY_SIZE[size]


def sext(scalar: Scalar, size: int) -> Scalar:
    """The low ``size`` bytes (1, 2 or 4) sign-extended to 64 bits: movsx and sign-extending loads.

    Ranges survive where all values agree above the cut and no value changes sign. The result is not synchronised, as in
    the kernel. Source: verifier.c coerce_reg_to_size_sx.
    """
    s = scalar
    bits = size * 8
    top = 1 << bits - 1
    low = (top << 1) - 1
    if not s.mask:
        return const(((s.value & low) ^ top) - top)
    if s.smax >> bits == s.smin >> bits:
        first, last = ((s.smin & low) ^ top) - top, ((s.smax & low) ^ top) - top
        smin, smax = min(first, last), max(first, last)
        if (smin >= 0) == (smax >= 0):
            value, mask = tnum.range_(smin & M64, smax & M64)
            return Scalar(value, mask, smin, smax, smin & M64, smax & M64, smin, smax, smin & M32, smax & M32)
    return Scalar(0, M64, -top, top - 1, 0, M64, -top, top - 1, 0, M32)


def sext32(scalar: Scalar, size: int) -> Scalar:
    """The low ``size`` bytes (1 or 2) sign-extended to 32, then zero-extended. Source: coerce_subreg_to_size_sx."""
    s = scalar
    bits = size * 8
    top = 1 << bits - 1
    low = (top << 1) - 1
    if not s.mask:
        return const((((s.value & low) ^ top) - top) & M32)
    if s.s32_max >> bits == s.s32_min >> bits:
        first, last = ((s.s32_min & low) ^ top) - top, ((s.s32_max & low) ^ top) - top
        s32_min, s32_max = min(first, last), max(first, last)
        if (s32_min >= 0) == (s32_max >= 0):
            value, mask = tnum.range_(s32_min & M64, s32_max & M64)
            return zext_views(value, mask, s32_min, s32_max, s32_min & M32, s32_max & M32)
    return zext_views(0, M32, -top, top - 1, 0, M32)
