"""attach, replace, detach: the last step of a load, and what can be done to a link or a filter later.

    attach    publish maps | make the link | pin it            a failure takes back what was published
    replace   publish maps | swap the program of the link      only where it still has the one that was seen (EPERM);
                                                               whoever may not open that one swaps what is there
                           | link severed (ENOLINK): a new link, renamed over the pin of the old one
    detach    sever the link | remove its pin

What is attached over netlink is in attach_classic.py.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NamedTuple

from toolchain.errors import LoadError, PinPlace, RuntimeUnavailable, ToolchainError, Unsupported
from toolchain.loader.publish import Undo, make_parents, publish, require_free
from toolchain.spec.runtime import HOOKS, LinkHandle, Order, ProgHandle, Runtime, Target

if TYPE_CHECKING:
    from toolchain.kernel.netlink import Filter

Made = Callable[[ProgHandle, Undo], None]
"""What is done with a program that is loaded and whose maps are pinned; says how to undo it."""


def apply(runtime: Runtime, program: ProgHandle, made: Made) -> None:
    """Do it with a program that was loaded before. Raises what ``made`` does; then nothing has changed."""
    publish(runtime, (), (), lambda undo: made(program, undo))


def as_finish(made: Made) -> Callable[[ProgHandle, Undo], None]:
    """The same as the last step of a load."""
    return made


class Attached:
    """What attaching and replacing made: a link, or a filter. Owns: the link; ``close`` lets go of it.

    ``name`` is what a new filter is called.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.link: LinkHandle | None = None
        self.filter: Filter | None = None
        self.is_anew = False

    def close(self) -> None:
        """Let go: a link without a pin detaches."""
        if self.link is not None:
            self.link.close()


def attaching(runtime: Runtime, target: Target, order: Order, pin: str, made: Attached) -> Made:
    """Attach with a link, and pin that where ``pin`` says so."""

    def do(program: ProgHandle, undo: Undo) -> None:
        if pin:
            require_free(runtime, pin)
            make_parents(runtime.pin_root, pin, undo)
        made.link = runtime.attach(program, target, order)
        undo.append(made.close)
        if pin:
            runtime.pin(made.link, pin)

    return do


def replacing(
    runtime: Runtime, link: LinkHandle, pin: str, target: Target | None, expected: ProgHandle | None, made: Attached
) -> Made:
    """Swap a link's program, if it has ``expected`` (None: the one that it has now, where this user may open it by id).

    A severed link is replaced by a new one at ``target`` that takes over ``pin``.
    """

    def do(program: ProgHandle, undo: Undo) -> None:
        what = f"replace the program of link {link.id}"
        try:
            with ExitStack() as stack:
                seen = expected
                if seen is None:
                    with suppress(RuntimeUnavailable):
                        seen = stack.enter_context(runtime.prog_by_id(link.info().prog_id))
                link.update(program, seen)
            made.link = link
        except LoadError as error:
            if error.errno != errno.ENOLINK or target is None:
                raise _explained(error, what, pin) from error
            _attach_anew(program, target, undo)

    def _attach_anew(program: ProgHandle, where: Target, undo: Undo) -> None:
        made.link = runtime.attach(program, where)
        made.is_anew = True
        undo.append(made.close)
        if pin:
            runtime.pin(made.link, pin, replacing=True)

    return do


_ENOTSUPP = 524


def _explained(error: LoadError, what: str, pin: str) -> ToolchainError:
    where = PinPlace(pin) if pin else None
    if error.errno in (errno.EOPNOTSUPP, _ENOTSUPP):
        return Unsupported(
            "replacing the program of this kind of link", where, "attach the new one, detach the old one"
        )
    return LoadError(what, error.errno, where, _REMEDIES.get(error.errno, ""))


_REMEDIES = {
    errno.EPERM: "it holds another program than expected: somebody replaced it meanwhile",
    errno.EINVAL: "the program is of another type, or was loaded for another hook",
    errno.EEXIST: "this program is on the hook already, by another link",
    errno.ENOLINK: "the link was detached, or its device is gone: attach anew, or name device and hook to replace at",
}
"""What to do about the errnos of an update."""


class HookEntry(NamedTuple):
    """One program at a hook. ``link_id`` is 0 where it was attached without a link."""

    prog_id: int
    link_id: int


def entries_of(runtime: Runtime, target: Target) -> tuple[list[HookEntry], int]:
    """Who is attached to a hook of a device, in order, and the hook's revision (0: it counts none)."""
    found = runtime.query(target)
    return list(map(HookEntry, found.prog_ids, found.link_ids)), found.revision


def only_link(runtime: Runtime, target: Target) -> LinkHandle:
    """The one link at a hook of a device. Raises LoadError where there is none, or several."""
    if target.hook not in HOOKS:
        raise LoadError(
            f"a link at {target} is not found by its place", errno.EINVAL, None, "name the link: its pin, or id N"
        )
    entries, _ = entries_of(runtime, target)
    links = [each.link_id for each in entries if each.link_id]
    if len(links) != 1:
        raise ambiguous(str(target), [f"link id {each}" for each in links])
    return runtime.link_by_id(links[0])


def ambiguous(place: str, found: list[str]) -> LoadError:
    """The error for a place where not just one is attached."""
    if not found:
        return LoadError(f"nothing of this kind is attached to {place}", errno.ENOENT)
    text = f"several are attached to {place}: {', '.join(found)}"
    return LoadError(text, errno.ENOTUNIQ, None, "name one of them, or all with --all where that is possible")


def detach_link(runtime: Runtime, link: LinkHandle, pin: str) -> None:
    """Sever a link, whoever holds it, and remove ``pin`` where it is given."""
    try:
        link.detach()
    except LoadError as error:
        if error.errno in (errno.EOPNOTSUPP, _ENOTSUPP):
            hint = "it goes with its last holder: remove its pins, end the process that holds it"
            raise Unsupported("detaching this kind of link", PinPlace(pin) if pin else None, hint) from error
        raise
    if pin:
        runtime.unpin(pin)


def detach_hook(runtime: Runtime, target: Target, *, takes_all: bool) -> list[HookEntry]:
    """Detach what is attached to a hook of a device: the only one, or all, and pins of links. What was detached."""
    entries, _ = entries_of(runtime, target)
    if len(entries) != 1 and not (entries and takes_all):
        names = [f"link id {each.link_id}" if each.link_id else f"prog id {each.prog_id}" for each in entries]
        raise ambiguous(str(target), names)
    for each in entries:
        if each.link_id:
            with runtime.link_by_id(each.link_id) as link:
                link.detach()
        else:
            with runtime.prog_by_id(each.prog_id) as program:
                _detach_without_link(program, target)
    gone = {each.link_id for each in entries if each.link_id}
    for pin in [each.path for each in runtime.pins() if each.kind == "link" and each.id in gone] if gone else ():
        runtime.unpin(pin)
    return entries


def _detach_without_link(program: ProgHandle, target: Target) -> None:
    """Only the kernel has programs at a hook that were attached without a link."""
    from toolchain.kernel.hooks import detach_tcx

    detach_tcx(program, target)
