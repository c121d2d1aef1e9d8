"""Filters of the clsact qdisc and classic XDP: what is attached over rtnetlink, and stays without a pin or a process.

    device --clsact (parent ffff:)--+-- ingress, minor fff2 --- filter (protocol, pref, handle) -> program
                                    +-- egress,  minor fff3 --- filter ...
    device --XDP: one program in each mode; a link there is refused from here (EBUSY)

A filter is found by protocol, pref and handle; ``replace`` of one that is there swaps its program at once, and a filter
added without a handle or a pref gets the next free one. The kernel answers a dump with two rows a filter: one for its
place (protocol, pref, chain), without options, and one for itself.

Needs pyroute2 (extra ``net``), which is imported here and nowhere else: import this module late. Its message codec does
the work; the attributes of a bpf filter that it does not know (program id and tag) are declared here. The socket is a
plain one, so that the kernel's own words for a refusal (NLMSGERR_ATTR_MSG) reach the user; pyroute2's own drop them.

Source: include/uapi/linux/pkt_cls.h (TCA_BPF_*), net/sched/cls_bpf.c, net/sched/sch_ingress.c,
include/uapi/linux/if_link.h (XDP_FLAGS_*), net/core/dev.c (dev_change_xdp_fd) of Linux 6.12.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from pyroute2.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_ECHO,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    nla,
    nlmsg,
)
from pyroute2.netlink.rtnl import (
    RTM_DELQDISC,
    RTM_DELTFILTER,
    RTM_GETLINK,
    RTM_GETQDISC,
    RTM_GETTFILTER,
    RTM_NEWQDISC,
    RTM_NEWTFILTER,
    RTM_SETLINK,
)
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from toolchain.errors import LoadError, RuntimeUnavailable
from toolchain.kernel.privileges import explain

CLSACT = 0xFFFF0000
"""The handle of the clsact qdisc; its own parent is 0xfffffff1."""
CLSACT_PARENT = 0xFFFFFFF1
PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
ETH_P_ALL = 3

_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
_ERROR, _DONE = 2, 3
_ERROR_TEXT = 1
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_ROOM = 1 << 18

_VERB_FLAGS = {"add": NLM_F_CREATE | NLM_F_EXCL, "replace": NLM_F_CREATE, "change": 0}
_DIRECT_ACTION = 1
_FLAGS_GEN = {"skip_hw": 1, "skip_sw": 2}
_XDP_REPLACE = 1 << 4
_XDP_NOEXIST = 1


class _Options(nla):  # type: ignore[misc]
    """TCA_OPTIONS of a bpf filter."""

    prefix = "TCA_BPF_"
    nla_map = (
        ("TCA_BPF_UNSPEC", "none"),
        ("TCA_BPF_ACT", "hex"),
        ("TCA_BPF_POLICE", "hex"),
        ("TCA_BPF_CLASSID", "uint32"),
        ("TCA_BPF_OPS_LEN", "uint16"),
        ("TCA_BPF_OPS", "hex"),
        ("TCA_BPF_FD", "uint32"),
        ("TCA_BPF_NAME", "asciiz"),
        ("TCA_BPF_FLAGS", "uint32"),
        ("TCA_BPF_FLAGS_GEN", "uint32"),
        ("TCA_BPF_TAG", "hex"),
        ("TCA_BPF_ID", "uint32"),
    )


class _Message(nlmsg):  # type: ignore[misc]
    """struct tcmsg, for qdiscs and filters."""

    prefix = "TCA_"
    fields = (
        ("family", "B"),
        ("pad1", "B"),
        ("pad2", "H"),
        ("index", "i"),
        ("handle", "I"),
        ("parent", "I"),
        ("info", "I"),
    )
    nla_map = (
        (0, "TCA_UNSPEC", "none"),
        (1, "TCA_KIND", "asciiz"),
        (2, "TCA_OPTIONS", "get_options"),
        (11, "TCA_CHAIN", "uint32"),
    )
    options = _Options

    @staticmethod
    def get_options(self: Any, *_: object, **__: object) -> Any:
        """The form of the options: those of other kinds of filter stay bytes."""
        return _Options if self.get_attr("TCA_KIND") == "bpf" else self.hex


class Place(NamedTuple):
    """Where a filter stands. ``protocol`` is an ethertype; 0 in ``pref`` or ``handle``: any, or the next free one."""

    ifindex: int
    direction: str
    protocol: int = ETH_P_ALL
    pref: int = 0
    handle: int = 0


class Qdisc(NamedTuple):
    """A queueing discipline that is there; its own options are not read."""

    ifindex: int
    kind: str
    handle: int
    parent: int
    ref_count: int


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


_MODES = {"xdp": "native", "xdpgeneric": "generic", "xdpoffload": "offload", "xdpmulti": "multi"}


class TrafficControl:
    """An rtnetlink socket in this network namespace. Owns: the socket; ``close`` or a ``with`` block ends it.

    Raises: LoadError with the kernel's errno and words, RuntimeUnavailable on EPERM, from every method.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
            self._socket.bind((0, 0))
            for option in (_EXT_ACK, _CAP_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        except OSError as error:
            raise RuntimeUnavailable("cannot open a netlink socket", error.errno or errno.EIO) from error
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def qdiscs(self, ifindex: int = 0) -> Iterator[Qdisc]:
        """The qdiscs of a device, or of all."""
        for row in self._ask(RTM_GETQDISC, NLM_F_REQUEST | NLM_F_DUMP, "list of qdiscs", ifindex):
            if ifindex in (0, row["index"]):
                kind = row.get_attr("TCA_KIND") or ""
                yield Qdisc(row["index"], kind, row["handle"], row["parent"], row["info"])

    def has_clsact(self, ifindex: int) -> bool:
        """The device has a clsact qdisc."""
        return any(each.kind == "clsact" for each in self.qdiscs(ifindex))

    def add_clsact(self, ifindex: int, device: str, *, replacing: bool = False) -> None:
        """Give the device a clsact qdisc; EEXIST where it has one, unless ``replacing``."""
        flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | (NLM_F_REPLACE if replacing else NLM_F_EXCL)
        hint = {errno.EEXIST: "the device has a clsact or ingress qdisc already: go on, or delete that one first"}
        self._qdisc(RTM_NEWQDISC, flags, f"add clsact to {device}", ifindex, hint)

    def remove_clsact(self, ifindex: int, device: str) -> None:
        """Remove the clsact qdisc with all its filters."""
        none = "the device has no clsact qdisc"
        hint = {errno.ENOENT: none, errno.EINVAL: none}
        self._qdisc(RTM_DELQDISC, NLM_F_REQUEST | NLM_F_ACK, f"remove clsact from {device}", ifindex, hint)

    def _qdisc(self, kind: int, flags: int, what: str, ifindex: int, hints: dict[int, str]) -> None:
        attrs = [("TCA_KIND", "clsact")]
        self._ask(kind, flags, what, ifindex, CLSACT, CLSACT_PARENT, 0, attrs, hints)

    def set_filter(
        self, place: Place, prog_fd: int, name: str, what: str, *, verb: str = "add", **options: Any
    ) -> Filter:
        """Add a bpf filter, or replace the one that is there, or change one that has to be there. The filter as made.

        ``options``: is_direct, classid, flags (names of _FLAGS_GEN).
        """
        attrs: list[tuple[str, object]] = [("TCA_BPF_FD", prog_fd), ("TCA_BPF_NAME", name)]
        if options.get("classid"):
            attrs.append(("TCA_BPF_CLASSID", options["classid"]))
        if options.get("is_direct"):
            attrs.append(("TCA_BPF_FLAGS", _DIRECT_ACTION))
        generic = sum(_FLAGS_GEN[each] for each in options.get("flags", ()))
        if generic:
            attrs.append(("TCA_BPF_FLAGS_GEN", generic))
        flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO | _VERB_FLAGS[verb]
        made = self._filter(
            RTM_NEWTFILTER, flags, what, place, [("TCA_KIND", "bpf"), ("TCA_OPTIONS", {"attrs": attrs})]
        )
        found = [each for each in map(_decoded, made) if each.handle]
        return found[0] if found else Filter(place.protocol, place.pref, 0, "bpf", place.handle)

    def remove_filter(self, place: Place, what: str, kind: str = "") -> None:
        """Remove a filter; without a handle all of a pref, without a pref all of the direction."""
        attrs = [("TCA_KIND", kind)] if kind else []
        self._filter(RTM_DELTFILTER, NLM_F_REQUEST | NLM_F_ACK, what, place, attrs)

    def filters(self, place: Place, what: str) -> Iterator[Filter]:
        """What is there, in the order in which packets meet it; only ``place``'s pref and protocol where it has any.

        Units: nothing where the device has no clsact.
        """
        rows = self._ask(RTM_GETTFILTER, NLM_F_REQUEST | NLM_F_DUMP, what, place.ifindex, 0, PARENTS[place.direction])
        for each in map(_decoded, rows):
            if place.pref in (0, each.pref) and place.handle in (0, each.handle):
                yield each

    def _filter(self, kind: int, flags: int, what: str, place: Place, attrs: Any) -> list[Any]:
        info = place.pref << 16 | socket.htons(place.protocol)
        try:
            return self._ask(
                kind, flags, what, place.ifindex, place.handle, PARENTS[place.direction], info, attrs, _FILTER_HINTS
            )
        except LoadError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT) and not self.has_clsact(place.ifindex):
                error.hint = "the device has no clsact qdisc: add it with 'bpf-load tc qdisc add dev DEV clsact'"
            raise

    def xdp(self, ifindex: int, what: str) -> XdpState:
        """What runs at the device's XDP hook."""
        message = ifinfmsg()
        message["index"] = ifindex
        row = self._exchange(message, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, what, {})[0]
        state = row.get_attr("IFLA_XDP")
        mode = _MODES.get(state.get_attr("IFLA_XDP_ATTACHED") or "", "") if state else ""
        return XdpState(mode, state.get_attr("IFLA_XDP_PROG_ID") or 0) if mode else XdpState()

    def set_xdp(self, ifindex: int, prog_fd: int, what: str, expected_fd: int | None = None) -> None:
        """Put a program at the XDP hook, or none (-1): where none is, or where ``expected_fd`` is.

        Raises: LoadError EBUSY (another program, or a link), EEXIST (not the expected one).
        """
        attrs: list[tuple[str, int]] = [("IFLA_XDP_FD", prog_fd)]
        if expected_fd is not None:
            attrs += [("IFLA_XDP_FLAGS", _XDP_REPLACE), ("IFLA_XDP_EXPECTED_FD", expected_fd)]
        else:
            attrs.append(("IFLA_XDP_FLAGS", _XDP_NOEXIST))
        message = ifinfmsg()
        message["index"] = ifindex
        message["attrs"] = [("IFLA_XDP", {"attrs": attrs})]
        self._exchange(message, RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, what, _XDP_HINTS)

    def _ask(
        self,
        kind: int,
        flags: int,
        what: str,
        ifindex: int,
        handle: int = 0,
        parent: int = 0,
        info: int = 0,
        attrs: Any = (),
        hints: dict[int, str] | None = None,
    ) -> list[Any]:
        message = _Message()
        message["index"], message["handle"], message["parent"], message["info"] = ifindex, handle, parent, info
        message["attrs"] = list(attrs)
        return self._exchange(message, kind, flags, what, hints or {})

    def _exchange(self, message: Any, kind: int, flags: int, what: str, hints: dict[int, str]) -> list[Any]:
        """Send a request; the messages that answer it, decoded as it is."""
        self._sequence += 1
        header = message["header"]
        header["type"], header["flags"], header["sequence_number"], header["pid"] = kind, flags, self._sequence, 0
        message.encode()
        rows: list[Any] = []
        try:
            self._socket.send(message.data)
            while True:
                for answer, body in _messages(self._socket.recv(_ROOM), self._sequence):
                    if answer == _ERROR:
                        _check(body, what, hints)
                        return rows
                    if answer == _DONE:
                        return rows
                    row = type(message)(body)
                    row.decode()
                    rows.append(row)
        except OSError as error:
            raise LoadError(what, error.errno or errno.EIO) from error


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


def _messages(data: bytes, sequence: int) -> Iterator[tuple[int, bytes]]:
    """(type, whole message) of each message of a datagram that answers the request of that number."""
    at = 0
    while at + _HEADER.size <= len(data):
        size, kind, _, number, _ = _HEADER.unpack_from(data, at)
        if size < _HEADER.size:
            return
        if number == sequence:
            yield kind, data[at : at + size]
        at += -(-size // 4) * 4


def _check(body: bytes, what: str, hints: dict[int, str]) -> None:
    """Raise what an acknowledgement refuses; none has errno 0. Behind the errno stands the request's header."""
    number = -struct.unpack_from("=i", body, _HEADER.size)[0]
    if not number:
        return
    text = ""
    at = _HEADER.size + 4 + _HEADER.size
    while at + 4 <= len(body):
        size, kind = struct.unpack_from("=HH", body, at)
        if kind & 0x3FFF == _ERROR_TEXT:
            text = body[at + 4 : at + size].split(b"\0", 1)[0].decode(errors="backslashreplace").rstrip(".")
        at += max(-(-size // 4) * 4, 4)
    said = f"{what}: {text}" if text else what
    if number == errno.EPERM:
        text, hint = explain(("CAP_NET_ADMIN",))
        raise RuntimeUnavailable(said + text, number, None, hint)
    raise LoadError(said, number, None, hints.get(number, ""))


def _decoded(row: Any) -> Filter:
    options = row.get_attr("TCA_OPTIONS")
    info = row["info"]
    place = Filter(
        socket.ntohs(info & 0xFFFF),
        info >> 16,
        row.get_attr("TCA_CHAIN") or 0,
        row.get_attr("TCA_KIND") or "",
        row["handle"],
    )
    if options is None:
        return place._replace(is_place=True)
    if place.kind != "bpf":
        return place
    return place._replace(
        name=options.get_attr("TCA_BPF_NAME") or "",
        classid=options.get_attr("TCA_BPF_CLASSID") or 0,
        is_direct=bool((options.get_attr("TCA_BPF_FLAGS") or 0) & _DIRECT_ACTION),
        flags=options.get_attr("TCA_BPF_FLAGS_GEN") or 0,
        prog_id=options.get_attr("TCA_BPF_ID") or 0,
        tag=(options.get_attr("TCA_BPF_TAG") or "").replace(":", ""),
    )
