"""Helper tables against the live kernel.

Sets: for every program and attach type, every helper id is called bare; "program of this type cannot use helper" is the
answer that `proto_of` must foresee.

Prototypes: every helper whose arguments can be made here is called, its arguments right but for one, and what the
kernel says of that one shows its type and terms:

    a number where a pointer is due     "R2 type=scalar expected=fp, pkt, ..."    the kind of argument
    0                                   no complaint                              may be NULL
    a value that programs only read     "write into map forbidden"                the helper writes
    a value that programs only write    "read from map forbidden"                 the helper reads
"""

import os
from collections.abc import Iterator

import pytest

from tests.kernel import oracle
from tests.kernel.test_contexts import _attach_types, _flags
from toolchain.isa.codec import encode
from toolchain.isa.helpers import (
    HELPER_IDS,
    HELPER_NAMES,
    Arg,
    ArgType,
    HelperProto,
    TypeFlag,
    has_helper_table,
    is_map_allowed,
    proto_of,
)
from toolchain.isa.helpers_maps import MAPS_OF_HELPER
from toolchain.isa.insn import Insn, wide
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.isa.program_types import ProgType

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

EXIT = (Insn(0xB7, 0), Insn(0x95))
RDONLY_PROG, WRONLY_PROG = 128, 256
TYPES = [kind for kind in ProgType if has_helper_table(kind) and kind != ProgType.TRACING]


def _load(insns: tuple[Insn, ...] | list[Insn], prog_type: ProgType, attach: int = 0) -> oracle.Verdict:
    verdict, fd = oracle.prog_load(prog_type, encode(insns), expected_attach_type=attach, flags=_flags(prog_type))
    if fd >= 0:
        os.close(fd)
    return verdict


@pytest.mark.parametrize(
    ("prog_type", "attach"),
    [pytest.param(kind, attach, id=f"{kind.label}-{attach}") for kind in TYPES for attach in _attach_types(kind)],
)
def test_sets(prog_type: ProgType, attach: int) -> None:
    wrong = []
    for number in range(1, len(HELPER_NAMES)):
        verdict = _load((Insn(0x85, imm=number), *EXIT), prog_type, attach)
        theirs = "cannot use helper" not in verdict.message
        ours = proto_of(number, prog_type, attach, prog_type == ProgType.SYSCALL) is not None
        if ours != theirs:
            wrong.append((HELPER_NAMES[number], "ours" if ours else "theirs", verdict.message))
    assert not wrong


@pytest.mark.parametrize("number", [len(HELPER_NAMES), 9999, -1])
def test_unknown_numbers(number: int) -> None:
    verdict = _load((Insn(0x85, imm=number), *EXIT), ProgType.SOCKET_FILTER)
    assert verdict.message == f"invalid func unknown#{number}"


MEMORY = "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_"
EXPECTED = {
    ArgType.CONST_MAP_PTR: "map_ptr",
    **dict.fromkeys((ArgType.PTR_TO_MAP_KEY, ArgType.PTR_TO_MAP_VALUE, ArgType.PTR_TO_MEM), MEMORY),
    ArgType.PTR_TO_CTX: "ctx",
    ArgType.PTR_TO_SPIN_LOCK: "map_value, ptr_",
    ArgType.PTR_TO_SOCK_COMMON: "sock_common, sock, tcp_sock, xdp_sock",
    ArgType.PTR_TO_SOCKET: "sock",
    ArgType.PTR_TO_BTF_ID_SOCK_COMMON: "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_",
    ArgType.PTR_TO_BTF_ID: "ptr_, trusted_ptr_, rcu_ptr_",
    ArgType.PTR_TO_RINGBUF_MEM: "ringbuf_mem",
    ArgType.PTR_TO_PERCPU_BTF_ID: "percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_",
    ArgType.PTR_TO_FUNC: "func",
    ArgType.PTR_TO_STACK: "fp",
    ArgType.PTR_TO_CONST_STR: "map_value",
    ArgType.PTR_TO_TIMER: "map_value",
    ArgType.KPTR_XCHG_DEST: "map_value, ptr_",
    ArgType.PTR_TO_DYNPTR: "fp, dynptr_ptr",
}
"""How the kernel prints what it would take. Source: compatible_reg_types of kernel/bpf/verifier.c."""

UNMAKEABLE = {
    ArgType.PTR_TO_SPIN_LOCK,
    ArgType.PTR_TO_RINGBUF_MEM,
    ArgType.PTR_TO_PERCPU_BTF_ID,
    ArgType.PTR_TO_FUNC,
    ArgType.PTR_TO_TIMER,
    ArgType.KPTR_XCHG_DEST,
    ArgType.PTR_TO_DYNPTR,
}
"""Kinds of argument of which no right one is made here: nothing after them can be asked."""


class Maps:
    """The maps that calls need, made once."""

    def __init__(self) -> None:
        self.plain = oracle.map_create(MapType.ARRAY, 4, 256, 1)
        self.read_only = oracle.map_create(MapType.ARRAY, 4, 256, 1, RDONLY_PROG)
        self.write_only = oracle.map_create(MapType.ARRAY, 4, 256, 1, WRONLY_PROG)
        oracle.map_update(self.read_only, bytes(4), b"text\0".ljust(256, b"\0"))
        oracle.map_freeze(self.read_only)
        self._others: dict[MapType, int] = {MapType.ARRAY: oracle.map_create(MapType.ARRAY, 4, 8, 1)}

    def of(self, proto: HelperProto, prog_type: ProgType) -> int:
        """A map that ``proto`` may be given; -1 where none can be made here."""
        kinds = MAPS_OF_HELPER.get(proto.name, {MapType.ARRAY})
        for kind in sorted(kinds):
            if is_map_allowed(proto.name, kind, prog_type) and self._make(kind) >= 0:
                return self._others[kind]
        return -1

    def _make(self, kind: MapType) -> int:
        if kind not in self._others:
            shapes = {
                MapType.RINGBUF: (0, 0, 4096),
                MapType.USER_RINGBUF: (0, 0, 4096),
                MapType.QUEUE: (0, 8, 4),
                MapType.STACK: (0, 8, 4),
                MapType.CGROUP_STORAGE: (16, 8, 0),
                MapType.STACK_TRACE: (4, 8, 4),
            }
            try:
                self._others[kind] = oracle.map_create(kind, *shapes.get(kind, (4, 4, 4)))
            except OSError:
                self._others[kind] = -1
        return self._others[kind]

    def close(self) -> None:
        for fd in (self.plain, self.read_only, self.write_only, *self._others.values()):
            if fd >= 0:
                os.close(fd)


@pytest.fixture(scope="module")
def maps() -> Iterator[Maps]:
    made = Maps()
    yield made
    made.close()


def _value_of(fd: int, register: int) -> Insn:
    return wide(0x18, register, 2, fd & 0xFFFFFFFF)


def _right(arg: Arg, register: int, proto: HelperProto, prog_type: ProgType, maps: Maps) -> list[Insn] | None:
    """Instructions that put a right value into ``register``; None where that cannot be done here."""
    kind = arg.type
    if kind in (ArgType.ANYTHING, ArgType.SCALAR, ArgType.CONST_ALLOC_SIZE_OR_ZERO):
        return [Insn(0xB7, register, imm=0)]
    if kind in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO):
        return [Insn(0xB7, register, imm=8)]
    if kind == ArgType.PTR_TO_CTX:
        return [Insn(0xBF, register, 6)]
    if kind == ArgType.CONST_MAP_PTR:
        fd = maps.of(proto, prog_type)
        return None if fd < 0 else [wide(0x18, register, 1, fd)]
    if kind in (ArgType.PTR_TO_MAP_KEY, ArgType.PTR_TO_MAP_VALUE, ArgType.PTR_TO_MEM):
        return [_value_of(maps.plain, register)]
    if kind == ArgType.PTR_TO_CONST_STR:
        return [_value_of(maps.read_only, register)]
    if kind == ArgType.PTR_TO_STACK:
        return [Insn(0xBF, register, 10)]
    if arg.may_be_null and not arg.flags & TypeFlag.RELEASE:
        return [Insn(0xB7, register, imm=0)]
    return None


def _call(
    proto: HelperProto, prog_type: ProgType, maps: Maps, at: int, wrong: list[Insn], length: int = 8
) -> oracle.Verdict | None:
    """A call whose argument ``at`` is made by ``wrong``; None where the ones before it cannot be made here."""
    code = [Insn(0xBF, 6, 1)]
    for index, arg in enumerate(proto.args):
        if index == at:
            code += wrong
            continue
        right = _right(arg, index + 1, proto, prog_type, maps)
        if right is None:
            if index < at:
                return None
            right = [Insn(0xB7, index + 1)]
        elif index == at + 1 and arg.type in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO):
            right = [Insn(0xB7, index + 1, imm=length)]
        code += right
    attach = _attach_types(prog_type)[0]
    return _load([*code, Insn(0x85, imm=proto.id), *EXIT], prog_type, attach)


PROTO_CASES = {
    (proto.name, proto.variant): (proto, kind)
    for kind in sorted(TYPES, key=lambda kind: (kind != ProgType.SYSCALL, kind))
    for number in range(1, len(HELPER_NAMES))
    if (proto := proto_of(number, kind, _attach_types(kind)[0], kind == ProgType.SYSCALL)) is not None
    and not proto.condition
    and proto.might_sleep == (kind == ProgType.SYSCALL)
}


def _wants(message: str, register: int) -> str:
    """What the kernel would take in ``register``; '' where it does not complain of its type."""
    head = f"R{register} type="
    return message.split("expected=", 1)[1] if message.startswith(head) and "expected=" in message else ""


@pytest.mark.parametrize("key", sorted(PROTO_CASES), ids=lambda key: key[1] or key[0])
def test_argument_kinds(key: tuple[str, str], maps: Maps) -> None:
    proto, prog_type = PROTO_CASES[key]
    for index, arg in enumerate(proto.args):
        number = [Insn(0xB7, index + 1, imm=1), Insn(0xDC, index + 1, imm=16)]
        verdict = _call(proto, prog_type, maps, index, number)
        if verdict is None:
            return
        assert _wants(verdict.message, index + 1) == EXPECTED.get(arg.type, ""), (index, verdict.message)
        if arg.type in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO, ArgType.CONST_ALLOC_SIZE_OR_ZERO):
            continue
        null = _call(proto, prog_type, maps, index, [Insn(0xB7, index + 1)], length=0)
        assert null is not None
        if arg.type in EXPECTED:
            assert (not _wants(null.message, index + 1)) == arg.may_be_null, (index, null.message)


@pytest.mark.parametrize("key", sorted(PROTO_CASES), ids=lambda key: key[1] or key[0])
def test_argument_directions(key: tuple[str, str], maps: Maps) -> None:
    proto, prog_type = PROTO_CASES[key]
    for index, arg in enumerate(proto.args):
        if arg.type != ArgType.PTR_TO_MEM:
            continue
        read_only = _call(proto, prog_type, maps, index, [_value_of(maps.read_only, index + 1)])
        write_only = _call(proto, prog_type, maps, index, [_value_of(maps.write_only, index + 1)])
        if read_only is None or write_only is None:
            return
        writes = bool(arg.flags & TypeFlag.WRITE)
        assert ("write into map forbidden" in read_only.message) == writes, (index, read_only.message)
        assert ("read from map forbidden" in write_only.message) == (not writes), (index, write_only.message)


@pytest.mark.parametrize("key", sorted(PROTO_CASES), ids=lambda key: key[1] or key[0])
def test_sizes_and_licence(key: tuple[str, str], maps: Maps) -> None:
    proto, prog_type = PROTO_CASES[key]
    verdict, fd = oracle.prog_load(
        prog_type,
        encode((Insn(0x85, imm=proto.id), *EXIT)),
        "Proprietary",
        _attach_types(prog_type)[0],
        _flags(prog_type),
    )
    oracle.os.close(fd) if fd >= 0 else None
    assert ("GPL" in verdict.message) == proto.gpl_only
    for index, arg in enumerate(proto.args):
        if arg.type in (ArgType.CONST_SIZE, ArgType.CONST_SIZE_OR_ZERO):
            zero = _call(proto, prog_type, maps, index, [Insn(0xB7, index + 1, imm=0)])
            if zero is None:
                return
            assert ("invalid zero-sized" in zero.message) == (arg.type == ArgType.CONST_SIZE), (index, zero.message)


MAP_SHAPES = {
    MapType.CGROUP_STORAGE: (16, 8, 0),
    MapType.PERCPU_CGROUP_STORAGE: (16, 8, 0),
    MapType.LPM_TRIE: (8, 8, 4),
    MapType.QUEUE: (0, 8, 4),
    MapType.STACK: (0, 8, 4),
    MapType.BLOOM_FILTER: (0, 8, 4),
    MapType.STACK_TRACE: (4, 8, 4),
    MapType.RINGBUF: (0, 0, 4096),
    MapType.USER_RINGBUF: (0, 0, 4096),
}
"""Key size, value size and entries where 4, 4, 4 will not do."""

NEED_MORE = {
    *(MapType.UNSPEC, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS, MapType.STRUCT_OPS, MapType.ARENA),
    *(MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE),
}
"""Types that cannot be made without an inner map or type information."""


@pytest.mark.parametrize("kind", sorted(set(MapType) - NEED_MORE), ids=lambda kind: kind.label)
def test_map_compatibility(kind: MapType, maps: Maps) -> None:
    flags = MapFlag.NO_PREALLOC if kind == MapType.LPM_TRIE else 0
    fd = oracle.map_create(kind, *MAP_SHAPES.get(kind, (4, 4, 4)), flags)
    with oracle.closing(fd):
        for prog_type in (ProgType.SCHED_CLS, ProgType.XDP, ProgType.KPROBE, ProgType.SOCK_OPS, ProgType.SK_MSG):
            for number in range(1, len(HELPER_NAMES)):
                proto = proto_of(number, prog_type, _attach_types(prog_type)[0])
                if proto is None or ArgType.CONST_MAP_PTR not in [arg.type for arg in proto.args]:
                    continue
                at = [arg.type for arg in proto.args].index(ArgType.CONST_MAP_PTR)
                verdict = _call(proto, prog_type, maps, at, [wide(0x18, at + 1, 1, fd)])
                if verdict is None:
                    continue
                where = (proto.name, prog_type.label, verdict.message)
                if is_map_allowed(proto.name, kind, prog_type, _attach_types(prog_type)[0]):
                    assert "cannot pass map_type" not in verdict.message, where
                else:
                    assert not verdict.accepted, where


def test_every_helper_has_a_prototype() -> None:
    assert len(HELPER_IDS) == 212
