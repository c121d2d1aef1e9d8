"""bpf-as: assembles eBPF text to an object, and disassembles objects to text."""

from __future__ import annotations

import contextlib
import gc
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from toolchain.cli import render
from toolchain.errors import AsmError, FilePlace, ToolchainError, UsageError

if TYPE_CHECKING:
    from toolchain.asm.assembler import Assembled
    from toolchain.asm.options import AsmOptions
    from toolchain.asm.unit import Unit

MAX_SOURCE_SIZE = 256 << 20

_EPILOG = """SRC is a file, or - for standard input. Both dialects are read: `r1 += r2` and `add %r1, %r2`.

Exit status: 0 done, 1 input refused, 2 usage, 5 a feature not supported, 70 a bug, 130 interrupted."""


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from toolchain import __version__

    render.write(f"bpf-as {__version__}")
    ctx.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=_EPILOG)
@click.argument("source", metavar="SRC|-")
@click.option("-o", "out", metavar="OUT", help="Where to write. [default: SRC with .o]")
@click.option("-d", "is_disassembly", is_flag=True, help="Disassemble the object SRC to text on standard output.")
@click.option("--section", "sections", metavar="S", multiple=True, help="With -d: this section only.")
@click.option(
    "-m",
    "machine",
    metavar="cpu=v1..v4|dialect=auto|pseudoc|normal",
    multiple=True,
    help="-mcpu: instructions allowed [default: all]. -mdialect: how to read (print) text [default: auto].",
)
@click.option("-E", "endian", type=click.Choice(["L", "B"]), default="L", help="-EL little endian (default), -EB big.")
@click.option("-g", "debug", is_flag=True, help="Add line information for the lines of SRC.")
@click.option("-I", "include_dirs", metavar="DIR", multiple=True, help="Search DIR for .include and .incbin.")
@click.option("-D", "defines", metavar="SYM[=VAL]", multiple=True, help="Define a symbol. [default value: 1]")
@click.option("-l", "listing", metavar="LISTING", help="Write a listing (- for standard output).")
@click.option("--max-errors", type=click.IntRange(1), default=20, metavar="N", help="Show N errors. [default: 20]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, errors too.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
              help="Show the version and exit.")  # fmt: skip
def bpf_as(**settings: Any) -> int:
    """Assemble eBPF text into an object file, or disassemble one (-d)."""
    if settings["is_disassembly"]:
        return _disassemble(settings)
    return _assemble(settings)


def _options(settings: dict[str, Any]) -> AsmOptions:
    from toolchain.asm.options import AsmOptions

    machine = {"cpu": "", "dialect": "auto"}
    for text in settings["machine"]:
        name, _, value = text.partition("=")
        if name not in machine or not value:
            raise UsageError(f"unknown option: -m{text} (-mcpu=v1..v4, -mdialect=auto|pseudoc|normal)")
        machine[name] = value
    return AsmOptions(
        endian="little" if settings["endian"] == "L" else "big",
        cpu=machine["cpu"],
        dialect=machine["dialect"],
        debug=settings["debug"],
        include_dirs=tuple(settings["include_dirs"]),
        defines=tuple(_define(text) for text in settings["defines"]),
    )


def _define(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    try:
        number = int(value, 0) if value else 1
    except ValueError:
        raise UsageError(f"value of -D is not a number: {text}") from None
    if not name or not name.replace(".", "_").replace("$", "_").isidentifier() or abs(number) >= 1 << 64:
        raise UsageError(f"not a symbol and its value: -D {text}")
    return name, number


# ---- assemble
def _assemble(settings: dict[str, Any]) -> int:
    from toolchain.asm.api import assemble_unit, parse
    from toolchain.asm.cache import PlanCache
    from toolchain.asm.shapes import Shapes

    if settings["sections"]:
        raise UsageError("--section is for -d")
    options = _options(settings)
    source = settings["source"]
    out = settings["out"] or _default_out(source)
    for written in (out, settings["listing"]):
        _require_distinct(source, written)
    gc.disable()  # nothing here is cyclic garbage worth finding; collecting costs a third of a large file's time
    data = _read_bytes(source)
    if data.startswith(b"\x7fELF"):
        raise ToolchainError("an ELF file, not text", FilePlace(source), "'bpf-as -d' disassembles an object")
    text = data.decode("utf-8", "surrogateescape")
    cache = PlanCache(options.dialect)
    shapes = Shapes(options.dialect, cache.load())
    try:
        unit = parse(text, "<stdin>" if source == "-" else source, options, shapes)
        done = assemble_unit(unit, options, want_rows=settings["listing"] is not None)
    except AsmError as error:
        raise _limited(error, settings["max_errors"]) from error
    finally:
        if shapes.is_changed:
            cache.save(shapes.plans)
    for warning in done.warnings:
        _warn(warning)
    from toolchain.elf.writer import write

    _write_bytes(out, write(done.object_file))
    if settings["listing"] is not None:
        _write_bytes(settings["listing"], _listing(unit, done).encode("utf-8", "surrogateescape"))
    if settings["as_json"] and out != "-":
        document = {
            "schema": "bpf-as.assemble/1",
            "output": out,
            "sections": [{"name": each.name, "size": each.size} for each in done.object_file.sections],
            "warnings": [
                {"error": each.message, "where": each.where and each.where.as_json()} for each in done.warnings
            ],
        }
        render.write(render.json_text(document))
    return 0


def _default_out(source: str) -> str:
    if source == "-":
        raise UsageError("where to write is wanted with standard input: -o OUT")
    return (source[:-2] if source.endswith((".s", ".S")) else source) + ".o"


def _require_distinct(source: str, out: str | None) -> None:
    """A source is never overwritten by what is made of it. Raises UsageError."""
    if out in (None, "-") or source == "-":
        return
    with contextlib.suppress(OSError, ValueError):
        if stat.S_ISREG(os.stat(out).st_mode) and os.path.samefile(source, out):
            raise UsageError(f"input and output are the same file: {source}")


def _limited(error: AsmError, limit: int) -> AsmError:
    """The error with ``limit`` faults at most."""
    if len(error.faults) <= limit:
        return error
    last = AsmError(f"{len(error.faults) - limit} more errors are not shown (--max-errors)")
    return AsmError(error.message, error.where, error.hint, (*error.faults[:limit], last), error.notes)


def _warn(warning: AsmError) -> None:
    lines = render.error_text(warning, "bpf-as").split("\n")
    render.complain("\n".join([lines[0].replace(": error: ", ": warning: ", 1), *lines[1:]]))


def _listing(unit: Unit, done: Assembled) -> str:
    """Section, offset and bytes beside each line of the source."""
    sections = done.object_file.sections
    lines = []
    rows = {row.line: row for row in done.rows}
    for index in range(len(unit.lines)):
        text = unit.text(index)
        row = rows.get(index)
        origin = unit.origin(index)
        place = f"{origin.line:6}"
        if row is None or row.size == 0:
            lines.append(f"{place} {'':52} {text}")
            continue
        section = sections[row.section]
        data = section.data[row.offset : row.offset + row.size] if section.data else b""
        for start in range(0, max(len(data), 1), 16):
            shown = f"{section.name[:12]:<12} {row.offset + start:06x} {data[start : start + 16].hex():<32}"
            lines.append(f"{place} {shown:<52} {text}".rstrip() if start == 0 else f"{'':6} {shown}".rstrip())
            if start >= 64:
                lines.append(f"{'':6} ... {len(data)} bytes")
                break
    return "\n".join(line.rstrip() for line in lines) + "\n"


# ---- disassemble
def _disassemble(settings: dict[str, Any]) -> int:
    from toolchain.asm.disassemble import disassemble
    from toolchain.elf.reader import read

    source = settings["source"]
    _require_distinct(source, settings["out"])
    data = _read_bytes(source)
    object_file = read(data, "<stdin>" if source == "-" else source)
    names = {section.name for section in object_file.sections}
    for name in settings["sections"]:
        if name not in names:
            raise ToolchainError(f"no such section: {name} ({', '.join(sorted(names))})", FilePlace(source))
    text = disassemble(object_file, settings["sections"], _options(settings).dialect)
    if settings["as_json"]:
        text = render.json_text({"schema": "bpf-as.disassemble/1", "text": text}) + "\n"
    out = settings["out"] or "-"
    _write_bytes(out, text.encode("utf-8", "surrogateescape"))
    return 0


# ---- files
def _read_bytes(source: str) -> bytes:
    try:
        if source == "-":
            data = _read_limited(sys.stdin.buffer)
        else:
            with open(source, "rb") as file:
                data = _read_limited(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ToolchainError(f"cannot read: {reason}", FilePlace(source)) from error
    if len(data) > MAX_SOURCE_SIZE:
        raise ToolchainError(f"file is too large ({MAX_SOURCE_SIZE} bytes)", FilePlace(source))
    return data


def _read_limited(file: BinaryIO) -> bytes:
    """All bytes, or one more than the limit. In steps: one read of the limit's size would ask for all that memory."""
    data = b""
    while len(data) <= MAX_SOURCE_SIZE:
        part = file.read(min(max(len(data), 1 << 20), MAX_SOURCE_SIZE + 1 - len(data)))
        if not part:
            break
        data += part
    return data


def _write_bytes(out: str, data: bytes) -> None:
    """Writes a file as a whole: a run that fails leaves the old one, or none. Devices are written in place."""
    try:
        if out == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(out).st_mode):
                with open(out, "wb") as file:
                    file.write(data)
                return
        _replace(os.path.realpath(out), data)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ToolchainError(f"cannot write: {reason}", FilePlace(out)) from error


def _replace(out: str, data: bytes) -> None:
    umask = os.umask(0)
    os.umask(umask)
    name = os.path.join(os.path.dirname(out), f".bpf-as-{os.getpid()}-{time.monotonic_ns():x}")
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o666 & ~umask)
            file.write(data)
        os.replace(name, out)
    except BaseException:
        os.unlink(name)
        raise


def _run(arguments: list[str]) -> int:
    try:
        return int(bpf_as.main(arguments, prog_name="bpf-as", standalone_mode=False) or 0)
    except click.UsageError as error:
        raise UsageError(error.format_message().rstrip(".").strip(), hint="see 'bpf-as -h'") from error
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
    except click.Abort:
        raise KeyboardInterrupt from None
    except OSError as error:
        raise render.cannot_begin(error) from error


def main(arguments: list[str] | None = None) -> None:
    """The command. Ends the process with an exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    sys.exit(render.guarded(lambda: _run(arguments), "--json" in arguments, "bpf-as"))


if __name__ == "__main__":
    main()
