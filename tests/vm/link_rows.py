"""What links and hooks answer, as scripts that run on both runtimes: each line is a command and its answer.

    attach LINK PROG [first|last|before|after [prog|link NAME]] [revision N] [on HOOK]      default: on ingress
    update LINK PROG [old PROG]     detach LINK     close LINK     info LINK
    pin LINK PATH    unpin PATH     get LINK PATH   rename PATH PATH     open LINK OTHER (by id, as OTHER)
    show [HOOK]                     revision and programs, in order

An answer is ``ok``, an errno's name, or what is shown. Programs: a b c d (sched_cls), x y (xdp), s (socket_filter).
"""

import errno
import os
import time

from tests.vm.vectors import Vector
from toolchain.errors import LoadError, PinError
from toolchain.isa.program_types import ProgType
from toolchain.spec.runtime import Order
from toolchain.spec.stages import BoundProgram

PROGRAMS = {
    **dict.fromkeys("abcd", ProgType.SCHED_CLS),
    **dict.fromkeys("xy", ProgType.XDP),
    "s": ProgType.SOCKET_FILTER,
}
ROWS = {
    "order, and a revision that counts changes": """
        show                            = revision 1:
        attach la a                     = ok
        show                            = revision 2: a
        attach lb b first               = ok
        attach lc c before prog a       = ok
        attach ld d after link lb       = ok
        show                            = revision 5: b d c a
        detach ld                       = ok
        show                            = revision 6: b c a
        detach la                       = ok
        detach lb                       = ok
        detach lc                       = ok
        show                            = revision 1:
    """,
    "beside nothing in particular": """
        attach la a                     = ok
        attach lb b last                = ok
        attach lc c first               = ok
        show                            = revision 4: c a b
    """,
    "refusals of an attachment": """
        attach la a                     = ok
        attach lb a                     = EEXIST
        attach lb b revision 7          = ESTALE
        attach lb b revision 2          = ok
        attach lc c before prog d       = ENOENT
        attach lc c before prog x       = EINVAL
        attach lc c prog a              = EINVAL
        attach lc x                     = EINVAL
        attach lc s                     = EINVAL
        show                            = revision 3: a b
    """,
    "ingress and egress are two hooks": """
        attach la a                     = ok
        attach lb a on egress           = ok
        attach lc b before link lb      = ENOENT
        show                            = revision 2: a
        show egress                     = revision 2: a
    """,
    "update": """
        attach la a                     = ok
        attach lb b                     = ok
        update la c                     = ok
        show                            = revision 4: c b
        update la d old a               = EPERM
        update la d old c               = ok
        update la d                     = ok
        update la b                     = EEXIST
        update la x                     = EINVAL
        show                            = revision 5: d b
        info la                         = attached d
    """,
    "detach": """
        attach la a                     = ok
        pin la p                        = ok
        detach la                       = ok
        info la                         = detached a
        detach la                       = ok
        update la b                     = ENOLINK
        update la a                     = ENOLINK
        close la                        = ok
        get lg p                        = ok
        info lg                         = detached a
        update lg b                     = ENOLINK
        show                            = revision 1:
    """,
    "the last holder goes": """
        attach la a                     = ok
        attach lb b                     = ok
        close la                        = ok
        show                            = revision 4: b
        close lb                        = ok
        show                            = revision 1:
    """,
    "a handle by id holds": """
        attach la a                     = ok
        open la lg                      = ok
        close la                        = ok
        show                            = revision 2: a
        close lg                        = ok
        show                            = revision 1:
    """,
    "a pin holds; unlinking it detaches": """
        attach la a                     = ok
        pin la p                        = ok
        pin la p                        = EEXIST
        close la                        = ok
        show                            = revision 2: a
        get lg p                        = ok
        info lg                         = attached a
        update lg b                     = ok
        close lg                        = ok
        show                            = revision 3: b
        unpin p                         = ok
        show                            = revision 1:
        get lg p                        = ENOENT
    """,
    "rename over the pin of another link": """
        attach la a                     = ok
        pin la p                        = ok
        close la                        = ok
        attach lb b                     = ok
        pin lb q                        = ok
        close lb                        = ok
        show                            = revision 3: a b
        rename q p                      = ok
        show                            = revision 4: b
        get lg p                        = ok
        info lg                         = attached b
    """,
    "xdp has one place": """
        attach la x on xdp              = ok
        attach lb y on xdp              = EBUSY
        attach lb a on xdp              = EINVAL
        update la y                     = ok
        update la y                     = ok
        update la a                     = EINVAL
        update la x old x               = EPERM
        info la                         = attached y
        detach la                       = ok
        detach la                       = ok
        update la x                     = ENOLINK
        attach lb x on xdp              = ok
    """,
    "places beside programs that were replaced": """
        attach la a                     = ok
        attach lb b                     = ok
        update la c                     = ok
        attach ld d before prog a       = ENOENT
        attach ld d after prog c        = ok
        show                            = revision 5: c d b
        attach le a before link ld      = ok
        show                            = revision 6: c a d b
    """,
}


class World:
    """Links of a runtime on one device, by name. ``patience``: seconds until what was told has come to pass."""

    patience = 0.0

    def __init__(self, runtime, device: str, attach, query) -> None:
        self.runtime, self.device = runtime, device
        self._attach, self._query = attach, query
        self.links = {}
        self.programs = {name: self._program(name, kind) for name, kind in PROGRAMS.items()}
        self.names = {handle.id: name for name, handle in self.programs.items()}

    def _program(self, name, kind):
        bound = BoundProgram.unpinned(Vector(name, prog_type=kind, text="r0 = 2\nexit").linked())
        if self.runtime.takes_verified:
            from toolchain.verifier import verify

            return self.runtime.prog_load(verify(bound), [])
        return self.runtime.prog_load(bound, [])

    def answer(self, line: str) -> str:
        """What a command gives."""
        verb, *words = line.split()
        try:
            return getattr(self, f"do_{verb}")(*words) or "ok"
        except (LoadError, PinError) as error:
            return errno.errorcode[error.errno]

    def do_attach(self, link, program, *words):
        fields, hook, rest = {}, "ingress", list(words)
        while rest:
            word = rest.pop(0)
            if word == "on":
                hook = rest.pop(0)
            elif word == "revision":
                fields["revision"] = int(rest.pop(0))
            elif word in ("prog", "link"):
                named = (self.links if word == "link" else self.programs)[rest.pop(0)]
                fields |= {"relative_id": named.id, "is_link": word == "link"}
            else:
                fields["is_before" if word in ("first", "before") else "is_after"] = True
        self.links[link] = self._attach(self.programs[program], self.device, hook, Order(**fields))

    def do_update(self, link, program, old="", expected=""):
        assert old in ("", "old")
        self.links[link].update(self.programs[program], self.programs[expected] if expected else None)

    def do_detach(self, link):
        self.links[link].detach()

    def do_close(self, link):
        self.links.pop(link).close()

    def do_info(self, link):
        is_attached, prog_id = self.state(self.links[link].info())
        return f"{'attached' if is_attached else 'detached'} {self.names[prog_id]}"

    @staticmethod
    def state(info):
        """(is attached, program's id) of a link's information."""
        return info.is_attached, info.prog_id

    def do_pin(self, link, path):
        self.runtime.pin(self.links[link], path)

    def do_unpin(self, path):
        self.runtime.unpin(path)

    def do_get(self, link, path):
        self.links[link] = self.runtime.get(path)

    def do_open(self, link, other):
        self.links[other] = self.runtime.link_by_id(self.links[link].id)

    def do_rename(self, old, new):
        os.rename(os.path.join(self.runtime.pin_root, old), os.path.join(self.runtime.pin_root, new))

    def do_show(self, hook="ingress"):
        revision, prog_ids = self._query(self.device, hook)
        return " ".join([f"revision {revision}:", *(self.names[each] for each in prog_ids)])

    def close(self) -> None:
        for handle in (*self.links.values(), *self.programs.values()):
            handle.close()


def differences(world: World, script: str) -> list[str]:
    """The lines that were answered otherwise."""
    wrong = []
    for line in script.strip().splitlines():
        command, _, expected = (part.strip() for part in line.partition("="))
        given, until = world.answer(command), time.monotonic() + world.patience
        while given != expected and command.startswith("show") and time.monotonic() < until:
            time.sleep(0.005)
            given = world.answer(command)
        if given != expected:
            wrong.append(f"{command}: {given} ({expected})")
    return wrong
