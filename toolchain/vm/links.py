"""Link: what attaches a program to a hook in the user runtime.

    StoredObject (pin/)   the file: id, lock, pins, and the edge that keeps the program alive
      spec                "eth0/ingress"
      data                the program that it ran when it was last on a list (8 bytes)
    pin/hooks.py          the list of the hook: while the link is on it, it is attached

A link lives like any object here, by its pins and holders. When the last one goes it is off its hook: for whoever looks
at once, for the list itself as soon as somebody cleans up or changes it.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack
from typing import Self

from toolchain.errors import LoadError, PinError, PinPlace, Where
from toolchain.isa.program_types import AttachType, ProgType
from toolchain.pin import hooks
from toolchain.pin.hooks import Entry, Hook
from toolchain.pin.store import ObjectStore
from toolchain.pin.stored import StoredObject
from toolchain.spec.runtime import HookInfo, LinkInfo, Order, ProgHandle, Target
from toolchain.vm.clock import boot_time_of
from toolchain.vm.program import UserProgram

TYPES = {"ingress": ProgType.SCHED_CLS, "egress": ProgType.SCHED_CLS, "xdp": ProgType.XDP}
"""Hook -> the type of program that runs there."""
_ELSEWHERE = (AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP)
"""XDP programs that only run from a map. Source: net/core/dev.c (dev_xdp_attach), Linux 6.12."""


class Link:
    """A handle on a link. Owns: the object's fd; ``close`` lets it go."""

    kind = "link"

    def __init__(self, store: ObjectStore, stored: StoredObject, hook: Hook) -> None:
        self.stored = stored
        self.hook = hook
        self._store = store

    @classmethod
    def create(cls, store: ObjectStore, program: UserProgram, target: Target, order: Order) -> Link:
        """A new link, attached and without a pin.

        Raises: LoadError EINVAL for a program of another type, and as toolchain.pin.hooks.placed.
        """
        hook = _hook_of(store, target)
        _require_type(program, hook)
        data = hooks.note(program.id)
        with ExitStack() as stack:
            stored = stack.enter_context(
                store.create(
                    "link",
                    str(hook),
                    str(hook).encode("utf-8", "surrogateescape"),
                    len(data),
                    [program.stored],
                    prepare=lambda made: made.write(data),
                )
            )
            try:
                hooks.attach(hook, Entry(stored.id, program.id), order)
            except LoadError as error:
                if error.errno == errno.ENOENT:
                    _require_relative(store, hook, order)
                raise
            stack.pop_all()
            return cls(store, stored, hook)

    @classmethod
    def open(cls, store: ObjectStore, stored: StoredObject, where: Where) -> Link:
        """The link in a stored object, which the handle takes over. Raises PinError EINVAL where it is damaged."""
        device, _, name = stored.spec.decode("utf-8", "surrogateescape").rpartition("/")
        try:
            if stored.data_size != hooks.NOTE_SIZE:
                raise LoadError(f"data of a link: {stored.data_size} bytes ({hooks.NOTE_SIZE})", errno.EINVAL)
            return cls(store, stored, hooks.make_hook(store.root, device, name))
        except LoadError as error:
            stored.close()
            raise PinError("stored link damaged", errno.EINVAL, where) from error

    @property
    def id(self) -> int:
        """Unique among all links that this pin tree ever had."""
        return self.stored.id

    def fileno(self) -> int:
        """The object's fd."""
        return self.stored.fileno()

    def info(self) -> LinkInfo:
        """What the link says of itself now."""
        header, entry = self.stored.header, self._entry()
        return LinkInfo(
            header.id,
            "xdp" if self.hook.name == "xdp" else "tcx",
            entry.prog_id if entry else hooks.note_of(self.stored.read()),
            self.hook.device,
            self.hook.name,
            is_attached=entry is not None,
            owner_uid=header.uid,
            created_ns=boot_time_of(header.created_ns),
        )

    def place(self) -> dict[str, str | int]:
        """Where it is attached, or was, under bpftool's keys."""
        if self.hook.name == "xdp":
            return {"devname": self.hook.device}
        return {"devname": self.hook.device, "attach_type": f"tcx_{self.hook.name}"}

    def update(self, program: ProgHandle, expected: ProgHandle | None = None) -> None:
        """Put another program in its place, in one step.

        Raises: LoadError: ENOLINK where it was detached, EPERM where it does not hold ``expected``, EEXIST for a
        program that is on this hook already, EINVAL for one of another type.
        """
        if not isinstance(program, UserProgram) or not isinstance(expected, UserProgram | None):
            raise LoadError("program of another runtime", errno.EINVAL)
        if self._entry() is not None:
            _require_type(program, self.hook)
        hooks.replace(self.hook, self.id, program.id, expected.id if expected else 0)

    def detach(self) -> None:
        """Sever it from its hook, for good; the object lives on. Twice is once."""
        hooks.detach(self.hook, self.id)

    def close(self) -> None:
        """Let go. Twice is once."""
        self.stored.close()

    def _entry(self) -> Entry | None:
        now = hooks.read(self.hook)
        at = now.position(self.id)
        return now.entries[at] if at >= 0 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Link {self.stored!r}>"


def query(store: ObjectStore, target: Target) -> HookInfo:
    """Who is attached to a hook, in order. Raises LoadError ENODEV or EINVAL, PinError."""
    now = hooks.read(_hook_of(store, target))
    return HookInfo(
        tuple(entry.prog_id for entry in now.entries),
        tuple(entry.link_id for entry in now.entries),
        now.revision,
    )


def check_link(stored: StoredObject) -> list[str]:
    """What is wrong with a link's own data. Owns: closes it."""
    with stored:
        spec = stored.spec.decode("utf-8", "replace")
        device, _, name = spec.rpartition("/")
        try:
            hooks.make_hook("/", device, name)
        except LoadError as error:
            return [f"attached to {spec!r}: {error.message}"]
        if stored.data_size != hooks.NOTE_SIZE or not hooks.note_of(stored.read()):
            return ["names no program"]
        return []


def _hook_of(store: ObjectStore, target: Target) -> Hook:
    if target.priority:
        raise LoadError(f"a priority at {target} (hooks of devices have none)", errno.EINVAL)
    return hooks.make_hook(store.root, target.device, target.hook)


def _require_type(program: UserProgram, hook: Hook) -> None:
    wanted, linked = TYPES[hook.name], program.program
    if linked.prog_type != wanted:
        found = ProgType(linked.prog_type).label
        raise LoadError(f"program of type {found} on {hook} ({wanted.label})", errno.EINVAL)
    if wanted is ProgType.XDP and linked.expected_attach_type in _ELSEWHERE:
        raise LoadError(f"program for a device map or a CPU map on {hook}", errno.EINVAL)


def _require_relative(store: ObjectStore, hook: Hook, order: Order) -> None:
    """Raise LoadError EINVAL where what a new program shall stand beside is of another type, not just elsewhere."""
    where = PinPlace(f"prog id {order.relative_id}")
    try:
        if order.is_link:
            with Link.open(store, store.by_id("link", order.relative_id), where) as link:
                is_other = TYPES[link.hook.name] is not TYPES[hook.name]
        else:
            with UserProgram.open(store, store.by_id("prog", order.relative_id), where) as program:
                is_other = program.program.prog_type != TYPES[hook.name]
    except PinError:
        return
    if is_other:
        raise LoadError("what to stand beside is of another type", errno.EINVAL)
