"""Helper names by id, and the prototype of each helper.

One row is one prototype: helper, arguments, result, the kernel file it is declared in, and what is special about it.
A helper that the kernel declares several times with the same contract has one row; where the contracts differ, the
others are rows with a ``variant``, and helpers_allowed.py says which program type sees which.

Source: include/uapi/linux/bpf.h (___BPF_FUNC_MAPPER) for names and ids; the file in each row, Linux 6.12, for the
contract. What 6.18.44 says otherwise (which memory is written: fib_lookup, get_stack, read_branch_records, snprintf,
snprintf_btf, sysctl_get_name) was found by asking it (tests/kernel/test_helpers.py).
"""

from __future__ import annotations

from toolchain.isa.helper_types import Arg, ArgType, HelperProto, Ret, RetType, TypeFlag

_NAMES = """unspec
    map_lookup_elem map_update_elem map_delete_elem probe_read ktime_get_ns trace_printk get_prandom_u32
    get_smp_processor_id skb_store_bytes l3_csum_replace l4_csum_replace tail_call clone_redirect
    get_current_pid_tgid get_current_uid_gid get_current_comm get_cgroup_classid skb_vlan_push skb_vlan_pop
    skb_get_tunnel_key skb_set_tunnel_key perf_event_read redirect get_route_realm perf_event_output
    skb_load_bytes get_stackid csum_diff skb_get_tunnel_opt skb_set_tunnel_opt skb_change_proto skb_change_type
    skb_under_cgroup get_hash_recalc get_current_task probe_write_user current_task_under_cgroup skb_change_tail
    skb_pull_data csum_update set_hash_invalid get_numa_node_id skb_change_head xdp_adjust_head probe_read_str
    get_socket_cookie get_socket_uid set_hash setsockopt skb_adjust_room redirect_map sk_redirect_map
    sock_map_update xdp_adjust_meta perf_event_read_value perf_prog_read_value getsockopt override_return
    sock_ops_cb_flags_set msg_redirect_map msg_apply_bytes msg_cork_bytes msg_pull_data bind xdp_adjust_tail
    skb_get_xfrm_state get_stack skb_load_bytes_relative fib_lookup sock_hash_update msg_redirect_hash
    sk_redirect_hash lwt_push_encap lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action rc_repeat
    rc_keydown skb_cgroup_id get_current_cgroup_id get_local_storage sk_select_reuseport skb_ancestor_cgroup_id
    sk_lookup_tcp sk_lookup_udp sk_release map_push_elem map_pop_elem map_peek_elem msg_push_data msg_pop_data
    rc_pointer_rel spin_lock spin_unlock sk_fullsock tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp
    tcp_check_syncookie sysctl_get_name sysctl_get_current_value sysctl_get_new_value sysctl_set_new_value
    strtol strtoul sk_storage_get sk_storage_delete send_signal tcp_gen_syncookie skb_output probe_read_user
    probe_read_kernel probe_read_user_str probe_read_kernel_str tcp_send_ack send_signal_thread jiffies64
    read_branch_records get_ns_current_pid_tgid xdp_output get_netns_cookie get_current_ancestor_cgroup_id
    sk_assign ktime_get_boot_ns seq_printf seq_write sk_cgroup_id sk_ancestor_cgroup_id ringbuf_output
    ringbuf_reserve ringbuf_submit ringbuf_discard ringbuf_query csum_level skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock get_task_stack load_hdr_opt store_hdr_opt
    reserve_hdr_opt inode_storage_get inode_storage_delete d_path copy_from_user snprintf_btf seq_printf_btf
    skb_cgroup_classid redirect_neigh per_cpu_ptr this_cpu_ptr redirect_peer task_storage_get
    task_storage_delete get_current_task_btf bprm_opts_set ktime_get_coarse_ns ima_inode_hash sock_from_file
    check_mtu for_each_map_elem snprintf sys_bpf btf_find_by_name_kind sys_close timer_init timer_set_callback
    timer_start timer_cancel get_func_ip get_attach_cookie task_pt_regs get_branch_snapshot trace_vprintk
    skc_to_unix_sock kallsyms_lookup_name find_vma loop strncmp get_func_arg get_func_ret get_func_arg_cnt
    get_retval set_retval xdp_get_buff_len xdp_load_bytes xdp_store_bytes copy_from_user_task skb_set_tstamp
    ima_file_hash kptr_xchg map_lookup_percpu_elem skc_to_mptcp_sock dynptr_from_mem ringbuf_reserve_dynptr
    ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_read dynptr_write dynptr_data tcp_raw_gen_syncookie_ipv4
    tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6 ktime_get_tai_ns
    user_ringbuf_drain cgrp_storage_get cgrp_storage_delete
"""

HELPER_NAMES: tuple[str, ...] = tuple(_NAMES.split())
"""Index is the helper's id."""

HELPER_IDS: dict[str, int] = {name: number for number, name in enumerate(HELPER_NAMES)}

_NULL, _RO, _OUT, _NEW = TypeFlag.MAYBE_NULL, TypeFlag.RDONLY, TypeFlag.WRITE, TypeFlag.WRITE | TypeFlag.UNINIT

ANY = Arg(ArgType.ANYTHING)
SCALAR = Arg(ArgType.SCALAR)
CTX = Arg(ArgType.PTR_TO_CTX)
CTX_OR_NULL = Arg(ArgType.PTR_TO_CTX, _NULL)
MAP = Arg(ArgType.CONST_MAP_PTR)
MAP_KEY = Arg(ArgType.PTR_TO_MAP_KEY)
MAP_VALUE = Arg(ArgType.PTR_TO_MAP_VALUE)
MAP_VALUE_OUT = Arg(ArgType.PTR_TO_MAP_VALUE, _NEW)
MAP_VALUE_OR_NULL = Arg(ArgType.PTR_TO_MAP_VALUE, _NULL)
MEM = Arg(ArgType.PTR_TO_MEM)
MEM_IN = Arg(ArgType.PTR_TO_MEM, _RO)
MEM_OUT = Arg(ArgType.PTR_TO_MEM, _NEW)
MEM_INOUT = Arg(ArgType.PTR_TO_MEM, _OUT)
MEM_INOUT_OR_NULL = Arg(ArgType.PTR_TO_MEM, _NULL | _OUT)
MEM_IN_OR_NULL = Arg(ArgType.PTR_TO_MEM, _NULL | _RO)
SIZE = Arg(ArgType.CONST_SIZE)
SIZE_OR_ZERO = Arg(ArgType.CONST_SIZE_OR_ZERO)
ALLOC_SIZE = Arg(ArgType.CONST_ALLOC_SIZE_OR_ZERO)
CONST_STR = Arg(ArgType.PTR_TO_CONST_STR)
STACK_OR_NULL = Arg(ArgType.PTR_TO_STACK, _NULL)
CALLBACK = Arg(ArgType.PTR_TO_FUNC)
TIMER = Arg(ArgType.PTR_TO_TIMER)
SPIN_LOCK = Arg(ArgType.PTR_TO_SPIN_LOCK)
SOCK_COMMON = Arg(ArgType.PTR_TO_SOCK_COMMON)
SOCKET_OR_NULL = Arg(ArgType.PTR_TO_SOCKET, _NULL)
SOCK = Arg(ArgType.PTR_TO_BTF_ID_SOCK_COMMON)
SOCK_OR_NULL = Arg(ArgType.PTR_TO_BTF_ID_SOCK_COMMON, _NULL)
SOCK_RELEASED = Arg(ArgType.PTR_TO_BTF_ID_SOCK_COMMON, TypeFlag.RELEASE)
RINGBUF_RELEASED = Arg(ArgType.PTR_TO_RINGBUF_MEM, TypeFlag.RELEASE)
PERCPU_BTF = Arg(ArgType.PTR_TO_PERCPU_BTF_ID)
KPTR_DEST = Arg(ArgType.KPTR_XCHG_DEST)
KPTR_RELEASED_OR_NULL = Arg(ArgType.PTR_TO_BTF_ID, _NULL | TypeFlag.RELEASE, "*")
DYNPTR = Arg(ArgType.PTR_TO_DYNPTR, _RO)
DYNPTR_NEW_LOCAL = Arg(ArgType.PTR_TO_DYNPTR, _NEW | TypeFlag.DYNPTR_LOCAL)
DYNPTR_NEW_RINGBUF = Arg(ArgType.PTR_TO_DYNPTR, _NEW | TypeFlag.DYNPTR_RINGBUF)
DYNPTR_RINGBUF_RELEASED = Arg(ArgType.PTR_TO_DYNPTR, TypeFlag.DYNPTR_RINGBUF | TypeFlag.RELEASE)

INTEGER = Ret(RetType.INTEGER)
VOID = Ret(RetType.VOID)
R_MAP_VALUE = Ret(RetType.PTR_TO_MAP_VALUE)
R_MAP_VALUE_OR_NULL = Ret(RetType.PTR_TO_MAP_VALUE, _NULL)
R_SOCKET_OR_NULL = Ret(RetType.PTR_TO_SOCKET, _NULL)
R_TCP_SOCK_OR_NULL = Ret(RetType.PTR_TO_TCP_SOCK, _NULL)
R_SOCK_COMMON_OR_NULL = Ret(RetType.PTR_TO_SOCK_COMMON, _NULL)
R_RINGBUF_MEM_OR_NULL = Ret(RetType.PTR_TO_MEM, _NULL | TypeFlag.RINGBUF)
R_DYNPTR_MEM_OR_NULL = Ret(RetType.PTR_TO_MEM, _NULL)
R_PER_CPU = Ret(RetType.PTR_TO_MEM_OR_BTF_ID, _RO)
R_PER_CPU_OR_NULL = Ret(RetType.PTR_TO_MEM_OR_BTF_ID, _NULL | _RO)

FILTER = "net/core/filter.c"
HELPERS = "kernel/bpf/helpers.c"
TRACE = "kernel/trace/bpf_trace.c"
CGROUP = "kernel/bpf/cgroup.c"
SOCK_MAP = "net/core/sock_map.c"
SK_STORAGE = "net/core/bpf_sk_storage.c"
RINGBUF = "kernel/bpf/ringbuf.c"
STACKMAP = "kernel/bpf/stackmap.c"
LSM = "kernel/bpf/bpf_lsm.c"
LIRC = "drivers/media/rc/bpf-lirc.c"
SYSCALL = "kernel/bpf/syscall.c"


def _fixed_in(size: int) -> Arg:
    return Arg(ArgType.PTR_TO_MEM, TypeFlag.FIXED_SIZE, size=size)


def _fixed_out(size: int) -> Arg:
    return Arg(ArgType.PTR_TO_MEM, TypeFlag.FIXED_SIZE | TypeFlag.ALIGNED | _NEW, size=size)


def _fixed_inout(size: int) -> Arg:
    return Arg(ArgType.PTR_TO_MEM, TypeFlag.FIXED_SIZE | TypeFlag.ALIGNED | _OUT, size=size)


def _btf(name: str) -> Arg:
    return Arg(ArgType.PTR_TO_BTF_ID, btf=name)


def _btf_or_null(name: str) -> Arg:
    return Arg(ArgType.PTR_TO_BTF_ID, _NULL, name)


def _ret_btf_or_null(name: str) -> Ret:
    return Ret(RetType.PTR_TO_BTF_ID, _NULL, name)


def _ret_btf(name: str) -> Ret:
    return Ret(RetType.PTR_TO_BTF_ID, btf=name)


def _ret_btf_trusted(name: str) -> Ret:
    return Ret(RetType.PTR_TO_BTF_ID, TypeFlag.TRUSTED, name)


def _row(
    name: str,
    args: tuple[Arg, ...],
    ret: Ret,
    source: str,
    variant: str = "",
    gpl_only: bool = False,
    pkt_access: bool = False,
    might_sleep: bool = False,
    is_fastcall: bool = False,
    condition: str = "",
) -> HelperProto:
    number = HELPER_IDS[name]
    return HelperProto(
        number, name, args, ret, source, variant, gpl_only, pkt_access, might_sleep, is_fastcall, condition
    )


PROTOS: tuple[HelperProto, ...] = (
    _row("map_lookup_elem", (MAP, MAP_KEY), R_MAP_VALUE_OR_NULL, HELPERS, pkt_access=True),
    _row("map_update_elem", (MAP, MAP_KEY, MAP_VALUE, ANY), INTEGER, HELPERS, pkt_access=True),
    _row("map_delete_elem", (MAP, MAP_KEY), INTEGER, HELPERS, pkt_access=True),
    _row("probe_read", (MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("ktime_get_ns", (), INTEGER, HELPERS),
    _row("trace_printk", (MEM_IN, SIZE), INTEGER, TRACE, gpl_only=True),
    _row("get_prandom_u32", (), INTEGER, HELPERS),
    _row("get_smp_processor_id", (), INTEGER, HELPERS, is_fastcall=True),
    _row("get_smp_processor_id", (), INTEGER, HELPERS, variant="get_raw_smp_processor_id"),
    _row("skb_store_bytes", (CTX, ANY, MEM_IN, SIZE, ANY), INTEGER, FILTER),
    _row("l3_csum_replace", (CTX, ANY, ANY, ANY, ANY), INTEGER, FILTER),
    _row("l4_csum_replace", (CTX, ANY, ANY, ANY, ANY), INTEGER, FILTER),
    _row("tail_call", (CTX, MAP, ANY), VOID, "kernel/bpf/core.c"),
    _row("clone_redirect", (CTX, ANY, ANY), INTEGER, FILTER),
    _row("get_current_pid_tgid", (), INTEGER, HELPERS),
    _row("get_current_uid_gid", (), INTEGER, HELPERS),
    _row("get_current_comm", (MEM_OUT, SIZE), INTEGER, HELPERS),
    _row("get_cgroup_classid", (CTX,), INTEGER, FILTER),
    _row("get_cgroup_classid", (), INTEGER, FILTER, variant="get_cgroup_classid_curr"),
    _row("skb_vlan_push", (CTX, ANY, ANY), INTEGER, FILTER),
    _row("skb_vlan_pop", (CTX,), INTEGER, FILTER),
    _row("skb_get_tunnel_key", (CTX, MEM_OUT, SIZE, ANY), INTEGER, FILTER),
    _row("skb_set_tunnel_key", (CTX, MEM_IN, SIZE, ANY), INTEGER, FILTER),
    _row("perf_event_read", (MAP, ANY), INTEGER, TRACE, gpl_only=True),
    _row("redirect", (ANY, ANY), INTEGER, FILTER),
    _row("get_route_realm", (CTX,), INTEGER, FILTER),
    _row("perf_event_output", (CTX, MAP, ANY, MEM_IN, SIZE_OR_ZERO), INTEGER, TRACE, gpl_only=True),
    _row("skb_load_bytes", (CTX, ANY, MEM_OUT, SIZE), INTEGER, FILTER),
    _row("get_stackid", (CTX, MAP, ANY), INTEGER, STACKMAP, gpl_only=True),
    _row("get_stackid", (CTX, MAP, ANY), INTEGER, STACKMAP, variant="get_stackid_pe"),
    _row(
        "csum_diff", (MEM_IN_OR_NULL, SIZE_OR_ZERO, MEM_IN_OR_NULL, SIZE_OR_ZERO, ANY), INTEGER, FILTER, pkt_access=True
    ),
    _row("skb_get_tunnel_opt", (CTX, MEM_OUT, SIZE), INTEGER, FILTER),
    _row("skb_set_tunnel_opt", (CTX, MEM_IN, SIZE), INTEGER, FILTER),
    _row("skb_change_proto", (CTX, ANY, ANY), INTEGER, FILTER),
    _row("skb_change_type", (CTX, ANY), INTEGER, FILTER),
    _row("skb_under_cgroup", (CTX, MAP, ANY), INTEGER, FILTER),
    _row("get_hash_recalc", (CTX,), INTEGER, FILTER),
    _row("get_current_task", (), INTEGER, TRACE, gpl_only=True),
    _row("probe_write_user", (ANY, MEM_IN, SIZE), INTEGER, TRACE, gpl_only=True),
    _row("current_task_under_cgroup", (MAP, ANY), INTEGER, HELPERS),
    _row("skb_change_tail", (CTX, ANY, ANY), INTEGER, FILTER),
    _row("skb_pull_data", (CTX, ANY), INTEGER, FILTER),
    _row("csum_update", (CTX, ANY), INTEGER, FILTER),
    _row("set_hash_invalid", (CTX,), INTEGER, FILTER),
    _row("get_numa_node_id", (), INTEGER, HELPERS),
    _row("skb_change_head", (CTX, ANY, ANY), INTEGER, FILTER),
    _row("xdp_adjust_head", (CTX, ANY), INTEGER, FILTER),
    _row("probe_read_str", (MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("get_socket_cookie", (CTX,), INTEGER, FILTER),
    _row("get_socket_cookie", (SOCK_OR_NULL,), INTEGER, FILTER, variant="get_socket_ptr_cookie"),
    _row("get_socket_uid", (CTX,), INTEGER, FILTER),
    _row("set_hash", (CTX, ANY), INTEGER, FILTER),
    _row("setsockopt", (SOCK, ANY, ANY, MEM_IN, SIZE), INTEGER, FILTER),
    _row("setsockopt", (CTX, ANY, ANY, MEM_IN, SIZE), INTEGER, FILTER, variant="ctx_setsockopt"),
    _row("skb_adjust_room", (CTX, ANY, ANY, ANY), INTEGER, FILTER),
    _row("redirect_map", (MAP, ANY, ANY), INTEGER, FILTER),
    _row("sk_redirect_map", (CTX, MAP, ANY, ANY), INTEGER, SOCK_MAP),
    _row("sock_map_update", (CTX, MAP, MAP_KEY, ANY), INTEGER, SOCK_MAP, pkt_access=True),
    _row("xdp_adjust_meta", (CTX, ANY), INTEGER, FILTER),
    _row("perf_event_read_value", (MAP, ANY, MEM_OUT, SIZE), INTEGER, TRACE, gpl_only=True),
    _row("perf_prog_read_value", (CTX, MEM_OUT, SIZE), INTEGER, TRACE, gpl_only=True),
    _row("getsockopt", (SOCK, ANY, ANY, MEM_OUT, SIZE), INTEGER, FILTER),
    _row("getsockopt", (CTX, ANY, ANY, MEM_OUT, SIZE), INTEGER, FILTER, variant="ctx_getsockopt"),
    _row("override_return", (CTX, ANY), INTEGER, TRACE, gpl_only=True),
    _row("sock_ops_cb_flags_set", (CTX, ANY), INTEGER, FILTER),
    _row("msg_redirect_map", (CTX, MAP, ANY, ANY), INTEGER, SOCK_MAP),
    _row("msg_apply_bytes", (CTX, ANY), INTEGER, FILTER),
    _row("msg_cork_bytes", (CTX, ANY), INTEGER, FILTER),
    _row("msg_pull_data", (CTX, ANY, ANY, ANY), INTEGER, FILTER),
    _row("bind", (CTX, MEM_IN, SIZE), INTEGER, FILTER),
    _row("xdp_adjust_tail", (CTX, ANY), INTEGER, FILTER),
    _row("skb_get_xfrm_state", (CTX, ANY, MEM_OUT, SIZE, ANY), INTEGER, FILTER),
    _row("get_stack", (CTX, MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, STACKMAP, gpl_only=True),
    _row(
        "get_stack",
        (CTX, MEM_OUT, SIZE_OR_ZERO, ANY),
        INTEGER,
        STACKMAP,
        variant="get_stack_sleepable",
        gpl_only=True,
        might_sleep=True,
    ),
    _row("skb_load_bytes_relative", (CTX, ANY, MEM_OUT, SIZE, ANY), INTEGER, FILTER),
    _row("fib_lookup", (CTX, MEM_INOUT, SIZE, ANY), INTEGER, FILTER, gpl_only=True),
    _row("sock_hash_update", (CTX, MAP, MAP_KEY, ANY), INTEGER, SOCK_MAP, pkt_access=True),
    _row("msg_redirect_hash", (CTX, MAP, MAP_KEY, ANY), INTEGER, SOCK_MAP),
    _row("sk_redirect_hash", (CTX, MAP, MAP_KEY, ANY), INTEGER, SOCK_MAP),
    _row("lwt_push_encap", (CTX, ANY, MEM_IN, SIZE), INTEGER, FILTER),
    _row("lwt_seg6_store_bytes", (CTX, ANY, MEM_IN, SIZE), INTEGER, FILTER),
    _row("lwt_seg6_adjust_srh", (CTX, ANY, ANY), INTEGER, FILTER),
    _row("lwt_seg6_action", (CTX, ANY, MEM_IN, SIZE), INTEGER, FILTER),
    _row("rc_repeat", (CTX,), INTEGER, LIRC, gpl_only=True),
    _row("rc_keydown", (CTX, ANY, ANY, ANY), INTEGER, LIRC, gpl_only=True),
    _row("skb_cgroup_id", (CTX,), INTEGER, FILTER),
    _row("get_current_cgroup_id", (), INTEGER, HELPERS),
    _row("get_local_storage", (MAP, ANY), R_MAP_VALUE, CGROUP),
    _row("sk_select_reuseport", (CTX, MAP, MAP_KEY, ANY), INTEGER, FILTER),
    _row("skb_ancestor_cgroup_id", (CTX, ANY), INTEGER, FILTER),
    _row("sk_lookup_tcp", (CTX, MEM_IN, SIZE_OR_ZERO, ANY, ANY), R_SOCKET_OR_NULL, FILTER, pkt_access=True),
    _row(
        "sk_lookup_tcp",
        (CTX, MEM_IN, SIZE_OR_ZERO, ANY, ANY),
        R_SOCKET_OR_NULL,
        FILTER,
        variant="sock_addr_sk_lookup_tcp",
    ),
    _row("sk_lookup_udp", (CTX, MEM_IN, SIZE_OR_ZERO, ANY, ANY), R_SOCKET_OR_NULL, FILTER, pkt_access=True),
    _row(
        "sk_lookup_udp",
        (CTX, MEM_IN, SIZE_OR_ZERO, ANY, ANY),
        R_SOCKET_OR_NULL,
        FILTER,
        variant="sock_addr_sk_lookup_udp",
    ),
    _row("sk_release", (SOCK_RELEASED,), INTEGER, FILTER),
    _row("map_push_elem", (MAP, MAP_VALUE, ANY), INTEGER, HELPERS, pkt_access=True),
    _row("map_pop_elem", (MAP, MAP_VALUE_OUT), INTEGER, HELPERS),
    _row("map_peek_elem", (MAP, MAP_VALUE_OUT), INTEGER, HELPERS),
    _row("msg_push_data", (CTX, ANY, ANY, ANY), INTEGER, FILTER),
    _row("msg_pop_data", (CTX, ANY, ANY, ANY), INTEGER, FILTER),
    _row("rc_pointer_rel", (CTX, ANY, ANY), INTEGER, LIRC, gpl_only=True),
    _row("spin_lock", (SPIN_LOCK,), VOID, HELPERS),
    _row("spin_unlock", (SPIN_LOCK,), VOID, HELPERS),
    _row("sk_fullsock", (SOCK_COMMON,), R_SOCKET_OR_NULL, FILTER),
    _row("tcp_sock", (SOCK_COMMON,), R_TCP_SOCK_OR_NULL, FILTER),
    _row("skb_ecn_set_ce", (CTX,), INTEGER, FILTER),
    _row("get_listener_sock", (SOCK_COMMON,), R_SOCKET_OR_NULL, FILTER),
    _row("skc_lookup_tcp", (CTX, MEM_IN, SIZE_OR_ZERO, ANY, ANY), R_SOCK_COMMON_OR_NULL, FILTER, pkt_access=True),
    _row(
        "skc_lookup_tcp",
        (CTX, MEM_IN, SIZE_OR_ZERO, ANY, ANY),
        R_SOCK_COMMON_OR_NULL,
        FILTER,
        variant="sock_addr_skc_lookup_tcp",
    ),
    _row("tcp_check_syncookie", (SOCK, MEM_IN, SIZE, MEM_IN, SIZE), INTEGER, FILTER, gpl_only=True, pkt_access=True),
    _row("sysctl_get_name", (CTX, MEM_INOUT, SIZE, ANY), INTEGER, CGROUP),
    _row("sysctl_get_current_value", (CTX, MEM_OUT, SIZE), INTEGER, CGROUP),
    _row("sysctl_get_new_value", (CTX, MEM_OUT, SIZE), INTEGER, CGROUP),
    _row("sysctl_set_new_value", (CTX, MEM_IN, SIZE), INTEGER, CGROUP),
    _row("strtol", (MEM_IN, SIZE, ANY, _fixed_out(8)), INTEGER, HELPERS),
    _row("strtoul", (MEM_IN, SIZE, ANY, _fixed_out(8)), INTEGER, HELPERS),
    _row("sk_storage_get", (MAP, SOCK, MAP_VALUE_OR_NULL, ANY), R_MAP_VALUE_OR_NULL, SK_STORAGE),
    _row(
        "sk_storage_get",
        (MAP, CTX, MAP_VALUE_OR_NULL, ANY),
        R_MAP_VALUE_OR_NULL,
        SK_STORAGE,
        variant="sk_storage_get_cg_sock",
    ),
    _row(
        "sk_storage_get",
        (MAP, _btf_or_null("sock_common"), MAP_VALUE_OR_NULL, ANY),
        R_MAP_VALUE_OR_NULL,
        SK_STORAGE,
        variant="sk_storage_get_tracing",
        condition="sk_storage_tracing",
    ),
    _row("sk_storage_delete", (MAP, SOCK), INTEGER, SK_STORAGE),
    _row(
        "sk_storage_delete",
        (MAP, _btf_or_null("sock_common")),
        INTEGER,
        SK_STORAGE,
        variant="sk_storage_delete_tracing",
        condition="sk_storage_tracing",
    ),
    _row("send_signal", (ANY,), INTEGER, TRACE),
    _row("tcp_gen_syncookie", (SOCK, MEM_IN, SIZE, MEM_IN, SIZE), INTEGER, FILTER, gpl_only=True, pkt_access=True),
    _row("skb_output", (_btf("sk_buff"), MAP, ANY, MEM_IN, SIZE_OR_ZERO), INTEGER, FILTER, gpl_only=True),
    _row("probe_read_user", (MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("probe_read_kernel", (MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("probe_read_user_str", (MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("probe_read_kernel_str", (MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("tcp_send_ack", (_btf("tcp_sock"), ANY), INTEGER, "net/ipv4/bpf_tcp_ca.c"),
    _row("send_signal_thread", (ANY,), INTEGER, TRACE),
    _row("jiffies64", (), INTEGER, HELPERS),
    _row("read_branch_records", (CTX, MEM_INOUT_OR_NULL, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("get_ns_current_pid_tgid", (ANY, ANY, MEM_OUT, SIZE), INTEGER, HELPERS),
    _row("xdp_output", (_btf("xdp_buff"), MAP, ANY, MEM_IN, SIZE_OR_ZERO), INTEGER, FILTER, gpl_only=True),
    _row("get_netns_cookie", (CTX_OR_NULL,), INTEGER, FILTER),
    _row("get_current_ancestor_cgroup_id", (ANY,), INTEGER, HELPERS),
    _row("sk_assign", (CTX, SOCK, ANY), INTEGER, FILTER),
    _row("sk_assign", (CTX, SOCKET_OR_NULL, ANY), INTEGER, FILTER, variant="sk_lookup_assign"),
    _row("ktime_get_boot_ns", (), INTEGER, HELPERS),
    _row("seq_printf", (_btf("seq_file"), MEM_IN, SIZE, MEM_IN_OR_NULL, SIZE_OR_ZERO), INTEGER, TRACE, gpl_only=True),
    _row("seq_write", (_btf("seq_file"), MEM_IN, SIZE_OR_ZERO), INTEGER, TRACE, gpl_only=True),
    _row("sk_cgroup_id", (SOCK,), INTEGER, FILTER),
    _row("sk_ancestor_cgroup_id", (SOCK, ANY), INTEGER, FILTER),
    _row("ringbuf_output", (MAP, MEM_IN, SIZE_OR_ZERO, ANY), INTEGER, RINGBUF),
    _row("ringbuf_reserve", (MAP, ALLOC_SIZE, ANY), R_RINGBUF_MEM_OR_NULL, RINGBUF),
    _row("ringbuf_submit", (RINGBUF_RELEASED, ANY), VOID, RINGBUF),
    _row("ringbuf_discard", (RINGBUF_RELEASED, ANY), VOID, RINGBUF),
    _row("ringbuf_query", (MAP, ANY), INTEGER, RINGBUF),
    _row("csum_level", (CTX, ANY), INTEGER, FILTER),
    _row("skc_to_tcp6_sock", (SOCK,), _ret_btf_or_null("tcp6_sock"), FILTER),
    _row("skc_to_tcp_sock", (SOCK,), _ret_btf_or_null("tcp_sock"), FILTER),
    _row("skc_to_tcp_timewait_sock", (SOCK,), _ret_btf_or_null("tcp_timewait_sock"), FILTER),
    _row("skc_to_tcp_request_sock", (SOCK,), _ret_btf_or_null("tcp_request_sock"), FILTER),
    _row("skc_to_udp6_sock", (SOCK,), _ret_btf_or_null("udp6_sock"), FILTER),
    _row("get_task_stack", (_btf("task_struct"), MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, STACKMAP),
    _row(
        "get_task_stack",
        (_btf("task_struct"), MEM_OUT, SIZE_OR_ZERO, ANY),
        INTEGER,
        STACKMAP,
        variant="get_task_stack_sleepable",
        might_sleep=True,
    ),
    _row("load_hdr_opt", (CTX, MEM_INOUT, SIZE, ANY), INTEGER, FILTER),
    _row("store_hdr_opt", (CTX, MEM_IN, SIZE, ANY), INTEGER, FILTER),
    _row("reserve_hdr_opt", (CTX, ANY, ANY), INTEGER, FILTER),
    _row(
        "inode_storage_get",
        (MAP, _btf_or_null("inode"), MAP_VALUE_OR_NULL, ANY),
        R_MAP_VALUE_OR_NULL,
        "kernel/bpf/bpf_inode_storage.c",
    ),
    _row("inode_storage_delete", (MAP, _btf_or_null("inode")), INTEGER, "kernel/bpf/bpf_inode_storage.c"),
    _row("d_path", (_btf("path"), MEM, SIZE_OR_ZERO), INTEGER, TRACE, condition="d_path"),
    _row("copy_from_user", (MEM_OUT, SIZE_OR_ZERO, ANY), INTEGER, HELPERS, might_sleep=True),
    _row("snprintf_btf", (MEM_INOUT, SIZE, MEM_IN, SIZE, ANY), INTEGER, TRACE),
    _row("seq_printf_btf", (_btf("seq_file"), MEM_IN, SIZE_OR_ZERO, ANY), INTEGER, TRACE, gpl_only=True),
    _row("skb_cgroup_classid", (CTX,), INTEGER, FILTER),
    _row("redirect_neigh", (ANY, MEM_IN_OR_NULL, SIZE_OR_ZERO, ANY), INTEGER, FILTER),
    _row("per_cpu_ptr", (PERCPU_BTF, ANY), R_PER_CPU_OR_NULL, HELPERS),
    _row("this_cpu_ptr", (PERCPU_BTF,), R_PER_CPU, HELPERS),
    _row("redirect_peer", (ANY, ANY), INTEGER, FILTER),
    _row(
        "task_storage_get",
        (MAP, _btf_or_null("task_struct"), MAP_VALUE_OR_NULL, ANY),
        R_MAP_VALUE_OR_NULL,
        "kernel/bpf/bpf_task_storage.c",
    ),
    _row("task_storage_delete", (MAP, _btf_or_null("task_struct")), INTEGER, "kernel/bpf/bpf_task_storage.c"),
    _row("get_current_task_btf", (), _ret_btf_trusted("task_struct"), TRACE, gpl_only=True),
    _row("bprm_opts_set", (_btf("linux_binprm"), ANY), INTEGER, LSM),
    _row("ktime_get_coarse_ns", (), INTEGER, HELPERS),
    _row("ima_inode_hash", (_btf("inode"), MEM_OUT, SIZE), INTEGER, LSM, might_sleep=True, condition="ima_inode_hash"),
    _row("sock_from_file", (_btf("file"),), _ret_btf_or_null("socket"), FILTER),
    _row("check_mtu", (CTX, ANY, _fixed_inout(4), ANY, ANY), INTEGER, FILTER, gpl_only=True),
    _row("for_each_map_elem", (MAP, CALLBACK, STACK_OR_NULL, ANY), INTEGER, "kernel/bpf/bpf_iter.c"),
    _row(
        "snprintf",
        (MEM_INOUT_OR_NULL, SIZE_OR_ZERO, CONST_STR, MEM_IN_OR_NULL, SIZE_OR_ZERO),
        INTEGER,
        HELPERS,
        gpl_only=True,
    ),
    _row("sys_bpf", (ANY, MEM_IN, SIZE), INTEGER, SYSCALL, might_sleep=True),
    _row("btf_find_by_name_kind", (MEM_IN, SIZE, ANY, ANY), INTEGER, "kernel/bpf/btf.c", might_sleep=True),
    _row("sys_close", (ANY,), INTEGER, SYSCALL, might_sleep=True),
    _row("timer_init", (TIMER, MAP, ANY), INTEGER, HELPERS, gpl_only=True),
    _row("timer_set_callback", (TIMER, CALLBACK), INTEGER, HELPERS, gpl_only=True),
    _row("timer_start", (TIMER, ANY, ANY), INTEGER, HELPERS, gpl_only=True),
    _row("timer_cancel", (TIMER,), INTEGER, HELPERS, gpl_only=True),
    _row("get_func_ip", (CTX,), INTEGER, TRACE, gpl_only=True),
    _row("get_func_ip", (CTX,), INTEGER, TRACE, variant="get_func_ip_multi"),
    _row("get_attach_cookie", (CTX,), INTEGER, LSM),
    _row("task_pt_regs", (_btf("task_struct"),), _ret_btf("pt_regs"), TRACE, gpl_only=True),
    _row("get_branch_snapshot", (MEM_OUT, SIZE_OR_ZERO), INTEGER, TRACE, gpl_only=True),
    _row("trace_vprintk", (MEM_IN, SIZE, MEM_IN_OR_NULL, SIZE_OR_ZERO), INTEGER, TRACE, gpl_only=True),
    _row("skc_to_unix_sock", (SOCK,), _ret_btf_or_null("unix_sock"), FILTER),
    _row("kallsyms_lookup_name", (MEM, SIZE_OR_ZERO, ANY, _fixed_out(8)), INTEGER, SYSCALL),
    _row("find_vma", (_btf("task_struct"), ANY, CALLBACK, STACK_OR_NULL, ANY), INTEGER, "kernel/bpf/task_iter.c"),
    _row("loop", (SCALAR, CALLBACK, STACK_OR_NULL, ANY), INTEGER, "kernel/bpf/bpf_iter.c"),
    _row("strncmp", (MEM_IN, SIZE, CONST_STR), INTEGER, HELPERS),
    _row("get_func_arg", (CTX, ANY, _fixed_out(8)), INTEGER, TRACE),
    _row("get_func_ret", (CTX, _fixed_out(8)), INTEGER, TRACE),
    _row("get_func_arg_cnt", (CTX,), INTEGER, TRACE),
    _row("get_retval", (), INTEGER, CGROUP),
    _row("set_retval", (ANY,), INTEGER, CGROUP),
    _row("xdp_get_buff_len", (CTX,), INTEGER, FILTER),
    _row("xdp_get_buff_len", (_btf("xdp_buff"),), INTEGER, FILTER, variant="xdp_get_buff_len_trace"),
    _row("xdp_load_bytes", (CTX, ANY, MEM_OUT, SIZE), INTEGER, FILTER),
    _row("xdp_store_bytes", (CTX, ANY, MEM_IN, SIZE), INTEGER, FILTER),
    _row(
        "copy_from_user_task",
        (MEM_OUT, SIZE_OR_ZERO, ANY, _btf("task_struct"), ANY),
        INTEGER,
        HELPERS,
        gpl_only=True,
        might_sleep=True,
    ),
    _row("skb_set_tstamp", (CTX, ANY, ANY), INTEGER, FILTER),
    _row("ima_file_hash", (_btf("file"), MEM_OUT, SIZE), INTEGER, LSM, might_sleep=True, condition="ima_inode_hash"),
    _row("kptr_xchg", (KPTR_DEST, KPTR_RELEASED_OR_NULL), _ret_btf_or_null("*"), HELPERS),
    _row("map_lookup_percpu_elem", (MAP, MAP_KEY, ANY), R_MAP_VALUE_OR_NULL, HELPERS, pkt_access=True),
    _row("skc_to_mptcp_sock", (SOCK_COMMON,), _ret_btf_or_null("mptcp_sock"), FILTER),
    _row("dynptr_from_mem", (MEM_OUT, SIZE_OR_ZERO, ANY, DYNPTR_NEW_LOCAL), INTEGER, HELPERS),
    _row("ringbuf_reserve_dynptr", (MAP, ANY, ANY, DYNPTR_NEW_RINGBUF), INTEGER, RINGBUF),
    _row("ringbuf_submit_dynptr", (DYNPTR_RINGBUF_RELEASED, ANY), VOID, RINGBUF),
    _row("ringbuf_discard_dynptr", (DYNPTR_RINGBUF_RELEASED, ANY), VOID, RINGBUF),
    _row("dynptr_read", (MEM_OUT, SIZE_OR_ZERO, DYNPTR, ANY, ANY), INTEGER, HELPERS),
    _row("dynptr_write", (DYNPTR, ANY, MEM_IN, SIZE_OR_ZERO, ANY), INTEGER, HELPERS),
    _row("dynptr_data", (DYNPTR, ANY, ALLOC_SIZE), R_DYNPTR_MEM_OR_NULL, HELPERS),
    _row(
        "tcp_raw_gen_syncookie_ipv4",
        (_fixed_in(20), MEM, SIZE_OR_ZERO),
        INTEGER,
        FILTER,
        gpl_only=True,
        pkt_access=True,
    ),
    _row(
        "tcp_raw_gen_syncookie_ipv6",
        (_fixed_in(40), MEM, SIZE_OR_ZERO),
        INTEGER,
        FILTER,
        gpl_only=True,
        pkt_access=True,
    ),
    _row(
        "tcp_raw_check_syncookie_ipv4", (_fixed_in(20), _fixed_in(20)), INTEGER, FILTER, gpl_only=True, pkt_access=True
    ),
    _row(
        "tcp_raw_check_syncookie_ipv6", (_fixed_in(40), _fixed_in(20)), INTEGER, FILTER, gpl_only=True, pkt_access=True
    ),
    _row("ktime_get_tai_ns", (), INTEGER, HELPERS),
    _row("user_ringbuf_drain", (MAP, CALLBACK, STACK_OR_NULL, ANY), INTEGER, RINGBUF),
    _row(
        "cgrp_storage_get",
        (MAP, _btf_or_null("cgroup"), MAP_VALUE_OR_NULL, ANY),
        R_MAP_VALUE_OR_NULL,
        "kernel/bpf/bpf_cgrp_storage.c",
    ),
    _row("cgrp_storage_delete", (MAP, _btf_or_null("cgroup")), INTEGER, "kernel/bpf/bpf_cgrp_storage.c"),
)

PROTO_BY_KEY: dict[tuple[str, str], HelperProto] = {(row.name, row.variant): row for row in PROTOS}
"""(helper's name, variant) -> row; variant '' is the usual one."""
