"""What a register may hold: the types, their flags, and the immutable Reg.

A type is an integer: a base in the low byte, flags above it.

    bit  31 ........ 8 | 7 ... 0
         flags         | base          MAP_VALUE | MAYBE_NULL   what a lookup returns before its null check

A pointer is base + fixed offset + variable part: ``off`` is the sum of the constants added so far, ``scalar`` what is
known of the variable rest (ZERO as long as only constants were added). A plain number has its knowledge in ``scalar``.

Registers are never changed, only replaced, so states share them and comparison may begin with ``is``.

Equal numbers are linked by ``id``: registers that share it hold the same value, or (flag ADD_CONST) that value plus
``off``. For maybe-null pointers the id says which lookup they came from, so that one null check serves all copies.

Source: include/linux/bpf.h and bpf_verifier.h of Linux 6.12 (enum bpf_reg_type, enum bpf_type_flag, bpf_reg_state).
"""

from __future__ import annotations

from toolchain.isa.map_types import MapFlag, MapType
from toolchain.spec.maps import MapSpec
from toolchain.verifier.scalar import UNKNOWN, ZERO, Scalar, const

NOT_INIT = 0
SCALAR = 1
CTX = 2
MAP_PTR = 3
MAP_VALUE = 4
MAP_KEY = 5
STACK = 6
PACKET_META = 7
PACKET = 8
PACKET_END = 9
FLOW_KEYS = 10
SOCKET = 11
SOCK_COMMON = 12
TCP_SOCK = 13
TP_BUFFER = 14
XDP_SOCK = 15
BTF_ID = 16
MEM = 17
ARENA = 18
BUF = 19
FUNC = 20
DYNPTR = 21

BASE_MASK = 0xFF
MAYBE_NULL = 1 << 8
MEM_RDONLY = 1 << 9
MEM_RINGBUF = 1 << 10
MEM_UNINIT = 1 << 15
MEM_FIXED_SIZE = 1 << 18
MEM_WRITE = 1 << 26

ADD_CONST64 = 1 << 31
ADD_CONST32 = 1 << 30
ADD_CONST = ADD_CONST64 | ADD_CONST32
"""Flags of a number's id: the register is the linked value plus ``off``, by 64- or by 32-bit addition."""

AT_PKT_END = -1
BEYOND_PKT_END = -2
"""``raw`` of a packet pointer known to lie at or beyond the end of the packet."""

_NAMES = {
    NOT_INIT: "?",
    SCALAR: "scalar",
    CTX: "ctx",
    MAP_PTR: "map_ptr",
    MAP_VALUE: "map_value",
    MAP_KEY: "map_key",
    STACK: "fp",
    PACKET_META: "pkt_meta",
    PACKET: "pkt",
    PACKET_END: "pkt_end",
    FLOW_KEYS: "flow_keys",
    SOCKET: "sock",
    SOCK_COMMON: "sock_common",
    TCP_SOCK: "tcp_sock",
    TP_BUFFER: "tp_buffer",
    XDP_SOCK: "xdp_sock",
    BTF_ID: "ptr_",
    MEM: "mem",
    ARENA: "arena",
    BUF: "buf",
    FUNC: "func",
    DYNPTR: "dynptr_ptr",
}

SPILLABLE = frozenset(_NAMES) - {NOT_INIT, SCALAR, TP_BUFFER, DYNPTR}
"""Bases of pointers that keep their type through a full-width store to the stack."""

MOVABLE_ARGUMENTS = frozenset(
    {
        SCALAR,
        STACK,
        PACKET,
        PACKET_META,
        MAP_KEY,
        MAP_VALUE,
        MEM,
        MEM | MEM_RDONLY,
        MEM | MEM_RINGBUF,
        BUF,
        BUF | MEM_RDONLY,
    }
)
"""Types of arguments whose offset may be anything; all others must be unmoved."""

SOCK_TYPES = frozenset({SOCKET, SOCK_COMMON, TCP_SOCK, XDP_SOCK})


def type_text(kind: int) -> str:
    """The kernel's name of a type. Source: kernel/bpf/log.c reg_type_str()."""
    base = kind & BASE_MASK
    text = _NAMES[base]
    if kind & MAYBE_NULL:
        text += "or_null_" if base == BTF_ID else "_or_null"
    if kind & MEM_RINGBUF:
        text = "ringbuf_" + text
    if kind & MEM_RDONLY:
        text = "rdonly_" + text
    return text


class MapView:
    """A map as the verifier sees it; one object for each map of the program, compared by identity.

    ``special`` names a field of the value that plain loads and stores must not touch ('' where there is none).
    """

    __slots__ = (
        "data",
        "index",
        "inner",
        "is_constant",
        "key_size",
        "map_flags",
        "map_type",
        "max_entries",
        "name",
        "special",
        "value_size",
    )

    def __init__(self, index: int, spec: MapSpec, special: str = "", inner: MapView | None = None) -> None:
        self.index = index
        self.name = spec.name.encode()[:15].decode(errors="ignore")
        self.map_type = int(spec.map_type)
        self.key_size = spec.key_size
        self.value_size = spec.value_size
        self.max_entries = spec.max_entries
        self.map_flags = int(spec.map_flags)
        if spec.map_type in (MapType.DEVMAP, MapType.DEVMAP_HASH):
            # A lookup gives the device's own index. Source: kernel/bpf/devmap.c dev_map_init_map().
            self.map_flags |= MapFlag.RDONLY_PROG
        self.data = None if spec.data is None else spec.data.ljust(spec.value_size, b"\0")
        self.is_constant = spec.is_read_only_for_programs and spec.is_frozen and spec.data is not None
        self.special = special
        self.inner = inner


class Reg:
    """An immutable register.

    ``raw`` depends on the type: bytes proven readable (packet pointers), size (MEM), frame number (STACK), subprogram
    (FUNC). ``map_uid`` tells two lookups of an inner map apart. ``ref_obj_id`` is the reference that the pointer
    holds, 0 if none.
    """

    __slots__ = ("id", "map", "map_uid", "off", "raw", "ref_obj_id", "scalar", "type")

    def __init__(
        self,
        kind: int,
        off: int,
        scalar: Scalar,
        id: int,
        ref_obj_id: int = 0,
        raw: int = 0,
        map: MapView | None = None,
        map_uid: int = 0,
    ) -> None:
        self.type = kind
        self.off = off
        self.scalar = scalar
        self.id = id
        self.ref_obj_id = ref_obj_id
        self.raw = raw
        self.map = map
        self.map_uid = map_uid

    def with_scalar(self, scalar: Scalar) -> Reg:
        """The same register, knowing other things of its (variable) value."""
        return Reg(self.type, self.off, scalar, self.id, self.ref_obj_id, self.raw, self.map, self.map_uid)

    def with_id(self, id: int, off: int) -> Reg:
        """The same value under another id; for numbers ``off`` is the distance from the linked value."""
        return Reg(self.type, off, self.scalar, id, self.ref_obj_id, self.raw, self.map, self.map_uid)

    def with_type(self, kind: int, id: int) -> Reg:
        """Another type and id, all else kept."""
        return Reg(kind, self.off, self.scalar, id, self.ref_obj_id, self.raw, self.map, self.map_uid)

    def with_raw(self, raw: int) -> Reg:
        """Another packet range."""
        return Reg(self.type, self.off, self.scalar, self.id, self.ref_obj_id, raw, self.map, self.map_uid)

    @property
    def is_null(self) -> bool:
        """The number zero."""
        return (self.type == SCALAR and self.scalar is ZERO) or (
            self.type == SCALAR and self.scalar.mask == 0 and self.scalar.value == 0
        )


UNINIT = Reg(NOT_INIT, 0, UNKNOWN, 0)
UNKNOWN_SCALAR = Reg(SCALAR, 0, UNKNOWN, 0)
ZERO_SCALAR = Reg(SCALAR, 0, ZERO, 0)

_CONSTANTS = {value: Reg(SCALAR, 0, const(value), 0) for value in range(-256, 257)}


def constant(value: int) -> Reg:
    """A register that holds one known 64-bit number."""
    return _CONSTANTS.get(value) or Reg(SCALAR, 0, const(value), 0)


def number(scalar: Scalar) -> Reg:
    """An unlinked number."""
    return Reg(SCALAR, 0, scalar, 0)


def pointer(kind: int, raw: int = 0, off: int = 0, id: int = 0, map: MapView | None = None, map_uid: int = 0) -> Reg:
    """A pointer without variable part."""
    return Reg(kind, off, ZERO, id, 0, raw, map, map_uid)


def is_packet(kind: int) -> bool:
    """PACKET or PACKET_META."""
    return kind in (PACKET, PACKET_META)
