"""``union bpf_attr``: the fields of each command, as a table, and the call that fills them in.

Each call passes the union only as far as the last field that is set. A kernel refuses (E2BIG) a longer union than its
own whose rest is not zero, and takes a shorter one as ending in zeros; so an older kernel accepts every call that asks
for nothing it lacks. Fields keep the natural alignment of C, so that the table names sizes only:

    "u32 map_type, u32 key_size, ..., char16 map_name"      one row a command; ``ptr`` is a u64 that holds an address

Source: include/uapi/linux/bpf.h of Linux 6.18, union bpf_attr and enum bpf_cmd.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from toolchain.kernel.native import ffi, lib


class Command(IntEnum):
    """``enum bpf_cmd``."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_ATTACH = 8
    PROG_DETACH = 9
    PROG_TEST_RUN = 10
    PROG_GET_NEXT_ID = 11
    MAP_GET_NEXT_ID = 12
    PROG_GET_FD_BY_ID = 13
    MAP_GET_FD_BY_ID = 14
    OBJ_GET_INFO_BY_FD = 15
    PROG_QUERY = 16
    RAW_TRACEPOINT_OPEN = 17
    BTF_LOAD = 18
    BTF_GET_FD_BY_ID = 19
    TASK_FD_QUERY = 20
    MAP_LOOKUP_AND_DELETE_ELEM = 21
    MAP_FREEZE = 22
    BTF_GET_NEXT_ID = 23
    MAP_LOOKUP_BATCH = 24
    MAP_LOOKUP_AND_DELETE_BATCH = 25
    MAP_UPDATE_BATCH = 26
    MAP_DELETE_BATCH = 27
    LINK_CREATE = 28
    LINK_UPDATE = 29
    LINK_GET_FD_BY_ID = 30
    LINK_GET_NEXT_ID = 31
    ENABLE_STATS = 32
    ITER_CREATE = 33
    LINK_DETACH = 34
    PROG_BIND_MAP = 35
    TOKEN_CREATE = 36


class Field(NamedTuple):
    """One field of a command: where it stands and how it is packed."""

    name: str
    format: str
    offset: int
    size: int


_FORMATS = {"u32": "I", "s32": "i", "u64": "Q", "ptr": "Q", "char16": "16s"}
_ALIGNMENTS = {"char16": 1}

_ELEMENT = "u32 map_fd, ptr key, ptr value, u64 flags"
_BATCH = "ptr in_batch, ptr out_batch, ptr keys, ptr values, u32 count, u32 map_fd, u64 elem_flags, u64 flags"
_BY_ID = "u32 id, u32 next_id, u32 open_flags, s32 token_fd"
_OBJECT = "ptr pathname, u32 bpf_fd, u32 file_flags, s32 path_fd"
_HOOK = (
    "u32 target, u32 attach_bpf_fd, u32 attach_type, u32 attach_flags, u32 replace_bpf_fd, u32 relative,"
    " u64 expected_revision"
)

_LAYOUTS = {
    Command.MAP_CREATE: "u32 map_type, u32 key_size, u32 value_size, u32 max_entries, u32 map_flags, u32 inner_map_fd,"
    " u32 numa_node, char16 map_name, u32 map_ifindex, u32 btf_fd, u32 btf_key_type_id, u32 btf_value_type_id,"
    " u32 btf_vmlinux_value_type_id, u64 map_extra, s32 value_type_btf_obj_fd, s32 map_token_fd,"
    " ptr excl_prog_hash, u32 excl_prog_hash_size",
    Command.MAP_LOOKUP_ELEM: _ELEMENT,
    Command.MAP_UPDATE_ELEM: _ELEMENT,
    Command.MAP_DELETE_ELEM: _ELEMENT,
    Command.MAP_GET_NEXT_KEY: _ELEMENT,
    Command.MAP_LOOKUP_AND_DELETE_ELEM: _ELEMENT,
    Command.MAP_FREEZE: "u32 map_fd",
    Command.MAP_LOOKUP_BATCH: _BATCH,
    Command.MAP_LOOKUP_AND_DELETE_BATCH: _BATCH,
    Command.MAP_UPDATE_BATCH: _BATCH,
    Command.MAP_DELETE_BATCH: _BATCH,
    Command.PROG_LOAD: "u32 prog_type, u32 insn_cnt, ptr insns, ptr license, u32 log_level, u32 log_size, ptr log_buf,"
    " u32 kern_version, u32 prog_flags, char16 prog_name, u32 prog_ifindex, u32 expected_attach_type, u32 prog_btf_fd,"
    " u32 func_info_rec_size, ptr func_info, u32 func_info_cnt, u32 line_info_rec_size, ptr line_info,"
    " u32 line_info_cnt, u32 attach_btf_id, u32 attach_fd, u32 core_relo_cnt, ptr fd_array, ptr core_relos,"
    " u32 core_relo_rec_size, u32 log_true_size, s32 prog_token_fd, u32 fd_array_cnt",
    Command.OBJ_PIN: _OBJECT,
    Command.OBJ_GET: _OBJECT,
    Command.PROG_ATTACH: _HOOK,
    Command.PROG_DETACH: _HOOK,
    Command.PROG_TEST_RUN: "u32 prog_fd, u32 retval, u32 data_size_in, u32 data_size_out, ptr data_in, ptr data_out,"
    " u32 repeat, u32 duration, u32 ctx_size_in, u32 ctx_size_out, ptr ctx_in, ptr ctx_out, u32 flags, u32 cpu,"
    " u32 batch_size",
    Command.PROG_GET_NEXT_ID: _BY_ID,
    Command.MAP_GET_NEXT_ID: _BY_ID,
    Command.BTF_GET_NEXT_ID: _BY_ID,
    Command.LINK_GET_NEXT_ID: _BY_ID,
    Command.PROG_GET_FD_BY_ID: _BY_ID,
    Command.MAP_GET_FD_BY_ID: _BY_ID,
    Command.BTF_GET_FD_BY_ID: _BY_ID,
    Command.LINK_GET_FD_BY_ID: _BY_ID,
    Command.OBJ_GET_INFO_BY_FD: "u32 bpf_fd, u32 info_len, ptr info",
    Command.PROG_QUERY: "u32 target, u32 attach_type, u32 query_flags, u32 attach_flags, ptr prog_ids, u32 count,"
    " u32 pad, ptr prog_attach_flags, ptr link_ids, ptr link_attach_flags, u64 revision",
    Command.RAW_TRACEPOINT_OPEN: "ptr name, u32 prog_fd, u32 pad, u64 cookie",
    Command.BTF_LOAD: "ptr btf, ptr btf_log_buf, u32 btf_size, u32 btf_log_size, u32 btf_log_level, "
    "u32 btf_log_true_size, u32 btf_flags, s32 btf_token_fd",
    Command.LINK_UPDATE: "u32 link_fd, u32 new_prog_fd, u32 flags, u32 old_prog_fd",
    Command.LINK_DETACH: "u32 link_fd",
    Command.ENABLE_STATS: "u32 type",
    Command.ITER_CREATE: "u32 link_fd, u32 flags",
    Command.PROG_BIND_MAP: "u32 prog_fd, u32 map_fd, u32 flags",
    Command.TOKEN_CREATE: "u32 flags, u32 bpffs_fd",
}

_LINK_HEAD = "u32 prog_fd, u32 target, u32 attach_type, u32 flags, "
LINK_LAYOUTS = {
    "plain": _LINK_HEAD + "u32 target_btf_id",
    "relative": _LINK_HEAD + "u32 relative, u64 expected_revision",
    "netfilter": _LINK_HEAD + "u32 pf, u32 hooknum, s32 priority, u32 nf_flags",
    "perf_event": _LINK_HEAD + "u64 bpf_cookie",
    "iter": _LINK_HEAD + "ptr iter_info, u32 iter_info_len",
}
"""BPF_LINK_CREATE has one tail for each kind of hook; ``relative`` serves tcx, netkit and cgroup."""


def parse_layout(layout: str) -> tuple[Field, ...]:
    """Offsets of a layout row, with the alignment that C gives each field."""
    fields, offset = [], 0
    for entry in layout.split(","):
        kind, name = entry.split()
        code = _FORMATS[kind]
        size = struct.calcsize(code)
        align = _ALIGNMENTS.get(kind, size)
        offset = -(-offset // align) * align
        fields.append(Field(name, "=" + code, offset, size))
        offset += size
    return tuple(fields)


class Attr:
    """The attribute of one call: a buffer, filled in by name, and the buffers that it points to.

    Owns: every buffer passed to it, until it is dropped.
    """

    __slots__ = ("_buffer", "_fields", "_kept", "_used")

    def __init__(self, layout: str) -> None:
        parsed = _PARSED.get(layout)
        if parsed is None:
            parsed = _PARSED[layout] = {field.name: field for field in parse_layout(layout)}
        self._fields = parsed
        last = list(parsed.values())[-1]
        self._buffer = bytearray(last.offset + last.size + 7 & ~7)
        self._kept: list[object] = []
        self._used = 0

    def set(self, name: str, value: int | bytes | bytearray | None) -> None:
        """Fill in a field. Bytes for a pointer are passed by their address; None, 0 and no bytes leave it unset."""
        field = self._fields[name]
        if not value:
            return
        if isinstance(value, int):
            packed: int | bytes = value
        elif field.format == "=16s":
            packed = bytes(value)
        else:
            packed = self._address(value)
        struct.pack_into(field.format, self._buffer, field.offset, packed)
        self._used = max(self._used, field.offset + field.size)

    def get(self, name: str) -> int:
        """A field as the kernel left it."""
        field = self._fields[name]
        return int(struct.unpack_from(field.format, self._buffer, field.offset)[0])

    def want(self, name: str) -> None:
        """Make the call long enough for the kernel to write this field."""
        field = self._fields[name]
        self._used = max(self._used, field.offset + field.size)

    def call(self, command: Command) -> int:
        """Run bpf(2); its result, or a negative errno."""
        return int(lib.bpf_sys(int(command), ffi.from_buffer(self._buffer), self._used))

    def _address(self, value: object) -> int:
        pinned = ffi.from_buffer(value)
        self._kept.append(pinned)
        return int(ffi.cast("uintptr_t", pinned))


_PARSED: dict[str, dict[str, Field]] = {}


def attr(command: Command, **fields: int | bytes | bytearray | None) -> Attr:
    """The attribute of a command with the fields given by name. KeyError names a field that it does not have."""
    made = Attr(_LAYOUTS[command])
    for name, value in fields.items():
        made.set(name, value)
    return made


def link_attr(kind: str, **fields: int | bytes | None) -> Attr:
    """The attribute of BPF_LINK_CREATE for one of LINK_LAYOUTS."""
    made = Attr(LINK_LAYOUTS[kind])
    for name, value in fields.items():
        made.set(name, value)
    return made


def address_of(buffer: bytes | bytearray) -> int:
    """Where ``buffer`` lies, as long as the caller keeps it and does not resize it."""
    return int(ffi.cast("uintptr_t", ffi.from_buffer(buffer)))
