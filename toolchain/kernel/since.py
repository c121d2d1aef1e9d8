"""Which Linux has which type of map and program, and what an EINVAL about one means.

A kernel answers EINVAL to a type that it does not know, as to much else. Who asks here gets ``Unsupported`` with the
version that has the type where this kernel is older, or where it is built without it (its smallest program is refused
as well); else nothing, and the EINVAL is about the request.

Source: the history of include/uapi/linux/bpf.h: the first release with each value of enum bpf_map_type and
enum bpf_prog_type.
"""

from __future__ import annotations

import os

from toolchain.errors import Unsupported, Where
from toolchain.isa.map_types import MapType as Mt
from toolchain.isa.program_types import AttachType
from toolchain.isa.program_types import ProgType as Pt
from toolchain.kernel import calls
from toolchain.kernel.calls import ProgLoad

MAPS_SINCE = {
    Mt.HASH: "3.19", Mt.ARRAY: "3.19", Mt.PROG_ARRAY: "4.2", Mt.PERF_EVENT_ARRAY: "4.3", Mt.PERCPU_HASH: "4.6",
    Mt.PERCPU_ARRAY: "4.6", Mt.STACK_TRACE: "4.6", Mt.CGROUP_ARRAY: "4.8", Mt.LRU_HASH: "4.10",
    Mt.LRU_PERCPU_HASH: "4.10", Mt.LPM_TRIE: "4.11", Mt.ARRAY_OF_MAPS: "4.12", Mt.HASH_OF_MAPS: "4.12",
    Mt.DEVMAP: "4.14", Mt.SOCKMAP: "4.14", Mt.CPUMAP: "4.15", Mt.XSKMAP: "4.18", Mt.SOCKHASH: "4.18",
    Mt.CGROUP_STORAGE: "4.19", Mt.REUSEPORT_SOCKARRAY: "4.19", Mt.PERCPU_CGROUP_STORAGE: "4.20", Mt.QUEUE: "4.20",
    Mt.STACK: "4.20", Mt.SK_STORAGE: "5.2", Mt.DEVMAP_HASH: "5.4", Mt.STRUCT_OPS: "5.6", Mt.RINGBUF: "5.8",
    Mt.INODE_STORAGE: "5.10", Mt.TASK_STORAGE: "5.11", Mt.BLOOM_FILTER: "5.16", Mt.USER_RINGBUF: "6.1",
    Mt.CGRP_STORAGE: "6.2", Mt.ARENA: "6.9",
}  # fmt: skip
PROGRAMS_SINCE = {
    Pt.SOCKET_FILTER: "3.19", Pt.KPROBE: "4.1", Pt.SCHED_CLS: "4.1", Pt.SCHED_ACT: "4.1", Pt.TRACEPOINT: "4.7",
    Pt.XDP: "4.8", Pt.PERF_EVENT: "4.9", Pt.CGROUP_SKB: "4.10", Pt.CGROUP_SOCK: "4.10", Pt.LWT_IN: "4.10",
    Pt.LWT_OUT: "4.10", Pt.LWT_XMIT: "4.10", Pt.SOCK_OPS: "4.13", Pt.SK_SKB: "4.14", Pt.CGROUP_DEVICE: "4.15",
    Pt.SK_MSG: "4.17", Pt.RAW_TRACEPOINT: "4.17", Pt.CGROUP_SOCK_ADDR: "4.17", Pt.LWT_SEG6LOCAL: "4.18",
    Pt.LIRC_MODE2: "4.18", Pt.SK_REUSEPORT: "4.19", Pt.FLOW_DISSECTOR: "4.20", Pt.CGROUP_SYSCTL: "5.2",
    Pt.RAW_TRACEPOINT_WRITABLE: "5.2", Pt.CGROUP_SOCKOPT: "5.3", Pt.TRACING: "5.5", Pt.STRUCT_OPS: "5.6",
    Pt.EXT: "5.6", Pt.LSM: "5.7", Pt.SK_LOOKUP: "5.9", Pt.SYSCALL: "5.14", Pt.NETFILTER: "6.4",
}  # fmt: skip

ATTACH_TYPES = {
    Pt.CGROUP_SOCK_ADDR: AttachType.CGROUP_INET4_CONNECT,
    Pt.CGROUP_SOCKOPT: AttachType.CGROUP_SETSOCKOPT,
    Pt.SK_LOOKUP: AttachType.SK_LOOKUP,
    Pt.NETFILTER: AttachType.NETFILTER,
}
"""One that the smallest program of a type can be loaded for, where it needs any."""
NEEDS_A_PLACE = frozenset({Pt.UNSPEC, Pt.TRACING, Pt.LSM, Pt.EXT, Pt.STRUCT_OPS})
"""Loaded for one place of the kernel only: they have no smallest program."""

_RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")
_SLEEPABLE = 1 << 4


def smallest(kind: int, token_fd: int = 0) -> ProgLoad:
    """``r0 = 0; exit`` as a program of a type."""
    flags = _SLEEPABLE if kind == Pt.SYSCALL else 0
    attach_type = int(ATTACH_TYPES.get(Pt(kind), 0))
    return ProgLoad(kind, _RETURN_0, "GPL", "probe", flags, 0, attach_type, token_fd=token_fd)


def require_map_type(kind: int, where: Where | None = None) -> None:
    """After an EINVAL: raise Unsupported if this kernel is too old for a type of map."""
    since = MAPS_SINCE.get(Mt(kind), "") if kind in set(Mt) else ""
    if since and is_before(os.uname().release, since):
        raise Unsupported(f"maps of type {Mt(kind).label} on Linux {os.uname().release} ({since} has them)", where)


def require_program_type(kind: int, where: Where | None = None, token_fd: int = 0) -> None:
    """After an EINVAL without a log: raise Unsupported if this kernel has no programs of a type."""
    if kind not in set(Pt):
        return
    release, since = os.uname().release, PROGRAMS_SINCE.get(Pt(kind), "")
    if since and is_before(release, since):
        raise Unsupported(f"programs of type {Pt(kind).label} on Linux {release} ({since} has them)", where)
    if kind in NEEDS_A_PLACE:
        return
    answer = calls.prog_load(smallest(kind, token_fd))
    if answer.fd >= 0:
        os.close(answer.fd)
        return
    text = f"programs of type {Pt(kind).label} on this kernel"
    raise Unsupported(text, where, f"Linux {release} is built without them: see its configuration")


def is_before(release: str, since: str) -> bool:
    """``release`` is an older Linux than ``since``; false for a release that is no number."""
    try:
        major, minor = (int("".join(filter(str.isdigit, part)) or "0") for part in release.split("-")[0].split(".")[:2])
    except ValueError:
        return False
    wanted = since.split(".")
    return (major, minor) < (int(wanted[0]), int(wanted[1]))
