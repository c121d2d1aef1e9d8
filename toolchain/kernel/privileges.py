"""Who may do what: the capabilities of bpf(2), and what the kernel's EPERM means.

    creating a map, loading type information      CAP_BPF
    loading a program                             CAP_BPF, and by its type CAP_NET_ADMIN or CAP_PERFMON
    objects by their ids, lists of ids            CAP_SYS_ADMIN
    pins                                          none: the permissions of the file system decide

CAP_SYS_ADMIN stands for CAP_BPF, CAP_NET_ADMIN (in a load) and CAP_PERFMON. A refusal with none of them missing comes
from elsewhere: lockdown, a security module, a seccomp filter, or a hook that this kernel lets nobody attach to.

Source: kernel/bpf/syscall.c of Linux 6.12: bpf_prog_load(), map_create(), is_net_admin_prog_type(),
is_perfmon_prog_type(), bpf_token_capable().
"""

from __future__ import annotations

import errno
from typing import NoReturn

from toolchain.errors import LoadError, RuntimeUnavailable, Where
from toolchain.isa.program_types import ProgType
from toolchain.kernel.calls import BpfCallError

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
"""Name -> bit. Source: include/uapi/linux/capability.h."""

_NET_ADMIN = frozenset(
    {
        *(ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.XDP, ProgType.LWT_IN, ProgType.LWT_OUT, ProgType.LWT_XMIT),
        *(ProgType.LWT_SEG6LOCAL, ProgType.SK_SKB, ProgType.SK_MSG, ProgType.FLOW_DISSECTOR, ProgType.CGROUP_DEVICE),
        *(ProgType.CGROUP_SOCK, ProgType.CGROUP_SOCK_ADDR, ProgType.CGROUP_SOCKOPT, ProgType.CGROUP_SYSCTL),
        *(ProgType.SOCK_OPS, ProgType.EXT, ProgType.NETFILTER),
    }
)
_PERFMON = frozenset(
    {
        *(ProgType.KPROBE, ProgType.TRACEPOINT, ProgType.PERF_EVENT, ProgType.RAW_TRACEPOINT),
        *(ProgType.RAW_TRACEPOINT_WRITABLE, ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS, ProgType.EXT),
    }
)


def effective() -> frozenset[str]:
    """The capabilities of CAPABILITIES that this process has now."""
    mask = 0
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith("CapEff:"):
                mask = int(line.split()[1], 16)
    return frozenset(name for name, bit in CAPABILITIES.items() if mask >> bit & 1)


def needed(prog_type: int) -> tuple[str, ...]:
    """The capabilities that loading a program of a type takes."""
    names = ["CAP_BPF"]
    names += ["CAP_NET_ADMIN"] if prog_type in _NET_ADMIN else []
    names += ["CAP_PERFMON"] if prog_type in _PERFMON else []
    return tuple(names)


def missing(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``names`` that this process lacks."""
    held = effective()
    return () if "CAP_SYS_ADMIN" in held else tuple(name for name in names if name not in held)


def refuse(
    error: BpfCallError, what: str, where: Where | None = None, names: tuple[str, ...] = ("CAP_BPF",)
) -> NoReturn:
    """Raise the error of ours that an errno of bpf(2) means for ``what``, which takes the capabilities ``names``."""
    if error.errno == errno.EPERM:
        lacking = missing(names)
        if lacking:
            text, hint = f"{what} needs {' and '.join(lacking)}", "run as root, or use the user runtime: -r user"
        else:
            text = f"the kernel refuses {what} though no capability is missing"
            hint = "a lockdown, a security module or a seccomp filter forbids it: see 'bpf-load doctor'"
        raise RuntimeUnavailable(text, error.errno, where, hint) from error
    if error.errno == errno.ENOSYS:
        raise RuntimeUnavailable("this kernel has no bpf(2)", error.errno, where, "use -r user") from error
    raise LoadError(what, error.errno, where) from error
