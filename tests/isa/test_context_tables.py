"""Context tables: what holds of them without a kernel. The comparison with one is in tests/kernel/test_contexts.py."""

import pytest

from toolchain.isa.context_types import CtxResult
from toolchain.isa.contexts import CONTEXTS, READS_PACKET, SOCKETS, WRITES_PACKET, ctx_access, return_range
from toolchain.isa.program_types import AttachType, ProgType, loaded_attach_type

LAYOUTS = [
    *(pytest.param(context, id=kind.label) for kind, context in CONTEXTS.items()),
    *(pytest.param(context, id=name) for name, context in SOCKETS.items()),
]


@pytest.mark.parametrize("context", LAYOUTS)
def test_fields_lie_side_by_side(context) -> None:
    end = 0
    for field in sorted(context.fields, key=lambda field: field.offset):
        assert field.offset >= end, field.name
        assert field.size > 0
        end = field.end
    assert end <= context.size + 1
    assert len({field.name for field in context.fields}) == len(context.fields)


@pytest.mark.parametrize("context", LAYOUTS)
def test_nothing_outside_and_nothing_misaligned(context) -> None:
    assert context.access(-8, 8, 0, False) is None
    assert context.access(context.size, 1, 0, False) is None
    for offset in range(min(context.size, 256)):
        for width in (1, 2, 4, 8):
            if offset % width:
                assert context.access(offset, width, 0, False) is None


@pytest.mark.parametrize(
    ("prog_type", "offset", "width", "result"),
    [
        (ProgType.XDP, 0, 4, CtxResult.PACKET),
        (ProgType.XDP, 4, 4, CtxResult.PACKET_END),
        (ProgType.XDP, 8, 4, CtxResult.PACKET_META),
        (ProgType.XDP, 12, 4, CtxResult.SCALAR),
        (ProgType.XDP, 12, 2, None),
        (ProgType.XDP, 0, 8, None),
        (ProgType.SCHED_CLS, 76, 4, CtxResult.PACKET),
        (ProgType.SCHED_CLS, 88, 4, None),
        (ProgType.SCHED_CLS, 168, 8, CtxResult.SOCK_COMMON_OR_NULL),
        (ProgType.SCHED_CLS, 180, 1, CtxResult.SCALAR),
        (ProgType.SCHED_CLS, 181, 1, None),
        (ProgType.SOCKET_FILTER, 76, 4, None),
        (ProgType.SOCKET_FILTER, 3, 1, CtxResult.SCALAR),
        (ProgType.SOCKET_FILTER, 0, 8, None),
        (ProgType.CGROUP_SKB, 76, 4, CtxResult.PACKET),
        (ProgType.CGROUP_SKB, 140, 4, None),
        (ProgType.SK_SKB, 8, 4, None),
        (ProgType.FLOW_DISSECTOR, 144, 8, CtxResult.FLOW_KEYS),
        (ProgType.SK_MSG, 72, 8, CtxResult.SOCKET),
        (ProgType.SK_REUSEPORT, 48, 8, CtxResult.SOCK_COMMON_OR_NULL),
        (ProgType.TRACEPOINT, 0, 8, None),
        (ProgType.TRACEPOINT, 8, 8, CtxResult.SCALAR),
        (ProgType.RAW_TRACEPOINT_WRITABLE, 0, 8, CtxResult.TP_BUFFER),
        (ProgType.RAW_TRACEPOINT_WRITABLE, 0, 4, None),
    ],
)
def test_loads(prog_type: ProgType, offset: int, width: int, result: CtxResult | None) -> None:
    field = ctx_access(prog_type, 0, offset, width, is_write=False)
    assert (field.result if field else None) == result


def test_packet_pointers_are_not_sign_extended() -> None:
    assert ctx_access(ProgType.XDP, 0, 0, 4, False, True) is None
    assert ctx_access(ProgType.XDP, 0, 12, 4, False, True) is not None


def test_stores() -> None:
    assert ctx_access(ProgType.XDP, 0, 12, 4, is_write=True) is None
    assert ctx_access(ProgType.SCHED_CLS, 0, 8, 4, is_write=True).name == "mark"
    assert ctx_access(ProgType.SCHED_CLS, 0, 8, 2, is_write=True) is None
    assert ctx_access(ProgType.SCHED_CLS, 0, 50, 1, is_write=True).name == "cb"
    assert ctx_access(ProgType.SCHED_CLS, 0, 0, 4, is_write=True) is None


def test_attach_types_decide() -> None:
    egress = (ProgType.XDP, 20, 4)
    assert ctx_access(egress[0], AttachType.XDP_DEVMAP, *egress[1:], is_write=False) is not None
    assert ctx_access(egress[0], AttachType.XDP, *egress[1:], is_write=False) is None
    assert ctx_access(ProgType.CGROUP_SOCK, 0, 0, 4, is_write=True).name == "bound_dev_if"
    assert ctx_access(ProgType.CGROUP_SOCK_ADDR, 0, 0, 4, is_write=False) is None
    ip6 = (8, 8)
    assert ctx_access(ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_CONNECT, *ip6, is_write=True) is not None
    assert ctx_access(ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT, *ip6, is_write=True) is None


def test_return_ranges() -> None:
    assert return_range(ProgType.XDP) is None
    assert return_range(ProgType.CGROUP_SKB, AttachType.CGROUP_INET_INGRESS) == (0, 1)
    assert return_range(ProgType.CGROUP_SKB, AttachType.CGROUP_INET_EGRESS) == (0, 3)
    assert return_range(ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_RECVMSG) == (1, 1)
    assert return_range(ProgType.SK_LOOKUP, 9999) == (0, 1)


def test_attach_types_of_loads() -> None:
    assert loaded_attach_type(ProgType.CGROUP_SOCK, 0) == AttachType.CGROUP_INET_SOCK_CREATE
    assert loaded_attach_type(ProgType.CGROUP_SOCK_ADDR, 0) is None
    assert loaded_attach_type(ProgType.XDP, 1234) == 1234
    assert loaded_attach_type(ProgType.SYSCALL, 1) is None


def test_unknown_types_are_not_guessed() -> None:
    with pytest.raises(KeyError):
        ctx_access(ProgType.STRUCT_OPS, 0, 0, 8, is_write=False)


def test_who_writes_packets_reads_them() -> None:
    assert WRITES_PACKET < READS_PACKET
