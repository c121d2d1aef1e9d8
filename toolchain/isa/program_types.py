"""Program types and attach types, by the kernel's numbers.

What a program of each type may touch in its context is in contexts.py, what it may call in helpers.py.
Source: include/uapi/linux/bpf.h of Linux 6.12 (enum bpf_prog_type, enum bpf_attach_type), attach types from 57 on as
libbpf 1.7's copy of it has them; names as bpftool prints them.
"""

from __future__ import annotations

from enum import IntEnum


class ProgType(IntEnum):
    """``enum bpf_prog_type``."""

    UNSPEC = 0
    SOCKET_FILTER = 1
    KPROBE = 2
    SCHED_CLS = 3
    SCHED_ACT = 4
    TRACEPOINT = 5
    XDP = 6
    PERF_EVENT = 7
    CGROUP_SKB = 8
    CGROUP_SOCK = 9
    LWT_IN = 10
    LWT_OUT = 11
    LWT_XMIT = 12
    SOCK_OPS = 13
    SK_SKB = 14
    CGROUP_DEVICE = 15
    SK_MSG = 16
    RAW_TRACEPOINT = 17
    CGROUP_SOCK_ADDR = 18
    LWT_SEG6LOCAL = 19
    LIRC_MODE2 = 20
    SK_REUSEPORT = 21
    FLOW_DISSECTOR = 22
    CGROUP_SYSCTL = 23
    RAW_TRACEPOINT_WRITABLE = 24
    CGROUP_SOCKOPT = 25
    TRACING = 26
    STRUCT_OPS = 27
    EXT = 28
    LSM = 29
    SK_LOOKUP = 30
    SYSCALL = 31
    NETFILTER = 32

    @property
    def label(self) -> str:
        """bpftool's spelling: SCHED_CLS -> 'sched_cls'."""
        return self.name.lower()


def prog_type_label(number: int) -> str:
    """bpftool's spelling of a live program's type; the number of one that is newer than this table."""
    return ProgType(number).label if number in set(ProgType) else str(number)


class AttachType(IntEnum):
    """``enum bpf_attach_type``."""

    CGROUP_INET_INGRESS = 0
    CGROUP_INET_EGRESS = 1
    CGROUP_INET_SOCK_CREATE = 2
    CGROUP_SOCK_OPS = 3
    SK_SKB_STREAM_PARSER = 4
    SK_SKB_STREAM_VERDICT = 5
    CGROUP_DEVICE = 6
    SK_MSG_VERDICT = 7
    CGROUP_INET4_BIND = 8
    CGROUP_INET6_BIND = 9
    CGROUP_INET4_CONNECT = 10
    CGROUP_INET6_CONNECT = 11
    CGROUP_INET4_POST_BIND = 12
    CGROUP_INET6_POST_BIND = 13
    CGROUP_UDP4_SENDMSG = 14
    CGROUP_UDP6_SENDMSG = 15
    LIRC_MODE2 = 16
    FLOW_DISSECTOR = 17
    CGROUP_SYSCTL = 18
    CGROUP_UDP4_RECVMSG = 19
    CGROUP_UDP6_RECVMSG = 20
    CGROUP_GETSOCKOPT = 21
    CGROUP_SETSOCKOPT = 22
    TRACE_RAW_TP = 23
    TRACE_FENTRY = 24
    TRACE_FEXIT = 25
    MODIFY_RETURN = 26
    LSM_MAC = 27
    TRACE_ITER = 28
    CGROUP_INET4_GETPEERNAME = 29
    CGROUP_INET6_GETPEERNAME = 30
    CGROUP_INET4_GETSOCKNAME = 31
    CGROUP_INET6_GETSOCKNAME = 32
    XDP_DEVMAP = 33
    CGROUP_INET_SOCK_RELEASE = 34
    XDP_CPUMAP = 35
    SK_LOOKUP = 36
    XDP = 37
    SK_SKB_VERDICT = 38
    SK_REUSEPORT_SELECT = 39
    SK_REUSEPORT_SELECT_OR_MIGRATE = 40
    PERF_EVENT = 41
    TRACE_KPROBE_MULTI = 42
    LSM_CGROUP = 43
    STRUCT_OPS = 44
    NETFILTER = 45
    TCX_INGRESS = 46
    TCX_EGRESS = 47
    TRACE_UPROBE_MULTI = 48
    CGROUP_UNIX_CONNECT = 49
    CGROUP_UNIX_SENDMSG = 50
    CGROUP_UNIX_RECVMSG = 51
    CGROUP_UNIX_GETPEERNAME = 52
    CGROUP_UNIX_GETSOCKNAME = 53
    NETKIT_PRIMARY = 54
    NETKIT_PEER = 55
    TRACE_KPROBE_SESSION = 56
    TRACE_UPROBE_SESSION = 57
    TRACE_FSESSION = 58
    TRACE_FENTRY_MULTI = 59
    TRACE_FEXIT_MULTI = 60
    TRACE_FSESSION_MULTI = 61


_SOCKETS = frozenset(
    {
        AttachType.CGROUP_INET_SOCK_CREATE,
        AttachType.CGROUP_INET_SOCK_RELEASE,
        AttachType.CGROUP_INET4_POST_BIND,
        AttachType.CGROUP_INET6_POST_BIND,
    }
)
_ADDRESSES = frozenset(
    {
        *(AttachType.CGROUP_INET4_BIND, AttachType.CGROUP_INET6_BIND),
        *(AttachType.CGROUP_INET4_CONNECT, AttachType.CGROUP_INET6_CONNECT, AttachType.CGROUP_UNIX_CONNECT),
        *(AttachType.CGROUP_UDP4_SENDMSG, AttachType.CGROUP_UDP6_SENDMSG, AttachType.CGROUP_UNIX_SENDMSG),
        *(AttachType.CGROUP_UDP4_RECVMSG, AttachType.CGROUP_UDP6_RECVMSG, AttachType.CGROUP_UNIX_RECVMSG),
        *(AttachType.CGROUP_INET4_GETPEERNAME, AttachType.CGROUP_INET6_GETPEERNAME),
        *(AttachType.CGROUP_INET4_GETSOCKNAME, AttachType.CGROUP_INET6_GETSOCKNAME),
        *(AttachType.CGROUP_UNIX_GETPEERNAME, AttachType.CGROUP_UNIX_GETSOCKNAME),
    }
)

_LOADS_AS: dict[ProgType, frozenset[int]] = {
    ProgType.CGROUP_SOCK: _SOCKETS,
    ProgType.CGROUP_SOCK_ADDR: _ADDRESSES,
    ProgType.CGROUP_SKB: frozenset({AttachType.CGROUP_INET_INGRESS, AttachType.CGROUP_INET_EGRESS}),
    ProgType.CGROUP_SOCKOPT: frozenset({AttachType.CGROUP_GETSOCKOPT, AttachType.CGROUP_SETSOCKOPT}),
    ProgType.SK_LOOKUP: frozenset({AttachType.SK_LOOKUP}),
    ProgType.SK_REUSEPORT: frozenset({AttachType.SK_REUSEPORT_SELECT, AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE}),
    ProgType.NETFILTER: frozenset({AttachType.NETFILTER}),
    ProgType.SYSCALL: frozenset({0}),
    ProgType.EXT: frozenset({0}),
}

_INSTEAD_OF_NONE: dict[ProgType, AttachType] = {
    ProgType.CGROUP_SOCK: AttachType.CGROUP_INET_SOCK_CREATE,
    ProgType.SK_REUSEPORT: AttachType.SK_REUSEPORT_SELECT,
}


def loaded_attach_type(prog_type: ProgType, attach_type: int) -> int | None:
    """The expected attach type that a load with ``attach_type`` gets; None: the kernel refuses it (EINVAL, no log).

    Two types have a default in place of 0; most take any number.
    Source: kernel/bpf/syscall.c, bpf_prog_load_fixup_attach_type() and bpf_prog_load_check_attach(), Linux 6.12.
    """
    wanted = attach_type or _INSTEAD_OF_NONE.get(prog_type, 0)
    allowed = _LOADS_AS.get(prog_type)
    return wanted if allowed is None or wanted in allowed else None
