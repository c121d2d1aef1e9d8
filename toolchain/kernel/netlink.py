"""Filters of the clsact qdisc and classic XDP: what is attached over rtnetlink, and stays without a pin or a process.

    device --clsact (parent ffff:)--+-- ingress, minor fff2 --- filter (protocol, pref, handle) -> program
                                    +-- egress,  minor fff3 --- filter ...
    device --XDP: one program in each mode; a link there is refused from here (EBUSY)

A filter is found by protocol, pref and handle; ``replace`` of one that is there swaps its program at once, and a filter
added without a handle or a pref gets the next free one. The kernel answers a dump with two rows a filter: one for its
place (protocol, pref, chain), without options, and one for itself.

Source: include/uapi/linux/pkt_cls.h (TCA_BPF_*), net/sched/cls_bpf.c, net/sched/sch_ingress.c,
include/uapi/linux/if_link.h (XDP_FLAGS_*), net/core/dev.c (dev_change_xdp_fd) of Linux 6.12.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from toolchain.errors import LoadError
from toolchain.kernel import rtnl
from toolchain.kernel.rtnl import Attribute, Row, RtnetlinkSocket

CLSACT = 0xFFFF0000
"""The handle of the clsact qdisc; its own parent is 0xfffffff1."""
CLSACT_PARENT = 0xFFFFFFF1
PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
ETH_P_ALL = 3

_TCMSG = struct.Struct("=BxxxiIII")
"""struct tcmsg: family, device, handle, parent, info."""
_IFINFOMSG = struct.Struct("=BxHiII")

_KIND, _OPTIONS, _CHAIN = 1, 2, 11
"""TCA_*."""
_CLASSID, _FD, _NAME, _FLAGS, _FLAGS_GEN_ATTRIBUTE, _TAG, _ID = 3, 6, 7, 8, 9, 10, 11
"""TCA_BPF_*."""
_IFLA_XDP = 43
_XDP_FD, _XDP_ATTACHED, _XDP_FLAGS, _XDP_PROG_ID, _XDP_EXPECTED_FD = 1, 2, 3, 4, 8
"""IFLA_XDP_*."""

_DIRECT_ACTION = 1
_FLAGS_GEN = {"skip_hw": 1, "skip_sw": 2}
_XDP_REPLACE = 1 << 4
_XDP_NOEXIST = 1


class Place(NamedTuple):
    """Where a filter stands. ``protocol`` is an ethertype; 0 in ``pref`` or ``handle``: any, or the next free one."""

    ifindex: int
    direction: str
    protocol: int = ETH_P_ALL
    pref: int = 0
    handle: int = 0


class Filter(NamedTuple):
    """A filter that is there. ``kind`` is 'bpf' or another classifier's; ``is_place``: only a place, no filter.

    ``flags`` are TCA_CLS_FLAGS_*: skip_hw 1, skip_sw 2, in_hw 4, not_in_hw 8.
    """

    protocol: int
    pref: int
    chain: int
    kind: str
    handle: int = 0
    is_place: bool = False
    name: str = ""
    classid: int = 0
    is_direct: bool = False
    flags: int = 0
    prog_id: int = 0
    tag: str = ""


class XdpState(NamedTuple):
    """What runs at a device's XDP hook. ``mode`` is '' (nothing), native, generic, offload or multi."""

    mode: str = ""
    prog_id: int = 0


_MODES = {1: "native", 2: "generic", 3: "offload", 4: "multi"}
"""XDP_ATTACHED_*."""


class TrafficControl(RtnetlinkSocket):
    """Filters, clsact and classic XDP of this network namespace, over one socket."""

    def has_clsact(self, ifindex: int) -> bool:
        """The device has a clsact qdisc."""
        rows = self.ask(rtnl.GETQDISC, rtnl.DUMP, "list of qdiscs", _TCMSG.pack(0, ifindex, 0, 0, 0))
        return any(
            rtnl.text(row.attributes, _KIND) == "clsact" and _TCMSG.unpack(row.head)[1] == ifindex for row in rows
        )

    def add_clsact(self, ifindex: int, device: str, *, replacing: bool = False) -> None:
        """Give the device a clsact qdisc; EEXIST where it has one, unless ``replacing``."""
        flags = rtnl.ACK | rtnl.CREATE | (rtnl.REPLACE if replacing else rtnl.EXCL)
        hint = {errno.EEXIST: "the device has a clsact or ingress qdisc already: go on, or delete that one first"}
        self._qdisc(rtnl.NEWQDISC, flags, f"add clsact to {device}", ifindex, hint)

    def remove_clsact(self, ifindex: int, device: str) -> None:
        """Remove the clsact qdisc with all its filters."""
        none = "the device has no clsact qdisc"
        hint = {errno.ENOENT: none, errno.EINVAL: none}
        self._qdisc(rtnl.DELQDISC, rtnl.ACK, f"remove clsact from {device}", ifindex, hint)

    def _qdisc(self, kind: int, flags: int, what: str, ifindex: int, hints: dict[int, str]) -> None:
        head = _TCMSG.pack(0, ifindex, CLSACT, CLSACT_PARENT, 0)
        self.ask(kind, flags, what, head, ((_KIND, "clsact"),), hints)

    def set_filter(
        self, place: Place, prog_fd: int, name: str, what: str, *, replacing: bool = False, **options: Any
    ) -> Filter:
        """Add a bpf filter, or with ``replacing`` put it in the place of the one that is there. The filter as made.

        ``options``: is_direct, classid, flags (names of _FLAGS_GEN).
        """
        generic = sum(_FLAGS_GEN[each] for each in options.get("flags", ()))
        numbers = {
            _CLASSID: int(options.get("classid") or 0),
            _FLAGS: _DIRECT_ACTION if options.get("is_direct") else 0,
            _FLAGS_GEN_ATTRIBUTE: generic,
        }
        wanted: list[tuple[int, Attribute]] = [(_FD, prog_fd), (_NAME, name)]
        wanted += [(each, value) for each, value in numbers.items() if value]
        flags = rtnl.ACK | rtnl.ECHO | rtnl.CREATE | (0 if replacing else rtnl.EXCL)
        made = self._filter(rtnl.NEWTFILTER, flags, what, place, ((_KIND, "bpf"), (_OPTIONS, tuple(wanted))))
        found = [each for each in map(_decoded, made) if each.handle]
        return found[0] if found else Filter(place.protocol, place.pref, 0, "bpf", place.handle)

    def remove_filter(self, place: Place, what: str, kind: str = "") -> None:
        """Remove a filter; without a handle all of a pref, without a pref all of the direction."""
        self._filter(rtnl.DELTFILTER, rtnl.ACK, what, place, ((_KIND, kind),) if kind else ())

    def filters(self, place: Place, what: str) -> Iterator[Filter]:
        """What is there, in the order in which packets meet it; only ``place``'s pref and protocol where it has any.

        Units: nothing where the device has no clsact.
        """
        head = _TCMSG.pack(0, place.ifindex, 0, PARENTS[place.direction], 0)
        for each in map(_decoded, self.ask(rtnl.GETTFILTER, rtnl.DUMP, what, head)):
            if place.pref in (0, each.pref) and place.handle in (0, each.handle):
                yield each

    def _filter(
        self, kind: int, flags: int, what: str, place: Place, attributes: tuple[tuple[int, Attribute], ...]
    ) -> list[Row]:
        info = place.pref << 16 | socket.htons(place.protocol)
        head = _TCMSG.pack(0, place.ifindex, place.handle, PARENTS[place.direction], info)
        try:
            return self.ask(kind, flags, what, head, attributes, _FILTER_HINTS)
        except LoadError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT) and not self.has_clsact(place.ifindex):
                error.hint = "the device has no clsact qdisc: add it with 'bpf-load tc qdisc add dev DEV clsact'"
            raise

    def xdp(self, ifindex: int, what: str) -> XdpState:
        """What runs at the device's XDP hook."""
        rows = self.ask(rtnl.GETLINK, rtnl.ACK, what, _IFINFOMSG.pack(0, 0, ifindex, 0, 0))
        state = rtnl.unpacked(rows[0].attributes.get(_IFLA_XDP, b"")) if rows else {}
        mode = _MODES.get(rtnl.number(state, _XDP_ATTACHED), "")
        return XdpState(mode, rtnl.number(state, _XDP_PROG_ID)) if mode else XdpState()

    def set_xdp(self, ifindex: int, prog_fd: int, what: str, expected_fd: int | None = None) -> None:
        """Put a program at the XDP hook, or none (-1): where none is, or where ``expected_fd`` is.

        Raises: LoadError EBUSY (another program, or a link), EEXIST (not the expected one).
        """
        wanted = [(_XDP_FD, prog_fd), (_XDP_FLAGS, _XDP_NOEXIST)]
        if expected_fd is not None:
            wanted = [(_XDP_FD, prog_fd), (_XDP_FLAGS, _XDP_REPLACE), (_XDP_EXPECTED_FD, expected_fd)]
        head = _IFINFOMSG.pack(0, 0, ifindex, 0, 0)
        self.ask(rtnl.SETLINK, rtnl.ACK, what, head, ((_IFLA_XDP, tuple(wanted)),), _XDP_HINTS)


_FILTER_HINTS = {
    errno.EEXIST: "a filter of another kind, or one with this handle, is there: choose another pref, or use replace",
    errno.ENOENT: "there is no such filter: see 'bpf-load tc filter show'",
    errno.ENODEV: "no such device in this network namespace",
    errno.EINVAL: "see 'bpf-load tc filter show' for what is at this pref",
}
_XDP_HINTS = {
    errno.EBUSY: "another program or a link holds this hook: detach it, or replace it",
    errno.EEXIST: "the hook holds another program than expected, or one in another mode",
    errno.ENODEV: "no such device in this network namespace",
}


def _decoded(row: Row) -> Filter:
    _, _, handle, _, info = _TCMSG.unpack(row.head)
    kind = rtnl.text(row.attributes, _KIND)
    chain = rtnl.number(row.attributes, _CHAIN)
    place = Filter(socket.ntohs(info & 0xFFFF), info >> 16, chain, kind, handle)
    if _OPTIONS not in row.attributes:
        return place._replace(is_place=True)
    if kind != "bpf":
        return place
    options = rtnl.unpacked(row.attributes[_OPTIONS])
    return place._replace(
        name=rtnl.text(options, _NAME),
        classid=rtnl.number(options, _CLASSID),
        is_direct=bool(rtnl.number(options, _FLAGS) & _DIRECT_ACTION),
        flags=rtnl.number(options, _FLAGS_GEN_ATTRIBUTE),
        prog_id=rtnl.number(options, _ID),
        tag=options.get(_TAG, b"").hex(),
    )
