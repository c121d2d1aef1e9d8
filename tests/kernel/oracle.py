"""A small bpf(2) for tests: the live kernel as an oracle for verdicts, messages and runs.

Each call is one system call on ``union bpf_attr``; a failure raises OSError with the kernel's errno. ``prog_load`` does
not raise: a refusal is an answer. File descriptors are plain integers, closed by the caller (``closing`` helps).

Source: include/uapi/linux/bpf.h (union bpf_attr), man 2 bpf.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
ATTR_SIZE = 152
MAP_CREATE, LOOKUP, UPDATE, DELETE, NEXT_KEY, PROG_LOAD, PIN, GET, TEST_RUN = 0, 1, 2, 3, 4, 5, 6, 7, 10
INFO_BY_FD, BTF_LOAD, FREEZE = 15, 18, 22
LOG_SIZE = 1 << 24

_libc = ctypes.CDLL(None, use_errno=True)


class Verdict(NamedTuple):
    """The kernel's answer to a program. ``message`` is the verifier's last useful line, '' where it wrote none."""

    accepted: bool
    errno: int
    message: str
    log: str
    processed: int = -1

    @property
    def name(self) -> str:
        return "accept" if self.accepted else "reject"


def bpf(command: int, attr: bytes) -> int:
    """One bpf(2); returns its result or raises OSError."""
    buffer = ctypes.create_string_buffer(attr.ljust(ATTR_SIZE, b"\0"), max(ATTR_SIZE, len(attr)))
    result = _libc.syscall(ctypes.c_long(_SYSCALL[platform.machine()]), ctypes.c_long(command), buffer, len(buffer))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


@functools.cache
def _log_buffer() -> ctypes.Array[ctypes.c_char]:
    """One log buffer for all loads: clearing 16 MB costs more than most verifications."""
    return ctypes.create_string_buffer(LOG_SIZE)


def _address(buffer: ctypes.Array[ctypes.c_char] | None) -> int:
    return 0 if buffer is None else ctypes.addressof(buffer)


def _buffer(data: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(data, max(len(data), 1))


@functools.cache
def why_unavailable() -> str:
    """'' where this process may load programs, else the reason, for a skip."""
    if platform.machine() not in _SYSCALL:
        return f"bpf(2) number unknown on {platform.machine()}"
    try:
        os.close(map_create(2, 4, 4, 1))
        verdict, fd = prog_load(1, bytes.fromhex("b7000000000000009500000000000000"))
    except OSError as error:
        return f"bpf(2) refused: {error}"
    if fd >= 0:
        os.close(fd)
    return "" if verdict.accepted else f"bpf(2) refused a trivial program: errno {verdict.errno}"


@contextmanager
def closing(*fds: int) -> Iterator[None]:
    """Close ``fds`` at the end; negative ones are skipped."""
    try:
        yield
    finally:
        for fd in fds:
            if fd >= 0:
                os.close(fd)


def map_create(
    map_type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    inner_fd: int = 0,
    name: str = "",
    btf: tuple[int, int, int] = (0, 0, 0),
    map_extra: int = 0,
) -> int:
    """A new map's fd. ``btf`` is (fd of the type information, key type, value type)."""
    head = struct.pack("<IIIIII", map_type, key_size, value_size, max_entries, flags, inner_fd)
    tail = struct.pack("<I16sIIIIIQ", 0, name.encode()[:15], 0, *btf, 0, map_extra)
    return bpf(MAP_CREATE, head + tail)


def _element(fd: int, key: bytes, value: ctypes.Array[ctypes.c_char] | None, flags: int, command: int) -> int:
    held = _buffer(key)
    return bpf(command, struct.pack("<I4xQQQ", fd, _address(held), _address(value), flags))


def map_update(fd: int, key: bytes, value: bytes, flags: int = 0) -> None:
    """Set one element."""
    _element(fd, key, _buffer(value), flags, UPDATE)


def map_lookup(fd: int, key: bytes, value_size: int) -> bytes:
    """One element; OSError ENOENT where there is none."""
    value = ctypes.create_string_buffer(value_size)
    _element(fd, key, value, 0, LOOKUP)
    return value.raw


def map_delete(fd: int, key: bytes) -> None:
    """Remove one element."""
    _element(fd, key, None, 0, DELETE)


def map_freeze(fd: int) -> None:
    """No more writes from user space."""
    bpf(FREEZE, struct.pack("<I", fd))


def btf_load(data: bytes) -> int:
    """Type information's fd."""
    held = _buffer(data)
    return bpf(BTF_LOAD, struct.pack("<QQII", _address(held), 0, len(data), 0))


def prog_load(
    prog_type: int,
    code: bytes,
    licence: str = "GPL",
    expected_attach_type: int = 0,
    flags: int = 0,
    log_level: int = 1,
    name: str = "",
    btf_fd: int = 0,
    func_info: bytes = b"",
    line_info: bytes = b"",
    attach_btf_id: int = 0,
    kernel_version: int = 0,
) -> tuple[Verdict, int]:
    """The verdict on ``code`` (8 bytes a slot, map fds in place) and the program's fd, -1 where it was refused.

    ``log_level`` as in bpf(2): 1 what failed, 2 every instruction, 4 statistics; 0 no log.
    """
    answer = functools.partial(
        prog_load, prog_type, code, licence, expected_attach_type, flags, name=name, btf_fd=btf_fd, func_info=func_info
    )
    held, text = _buffer(code), _buffer(licence.encode() + b"\0")
    functions, lines = _buffer(func_info), _buffer(line_info)
    log = _log_buffer() if log_level else None
    if log:
        log[0] = b"\0"
    attr = struct.pack(
        "<IIQQIIQII16sII",
        *(prog_type, len(code) // 8, _address(held), _address(text)),
        *(log_level, LOG_SIZE if log else 0, _address(log), kernel_version, flags, name.encode()[:15], 0),
        expected_attach_type,
    )
    attr += struct.pack(
        "<IIQIIQII",
        *(btf_fd, 8, _address(functions) if func_info else 0, len(func_info) // 8, 16),
        *(_address(lines) if line_info else 0, len(line_info) // 16, attach_btf_id),
    )
    try:
        fd, code_of_error = bpf(PROG_LOAD, attr), 0
    except OSError as error:
        fd, code_of_error = -1, error.errno or 0
    if code_of_error == errno.ENOSPC and log_level & 3:  # the log did not fit: the figures alone do
        return answer(log_level=4, line_info=line_info, attach_btf_id=attach_btf_id, kernel_version=kernel_version)
    written = log.value.decode("latin-1") if log else ""
    found = re.search(r"processed (\d+) insns \(limit", written)
    message = "" if fd >= 0 else last_line(written)
    return Verdict(fd >= 0, code_of_error, message, written, int(found[1]) if found else -1), fd


_NOT_THE_REASON = re.compile(
    r"processed \d+ insns|verification time|stack depth|max_states|mark_precise|-- END|arg#\d+ (no|reference)|"
    r"from \d+ to |cur state: |old state: |"
    r"\d+: (R\d|\(|frame\d)|;|(last_idx|first_idx|parent state|regs=)|Live regs before insn|\s+\d+: "
)


def last_line(log: str) -> str:
    """The line of a verifier log that says why it refused."""
    lines = log.splitlines()
    for line in lines[-4:]:  # this one may stand at the end of an instruction's line, with two states after it
        if found := re.search(r"infinite loop detected at insn \d+", line):
            return found[0]
    for line in reversed(lines):
        if line.strip() and not _NOT_THE_REASON.match(line):
            return re.sub(r"processed \d+ insns \(limit.*$", "", line)  # some reasons end without a new line
    return ""


def run(fd: int, data: bytes = b"", repeat: int = 1, ctx: bytes = b"", room: int = 4096) -> tuple[int, bytes]:
    """BPF_PROG_TEST_RUN: the return value (unsigned 32 bits) and the packet afterwards."""
    return run_with_ctx(fd, data, ctx, repeat, room)[:2]


def run_with_ctx(fd: int, data: bytes, ctx: bytes = b"", repeat: int = 1, room: int = 4096) -> tuple[int, bytes, bytes]:
    """The same, and the context afterwards (b'' where ``ctx`` is)."""
    held, context = _buffer(data), _buffer(ctx)
    out, ctx_out = ctypes.create_string_buffer(len(data) + room), ctypes.create_string_buffer(max(len(ctx), 1))
    attr = bytearray(
        struct.pack(
            "<IIIIQQIIIIQQ",
            *(fd, 0, len(data), len(out) if data else 0, _address(held) if data else 0, _address(out) if data else 0),
            *(repeat, 0, len(ctx), len(ctx), _address(context) if ctx else 0, _address(ctx_out) if ctx else 0),
        )
    )
    # The results come back in the attribute itself, so this call keeps its own buffer.
    buffer = ctypes.create_string_buffer(bytes(attr).ljust(ATTR_SIZE, b"\0"), ATTR_SIZE)
    if _libc.syscall(ctypes.c_long(_SYSCALL[platform.machine()]), ctypes.c_long(TEST_RUN), buffer, ATTR_SIZE) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    retval, _size_in, size_out = struct.unpack_from("<III", buffer.raw, 4)
    return retval, out.raw[: size_out if data else 0], ctx_out.raw[: len(ctx)]


def obj_pin(fd: int, path: str) -> None:
    """Pin an object at a path of a bpffs."""
    held = _buffer(path.encode() + b"\0")
    bpf(PIN, struct.pack("<QII", _address(held), fd, 0))


def obj_get(path: str) -> int:
    """The fd of what is pinned at ``path``."""
    held = _buffer(path.encode() + b"\0")
    return bpf(GET, struct.pack("<QII", _address(held), 0, 0))


def info(fd: int, size: int = 256) -> bytes:
    """BPF_OBJ_GET_INFO_BY_FD: the raw ``struct bpf_*_info``."""
    out = ctypes.create_string_buffer(size)
    bpf(INFO_BY_FD, struct.pack("<IIQ", fd, size, _address(out)))
    return out.raw


def with_map_fds(code: bytes, fds: Sequence[int]) -> bytes:
    """``code`` whose wide loads name maps by index (src 5 and 6), with ``fds`` in their place (src 1 and 2)."""
    slots = bytearray(code)
    at = 0
    while at < len(slots):
        wide = slots[at] == 0x18
        if wide and slots[at + 1] >> 4 in (5, 6):
            slots[at + 1] = (slots[at + 1] & 15) | ((slots[at + 1] >> 4) - 4) << 4
            struct.pack_into("<i", slots, at + 4, fds[struct.unpack_from("<i", slots, at + 4)[0]])
        at += 16 if wide else 8
    return bytes(slots)
