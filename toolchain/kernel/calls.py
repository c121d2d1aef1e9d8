"""bpf(2), one function a command: fds and bytes in, fds and bytes out.

Nothing here keeps state or closes an fd that it returns; handles.py does. Every function raises BpfCallError, with the
command and the errno, which the caller turns into the error of the object concerned.

Source: include/uapi/linux/bpf.h of Linux 6.18.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from toolchain.errors import errno_name
from toolchain.kernel.attr import Attr, Command, attr, link_attr
from toolchain.spec.maps import MAP_NAME_SIZE

TEST_RUN_ROOM = 1 << 16
"""Bytes by which a packet may grow in a test run."""
TOKEN_FD = 1 << 16
"""BPF_F_TOKEN_FD: the same bit in map, program and type-information flags says that a token is given."""


class BpfCallError(Exception):
    """bpf(2) answered with an errno. ``done``: how many elements of a batch were done before."""

    def __init__(self, command: Command, number: int, done: int = 0) -> None:
        super().__init__(f"{command.name}: {errno_name(number)}")
        self.command = command
        self.errno = number
        self.done = done


def _call(command: Command, request: Attr) -> int:
    result = request.call(command)
    if result < 0:
        raise BpfCallError(command, -result)
    return result


def map_create(
    map_type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    *,
    name: str = "",
    map_flags: int = 0,
    inner_map_fd: int = 0,
    numa_node: int = 0,
    map_extra: int = 0,
    btf_fd: int = 0,
    key_type_id: int = 0,
    value_type_id: int = 0,
    token_fd: int = 0,
) -> int:
    """A new map's fd. ``name`` is cut to 15 bytes; characters that the kernel refuses become '_'."""
    request = attr(
        Command.MAP_CREATE,
        map_type=map_type,
        key_size=key_size,
        value_size=value_size,
        max_entries=max_entries,
        map_flags=map_flags | (TOKEN_FD if token_fd else 0),
        inner_map_fd=inner_map_fd,
        numa_node=numa_node,
        map_name=object_name(name),
        map_extra=map_extra,
        btf_fd=btf_fd,
        btf_key_type_id=key_type_id,
        btf_value_type_id=value_type_id,
        map_token_fd=token_fd,
    )
    return _call(Command.MAP_CREATE, request)


_NAME_BYTES = frozenset(b"_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def object_name(name: str) -> bytes:
    """A name as the kernel takes it: 15 bytes of [A-Za-z0-9_.]."""
    return bytes(byte if byte in _NAME_BYTES else 0x5F for byte in name.encode("utf-8", "replace")[:MAP_NAME_SIZE])


def map_lookup(fd: int, key: bytes, value_size: int, flags: int = 0) -> bytes:
    """The value at ``key``."""
    value = bytearray(value_size)
    _call(Command.MAP_LOOKUP_ELEM, attr(Command.MAP_LOOKUP_ELEM, map_fd=fd, key=key, value=value, flags=flags))
    return bytes(value)


def map_lookup_and_delete(fd: int, key: bytes, value_size: int, flags: int = 0) -> bytes:
    """The value at ``key`` (a queue's head where keys have no bytes), removed."""
    value = bytearray(value_size)
    command = Command.MAP_LOOKUP_AND_DELETE_ELEM
    _call(command, attr(command, map_fd=fd, key=key, value=value, flags=flags))
    return bytes(value)


def map_update(fd: int, key: bytes, value: bytes, flags: int = 0) -> None:
    """Set ``key`` to ``value``."""
    command = Command.MAP_UPDATE_ELEM
    _call(command, attr(command, map_fd=fd, key=key, value=value, flags=flags))


def map_delete(fd: int, key: bytes) -> None:
    """Remove ``key``."""
    _call(Command.MAP_DELETE_ELEM, attr(Command.MAP_DELETE_ELEM, map_fd=fd, key=key))


def map_next_key(fd: int, key: bytes | None, key_size: int) -> bytes:
    """The key after ``key``, or the first one. ENOENT after the last."""
    following = bytearray(key_size)
    _call(Command.MAP_GET_NEXT_KEY, attr(Command.MAP_GET_NEXT_KEY, map_fd=fd, key=key, value=following))
    return bytes(following)


def map_freeze(fd: int) -> None:
    """No more writes from user space."""
    _call(Command.MAP_FREEZE, attr(Command.MAP_FREEZE, map_fd=fd))


class Batch(NamedTuple):
    """What a batch read gave. ``cursor`` continues it; ``at_end`` says that there is no more."""

    keys: bytes
    values: bytes
    taken: int
    cursor: bytes
    at_end: bool


def map_lookup_batch(
    fd: int, key_size: int, value_size: int, count: int, cursor: bytes | None = None, *, delete: bool = False
) -> Batch:
    """Up to ``count`` elements after ``cursor``; removed where ``delete``.

    Units: value_size counts all CPUs of a per-CPU map.
    """
    keys, values = bytearray(key_size * count), bytearray(value_size * count)
    following = bytearray(max(key_size, 4))
    command = Command.MAP_LOOKUP_AND_DELETE_BATCH if delete else Command.MAP_LOOKUP_BATCH
    request = attr(command, map_fd=fd, in_batch=cursor, out_batch=following, keys=keys, values=values, count=count)
    result = request.call(command)
    if result < 0 and -result != errno.ENOENT:
        raise BpfCallError(command, -result)
    taken = request.get("count")
    return Batch(
        bytes(keys[: taken * key_size]), bytes(values[: taken * value_size]), taken, bytes(following), result < 0
    )


def map_update_batch(fd: int, keys: bytes, values: bytes, count: int, flags: int = 0) -> int:
    """Set ``count`` elements; the number done. BpfCallError.done says how many were before one failed."""
    command = Command.MAP_UPDATE_BATCH
    request = attr(command, map_fd=fd, keys=keys, values=values, count=count, elem_flags=flags)
    return _batch_write(command, request)


def map_delete_batch(fd: int, keys: bytes, count: int) -> int:
    """Remove ``count`` elements; the number done. BpfCallError.done says how many were before one failed."""
    command = Command.MAP_DELETE_BATCH
    request = attr(command, map_fd=fd, keys=keys, count=count)
    return _batch_write(command, request)


def _batch_write(command: Command, request: Attr) -> int:
    result = request.call(command)
    if result < 0:
        raise BpfCallError(command, -result, request.get("count"))
    return request.get("count")


class ProgLoad(NamedTuple):
    """A program as BPF_PROG_LOAD takes it: everything but the log."""

    prog_type: int
    code: bytes
    license: str
    name: str = ""
    prog_flags: int = 0
    kern_version: int = 0
    expected_attach_type: int = 0
    btf_fd: int = 0
    func_info: bytes = b""
    line_info: bytes = b""
    attach_btf_id: int = 0
    attach_fd: int = 0
    fd_array: bytes = b""
    token_fd: int = 0


FUNC_INFO_SIZE = 8
LINE_INFO_SIZE = 16


class LoadAnswer(NamedTuple):
    """What BPF_PROG_LOAD answered: ``fd`` or a negative errno, the log, and its true size (0 before Linux 6.4)."""

    fd: int
    log: str
    log_true_size: int


def prog_load(program: ProgLoad, log_level: int = 0, log_size: int = 0) -> LoadAnswer:
    """Load a program once. Never raises for a refusal: the answer says it.

    Level 1 with no buffer loads or refuses as level 0 does and gives the exact size that the log needs.
    """
    log = bytearray(log_size)
    request = attr(
        Command.PROG_LOAD,
        prog_type=program.prog_type,
        insn_cnt=len(program.code) // 8,
        insns=program.code,
        license=program.license.encode() + b"\0",
        log_level=log_level,
        log_size=log_size,
        log_buf=log,
        kern_version=program.kern_version,
        prog_flags=program.prog_flags | (TOKEN_FD if program.token_fd else 0),
        prog_name=object_name(program.name),
        expected_attach_type=program.expected_attach_type,
        prog_btf_fd=program.btf_fd,
        func_info_rec_size=FUNC_INFO_SIZE if program.func_info else 0,
        func_info=program.func_info,
        func_info_cnt=len(program.func_info) // FUNC_INFO_SIZE,
        line_info_rec_size=LINE_INFO_SIZE if program.line_info else 0,
        line_info=program.line_info,
        line_info_cnt=len(program.line_info) // LINE_INFO_SIZE,
        attach_btf_id=program.attach_btf_id,
        attach_fd=program.attach_fd,
        fd_array=program.fd_array,
        prog_token_fd=program.token_fd,
    )
    if log_level:
        request.want("log_true_size")
    fd = request.call(Command.PROG_LOAD)
    return LoadAnswer(fd, text_of(log), request.get("log_true_size"))


def text_of(buffer: bytes | bytearray) -> str:
    """A C string, whatever its bytes are."""
    return bytes(buffer).split(b"\0", 1)[0].decode(errors="backslashreplace")


class TestRun(NamedTuple):
    """What BPF_PROG_TEST_RUN gave. ``duration_ns`` is the kernel's mean of one run."""

    retval: int
    data: bytes
    ctx: bytes
    duration_ns: int


def prog_test_run(
    fd: int, data: bytes = b"", ctx: bytes = b"", repeat: int = 1, flags: int = 0, cpu: int = 0, ctx_size_out: int = 0
) -> TestRun:
    """Run a program on a packet, a context, or both."""
    data_out = bytearray(len(data) + TEST_RUN_ROOM) if data else bytearray()
    ctx_out = bytearray(ctx_size_out)
    request = attr(
        Command.PROG_TEST_RUN,
        prog_fd=fd,
        data_size_in=len(data),
        data_size_out=len(data_out),
        data_in=data,
        data_out=data_out,
        repeat=repeat,
        ctx_size_in=len(ctx),
        ctx_size_out=len(ctx_out),
        ctx_in=ctx,
        ctx_out=ctx_out,
        flags=flags,
        cpu=cpu,
    )
    request.want("ctx_out")
    _call(Command.PROG_TEST_RUN, request)
    return TestRun(
        request.get("retval"),
        bytes(data_out[: request.get("data_size_out")]),
        bytes(ctx_out[: request.get("ctx_size_out")]),
        request.get("duration"),
    )


def obj_pin(fd: int, path: str | bytes, directory_fd: int | None = None) -> None:
    """Pin an object at ``path``, relative to ``directory_fd`` where given."""
    _call(Command.OBJ_PIN, _path_attr(Command.OBJ_PIN, path, directory_fd, 0, bpf_fd=fd))


def obj_get(path: str | bytes, file_flags: int = 0, directory_fd: int | None = None) -> int:
    """The fd of the object pinned at ``path``; ``file_flags`` may be BPF_F_RDONLY or BPF_F_WRONLY."""
    return _call(Command.OBJ_GET, _path_attr(Command.OBJ_GET, path, directory_fd, file_flags))


_PATH_FD = 1 << 14


def _path_attr(command: Command, path: str | bytes, directory_fd: int | None, flags: int, **fields: int) -> Attr:
    if directory_fd is not None:
        fields |= {"path_fd": directory_fd}
        flags |= _PATH_FD
    return attr(command, pathname=os.fsencode(path) + b"\0", file_flags=flags, **fields)


def obj_info(fd: int, size: int, prefill: bytes = b"") -> bytes:
    """``struct bpf_*_info`` of an object, as long as the kernel knows it.

    ``prefill`` asks for arrays, by address and count.
    """
    info = bytearray(prefill.ljust(size, b"\0"))
    request = attr(Command.OBJ_GET_INFO_BY_FD, bpf_fd=fd, info_len=size, info=info)
    _call(Command.OBJ_GET_INFO_BY_FD, request)
    return bytes(info[: request.get("info_len")])


_NEXT_ID = {
    "map": Command.MAP_GET_NEXT_ID,
    "prog": Command.PROG_GET_NEXT_ID,
    "link": Command.LINK_GET_NEXT_ID,
    "btf": Command.BTF_GET_NEXT_ID,
}
_FD_BY_ID = {
    "map": Command.MAP_GET_FD_BY_ID,
    "prog": Command.PROG_GET_FD_BY_ID,
    "link": Command.LINK_GET_FD_BY_ID,
    "btf": Command.BTF_GET_FD_BY_ID,
}


def ids(kind: str) -> Iterator[int]:
    """The ids of all live objects of a kind: 'map', 'prog', 'link' or 'btf'."""
    command, current = _NEXT_ID[kind], 0
    while True:
        request = attr(command, id=current)
        request.want("next_id")
        result = request.call(command)
        if result == -errno.ENOENT:
            return
        if result < 0:
            raise BpfCallError(command, -result)
        current = request.get("next_id")
        yield current


def fd_by_id(kind: str, identifier: int) -> int:
    """A new fd on the object with that id."""
    return _call(_FD_BY_ID[kind], attr(_FD_BY_ID[kind], id=identifier))


def btf_load(data: bytes, token_fd: int = 0) -> tuple[int, str]:
    """Load type information: (fd, ''), or (negative errno, log)."""
    fields: dict[str, int | bytes] = {
        "btf": data,
        "btf_size": len(data),
        "btf_flags": TOKEN_FD if token_fd else 0,
        "btf_token_fd": token_fd,
    }
    fd = attr(Command.BTF_LOAD, **fields).call(Command.BTF_LOAD)
    if fd >= 0:
        return fd, ""
    log = bytearray(1 << 16)
    request = attr(Command.BTF_LOAD, **fields, btf_log_buf=log, btf_log_size=len(log), btf_log_level=1)
    return request.call(Command.BTF_LOAD), text_of(log)


def link_create(kind: str, prog_fd: int, target: int, attach_type: int, flags: int = 0, **tail: int) -> int:
    """Attach a program. ``kind`` is one of attr.LINK_LAYOUTS, ``tail`` its fields; ``target`` an ifindex or an fd."""
    request = link_attr(kind, prog_fd=prog_fd, target=target, attach_type=attach_type, flags=flags, **tail)
    return _call(Command.LINK_CREATE, request)


_REPLACE = 1 << 2


def link_update(fd: int, prog_fd: int, expected_old_fd: int | None = None) -> None:
    """Swap a link's program; EPERM where ``expected_old_fd`` is given and is not the program that it had."""
    request = attr(Command.LINK_UPDATE, link_fd=fd, new_prog_fd=prog_fd)
    if expected_old_fd is not None:
        request.set("flags", _REPLACE)
        request.set("old_prog_fd", expected_old_fd)
    _call(Command.LINK_UPDATE, request)


def link_detach(fd: int) -> None:
    """Detach now; the link object stays."""
    _call(Command.LINK_DETACH, attr(Command.LINK_DETACH, link_fd=fd))


def prog_attach(prog_fd: int, target: int, attach_type: int, flags: int = 0, **order: int) -> None:
    """Attach without a link. ``order``: replace_bpf_fd, relative, expected_revision."""
    command = Command.PROG_ATTACH
    _call(
        command,
        attr(command, target=target, attach_bpf_fd=prog_fd, attach_type=attach_type, attach_flags=flags, **order),
    )


def prog_detach(prog_fd: int, target: int, attach_type: int, flags: int = 0, **order: int) -> None:
    """Undo prog_attach."""
    command = Command.PROG_DETACH
    _call(
        command,
        attr(command, target=target, attach_bpf_fd=prog_fd, attach_type=attach_type, attach_flags=flags, **order),
    )


class HookQuery(NamedTuple):
    """What is attached to a hook, in order: program ids, their link ids (0: none), and the hook's revision."""

    prog_ids: tuple[int, ...]
    link_ids: tuple[int, ...]
    revision: int


def prog_query(target: int, attach_type: int, room: int = 64) -> HookQuery:
    """Who is attached to a tcx, netkit or cgroup hook."""
    programs, links = bytearray(4 * room), bytearray(4 * room)
    request = attr(
        Command.PROG_QUERY, target=target, attach_type=attach_type, prog_ids=programs, link_ids=links, count=room
    )
    request.want("revision")
    _call(Command.PROG_QUERY, request)
    count = request.get("count")
    return HookQuery(
        struct.unpack_from(f"={count}I", programs), struct.unpack_from(f"={count}I", links), request.get("revision")
    )


def token_create(bpffs_fd: int) -> int:
    """A token that passes on what the bpffs instance delegates."""
    return _call(Command.TOKEN_CREATE, attr(Command.TOKEN_CREATE, bpffs_fd=bpffs_fd))
