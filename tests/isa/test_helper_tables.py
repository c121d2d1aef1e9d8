"""Helper tables: what holds of them without a kernel. The comparison with one is in tests/kernel/test_helpers.py."""

import pytest

from toolchain.isa.helpers import (
    ACQUIRING,
    CHANGES_PACKET,
    HELPER_IDS,
    HELPER_NAMES,
    PROTOS,
    PTR_CAST,
    SYNC_CALLBACK,
    ArgType,
    RetType,
    TypeFlag,
    has_helper_table,
    helper_name,
    is_map_allowed,
    proto_of,
)
from toolchain.isa.helpers_allowed import HELPER_SETS, SET_OF_ATTACH, SET_OF_TYPE
from toolchain.isa.helpers_maps import HELPERS_OF_MAP, MAPS_OF_HELPER
from toolchain.isa.helpers_protos import PROTO_BY_KEY
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import AttachType, ProgType


def test_names_and_numbers() -> None:
    assert len(HELPER_NAMES) == len(set(HELPER_NAMES)) == 212
    known = {1: "map_lookup_elem", 12: "tail_call", 25: "perf_event_output", 51: "redirect_map", 65: "xdp_adjust_tail"}
    known |= {130: "ringbuf_output", 181: "loop", 211: "cgrp_storage_delete"}
    assert {number: helper_name(number) for number in known} == known
    assert helper_name(-1) == helper_name(212) == ""


def test_every_helper_has_a_prototype() -> None:
    assert {proto.id for proto in PROTOS} == set(range(1, 212))
    assert len(PROTO_BY_KEY) == len(PROTOS)
    assert all(proto.variant or (proto.name, "") in PROTO_BY_KEY for proto in PROTOS)


@pytest.mark.parametrize("proto", PROTOS, ids=lambda proto: proto.variant or proto.name)
def test_prototypes_are_well_formed(proto) -> None:
    assert len(proto.args) <= 5
    assert proto.source.endswith(".c")
    for index, arg in enumerate(proto.args):
        before = proto.args[index - 1].type if index else None
        if arg.type in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO):
            assert before == ArgType.PTR_TO_MEM
        if arg.type == ArgType.PTR_TO_MEM:
            if arg.flags & TypeFlag.FIXED_SIZE:
                assert arg.size > 0
            else:
                assert proto.args[index + 1].type in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO)
        if arg.type in (ArgType.PTR_TO_MAP_KEY, ArgType.PTR_TO_MAP_VALUE):
            assert ArgType.CONST_MAP_PTR in [each.type for each in proto.args[:index]] or proto.name == "timer_init"
        assert bool(arg.btf) == (arg.type == ArgType.PTR_TO_BTF_ID)
        assert not (arg.flags & TypeFlag.RDONLY and arg.flags & TypeFlag.WRITE)
    assert bool(proto.ret.btf) == (proto.ret.type == RetType.PTR_TO_BTF_ID)


def test_sets_name_what_exists() -> None:
    for name, helper_set in HELPER_SETS.items():
        assert all(parent in HELPER_SETS for parent in helper_set.parents), name
        for word in helper_set.rows.split():
            helper, _, variant = word.removeprefix("-").partition("=")
            assert (helper, variant) in PROTO_BY_KEY, (name, word)
    assert set(SET_OF_TYPE.values()) | set(SET_OF_ATTACH.values()) <= set(HELPER_SETS)


def test_sets_by_example() -> None:
    assert proto_of(HELPER_IDS["redirect"], ProgType.SOCKET_FILTER) is None
    assert proto_of(HELPER_IDS["redirect"], ProgType.SCHED_CLS) is proto_of(HELPER_IDS["redirect"], ProgType.XDP)
    assert proto_of(HELPER_IDS["redirect_map"], ProgType.SCHED_CLS) is None
    bind = HELPER_IDS["bind"]
    assert proto_of(bind, ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT) is not None
    assert proto_of(bind, ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_BIND) is None
    assert proto_of(HELPER_IDS["get_stack"], ProgType.KPROBE, 0, is_sleepable=True).might_sleep
    assert proto_of(0, ProgType.XDP) is proto_of(212, ProgType.XDP) is None
    assert not has_helper_table(ProgType.STRUCT_OPS)
    with pytest.raises(KeyError):
        proto_of(1, ProgType.STRUCT_OPS)


def test_taken_out_of_a_parent() -> None:
    cookie = HELPER_IDS["get_attach_cookie"]
    assert proto_of(cookie, ProgType.RAW_TRACEPOINT) is not None
    assert proto_of(cookie, ProgType.SYSCALL) is None
    assert proto_of(cookie, ProgType.TRACING, AttachType.TRACE_RAW_TP) is not None


def test_map_compatibility() -> None:
    socket = ProgType.SOCKET_FILTER
    assert is_map_allowed("map_lookup_elem", MapType.HASH, socket)
    assert is_map_allowed("map_lookup_elem", MapType.SOCKMAP, socket)
    assert not is_map_allowed("map_lookup_elem", MapType.PROG_ARRAY, socket)
    assert not is_map_allowed("tail_call", MapType.ARRAY, socket)
    assert is_map_allowed("tail_call", MapType.PROG_ARRAY, socket)
    assert is_map_allowed("map_update_elem", MapType.SOCKMAP, socket)
    assert not is_map_allowed("map_update_elem", MapType.SOCKMAP, ProgType.SOCK_OPS)
    assert is_map_allowed("map_delete_elem", MapType.SOCKMAP, ProgType.SOCK_OPS)
    assert not is_map_allowed("map_delete_elem", MapType.SOCKMAP, ProgType.TRACING, AttachType.TRACE_RAW_TP)
    assert is_map_allowed("map_delete_elem", MapType.SOCKMAP, ProgType.TRACING, AttachType.TRACE_ITER)


def test_both_sides_of_map_compatibility_name_helpers() -> None:
    assert {name for names in HELPERS_OF_MAP.values() for name in names} <= set(HELPER_NAMES)
    assert set(MAPS_OF_HELPER) <= set(HELPER_NAMES)
    for helper, kinds in MAPS_OF_HELPER.items():
        for kind in kinds:
            assert helper in HELPERS_OF_MAP.get(kind, {helper}), (helper, kind)


def test_classes() -> None:
    assert HELPER_IDS["tail_call"] in CHANGES_PACKET
    assert HELPER_IDS["skb_load_bytes"] not in CHANGES_PACKET
    assert ACQUIRING.isdisjoint(PTR_CAST)
    assert HELPER_IDS["loop"] in SYNC_CALLBACK
