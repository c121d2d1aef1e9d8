"""Who may do what: the capabilities of bpf(2), and what the kernel's EPERM means.

    creating a map, loading type information      CAP_BPF
    loading a program                             CAP_BPF, and by its type CAP_NET_ADMIN or CAP_PERFMON
    objects by their ids, lists of ids            CAP_SYS_ADMIN
    attaching to a device, netlink                CAP_NET_ADMIN
    pins                                          none: the permissions of the file system decide (closed_place),
                                                  which CAP_DAC_OVERRIDE passes over

CAP_SYS_ADMIN stands for CAP_BPF, CAP_NET_ADMIN (in a load) and CAP_PERFMON. All of them count in the initial user
namespace only; in another one a token passes them on. A refusal with none of them missing comes from elsewhere:
lockdown, a security module, a seccomp filter, or a hook that this kernel lets nobody attach to.

Source: kernel/bpf/syscall.c of Linux 6.12: bpf_prog_load(), map_create(), is_net_admin_prog_type(),
is_perfmon_prog_type(), bpf_token_capable(); kernel/bpf/inode.c, bpf_obj_do_pin() and bpf_obj_do_get().
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NoReturn

from toolchain.errors import LoadError, RuntimeUnavailable, Where
from toolchain.isa.program_types import ProgType
from toolchain.kernel.calls import BpfCallError

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
"""Name -> bit. Source: include/uapi/linux/capability.h."""
_DAC_OVERRIDE, _FOWNER = 1, 3
_ALL_IDS = ["0", "0", "4294967295"]
REMEDY = "run as root, or use the user runtime: -r user"

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
    mask = _effective_mask()
    return frozenset(name for name, bit in CAPABILITIES.items() if mask >> bit & 1)


def _effective_mask() -> int:
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def is_initial_user_namespace() -> bool:
    """The capabilities of this process are those that bpf(2) asks for. Source: user_namespaces(7), the identity map."""
    try:
        with open("/proc/self/uid_map") as lines:
            return lines.read().split() == _ALL_IDS
    except OSError:
        return True


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


def explain(names: tuple[str, ...]) -> tuple[str, str]:
    """What an EPERM means for something that takes the capabilities ``names``: text behind its name, and the remedy."""
    lacking = missing(names)
    if lacking:
        return f" needs {' and '.join(lacking)}", REMEDY
    if not is_initial_user_namespace():
        text = f": {' and '.join(names)} held in this user namespace only"
        if names == ("CAP_SYS_ADMIN",):
            return text, "name it by its pin: ids and lists are for the machine's own root"
        hint = "no token passes it on: a bpffs of this namespace must delegate it ('bpf-load doctor'), or use -r user"
        return text, hint
    hint = "a lockdown, a security module or a seccomp filter forbids it: see 'bpf-load doctor'"
    return ": the kernel refuses it though no capability is missing", hint


def refuse(
    error: BpfCallError, what: str, where: Where | None = None, names: tuple[str, ...] = ("CAP_BPF",)
) -> NoReturn:
    """Raise the error of ours that an errno of bpf(2) means for ``what``, which takes the capabilities ``names``."""
    if error.errno == errno.EPERM:
        text, hint = explain(names)
        raise RuntimeUnavailable(what + text, error.errno, where, hint) from error
    if error.errno == errno.ENOSYS:
        raise RuntimeUnavailable("this kernel has no bpf(2)", error.errno, where, "use -r user") from error
    raise LoadError(what, error.errno, where) from error


def closed_place(path: str, *, writing: bool) -> str:
    """The first directory on the way to ``path``, or ``path`` itself, that this process may not use; '' for none.

    ``writing``: to make or remove ``path``, which takes writing to its directory (a sticky one lets owners only
    remove), else to read it. Asks with the ids that count (effective ones), as the kernel does.
    """
    path = os.path.abspath(path)
    parts = path.split("/")
    for depth in range(1, len(parts)):
        directory = "/".join(parts[:depth]) or "/"
        wanted = os.X_OK | (os.W_OK if writing and depth == len(parts) - 1 else 0)
        if not _may(directory, wanted):
            return directory
    if writing:
        return os.path.dirname(path) if _is_others_in_sticky(path) else ""
    return "" if _may(path, os.R_OK) else path


def _is_others_in_sticky(path: str) -> bool:
    """``path`` is somebody else's, in a directory where only owners remove."""
    try:
        above, status = os.stat(os.path.dirname(path)), os.lstat(path)
    except OSError:
        return False
    is_ours = os.geteuid() in (above.st_uid, status.st_uid) or _effective_mask() >> _FOWNER & 1
    return bool(above.st_mode & stat.S_ISVTX) and not is_ours


def _may(path: str, wanted: int) -> bool:
    """Whether this process may; also true of what is not there."""
    return os.access(path, wanted, effective_ids=True) or not os.path.lexists(path)


def closed_to_us(path: str, *, writing: bool) -> tuple[str, str] | None:
    """What forbids the use of a path in a bpffs, and the remedy; None where permissions of files do not."""
    place = closed_place(path, writing=writing)
    if not place:
        return None
    text = f"{place} is closed to uid {os.geteuid()}"
    try:
        status = os.stat(place)
        text += f" (mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid})"
    except OSError:
        pass
    lacking = [] if _effective_mask() >> _DAC_OVERRIDE & 1 else ["CAP_DAC_OVERRIDE"]
    lacking += missing(("CAP_BPF",))
    remedy = "run as root, or let its owner open it (chmod, chown), or use the user runtime: -r user"
    return text + (f", missing: {' and '.join(lacking)}" if lacking else ""), remedy
