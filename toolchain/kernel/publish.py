"""Several pins at once, in a file system that pins one at a time: a journal made of directories and links.

bpf(2) pins one object a call, and a process may be killed between two. But a bpffs has rename(2) of directories,
link(2) and symlink(2), each of which happens or does not:

    ROOT/publishing-UID/staged-PID-N/     0, 1, ...   the objects, pinned         killed here: the next command
                                     to-0, to-1, ...  symbolic links, to PATH     removes them (undone)
                                     old-1, ...       whose pin is taken over
      | rename: from here on it will happen
    ROOT/publishing-UID/commit-PID-N/     each is linked to its PATH: renamed     killed here: the next command
                                          over the old one, else in nobody's      links the rest (finished)
                                          place
      | rename: it has happened
    ROOT/publishing-UID/done-PID-N/       what is left to remove

The publisher holds a lock on its directory (flock: it ends with the process), so what nobody locks is what somebody
left. Directories of other users are never looked into: their links may lead anywhere. Where somebody else's directory
stands in our place, or where this user may not write into ROOT, pins are made one by one: all or none, unless killed.

Source: kernel/bpf/inode.c of Linux 6.12, bpf_dir_iops: simple_link, simple_rename, bpf_symlink.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence

from toolchain.kernel import calls
from toolchain.kernel.bpffs import journal_name
from toolchain.kernel.calls import BpfCallError

_ATTEMPTS = 1000
_STAGED, _COMMIT, _DONE = "staged", "commit", "done"


class PublishError(Exception):
    """A path that could not be pinned, and the errno. Never leaves this folder."""

    def __init__(self, path: str, number: int) -> None:
        super().__init__(path, number)
        self.path = path
        self.errno = number


def publish(root: str, pins: Sequence[tuple[int, str]], swaps: Sequence[tuple[int, str]] = ()) -> None:
    """Pin several fds, each at its path below ``root``: all or none, also if killed meanwhile.

    ``pins`` go where nothing is, ``swaps`` take over what is pinned there, by one rename each.

    Raises: PublishError.
    """
    base = os.path.join(root, journal_name())
    if (len(pins) < 2 and not swaps) or not _make_base(base):
        _publish_one_by_one(root, pins, swaps)
        return
    place, lock = _new_directory(base)
    try:
        try:
            for number, (fd, path) in enumerate([*swaps, *pins]):
                if number < len(swaps):
                    _link(os.path.join(root, path), os.path.join(place, f"old-{number}"), path)
                _pin(fd, os.path.join(place, str(number)), path)
                if number < len(swaps):
                    _make_like(os.path.join(place, f"old-{number}"), os.path.join(place, str(number)))
                _note(path, os.path.join(place, f"to-{number}"))
            place = _become(place, _COMMIT)
            try:
                _finish(root, place)
            finally:
                place = _become(place, _DONE)
        finally:
            _remove(place)
    except OSError as error:
        raise PublishError(error.filename or base, error.errno or errno.EIO) from error
    finally:
        os.close(lock)
        _remove_if_empty(base)


def recover(root: str) -> None:
    """Finish or undo what killed processes of this user left. What cannot be done now stays for the next command."""
    base = os.path.join(root, journal_name())
    if not os.path.lexists(base) or not _is_ours(base):
        return
    with contextlib.suppress(OSError):
        for name in os.listdir(base):
            _recover_one(root, os.path.join(base, name))
    _remove_if_empty(base)


def _recover_one(root: str, place: str) -> None:
    with contextlib.suppress(OSError), _locked_if_left(place):
        if os.path.basename(place).startswith(_COMMIT):
            with contextlib.suppress(PublishError, OSError):
                _finish(root, place)
            place = _become(place, _DONE)
        _remove(place)


@contextlib.contextmanager
def _locked_if_left(place: str) -> Iterator[None]:
    """The lock of a directory that nobody holds. Raises OSError where somebody does, or it has moved on."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_same(descriptor, place):
            raise OSError(errno.ESTALE, "moved", place)
        yield
    finally:
        os.close(descriptor)


def _finish(root: str, place: str) -> None:
    """Link every object to its path. Where one path is taken by another object, none is left. Raises PublishError."""
    targets = {each: os.readlink(os.path.join(place, f"to-{each}")) for each in _numbers(place)}
    for number, path in targets.items():
        try:
            _put(place, number, os.path.join(root, path), path)
        except PublishError:
            for other, elsewhere in targets.items():
                with contextlib.suppress(PublishError, OSError):
                    _take_back(place, other, os.path.join(root, elsewhere))
            raise


def _put(place: str, number: str, target: str, path: str) -> None:
    """The object of that number at its path, where it may be already."""
    own, old = os.path.join(place, number), os.path.join(place, f"old-{number}")
    if _is_same_file(own, target):
        return
    if not os.path.lexists(old):
        _link(own, target, path)
    elif _is_same_file(old, target):
        _link_over(own, target, path)
    else:
        raise PublishError(path, errno.EEXIST)


def _take_back(place: str, number: str, target: str) -> None:
    """What stood at the path before, where our object stands there now."""
    own, old = os.path.join(place, number), os.path.join(place, f"old-{number}")
    if not _is_same_file(own, target):
        return
    if os.path.lexists(old):
        _link_over(old, target, target)
    else:
        os.unlink(target)


def _note(path: str, place: str) -> None:
    try:
        os.symlink(path, place)
    except OSError as error:
        raise PublishError(path, error.errno or errno.EIO) from error


def _link(source: str, target: str, path: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        raise PublishError(path, error.errno or errno.EIO) from error


def _link_over(source: str, target: str, path: str) -> None:
    """Another name of ``source``, renamed over ``target``: in one step."""
    beside = f"{source}-over"
    _remove_file(beside)
    _link(source, beside, path)
    _rename(beside, target, path)


def _numbers(place: str) -> list[str]:
    return sorted((name for name in os.listdir(place) if name.isdecimal()), key=int)


def _remove(place: str) -> None:
    """The directory with all in it."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(place)):
            os.unlink(os.path.join(place, name))
        os.rmdir(place)


def _make_like(old: str, new: str) -> None:
    """Mode and owner of the pin that gives way, where we may give them: they are the pin's, not the object's."""
    status = os.lstat(old)
    with contextlib.suppress(PermissionError):
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(new, status.st_uid, status.st_gid)
    with contextlib.suppress(OSError):
        os.chmod(new, stat.S_IMODE(status.st_mode))


def _become(place: str, state: str) -> str:
    """The directory under the name of another state."""
    name = os.path.basename(place).partition("-")[2]
    after = os.path.join(os.path.dirname(place), f"{state}-{name}")
    os.rename(place, after)
    return after


def _make_base(base: str) -> bool:
    """There is a directory of ours for journals; made if need be."""
    with contextlib.suppress(OSError):
        os.mkdir(base, 0o700)
    return _is_ours(base)


def _new_directory(base: str) -> tuple[str, int]:
    """A new directory for what is staged, and its lock. Raises PublishError."""
    for attempt in range(_ATTEMPTS):
        place = os.path.join(base, f"{_STAGED}-{os.getpid()}-{attempt}")
        try:
            _make_base(base)
            os.mkdir(place, 0o700)
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOENT):
                continue
            raise PublishError(base, error.errno or errno.EIO) from error
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_same(descriptor, place):
            return place, descriptor
        os.close(descriptor)
    raise PublishError(base, errno.EAGAIN)


def _publish_one_by_one(root: str, pins: Sequence[tuple[int, str]], swaps: Sequence[tuple[int, str]]) -> None:
    """The same without a journal: an error undoes what was done, a kill does not."""
    with contextlib.ExitStack() as rest, contextlib.ExitStack() as undo:
        for number, (fd, path) in enumerate(swaps):
            target = os.path.join(root, path)
            old, new = (os.path.join(os.path.dirname(target), f"{kind}-{os.getpid()}-{number}") for kind in _BESIDE)
            _link(target, old, path)
            rest.callback(_remove_file, old)
            _pin(fd, new, path)
            rest.callback(_remove_file, new)
            _make_like(old, new)
            _rename(new, target, path)
            undo.callback(_rename, old, target, path)
        for fd, path in pins:
            _pin(fd, os.path.join(root, path), path)
            undo.callback(_remove_file, os.path.join(root, path))
        undo.pop_all()


_BESIDE = ("old", "new")
"""How what stands beside a pin while it is taken over is called."""


def _remove_file(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _rename(source: str, target: str, path: str) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        raise PublishError(path, error.errno or errno.EIO) from error


def _pin(fd: int, full: str, path: str) -> None:
    try:
        calls.obj_pin(fd, full)
    except BpfCallError as error:
        raise PublishError(path, error.errno) from error


def _is_ours(directory: str) -> bool:
    try:
        status = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _is_same(descriptor: int, path: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    return False


def _is_same_file(one: str, other: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.lstat(one), os.lstat(other))
    return False


def _remove_if_empty(directory: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(directory)
