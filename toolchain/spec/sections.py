"""What a section's name says of the programs in it: "xdp.frags/devmap" -> XDP, attach type XDP_DEVMAP, fragments.

    [?]HEAD[/TARGET]       '?' = not loaded unless asked for

A row of the table is one HEAD. Three kinds of match, in this order:
1. the whole name is a row's head ("xdp", "cgroup/bind4");
2. the name is a head that takes a target, then '/' and the target ("kprobe/do_exit");
3. the name only begins with a head, as loaders took it until libbpf 1.0 ("socket1", "xdp_prog"): ``is_legacy``.
A name of the classic tail-call form "ID/KEY" (tc: slot KEY of the prog array with that id) says no type, nor does any
other.

Source: libbpf 1.7 src/libbpf.c (section_defs, sec_def_matches) for the 116 heads; libbpf 0.8.1, the same function,
for the prefixes of rule 3; Linux 6.12 Documentation/bpf/libbpf/program_types.rst for what follows the '/'; iproute2 7.1
lib/bpf_legacy.c (bpf_prog_meta) for tc's default sections.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from toolchain.isa.program_types import AttachType as At
from toolchain.isa.program_types import ProgType as Pt
from toolchain.values import Value, value_type

SLEEPABLE = 1 << 4
"""BPF_F_SLEEPABLE of BPF_PROG_LOAD."""
XDP_HAS_FRAGS = 1 << 5
"""BPF_F_XDP_HAS_FRAGS of BPF_PROG_LOAD."""


class SectionRow(NamedTuple):
    """One head. ``target`` says what follows the '/', '' where nothing may. ``prefix``: taken by rule 3 as well."""

    head: str
    prog_type: Pt
    attach_type: int = 0
    target: str = ""
    prog_flags: int = 0
    prefix: bool = False


@value_type
class SectionMatch(Value):
    """What a section's name says. ``prog_type`` is None where it says nothing.

    ``attach_target`` is what follows the head and its '/'. ``prog_flags`` are BPF_F_* that loading needs.
    """

    prog_type: Pt | None
    expected_attach_type: int = 0
    attach_target: str = ""
    prog_flags: int = 0
    is_optional: bool = False
    is_legacy: bool = False

    @property
    def is_sleepable(self) -> bool:
        """BPF_F_SLEEPABLE is set."""
        return bool(self.prog_flags & SLEEPABLE)


_FUNC, _TP, _HOOK = "FUNCTION", "TRACEPOINT", "HOOK"
_KPROBE, _UPROBE, _USDT = "FUNCTION[+OFFSET]", "PATH:FUNCTION[+OFFSET]", "PATH:PROVIDER:NAME"
_PATTERN, _CATEGORY = "PATTERN", "CATEGORY/NAME"

_PROBES = (
    SectionRow("kprobe", Pt.KPROBE, 0, _KPROBE),
    SectionRow("uprobe", Pt.KPROBE, 0, _UPROBE),
    SectionRow("uprobe.s", Pt.KPROBE, 0, _UPROBE, SLEEPABLE),
    SectionRow("kretprobe", Pt.KPROBE, 0, _FUNC),
    SectionRow("uretprobe", Pt.KPROBE, 0, _UPROBE),
    SectionRow("uretprobe.s", Pt.KPROBE, 0, _UPROBE, SLEEPABLE),
    SectionRow("kprobe.multi", Pt.KPROBE, At.TRACE_KPROBE_MULTI, _PATTERN),
    SectionRow("kretprobe.multi", Pt.KPROBE, At.TRACE_KPROBE_MULTI, _PATTERN),
    SectionRow("kprobe.session", Pt.KPROBE, At.TRACE_KPROBE_SESSION, _PATTERN),
    SectionRow("uprobe.multi", Pt.KPROBE, At.TRACE_UPROBE_MULTI, _UPROBE),
    SectionRow("uretprobe.multi", Pt.KPROBE, At.TRACE_UPROBE_MULTI, _UPROBE),
    SectionRow("uprobe.session", Pt.KPROBE, At.TRACE_UPROBE_SESSION, _UPROBE),
    SectionRow("uprobe.multi.s", Pt.KPROBE, At.TRACE_UPROBE_MULTI, _UPROBE, SLEEPABLE),
    SectionRow("uretprobe.multi.s", Pt.KPROBE, At.TRACE_UPROBE_MULTI, _UPROBE, SLEEPABLE),
    SectionRow("uprobe.session.s", Pt.KPROBE, At.TRACE_UPROBE_SESSION, _UPROBE, SLEEPABLE),
    SectionRow("ksyscall", Pt.KPROBE, 0, "SYSCALL"),
    SectionRow("kretsyscall", Pt.KPROBE, 0, "SYSCALL"),
    # libbpf attaches these by uprobe_multi links where the kernel has them (6.6), and says so when loading.
    SectionRow("usdt", Pt.KPROBE, At.TRACE_UPROBE_MULTI, _USDT),
    SectionRow("usdt.s", Pt.KPROBE, At.TRACE_UPROBE_MULTI, _USDT, SLEEPABLE),
    SectionRow("tracepoint", Pt.TRACEPOINT, 0, _CATEGORY),
    SectionRow("tp", Pt.TRACEPOINT, 0, _CATEGORY),
    SectionRow("tracepoint.s", Pt.TRACEPOINT, 0, _CATEGORY, SLEEPABLE),
    SectionRow("tp.s", Pt.TRACEPOINT, 0, _CATEGORY, SLEEPABLE),
    SectionRow("raw_tracepoint", Pt.RAW_TRACEPOINT, 0, _TP),
    SectionRow("raw_tp", Pt.RAW_TRACEPOINT, 0, _TP),
    SectionRow("raw_tracepoint.s", Pt.RAW_TRACEPOINT, 0, _TP, SLEEPABLE),
    SectionRow("raw_tp.s", Pt.RAW_TRACEPOINT, 0, _TP, SLEEPABLE),
    SectionRow("raw_tracepoint.w", Pt.RAW_TRACEPOINT_WRITABLE, 0, _TP),
    SectionRow("raw_tp.w", Pt.RAW_TRACEPOINT_WRITABLE, 0, _TP),
    SectionRow("perf_event", Pt.PERF_EVENT, prefix=True),
)

_BTF_TRACING = (
    SectionRow("tp_btf", Pt.TRACING, At.TRACE_RAW_TP, _TP),
    SectionRow("tp_btf.s", Pt.TRACING, At.TRACE_RAW_TP, _TP, SLEEPABLE),
    SectionRow("fentry", Pt.TRACING, At.TRACE_FENTRY, _FUNC),
    SectionRow("fmod_ret", Pt.TRACING, At.MODIFY_RETURN, _FUNC),
    SectionRow("fexit", Pt.TRACING, At.TRACE_FEXIT, _FUNC),
    SectionRow("fentry.s", Pt.TRACING, At.TRACE_FENTRY, _FUNC, SLEEPABLE),
    SectionRow("fmod_ret.s", Pt.TRACING, At.MODIFY_RETURN, _FUNC, SLEEPABLE),
    SectionRow("fexit.s", Pt.TRACING, At.TRACE_FEXIT, _FUNC, SLEEPABLE),
    SectionRow("fsession", Pt.TRACING, At.TRACE_FSESSION, _FUNC),
    SectionRow("fsession.s", Pt.TRACING, At.TRACE_FSESSION, _FUNC, SLEEPABLE),
    SectionRow("fsession.multi", Pt.TRACING, At.TRACE_FSESSION_MULTI, _PATTERN),
    SectionRow("fsession.multi.s", Pt.TRACING, At.TRACE_FSESSION_MULTI, _PATTERN, SLEEPABLE),
    SectionRow("fentry.multi", Pt.TRACING, At.TRACE_FENTRY_MULTI, _PATTERN),
    SectionRow("fexit.multi", Pt.TRACING, At.TRACE_FEXIT_MULTI, _PATTERN),
    SectionRow("fentry.multi.s", Pt.TRACING, At.TRACE_FENTRY_MULTI, _PATTERN, SLEEPABLE),
    SectionRow("fexit.multi.s", Pt.TRACING, At.TRACE_FEXIT_MULTI, _PATTERN, SLEEPABLE),
    SectionRow("freplace", Pt.EXT, 0, _FUNC),
    SectionRow("lsm", Pt.LSM, At.LSM_MAC, _HOOK),
    SectionRow("lsm.s", Pt.LSM, At.LSM_MAC, _HOOK, SLEEPABLE),
    SectionRow("lsm_cgroup", Pt.LSM, At.LSM_CGROUP, _HOOK),
    SectionRow("iter", Pt.TRACING, At.TRACE_ITER, "STRUCT"),
    SectionRow("iter.s", Pt.TRACING, At.TRACE_ITER, "STRUCT", SLEEPABLE),
    SectionRow("syscall", Pt.SYSCALL, 0, "", SLEEPABLE),
    SectionRow("struct_ops", Pt.STRUCT_OPS, 0, "NAME"),
    SectionRow("struct_ops.s", Pt.STRUCT_OPS, 0, "NAME", SLEEPABLE),
)

_NETWORK = (
    SectionRow("socket", Pt.SOCKET_FILTER, prefix=True),
    SectionRow("sk_reuseport/migrate", Pt.SK_REUSEPORT, At.SK_REUSEPORT_SELECT_OR_MIGRATE, prefix=True),
    SectionRow("sk_reuseport", Pt.SK_REUSEPORT, At.SK_REUSEPORT_SELECT, prefix=True),
    SectionRow("tc/ingress", Pt.SCHED_CLS, At.TCX_INGRESS),
    SectionRow("tc/egress", Pt.SCHED_CLS, At.TCX_EGRESS),
    SectionRow("tcx/ingress", Pt.SCHED_CLS, At.TCX_INGRESS),
    SectionRow("tcx/egress", Pt.SCHED_CLS, At.TCX_EGRESS),
    SectionRow("tc", Pt.SCHED_CLS),
    SectionRow("classifier", Pt.SCHED_CLS, prefix=True),
    SectionRow("action", Pt.SCHED_ACT, prefix=True),
    SectionRow("netkit/primary", Pt.SCHED_CLS, At.NETKIT_PRIMARY),
    SectionRow("netkit/peer", Pt.SCHED_CLS, At.NETKIT_PEER),
    SectionRow("xdp.frags/devmap", Pt.XDP, At.XDP_DEVMAP, "", XDP_HAS_FRAGS),
    SectionRow("xdp/devmap", Pt.XDP, At.XDP_DEVMAP),
    SectionRow("xdp.frags/cpumap", Pt.XDP, At.XDP_CPUMAP, "", XDP_HAS_FRAGS),
    SectionRow("xdp/cpumap", Pt.XDP, At.XDP_CPUMAP),
    SectionRow("xdp.frags", Pt.XDP, At.XDP, "", XDP_HAS_FRAGS),
    SectionRow("xdp", Pt.XDP, At.XDP, prefix=True),
    SectionRow("lwt_in", Pt.LWT_IN, prefix=True),
    SectionRow("lwt_out", Pt.LWT_OUT, prefix=True),
    SectionRow("lwt_xmit", Pt.LWT_XMIT, prefix=True),
    SectionRow("lwt_seg6local", Pt.LWT_SEG6LOCAL, prefix=True),
    SectionRow("sockops", Pt.SOCK_OPS, At.CGROUP_SOCK_OPS, prefix=True),
    SectionRow("sk_skb/stream_parser", Pt.SK_SKB, At.SK_SKB_STREAM_PARSER, prefix=True),
    SectionRow("sk_skb/stream_verdict", Pt.SK_SKB, At.SK_SKB_STREAM_VERDICT, prefix=True),
    SectionRow("sk_skb/verdict", Pt.SK_SKB, At.SK_SKB_VERDICT),
    SectionRow("sk_skb", Pt.SK_SKB, prefix=True),
    SectionRow("sk_msg", Pt.SK_MSG, At.SK_MSG_VERDICT, prefix=True),
    SectionRow("lirc_mode2", Pt.LIRC_MODE2, At.LIRC_MODE2, prefix=True),
    SectionRow("flow_dissector", Pt.FLOW_DISSECTOR, At.FLOW_DISSECTOR, prefix=True),
    SectionRow("sk_lookup", Pt.SK_LOOKUP, At.SK_LOOKUP, prefix=True),
    SectionRow("netfilter", Pt.NETFILTER, At.NETFILTER),
)

_CGROUP = (
    SectionRow("cgroup_skb/ingress", Pt.CGROUP_SKB, At.CGROUP_INET_INGRESS, prefix=True),
    SectionRow("cgroup_skb/egress", Pt.CGROUP_SKB, At.CGROUP_INET_EGRESS, prefix=True),
    SectionRow("cgroup/skb", Pt.CGROUP_SKB, prefix=True),
    SectionRow("cgroup/sock_create", Pt.CGROUP_SOCK, At.CGROUP_INET_SOCK_CREATE, prefix=True),
    SectionRow("cgroup/sock_release", Pt.CGROUP_SOCK, At.CGROUP_INET_SOCK_RELEASE, prefix=True),
    SectionRow("cgroup/sock", Pt.CGROUP_SOCK, At.CGROUP_INET_SOCK_CREATE, prefix=True),
    SectionRow("cgroup/post_bind4", Pt.CGROUP_SOCK, At.CGROUP_INET4_POST_BIND, prefix=True),
    SectionRow("cgroup/post_bind6", Pt.CGROUP_SOCK, At.CGROUP_INET6_POST_BIND, prefix=True),
    SectionRow("cgroup/bind4", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET4_BIND, prefix=True),
    SectionRow("cgroup/bind6", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET6_BIND, prefix=True),
    SectionRow("cgroup/connect4", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET4_CONNECT, prefix=True),
    SectionRow("cgroup/connect6", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET6_CONNECT, prefix=True),
    SectionRow("cgroup/connect_unix", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UNIX_CONNECT),
    SectionRow("cgroup/sendmsg4", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UDP4_SENDMSG, prefix=True),
    SectionRow("cgroup/sendmsg6", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UDP6_SENDMSG, prefix=True),
    SectionRow("cgroup/sendmsg_unix", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UNIX_SENDMSG),
    SectionRow("cgroup/recvmsg4", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UDP4_RECVMSG, prefix=True),
    SectionRow("cgroup/recvmsg6", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UDP6_RECVMSG, prefix=True),
    SectionRow("cgroup/recvmsg_unix", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UNIX_RECVMSG),
    SectionRow("cgroup/getpeername4", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET4_GETPEERNAME, prefix=True),
    SectionRow("cgroup/getpeername6", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET6_GETPEERNAME, prefix=True),
    SectionRow("cgroup/getpeername_unix", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UNIX_GETPEERNAME),
    SectionRow("cgroup/getsockname4", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET4_GETSOCKNAME, prefix=True),
    SectionRow("cgroup/getsockname6", Pt.CGROUP_SOCK_ADDR, At.CGROUP_INET6_GETSOCKNAME, prefix=True),
    SectionRow("cgroup/getsockname_unix", Pt.CGROUP_SOCK_ADDR, At.CGROUP_UNIX_GETSOCKNAME),
    SectionRow("cgroup/sysctl", Pt.CGROUP_SYSCTL, At.CGROUP_SYSCTL, prefix=True),
    SectionRow("cgroup/getsockopt", Pt.CGROUP_SOCKOPT, At.CGROUP_GETSOCKOPT, prefix=True),
    SectionRow("cgroup/setsockopt", Pt.CGROUP_SOCKOPT, At.CGROUP_SETSOCKOPT, prefix=True),
    SectionRow("cgroup/dev", Pt.CGROUP_DEVICE, At.CGROUP_DEVICE, prefix=True),
)

SECTION_ROWS: tuple[SectionRow, ...] = (*_PROBES, *_BTF_TRACING, *_NETWORK, *_CGROUP)

_BY_HEAD = {row.head: row for row in SECTION_ROWS}
_PREFIXES = tuple(sorted((row for row in SECTION_ROWS if row.prefix), key=lambda row: -len(row.head)))
_TC_DEFAULTS = {"prog": Pt.XDP}
"""tc's default sections that libbpf does not know."""
_TAIL_SECTION = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)/(0[xX][0-9a-fA-F]+|\d+)\Z")


def match_section(name: str) -> SectionMatch:
    """What a section's name says of the programs in it."""
    is_optional = name.startswith("?")
    bare = name.removeprefix("?")
    row, target, is_legacy = _BY_HEAD.get(bare), "", False
    if row is None:
        head, _, target = bare.partition("/")
        row = _BY_HEAD.get(head)
        if row is None or not row.target:
            row = next((each for each in _PREFIXES if bare.startswith(each.head)), None)
            is_legacy = row is not None
            target = ""
    if row is None:
        return SectionMatch(_TC_DEFAULTS.get(bare), is_optional=is_optional)
    return SectionMatch(row.prog_type, int(row.attach_type), target, row.prog_flags, is_optional, is_legacy)


def tail_slot(name: str) -> tuple[int, int] | None:
    """Prog-array id and slot of a classic tail-call section, "ID/KEY"; None for any other name.

    Source: iproute2 7.1 lib/bpf_legacy.c, bpf_fill_prog_arrays() (scans "%i/%i").
    """
    match = _TAIL_SECTION.match(name)
    return (_scan(match[1]), _scan(match[2])) if match else None


def _scan(digits: str) -> int:
    """As C's %i: a leading 0 means octal, 0x hexadecimal."""
    if digits[:2] in ("0x", "0X"):
        return int(digits, 16)
    return int(digits, 8 if digits[0] == "0" and set(digits) <= set("01234567") else 10)
