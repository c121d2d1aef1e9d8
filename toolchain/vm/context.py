"""Which bytes of its context an unverified program may touch: the checked interpreter's masks.

One bit stands for four bytes. A field counts as readable or writable as a whole; the widths it takes are the verifier's
business. Fields whose value would be a kernel pointer other than the packet's are left out: nothing here models them.
"""

from __future__ import annotations

import functools

from toolchain.isa.context_types import CtxResult
from toolchain.isa.contexts import CONTEXTS
from toolchain.isa.program_types import ProgType

_MODELLED = frozenset({CtxResult.SCALAR, CtxResult.PACKET, CtxResult.PACKET_META, CtxResult.PACKET_END})


@functools.cache
def context_masks(prog_type: ProgType) -> tuple[int, int]:
    """(readable, writable) of a program type that the C core has a context for."""
    readable = writable = 0
    for field in CONTEXTS[prog_type].fields:
        words = sum(1 << word for word in range(field.offset // 4, (field.end + 3) // 4))
        if field.result in _MODELLED and field.read.first:
            readable |= words
        if field.write.first:
            writable |= words
    return readable, writable
