"""Where programs are attached with a link: TCX, XDP, cgroup and netfilter hooks, through bpf(2) alone.

    program      target, hook                          one link a program; a hook is
    sched_cls    device, ingress|egress   (TCX)        an ordered list with a revision: before/after a program or a link
    xdp          device, xdp                           one slot; a second link is EBUSY
    cgroup_skb   cgroup directory, ingress|egress      a list, with BPF_F_ALLOW_MULTI implied
    netfilter    ipv4|ipv6, prerouting|input|...       a list by priority; one link a priority

The program's type decides what the two words mean. A link holds its program; when its last fd and pin are gone it
detaches. The device that goes severs it: the link stays, without a device (ifindex 0), and an update is ENOLINK.

Classic tc filters (clsact) and classic XDP go through netlink and are not here (netlink.py).

Source: kernel/bpf/tcx.c, net/core/dev.c (bpf_xdp_link_attach), net/netfilter/nf_bpf_link.c of Linux 6.18.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import NoReturn

from toolchain.errors import LoadError, RuntimeUnavailable, Unsupported
from toolchain.isa.program_types import AttachType, ProgType
from toolchain.kernel import calls
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.handles import KernelLink, KernelProgram
from toolchain.kernel.privileges import explain
from toolchain.spec.runtime import Order, ProgHandle, Target

DIRECTIONS = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS}

_BEFORE, _AFTER, _ID, _LINK = 1 << 3, 1 << 4, 1 << 5, 1 << 13
"""BPF_F_BEFORE, BPF_F_AFTER, BPF_F_ID, BPF_F_LINK."""

_CGROUP = {"ingress": AttachType.CGROUP_INET_INGRESS, "egress": AttachType.CGROUP_INET_EGRESS}
_PROTOCOLS = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_NETFILTER = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
"""NF_INET_*. Source: include/uapi/linux/netfilter.h."""

HOOKS: dict[int, tuple[str, ...]] = {
    ProgType.SCHED_CLS: tuple(DIRECTIONS),
    ProgType.XDP: ("xdp",),
    ProgType.CGROUP_SKB: tuple(_CGROUP),
    ProgType.NETFILTER: tuple(_NETFILTER),
}
"""Program type -> the hooks that it can be attached to with a link."""

REMEDIES = {
    errno.EBUSY: "another program holds this hook: detach it, or replace it",
    errno.EEXIST: "this program is attached there already, or at an XDP hook one in another mode",
    errno.ESTALE: "the hook changed meanwhile: see its revision with 'bpf-load link show DEV HOOK'",
    errno.ENOLINK: "the link was detached, or its device is gone: attach anew, or name device and hook to replace at",
    errno.ENODEV: "no such device in this network namespace",
    errno.ENOENT: "the program or link to stand beside is not attached there",
    errno.ERANGE: "the first and the last priority are the kernel's own",
}
"""What to do about the errnos of links."""


def _flags_of(order: Order) -> int:
    """BPF_F_* of the request."""
    flags = (_BEFORE if order.is_before else 0) | (_AFTER if order.is_after else 0)
    if order.relative_id:
        flags |= _ID | (_LINK if order.is_link else 0)
    return flags


def device_index(device: str) -> int:
    """A device's ifindex in this network namespace. Raises LoadError ENODEV."""
    try:
        return socket.if_nametoindex(device)
    except (OSError, ValueError) as error:
        raise LoadError(f"device {device}", errno.ENODEV, None, REMEDIES[errno.ENODEV]) from error


def attach(program: KernelProgram, target: Target, order: Order | None = None) -> KernelLink:
    """Attach a program where its type belongs; ``order`` counts at TCX hooks.

    Raises: Unsupported for a type that has no link here, LoadError with the kernel's errno, RuntimeUnavailable.
    """
    require_hook(program.info().prog_type, target)
    match program.info().prog_type:
        case ProgType.SCHED_CLS:
            return attach_tcx(program, target, order)
        case ProgType.XDP:
            return attach_xdp(program, target)
        case ProgType.CGROUP_SKB:
            return attach_cgroup(program, target)
    return attach_netfilter(program, target)


def require_hook(prog_type: int, target: Target) -> None:
    """Raise Unsupported for a type without a link here, LoadError EINVAL for a hook that is not the type's."""
    label = ProgType(prog_type).label if prog_type in set(ProgType) else str(prog_type)
    hooks = HOOKS.get(prog_type)
    if hooks is None:
        raise Unsupported(f"attaching programs of type {label}")
    if target.hook not in hooks:
        raise LoadError(f"no hook for a program of type {label}: {target.hook} ({', '.join(hooks)})", errno.EINVAL)


def attach_tcx(program: KernelProgram, target: Target, order: Order | None = None) -> KernelLink:
    """Attach to a device's ingress or egress. Linux 6.6 and newer; Unsupported before."""
    order = order or Order()
    try:
        fd = calls.link_create(
            "relative",
            program.fileno(),
            device_index(target.device),
            DIRECTIONS[target.hook],
            _flags_of(order),
            relative=order.relative_id,
            expected_revision=order.revision,
        )
    except BpfCallError as error:
        if error.errno == errno.EINVAL and not has_tcx():
            text = "TCX links on this kernel (Linux 6.6 has them)"
            raise Unsupported(text, None, "use clsact: --netlink, or the tc verb") from error
        refuse_link(error, f"attach to {target}")
    return KernelLink(fd)


def attach_xdp(program: KernelProgram, target: Target) -> KernelLink:
    """Attach to a device's XDP hook; the driver's own where it has one, else the generic one. Linux 5.9 and newer."""
    try:
        fd = calls.link_create("plain", program.fileno(), device_index(target.device), AttachType.XDP)
    except BpfCallError as error:
        refuse_link(error, f"attach to {target}")
    return KernelLink(fd)


def attach_cgroup(program: KernelProgram, target: Target) -> KernelLink:
    """Attach to a cgroup v2 directory. Linux 5.7 and newer."""
    try:
        directory = os.open(target.device, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise LoadError(f"cgroup {target.device}", getattr(error, "errno", 0) or errno.EINVAL) from error
    try:
        fd = calls.link_create("plain", program.fileno(), directory, _CGROUP[target.hook])
    except BpfCallError as error:
        if error.errno == errno.EBADF:
            raise LoadError(f"no cgroup v2 directory: {target.device}", error.errno) from error
        refuse_link(error, f"attach to {target}")
    finally:
        os.close(directory)
    return KernelLink(fd)


def attach_netfilter(program: KernelProgram, target: Target) -> KernelLink:
    """Attach to a netfilter hook of ipv4 or ipv6 in this network namespace. Linux 6.4 and newer."""
    if target.device not in _PROTOCOLS:
        raise LoadError(f"no netfilter protocol: {target.device} ({', '.join(_PROTOCOLS)})", errno.EAFNOSUPPORT)
    try:
        fd = calls.link_create(
            "netfilter",
            program.fileno(),
            0,
            AttachType.NETFILTER,
            pf=_PROTOCOLS[target.device],
            hooknum=_NETFILTER[target.hook],
            priority=target.priority,
        )
    except BpfCallError as error:
        refuse_link(error, f"attach to {target} at priority {target.priority}")
    return KernelLink(fd)


def query_tcx(target: Target) -> calls.HookQuery:
    """Who is attached, in order, and the revision."""
    try:
        return calls.prog_query(device_index(target.device), DIRECTIONS[target.hook])
    except BpfCallError as error:
        refuse_link(error, f"query {target}")


def detach_tcx(program: ProgHandle, target: Target) -> None:
    """Detach a program that was attached without a link. Raises LoadError ENOENT where it is not there."""
    try:
        calls.prog_detach(program.fileno(), device_index(target.device), DIRECTIONS[target.hook])
    except BpfCallError as error:
        refuse_link(error, f"detach from {target}")


def has_tcx() -> bool:
    """This kernel knows TCX: the loopback's hook can be asked."""
    try:
        calls.prog_query(device_index("lo"), AttachType.TCX_INGRESS)
    except (BpfCallError, LoadError):
        return False
    return True


def refuse_link(error: BpfCallError, what: str) -> NoReturn:
    """Raise the error of ours for an errno of a link, with what to do."""
    if error.errno == errno.EPERM:
        text, hint = explain(("CAP_NET_ADMIN",))
        raise RuntimeUnavailable(what + text, error.errno, None, hint) from error
    raise LoadError(what, error.errno, None, REMEDIES.get(error.errno, "")) from error
