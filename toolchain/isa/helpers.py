"""Helpers: what each is called, what it takes and gives, who may call it, and the classes that the verifier asks for.

    helper_name(1)                 'map_lookup_elem'
    proto_of(25, ProgType.XDP)     the prototype under which XDP sees perf_event_output, None where it may not

Tables: helpers_protos.py (one row a prototype), helpers_allowed.py (sets of program types), helpers_maps.py (map
types). The words of a prototype are in helper_types.py.
"""

from __future__ import annotations

import functools

from toolchain.isa.helper_types import Arg, ArgType, HelperProto, Ret, RetType, TypeFlag
from toolchain.isa.helpers_allowed import (
    ATTACH_NOT,
    ATTACH_ONLY,
    HELPER_SETS,
    SET_OF_ATTACH,
    SET_OF_TYPE,
    SLEEPABLE_VARIANTS,
)
from toolchain.isa.helpers_maps import is_map_allowed, may_update_sockmap
from toolchain.isa.helpers_protos import HELPER_IDS, HELPER_NAMES, PROTO_BY_KEY, PROTOS
from toolchain.isa.program_types import AttachType, ProgType, loaded_attach_type

__all__ = [
    "ACQUIRING",
    "ASYNC_CALLBACK",
    "CHANGES_PACKET",
    "HELPER_IDS",
    "HELPER_NAMES",
    "MAY_REPEAT_CALLBACK",
    "PROTOS",
    "PTR_CAST",
    "STORAGE_GET",
    "SYNC_CALLBACK",
    "Arg",
    "ArgType",
    "HelperProto",
    "Ret",
    "RetType",
    "TypeFlag",
    "has_helper_table",
    "helper_name",
    "is_map_allowed",
    "may_update_sockmap",
    "proto_of",
]


def _ids(names: str) -> frozenset[int]:
    return frozenset(HELPER_IDS[name] for name in names.split())


CHANGES_PACKET = _ids(
    """clone_redirect l3_csum_replace l4_csum_replace lwt_push_encap lwt_seg6_action lwt_seg6_adjust_srh
    lwt_seg6_store_bytes msg_pop_data msg_pull_data msg_push_data skb_adjust_room skb_change_head skb_change_proto
    skb_change_tail skb_pull_data skb_store_bytes skb_vlan_pop skb_vlan_push store_hdr_opt xdp_adjust_head
    xdp_adjust_meta xdp_adjust_tail tail_call"""
)
"""Ids after which every packet pointer is worthless. Source: net/core/filter.c, bpf_helper_changes_pkt_data()."""

ACQUIRING = _ids("sk_lookup_tcp sk_lookup_udp skc_lookup_tcp ringbuf_reserve kptr_xchg")
"""Ids whose result is a reference to be released; map_lookup_elem on a socket map too.
Source: kernel/bpf/verifier.c, is_acquire_function()."""

PTR_CAST = _ids(
    """tcp_sock sk_fullsock skc_to_tcp_sock skc_to_tcp6_sock skc_to_udp6_sock skc_to_mptcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock"""
)
"""Ids whose result lives as long as their first argument. Source: is_ptr_cast_function()."""

SYNC_CALLBACK = _ids("for_each_map_elem find_vma loop user_ringbuf_drain")
"""Ids that call back before they return. Source: is_sync_callback_calling_function()."""

ASYNC_CALLBACK = _ids("timer_set_callback")
"""Ids that store a callback for later. Source: is_async_callback_calling_function()."""

MAY_REPEAT_CALLBACK = _ids("for_each_map_elem loop user_ringbuf_drain")
"""Ids that may call back more than once. Source: the *_callback helpers' contracts."""

STORAGE_GET = _ids("sk_storage_get inode_storage_get task_storage_get cgrp_storage_get")
"""Ids whose prototypes allocate local storage. Source: is_storage_get_function()."""

_MISSING = "-"


@functools.cache
def _rows(name: str) -> dict[str, str]:
    """A set's own rows: helper -> variant, or `_MISSING` where it is taken out."""
    rows: dict[str, str] = {}
    for word in HELPER_SETS[name].rows.split():
        helper, _, variant = word.partition("=")
        if helper.startswith("-"):
            rows[helper[1:]] = _MISSING
        else:
            rows[helper] = variant
    return rows


def _variant(set_name: str, helper: str, attach_type: int) -> str | None:
    """The variant under which ``set_name`` sees ``helper``; `_MISSING`: taken out, None: absent."""
    variant = _rows(set_name).get(helper)
    if variant is not None:
        only = ATTACH_ONLY.get((set_name, helper))
        if only is not None:
            return variant if attach_type in only else _MISSING
        if attach_type not in ATTACH_NOT.get((set_name, helper), ()):
            return variant
    for parent in HELPER_SETS[set_name].parents:
        found = _variant(parent, helper, attach_type)
        if found is not None:
            return found
    return None


def helper_name(number: int) -> str:
    """The helper's name without ``bpf_``; '' where the number names none."""
    return HELPER_NAMES[number] if 0 <= number < len(HELPER_NAMES) else ""


def has_helper_table(prog_type: ProgType) -> bool:
    """Which helpers this program type may call is known here."""
    return prog_type in SET_OF_TYPE


@functools.cache
def proto_of(number: int, prog_type: ProgType, attach_type: int = 0, is_sleepable: bool = False) -> HelperProto | None:
    """The prototype under which a program sees helper ``number``; None where it may not call it.

    Raises: KeyError where `has_helper_table` is False for ``prog_type``.
    """
    name = helper_name(number)
    if not number or not name:
        return None
    set_name = SET_OF_TYPE[prog_type]
    attach_type = loaded_attach_type(prog_type, attach_type) or attach_type
    if attach_type in AttachType._value2member_map_:
        set_name = SET_OF_ATTACH.get((prog_type, AttachType(attach_type)), set_name)
    variant = _variant(set_name, name, attach_type)
    if variant is None or variant == _MISSING:
        return None
    if is_sleepable and not variant:
        variant = SLEEPABLE_VARIANTS.get(name, variant)
    return PROTO_BY_KEY[name, variant]
