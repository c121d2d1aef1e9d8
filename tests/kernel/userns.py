"""A user namespace with a bpffs that delegates: root of the machine decides what its root may do, and a token says so.

    child, in namespaces of its own              parent, in the initial ones
    fsopen("bpf") ................ its fd ...... fsconfig: delegate_cmds, delegate_maps, delegate_progs,
                                                 delegate_attachs; create
    fsmount; move_mount on /sys/fs/bpf;
    then it sleeps

Source: kernel/bpf/inode.c of Linux 6.12, bpf_parse_param() and bpf_fill_super(): only the initial root may delegate,
and may make a bpffs for another user namespace; kernel/bpf/token.c, bpf_token_create().
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import traceback
from collections.abc import Iterator, Mapping

from tests.kernel.netns import Side

_LIBC = ctypes.CDLL(None, use_errno=True)
_FSOPEN, _FSCONFIG, _FSMOUNT, _MOVE_MOUNT, _PIDFD_GETFD = 430, 431, 432, 429, 438
_SET_STRING, _CREATE = 1, 6
_MOVE_F_EMPTY_PATH = 4
_NEWUSER, _NEWNS, _NEWNET = 0x10000000, 0x20000, 0x40000000
_MS_PRIVATE = 0x4000 | 1 << 18
KINDS = ("--user", "--net", "--mount")


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    result = int(_LIBC.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}: {os.strerror(ctypes.get_errno())}")
    return result


def _child(to_parent: int, from_parent: int) -> None:
    if _LIBC.unshare(_NEWUSER | _NEWNS | _NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    os.write(to_parent, b"u")
    os.read(from_parent, 1)
    _LIBC.mount(b"none", b"/", None, _MS_PRIVATE, None)
    context = _system_call(_FSOPEN, b"bpf", 0)
    os.write(to_parent, bytes([context]))
    os.read(from_parent, 1)
    mounted = _system_call(_FSMOUNT, context, 0, 0)
    _system_call(_MOVE_MOUNT, mounted, b"", -100, b"/sys/fs/bpf", _MOVE_F_EMPTY_PATH)
    os.write(to_parent, b"m")


def _delegate(child: int, number: int, options: Mapping[str, str]) -> None:
    pidfd = os.pidfd_open(child)
    context = _system_call(_PIDFD_GETFD, pidfd, number, 0)
    try:
        for name, value in options.items():
            _system_call(_FSCONFIG, context, _SET_STRING, name.encode(), value.encode(), 0)
        _system_call(_FSCONFIG, context, _CREATE, None, None, 0)
    finally:
        os.close(context)
        os.close(pidfd)


class Namespace(Side):
    """The namespaces of a child that sleeps; commands enter them as their root."""

    def __init__(self, child: int) -> None:
        self._child = child

    @property
    def enter(self) -> list[str]:
        return ["nsenter", f"--target={self._child}", *KINDS, "--preserve-credentials"]

    def end(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


@contextlib.contextmanager
def delegating(options: Mapping[str, str]) -> Iterator[Namespace]:
    """A namespace whose /sys/fs/bpf delegates what ``options`` say. Raises OSError where this machine refuses."""
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    child = os.fork()
    if not child:
        try:
            _child(to_parent, from_parent)
            while True:
                signal.pause()
        except OSError as error:
            os.write(to_parent, b"!" + bytes([error.errno or errno.EIO]))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    os.close(to_parent)
    os.close(from_parent)
    try:
        _expect(from_child, b"u")
        for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
            with open(f"/proc/{child}/{name}", "w") as file:
                file.write(text)
        os.write(to_child, b"1")
        _delegate(child, os.read(from_child, 1)[0], options)
        os.write(to_child, b"2")
        _expect(from_child, b"m")
        yield Namespace(child)
    finally:
        os.close(from_child)
        os.close(to_child)
        Namespace(child).end()


def _expect(pipe: int, wanted: bytes) -> None:
    answer = os.read(pipe, 1)
    if answer != wanted:
        rest = os.read(pipe, 1) if answer == b"!" else b""
        number = rest[0] if rest else errno.EIO
        raise OSError(number, os.strerror(number))
