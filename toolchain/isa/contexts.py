"""The context of each program type: which bytes may be read or written, and what a load gives.

    ctx_access(ProgType.XDP, 0, 4, 4, is_write=False).result      CtxResult.PACKET_END
    ctx_access(ProgType.XDP, 0, 4, 2, is_write=False)             None: "invalid bpf_context access off=4 size=2"

One struct serves many program types (``struct __sk_buff``: nine), each with its own fields taken away, made writable or
turned into pointers; `_skb` makes those variants from one list. Sockets, which programs reach through pointers, have
tables of the same form (`SOCKETS`). Return values are in `return_range`.

Every loadable type is compared with the live kernel at every offset and width (tests/kernel/test_contexts.py).

Source: the ``*_is_valid_access`` functions of net/core/filter.c, kernel/bpf/cgroup.c, kernel/bpf/syscall.c,
kernel/trace/bpf_trace.c, net/netfilter/nf_bpf_link.c, Linux 6.12; offsets from
include/uapi/linux/bpf.h. Registers of kprobes are those of x86-64.
"""

from __future__ import annotations

import functools

from toolchain.isa.context_types import (
    ANY,
    EXACT4,
    EXACT4_OR_8,
    EXACT8,
    HALF_OR_WORD,
    HALF_READ_AS_WORD,
    NARROW2,
    NARROW4,
    NEVER,
    START_EXACT1,
    START_EXACT8,
    START_NARROW4,
    Context,
    CtxResult,
    Field,
    Widths,
)
from toolchain.isa.program_types import AttachType, ProgType, loaded_attach_type

_SKB_SIZE = 192

_SKB_FIELDS: tuple[Field, ...] = (
    *(
        Field(name, index * 4, 4)
        for index, name in enumerate(
            (
                *("len", "pkt_type", "mark", "queue_mapping", "protocol", "vlan_present", "vlan_tci", "vlan_proto"),
                *("priority", "ingress_ifindex", "ifindex", "tc_index"),
            )
        )
    ),
    Field("cb", 48, 20, ANY),
    Field("hash", 68, 4),
    Field("tc_classid", 72, 4),
    Field("data", 76, 4, EXACT4, takes_sign_extending=False),
    Field("data_end", 80, 4, EXACT4, takes_sign_extending=False),
    Field("napi_id", 84, 4),
    Field("family", 88, 4),
    Field("remote_ip4", 92, 4, EXACT4),
    Field("local_ip4", 96, 4, EXACT4),
    Field("remote_ip6", 100, 16, EXACT4),
    Field("local_ip6", 116, 16, EXACT4),
    Field("remote_port", 132, 4),
    Field("local_port", 136, 4),
    Field("data_meta", 140, 4, EXACT4, takes_sign_extending=False),
    Field("tstamp", 152, 8, EXACT8),
    Field("wire_len", 160, 4),
    Field("gso_segs", 164, 4),
    Field("sk", 168, 8, EXACT8, result=CtxResult.SOCK_COMMON_OR_NULL),
    Field("gso_size", 176, 4),
    Field("hwtstamp", 184, 8, EXACT8),
)

_SOCK_OF_SKB = "family remote_ip4 local_ip4 remote_ip6 local_ip6 remote_port local_port"
_WRITE_WIDTHS: dict[str, Widths] = {"cb": ANY, "tstamp": EXACT8}
_POINTERS: dict[str, CtxResult] = {
    "data": CtxResult.PACKET,
    "data_end": CtxResult.PACKET_END,
    "data_meta": CtxResult.PACKET_META,
}


def _skb(source: str, without: str, writable: str, pointers: str, extra: tuple[Field, ...] = ()) -> Context:
    """``struct __sk_buff`` as one program type sees it: fields taken away, writable ones, packet pointers."""
    hidden, written, pointed = set(without.split()), set(writable.split()), set(pointers.split())
    fields = []
    for field in _SKB_FIELDS:
        if field.name in hidden:
            continue
        if field.name in written:
            field = field._replace(write=_WRITE_WIDTHS.get(field.name, EXACT4))
        if field.name in pointed:
            field = field._replace(result=_POINTERS[field.name])
        fields.append(field)
    return Context("__sk_buff", _SKB_SIZE, (*fields, *extra), source)


_FILTER = "net/core/filter.c: "
_SOCKET_FILTER = _skb(
    _FILTER + "sk_filter_is_valid_access()",
    without=f"tc_classid data data_meta data_end tstamp wire_len hwtstamp {_SOCK_OF_SKB}",
    writable="cb",
    pointers="",
)
_TC = _skb(
    _FILTER + "tc_cls_act_is_valid_access()",
    without=_SOCK_OF_SKB,
    writable="mark tc_index priority tc_classid cb tstamp queue_mapping",
    pointers="data data_end data_meta",
    extra=(Field("tstamp_type", 180, 1, START_EXACT1),),
)
_CGROUP_SKB = _skb(
    _FILTER + "cg_skb_is_valid_access()",
    without="tc_classid data_meta wire_len",
    writable="mark priority cb tstamp",
    pointers="data data_end",
)
_LWT = _skb(
    _FILTER + "lwt_is_valid_access()",
    without=f"tc_classid data_meta tstamp wire_len hwtstamp {_SOCK_OF_SKB}",
    writable="mark priority cb",
    pointers="data data_end",
)
_SK_SKB = _skb(
    _FILTER + "sk_skb_is_valid_access()",
    without="tc_classid data_meta tstamp wire_len hwtstamp mark",
    writable="tc_index priority",
    pointers="data data_end",
)
_FLOW_DISSECTOR = Context(
    "__sk_buff",
    _SKB_SIZE,
    (
        Field("data", 76, 4, EXACT4, result=CtxResult.PACKET, takes_sign_extending=False),
        Field("data_end", 80, 4, EXACT4, result=CtxResult.PACKET_END, takes_sign_extending=False),
        Field("flow_keys", 144, 8, EXACT8, result=CtxResult.FLOW_KEYS),
    ),
    _FILTER + "flow_dissector_is_valid_access()",
)
_XDP = Context(
    "xdp_md",
    24,
    (
        Field("data", 0, 4, EXACT4, result=CtxResult.PACKET, takes_sign_extending=False),
        Field("data_end", 4, 4, EXACT4, result=CtxResult.PACKET_END, takes_sign_extending=False),
        Field("data_meta", 8, 4, EXACT4, result=CtxResult.PACKET_META, takes_sign_extending=False),
        Field("ingress_ifindex", 12, 4, EXACT4),
        Field("rx_queue_index", 16, 4, EXACT4),
        Field("egress_ifindex", 20, 4, EXACT4, attach=frozenset({AttachType.XDP_DEVMAP})),
    ),
    _FILTER + "xdp_is_valid_access()",
)

_SOCK_FIELDS: tuple[Field, ...] = (
    Field("bound_dev_if", 0, 4, EXACT4),
    Field("family", 4, 4, START_NARROW4),
    Field("type", 8, 4, START_NARROW4),
    Field("protocol", 12, 4, START_NARROW4),
    Field("mark", 16, 4, EXACT4),
    Field("priority", 20, 4, EXACT4),
    Field("src_ip4", 24, 4),
    Field("src_ip6", 28, 16),
    Field("src_port", 44, 4, START_NARROW4),
    Field("dst_port", 48, 2, HALF_READ_AS_WORD),
    Field("dst_ip4", 52, 4),
    Field("dst_ip6", 56, 16),
    Field("state", 72, 4, START_NARROW4),
    Field("rx_queue_mapping", 76, 4, START_NARROW4),
)

_SOCK_BORN = frozenset({AttachType.CGROUP_INET_SOCK_CREATE, AttachType.CGROUP_INET_SOCK_RELEASE})
_BOUND4 = frozenset({AttachType.CGROUP_INET4_POST_BIND})
_BOUND6 = frozenset({AttachType.CGROUP_INET6_POST_BIND})
_CGROUP_SOCK_RULES: dict[str, tuple[Widths, frozenset[AttachType]]] = {
    "bound_dev_if": (EXACT4, _SOCK_BORN),
    "mark": (EXACT4, _SOCK_BORN),
    "priority": (EXACT4, _SOCK_BORN),
    "src_ip4": (NEVER, _BOUND4),
    "src_ip6": (NEVER, _BOUND6),
    "src_port": (NEVER, _BOUND4 | _BOUND6),
}
_CGROUP_SOCK = Context(
    "bpf_sock",
    80,
    tuple(
        field._replace(write=_CGROUP_SOCK_RULES[field.name][0], attach=_CGROUP_SOCK_RULES[field.name][1])
        if field.name in _CGROUP_SOCK_RULES
        else field
        for field in _SOCK_FIELDS
    ),
    _FILTER + "sock_filter_is_valid_access()",
)

_ADDR4 = frozenset(
    {
        AttachType.CGROUP_INET4_BIND,
        AttachType.CGROUP_INET4_CONNECT,
        AttachType.CGROUP_INET4_GETPEERNAME,
        AttachType.CGROUP_INET4_GETSOCKNAME,
        AttachType.CGROUP_UDP4_SENDMSG,
        AttachType.CGROUP_UDP4_RECVMSG,
    }
)
_ADDR6 = frozenset(
    {
        AttachType.CGROUP_INET6_BIND,
        AttachType.CGROUP_INET6_CONNECT,
        AttachType.CGROUP_INET6_GETPEERNAME,
        AttachType.CGROUP_INET6_GETSOCKNAME,
        AttachType.CGROUP_UDP6_SENDMSG,
        AttachType.CGROUP_UDP6_RECVMSG,
    }
)
_SOCK_ADDR = Context(
    "bpf_sock_addr",
    72,
    (
        Field("user_family", 0, 4, EXACT4),
        Field("user_ip4", 4, 4, NARROW4, EXACT4, attach=_ADDR4),
        Field("user_ip6", 8, 16, ANY, EXACT4_OR_8, attach=_ADDR6),
        Field("user_port", 24, 4, NARROW4, EXACT4),
        Field("family", 28, 4, EXACT4),
        Field("type", 32, 4, EXACT4),
        Field("protocol", 36, 4, EXACT4),
        Field("msg_src_ip4", 40, 4, NARROW4, EXACT4, attach=frozenset({AttachType.CGROUP_UDP4_SENDMSG})),
        Field("msg_src_ip6", 44, 16, ANY, EXACT4_OR_8, attach=frozenset({AttachType.CGROUP_UDP6_SENDMSG})),
        Field("sk", 64, 8, EXACT8, result=CtxResult.SOCKET),
    ),
    _FILTER + "sock_addr_is_valid_access()",
)
_SOCK_OPS = Context(
    "bpf_sock_ops",
    224,
    (
        Field("op", 0, 4, EXACT4),
        Field("reply", 4, 4, EXACT4, EXACT4),
        Field("args", 8, 12, EXACT4),
        Field("family", 20, 4, EXACT4),
        Field("remote_ip4", 24, 4, EXACT4),
        Field("local_ip4", 28, 4, EXACT4),
        Field("remote_ip6", 32, 16, EXACT4),
        Field("local_ip6", 48, 16, EXACT4),
        Field("remote_port", 64, 4, EXACT4),
        Field("local_port", 68, 4, EXACT4),
        Field("is_fullsock", 72, 4, EXACT4),
        Field("snd_cwnd and what follows it", 76, 88, EXACT4),
        Field("sk_txhash", 164, 4, EXACT4, EXACT4),
        Field("bytes_received", 168, 8, EXACT8),
        Field("bytes_acked", 176, 8, EXACT8),
        Field("sk", 184, 8, EXACT8, result=CtxResult.SOCKET_OR_NULL),
        Field("skb_data", 192, 8, EXACT8, result=CtxResult.PACKET),
        Field("skb_data_end", 200, 8, EXACT8, result=CtxResult.PACKET_END),
        Field("skb_len", 208, 4, EXACT4),
        Field("skb_tcp_flags", 212, 4, START_NARROW4),
        Field("skb_hwtstamp", 216, 8, EXACT8),
    ),
    _FILTER + "sock_ops_is_valid_access()",
)
_SK_MSG = Context(
    "sk_msg_md",
    80,
    (
        Field("data", 0, 8, EXACT8, result=CtxResult.PACKET),
        Field("data_end", 8, 8, EXACT8, result=CtxResult.PACKET_END),
        Field("family", 16, 4, EXACT4),
        Field("remote_ip4", 20, 4, EXACT4),
        Field("local_ip4", 24, 4, EXACT4),
        Field("remote_ip6", 28, 16, EXACT4),
        Field("local_ip6", 44, 16, EXACT4),
        Field("remote_port", 60, 4, EXACT4),
        Field("local_port", 64, 4, EXACT4),
        Field("size", 68, 4, EXACT4),
        Field("sk", 72, 8, EXACT8, result=CtxResult.SOCKET),
    ),
    _FILTER + "sk_msg_is_valid_access()",
)
_SK_REUSEPORT = Context(
    "sk_reuseport_md",
    56,
    (
        Field("data", 0, 8, START_EXACT8, result=CtxResult.PACKET),
        Field("data_end", 8, 8, START_EXACT8, result=CtxResult.PACKET_END),
        Field("len", 16, 4),
        Field("eth_protocol", 20, 4, HALF_OR_WORD),
        Field("ip_protocol", 24, 4),
        Field("bind_inany", 28, 4),
        Field("hash", 32, 4, EXACT4),
        Field("sk", 40, 8, START_EXACT8, result=CtxResult.SOCKET),
        Field("migrating_sk", 48, 8, START_EXACT8, result=CtxResult.SOCK_COMMON_OR_NULL),
    ),
    _FILTER + "sk_reuseport_is_valid_access()",
)
_SK_LOOKUP = Context(
    "bpf_sk_lookup",
    72,
    (
        Field("sk", 0, 8, EXACT8, result=CtxResult.SOCKET_OR_NULL),
        Field("family", 8, 4),
        Field("protocol", 12, 4),
        Field("remote_ip4", 16, 4),
        Field("remote_ip6", 20, 16),
        Field("remote_port", 36, 2, HALF_READ_AS_WORD),
        Field("zero padding", 38, 2, NARROW2),
        Field("local_ip4", 40, 4),
        Field("local_ip6", 44, 16),
        Field("local_port", 60, 4),
        Field("ingress_ifindex", 64, 4),
    ),
    _FILTER + "sk_lookup_is_valid_access()",
)
_CGROUP_DEVICE = Context(
    "bpf_cgroup_dev_ctx",
    12,
    (Field("access_type", 0, 4), Field("major", 4, 4, EXACT4), Field("minor", 8, 4, EXACT4)),
    "kernel/bpf/cgroup.c: cgroup_dev_is_valid_access()",
)
_CGROUP_SYSCTL = Context(
    "bpf_sysctl",
    8,
    (Field("write", 0, 4), Field("file_pos", 4, 4, NARROW4, EXACT4)),
    "kernel/bpf/cgroup.c: sysctl_is_valid_access()",
)
_GETS = frozenset({AttachType.CGROUP_GETSOCKOPT})
_SETS = frozenset({AttachType.CGROUP_SETSOCKOPT})
_CGROUP_SOCKOPT = Context(
    "bpf_sockopt",
    40,
    (
        Field("sk", 0, 8, EXACT8, result=CtxResult.SOCKET),
        Field("optval", 8, 8, EXACT8, result=CtxResult.PACKET),
        Field("optval_end", 16, 8, EXACT8, result=CtxResult.PACKET_END),
        Field("level", 24, 4, EXACT4, EXACT4, write_attach=_SETS),
        Field("optname", 28, 4, EXACT4, EXACT4, write_attach=_SETS),
        Field("optlen", 32, 4, EXACT4, EXACT4),
        Field("retval", 36, 4, EXACT4, EXACT4, attach=_GETS),
    ),
    "kernel/bpf/cgroup.c: cg_sockopt_is_valid_access()",
)
_PT_REGS_SIZE = 168
_KPROBE = Context(
    "pt_regs",
    _PT_REGS_SIZE,
    (Field("registers", 0, _PT_REGS_SIZE, ANY),),
    "kernel/trace/bpf_trace.c: kprobe_prog_is_valid_access()",
)
_TRACEPOINT = Context(
    "tracepoint record",
    8192,
    (Field("fields", 8, 8184, ANY),),
    "kernel/trace/bpf_trace.c: tp_prog_is_valid_access(); PERF_MAX_TRACE_SIZE",
)
_PERF_EVENT = Context(
    "bpf_perf_event_data",
    _PT_REGS_SIZE + 16,
    (
        Field("regs", 0, _PT_REGS_SIZE, EXACT8),
        Field("sample_period", _PT_REGS_SIZE, 8, ANY),
        Field("addr", _PT_REGS_SIZE + 8, 8, ANY),
    ),
    "kernel/trace/bpf_trace.c: pe_prog_is_valid_access()",
)
_RAW_ARGS_SIZE = 96
_RAW_TRACEPOINT = Context(
    "bpf_raw_tracepoint_args",
    _RAW_ARGS_SIZE,
    (Field("args", 0, _RAW_ARGS_SIZE, ANY),),
    "include/linux/bpf.h: bpf_tracing_ctx_access(); MAX_BPF_FUNC_ARGS = 12",
)
_RAW_TRACEPOINT_WRITABLE = Context(
    "bpf_raw_tracepoint_args",
    _RAW_ARGS_SIZE,
    (
        Field("writable buffer", 0, 1, START_EXACT8, result=CtxResult.TP_BUFFER),
        Field("args", 1, _RAW_ARGS_SIZE - 1, ANY),
    ),
    "kernel/trace/bpf_trace.c: raw_tp_writable_prog_is_valid_access()",
)
_SYSCALL = Context(
    "arguments",
    65535,
    (Field("arguments", 0, 65536, ANY, ANY),),
    "kernel/bpf/syscall.c: syscall_prog_is_valid_access()",
)
_NETFILTER = Context(
    "bpf_nf_ctx",
    16,
    (
        Field("state", 0, 8, EXACT8, result=CtxResult.BTF, btf="nf_hook_state"),
        Field("skb", 8, 8, EXACT8, result=CtxResult.BTF, btf="sk_buff"),
    ),
    "net/netfilter/nf_bpf_link.c: nf_is_valid_access()",
)
CONTEXTS: dict[ProgType, Context] = {
    ProgType.SOCKET_FILTER: _SOCKET_FILTER,
    ProgType.KPROBE: _KPROBE,
    ProgType.SCHED_CLS: _TC,
    ProgType.SCHED_ACT: _TC,
    ProgType.TRACEPOINT: _TRACEPOINT,
    ProgType.XDP: _XDP,
    ProgType.PERF_EVENT: _PERF_EVENT,
    ProgType.CGROUP_SKB: _CGROUP_SKB,
    ProgType.CGROUP_SOCK: _CGROUP_SOCK,
    ProgType.LWT_IN: _LWT,
    ProgType.LWT_OUT: _LWT,
    ProgType.LWT_XMIT: _LWT,
    ProgType.LWT_SEG6LOCAL: _LWT,
    ProgType.SOCK_OPS: _SOCK_OPS,
    ProgType.SK_SKB: _SK_SKB,
    ProgType.CGROUP_DEVICE: _CGROUP_DEVICE,
    ProgType.SK_MSG: _SK_MSG,
    ProgType.RAW_TRACEPOINT: _RAW_TRACEPOINT,
    ProgType.RAW_TRACEPOINT_WRITABLE: _RAW_TRACEPOINT_WRITABLE,
    ProgType.CGROUP_SOCK_ADDR: _SOCK_ADDR,
    ProgType.SK_REUSEPORT: _SK_REUSEPORT,
    ProgType.FLOW_DISSECTOR: _FLOW_DISSECTOR,
    ProgType.CGROUP_SYSCTL: _CGROUP_SYSCTL,
    ProgType.CGROUP_SOCKOPT: _CGROUP_SOCKOPT,
    ProgType.SK_LOOKUP: _SK_LOOKUP,
    ProgType.SYSCALL: _SYSCALL,
    ProgType.NETFILTER: _NETFILTER,
}
"""TRACING, LSM, EXT and STRUCT_OPS are absent: their context is what the attach target's type says. LIRC_MODE2 is
absent because no kernel at hand has it, so that nothing could be compared."""

_TCP_WORDS = 80
SOCKETS: dict[str, Context] = {
    "sock": Context("bpf_sock", 80, _SOCK_FIELDS, _FILTER + "bpf_sock_is_valid_access()"),
    "sock_common": Context(
        "bpf_sock",
        80,
        tuple(field for field in _SOCK_FIELDS if not 8 <= field.offset < 24),
        _FILTER + "bpf_sock_common_is_valid_access()",
    ),
    "tcp_sock": Context(
        "bpf_tcp_sock",
        112,
        (
            Field("snd_cwnd and what follows it", 0, _TCP_WORDS, EXACT4),
            Field("bytes_received", _TCP_WORDS, 8, EXACT8),
            Field("bytes_acked", _TCP_WORDS + 8, 8, EXACT8),
            Field("dsack_dups and what follows it", _TCP_WORDS + 16, 16, EXACT4),
        ),
        _FILTER + "bpf_tcp_sock_is_valid_access()",
    ),
    "xdp_sock": Context(
        "bpf_xdp_sock", 4, (Field("queue_id", 0, 4, EXACT4),), _FILTER + "bpf_xdp_sock_is_valid_access()"
    ),
}
"""What a pointer to a socket, by the kernel's name of its type, may read. Nothing may be written."""

FLOW_KEYS_SIZE = 56
"""sizeof(struct bpf_flow_keys); every byte may be read and written. Source: check_flow_keys_access()."""

READS_PACKET = frozenset(
    {
        *(ProgType.LWT_IN, ProgType.LWT_OUT, ProgType.LWT_SEG6LOCAL, ProgType.LWT_XMIT),
        *(ProgType.SK_REUSEPORT, ProgType.FLOW_DISSECTOR, ProgType.CGROUP_SKB, ProgType.SCHED_CLS),
        *(ProgType.SCHED_ACT, ProgType.XDP, ProgType.SK_SKB, ProgType.SK_MSG, ProgType.CGROUP_SOCKOPT),
    }
)
"""Types that may read through packet pointers. Source: may_access_direct_pkt_data()."""

WRITES_PACKET = frozenset(
    {
        *(ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.XDP, ProgType.LWT_XMIT, ProgType.SK_SKB),
        *(ProgType.SK_MSG, ProgType.CGROUP_SOCKOPT),
    }
)
"""Types that may write through packet pointers. Source: may_access_direct_pkt_data()."""

PASSES_PACKET_ALWAYS = frozenset({ProgType.CGROUP_SOCKOPT})
"""Types whose packet pointers any helper takes as memory, whatever its prototype's pkt_access says."""

LOADS_ABSOLUTE = frozenset({ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT})
"""Types that may use BPF_LD|BPF_ABS and BPF_IND. Source: kernel/bpf/verifier.c, may_access_skb()."""


@functools.cache
def ctx_access(
    prog_type: ProgType,
    attach_type: int,
    offset: int,
    width: int,
    is_write: bool,
    is_sign_extending: bool = False,
) -> Field | None:
    """The context field that a load or store touches, None where the kernel refuses it.

    Units: bytes. Raises: KeyError where no table is known for ``prog_type`` (see `CONTEXTS`).
    """
    loaded = loaded_attach_type(prog_type, attach_type)
    if loaded is None:
        return None
    return CONTEXTS[prog_type].access(offset, width, loaded, is_write, is_sign_extending)


_ALWAYS_ONE = frozenset(
    {
        AttachType.CGROUP_UDP4_RECVMSG,
        AttachType.CGROUP_UDP6_RECVMSG,
        AttachType.CGROUP_UNIX_RECVMSG,
        AttachType.CGROUP_INET4_GETPEERNAME,
        AttachType.CGROUP_INET6_GETPEERNAME,
        AttachType.CGROUP_UNIX_GETPEERNAME,
        AttachType.CGROUP_INET4_GETSOCKNAME,
        AttachType.CGROUP_INET6_GETSOCKNAME,
        AttachType.CGROUP_UNIX_GETSOCKNAME,
    }
)

_RETURNS: dict[ProgType, tuple[int, int]] = {
    ProgType.CGROUP_SOCK_ADDR: (0, 1),
    ProgType.CGROUP_SKB: (0, 1),
    ProgType.CGROUP_SOCK: (0, 1),
    ProgType.SOCK_OPS: (0, 1),
    ProgType.CGROUP_DEVICE: (0, 1),
    ProgType.CGROUP_SYSCTL: (0, 1),
    ProgType.CGROUP_SOCKOPT: (0, 1),
    ProgType.SK_LOOKUP: (0, 1),
    ProgType.NETFILTER: (0, 1),
}

_RETURNS_BY_ATTACH: dict[tuple[ProgType, AttachType], tuple[int, int]] = {
    **{(ProgType.CGROUP_SOCK_ADDR, attach): (1, 1) for attach in _ALWAYS_ONE},
    (ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_BIND): (0, 3),
    (ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_BIND): (0, 3),
    (ProgType.CGROUP_SKB, AttachType.CGROUP_INET_EGRESS): (0, 3),
    (ProgType.TRACING, AttachType.TRACE_FENTRY): (0, 0),
    (ProgType.TRACING, AttachType.TRACE_FEXIT): (0, 0),
    (ProgType.TRACING, AttachType.TRACE_ITER): (0, 1),
    (ProgType.KPROBE, AttachType.TRACE_KPROBE_SESSION): (0, 1),
    (ProgType.KPROBE, AttachType.TRACE_UPROBE_SESSION): (0, 1),
}


def return_range(prog_type: ProgType, attach_type: int = 0) -> tuple[int, int] | None:
    """Smallest and largest value that a program may return, None where any scalar will do.

    Source: kernel/bpf/verifier.c, check_return_code(), Linux 6.12.
    """
    if attach_type in AttachType._value2member_map_:
        found = _RETURNS_BY_ATTACH.get((prog_type, AttachType(attach_type)))
        if found is not None:
            return found
    return _RETURNS.get(prog_type)
