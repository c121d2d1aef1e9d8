"""The one error tree, and the types that say where an error is.

Every failure that a user can cause is a ToolchainError. Foreign errors (lark,
pyelftools, struct, OSError, a C status) are translated once, at the border of the
folder that owns the foreign thing, with ``raise ... from``.

Text form, on one line:   <where>: <what is wrong>: <value met> (<value allowed>)

The exit status of a command is the class attribute ``exit_status`` of what ended it:

    1  input refused or operation failed      ToolchainError and most below it
    2  usage                                  UsageError
    3  verifier rejected                      Rejected
    4  map or pin incompatible                PinConflict, MigrationRefused
    5  runtime unavailable, or a feature      RuntimeUnavailable, Unsupported
       that it does not support, named
    6  expectation not met                    ExpectationError
    70 a bug of ours                          any other exception (cli only)
    130 interrupted                           KeyboardInterrupt (cli only)
"""

from __future__ import annotations

import errno as _errno
import os
from typing import ClassVar

_KERNEL_ONLY_ERRNOS = {512: "ERESTARTSYS", 516: "ERESTART_RESTARTBLOCK", 524: "ENOTSUPP"}
"""Codes that Linux leaks to user space though no libc names them. Source: include/linux/errno.h."""


def errno_name(number: int) -> str:
    """The symbolic name of an errno, kernel-only ones included: 17 -> 'EEXIST', 524 -> 'ENOTSUPP'."""
    return _errno.errorcode.get(number) or _KERNEL_ONLY_ERRNOS.get(number) or f"errno {number}"


class Where:
    """A place that an error names. ``str()`` gives the prefix of the error's line; ``as_json()`` its JSON form."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def as_json(self) -> dict[str, object]:
        """The fields that are set, by name."""
        return {name: getattr(self, name) for name in self.__slots__ if getattr(self, name) not in (None, "")}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Where) and type(self) is type(other) and self.as_json() == other.as_json()

    def __hash__(self) -> int:
        return hash(tuple(sorted((key, str(value)) for key, value in self.as_json().items())))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class Span(Where):
    """A range of columns on one line of a text file.

    Units: line and column count from 1; ``end_column`` is one past the last column.
    ``text`` is the whole source line, for the caret.
    """

    __slots__ = ("column", "end_column", "line", "path", "text")

    def __init__(self, path: str, line: int, column: int, end_column: int | None = None, text: str = "") -> None:
        self.path = path
        self.line = line
        self.column = column
        self.end_column = column + 1 if end_column is None else end_column
        self.text = text

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class FilePlace(Where):
    """A whole file, or a byte offset in it."""

    __slots__ = ("offset", "path")

    def __init__(self, path: str, offset: int | None = None) -> None:
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        return self.path if self.offset is None else f"{self.path}+0x{self.offset:x}"


class SectionPlace(Where):
    """A byte offset in a section of an object. ``section`` is its name, or ``#N`` where it has none."""

    __slots__ = ("offset", "path", "section")

    def __init__(self, path: str, section: str, offset: int | None = None) -> None:
        self.path = path
        self.section = section
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.path}:{self.section}" + ("" if self.offset is None else f"+0x{self.offset:x}")


class InsnPlace(Where):
    """An instruction of a program.

    Units: ``slot`` counts 8-byte words from the program's first instruction, as the
    kernel's log does. ``source`` is ``file:line`` from line information, ``text`` that line.
    """

    __slots__ = ("program", "slot", "source", "text")

    def __init__(self, program: str, slot: int | None = None, source: str = "", text: str = "") -> None:
        self.program = program
        self.slot = slot
        self.source = source
        self.text = text

    def __str__(self) -> str:
        place = self.program if self.slot is None else f"{self.program}: insn {self.slot}"
        return f"{self.source}: {place}" if self.source else place


class PinPlace(Where):
    """A path in a pin tree."""

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def __str__(self) -> str:
        return self.path


class ToolchainError(Exception):
    """Root of the tree.

    ``code`` is a stable, documented name for scripts; ``hint`` is one sentence on what to do.
    ``faults`` holds every fault of a run where there are several (the first one is this error's own text).
    """

    exit_status: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        where: Where | None = None,
        hint: str = "",
        faults: tuple[ToolchainError, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.faults = faults

    def __str__(self) -> str:
        return self.message if self.where is None else f"{self.where}: {self.message}"


class UsageError(ToolchainError):
    """The command line cannot be meant."""

    exit_status = 2
    code = "usage"


class AsmError(ToolchainError):
    """Assembly text that cannot be assembled.

    ``where`` is a Span; ``notes`` are (Span or None, text), shown below it.
    """

    code = "asm"

    def __init__(
        self,
        message: str,
        where: Where | None = None,
        hint: str = "",
        faults: tuple[ToolchainError, ...] = (),
        notes: tuple[tuple[Span | None, str], ...] = (),
    ) -> None:
        super().__init__(message, where, hint, faults)
        self.notes = notes


class ObjectError(ToolchainError):
    """A file that is not a BPF object, or a broken one. ``where`` is a FilePlace or SectionPlace."""

    code = "object"


class CaptureError(ToolchainError):
    """A file that is not a packet capture, or a broken one. ``where`` is a FilePlace."""

    code = "capture"


class LinkError(ToolchainError):
    """A symbol, call, relocation or type that cannot be resolved."""

    code = "link"


class PinConflict(ToolchainError):
    """Pinned maps that differ from what the object declares.

    ``differences`` names every differing field of every map: (map name, pin path, field, declared, pinned).
    """

    exit_status = 4
    code = "pin-conflict"

    def __init__(
        self,
        message: str,
        where: Where | None = None,
        hint: str = "",
        differences: tuple[tuple[str, str, str, object, object], ...] = (),
    ) -> None:
        super().__init__(message, where, hint)
        self.differences = differences


class MigrationRefused(PinConflict):
    """A map that cannot become the one that is wanted without a loss. ``faults`` names fields, or entries."""

    code = "migration"


class Rejected(ToolchainError):
    """The verifier refuses a program.

    ``message`` is the kernel's wording, its last useful line. ``log`` is the kernel-format log, ``stats`` the work done
    until then (spec.VerifierStats), ``rule`` the stable id of the rule broken ('' where none is named).
    """

    exit_status = 3
    code = "rejected"

    def __init__(
        self,
        message: str,
        where: Where | None = None,
        hint: str = "",
        log: str = "",
        stats: object = None,
        rule: str = "",
        errno: int = _errno.EINVAL,
    ) -> None:
        super().__init__(message, where, hint)
        self.log = log
        self.stats = stats
        self.rule = rule
        self.errno = errno


class Unsupported(ToolchainError):
    """A feature that is not modelled here, named in ``feature``. Never an accept, never a reject."""

    exit_status = 5
    code = "unsupported"

    def __init__(self, feature: str, where: Where | None = None, hint: str = "") -> None:
        super().__init__(f"not supported: {feature}", where, hint)
        self.feature = feature


class _ErrnoError(ToolchainError):
    """An error with an errno, given by name in the text."""

    def __init__(self, message: str, errno: int, where: Where | None = None, hint: str = "") -> None:
        super().__init__(f"{message}: {errno_name(errno)} ({os.strerror(errno)})", where, hint)
        self.errno = errno


class LoadError(_ErrnoError):
    """A runtime could not create, load, run or attach something."""

    code = "load"


class MapError(_ErrnoError):
    """A map operation failed, with the errno that bpf(2) gives for it."""

    code = "map"


class PinError(_ErrnoError):
    """A pin operation failed, with the errno that bpffs gives for it."""

    code = "pin"


class HandOverError(_ErrnoError):
    """Objects could not be handed to another process, or taken from one. ``where`` is the socket."""

    code = "hand-over"


class RuntimeUnavailable(_ErrnoError):
    """This runtime cannot work here: no permission, a full or read-only file system, no bpffs."""

    exit_status = 5
    code = "unavailable"


class ExpectationError(ToolchainError):
    """A run ended otherwise than ``--expect`` said."""

    exit_status = 6
    code = "expectation"
