"""Numbers as the kernel's log shows them.

Source: Linux 6.18.44 kernel/bpf/log.c (print_scalar_ranges, print_reg_state) and verifier.c
(reg_bounds_sanity_check), as facts.
"""

from __future__ import annotations

from toolchain.verifier import tnum
from toolchain.verifier.scalar import M32, M64, S32_MAX, S32_MIN, S64_MAX, S64_MIN, Scalar, violation

_B63 = 1 << 63


def signed_text(number: int) -> str:
    """A signed number as the log prints it: decimal where it fits 16 bits, else hexadecimal of 64 bits."""
    return str(number) if -0x8000 <= number <= 0x7FFF else f"0x{number & M64:x}"


def unsigned_text(number: int) -> str:
    """A number as the log prints its 64 bits, unsigned: decimal where it fits 16 bits, else hexadecimal."""
    number &= M64
    return str(number) if number <= 0xFFFF else f"0x{number:x}"


def format_ranges(scalar: Scalar) -> str:
    """``smin=0,smax=umax=255,var_off=(0x0; 0xff)``: what is not the widest, equal numbers of like kind joined by ``=``.

    Source: kernel/bpf/log.c print_scalar_ranges and the end of print_reg_state.
    """
    s = scalar
    rows = [
        ("smin", s.smin & M64, s.smin != S64_MIN),
        ("smax", s.smax & M64, s.smax != S64_MAX),
        ("umin", s.umin, s.umin != 0),
        ("umax", s.umax, s.umax != M64),
        ("smin32", _joined32(s.s32_min), s.s32_min != S32_MIN),
        ("smax32", _joined32(s.s32_max), s.s32_max != S32_MAX),
        ("umin32", s.u32_min, s.u32_min != 0),
        ("umax32", s.u32_max, s.u32_max != M32),
    ]
    parts = []
    for index, (name, number, is_shown) in enumerate(rows):
        if not is_shown:
            continue
        is_negative = name[0] == "s" and number >= _B63
        names = name + "="
        for later in range(index + 2, 8, 2):
            other, other_number, other_shown = rows[later]
            if other_shown and other_number == number and (other[0] == "s" and other_number >= _B63) == is_negative:
                rows[later] = (other, other_number, False)
                names += other + "="
        parts.append(names + (signed_text((number ^ _B63) - _B63) if name[0] == "s" else unsigned_text(number)))
    if s.mask != M64 or s.value:
        parts.append(f"var_off={tnum.format_tnum(s.value, s.mask)}")
    return ",".join(parts)


def _joined32(number: int) -> int:
    """A signed 32-bit end as the log compares it: sign-extended if it prints as a decimal, else zero-extended."""
    return number & M64 if -0x8000 <= number <= 0x7FFF else number & M32


def format_scalar(scalar: Scalar, attributes: str = "", is_precise: bool = False) -> str:
    """The kernel log's text of a number: ``42``, ``scalar()``, ``scalar(id=1,umax=255,var_off=(0x0; 0xff))``.

    ``attributes`` goes first inside the parentheses (``id=1``, ``id=1+4``). Source: kernel/bpf/log.c print_reg_state.
    """
    prefix = "P" if is_precise else ""
    if not scalar.mask:
        return prefix + signed_text(scalar.signed_value)
    inside = format_ranges(scalar)
    return f"{prefix}scalar({attributes}{',' if attributes and inside else ''}{inside})"


def violation_text(scalar: Scalar, context: str) -> str:
    """The line that the kernel's log has for contradicting views; '' where there is nothing to say."""
    reason = violation(scalar)
    if not reason:
        return ""
    s = scalar
    return (
        f"verifier bug: REG INVARIANTS VIOLATION ({context}): {reason} u64=[0x{s.umin:x}, 0x{s.umax:x}] "
        f"s64=[0x{s.smin & M64:x}, 0x{s.smax & M64:x}] u32=[0x{s.u32_min:x}, 0x{s.u32_max:x}] "
        f"s32=[0x{s.s32_min & M32:x}, 0x{s.s32_max & M32:x}] var_off=(0x{s.value:x}, 0x{s.mask:x})"
    )
