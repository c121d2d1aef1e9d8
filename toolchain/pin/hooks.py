"""Hooks of the user runtime: who is attached where, and in which order they run.

    .bpf/hooks/eth0/          a device: only a name here; made by its first attachment, gone with its last
        ingress               "bpf-hook 1 4"        format, revision
                              "5 3"                 link 5 runs program 3, first
                              "7 9"                 link 7 runs program 9, next

A hook's file is replaced by rename, under the device directory's flock: the rename is the one moment at which an
attachment, an update or a detachment happens, so a killed process leaves the old list or the new one. No file means
nothing attached, revision 1.

    attached   listed here AND the link lives (st_nlink > 1, or somebody holds its lock)

Detaching takes a link off its list. A link whose last holder died is dead and still listed: every reader passes it
over, and whoever changes the list, or cleans up, takes it off. What else a change writes comes after the rename, and
whoever locks next does it again for every link on the list:

    the link's own note of its program (8 bytes of data): what it ran when it was last on a list
    its edge in .bpf/refs: the new program's is made before the rename, the old one's removed after it

Order and errnos are TCX's: kernel/bpf/mprog.c (bpf_mprog_attach), kernel/bpf/tcx.c (tcx_link_update), Linux 6.12;
a device's XDP hook has one place: net/core/dev.c (dev_xdp_attach).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from toolchain.errors import LoadError, PinError, PinPlace, RuntimeUnavailable, ToolchainError, Where
from toolchain.pin import marks, publish, reaper
from toolchain.pin.header import HEADER_SIZE
from toolchain.pin.locks import lock_exclusive, try_lock
from toolchain.pin.root import PRIVATE, make_directory, names_in, translated, write_at
from toolchain.spec.runtime import HOOKS, Order

MAX_ENTRIES = 63
"""Programs on a hook. Source: include/linux/bpf_mprog.h (bpf_mprog_max), Linux 6.12."""
MAX_DEVICE_SIZE = 15
"""Bytes of a device's name. Source: include/uapi/linux/if.h (IFNAMSIZ)."""
_MAX_FILE_SIZE = 4096
_HEAD = re.compile(r"bpf-hook 1 ([1-9][0-9]{0,18})", re.ASCII)
_LINE = re.compile(r"([1-9][0-9]{0,18}) ([1-9][0-9]{0,18})", re.ASCII)
_NOTE = struct.Struct("<Q")
NOTE_SIZE = _NOTE.size
"""Bytes of a link's data: the id of its program."""


class Entry(NamedTuple):
    """One place on a hook: a link, and the program it runs."""

    link_id: int
    prog_id: int


class HookList(NamedTuple):
    """What is on a hook, in order. ``revision`` is 1 when nothing is, and one more for each change since."""

    revision: int = 1
    entries: tuple[Entry, ...] = ()

    def changed(self, entries: Sequence[Entry], steps: int = 1) -> HookList:
        """The list after ``steps`` changes."""
        return HookList(self.revision + steps, tuple(entries)) if entries else HookList()

    def position(self, link_id: int) -> int:
        """Where a link is, -1 if it is not."""
        return next((at for at, entry in enumerate(self.entries) if entry.link_id == link_id), -1)


class Hook(NamedTuple):
    """A place to attach to: ``device`` is a device's name, ``name`` one of HOOKS. ``make_hook`` checks both."""

    root: str
    device: str
    name: str

    def __str__(self) -> str:
        return f"{self.device}/{self.name}"


def make_hook(root: str, device: str, name: str) -> Hook:
    """A hook of a tree. Raises LoadError: ENODEV for what cannot be a device's name, EINVAL for no hook.

    Source of the names: net/core/dev.c (dev_valid_name), Linux 6.12.
    """
    size = len(os.fsencode(device))
    if not 0 < size <= MAX_DEVICE_SIZE or device in (".", "..") or re.search(r"[/:\s\0]", device):
        raise LoadError(f"device name {device!r}", errno.ENODEV, None, f"at most {MAX_DEVICE_SIZE} bytes, no / or :")
    if name not in HOOKS:
        raise LoadError(f"hook {name!r} ({', '.join(HOOKS)})", errno.EINVAL)
    return Hook(root, device, name)


def read(hook: Hook) -> HookList:
    """Who is attached now. What is dead is not on the list; the revision is as if it had been taken off already.

    Raises: PinError EUCLEAN for a damaged list.
    """
    _finish_pins(hook.root)
    return _living(hook, stored_list(hook))


def stored_list(hook: Hook) -> HookList:
    """The list as it is in the file, dead links included. Raises PinError EUCLEAN for a damaged one."""
    where = PinPlace(path_of(hook))
    try:
        descriptor = os.open(
            os.path.join(hook.root, path_of(hook)), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        )
    except FileNotFoundError:
        return HookList()
    except OSError as error:
        raise translated(error, "cannot read who is attached", where) from error
    try:
        return parse(os.read(descriptor, _MAX_FILE_SIZE + 1), where)
    except OSError as error:
        raise translated(error, "cannot read who is attached", where) from error
    finally:
        os.close(descriptor)


def attach(hook: Hook, entry: Entry, order: Order) -> None:
    """Put a new link on the list. Raises LoadError, see ``placed``."""
    with _locked(hook, makes=True) as now:
        _write(hook, placed(now, entry, order, hook.name))


def replace(hook: Hook, link_id: int, prog_id: int, expected_id: int = 0) -> None:
    """Give a link another program in its place.

    Raises: LoadError: ENOLINK for a link that is not attached, EPERM where its program is not ``expected_id`` (0: any),
    EEXIST where the new one is on this hook already.
    """
    with _locked(hook) as now:
        at = now.position(link_id)
        if at < 0:
            raise LoadError(f"link {link_id} was detached", errno.ENOLINK, None, "attach anew")
        old = now.entries[at]
        if expected_id and old.prog_id != expected_id:
            raise LoadError(f"link {link_id} runs program {old.prog_id} ({expected_id} expected)", errno.EPERM)
        if old.prog_id == prog_id:
            return
        _require_absent(now, prog_id)
        new = Entry(link_id, prog_id)
        _make_edge(hook.root, new)
        _write(hook, now.changed([*now.entries[:at], new, *now.entries[at + 1 :]]))
        _settle(hook.root, new)


def detach(hook: Hook, link_id: int) -> None:
    """Take a link off the list, for good. Nothing happens to one that is not on it."""
    with _locked(hook) as now:
        at = now.position(link_id)
        if at >= 0:
            _write(hook, now.changed(now.entries[:at] + now.entries[at + 1 :]))


def placed(now: HookList, entry: Entry, order: Order, name: str = "ingress") -> HookList:
    """The list with a new entry at its place.

    Raises: LoadError: ESTALE (another revision is expected), EEXIST (that program is on it), ENOENT (what it shall
    stand beside is not), ERANGE (full; before and after mean different places), EINVAL (beside, but on which side);
    on xdp EBUSY where there is one, EINVAL for an order.
    """
    if name == "xdp":
        if order != Order():
            raise LoadError("an order among xdp programs (there is one)", errno.EINVAL)
        if now.entries:
            holder = now.entries[0]
            hint = f"detach link {holder.link_id}, or replace its program {holder.prog_id}"
            raise LoadError("another program holds this hook", errno.EBUSY, None, hint)
        return now.changed([entry])
    if order.revision and order.revision != now.revision:
        raise LoadError(f"revision of the hook: {now.revision} ({order.revision} expected)", errno.ESTALE)
    _require_absent(now, entry.prog_id)
    at = _place(now, order)
    return now.changed([*now.entries[:at], entry, *now.entries[at:]])


def _require_absent(now: HookList, prog_id: int) -> None:
    for entry in now.entries:
        if entry.prog_id == prog_id:
            raise LoadError(f"program {prog_id} is on this hook already: link {entry.link_id}", errno.EEXIST)


def _place(now: HookList, order: Order) -> int:
    """Where a new entry goes. Before and after nothing in particular are first and last."""
    count = len(now.entries)
    if count >= MAX_ENTRIES:
        raise LoadError(f"programs on this hook: {count} (at most {MAX_ENTRIES})", errno.ERANGE)
    if not order.relative_id:
        before, after = 0, count
    elif order.is_before or order.is_after:
        ids = [entry.link_id if order.is_link else entry.prog_id for entry in now.entries]
        if order.relative_id not in ids:
            what = "link" if order.is_link else "program"
            raise LoadError(f"{what} {order.relative_id} is not on this hook", errno.ENOENT)
        before = ids.index(order.relative_id)
        after = before + 1
    else:
        raise LoadError("a program to stand beside, but neither before nor after it", errno.EINVAL)
    if order.is_before and order.is_after:
        raise LoadError("before and after are different places", errno.ERANGE)
    return before if order.is_before else after


def note_of(data: bytes) -> int:
    """The program that a link's own data names, 0 if there is none."""
    return int(_NOTE.unpack(data)[0]) if len(data) == _NOTE.size else 0


def note(prog_id: int) -> bytes:
    """A link's own data."""
    return _NOTE.pack(prog_id)


def all_hooks(root: str) -> Iterator[Hook]:
    """Every hook of a tree that has a list; names that cannot be meant are passed over."""
    for device in names_in(os.path.join(root, PRIVATE, "hooks")):
        for name in names_in(os.path.join(root, PRIVATE, "hooks", device)):
            with contextlib.suppress(LoadError):
                yield make_hook(root, device, name)


def sweep(root: str) -> None:
    """Take dead links off every list, finish updates that were killed, remove what is empty.

    A list that somebody is changing is left to him: he does the same. So is a damaged one: it says so when it is used.
    """
    for device in names_in(os.path.join(root, PRIVATE, "hooks")):
        with contextlib.suppress(LoadError, PinError, RuntimeUnavailable, BlockingIOError):
            hooks = [make_hook(root, device, name) for name in HOOKS]
            lists = [stored_list(hook) for hook in hooks]
            is_empty = not any(each.entries for each in lists)
            for hook, each in zip(hooks, lists, strict=True):
                if is_empty or not all(_is_settled(root, entry) for entry in each.entries):
                    with _locked(hook, must_wait=False):
                        pass


def mend(hook: Hook, is_kept: Callable[[Hook, Entry], bool]) -> Iterator[str]:
    """Remove a damaged list; take off a sound one what is not kept. One text for each thing done. Raises PinError."""
    try:
        before = stored_list(hook)
    except PinError:
        reaper.remove_directory(os.path.join(hook.root, path_of(hook)))
        yield "removed a damaged list: its links are detached"
        return
    with _locked(hook) as now:
        kept: list[Entry] = []
        for entry in now.entries:
            if is_kept(hook, entry) and entry.prog_id not in [each.prog_id for each in kept]:
                kept.append(entry)
        if len(kept) < len(now.entries):
            _write(hook, now.changed(kept, len(now.entries) - len(kept)))
        yield from (f"took link{entry.link_id} off" for entry in before.entries if entry not in kept)
        for entry in kept:
            if f"prog{entry.prog_id}" not in reaper.edges(hook.root, f"link{entry.link_id}"):
                with contextlib.suppress(FileExistsError):
                    make_directory(os.path.join(hook.root, PRIVATE, "refs", f"link{entry.link_id}"))
                _make_edge(hook.root, entry)
                yield f"link{entry.link_id} keeps prog{entry.prog_id} alive again"


def is_alive(root: str, link_id: int) -> bool:
    """Whether anything pins or holds a link. Asked without keeping it alive."""
    path = os.path.join(root, PRIVATE, "objs", f"link{link_id}")
    try:
        if os.lstat(path).st_nlink > 1:
            return True
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ELOOP)
    try:
        return os.fstat(descriptor).st_nlink > 1 or not try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def parse(text: bytes, where: Where) -> HookList:
    """A list from its file's bytes, whatever they are. Raises PinError EUCLEAN."""
    head, *lines = text.decode("ascii", "replace").split("\n")
    heading = _HEAD.fullmatch(head)
    entries = [match for match in map(_LINE.fullmatch, lines[:-1]) if match]
    found = tuple(Entry(int(match[1]), int(match[2])) for match in entries)
    is_sound = heading and lines and not lines[-1] and len(found) == len(lines) - 1 and 0 < len(found) <= MAX_ENTRIES
    if not heading or not is_sound or len({entry.link_id for entry in found}) < len(found):
        raise PinError(
            "list of attached programs damaged", errno.EUCLEAN, where, "remove it: then its links are detached"
        )
    return HookList(int(heading[1]), found)


def path_of(hook: Hook) -> str:
    """The hook's file, relative to the root."""
    return os.path.join(PRIVATE, "hooks", hook.device, hook.name)


def _directory(hook: Hook) -> str:
    return os.path.join(hook.root, PRIVATE, "hooks", hook.device)


def _finish_pins(root: str) -> None:
    """What a killed publisher staged must not count as a name that keeps a link alive."""
    with contextlib.suppress(OSError, ToolchainError):  # a read-only tree keeps what was left
        publish.settle(root, must_wait=False)


def _living(hook: Hook, now: HookList) -> HookList:
    living = [entry for entry in now.entries if is_alive(hook.root, entry.link_id)]
    gone = len(now.entries) - len(living)
    return now.changed(living, gone) if gone else now


@contextlib.contextmanager
def _locked(hook: Hook, makes: bool = False, must_wait: bool = True) -> Iterator[HookList]:
    """The device's lock, and the list with nothing dead on it and nothing left undone."""
    _finish_pins(hook.root)
    try:
        descriptor = _lock(hook, makes, must_wait)
        if descriptor is None:
            yield HookList()
            return
        try:
            stored = stored_list(hook)
            now = _living(hook, stored)
            if now != stored:
                _write(hook, now)
            for entry in now.entries:
                _settle(hook.root, entry)
            yield now
        finally:
            _remove_if_empty(_directory(hook))
            os.close(descriptor)
    except OSError as error:
        if isinstance(error, BlockingIOError):
            raise
        raise translated(error, "cannot change who is attached", PinPlace(path_of(hook))) from error


def _lock(hook: Hook, makes: bool, must_wait: bool) -> int | None:
    """The locked device directory; None where there is none and ``makes`` is false. One that another removed before
    its lock came is opened, or made, again.
    """
    directory = _directory(hook)
    while True:
        if makes:
            for path in (os.path.dirname(directory), directory):
                with contextlib.suppress(FileExistsError):
                    make_directory(path)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            if makes:
                continue
            return None
        try:
            if must_wait:
                lock_exclusive(descriptor, PinPlace(path_of(hook)))
            elif not try_lock(descriptor, fcntl.LOCK_EX):
                raise BlockingIOError
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _write(hook: Hook, new: HookList) -> None:
    """Replace the list in one step. An empty one is no file."""
    path = os.path.join(hook.root, path_of(hook))
    if not new.entries:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    lines = [f"bpf-hook 1 {new.revision}", *(f"{entry.link_id} {entry.prog_id}" for entry in new.entries)]
    fresh = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        write_at(descriptor, ("\n".join(lines) + "\n").encode(), 0)
    finally:
        os.close(descriptor)
    os.rename(fresh, path)


def _remove_if_empty(directory: str) -> None:
    for name in HOOKS:
        if not os.path.lexists(os.path.join(directory, name)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, f"{name}.new"))
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def _make_edge(root: str, entry: Entry) -> None:
    """Make a link keep a program alive, beside the one it has."""
    edge = os.path.join(root, PRIVATE, "refs", f"link{entry.link_id}", f"prog{entry.prog_id}")
    with contextlib.suppress(FileExistsError):
        os.link(os.path.join(root, PRIVATE, "objs", f"prog{entry.prog_id}"), edge, follow_symlinks=False)


def _is_settled(root: str, entry: Entry) -> bool:
    """Whether a link lives, and its edges are as the list says."""
    edges = reaper.edges(root, f"link{entry.link_id}")
    return edges == [f"prog{entry.prog_id}"] and is_alive(root, entry.link_id)


def _settle(root: str, entry: Entry) -> None:
    """Make a link's own note and its edges what the list says of it."""
    anchor = os.path.join(root, PRIVATE, "objs", f"link{entry.link_id}")
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(anchor, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if note_of(os.pread(descriptor, NOTE_SIZE, HEADER_SIZE)) != entry.prog_id:
                write_at(descriptor, note(entry.prog_id), HEADER_SIZE)
        finally:
            os.close(descriptor)
    for edge in reaper.edges(root, f"link{entry.link_id}"):
        if edge != f"prog{entry.prog_id}":
            marks.take_away(root, edge, os.path.join(root, PRIVATE, "refs", f"link{entry.link_id}", edge))
