"""Which program type may call which helper, and under which prototype.

A program type's set is a chain: its own rows first, then those of its parents, down to what everyone has.

    SCHED_CLS: tc -> sk -> base          CGROUP_SKB: cgroup -> cg_skb -> sk_filter -> sk -> base

A row is a helper's name, or ``name=variant`` where this chain sees another prototype than the usual one
(helpers_protos.py), or ``-name`` where the helper is taken out. `ATTACH_ONLY` and `ATTACH_NOT` narrow single helpers
by attach type.

The sets are those of a privileged loader (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON) on a Linux 6.18 that was built without
CONFIG_BPF_KPROBE_OVERRIDE and does not let programs write user memory: `override_return` and `probe_write_user` are in
no set. Every loadable program type was compared id by id with that kernel (tests/kernel/test_helpers.py).

Source: the ``*_func_proto`` functions of kernel/bpf/helpers.c, kernel/bpf/cgroup.c, kernel/bpf/syscall.c,
kernel/bpf/bpf_lsm.c, kernel/trace/bpf_trace.c, net/core/filter.c, net/netfilter/nf_bpf_link.c, Linux 6.12; rows that
6.18 added to ``base`` were found by asking it.
"""

from __future__ import annotations

from typing import NamedTuple

from toolchain.isa.program_types import AttachType, ProgType


class HelperSet(NamedTuple):
    """A set: its parents, searched in order after its own rows."""

    parents: tuple[str, ...]
    rows: str


HELPER_SETS: dict[str, HelperSet] = {
    "base": HelperSet(
        (),
        """map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem
        map_lookup_percpu_elem ktime_get_ns ktime_get_boot_ns ktime_get_tai_ns trace_printk trace_vprintk
        get_prandom_u32 get_smp_processor_id=get_raw_smp_processor_id get_numa_node_id tail_call
        get_current_pid_tgid get_ns_current_pid_tgid get_current_uid_gid get_current_comm get_current_task
        get_current_task_btf get_current_cgroup_id get_current_ancestor_cgroup_id current_task_under_cgroup
        get_cgroup_classid=get_cgroup_classid_curr get_task_stack task_pt_regs task_storage_get task_storage_delete
        find_vma perf_event_read perf_event_read_value send_signal send_signal_thread get_branch_snapshot
        spin_lock spin_unlock strtol strtoul strncmp snprintf snprintf_btf jiffies64 per_cpu_ptr this_cpu_ptr
        probe_read_user probe_read_kernel probe_read_user_str probe_read_kernel_str copy_from_user
        copy_from_user_task ringbuf_output ringbuf_reserve ringbuf_submit ringbuf_discard ringbuf_query
        ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_from_mem dynptr_read
        dynptr_write dynptr_data user_ringbuf_drain for_each_map_elem loop timer_init timer_set_callback
        timer_start timer_cancel kptr_xchg cgrp_storage_get cgrp_storage_delete""",
    ),
    "sk": HelperSet(
        ("base",),
        """skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
        skc_to_unix_sock skc_to_mptcp_sock ktime_get_coarse_ns""",
    ),
    "cgroup": HelperSet((), "get_local_storage get_retval set_retval"),
    "sk_filter": HelperSet(
        ("sk",),
        """perf_event_output skb_load_bytes skb_load_bytes_relative get_socket_cookie get_socket_uid
        get_netns_cookie""",
    ),
    "cg_skb": HelperSet(
        ("cgroup", "sk_filter"),
        """skb_cgroup_id skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp skc_lookup_tcp sk_release sk_fullsock
        tcp_sock skb_ecn_set_ce get_listener_sock sk_storage_get sk_storage_delete sk_cgroup_id
        sk_ancestor_cgroup_id""",
    ),
    "sock_filter": HelperSet(
        ("cgroup", "base"),
        """perf_event_output get_socket_cookie sk_storage_get=sk_storage_get_cg_sock get_netns_cookie
        ktime_get_coarse_ns""",
    ),
    "sock_addr": HelperSet(
        ("cgroup", "sk"),
        """perf_event_output get_socket_cookie sk_lookup_tcp=sock_addr_sk_lookup_tcp
        sk_lookup_udp=sock_addr_sk_lookup_udp skc_lookup_tcp=sock_addr_skc_lookup_tcp sk_release sk_storage_get
        sk_storage_delete get_netns_cookie setsockopt=ctx_setsockopt getsockopt=ctx_getsockopt bind""",
    ),
    "tc": HelperSet(
        ("sk",),
        """get_smp_processor_id skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect get_cgroup_classid
        skb_vlan_push skb_vlan_pop skb_get_tunnel_key skb_set_tunnel_key redirect get_route_realm
        perf_event_output skb_load_bytes csum_diff skb_get_tunnel_opt skb_set_tunnel_opt skb_change_proto
        skb_change_type skb_under_cgroup get_hash_recalc skb_change_tail skb_pull_data csum_update
        set_hash_invalid skb_change_head get_socket_cookie get_socket_uid get_netns_cookie set_hash
        skb_adjust_room skb_get_xfrm_state skb_load_bytes_relative fib_lookup skb_cgroup_id
        skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp skc_lookup_tcp sk_release sk_fullsock tcp_sock
        skb_ecn_set_ce get_listener_sock tcp_check_syncookie sk_storage_get sk_storage_delete tcp_gen_syncookie
        sk_assign csum_level skb_cgroup_classid redirect_neigh redirect_peer check_mtu skb_set_tstamp
        tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
        tcp_raw_check_syncookie_ipv6""",
    ),
    "xdp": HelperSet(
        ("sk",),
        """get_smp_processor_id redirect perf_event_output csum_diff xdp_adjust_head redirect_map xdp_adjust_meta
        xdp_adjust_tail fib_lookup sk_lookup_tcp sk_lookup_udp skc_lookup_tcp sk_release tcp_check_syncookie
        tcp_gen_syncookie check_mtu xdp_get_buff_len xdp_load_bytes xdp_store_bytes tcp_raw_gen_syncookie_ipv4
        tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6""",
    ),
    "sock_ops": HelperSet(
        ("cgroup", "sk"),
        """perf_event_output get_socket_cookie setsockopt=ctx_setsockopt getsockopt=ctx_getsockopt sock_map_update
        sock_ops_cb_flags_set sock_hash_update tcp_sock sk_storage_get sk_storage_delete get_netns_cookie
        load_hdr_opt store_hdr_opt reserve_hdr_opt""",
    ),
    "sk_msg": HelperSet(
        ("sk",),
        """perf_event_output msg_redirect_map msg_apply_bytes msg_cork_bytes msg_pull_data msg_redirect_hash
        msg_push_data msg_pop_data sk_storage_get sk_storage_delete get_netns_cookie""",
    ),
    "sk_skb": HelperSet(
        ("sk",),
        """skb_store_bytes perf_event_output skb_load_bytes skb_change_tail skb_pull_data skb_change_head
        get_socket_cookie get_socket_uid skb_adjust_room sk_redirect_map sk_redirect_hash sk_lookup_tcp
        sk_lookup_udp skc_lookup_tcp sk_release""",
    ),
    "flow_dissector": HelperSet(("sk",), "skb_load_bytes"),
    "lwt_out": HelperSet(
        ("sk",),
        """get_smp_processor_id get_cgroup_classid get_route_realm perf_event_output skb_load_bytes csum_diff
        skb_under_cgroup get_hash_recalc skb_pull_data""",
    ),
    "lwt_in": HelperSet(("lwt_out",), "lwt_push_encap"),
    "lwt_xmit": HelperSet(
        ("lwt_out",),
        """skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_get_tunnel_key skb_set_tunnel_key
        redirect skb_get_tunnel_opt skb_set_tunnel_opt skb_change_tail csum_update set_hash_invalid
        skb_change_head lwt_push_encap csum_level""",
    ),
    "lwt_seg6local": HelperSet(("lwt_out",), "lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action"),
    "sk_reuseport": HelperSet(
        ("base",),
        """skb_load_bytes get_socket_cookie=get_socket_ptr_cookie skb_load_bytes_relative sk_select_reuseport
        ktime_get_coarse_ns""",
    ),
    "sk_lookup": HelperSet(("sk",), "perf_event_output sk_release sk_assign=sk_lookup_assign"),
    "cgroup_device": HelperSet(("cgroup", "base"), "perf_event_output"),
    "sysctl": HelperSet(
        ("cgroup", "base"),
        """perf_event_output sysctl_get_name sysctl_get_current_value sysctl_get_new_value sysctl_set_new_value
        ktime_get_coarse_ns""",
    ),
    "sockopt": HelperSet(
        ("cgroup", "base"),
        """perf_event_output setsockopt getsockopt tcp_sock sk_storage_get sk_storage_delete get_netns_cookie""",
    ),
    "trace": HelperSet(("base",), "get_smp_processor_id probe_read probe_read_str get_func_ip"),
    "kprobe": HelperSet(("trace",), "perf_event_output get_stackid get_stack get_func_ip get_attach_cookie"),
    "kprobe_multi": HelperSet(("kprobe",), "get_func_ip=get_func_ip_multi"),
    "tracepoint": HelperSet(("trace",), "perf_event_output get_stackid get_stack get_attach_cookie"),
    "perf_event": HelperSet(
        ("trace",),
        """perf_event_output get_stackid=get_stackid_pe perf_prog_read_value get_stack read_branch_records
        get_attach_cookie""",
    ),
    "raw_tracepoint": HelperSet(("trace",), "perf_event_output get_stackid get_stack get_attach_cookie"),
    "tracing": HelperSet(
        ("raw_tracepoint",),
        """-get_attach_cookie get_socket_cookie=get_socket_ptr_cookie sk_storage_get=sk_storage_get_tracing
        sk_storage_delete=sk_storage_delete_tracing skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock
        skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock
        d_path sock_from_file xdp_get_buff_len=xdp_get_buff_len_trace""",
    ),
    "iter": HelperSet(("tracing",), "seq_printf seq_write seq_printf_btf"),
    "tracing_raw_tp": HelperSet(("tracing",), "get_attach_cookie"),
    "trampoline": HelperSet(("tracing",), "get_func_arg get_func_ret get_func_arg_cnt get_attach_cookie"),
    "syscall": HelperSet(("tracing",), "sys_bpf btf_find_by_name_kind sys_close kallsyms_lookup_name"),
    "netfilter": HelperSet(("base",), ""),
}

SET_OF_TYPE: dict[ProgType, str] = {
    ProgType.SOCKET_FILTER: "sk_filter",
    ProgType.KPROBE: "kprobe",
    ProgType.SCHED_CLS: "tc",
    ProgType.SCHED_ACT: "tc",
    ProgType.TRACEPOINT: "tracepoint",
    ProgType.XDP: "xdp",
    ProgType.PERF_EVENT: "perf_event",
    ProgType.CGROUP_SKB: "cg_skb",
    ProgType.CGROUP_SOCK: "sock_filter",
    ProgType.LWT_IN: "lwt_in",
    ProgType.LWT_OUT: "lwt_out",
    ProgType.LWT_XMIT: "lwt_xmit",
    ProgType.SOCK_OPS: "sock_ops",
    ProgType.SK_SKB: "sk_skb",
    ProgType.CGROUP_DEVICE: "cgroup_device",
    ProgType.SK_MSG: "sk_msg",
    ProgType.RAW_TRACEPOINT: "raw_tracepoint",
    ProgType.CGROUP_SOCK_ADDR: "sock_addr",
    ProgType.LWT_SEG6LOCAL: "lwt_seg6local",
    ProgType.SK_REUSEPORT: "sk_reuseport",
    ProgType.FLOW_DISSECTOR: "flow_dissector",
    ProgType.CGROUP_SYSCTL: "sysctl",
    ProgType.RAW_TRACEPOINT_WRITABLE: "raw_tracepoint",
    ProgType.CGROUP_SOCKOPT: "sockopt",
    ProgType.TRACING: "tracing",
    ProgType.SK_LOOKUP: "sk_lookup",
    ProgType.SYSCALL: "syscall",
    ProgType.NETFILTER: "netfilter",
}
"""Types that are absent (STRUCT_OPS, EXT, LSM) take their helpers from what they attach to: not known here. LIRC_MODE2
is absent because no kernel at hand has it, so that nothing could be compared."""

SET_OF_ATTACH: dict[tuple[ProgType, AttachType], str] = {
    (ProgType.KPROBE, AttachType.TRACE_KPROBE_MULTI): "kprobe_multi",
    (ProgType.KPROBE, AttachType.TRACE_UPROBE_MULTI): "kprobe_multi",
    (ProgType.KPROBE, AttachType.TRACE_KPROBE_SESSION): "kprobe_multi",
    (ProgType.KPROBE, AttachType.TRACE_UPROBE_SESSION): "kprobe_multi",
    (ProgType.TRACING, AttachType.TRACE_RAW_TP): "tracing_raw_tp",
    (ProgType.TRACING, AttachType.TRACE_ITER): "iter",
    (ProgType.TRACING, AttachType.TRACE_FENTRY): "trampoline",
    (ProgType.TRACING, AttachType.TRACE_FEXIT): "trampoline",
    (ProgType.TRACING, AttachType.MODIFY_RETURN): "trampoline",
}

_NO_RETVAL = frozenset(
    {
        AttachType.CGROUP_INET_INGRESS,
        AttachType.CGROUP_INET_EGRESS,
        AttachType.CGROUP_SOCK_OPS,
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

ATTACH_NOT: dict[tuple[str, str], frozenset[AttachType]] = {
    ("cgroup", "get_retval"): _NO_RETVAL,
    ("cgroup", "set_retval"): _NO_RETVAL,
}
"""(set, helper) -> attach types under which that row does not count. Source: cgroup_common_func_proto()."""

ATTACH_ONLY: dict[tuple[str, str], frozenset[AttachType]] = {
    ("sock_addr", "bind"): frozenset({AttachType.CGROUP_INET4_CONNECT, AttachType.CGROUP_INET6_CONNECT}),
    ("sockopt", "setsockopt"): frozenset({AttachType.CGROUP_SETSOCKOPT}),
    ("sockopt", "getsockopt"): frozenset({AttachType.CGROUP_SETSOCKOPT}),
}
"""(set, helper) -> the only attach types under which that row counts. Source: sock_addr_func_proto(),
cg_sockopt_func_proto()."""

SLEEPABLE_VARIANTS: dict[str, str] = {"get_stack": "get_stack_sleepable", "get_task_stack": "get_task_stack_sleepable"}
"""Helper -> variant in a sleepable program. Source: bpf_tracing_func_proto(), kprobe_prog_func_proto()."""
