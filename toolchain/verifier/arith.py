"""How arithmetic changes what is known of numbers.

One rule for each operation; each takes what is known of the operands to what is known of the result, view by view
(scalar.py), and lets `sync` spread it:

    r1 in [0, 10], r2 in [5, 6]      r1 += r2      u64 [5, 16]      bits (0x0; 0x1f)

32-bit forms use the low halves only and leave the high half zero. What is not followed becomes unknown: division,
remainder, shifts by an amount that is not one number.

Soundness: for all x in dst and y in src, the concrete result is in ``alu(...)``. The claim is checked exhaustively on
small widths and by sampling on the whole width (tests/verifier/test_scalar*.py); the precision is the live kernel's,
line by line of its log (tests/kernel/test_scalar_states.py).

Source: Linux 6.18.44 kernel/bpf/verifier.c (adjust_scalar_min_max_vals and what it calls, adjust_ptr_min_max_vals,
check_alu_op), as facts. 6.12 differs: it forgets both unsigned ends where any of them overflows, multiplies
non-negative ranges only, and does not follow negation and byte swaps.
"""

from __future__ import annotations

from toolchain.isa.opcodes import Alu
from toolchain.verifier import tnum
from toolchain.verifier.scalar import (
    M32,
    M64,
    S32_MAX,
    S32_MIN,
    S64_MAX,
    S64_MIN,
    UNKNOWN,
    ZERO,
    Scalar,
    const,
    narrow_by_bits,
    only_member,
    resync,
    settle,
    sync,
)
from toolchain.verifier.width import sext, sext32, truncate_to_size, with_low_half, zext32, zext_views

_B63 = 1 << 63
_B31 = 1 << 31

_ADD, _SUB, _MUL, _OR, _AND = int(Alu.ADD), int(Alu.SUB), int(Alu.MUL), int(Alu.OR), int(Alu.AND)
_LSH, _RSH, _NEG, _MOV = int(Alu.LSH), int(Alu.RSH), int(Alu.NEG), int(Alu.MOV)
"""Plain integers: comparing with them costs a third of comparing with members of the enum."""


def alu(op: int, is64: bool, dst: Scalar, src: Scalar, off: int = 0) -> Scalar:
    """The result of ``dst op= src`` on numbers; for MOV, of ``dst = src`` (``off`` 8, 16, 32: sign-extending).

    ``op`` is a value of `Alu`; ``src`` is `const(imm)` for an immediate operand. NEG takes its operand in ``dst``.
    What becomes wholly unknown, as in the kernel: DIV and MOD (signed ones too: ``off`` 1), and shifts by an amount
    that is not a constant below the width. END is `swap_bytes`.
    The result's views agree with each other (`settle`).
    """
    if op == _MOV:
        if off:
            return sext(src, off >> 3) if is64 else settle(sext32(src, off >> 3))
        return src if is64 else settle(zext32(src))
    rule = _RULES.get(op)
    if rule is None:
        return UNKNOWN
    if op == _NEG:
        src = dst
        if not dst.mask:
            return const(-dst.value if is64 else -dst.value & M32)
    elif op in _SHIFTS:
        if not _is_shift_known(is64, src):
            return UNKNOWN
        if not dst.mask:
            return const(_shift_const(op, is64, dst.value, src.value & M64 if is64 else src.u32_min))
    elif not dst.mask and not src.mask:
        return const(_fold(op, dst.value, src.value) & (M64 if is64 else M32))
    return settle(rule(is64, dst, src))


def _fold(op: int, a: int, b: int) -> int:
    if op == _ADD:
        return a + b
    if op == _SUB:
        return a - b
    if op == _MUL:
        return a * b
    if op == _AND:
        return a & b
    return a | b if op == _OR else a ^ b


def _shift_const(op: int, is64: bool, number: int, amount: int) -> int:
    width_mask, sign = (M64, _B63) if is64 else (M32, _B31)
    number &= width_mask
    if op == _LSH:
        return number << amount & width_mask
    if op == _RSH:
        return number >> amount
    return ((number ^ sign) - sign) >> amount & width_mask


def _is_shift_known(is64: bool, src: Scalar) -> bool:
    """The amount is one number below the width. Source: verifier.c is_safe_to_compute_dst_reg_range."""
    if is64:
        return not src.mask and src.smin == src.smax and src.umin == src.umax and src.umax < 64
    return not src.mask & M32 and src.s32_min == src.s32_max and src.u32_min == src.u32_max and src.umax < 32


def _add(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """Unsigned ends stay good if both wrap or neither does; signed ends if neither does."""
    value, mask = tnum.add(dst.value, dst.mask, src.value, src.mask)
    s32_min, s32_max = dst.s32_min + src.s32_min, dst.s32_max + src.s32_max
    if s32_min < S32_MIN or s32_max > S32_MAX or s32_min > S32_MAX or s32_max < S32_MIN:
        s32_min, s32_max = S32_MIN, S32_MAX
    u32_min, u32_max = dst.u32_min + src.u32_min, dst.u32_max + src.u32_max
    if u32_min <= M32 < u32_max:
        u32_min, u32_max = 0, M32
    u32_min &= M32
    u32_max &= M32
    if not is64:
        return zext_views(value, mask, s32_min, s32_max, u32_min, u32_max)
    smin, smax = dst.smin + src.smin, dst.smax + src.smax
    if smin < S64_MIN or smax > S64_MAX or smin > S64_MAX or smax < S64_MIN:
        smin, smax = S64_MIN, S64_MAX
    umin, umax = dst.umin + src.umin, dst.umax + src.umax
    if umin <= M64 < umax:
        umin, umax = 0, M64
    return sync(value, mask, smin, smax, umin & M64, umax & M64, s32_min, s32_max, u32_min, u32_max)


def _sub(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    value, mask = tnum.sub(dst.value, dst.mask, src.value, src.mask)
    s32_min, s32_max = dst.s32_min - src.s32_max, dst.s32_max - src.s32_min
    if s32_min < S32_MIN or s32_max > S32_MAX or s32_min > S32_MAX or s32_max < S32_MIN:
        s32_min, s32_max = S32_MIN, S32_MAX
    u32_min, u32_max = dst.u32_min - src.u32_max, dst.u32_max - src.u32_min
    if u32_min < 0 <= u32_max:
        u32_min, u32_max = 0, M32
    u32_min &= M32
    u32_max &= M32
    if not is64:
        return zext_views(value, mask, s32_min, s32_max, u32_min, u32_max)
    smin, smax = dst.smin - src.smax, dst.smax - src.smin
    if smin < S64_MIN or smax > S64_MAX or smin > S64_MAX or smax < S64_MIN:
        smin, smax = S64_MIN, S64_MAX
    umin, umax = dst.umin - src.umax, dst.umax - src.umin
    if umin < 0 <= umax:
        umin, umax = 0, M64
    return sync(value, mask, smin, smax, umin & M64, umax & M64, s32_min, s32_max, u32_min, u32_max)


def _neg(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    return _sub(is64, ZERO, src)


def _mul(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """Ends are products of ends, the signed ones the least and greatest of four, as long as none overflows."""
    u32_min, u32_max = dst.u32_min * src.u32_min, dst.u32_max * src.u32_max
    if u32_max > M32 or u32_min > M32:
        u32_min, u32_max = 0, M32
    s32_min, s32_max = _signed_product(dst.s32_min, dst.s32_max, src.s32_min, src.s32_max, S32_MIN, S32_MAX)
    if not is64:
        value, mask = tnum.mul(dst.value & M32, dst.mask & M32, src.value & M32, src.mask & M32)
        return zext_views(value, mask, s32_min, s32_max, u32_min, u32_max)
    value, mask = tnum.mul(dst.value, dst.mask, src.value, src.mask)
    umin, umax = dst.umin * src.umin, dst.umax * src.umax
    if umax > M64 or umin > M64:
        umin, umax = 0, M64
    smin, smax = _signed_product(dst.smin, dst.smax, src.smin, src.smax, S64_MIN, S64_MAX)
    return sync(value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max)


def _signed_product(a_min: int, a_max: int, b_min: int, b_max: int, least: int, greatest: int) -> tuple[int, int]:
    products = (a_min * b_min, a_min * b_max, a_max * b_min, a_max * b_max)
    low, high = min(products), max(products)
    return (least, greatest) if low < least or high > greatest else (low, high)


def _and(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """At least the known ones, at most the smaller operand."""
    value, mask = tnum.and_(dst.value, dst.mask, src.value, src.mask)
    return _bitwise(is64, src, value, mask, value & M32, min(dst.u32_max, src.u32_max), value, min(dst.umax, src.umax))


def _or(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """At least the larger operand, at most all bits that may be set."""
    value, mask = tnum.or_(dst.value, dst.mask, src.value, src.mask)
    most = value | mask
    return _bitwise(is64, src, value, mask, max(dst.u32_min, src.u32_min), most & M32, max(dst.umin, src.umin), most)


def _xor(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """What the bits say."""
    value, mask = tnum.xor(dst.value, dst.mask, src.value, src.mask)
    most = value | mask
    return _bitwise(is64, src, value, mask, value & M32, most & M32, value, most)


def _bitwise(
    is64: bool, src: Scalar, value: int, mask: int, u32_min: int, u32_max: int, umin: int, umax: int
) -> Scalar:
    """Signed ranges of a bitwise result are its unsigned ones, unless those cross the signed cut.

    The 32-bit form, too, first narrows the whole register by its bits; the cut to the low half comes last.
    """
    if not mask & M32 and not src.mask & M32:
        u32_min = u32_max = value & M32
    s32_min, s32_max = (u32_min ^ _B31) - _B31, (u32_max ^ _B31) - _B31
    if s32_min > s32_max:
        s32_min, s32_max = S32_MIN, S32_MAX
    smin, smax = (umin ^ _B63) - _B63, (umax ^ _B63) - _B63
    if smin > smax:
        smin, smax = S64_MIN, S64_MAX
    if is64:
        return sync(value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max)
    _, _, umin, umax, s32_min, s32_max, u32_min, u32_max = narrow_by_bits(
        value, mask, smin, smax, umin, umax, s32_min, s32_max, u32_min, u32_max
    )
    only = only_member(value, mask, umin, umax)
    return const(only & M32) if only >= 0 else zext_views(value, mask, s32_min, s32_max, u32_min, u32_max)


def _zext_of_bits(value: int, mask: int, s32_min: int, s32_max: int, u32_min: int, u32_max: int) -> Scalar:
    """`zext_views` after the 32-bit ranges were narrowed by the bits."""
    _, _, _, _, s32_min, s32_max, u32_min, u32_max = narrow_by_bits(
        value, mask, S64_MIN, S64_MAX, 0, M64, s32_min, s32_max, u32_min, u32_max
    )
    return zext_views(value, mask, s32_min, s32_max, u32_min, u32_max)


def _lsh(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """Unsigned ends shift along while no set bit can leave; signed ones are lost but for the idiom ``<<= 32``."""
    amount = src.u32_min
    if amount > 31 or dst.u32_max > 1 << 31 - amount:
        u32_min, u32_max = 0, M32
    else:
        u32_min, u32_max = dst.u32_min << amount, dst.u32_max << amount
    if not is64:
        value, mask = tnum.lshift(dst.value & M32, dst.mask & M32, amount)
        return _zext_of_bits(value & M32, mask & M32, S32_MIN, S32_MAX, u32_min, u32_max)
    value, mask = tnum.lshift(dst.value, dst.mask, amount)
    if dst.umax > 1 << 63 - amount:
        umin, umax = 0, M64
    else:
        umin, umax = dst.umin << amount, dst.umax << amount
    smin, smax = (dst.s32_min << 32, dst.s32_max << 32) if amount == 32 else (S64_MIN, S64_MAX)
    return sync(value, mask, smin, smax, umin, umax, S32_MIN, S32_MAX, u32_min, u32_max)


def _rsh(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """Unsigned ends shift along; the signed ones follow from them."""
    amount = src.u32_min
    if not is64:
        value, mask = tnum.rshift(dst.value & M32, dst.mask & M32, amount)
        return _zext_of_bits(value, mask, S32_MIN, S32_MAX, dst.u32_min >> amount, dst.u32_max >> amount)
    value, mask = tnum.rshift(dst.value, dst.mask, amount)
    return sync(value, mask, S64_MIN, S64_MAX, dst.umin >> amount, dst.umax >> amount, S32_MIN, S32_MAX, 0, M32)


def _arsh(is64: bool, dst: Scalar, src: Scalar) -> Scalar:
    """Signed ends shift along; the unsigned ones follow from them and the bits."""
    amount = src.u32_min
    if not is64:
        value, mask = tnum.arshift(dst.value, dst.mask, amount, 32)
        return _zext_of_bits(value, mask, dst.s32_min >> amount, dst.s32_max >> amount, 0, M32)
    value, mask = tnum.arshift(dst.value, dst.mask, amount, 64)
    return sync(value, mask, dst.smin >> amount, dst.smax >> amount, 0, M64, S32_MIN, S32_MAX, 0, M32)


_RULES = {
    int(Alu.ADD): _add,
    int(Alu.SUB): _sub,
    int(Alu.NEG): _neg,
    int(Alu.MUL): _mul,
    int(Alu.AND): _and,
    int(Alu.OR): _or,
    int(Alu.XOR): _xor,
    int(Alu.LSH): _lsh,
    int(Alu.RSH): _rsh,
    int(Alu.ARSH): _arsh,
}
"""Operations whose result is followed; all others give an unknown."""

_SHIFTS = frozenset(map(int, (Alu.LSH, Alu.RSH, Alu.ARSH)))


def fork(op: int, dst: Scalar, src: Scalar) -> tuple[Scalar, Scalar] | None:
    """Where the kernel explores AND and OR twice: dst is known to be 0 or -1 and src is a constant.

    The pattern is a mask made by an arithmetic shift (``r s>>= 63; r &= K``). Gives (dst of the path that is pushed and
    later executes this instruction again: 0, dst with which the current path goes on: -1), or None. Either 64-bit or
    only the low half may be 0 or -1; in the second case the high half keeps what was known.
    Source: verifier.c maybe_fork_scalars (6.12.117 and 6.18.44; not in 6.18.0).
    """
    if src.mask or (op != _AND and op != _OR):
        return None
    if dst.smin == -1 and dst.smax == 0:
        return ZERO, const(-1)
    if dst.s32_min == -1 and dst.s32_max == 0:
        return with_low_half(dst, 0), with_low_half(dst, M32)
    return None


def swap_bytes(scalar: Scalar, width: int, is_swapped: bool) -> Scalar:
    """The low ``width`` bits (16, 32, 64), bytes in reverse order if ``is_swapped``, the rest zero: END and bswap.

    On the little-endian machine modelled, ``be`` and ``bswap`` swap and ``le`` only cuts.
    Source: verifier.c scalar_byte_swap of 6.18.44 (6.18.0 and 6.12.117 forget the number).
    """
    s = scalar
    if is_swapped:
        value, mask = tnum.swap_bytes(s.value, s.mask, width >> 3)
        s = Scalar(value, mask, S64_MIN, S64_MAX, 0, M64, S32_MIN, S32_MAX, 0, M32)
    return settle(truncate_to_size(s, width >> 3) if width < 64 else resync(s))


def pointer_offset(is_add: bool, pointer: Scalar, amount: Scalar) -> Scalar:
    """The variable offset of ``pointer + amount`` or ``pointer - amount``; its 32-bit views are not followed.

    Unlike numbers, any end that wraps loses both ends of its view. Source: verifier.c adjust_ptr_min_max_vals.
    """
    p, a = pointer, amount
    if is_add:
        value, mask = tnum.add(p.value, p.mask, a.value, a.mask)
        smin, smax, umin, umax = p.smin + a.smin, p.smax + a.smax, p.umin + a.umin, p.umax + a.umax
    else:
        value, mask = tnum.sub(p.value, p.mask, a.value, a.mask)
        smin, smax, umin, umax = p.smin - a.smax, p.smax - a.smin, p.umin - a.umax, p.umax - a.umin
    if smin < S64_MIN or smax > S64_MAX or smin > S64_MAX or smax < S64_MIN:
        smin, smax = S64_MIN, S64_MAX
    if umin < 0 or umax > M64:
        umin, umax = 0, M64
    return sync(value, mask, smin, smax, umin, umax, S32_MIN, S32_MAX, 0, M32)
