"""What a program's return value means to its hook, by program type: names, and whether the packet goes on.

Sources: include/uapi/linux/pkt_cls.h (TC_ACT_*), include/uapi/linux/bpf.h (enum xdp_action); for socket filters
net/core/filter.c, sk_filter_trim_cap(): the value is the length to keep, 0 drops; for cgroup programs 1 passes
(kernel/bpf/cgroup.c, __cgroup_bpf_run_filter_skb(); bit 1 asks for congestion notification).
"""

from __future__ import annotations

from toolchain.errors import UsageError
from toolchain.isa.program_types import ProgType
from toolchain.spec.runtime import RunResult

_TC = {
    -1: "TC_ACT_UNSPEC", 0: "TC_ACT_OK", 1: "TC_ACT_RECLASSIFY", 2: "TC_ACT_SHOT", 3: "TC_ACT_PIPE",
    4: "TC_ACT_STOLEN", 5: "TC_ACT_QUEUED", 6: "TC_ACT_REPEAT", 7: "TC_ACT_REDIRECT", 8: "TC_ACT_TRAP",
}  # fmt: skip
_XDP = {0: "XDP_ABORTED", 1: "XDP_DROP", 2: "XDP_PASS", 3: "XDP_TX", 4: "XDP_REDIRECT"}

NAMES: dict[int, dict[int, str]] = {ProgType.SCHED_CLS: _TC, ProgType.SCHED_ACT: _TC, ProgType.XDP: _XDP}
"""Program type -> signed return value -> name."""

_DROPS: dict[int, frozenset[int]] = {
    ProgType.SCHED_CLS: frozenset({2, 4, 5, 8}),
    ProgType.SCHED_ACT: frozenset({2, 4, 5, 8}),
    ProgType.XDP: frozenset({0, 1}),
}
"""Return values after which the packet does not go on."""


def signed(retval: int) -> int:
    """The unsigned 32-bit return value as C's int."""
    return (retval & 0xFFFFFFFF) - ((retval & 0x80000000) << 1)


def verdict_text(prog_type: int, retval: int) -> str:
    """``2 (TC_ACT_SHOT)``, or the number alone where it has no name."""
    value = signed(retval)
    name = NAMES.get(prog_type, {}).get(value)
    return f"{value} ({name})" if name else str(value)


def parse_retval(text: str, prog_type: int) -> int:
    """An expected return value: a number, or a verdict's name with or without its prefix. Raises UsageError."""
    names = NAMES.get(prog_type, {})
    word = text.upper().replace("-", "_")
    for value, name in names.items():
        if word in (name, name.removeprefix("TC_ACT_"), name.removeprefix("XDP_")):
            return value & 0xFFFFFFFF
    try:
        value = int(text, 0)
    except ValueError:
        allowed = ", ".join(["a number", *names.values()])
        raise UsageError(f"no return value: {text} ({allowed})") from None
    if not -(1 << 31) <= value < 1 << 32:
        raise UsageError(f"return value out of range: {text} (32 bits)")
    return value & 0xFFFFFFFF


def passed(prog_type: int, result: RunResult) -> bytes | None:
    """The packet that goes on after the run; None where it was dropped or taken."""
    if prog_type == ProgType.SOCKET_FILTER:
        return result.data_out[: result.retval] or None
    if prog_type == ProgType.CGROUP_SKB:
        return result.data_out if result.retval & 1 else None
    return None if signed(result.retval) in _DROPS.get(prog_type, ()) else result.data_out
