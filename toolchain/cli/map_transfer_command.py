"""bpf-load map export, map import: a map's entries to a file and back, as JSON lines."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from toolchain.cli import render
from toolchain.cli.addressing import open_map, take_reference
from toolchain.cli.common import Action, Command, Settings
from toolchain.errors import FilePlace, ToolchainError, UsageError

if TYPE_CHECKING:
    from toolchain.cli.addressing import Reference

_COPY_SIZE = 1 << 20


@click.command(name="export", cls=Command)
@click.argument("words", metavar="MAP [FILE]", nargs=-1)
@click.option("--no-format", is_flag=True, help="Bytes only, without values by type information.")
def export_map(settings: Settings, words: tuple[str, ...], no_format: bool) -> Action:
    """Write all entries of a map to FILE, or to stdout (-), as JSON lines; 'map import' reads them.

    FILE appears when it is whole: an export that fails leaves what was there.
    """
    reference, path = _take(words)
    return partial(_export, settings, reference, path, not no_format)


@click.command(name="import", cls=Command)
@click.argument("words", metavar="MAP [FILE]", nargs=-1)
def import_map(settings: Settings, words: tuple[str, ...]) -> Action:
    """Set entries of a map from FILE, or from stdin (-), as 'map export' wrote them.

    The map has to be like the one that was exported, in all but its size. Entries that FILE has not stay as they are;
    nothing is written unless all of FILE can be read and fits.
    """
    reference, path = _take(words)
    return partial(_import, settings, reference, path)


def _take(words: tuple[str, ...]) -> tuple[Reference, str]:
    reference, rest = take_reference(words, "map")
    if len(rest) > 1:
        raise UsageError(f"unexpected word: {rest[1]}")
    return reference, rest[0] if rest else "-"


def _export(settings: Settings, reference: Reference, path: str, with_formatted: bool) -> int:
    from toolchain.cli.map_transfer import export_lines, require_entries

    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        handle, info = open_map(runtime, reference, stack)
        require_entries(info)
        lines = export_lines(info, handle, with_formatted)
        if path == "-":
            for line in lines:
                render.write(line)
            return 0
        count = -2
        with _written_whole(path) as file:
            for line in lines:
                file.write(line.encode() + b"\n")
                count += 1
        if os.path.isfile(path):
            _say(settings, "export", info.id, count, path)
    return 0


@contextlib.contextmanager
def _written_whole(path: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` at the end of the block; if that fails, it is gone.

    What is no regular file (a pipe, a device) is written to directly.
    """
    import tempfile

    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as there:
                yield there
            return
        directory = os.path.dirname(os.path.realpath(path))
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".export-", delete=False) as file:
            try:
                yield file  # type: ignore[misc]
                file.flush()
                os.fchmod(file.fileno(), 0o666 & ~_umask())
                os.fsync(file.fileno())
                os.rename(file.name, os.path.realpath(path))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(file.name)
                raise
    except OSError as error:
        raise ToolchainError(f"cannot write: {os.strerror(error.errno or 0)}", FilePlace(path)) from error


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


def _import(settings: Settings, reference: Reference, path: str) -> int:
    from toolchain.cli.map_transfer import Importer, require_entries
    from toolchain.loader.pipeline import possible_cpus

    with ExitStack() as stack:
        runtime = settings.open_runtime()
        stack.callback(runtime.close)
        handle, info = open_map(runtime, reference, stack)
        require_entries(info)
        name = "<stdin>" if path == "-" else path
        importer = Importer(info, stack.enter_context(_rewindable(path, name)), name, reference.text, possible_cpus())
        try:
            importer.check()
            count = importer.write(handle)
        except OSError as error:
            raise ToolchainError(f"cannot read: {os.strerror(error.errno or 0)}", FilePlace(name)) from error
        _say(settings, "import", info.id, count, name)
    return 0


@contextlib.contextmanager
def _rewindable(path: str, name: str) -> Iterator[BinaryIO]:
    """An open file that can be read twice; what comes through a pipe is kept on disk, in a file without a name."""
    import tempfile

    with ExitStack() as stack:
        try:
            file: Any = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))
            if path == "-" or not file.seekable():
                kept = stack.enter_context(tempfile.TemporaryFile())
                while chunk := file.read(_COPY_SIZE):
                    kept.write(chunk)
                file = kept
        except OSError as error:
            raise ToolchainError(f"cannot read: {os.strerror(error.errno or 0)}", FilePlace(name)) from error
        yield file


def _say(settings: Settings, verb: str, map_id: int, count: int, name: str) -> None:
    if settings.as_json:
        schema = f"bpf-load.map-{verb}/1"
        document = {"schema": f"{schema}-result" if verb == "export" else schema, "id": map_id, "entries": count}
        render.write(render.json_text(document))
    else:
        render.write(render.printable(f"{count} {'entry' if count == 1 else 'entries'} {verb}ed: {name}"))
