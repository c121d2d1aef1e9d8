"""The words that helper prototypes are written in.

A prototype says of each argument what kind of value it takes (`ArgType`) and under which terms (`TypeFlag`); of the
result what it is (`RetType`) and under which terms. Names and granularity are the kernel's, so that a prototype here
and the one in the kernel's source can be laid side by side; the numbers are our own.

Source: include/linux/bpf.h of Linux 6.12 (enum bpf_arg_type, enum bpf_return_type, enum bpf_type_flag).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import NamedTuple


class ArgType(IntEnum):
    """What an argument must be: ``ARG_*`` without its flags."""

    DONTCARE = 0
    CONST_MAP_PTR = 1
    """A map, known at verification time."""
    PTR_TO_MAP_KEY = 2
    """key_size readable bytes of the map in an earlier argument."""
    PTR_TO_MAP_VALUE = 3
    """value_size bytes of the map in an earlier argument."""
    PTR_TO_MEM = 4
    """Memory whose size is the next argument, or ``Arg.size`` with FIXED_SIZE."""
    PTR_TO_ARENA = 5
    CONST_SIZE = 6
    """Byte count of the memory argument before it, at least 1."""
    CONST_SIZE_OR_ZERO = 7
    PTR_TO_CTX = 8
    ANYTHING = 9
    """Any initialised value; a pointer only where leaking one is allowed."""
    SCALAR = 10
    PTR_TO_SPIN_LOCK = 11
    PTR_TO_SOCK_COMMON = 12
    PTR_TO_SOCKET = 13
    PTR_TO_BTF_ID = 14
    """A typed kernel pointer: ``Arg.btf`` names the struct."""
    PTR_TO_RINGBUF_MEM = 15
    CONST_ALLOC_SIZE_OR_ZERO = 16
    """How many bytes the result has; a known constant."""
    PTR_TO_BTF_ID_SOCK_COMMON = 17
    PTR_TO_PERCPU_BTF_ID = 18
    PTR_TO_FUNC = 19
    PTR_TO_STACK = 20
    PTR_TO_CONST_STR = 21
    """A NUL-terminated string in a frozen read-only map."""
    PTR_TO_TIMER = 22
    KPTR_XCHG_DEST = 23
    PTR_TO_DYNPTR = 24


class RetType(IntEnum):
    """What a helper gives: ``RET_*`` without its flags."""

    INTEGER = 0
    VOID = 1
    PTR_TO_MAP_VALUE = 2
    PTR_TO_SOCKET = 3
    PTR_TO_TCP_SOCK = 4
    PTR_TO_SOCK_COMMON = 5
    PTR_TO_MEM = 6
    PTR_TO_MEM_OR_BTF_ID = 7
    PTR_TO_BTF_ID = 8


class TypeFlag(IntFlag):
    """Terms of an argument or result: ``enum bpf_type_flag``."""

    NONE = 0
    MAYBE_NULL = 1 << 0
    RDONLY = 1 << 1
    """The helper only reads it, so read-only memory will do; of a result: must not be written."""
    RINGBUF = 1 << 2
    RELEASE = 1 << 3
    """The helper takes the reference away from the program."""
    UNINIT = 1 << 4
    """Need not be initialised."""
    WRITE = 1 << 5
    """The helper writes it; without UNINIT it also reads it."""
    FIXED_SIZE = 1 << 6
    ALIGNED = 1 << 7
    TRUSTED = 1 << 8
    DYNPTR_LOCAL = 1 << 9
    DYNPTR_RINGBUF = 1 << 10


class Arg(NamedTuple):
    """One argument. ``btf`` names the kernel struct of a typed pointer ('*' = decided by another argument or the map),
    ``size`` is the byte count with FIXED_SIZE."""

    type: ArgType
    flags: TypeFlag = TypeFlag.NONE
    btf: str = ""
    size: int = 0

    @property
    def may_be_null(self) -> bool:
        """NULL is taken as well."""
        return bool(self.flags & TypeFlag.MAYBE_NULL)


class Ret(NamedTuple):
    """The result. ``btf`` as in `Arg`."""

    type: RetType
    flags: TypeFlag = TypeFlag.NONE
    btf: str = ""

    @property
    def may_be_null(self) -> bool:
        """It must be compared with NULL before use."""
        return bool(self.flags & TypeFlag.MAYBE_NULL)


class HelperProto(NamedTuple):
    """A helper's contract.

    ``variant`` tells apart the prototypes of one helper id ('' for the usual one). ``args``: the used arguments only.
    ``pkt_access``: packet pointers may be passed as memory. ``might_sleep``: only where sleeping is allowed.
    ``is_fastcall``: keeps registers beyond its arguments (LLVM's bpf_fastcall).
    ``condition`` names a further check of the kernel that is asked at load time, '' where there is none.
    ``source`` is the kernel file that holds the prototype.
    """

    id: int
    name: str
    args: tuple[Arg, ...]
    ret: Ret
    source: str
    variant: str = ""
    gpl_only: bool = False
    pkt_access: bool = False
    might_sleep: bool = False
    is_fastcall: bool = False
    condition: str = ""
