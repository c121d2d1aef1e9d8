"""Where the user runtime's pin tree is, whose it is, and the private directory in it.

    ROOT/                     pins and directories, as the user arranges them
    ROOT/.bpf/super           ids handed out so far (ids.py)
    ROOT/.bpf/objs/map7       anchor: a hard link that every live object has (store.py)
    ROOT/.bpf/refs/prog3/     hard links to the objects that prog3 keeps alive (reaper.py)
    ROOT/.bpf/loose/map7      mark: a reaper must look at map7 (marks.py)
    ROOT/.bpf/hooks/eth0/     who is attached to a device (hooks.py)
    ROOT/.bpf/lock, stage/, commit/    several pins at once (publish.py)

No pin can be named ``.bpf``: dots are illegal in pin names. One user is one trust domain: a tree or an object that
belongs to somebody else is refused, also to root, since its bytes would be mapped into this process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from collections.abc import Iterator, Mapping

from toolchain.errors import PinError, PinPlace, RuntimeUnavailable, ToolchainError, Where

PRIVATE = ".bpf"
_PLACES = ("objs", "refs", "stage", "loose", "hooks", "commit")
_PRIVATE_DIRECTORIES = ("", "objs", "refs", "stage", "loose")
_HINTS = {
    errno.EROFS: "remount it writable, or choose another tree with --pin-root",
    errno.ENOSPC: "free space there, or choose another tree with --pin-root",
    errno.EDQUOT: "raise the quota, or choose another tree with --pin-root",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close some files; the system's limit is reached",
    errno.ENOMEM: "free memory",
}
"""Errnos that mean the place, not the request, is at fault, and what to do about each."""


def resolve_pin_root(option: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The root of the pin tree: ``option``, else $BPF_PIN_ROOT, else $XDG_RUNTIME_DIR/bpf, else /dev/shm/bpf-<uid>.

    Raises: RuntimeUnavailable for a relative one where the working directory was removed.
    """
    environ = os.environ if environ is None else environ
    named = option or environ.get("BPF_PIN_ROOT")
    if named:
        try:
            return os.path.abspath(named)
        except OSError as error:
            raise _unavailable(error, "the working directory cannot be found", PinPlace(named)) from error
    runtime_dir = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime_dir) and _is_own_directory(runtime_dir):
        return os.path.join(runtime_dir, "bpf")
    return f"/dev/shm/bpf-{os.geteuid()}"


def _is_own_directory(path: str) -> bool:
    """Whether it is one, and this user's: sudo may leave another's in the environment."""
    return os.path.isdir(path) and os.stat(path).st_uid == os.geteuid()


def check_root(root: str) -> bool:
    """Whether the root exists. Raises RuntimeUnavailable if it exists and must not be used.

    So does a private directory that is a link: what it leads to would be taken for the tree's own, cleaned and locked.
    """
    try:
        status = os.lstat(root)
        if stat.S_ISLNK(status.st_mode):  # one that somebody else made in a directory of all would lead us anywhere
            require_own(status, "link to the pin root", PinPlace(root))
            status = os.stat(root)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unavailable(error, "cannot use the pin root", PinPlace(root)) from error
    if not stat.S_ISDIR(status.st_mode):
        hint = "choose another with --pin-root"
        raise RuntimeUnavailable("pin root is not a directory", errno.ENOTDIR, PinPlace(root), hint)
    require_own(status, "pin root", PinPlace(root))
    if status.st_mode & stat.S_IWOTH:
        raise RuntimeUnavailable(
            f"pin root may be written by everybody: mode {stat.S_IMODE(status.st_mode):04o} (0700)",
            errno.EPERM, PinPlace(root), "chmod o-w it, or choose another with --pin-root",
        )  # fmt: skip
    private = os.path.join(root, PRIVATE)
    try:
        _require_directory(os.lstat(private), private)
    except FileNotFoundError:
        pass
    except OSError as error:  # as in a file system that takes no such name
        raise _unavailable(error, "cannot use the pin root", PinPlace(private)) from error
    return True


def prepare_root(root: str) -> None:
    """Make root and private directories where they are missing, mode 0700. Raises RuntimeUnavailable."""
    try:
        if not check_root(root):
            os.makedirs(root, 0o700, exist_ok=True)
            close_to_others(root)
            check_root(root)
        for name in _PRIVATE_DIRECTORIES:
            path = os.path.join(root, PRIVATE, name).rstrip("/")  # behind a slash a link would be followed
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            _check_private(path)
    except OSError as error:
        raise _unavailable(error, "cannot make the pin tree", PinPlace(root)) from error


def make_directory(path: str) -> None:
    """Make a directory of mode 0700, whatever the umask. Raises OSError."""
    os.mkdir(path, 0o700)
    close_to_others(path)


def close_to_others(path: str) -> None:
    """Mode 0700, whatever a umask left. Of the directory itself: who owns the one above may swap it for a link.

    Raises: OSError, ELOOP or ENOTDIR for a link.
    """
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o700:
            os.chmod(f"/proc/self/fd/{descriptor}", 0o700)
    finally:
        os.close(descriptor)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of ``data``: a file system may take less at once, at its end or at a limit. Raises OSError."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


def require_places(root: str) -> None:
    """Raise RuntimeUnavailable where a link stands in one of the tree's own places: what it leads to is not ours."""
    for name in _PLACES:
        path = os.path.join(root, PRIVATE, name)
        if os.path.islink(path):
            hint = "remove it; 'bpf-load pin fsck --repair' does, and makes what is missing"
            raise RuntimeUnavailable("a link where the pin tree keeps its own", errno.ELOOP, PinPlace(path), hint)


def names_in(directory: str) -> list[str]:
    """The names in one of the tree's own directories; none where it is missing or is none, as the check says.

    Nor is a link one: what it leads to is not ours.
    """
    with missing_is_empty():
        return os.listdir(directory) if not os.path.islink(directory.rstrip("/")) else []
    return []


@contextlib.contextmanager
def missing_is_empty() -> Iterator[None]:
    """A directory that is not there, or is none, has nothing in it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise


def _require_directory(status: os.stat_result, path: str) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise RuntimeUnavailable(
            "not a directory where the pin tree keeps its own", errno.ENOTDIR, PinPlace(path), "remove it"
        )


def _check_private(path: str) -> None:
    status = os.lstat(path)
    _require_directory(status, path)
    require_own(status, "private directory of the pin tree", PinPlace(path))
    if stat.S_IMODE(status.st_mode) != 0o700:  # a umask
        close_to_others(path)


def require_own(status: os.stat_result, what: str, where: Where) -> None:
    """Raise RuntimeUnavailable, naming the owner, unless the file is this user's."""
    uid = os.geteuid()
    if status.st_uid != uid:
        raise RuntimeUnavailable(
            f"{what} belongs to another user: {user_name(status.st_uid)} (this is {user_name(uid)})",
            errno.EPERM, where, "run as its owner, or choose another tree with --pin-root",
        )  # fmt: skip


def user_name(uid: int) -> str:
    """``uid 1000 (alice)``, or ``uid 1000`` where it has no name."""
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"


def translated(error: OSError, what: str, where: Where) -> ToolchainError:
    """An OSError of the file system as bpffs would answer, or as RuntimeUnavailable where the place is at fault."""
    number = error.errno or errno.EIO
    if number in _HINTS:
        return _unavailable(error, what, where)
    if number == errno.EXDEV:
        number = errno.EPERM
    return PinError(what, number, where)


def _unavailable(error: OSError, what: str, where: Where) -> RuntimeUnavailable:
    number = error.errno or errno.EIO
    return RuntimeUnavailable(what, number, where, _HINTS.get(number, "choose another tree with --pin-root"))
