"""What a program type grants: context fields, packet access, helpers, return values. Thin views on the tables of isa/.

Source: toolchain/isa/contexts.py and helpers.py, which name the kernel's functions row by row.
"""

from __future__ import annotations

from toolchain.isa.context_types import CtxResult
from toolchain.isa.contexts import (
    CONTEXTS,
    LOADS_ABSOLUTE,
    PASSES_PACKET_ALWAYS,
    READS_PACKET,
    SOCKETS,
    WRITES_PACKET,
    ctx_access,
    return_range,
)
from toolchain.isa.helpers import HelperProto, has_helper_table, proto_of
from toolchain.isa.program_types import ProgType
from toolchain.verifier.env import Env
from toolchain.verifier.regtypes import (
    FLOW_KEYS,
    MAYBE_NULL,
    PACKET,
    PACKET_END,
    PACKET_META,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    type_text,
)

_RESULTS = {
    CtxResult.SCALAR: SCALAR,
    CtxResult.PACKET: PACKET,
    CtxResult.PACKET_META: PACKET_META,
    CtxResult.PACKET_END: PACKET_END,
    CtxResult.SOCKET: SOCKET,
    CtxResult.SOCKET_OR_NULL: SOCKET | MAYBE_NULL,
    CtxResult.SOCK_COMMON_OR_NULL: SOCK_COMMON | MAYBE_NULL,
    CtxResult.FLOW_KEYS: FLOW_KEYS,
}


def is_known(prog_type: ProgType) -> bool:
    """Programs of this type can be judged here."""
    return prog_type in CONTEXTS and has_helper_table(prog_type)


def check_ctx_access(env: Env, off: int, size: int, is_write: bool, is_sign_extending: bool) -> int:
    """The register type that an access of the context gives; -1 where it is refused."""
    field = ctx_access(env.prog_type, env.attach_type, off, size, is_write, is_sign_extending)
    if field is None:
        return -1
    kind = _RESULTS.get(field.result)
    if kind is None:
        env.unsupported(f"context field {field.name} ({field.result.value})")
    return kind


def may_read_socket(kind: int, off: int, size: int, attach_type: int) -> bool:
    """A field of a socket may be read through a pointer of that type."""
    return SOCKETS[type_text(kind)].access(off, size, attach_type, False) is not None


def may_read_packets(prog_type: ProgType) -> bool:
    """Helpers may be handed packet memory by programs of this type, if their prototype lets them."""
    return prog_type in READS_PACKET


def may_write_packets(prog_type: ProgType) -> bool:
    """Stores through packet pointers are allowed."""
    return prog_type in WRITES_PACKET


def passes_packets_always(prog_type: ProgType) -> bool:
    """Any helper takes packet memory."""
    return prog_type in PASSES_PACKET_ALWAYS


def may_load_absolute(prog_type: ProgType) -> bool:
    """LD_ABS and LD_IND are allowed."""
    return prog_type in LOADS_ABSOLUTE


def helper_proto(env: Env, number: int) -> HelperProto | None:
    """The prototype of a helper as this program sees it; None where it may not call it."""
    return proto_of(number, env.prog_type, env.attach_type, env.is_sleepable)


def argument_count(env: Env, number: int) -> int:
    """How many registers a helper reads; -1 where the program may not call it."""
    proto = helper_proto(env, number)
    return -1 if proto is None else len(proto.args)


def allowed_returns(env: Env) -> tuple[int, int] | None:
    """Least and greatest return value, None where any number will do."""
    return return_range(env.prog_type, env.attach_type)
