"""What a pin tree and its links answer, in a small language that runs on both runtimes. One line, one answer:

    make NAME map|prog              a handle that nothing pins          close NAME      id NAME (by id: alive, or not)
    pin NAME PATH [OPTION..]        get NAME PATH [OPTION..]            unpin PATH
        rdonly wronly flags=N       flags of bpf(2); at=DIR: relative to a directory's fd, fd=DIR: its flag unset
    pinfd -1|stdin|dir|btf PATH     what is no object
    set NAME, look NAME             write and read the element of a map
    attach LINK PROG [first|last|before|after [prog|link NAME]] [revision N] [on HOOK] [dev NAME]    default: ingress
    update LINK PROG [old PROG]     detach LINK     info LINK    show [HOOK]    open LINK OTHER (by id, as OTHER)
    killed NAME map|prog|link|user [PATH]   as make and pin, in a process that is killed; user: a program and NAME.map
    mkdir rmdir symlink hardlink rename exchange noreplace creat tmpfile mknod mkfifo chmod chown utime truncate xattr
    flock openfile                  the system calls, on paths in the tree
    stat PATH mode|size|nlink       same PATH PATH (one inode)      exists PATH
    umask N     remount ro|rw       umount     mount OPTIONS (another file system; its options)     token
    other COMMAND                   in a second tree; other: before a path names it too
    as UID COMMAND & COMMAND        in a process of that user; the first answer that is not ok, else the last
    raw WORDS                       what only bpf(2) can be asked

An answer is ``ok``, an errno's name, or what is shown; ``none`` where a runtime has nothing of the kind. Programs that
are there already: a b c d (sched_cls), x y (xdp), s (socket_filter). In paths ``{N}`` is a name of N bytes, ``""`` no
path; escapes are Python's.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import shlex
import signal
import stat
import struct
import time

from tests.vm.vectors import Vector
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import Order
from toolchain.spec.stages import BoundProgram

PROGRAMS = {
    **dict.fromkeys("abcd", ProgType.SCHED_CLS),
    **dict.fromkeys("xy", ProgType.XDP),
    "s": ProgType.SOCKET_FILTER,
}
SPEC = MapSpec("m", MapType.ARRAY, 4, 8, 1)
RDONLY, WRONLY, PATH_FD = 1 << 3, 1 << 4, 1 << 14
_RENAME_FLAGS = {"noreplace": 1, "exchange": 2}
_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100


class NoCounterpart(Exception):
    """This runtime has nothing of the kind."""


class World:
    """A tree of a runtime, and its objects by name. ``patience``: seconds until what was told has come to pass."""

    patience = 0.0

    def __init__(self, runtime, device: str, attach, query) -> None:
        self.runtime, self.device, self.root = runtime, device, runtime.pin_root
        self._attach, self._query = attach, query
        self.second: World | None = None
        self.links: dict = {}
        self.programs = {name: self.program(name, kind) for name, kind in PROGRAMS.items()}
        self.names = {handle.id: name for name, handle in self.programs.items()}

    def program(self, name, kind):
        bound = BoundProgram.unpinned(Vector(name, prog_type=kind, text="r0 = 2\nexit").linked())
        if self.runtime.takes_verified:
            from toolchain.verifier import verify

            return self.runtime.prog_load(verify(bound), [])
        return self.runtime.prog_load(bound, [])

    def answer(self, line: str) -> str:
        """What a command gives."""
        verb, *words = _words(line)
        try:
            found = getattr(self, f"do_{verb}")(*words)
        except (NoCounterpart, KeyError):  # KeyError: a name that an earlier refusal left without a handle
            return "none"
        except Exception as error:
            if not isinstance(getattr(error, "errno", None), int):
                raise
            return "EOPNOTSUPP" if error.errno == errno.EOPNOTSUPP else errno.errorcode[error.errno]
        return found if isinstance(found, str) else "ok"

    def place(self, path: str) -> str:
        """Where a path is, for a system call."""
        if path.startswith("other:"):
            assert self.second is not None
            return os.path.join(self.second.root, path.removeprefix("other:"))
        return os.path.join(self.root, path) if path else ""

    def close(self) -> None:
        for handle in (*self.links.values(), *self.programs.values()):
            handle.close()

    # objects and pins

    def do_make(self, name, kind):
        self.links[name] = self.made(kind)

    def made(self, kind):
        if kind == "map":
            return self.runtime.map_create(SPEC)
        if kind == "link":
            return self._attach(self.programs["a"], self.device, "ingress", Order())
        return self.program("p", ProgType.SOCKET_FILTER)

    def do_pin(self, name, path, *options):
        self.pin(self._handle(name), path, *_options(options))

    def do_get(self, name, path, *options):
        self.links[name] = self.get(path, *_options(options))

    def do_pinfd(self, what, path):
        self.pin(_Number(what, self), path, 0, "", False)

    def do_unpin(self, path):
        self.runtime.unpin(path)

    def do_set(self, name):
        self.links[name].update(bytes(4), bytes(8))

    def do_look(self, name):
        self.links[name].lookup(bytes(4))

    def do_close(self, name):
        self.links.pop(name).close()

    def do_id(self, name):
        handle = self.links[name]
        kind = handle.kind if isinstance(handle, Gone) else _kind(handle)
        self.by_id(kind, handle.id).close()
        return "alive"

    def by_id(self, kind, number):
        return {"map": self.runtime.map_by_id, "prog": self.runtime.prog_by_id, "link": self.runtime.link_by_id}[kind](
            number
        )

    def do_killed(self, name, kind, path=""):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                handle, used = self._user_of_a_map() if kind == "user" else (self.made(kind), None)
                if path:
                    self.pin(handle, path, 0, "", False)
                os.write(writer, struct.pack("=QQ", handle.id, used.id if used else 0))
                signal.pause()
            finally:
                os._exit(1)
        os.close(writer)
        number, used_id = struct.unpack("=QQ", os.read(reader, 16) or bytes(16))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        assert number, f"the process that makes a {kind} failed"
        self.links[name] = Gone("prog" if kind == "user" else kind, number)
        self.links[f"{name}.map"] = Gone("map", used_id)

    def _user_of_a_map(self):
        """A program, and a map that it uses."""
        vector = Vector("p", prog_type=ProgType.SOCKET_FILTER, text="r1 = m ll\nr0 = 0\nexit", maps=(SPEC,))
        bound = BoundProgram.unpinned(vector.linked())
        used = self.made("map")
        if self.runtime.takes_verified:
            from toolchain.verifier import verify

            return self.runtime.prog_load(verify(bound), [used]), used
        return self.runtime.prog_load(bound, [used]), used

    def pin(self, handle, path, flags, directory, is_at):
        raise NotImplementedError

    def get(self, path, flags, directory, is_at):
        raise NotImplementedError

    def _handle(self, name):
        return self.links[name] if name in self.links else self.programs[name]

    # links

    def do_attach(self, link, program, *words):
        fields, hook, device, rest = {}, "ingress", self.device, list(words)
        while rest:
            word = rest.pop(0)
            if word == "on":
                hook = rest.pop(0)
            elif word == "dev":
                device = rest.pop(0)
            elif word == "revision":
                fields["revision"] = int(rest.pop(0))
            elif word in ("prog", "link"):
                named = (self.links if word == "link" else self.programs)[rest.pop(0)]
                fields |= {"relative_id": named.id, "is_link": word == "link"}
            else:
                fields["is_before" if word in ("first", "before") else "is_after"] = True
        handle = _Number("-1", self) if program == "-1" else self.programs[program]
        self.links[link] = self._attach(handle, device, hook, Order(**fields))

    def do_update(self, link, program, old="", expected=""):
        assert old in ("", "old")
        self.links[link].update(self.programs[program], self.programs[expected] if expected else None)

    def do_detach(self, link):
        self.links[link].detach()

    def do_info(self, link):
        is_attached, prog_id = self.state(self.links[link].info())
        return f"{'attached' if is_attached else 'detached'} {self.names[prog_id]}"

    @staticmethod
    def state(info):
        """(is attached, program's id) of a link's information."""
        return info.is_attached, info.prog_id

    def do_open(self, link, other):
        self.links[other] = self.runtime.link_by_id(self.links[link].id)

    def do_show(self, hook="ingress"):
        revision, prog_ids = self._query(self.device, hook)
        return " ".join([f"revision {revision}:", *(self.names[each] for each in prog_ids)])

    # files

    def do_mkdir(self, path):
        os.mkdir(self.place(path))

    def do_rmdir(self, path):
        os.rmdir(self.place(path))

    def do_symlink(self, target, path):
        os.symlink(target, self.place(path))

    def do_hardlink(self, old, new):
        os.link(self.place(old), self.place(new))

    def do_rename(self, old, new):
        os.rename(self.place(old), self.place(new))

    def do_noreplace(self, old, new):
        self._renameat2(old, new, "noreplace")

    def do_exchange(self, old, new):
        self._renameat2(old, new, "exchange")

    def _renameat2(self, old, new, how):
        paths = [os.fsencode(self.place(each)) for each in (old, new)]
        if _LIBC.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_FLAGS[how]):
            raise OSError(ctypes.get_errno(), how)

    def do_openfile(self, path, flags="r"):
        os.close(os.open(self.place(path), {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[flags]))

    def do_creat(self, path):
        os.close(os.open(self.place(path), os.O_WRONLY | os.O_CREAT, 0o600))

    def do_tmpfile(self, path):
        os.close(os.open(self.place(path), os.O_TMPFILE | os.O_RDWR, 0o600))

    def do_mknod(self, path):
        os.mknod(self.place(path), 0o600 | stat.S_IFREG)

    def do_mkfifo(self, path):
        os.mkfifo(self.place(path))

    def do_chmod(self, path, mode):
        os.chmod(self.place(path), int(mode, 8))

    def do_chown(self, path, uid):
        os.chown(self.place(path), int(uid), int(uid))

    def do_utime(self, path):
        os.utime(self.place(path), (1, 1))

    def do_truncate(self, path, size):
        os.truncate(self.place(path), int(size))

    def do_xattr(self, path):
        os.setxattr(self.place(path), "user.x", b"1")

    def do_flock(self, path):
        descriptor = os.open(self.place(path), os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)

    def do_stat(self, path, field):
        found = os.stat(self.place(path))
        return {
            "mode": f"{stat.S_IMODE(found.st_mode):04o}",
            "size": "0" if not found.st_size else "more",
            "nlink": str(found.st_nlink),
            "uid": str(found.st_uid),
        }[field]

    def do_same(self, one, other):
        return "yes" if os.path.samefile(self.place(one), self.place(other)) else "no"

    def do_exists(self, path):
        return "yes" if os.path.lexists(self.place(path)) else "no"

    # the process and its file systems

    def do_umask(self, mask):
        os.umask(int(mask, 8))

    def do_remount(self, how):
        mount("none", self.root, "", 32 | (1 if how == "ro" else 0))

    def do_umount(self):
        if _LIBC.umount2(os.fsencode(self.root), 0):
            raise OSError(ctypes.get_errno(), "umount")

    def do_mount(self, options):
        raise NoCounterpart

    def do_token(self):
        raise NoCounterpart

    def do_raw(self, *words):
        raise NoCounterpart

    def do_other(self, *words):
        assert self.second is not None
        self.second.links = self.links
        return self.second.answer(shlex.join(words))

    def do_as(self, uid, *words):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            given = "no answer"
            try:
                os.setgroups([])
                os.setresgid(int(uid), int(uid), int(uid))
                os.setresuid(int(uid), int(uid), int(uid))
                for line in " ".join(each if each == "&" else shlex.quote(each) for each in words).split(" & "):
                    given = self.answer(line)
                    if given != "ok":
                        break
            finally:
                os.write(writer, given.encode())
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            return pipe.read().decode()


class Gone:
    """What is left of a handle whose process was killed."""

    def __init__(self, kind: str, number: int) -> None:
        self.kind, self.id = kind, number

    def close(self) -> None:
        """There is nothing to let go."""


class _Number:
    """A file descriptor that is no object of bpf(2)."""

    id = 0

    def __init__(self, what: str, world: World) -> None:
        if what == "dir":
            self._fd = os.open(world.root, os.O_RDONLY)
        elif what == "btf":
            self._fd = world.btf_fd()
        else:
            self._fd = 0 if what == "stdin" else -1

    def fileno(self) -> int:
        return self._fd


def mount(source: str, place: str, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    if _LIBC.mount(source.encode(), os.fsencode(place), kind.encode() or None, flags, options.encode() or None):
        raise OSError(ctypes.get_errno(), "mount")


def wait_for(world: World, line: str, expected: str) -> str:
    """The answer to a question; where things come to pass a little later, until it is the expected one."""
    given, until = world.answer(line), time.monotonic() + world.patience
    while given != expected and line.split()[0] in ("show", "id") and time.monotonic() < until:
        time.sleep(0.005)
        given = world.answer(line)
    return given


def _words(line: str) -> list[str]:
    expanded = re.sub(r"\{(\d+)\}", lambda found: "n" * int(found[1]), line)
    return [word.encode("latin-1", "backslashreplace").decode("unicode_escape") for word in shlex.split(expanded)]


def _options(words) -> tuple[int, str, bool]:
    """(flags, directory, whether BPF_F_PATH_FD is to be set)."""
    flags, directory, is_at = 0, "", False
    for word in words:
        name, _, value = word.partition("=")
        if name == "flags":
            flags |= int(value, 0)
        elif name in ("at", "fd"):
            directory, is_at = value, name == "at"
        else:
            flags |= {"rdonly": RDONLY, "wronly": WRONLY}[name]
    return flags, directory, is_at


def _kind(handle) -> str:
    if hasattr(handle, "kind"):
        return handle.kind
    return "map" if hasattr(handle, "next_key") else "prog"
