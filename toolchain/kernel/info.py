"""``struct bpf_*_info``: what the kernel says of a live object, decoded by name.

A kernel older than a field gives a shorter struct; such a field reads as 0. Arrays (map ids, instructions, records) are
asked for by a second call that passes their address and count. What no struct tells is in /proc/self/fdinfo.

Names have 15 bytes there. A longer one is found in the object's type information, where it has some: a map's is that of
a variable of section .maps, a program's that of its first function.

Source: include/uapi/linux/bpf.h of Linux 6.18, struct bpf_map_info, bpf_prog_info, bpf_link_info, bpf_btf_info;
kernel/bpf/syscall.c, bpf_map_show_fdinfo().
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import NamedTuple

from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import AttachType
from toolchain.kernel import calls
from toolchain.kernel.attr import Field, address_of, parse_layout
from toolchain.spec.maps import MAP_NAME_SIZE
from toolchain.spec.runtime import LinkInfo

_MAP = (
    "u32 type, u32 id, u32 key_size, u32 value_size, u32 max_entries, u32 map_flags, char16 name, u32 ifindex,"
    " u32 btf_vmlinux_value_type_id, u64 netns_dev, u64 netns_ino, u32 btf_id, u32 btf_key_type_id,"
    " u32 btf_value_type_id, u32 btf_vmlinux_id, u64 map_extra"
)
_PROG = (
    "u32 type, u32 id, u64 tag, u32 jited_prog_len, u32 xlated_prog_len, ptr jited_prog_insns, ptr xlated_prog_insns,"
    " u64 load_time, u32 created_by_uid, u32 nr_map_ids, ptr map_ids, char16 name, u32 ifindex, u32 gpl_compatible,"
    " u64 netns_dev, u64 netns_ino, u32 nr_jited_ksyms, u32 nr_jited_func_lens, ptr jited_ksyms, ptr jited_func_lens,"
    " u32 btf_id, u32 func_info_rec_size, ptr func_info, u32 nr_func_info, u32 nr_line_info, ptr line_info,"
    " ptr jited_line_info, u32 nr_jited_line_info, u32 line_info_rec_size, u32 jited_line_info_rec_size,"
    " u32 nr_prog_tags, ptr prog_tags, u64 run_time_ns, u64 run_cnt, u64 recursion_misses, u32 verified_insns,"
    " u32 attach_btf_obj_id, u32 attach_btf_id"
)
_LINK_SIZE = 128
_BTF = "ptr btf, u32 btf_size, u32 id, ptr name, u32 name_len, u32 kernel_btf"

LINK_TYPES = (
    "unspec",
    "raw_tracepoint",
    "tracing",
    "cgroup",
    "iter",
    "netns",
    "xdp",
    "perf_event",
    "kprobe_multi",
    "struct_ops",
    "netfilter",
    "tcx",
    "uprobe_multi",
    "netkit",
    "sockmap",
)
"""bpftool's names, by enum bpf_link_type."""

_LINK_IFINDEX_OFFSETS = {"xdp": 16, "tcx": 16, "netkit": 16}
"""Where the union of bpf_link_info holds an ifindex, and for the latter two an attach type after it."""


class KernelMapInfo(NamedTuple):
    """struct bpf_map_info. Units: sizes in bytes."""

    map_type: int
    id: int
    key_size: int
    value_size: int
    max_entries: int
    map_flags: int
    name: str
    ifindex: int
    btf_id: int
    key_type_id: int
    value_type_id: int
    map_extra: int


class KernelProgInfo(NamedTuple):
    """struct bpf_prog_info. Units: load_time_ns on the boot-time clock; sizes in bytes."""

    prog_type: int
    id: int
    tag: str
    jited_size: int
    xlated_size: int
    load_time_ns: int
    owner_uid: int
    map_ids: tuple[int, ...]
    name: str
    ifindex: int
    gpl_compatible: bool
    btf_id: int
    func_info_count: int
    line_info_count: int
    run_time_ns: int
    run_count: int
    verified_insns: int


class Details(NamedTuple):
    """What only /proc tells of an object. Units: memory_size in bytes."""

    is_frozen: bool
    memory_size: int


def _table(layout: str) -> dict[str, Field]:
    return {field.name: field for field in parse_layout(layout)}


_TABLES = {name: _table(layout) for name, layout in (("map", _MAP), ("prog", _PROG), ("btf", _BTF))}
_SIZES = {name: (max(f.offset + f.size for f in table.values()) + 7) // 8 * 8 for name, table in _TABLES.items()}


class _Info:
    """One ``struct bpf_*_info``, read by field name."""

    def __init__(self, kind: str, fd: int, asked: dict[str, int] | None = None) -> None:
        self._table = _TABLES[kind]
        request = bytearray(_SIZES[kind])
        for name, value in (asked or {}).items():
            field = self._table[name]
            struct.pack_into(field.format, request, field.offset, value)
        self._raw = calls.obj_info(fd, len(request), bytes(request)).ljust(len(request), b"\0")

    def __getitem__(self, name: str) -> int:
        field = self._table[name]
        return int(struct.unpack_from(field.format, self._raw, field.offset)[0])

    def text(self, name: str) -> str:
        """A C string."""
        field = self._table[name]
        return calls.text_of(self._raw[field.offset : field.offset + field.size])

    def raw(self, name: str) -> bytes:
        """The bytes of a field."""
        field = self._table[name]
        return self._raw[field.offset : field.offset + field.size]


def map_info(fd: int) -> KernelMapInfo:
    """What the kernel says of a map."""
    live = _Info("map", fd)
    return KernelMapInfo(
        live["type"],
        live["id"],
        live["key_size"],
        live["value_size"],
        live["max_entries"],
        live["map_flags"],
        live.text("name"),
        live["ifindex"],
        live["btf_id"],
        live["btf_key_type_id"],
        live["btf_value_type_id"],
        live["map_extra"],
    )


def details(fd: int) -> Details:
    """What only /proc tells of a map or program."""
    found: dict[str, str] = {}
    with open(f"/proc/self/fdinfo/{fd}") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            found[name] = value.strip()
    memory = found.get("memlock", "")
    return Details(found.get("frozen") == "1", int(memory) if memory.isdecimal() else 0)


def map_type_of(number: int) -> MapType:
    """A live map's type. Of a type newer than this table, UNSPEC: it is shown, and matches no declared map."""
    return MapType(number) if number in MapType._value2member_map_ else MapType.UNSPEC


def prog_info(fd: int) -> KernelProgInfo:
    """What the kernel says of a program, its map ids included."""
    live = _Info("prog", fd)
    return KernelProgInfo(
        live["type"],
        live["id"],
        live.raw("tag").hex(),
        live["jited_prog_len"],
        live["xlated_prog_len"],
        live["load_time"],
        live["created_by_uid"],
        _map_ids(fd, live["nr_map_ids"]),
        live.text("name"),
        live["ifindex"],
        bool(live["gpl_compatible"] & 1),
        live["btf_id"],
        live["nr_func_info"],
        live["nr_line_info"],
        live["run_time_ns"],
        live["run_cnt"],
        live["verified_insns"],
    )


def _map_ids(fd: int, count: int) -> tuple[int, ...]:
    """The ids of the maps that a program uses: a second call that passes room for them."""
    if not count:
        return ()
    room = bytearray(4 * count)
    _Info("prog", fd, {"nr_map_ids": count, "map_ids": address_of(room)})
    return struct.unpack(f"={count}I", room)


def prog_xlated(fd: int, size: int) -> bytes:
    """The ``size`` bytes of instructions after the kernel's rewrites (zeros where it does not show them)."""
    room = bytearray(size)
    _Info("prog", fd, {"xlated_prog_len": size, "xlated_prog_insns": address_of(room)})
    return bytes(room)


def func_info(fd: int, count: int) -> tuple[tuple[int, int], ...]:
    """(slot, type id) of each function of a program."""
    room = bytearray(calls.FUNC_INFO_SIZE * count)
    asked = {"nr_func_info": count, "func_info_rec_size": calls.FUNC_INFO_SIZE, "func_info": address_of(room)}
    _Info("prog", fd, asked)
    return tuple((slot, type_id) for slot, type_id in struct.iter_unpack("=2I", room))


def line_info(fd: int, count: int) -> tuple[tuple[int, int, int, int], ...]:
    """(slot, file, text, place) of each line record of a program, as ``struct bpf_line_info`` has them."""
    room = bytearray(calls.LINE_INFO_SIZE * count)
    asked = {"nr_line_info": count, "line_info_rec_size": calls.LINE_INFO_SIZE, "line_info": address_of(room)}
    _Info("prog", fd, asked)
    return tuple((slot, path, text, place) for slot, path, text, place in struct.iter_unpack("=4I", room))


def link_info(fd: int) -> LinkInfo:
    """What the kernel says of a link. The device's name is that of this network namespace, where it has one."""
    raw = calls.obj_info(fd, _LINK_SIZE).ljust(_LINK_SIZE, b"\0")
    kind, identifier, prog_id = struct.unpack_from("=3I", raw)
    name = LINK_TYPES[kind] if kind < len(LINK_TYPES) else str(kind)
    ifindex = attach_type = 0
    if name in _LINK_IFINDEX_OFFSETS:
        ifindex, attach_type = struct.unpack_from("=2I", raw, _LINK_IFINDEX_OFFSETS[name])
    device = ""
    with contextlib.suppress(OSError, OverflowError):
        device = socket.if_indextoname(ifindex) if ifindex else ""
    hook = "xdp" if name == "xdp" else _HOOKS.get(attach_type, "") if name == "tcx" else ""
    return LinkInfo(
        identifier, name, prog_id, device, hook, bool(ifindex) or name not in _LINK_IFINDEX_OFFSETS, ifindex
    )


def link_place(fd: int) -> dict[str, str | int]:
    """Where a link is attached, under bpftool's keys; ``devname`` where this namespace has such a device.

    A severed link has ifindex 0. Which network namespace an ifindex counts in the kernel does not say.
    """
    raw = calls.obj_info(fd, _INFO_SIZE).ljust(_INFO_SIZE, b"\0")
    live = link_info(fd)
    kind = live.link_type
    if kind in ("tcx", "netkit", "xdp"):
        ifindex, attach_type = struct.unpack_from("=2I", raw, _INFO_UNION)
        found: dict[str, str | int] = {"devname": live.device} if live.device else {}
        found["ifindex"] = ifindex
        return found if kind == "xdp" else found | {"attach_type": _attach_label(attach_type)}
    if kind == "cgroup":
        cgroup, attach_type = struct.unpack_from("=QI", raw, _INFO_UNION)
        return {"cgroup_id": cgroup, "attach_type": _attach_label(attach_type)}
    if kind == "netfilter":
        protocol, hook, priority, flags = struct.unpack_from("=IIiI", raw, _INFO_UNION)
        return {"pf": protocol, "hook": hook, "prio": priority, "flags": flags}
    return {}


_INFO_SIZE, _INFO_UNION = 128, 16
"""Bytes that are asked for, and where the union of struct bpf_link_info begins."""
_HOOKS: dict[int, str] = {AttachType.TCX_INGRESS: "ingress", AttachType.TCX_EGRESS: "egress"}


def _attach_label(number: int) -> str:
    return AttachType(number).name.lower() if number in set(AttachType) else str(number)


def btf_bytes(btf_id: int) -> bytes:
    """The raw type information of that id; none where this process may not have it, or it is gone."""
    try:
        fd = calls.fd_by_id("btf", btf_id)
    except calls.BpfCallError:
        return b""
    try:
        size = _Info("btf", fd)["btf_size"]
        room = bytearray(size)
        _Info("btf", fd, {"btf": address_of(room), "btf_size": size})
        return bytes(room)
    finally:
        os.close(fd)


def full_map_name(name: str, btf: bytes) -> str:
    """The one variable of section .maps that a cut name may stand for, else ``name``."""
    if len(name) < MAP_NAME_SIZE or not btf:
        return name
    from toolchain.btf.codec import Btf
    from toolchain.btf.types import name_of
    from toolchain.errors import ObjectError

    try:
        types = Btf.decode(btf)
        found = {
            name_of(types.get(each.type_id))
            for _, section in types.datasecs()
            if section.name == ".maps"
            for each in section.variables
        }
    except ObjectError:
        return name
    longer = [each for each in found if each.startswith(name)]
    return longer[0] if len(longer) == 1 else name


def full_program_name(fd: int, live: KernelProgInfo) -> str:
    """The name of a program's first function, where the cut name begins it."""
    from toolchain.btf.codec import Btf
    from toolchain.btf.types import name_of
    from toolchain.errors import ObjectError

    raw = btf_bytes(live.btf_id)
    if not raw or not live.func_info_count:
        return live.name
    try:
        name = name_of(Btf.decode(raw).get(func_info(fd, live.func_info_count)[0][1]))
    except ObjectError:
        return live.name
    return name if name.startswith(live.name) else live.name
