"""What the verifier knows of one 64-bit number.

A Scalar is the meet of five views of the same value; each says something that the others cannot:

    tnum      known bits                       "a multiple of 8"
    u64, s64  ranges of the whole register     "0 <= x <= 255", "-4 <= x <= 4"
    u32, s32  ranges of its low half           "w1 < 10, whatever the high half is"

    u64 0               7fff..ff 8000..00              ffff..ff
        |---------------------------|---------------------------|      one circle of values; u64 is cut at the left
    s64 0                       max min                       -1       edge, s64 in the middle. A range that does not
        |===========>               |               <===========|      cross the cut of the other view holds there too.

`sync` lets the views refine each other. It runs a fixed number of rounds, not to a fixpoint, because comparing text
with the kernel's log (and equal pruning decisions) needs the same result, not merely a sound one.

Scalars are values: nothing changes one once it is made. Constants -256..256 and the plain unknowns are shared, so that
pruning can begin with ``is``.

Source: Linux 6.18.44 kernel/bpf/verifier.c (reg_bounds_sync and what it calls), as facts.
"""

from __future__ import annotations

from toolchain.verifier import tnum

M64 = 0xFFFF_FFFF_FFFF_FFFF
M32 = 0xFFFF_FFFF
HIGH32 = M64 ^ M32
S64_MIN = -(1 << 63)
S64_MAX = (1 << 63) - 1
S32_MIN = -(1 << 31)
S32_MAX = (1 << 31) - 1
_B63 = 1 << 63
_B31 = 1 << 31


class Scalar:
    """An abstract 64-bit number.

    Units: ``value``, ``mask``, ``umin``, ``umax`` unsigned 64 bits; ``smin``, ``smax`` signed 64 bits; ``u32_*``
    unsigned and ``s32_*`` signed 32 bits, of the low half. ``value`` and ``mask`` are a tnum (the kernel's var_off).
    """

    __slots__ = ("mask", "s32_max", "s32_min", "smax", "smin", "u32_max", "u32_min", "umax", "umin", "value")

    def __init__(
        self,
        value: int,
        mask: int,
        smin: int,
        smax: int,
        umin: int,
        umax: int,
        s32_min: int,
        s32_max: int,
        u32_min: int,
        u32_max: int,
    ) -> None:
        self.value = value
        self.mask = mask
        self.smin = smin
        self.smax = smax
        self.umin = umin
        self.umax = umax
        self.s32_min = s32_min
        self.s32_max = s32_max
        self.u32_min = u32_min
        self.u32_max = u32_max

    @property
    def is_const(self) -> bool:
        """All bits are known; ``const_value`` is then the number."""
        return not self.mask

    @property
    def is_const32(self) -> bool:
        """All bits of the low half are known."""
        return not self.mask & M32

    @property
    def const_value(self) -> int:
        """The known bits, unsigned; the number itself where ``is_const``."""
        return self.value

    @property
    def signed_value(self) -> int:
        """``const_value`` read as a signed number."""
        return (self.value ^ _B63) - _B63

    @property
    def is_unknown(self) -> bool:
        """Nothing at all is known."""
        return self is UNKNOWN or self == UNKNOWN

    def contains(self, concrete: int) -> bool:
        """The unsigned 64-bit ``concrete`` lies in every view."""
        low = concrete & M32
        return (
            not (concrete ^ self.value) & ~self.mask & M64
            and self.umin <= concrete <= self.umax
            and self.smin <= (concrete ^ _B63) - _B63 <= self.smax
            and self.u32_min <= low <= self.u32_max
            and self.s32_min <= (low ^ _B31) - _B31 <= self.s32_max
        )

    def includes(self, other: Scalar) -> bool:
        """Every view of ``other`` lies inside this one's. Source: verifier.c range_within and tnum_in."""
        return self is other or (
            self.umin <= other.umin
            and self.umax >= other.umax
            and self.smin <= other.smin
            and self.smax >= other.smax
            and self.u32_min <= other.u32_min
            and self.u32_max >= other.u32_max
            and self.s32_min <= other.s32_min
            and self.s32_max >= other.s32_max
            and not other.mask & ~self.mask
            and self.value == other.value & ~self.mask
        )

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Scalar) and (
            self.value == other.value
            and self.mask == other.mask
            and self.umin == other.umin
            and self.umax == other.umax
            and self.smin == other.smin
            and self.smax == other.smax
            and self.u32_min == other.u32_min
            and self.u32_max == other.u32_max
            and self.s32_min == other.s32_min
            and self.s32_max == other.s32_max
        )

    def __hash__(self) -> int:
        return hash((self.value, self.mask, self.umin, self.umax, self.smin))

    def __repr__(self) -> str:
        if not self.mask:
            return f"<Scalar {self.signed_value}>"
        bits = tnum.format_tnum(self.value, self.mask)
        return f"<Scalar {bits} u64 {self.umin}..{self.umax} s64 {self.smin}..{self.smax}>"


UNKNOWN = Scalar(0, M64, S64_MIN, S64_MAX, 0, M64, S32_MIN, S32_MAX, 0, M32)
"""Any value."""


def _make_const(value: int) -> Scalar:
    value &= M64
    signed = (value ^ _B63) - _B63
    low = value & M32
    signed_low = (low ^ _B31) - _B31
    return Scalar(value, 0, signed, signed, value, value, signed_low, signed_low, low, low)


_CONSTS = {number & M64: _make_const(number) for number in range(-256, 257)}
ZERO = _CONSTS[0]


def const(value: int) -> Scalar:
    """The scalar of one number, taken modulo 2**64; -256..256 are shared objects."""
    return _CONSTS.get(value & M64) or _make_const(value)


def from_bounds(smin: int = S64_MIN, smax: int = S64_MAX, umin: int = 0, umax: int = M64) -> Scalar:
    """The scalar of 64-bit ranges, synchronised."""
    return sync(0, M64, smin, smax, umin, umax, S32_MIN, S32_MAX, 0, M32)


# --- views refine each other ------------------------------------------------------------------------------------------


def sync(
    value: int,
    mask: int,
    smin: int,
    smax: int,
    umin: int,
    umax: int,
    s32_min: int,
    s32_max: int,
    u32_min: int,
    u32_max: int,
) -> Scalar:
    """The scalar of these views after they have refined each other, in the kernel's order and number of rounds.

    Contradicting views are possible (a branch that cannot happen) and come out as ranges with min > max; see `settle`.
    Complexity: constant; a round that changes nothing ends the rounds, and of 31-bit numbers each view is simply the
    meet of all.
    Source: verifier.c reg_bounds_sync.
    """
    if (
        mask == M64
        and (umin == 0 and umax == M64 and smin == S64_MIN and smax == S64_MAX)
        and (u32_min == 0 and u32_max == M32 and s32_min == S32_MIN and s32_max == S32_MAX)
    ):
        return UNKNOWN
    smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max = narrow_by_bits(
        value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max
    )
    only = only_member(value, mask, umin, umax)
    if only >= 0:
        return const(only)
    least = max(umin, smin, u32_min, s32_min)
    if smin >= 0 <= s32_min and smax <= S32_MAX >= umax and least <= min(umax, smax, u32_max, s32_max):
        smin = umin = u32_min = s32_min = least
        smax = umax = u32_max = s32_max = min(umax, smax, u32_max, s32_max)
    else:
        for _ in range(3):
            before = (smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max)
            s32_min, s32_max, u32_min, u32_max = _deduce32(smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max)
            smin, smax, umin, umax = _agree(smin, smax, umin, umax, _B63, M64)
            value, mask, smin, smax, umin, umax = _deduce_mixed(
                value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max
            )
            if before == (smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max):
                break
    value, mask = _bits_of_ranges(value, mask, umin, umax, u32_min, u32_max)
    smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max = narrow_by_bits(
        value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max
    )
    only = only_member(value, mask, umin, umax)
    if only >= 0:
        return const(only)
    if not mask and umin == umax == value and u32_min == u32_max and s32_min == s32_max and smin == smax:
        return const(value)
    return Scalar(value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max)


def _bits_of_ranges(value: int, mask: int, umin: int, umax: int, u32_min: int, u32_max: int) -> tnum.Tnum:
    """The known bits together with those above the highest that changes within a range.

    Source: verifier.c __reg_bound_offset.
    """
    changing = (1 << (umin ^ umax).bit_length()) - 1
    mask &= changing
    value = (value | umin & ~changing) & ~mask
    changing = (1 << (u32_min ^ u32_max).bit_length()) - 1 | HIGH32
    mask &= changing
    return (value | u32_min & ~changing) & ~mask, mask


def narrow_by_bits(
    value: int,
    mask: int,
    smin: int,
    smax: int,
    umin: int,
    umax: int,
    s32_min: int,
    s32_max: int,
    u32_min: int,
    u32_max: int,
) -> tuple[int, int, int, int, int, int, int, int]:
    """The ranges, narrowed by the known bits: least and greatest number that the tnum allows in each view."""
    low, high = value, value | mask
    if low > umin:
        umin = low
    if high < umax:
        umax = high
    end = ((value | mask & _B63) ^ _B63) - _B63
    if end > smin:
        smin = end
    end = ((value | mask & S64_MAX) ^ _B63) - _B63
    if end < smax:
        smax = end
    low &= M32
    high &= M32
    if low > u32_min:
        u32_min = low
    if high < u32_max:
        u32_max = high
    end = ((low | mask & _B31) ^ _B31) - _B31
    if end > s32_min:
        s32_min = end
    end = ((low | mask & S32_MAX) ^ _B31) - _B31
    if end < s32_max:
        s32_max = end
    return smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max


def only_member(value: int, mask: int, umin: int, umax: int) -> int:
    """The one number of the tnum in umin..umax, -1 where there are several (or the tnum is a constant anyway).

    Source: verifier.c __update_reg64_bounds of 6.18.44 (not in 6.18.0, not in 6.12.117).
    """
    above = tnum.step(value, mask, umin)
    if umin & ~mask == value:
        return umin if above > umax else -1
    if above == value | mask or (above <= umax and tnum.step(value, mask, above) > umax):
        return above
    return -1


def _deduce32(
    smin: int, smax: int, umin: int, umax: int, s32_min: int, s32_max: int, u32_min: int, u32_max: int
) -> tuple[int, int, int, int]:
    """The 32-bit ranges, narrowed by the 64-bit ones and by each other.

    The low halves of a 64-bit range are a range if the high half stays the same throughout, or if it steps by one while
    the low half goes from negative to non-negative (then only as s32).
    Source: verifier.c __reg32_deduce_bounds.
    """
    umin_low, umax_low, smin_low, smax_low = umin & M32, umax & M32, smin & M32, smax & M32
    umin_s32, umax_s32 = (umin_low ^ _B31) - _B31, (umax_low ^ _B31) - _B31
    smin_s32, smax_s32 = (smin_low ^ _B31) - _B31, (smax_low ^ _B31) - _B31
    if umin >> 32 == umax >> 32:
        if umin_low > u32_min:
            u32_min = umin_low
        if umax_low < u32_max:
            u32_max = umax_low
        if umin_s32 <= umax_s32:
            if umin_s32 > s32_min:
                s32_min = umin_s32
            if umax_s32 < s32_max:
                s32_max = umax_s32
    if smin >> 32 == smax >> 32:
        if smin_low <= smax_low:
            if smin_low > u32_min:
                u32_min = smin_low
            if smax_low < u32_max:
                u32_max = smax_low
        if smin_s32 <= smax_s32:
            if smin_s32 > s32_min:
                s32_min = smin_s32
            if smax_s32 < s32_max:
                s32_max = smax_s32
    if umin_s32 < 0 <= umax_s32 and (umin >> 32) + 1 & M32 == umax >> 32:
        if umin_s32 > s32_min:
            s32_min = umin_s32
        if umax_s32 < s32_max:
            s32_max = umax_s32
    if smin_s32 < 0 <= smax_s32 and (smin >> 32) + 1 & M32 == smax >> 32 & M32:
        if smin_s32 > s32_min:
            s32_min = smin_s32
        if smax_s32 < s32_max:
            s32_max = smax_s32
    return _agree(s32_min, s32_max, u32_min, u32_max, _B31, M32)


def _agree(smin: int, smax: int, umin: int, umax: int, sign: int, every: int) -> tuple[int, int, int, int]:
    """Signed and unsigned ranges of one width, narrowed by each other; ``sign`` is its top bit, ``every`` all its bits.

    A range that stays on one side of the other view's cut holds in both. A signed range across zero is two pieces of
    the unsigned line; if the unsigned range touches only one of them, both shrink to that piece.
    Source: verifier.c __reg32_deduce_bounds (its end) and __reg64_deduce_bounds.
    """
    low, high = (umin ^ sign) - sign, (umax ^ sign) - sign
    if low <= high:
        if low > smin:
            smin = low
        if high < smax:
            smax = high
    low, high = smin & every, smax & every
    if low <= high:
        if low > umin:
            umin = low
        if high < umax:
            umax = high
    elif umax < low:
        smin, umax = (umin ^ sign) - sign, min(umax, high)
    elif high < umin:
        smax, umin = (umax ^ sign) - sign, max(umin, low)
    return smin, smax, umin, umax


def _deduce_mixed(
    value: int,
    mask: int,
    smin: int,
    smax: int,
    umin: int,
    umax: int,
    s32_min: int,
    s32_max: int,
    u32_min: int,
    u32_max: int,
) -> tuple[int, int, int, int, int, int]:
    """The 64-bit ranges (and bits), narrowed by the 32-bit ones put under the high halves of their ends.

    The last rule serves sign-extending loads: a value in the s32 range whose low half is not negative is not negative.
    Source: verifier.c __reg_deduce_mixed_bounds.
    """
    end = umin & HIGH32 | u32_min
    if end > umin:
        umin = end
    end = umax & HIGH32 | u32_max
    if end < umax:
        umax = end
    end = smin & ~M32 | u32_min
    if end > smin:
        smin = end
    end = smax & ~M32 | u32_max
    if end < smax:
        smax = end
    low, high = s32_min & M32, s32_max & M32
    if low <= high:
        end = umin & HIGH32 | low
        if end > umin:
            umin = end
        end = umax & HIGH32 | high
        if end < umax:
            umax = end
        end = smin & ~M32 | low
        if end > smin:
            smin = end
        end = smax & ~M32 | high
        if end < smax:
            smax = end
    if s32_min >= 0 and smin >= S32_MIN and smax <= S32_MAX:
        smin = umin = s32_min
        smax = s32_max
        umax = s32_max & M64
        value, mask = tnum.intersect(value, mask, *tnum.range_(umin, umax))
    return value, mask, smin, smax, umin, umax


def resync(s: Scalar) -> Scalar:
    """`sync` of a scalar's own views."""
    if not s.mask and s.umin == s.umax:
        return s
    return sync(s.value, s.mask, s.smin, s.smax, s.umin, s.umax, s.s32_min, s.s32_max, s.u32_min, s.u32_max)


def violation(scalar: Scalar) -> str:
    """Why the views contradict each other, in the kernel's words; '' where they do not.

    Source: verifier.c reg_bounds_sanity_check.
    """
    s = scalar
    if s.umin > s.umax or s.smin > s.smax or s.u32_min > s.u32_max or s.s32_min > s.s32_max:
        return "range bounds violation"
    if not s.mask:
        signed = s.signed_value
        if s.umin != s.value or s.umax != s.value or s.smin != signed or s.smax != signed:
            return "const tnum out of sync with range bounds"
    if not s.mask & M32:
        low = s.value & M32
        signed = (low ^ _B31) - _B31
        if s.u32_min != low or s.u32_max != low or s.s32_min != signed or s.s32_max != signed:
            return "const subreg tnum out of sync with range bounds"
    return ""


def settle(scalar: Scalar) -> Scalar:
    """The scalar itself, or, where its views contradict each other, the same bits with all ranges forgotten.

    The kernel does this after each arithmetic instruction and each refinement.
    Source: verifier.c reg_bounds_sanity_check.
    """
    if violation(scalar):
        return Scalar(scalar.value, scalar.mask, S64_MIN, S64_MAX, 0, M64, S32_MIN, S32_MAX, 0, M32)
    return scalar
