"""How an error reaches a user: one renderer for text and one for JSON, and the exit status that goes with it.

Every ToolchainError has the same four parts, and both forms show all of them:

    ingress.s:12:5: error: unknown register: r11 (allowed r0..r10)      where: error: message
       12 |     r11 = 0                                                   the source line, where it is known
          |     ^~~
    ingress.s:3:1: note: section opened here                             notes
      hint: ...                                                          what to do

A rejected program adds the last lines of the verifier's log, a pin conflict the table of fields that differ. Whatever
is not a ToolchainError is a bug of ours: one line, exit 70, and the traceback only where BPF_TOOLCHAIN_DEBUG is set.

Text from objects and logs is untrusted: control characters are replaced before they can reach a terminal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from toolchain.errors import AsmError, InsnPlace, PinConflict, Rejected, RuntimeUnavailable, Span, ToolchainError, Where

LOG_TAIL = 10
"""Lines of the verifier's log that are shown with a rejection."""

FAULT_LIMIT = 50
"""Faults of one run that are shown as text."""

BUG_STATUS = 70
INTERRUPT_STATUS = 130
BROKEN_PIPE_STATUS = 141
"""128 + SIGPIPE: what a shell shows for a program that SIGPIPE ended."""

_LIMITS = {
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close some files; the system's limit is reached",
    errno.ENOMEM: "free memory",
}
"""Errnos that can come from anywhere, a command's own imports too, and what to do about each."""

DEBUG_VARIABLE = "BPF_TOOLCHAIN_DEBUG"


def printable(text: str) -> str:
    """``text`` with every control character but the tab replaced, so that no file can drive a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else _escape(ord(char)) for char in text)


def _escape(code: int) -> str:
    """``\\xNN`` for a control character and for a byte that is no UTF-8 (a surrogate, PEP 383)."""
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable_lines(text: str) -> str:
    """``printable`` for a text of several lines."""
    return "\n".join(map(printable, text.splitlines()))


def counted(count: int, what: str, plural: str = "") -> str:
    """``1 packet``, ``2 packets``."""
    return f"{count} {what}" if count == 1 else f"{count} {plural or what + 's'}"


def _source_lines(line: int, text: str, column: int = 0, end_column: int = 0) -> list[str]:
    """A source line with its number, and a caret line below it where a column is known."""
    text = printable(text)
    lines = [f"{line or '':>5} | {text}"]
    if 1 <= column <= len(text) + 1:
        pad = "".join("\t" if char == "\t" else " " for char in text[: column - 1])
        width = max(1, min(end_column, len(text) + 1) - column)
        lines.append(f"      | {pad}^{'~' * (width - 1)}")
    return lines


def _place_lines(where: Where | None) -> list[str]:
    if isinstance(where, Span) and where.text:
        return _source_lines(where.line, where.text, where.column, where.end_column)
    if isinstance(where, InsnPlace) and where.text:
        number = where.source.rpartition(":")[2]
        return _source_lines(int(number) if number.isdecimal() else 0, where.text)
    return []


def _rejection_lines(error: Rejected) -> list[str]:
    """The end of the log, without its last words: the message, which stands above, and the figures."""
    lines = [line for line in error.log.splitlines() if line.strip()]
    while lines and (lines[-1] == error.message or lines[-1].startswith("processed ")):
        lines.pop()
    if not lines:
        return [f"  rule: {error.rule}"] if error.rule else []
    shown = lines[-LOG_TAIL:]
    head = "  verifier log" + (f" (last {len(shown)} of {len(lines)} lines)" if len(shown) < len(lines) else "") + ":"
    body = [f"    {printable(line)[:400]}" for line in shown]
    return [head, *body, *([f"  rule: {error.rule}"] if error.rule else [])]


def _conflict_lines(error: PinConflict) -> list[str]:
    lines: list[str] = []
    place = None
    width = max((len(row[2]) for row in error.differences), default=0)
    for name, path, field, declared, pinned in error.differences:
        if place != (name, path):
            place = (name, path)
            lines.append(f"  map {printable(name)}, pinned at {printable(path)}:")
        lines.append(f"    {field:<{width}}  declared {printable(str(declared))}, pinned {printable(str(pinned))}")
    return lines


def _one(error: ToolchainError, tool: str) -> list[str]:
    """The lines of one fault."""
    place = (printable(str(error.where)) or "''") if error.where else tool
    lines = [f"{place}: error: {printable(error.message)}"]
    lines += _place_lines(error.where)
    if isinstance(error, Rejected):
        lines += _rejection_lines(error)
    elif isinstance(error, PinConflict):
        lines += _conflict_lines(error)
    elif isinstance(error, AsmError):
        for span, text in error.notes:
            lines.append(f"{printable(str(span))}: note: {printable(text)}" if span else f"  note: {printable(text)}")
            lines += _place_lines(span)
    if error.hint:
        lines.append(f"  hint: {printable(error.hint)}")
    return lines


def error_text(error: ToolchainError, tool: str = "bpf-load") -> str:
    """The error and all faults of its run, as lines for stderr. ``tool`` stands where no place is known."""
    faults = error.faults or (error,)
    lines = [line for fault in faults[:FAULT_LIMIT] for line in _one(fault, tool)]
    if len(faults) > FAULT_LIMIT:
        lines.append(f"{tool}: error: {len(faults) - FAULT_LIMIT} more faults not shown")
    return "\n".join(lines)


def error_document(error: ToolchainError, tool: str = "bpf-load") -> dict[str, object]:
    """The error as a JSON document: schema, error, code, where, hint, and what its kind adds."""
    document: dict[str, object] = {"schema": f"{tool}.error/1", **_error_keys(error)}
    if len(error.faults) > 1:
        document["faults"] = [_error_keys(fault) for fault in error.faults]
    return document


def _error_keys(error: ToolchainError) -> dict[str, object]:
    keys: dict[str, object] = {
        "error": error.message,
        "code": error.code,
        "where": error.where.as_json() if error.where else None,
        "hint": error.hint,
    }
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        keys["errno"] = number
    if isinstance(error, Rejected):
        keys["rule"] = error.rule
        keys["log"] = error.log.splitlines()[-LOG_TAIL:]
    elif isinstance(error, PinConflict):
        keys["differences"] = [
            {"map": name, "pin": path, "field": field, "declared": _plain(declared), "pinned": _plain(pinned)}
            for name, path, field, declared, pinned in error.differences
        ]
    elif isinstance(error, AsmError) and error.notes:
        keys["notes"] = [{"where": span.as_json() if span else None, "text": text} for span, text in error.notes]
    return keys


def _plain(value: object) -> object:
    return value if isinstance(value, int | str | bool) or value is None else str(value)


def json_text(document: object) -> str:
    """One JSON document on one line; text that is not UTF-8 (surrogates) is escaped."""
    import json

    return json.dumps(document, ensure_ascii=True)


def report(error: ToolchainError, as_json: bool, tool: str = "bpf-load") -> int:
    """Show ``error`` (text on stderr, JSON on stdout) and return its exit status."""
    if as_json:
        write(json_text(error_document(error, tool)))
    else:
        complain(error_text(error, tool))
    return error.exit_status


def write(text: str) -> None:
    """A line on stdout; what the terminal's encoding cannot say is escaped."""
    _emit(sys.stdout, text)


def complain(text: str) -> None:
    """A line on stderr."""
    _emit(sys.stderr, text)


def _emit(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    with _output_errors():
        try:
            print(text, file=stream)
        except UnicodeEncodeError:
            print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


@contextlib.contextmanager
def _output_errors() -> Iterator[None]:
    """A full disk under stdout is the user's trouble, not a bug; a closed pipe is neither."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ToolchainError(f"cannot write the output: {os.strerror(error.errno or 0)}") from error


def cannot_begin(error: OSError) -> Exception:
    """What to raise where click itself, which prints help and finds commands, met a full disk or no free descriptor."""
    if isinstance(error, BrokenPipeError):
        return error
    return ToolchainError(f"cannot show help or begin: {os.strerror(error.errno or 0)}")


def guarded(action: Callable[[], int], as_json: bool, tool: str = "bpf-load") -> int:
    """Run ``action`` and turn whatever ends it into an exit status. The only place where a command's errors end.

    BrokenPipe is quiet: who reads the output has had enough.
    """
    try:
        _open_closed_streams()
        status = action()
        with _output_errors():
            sys.stdout.flush()
        return status
    except MemoryError:
        return _last_words(ToolchainError("out of memory", hint="raise the limit on memory (ulimit -v)"), as_json, tool)
    except ToolchainError as error:
        return _last_words(error, as_json, tool)
    except BrokenPipeError:
        _close_stdout()
        return BROKEN_PIPE_STATUS
    except OSError as error:
        if error.errno not in _LIMITS:
            return _report_bug(error, as_json, tool)
        return _last_words(RuntimeUnavailable("cannot go on", error.errno, hint=_LIMITS[error.errno]), as_json, tool)
    except KeyboardInterrupt:
        complain(f"{tool}: interrupted")
        return INTERRUPT_STATUS
    except Exception as bug:
        return _report_bug(bug, as_json, tool)


def _open_closed_streams() -> None:
    """Streams that the caller closed (``>&-``), so that no file that is opened later takes their number.

    Nothing can be read from or written to them: a command whose output is wanted says so, as on a full disk.
    """
    for number, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number: this one
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _last_words(error: ToolchainError, as_json: bool, tool: str) -> int:
    """Report an error: where stdout takes no document, as text; nothing helps where even that cannot be written."""
    try:
        report(error, as_json, tool)
        sys.stdout.flush()
    except (OSError, ToolchainError):
        _close_stdout()
        if as_json:
            with contextlib.suppress(OSError, ToolchainError):
                report(error, False, tool)
    return error.exit_status


def _close_stdout() -> None:
    """Let Python's own last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_bug(bug: Exception, as_json: bool, tool: str) -> int:
    if os.environ.get(DEBUG_VARIABLE):
        import traceback

        traceback.print_exc()
    text = f"internal error: {type(bug).__name__}: {bug}"[:300]
    hint = f"this is a bug: please report it with the input and the output under {DEBUG_VARIABLE}=1"
    if as_json:
        keys = {"schema": f"{tool}.error/1", "error": text, "code": "internal", "where": None, "hint": hint}
        write(json_text(keys))
    else:
        complain(f"{tool}: {printable(text)}\n  hint: {hint}")
    return BUG_STATUS
