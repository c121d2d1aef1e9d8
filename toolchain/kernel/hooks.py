"""Where programs are attached with a link: TCX, XDP, cgroup and netfilter hooks, through bpf(2) alone.

    hook            target              one link a program; a hook is
    tcx             device, direction   an ordered list with a revision: before/after a program or a link, or replace
    xdp             device              one slot; a second link is EBUSY
    cgroup_skb      cgroup directory    a list, with BPF_F_ALLOW_MULTI implied
    netfilter       protocol, hook      a list by priority; one link a priority

Classic tc filters (clsact) and classic XDP go through netlink and are not here.

Source: kernel/bpf/tcx.c, net/core/dev.c (bpf_xdp_link_attach), net/netfilter/nf_bpf_link.c of Linux 6.18.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import NoReturn

from toolchain.errors import LoadError, RuntimeUnavailable, Unsupported
from toolchain.isa.program_types import AttachType
from toolchain.kernel import calls
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.handles import KernelLink, KernelProgram

DIRECTIONS = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS}

_BEFORE, _AFTER, _ID, _LINK = 1 << 3, 1 << 4, 1 << 5, 1 << 13
"""BPF_F_BEFORE, BPF_F_AFTER, BPF_F_ID, BPF_F_LINK."""

_XDP_MODES = {"": 0, "generic": 1 << 1, "native": 1 << 2, "offload": 1 << 3}
"""XDP_FLAGS_*_MODE. Source: include/uapi/linux/if_link.h."""

_REMEDIES = {
    errno.EBUSY: "another program holds this hook: detach it, or replace it",
    errno.EEXIST: "this program is attached there already, or another XDP mode is in use",
    errno.ESTALE: "the hook changed meanwhile: ask again for its revision",
    errno.ENOLINK: "the link was detached, or its device is gone: attach anew",
    errno.ENODEV: "no such device in this network namespace",
    errno.ENOENT: "the program or link to stand beside is not attached there",
}


@dataclass(frozen=True, slots=True)
class Order:
    """A place in a hook's list: beside a program or link by id, or first/last where ``relative_id`` is 0.

    ``is_before`` and ``is_after`` exclude each other; both false means last. ``is_link`` says what the id names.
    ``revision`` is the hook's revision that the caller has seen (0: any).
    """

    is_before: bool = False
    is_after: bool = False
    relative_id: int = 0
    is_link: bool = False
    revision: int = 0

    @property
    def flags(self) -> int:
        """BPF_F_* of the request."""
        flags = (_BEFORE if self.is_before else 0) | (_AFTER if self.is_after else 0)
        if self.relative_id:
            flags |= _ID | (_LINK if self.is_link else 0)
        return flags


def device_index(device: str) -> int:
    """A device's ifindex in this network namespace. Raises LoadError ENODEV."""
    try:
        return socket.if_nametoindex(device)
    except OSError as error:
        raise LoadError(f"device {device}", errno.ENODEV, None, _REMEDIES[errno.ENODEV]) from error


def attach_tcx(program: KernelProgram, device: str, direction: str, order: Order | None = None) -> KernelLink:
    """Attach to a device's ingress or egress. Linux 6.6 and newer; Unsupported before."""
    order = order or Order()
    try:
        fd = calls.link_create(
            "relative",
            program.fileno(),
            device_index(device),
            DIRECTIONS[direction],
            order.flags,
            relative=order.relative_id,
            expected_revision=order.revision,
        )
    except BpfCallError as error:
        if error.errno == errno.EINVAL and not has_tcx():
            raise Unsupported(
                "TCX links on this kernel (Linux 6.6 has them)", None, "use the tc verb: clsact"
            ) from error
        _refuse(error, f"attach to {device} {direction}")
    return KernelLink(fd)


def attach_xdp(program: KernelProgram, device: str, mode: str = "") -> KernelLink:
    """Attach to a device's XDP hook; ``mode`` is '' (the kernel chooses), generic, native or offload."""
    try:
        fd = calls.link_create("plain", program.fileno(), device_index(device), AttachType.XDP, _XDP_MODES[mode])
    except BpfCallError as error:
        _refuse(error, f"attach to {device} xdp")
    return KernelLink(fd)


def attach_cgroup(program: KernelProgram, path: str, attach_type: AttachType) -> KernelLink:
    """Attach to a cgroup v2 directory."""
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LoadError(f"cgroup {path}", error.errno or errno.EIO) from error
    try:
        fd = calls.link_create("plain", program.fileno(), directory, attach_type)
    except BpfCallError as error:
        _refuse(error, f"attach to cgroup {path}")
    finally:
        os.close(directory)
    return KernelLink(fd)


def attach_netfilter(
    program: KernelProgram, protocol: int, hook: int, priority: int, *, defrag: bool = False
) -> KernelLink:
    """Attach to a netfilter hook (protocol PF_INET or PF_INET6, hook NF_INET_*). Linux 6.4 and newer."""
    try:
        fd = calls.link_create(
            "netfilter",
            program.fileno(),
            0,
            AttachType.NETFILTER,
            pf=protocol,
            hooknum=hook,
            priority=priority,
            nf_flags=int(defrag),
        )
    except BpfCallError as error:
        _refuse(error, f"attach to netfilter hook {hook} at priority {priority}")
    return KernelLink(fd)


def query_tcx(device: str, direction: str) -> calls.HookQuery:
    """Who is attached, in order, and the revision."""
    try:
        return calls.prog_query(device_index(device), DIRECTIONS[direction])
    except BpfCallError as error:
        _refuse(error, f"query {device} {direction}")


def has_tcx() -> bool:
    """This kernel knows TCX: the loopback's hook can be asked."""
    try:
        calls.prog_query(device_index("lo"), AttachType.TCX_INGRESS)
    except (BpfCallError, LoadError):
        return False
    return True


def _refuse(error: BpfCallError, what: str) -> NoReturn:
    if error.errno == errno.EPERM:
        raise RuntimeUnavailable(what, error.errno, None, "needs CAP_NET_ADMIN and CAP_BPF: run as root") from error
    raise LoadError(what, error.errno, None, _REMEDIES.get(error.errno, "")) from error
