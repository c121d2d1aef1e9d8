"""Several pins at once, all or none, whatever gets killed when.

    lock .bpf/lock
      1  finish what a killed publisher left (below)
      2  check every path: free, legal, parent there              failure: nothing has happened
      3  stage/<random>/  0 1 2 ...: hard links to the objects, plan: their paths
                          2.old: a link to what is pinned there and is to give way
      4  rename(stage/<random>, commit)                            <- the decision: from here on, all
      5  link commit/0 -> path, ... where 2.old is: rename over    failure: take back, as if never decided
      6  rename(commit, stage/<random>), remove it                 done
    unlock

    killed in 1-3    the next command removes the staged links; nothing was visible
    killed in 4-6    ``commit`` is there and the lock is free: the next command does 5 and 6 again, on objects that the
                     links in ``commit`` kept alive

Not undone after the decision, because somebody may have seen and used the first pin already. One pin needs none of
this: link(2) is atomic. stage/ and commit/ are touched under the lock only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Iterator, Sequence

from toolchain.errors import PinError, PinPlace, ToolchainError
from toolchain.pin import marks, names, reaper
from toolchain.pin.header import HEADER_SIZE, BadHeader, decode
from toolchain.pin.locks import lock_exclusive, try_lock
from toolchain.pin.root import PRIVATE, make_directory, names_in, translated

PLAN = "plan"
_OLD = ".old"
_PLAN_SIZE_MAX = 1 << 24


def publish(root: str, pins: Sequence[tuple[str, str]], swaps: Sequence[tuple[str, str]] = ()) -> None:
    """Pin (anchor, path) pairs, all or none; ``swaps`` in the place of pins, whose objects the caller holds and marked.

    Raises: PinError, RuntimeUnavailable.
    """
    both = [*swaps, *pins]
    if not both:
        return
    with _locked(root):
        finish(root)
        places = [names.place_of_existing(root, path) for _, path in swaps]
        places += [names.place_of_new(root, path) for _, path in pins]
        for index, place in enumerate(places):
            if place in places[:index]:
                raise PinError("path is named twice", errno.EEXIST, PinPlace(both[index][1]))
        plan = [os.path.relpath(place, os.path.realpath(root)) for place in places]
        with _uninterrupted():
            try:
                _decide(root, [anchor for anchor, _ in both], plan, len(swaps))
            except BaseException as error:
                _clean(root, is_own=True)
                if isinstance(error, OSError):
                    raise translated(error, "cannot pin", PinPlace(root)) from error
                raise
            _carry_out(root, plan, is_own=True)
        for anchor, _ in both:
            marks.clear_new(root, anchor)


def settle(root: str, must_wait: bool = True) -> None:
    """Finish what a killed publisher left. Without ``must_wait`` a living one is left to its work."""
    if not os.path.lexists(_private(root, "commit")) and not names_in(_private(root, "stage")):
        return
    with contextlib.suppress(BlockingIOError), _locked(root, must_wait):
        finish(root)


def finish(root: str) -> None:
    """Carry out what was decided, drop what was not. The caller holds the lock."""
    _clean(root)
    if os.path.lexists(_private(root, "commit")):
        with contextlib.suppress(ToolchainError):
            _carry_out(root, _read_plan(_private(root, "commit")))


def replace_link(root: str, anchor: str, place: str) -> None:
    """Make ``place``, an existing pin, lead to the anchor's object in one step. Raises OSError."""
    with _locked(root):
        finish(root)
        beside = _private(root, "stage", os.urandom(8).hex())
        make_directory(beside)
        os.link(_private(root, "objs", anchor), os.path.join(beside, "0"), follow_symlinks=False)
        os.rename(os.path.join(beside, "0"), place)
        reaper.remove_directory(beside)


@contextlib.contextmanager
def _locked(root: str, must_wait: bool = True) -> Iterator[None]:
    path = _private(root, "lock")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise translated(error, "cannot lock the pin tree", PinPlace(root)) from error
    try:
        if must_wait:
            lock_exclusive(descriptor, PinPlace(path))
        elif not try_lock(descriptor, fcntl.LOCK_EX):
            raise BlockingIOError
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Interrupts wait: one between two pins would leave the first, and nobody who takes it back or makes the second."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _decide(root: str, anchors: Sequence[str], plan: Sequence[str], swap_count: int) -> None:
    """``plan``: paths, relative to the root; those that are taken over come first."""
    staged = _private(root, "stage", os.urandom(8).hex())
    make_directory(staged)
    for index, anchor in enumerate(anchors):
        os.link(_private(root, "objs", anchor), os.path.join(staged, str(index)), follow_symlinks=False)
        if index < swap_count:
            place = os.path.join(root, plan[index])
            os.link(place, os.path.join(staged, f"{index}{_OLD}"), follow_symlinks=False)
            os.chmod(os.path.join(staged, str(index)), os.lstat(place).st_mode & 0o7777)
    with open(os.path.join(staged, PLAN), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(b"\0".join(map(os.fsencode, plan)))
    os.rename(staged, _private(root, "commit"))


def _carry_out(root: str, plan: Sequence[str], is_own: bool = False) -> None:
    """Link what ``commit`` names; on a failure take it back and raise. Afterwards there is no ``commit``."""
    commit = _private(root, "commit")
    done: list[str] = []
    try:
        for index, path in enumerate(plan):
            source, place = os.path.join(commit, str(index)), os.path.join(root, path)
            if os.path.lexists(source + _OLD):
                _swap_once(root, source, source + _OLD, place)
                done.append(place)
            else:
                _link_once(source, place, done)
    except BaseException as error:
        for index, place in reversed(list(enumerate(done))):
            source = os.path.join(commit, str(index))
            with contextlib.suppress(OSError):
                if os.path.lexists(source + _OLD):
                    _swap_once(root, source + _OLD, source, place)
                else:
                    os.unlink(place)
        if isinstance(error, OSError):
            raise translated(error, "cannot pin", PinPlace(plan[len(done)])) from error
        raise
    finally:
        os.rename(commit, _private(root, "stage", os.urandom(8).hex()))
        _clean(root, is_own)


def _link_once(source: str, place: str, done: list[str]) -> None:
    """Link; a link that a killed publisher made already counts as made."""
    try:
        os.link(source, place, follow_symlinks=False)
    except FileExistsError:
        if not os.path.samestat(os.lstat(source), os.lstat(place)):
            raise
    done.append(place)


def _swap_once(root: str, source: str, old: str, place: str) -> None:
    """Put ``source``'s object in the place of ``old``'s; done already counts as done. Raises OSError.

    One rename, of a link in stage/, so that a kill leaves the one or the other. (Where both are links to one inode,
    rename does nothing and leaves both: that case is taken out first.)
    """
    there = os.lstat(place)
    if os.path.samestat(os.lstat(source), there):
        return
    if not os.path.samestat(os.lstat(old), there):
        raise FileExistsError(errno.EEXIST, "another object has taken the pin's place", place)
    beside = _private(root, "stage", os.urandom(8).hex())
    make_directory(beside)
    os.link(source, os.path.join(beside, "0"), follow_symlinks=False)
    os.rename(os.path.join(beside, "0"), place)
    os.rmdir(beside)


def _read_plan(commit: str) -> list[str]:
    """The paths in a plan; none where it is damaged (a machine reset may do that), which drops the publication."""
    try:
        descriptor = os.open(os.path.join(commit, PLAN), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with open(descriptor, "rb") as file:
        text = file.read(min(os.fstat(descriptor).st_size, _PLAN_SIZE_MAX))
    plan = [os.fsdecode(path) for path in text.split(b"\0")]
    return [] if any(_leaves(path) for path in plan) else plan


def _leaves(path: str) -> bool:
    return not path or os.path.isabs(path) or ".." in path.split("/") or path.split("/")[0] == PRIVATE


def _clean(root: str, is_own: bool = False) -> None:
    """Remove what is staged. ``is_own``: it is this process's, which holds the objects."""
    for name in names_in(_private(root, "stage")):
        if not is_own:
            _let_go(root, _private(root, "stage", name))
        reaper.remove_directory(_private(root, "stage", name))


def _let_go(root: str, directory: str) -> None:
    """Unlink what a killed publisher staged, with a mark on each object, which nothing else may keep alive."""
    for name in names_in(directory):
        path = os.path.join(directory, name)
        with contextlib.suppress(OSError, BadHeader):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                header = decode(os.pread(descriptor, HEADER_SIZE, 0))
            finally:
                os.close(descriptor)
            marks.take_away(root, header.anchor, path)


def _private(root: str, *parts: str) -> str:
    return os.path.join(root, PRIVATE, *parts)
