"""Which helper may be given which map type.

Two lists, both must agree: from the map's side (a map type that names its helpers takes no others) and from the
helper's side (a helper that names its map types takes no others). A type or helper that is in neither list is free.

Source: kernel/bpf/verifier.c, check_map_func_compatibility() and may_update_sockmap(), Linux 6.12.
"""

from __future__ import annotations

from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import AttachType, ProgType

_RINGBUF = frozenset(
    {
        "ringbuf_output",
        "ringbuf_reserve",
        "ringbuf_query",
        "ringbuf_reserve_dynptr",
        "ringbuf_submit_dynptr",
        "ringbuf_discard_dynptr",
    }
)
_PERF = frozenset({"perf_event_read", "perf_event_output", "skb_output", "perf_event_read_value", "xdp_output"})
_DEV = frozenset({"redirect_map", "map_lookup_elem"})
_QUEUE = frozenset({"map_peek_elem", "map_pop_elem", "map_push_elem"})

HELPERS_OF_MAP: dict[MapType, frozenset[str]] = {
    MapType.PROG_ARRAY: frozenset({"tail_call"}),
    MapType.PERF_EVENT_ARRAY: _PERF,
    MapType.RINGBUF: _RINGBUF,
    MapType.USER_RINGBUF: frozenset({"user_ringbuf_drain"}),
    MapType.STACK_TRACE: frozenset({"get_stackid"}),
    MapType.CGROUP_ARRAY: frozenset({"skb_under_cgroup", "current_task_under_cgroup"}),
    MapType.CGROUP_STORAGE: frozenset({"get_local_storage"}),
    MapType.PERCPU_CGROUP_STORAGE: frozenset({"get_local_storage"}),
    MapType.DEVMAP: _DEV,
    MapType.DEVMAP_HASH: _DEV,
    MapType.CPUMAP: frozenset({"redirect_map"}),
    MapType.XSKMAP: _DEV,
    MapType.ARRAY_OF_MAPS: frozenset({"map_lookup_elem"}),
    MapType.HASH_OF_MAPS: frozenset({"map_lookup_elem"}),
    MapType.SOCKMAP: frozenset(
        {"sk_redirect_map", "sock_map_update", "msg_redirect_map", "sk_select_reuseport", "map_lookup_elem"}
    ),
    MapType.SOCKHASH: frozenset(
        {"sk_redirect_hash", "sock_hash_update", "msg_redirect_hash", "sk_select_reuseport", "map_lookup_elem"}
    ),
    MapType.REUSEPORT_SOCKARRAY: frozenset({"sk_select_reuseport"}),
    MapType.QUEUE: _QUEUE,
    MapType.STACK: _QUEUE,
    MapType.SK_STORAGE: frozenset({"sk_storage_get", "sk_storage_delete", "kptr_xchg"}),
    MapType.INODE_STORAGE: frozenset({"inode_storage_get", "inode_storage_delete", "kptr_xchg"}),
    MapType.TASK_STORAGE: frozenset({"task_storage_get", "task_storage_delete", "kptr_xchg"}),
    MapType.CGRP_STORAGE: frozenset({"cgrp_storage_get", "cgrp_storage_delete", "kptr_xchg"}),
    MapType.BLOOM_FILTER: frozenset({"map_peek_elem", "map_push_elem"}),
}

_REUSEPORT = frozenset({MapType.REUSEPORT_SOCKARRAY, MapType.SOCKMAP, MapType.SOCKHASH})

MAPS_OF_HELPER: dict[str, frozenset[MapType]] = {
    "tail_call": frozenset({MapType.PROG_ARRAY}),
    **dict.fromkeys(_PERF, frozenset({MapType.PERF_EVENT_ARRAY})),
    **dict.fromkeys(_RINGBUF, frozenset({MapType.RINGBUF})),
    "user_ringbuf_drain": frozenset({MapType.USER_RINGBUF}),
    "get_stackid": frozenset({MapType.STACK_TRACE}),
    "current_task_under_cgroup": frozenset({MapType.CGROUP_ARRAY}),
    "skb_under_cgroup": frozenset({MapType.CGROUP_ARRAY}),
    "redirect_map": frozenset({MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP, MapType.XSKMAP}),
    "sk_redirect_map": frozenset({MapType.SOCKMAP}),
    "msg_redirect_map": frozenset({MapType.SOCKMAP}),
    "sock_map_update": frozenset({MapType.SOCKMAP}),
    "sk_redirect_hash": frozenset({MapType.SOCKHASH}),
    "msg_redirect_hash": frozenset({MapType.SOCKHASH}),
    "sock_hash_update": frozenset({MapType.SOCKHASH}),
    "get_local_storage": frozenset({MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE}),
    "sk_select_reuseport": _REUSEPORT,
    "map_pop_elem": frozenset({MapType.QUEUE, MapType.STACK}),
    "map_peek_elem": frozenset({MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER}),
    "map_push_elem": frozenset({MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER}),
    "map_lookup_percpu_elem": frozenset({MapType.PERCPU_ARRAY, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH}),
    "sk_storage_get": frozenset({MapType.SK_STORAGE}),
    "sk_storage_delete": frozenset({MapType.SK_STORAGE}),
    "inode_storage_get": frozenset({MapType.INODE_STORAGE}),
    "inode_storage_delete": frozenset({MapType.INODE_STORAGE}),
    "task_storage_get": frozenset({MapType.TASK_STORAGE}),
    "task_storage_delete": frozenset({MapType.TASK_STORAGE}),
    "cgrp_storage_get": frozenset({MapType.CGRP_STORAGE}),
    "cgrp_storage_delete": frozenset({MapType.CGRP_STORAGE}),
}

_UPDATES_SOCKMAPS = frozenset(
    {
        ProgType.SOCKET_FILTER,
        ProgType.SCHED_CLS,
        ProgType.SCHED_ACT,
        ProgType.XDP,
        ProgType.SK_REUSEPORT,
        ProgType.FLOW_DISSECTOR,
        ProgType.SK_LOOKUP,
    }
)


def may_update_sockmap(helper: str, prog_type: ProgType, attach_type: int) -> bool:
    """A program of this type may set or remove elements of a socket map with the general helpers."""
    if helper not in ("map_update_elem", "map_delete_elem"):
        return False
    if prog_type == ProgType.TRACING:
        return attach_type == AttachType.TRACE_ITER
    if prog_type == ProgType.SOCK_OPS:
        return helper == "map_delete_elem"
    return prog_type in _UPDATES_SOCKMAPS


def is_map_allowed(helper: str, map_type: MapType, prog_type: ProgType, attach_type: int = 0) -> bool:
    """``helper`` may be given a map of ``map_type``; False is the kernel's "cannot pass map_type N into func F"."""
    takes = HELPERS_OF_MAP.get(map_type)
    if takes is not None and helper not in takes:
        sockmap = map_type in (MapType.SOCKMAP, MapType.SOCKHASH)
        if not (sockmap and may_update_sockmap(helper, prog_type, attach_type)):
            return False
    wanted = MAPS_OF_HELPER.get(helper)
    return wanted is None or map_type in wanted
