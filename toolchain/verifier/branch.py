"""What a comparison of two numbers decides, and what each of its outcomes teaches.

    if r1 < r2 goto T        decide(JLT, r1, r2)      True: only T; False: only the fall-through; None: both
                             refine(JLT, r1, r2)      T: r1.umax <= r2.umax - 1, ...    fall-through: r1 >= r2

Only the view that the operator compares is narrowed (u64, s64, u32 or s32); `sync` carries it to the others. An outcome
that cannot happen may still be explored when `decide` cannot tell; its views then contradict each other, and `settle`
forgets the ranges, as the kernel does.

Soundness: `decide` is True or False only if all concrete pairs agree; for each pair, the side taken keeps both numbers.
Checked exhaustively on small widths in tests/verifier/test_branch*.py.

Source: Linux 6.18 kernel/bpf/verifier.c (is_scalar_branch_taken, reg_set_min_max, regs_refine_cond_op), as facts.
"""

from __future__ import annotations

from toolchain.isa.opcodes import Jmp
from toolchain.verifier import tnum
from toolchain.verifier.scalar import M32, M64, S32_MAX, S32_MIN, S64_MAX, S64_MIN, Scalar, resync, settle, sync

Pair = tuple[Scalar, Scalar]

FLIP: dict[int, int] = {
    Jmp.JEQ: Jmp.JEQ,
    Jmp.JNE: Jmp.JNE,
    Jmp.JSET: Jmp.JSET,
    Jmp.JGE: Jmp.JLE,
    Jmp.JGT: Jmp.JLT,
    Jmp.JLE: Jmp.JGE,
    Jmp.JLT: Jmp.JGT,
    Jmp.JSGE: Jmp.JSLE,
    Jmp.JSGT: Jmp.JSLT,
    Jmp.JSLE: Jmp.JSGE,
    Jmp.JSLT: Jmp.JSGT,
}
"""``a op b`` is ``b FLIP[op] a``."""

REVERSE: dict[int, int] = {
    Jmp.JEQ: Jmp.JNE,
    Jmp.JNE: Jmp.JEQ,
    Jmp.JGE: Jmp.JLT,
    Jmp.JGT: Jmp.JLE,
    Jmp.JLE: Jmp.JGT,
    Jmp.JLT: Jmp.JGE,
    Jmp.JSGE: Jmp.JSLT,
    Jmp.JSGT: Jmp.JSLE,
    Jmp.JSLE: Jmp.JSGT,
    Jmp.JSLT: Jmp.JSGE,
}
"""``not (a op b)`` is ``a REVERSE[op] b``; JSET has none."""

_JEQ, _JNE, _JSET = int(Jmp.JEQ), int(Jmp.JNE), int(Jmp.JSET)
_JGT, _JGE, _JLT, _JLE = int(Jmp.JGT), int(Jmp.JGE), int(Jmp.JLT), int(Jmp.JLE)
_JSGT, _JSGE, _JSLT, _JSLE = int(Jmp.JSGT), int(Jmp.JSGE), int(Jmp.JSLT), int(Jmp.JSLE)
_UNSIGNED = frozenset((_JGT, _JGE, _JLT, _JLE))
_GREATER = frozenset((_JGT, _JGE, _JSGT, _JSGE))


def decide(op: int, is64: bool, dst: Scalar, src: Scalar) -> bool | None:
    """Whether ``dst op src`` holds: True, False, or None where the views do not tell.

    ``op`` is a value of `Jmp`; ``src`` is `const(imm)` for an immediate operand.
    Source: verifier.c is_scalar_branch_taken.
    """
    if op in (_JEQ, _JNE):
        equal = _decide_equal(is64, dst, src)
        return equal if equal is None or op == _JEQ else not equal
    if op == _JSET:
        return _decide_set(is64, dst, src)
    if op in _UNSIGNED:
        if is64:
            low1, high1, low2, high2 = dst.umin, dst.umax, src.umin, src.umax
        else:
            low1, high1, low2, high2 = dst.u32_min, dst.u32_max, src.u32_min, src.u32_max
    elif is64:
        low1, high1, low2, high2 = dst.smin, dst.smax, src.smin, src.smax
    else:
        low1, high1, low2, high2 = dst.s32_min, dst.s32_max, src.s32_min, src.s32_max
    if op in (_JGT, _JSGT):
        return True if low1 > high2 else False if high1 <= low2 else None
    if op in (_JGE, _JSGE):
        return True if low1 >= high2 else False if high1 < low2 else None
    if op in (_JLT, _JSLT):
        return True if high1 < low2 else False if low1 >= high2 else None
    return True if high1 <= low2 else False if low1 > high2 else None


def _decide_equal(is64: bool, a: Scalar, b: Scalar) -> bool | None:
    """Equal if both are the same constant; unequal if any view keeps them apart."""
    width = M64 if is64 else M32
    if not (a.mask | b.mask) & width:
        return not (a.value ^ b.value) & width
    if (a.value ^ b.value) & ~(a.mask | b.mask) & width:
        return False
    if is64 and (a.umin > b.umax or a.umax < b.umin or a.smin > b.smax or a.smax < b.smin):
        return False
    if a.u32_min > b.u32_max or a.u32_max < b.u32_min or a.s32_min > b.s32_max or a.s32_max < b.s32_min:
        return False
    return None


def _decide_set(is64: bool, a: Scalar, b: Scalar) -> bool | None:
    """``a & b != 0``; needs one constant."""
    width = M64 if is64 else M32
    if b.mask & width:
        a, b = b, a
    if b.mask & width:
        return None
    if a.value & b.value & width:
        return True
    return None if (a.mask | a.value) & b.value & width else False


def refine(op: int, is64: bool, dst: Scalar, src: Scalar) -> tuple[Pair, Pair]:
    """What is known after ``if dst op src``: ((dst, src) where it holds, (dst, src) where it does not), settled.

    Source: verifier.c reg_set_min_max.
    """
    taken, fallen = refine_raw(op, is64, dst, src)
    return (settle(taken[0]), settle(taken[1])), (settle(fallen[0]), settle(fallen[1]))


def refine_raw(op: int, is64: bool, dst: Scalar, src: Scalar) -> tuple[Pair, Pair]:
    """`refine` before `settle`: for the log, which mentions contradicting views (`scalar.violation_text`)."""
    if op == _JSET:
        return _refine_set(is64, dst, src)
    return _holds(op, is64, dst, src), _holds(REVERSE[op], is64, dst, src)


def refine_same(op: int, is64: bool, reg: Scalar) -> tuple[Scalar, Scalar]:
    """`refine` where both operands are one register (``if r1 < r1``): (where it holds, where it does not), settled.

    The kernel narrows the one register twice. Source: verifier.c check_cond_jmp_op, where both pointers are equal.
    """
    holds = _holds_same(op, is64, reg)
    return holds, holds if op == _JSET else _holds_same(REVERSE[op], is64, reg)


def _holds_same(op: int, is64: bool, reg: Scalar) -> Scalar:
    """The register where ``reg op reg`` is "true": a strict comparison cuts both ends, others teach nothing."""
    if op in (_JLT, _JGT):
        reg = (
            _with_u64(reg, reg.umin + 1 & M64, reg.umax - 1 & M64)
            if is64
            else _with_u32(reg, reg.u32_min + 1 & M32, reg.u32_max - 1 & M32)
        )
    elif op in (_JSLT, _JSGT):
        reg = (
            _with_s64(reg, _wrap64(reg.smin + 1), _wrap64(reg.smax - 1))
            if is64
            else _with_s32(reg, _wrap32(reg.s32_min + 1), _wrap32(reg.s32_max - 1))
        )
    else:
        reg = resync(reg)
    return settle(resync(reg))


def _holds(op: int, is64: bool, a: Scalar, b: Scalar) -> Pair:
    """Both numbers where ``a op b`` is true."""
    if op in _GREATER:
        second, first = _holds(FLIP[op], is64, b, a)
        return first, second
    if op == _JEQ:
        return _equal(is64, a, b)
    if op == _JNE:
        return _unequal(is64, a, b)
    strict = 1 if op in (_JLT, _JSLT) else 0
    if op in (_JLT, _JLE):
        if is64:
            a_max = min(a.umax, b.umax - strict & M64)
            b_min = max(a.umin + strict & M64, b.umin)
            return _with_u64(a, a.umin, a_max), _with_u64(b, b_min, b.umax)
        a_max = min(a.u32_max, b.u32_max - strict & M32)
        b_min = max(a.u32_min + strict & M32, b.u32_min)
        return _with_u32(a, a.u32_min, a_max), _with_u32(b, b_min, b.u32_max)
    if is64:
        a_max = min(a.smax, _wrap64(b.smax - strict))
        b_min = max(_wrap64(a.smin + strict), b.smin)
        return _with_s64(a, a.smin, a_max), _with_s64(b, b_min, b.smax)
    a_max = min(a.s32_max, _wrap32(b.s32_max - strict))
    b_min = max(_wrap32(a.s32_min + strict), b.s32_min)
    return _with_s32(a, a.s32_min, a_max), _with_s32(b, b_min, b.s32_max)


def _equal(is64: bool, a: Scalar, b: Scalar) -> Pair:
    """Both lie in the meet of the compared views."""
    if is64 and not b.mask and b.umin == b.umax and a.contains(b.value):
        return b, b
    if is64:
        umin, umax = max(a.umin, b.umin), min(a.umax, b.umax)
        smin, smax = max(a.smin, b.smin), min(a.smax, b.smax)
        value, mask = tnum.intersect(a.value, a.mask, b.value, b.mask)
        return (
            sync(value, mask, smin, smax, umin, umax, a.s32_min, a.s32_max, a.u32_min, a.u32_max),
            sync(value, mask, smin, smax, umin, umax, b.s32_min, b.s32_max, b.u32_min, b.u32_max),
        )
    u32_min, u32_max = max(a.u32_min, b.u32_min), min(a.u32_max, b.u32_max)
    s32_min, s32_max = max(a.s32_min, b.s32_min), min(a.s32_max, b.s32_max)
    low_value, low_mask = tnum.intersect(a.value & M32, a.mask & M32, b.value & M32, b.mask & M32)
    a_value, a_mask = tnum.with_subreg(a.value, a.mask, low_value, low_mask)
    b_value, b_mask = tnum.with_subreg(b.value, b.mask, low_value, low_mask)
    return (
        sync(a_value, a_mask, a.smin, a.smax, a.umin, a.umax, s32_min, s32_max, u32_min, u32_max),
        sync(b_value, b_mask, b.smin, b.smax, b.umin, b.umax, s32_min, s32_max, u32_min, u32_max),
    )


def _unequal(is64: bool, a: Scalar, b: Scalar) -> Pair:
    """A constant at the very end of the other's range cuts it off."""
    width = M64 if is64 else M32
    if b.mask & width:
        if a.mask & width:
            return resync(a), resync(b)
        second, first = _unequal(is64, b, a)
        return first, second
    number = b.value & width
    if is64:
        signed = b.signed_value
        umin = a.umin + 1 & M64 if a.umin == number else a.umin
        umax = a.umax - 1 & M64 if a.umax == number else a.umax
        smin = _wrap64(a.smin + 1) if a.smin == signed else a.smin
        smax = _wrap64(a.smax - 1) if a.smax == signed else a.smax
        cut = sync(a.value, a.mask, smin, smax, umin, umax, a.s32_min, a.s32_max, a.u32_min, a.u32_max)
        return cut, resync(b)
    signed = _wrap32(number)
    u32_min = a.u32_min + 1 & M32 if a.u32_min == number else a.u32_min
    u32_max = a.u32_max - 1 & M32 if a.u32_max == number else a.u32_max
    s32_min = _wrap32(a.s32_min + 1) if a.s32_min == signed else a.s32_min
    s32_max = _wrap32(a.s32_max - 1) if a.s32_max == signed else a.s32_max
    return sync(a.value, a.mask, a.smin, a.smax, a.umin, a.umax, s32_min, s32_max, u32_min, u32_max), resync(b)


def _refine_set(is64: bool, a: Scalar, b: Scalar) -> tuple[Pair, Pair]:
    """``a & b``: a single tested bit is known to be set; where nothing is set, all tested bits are known to be clear.

    The clear side first forgets a's ranges: on a dead branch they would contradict the new bits.
    """
    width = M64 if is64 else M32
    if b.mask & width:
        if a.mask & width:
            unchanged = resync(a), resync(b)
            return unchanged, unchanged
        (b_taken, a_taken), (b_fallen, a_fallen) = _refine_set(is64, b, a)
        return (a_taken, b_taken), (a_fallen, b_fallen)
    bits = b.value & width
    taken = a
    if bits and not bits & (bits - 1):
        value, mask = tnum.or_(a.value, a.mask, bits, 0)
        taken = _with_bits(a, value, mask)
    value, mask = a.value & ~bits, a.mask & ~bits
    fallen = sync(value, mask, S64_MIN, S64_MAX, 0, M64, S32_MIN, S32_MAX, 0, M32)
    return (resync(taken), resync(b)), (fallen, resync(b))


def _wrap64(number: int) -> int:
    return ((number & M64) ^ 1 << 63) - (1 << 63)


def _wrap32(number: int) -> int:
    return ((number & M32) ^ 1 << 31) - (1 << 31)


def _with_bits(s: Scalar, value: int, mask: int) -> Scalar:
    return sync(value, mask, s.smin, s.smax, s.umin, s.umax, s.s32_min, s.s32_max, s.u32_min, s.u32_max)


def _with_u64(s: Scalar, umin: int, umax: int) -> Scalar:
    if not s.mask and s.umin == umin and s.umax == umax and s.umin == s.umax:
        return s
    return sync(s.value, s.mask, s.smin, s.smax, umin, umax, s.s32_min, s.s32_max, s.u32_min, s.u32_max)


def _with_s64(s: Scalar, smin: int, smax: int) -> Scalar:
    if not s.mask and s.smin == smin and s.smax == smax and s.umin == s.umax:
        return s
    return sync(s.value, s.mask, smin, smax, s.umin, s.umax, s.s32_min, s.s32_max, s.u32_min, s.u32_max)


def _with_u32(s: Scalar, u32_min: int, u32_max: int) -> Scalar:
    if not s.mask and s.u32_min == u32_min and s.u32_max == u32_max and s.umin == s.umax:
        return s
    return sync(s.value, s.mask, s.smin, s.smax, s.umin, s.umax, s.s32_min, s.s32_max, u32_min, u32_max)


def _with_s32(s: Scalar, s32_min: int, s32_max: int) -> Scalar:
    if not s.mask and s.s32_min == s32_min and s.s32_max == s32_max and s.umin == s.umax:
        return s
    return sync(s.value, s.mask, s.smin, s.smax, s.umin, s.umax, s32_min, s32_max, s.u32_min, s.u32_max)
