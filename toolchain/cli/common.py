"""What all commands of bpf-load share: global settings, options, and commands that are imported when they are used.

A command's callback only gathers its arguments: it returns an action, and ``bpf_load.main`` runs that outside click, so
that click's own handling of errors, pipes and interrupts never gets in the way. The global options (-r, --pin-root,
--json, -v) may stand before the command or after it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from toolchain.errors import Rejected, UsageError
from toolchain.isa.program_types import ProgType

if TYPE_CHECKING:
    from toolchain.spec.runtime import Runtime

Action = Callable[[], int]
"""What a command does once its arguments are understood; returns the exit status."""

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


_SUMMARY_LIMIT = 200
"""Characters of a command's first sentence that are shown in a list."""


class Settings(NamedTuple):
    """The global options. ``runtime`` and ``pin_root`` are '' where nothing was said."""

    runtime: str = ""
    pin_root: str = ""
    as_json: bool = False
    verbosity: int = 0

    def open_runtime(self, mounts: bool = False) -> Runtime:
        """The runtime asked for; with ``mounts`` its pin root is a bpffs afterwards. Owns: the caller closes it."""
        from toolchain.cli.render import complain
        from toolchain.loader.runtimes import open_runtime

        runtime = open_runtime(self.runtime, self.pin_root, mounts)
        if runtime.name == "user":
            from toolchain.vm.runtime import end_on_bus_error

            end_on_bus_error(self.as_json)
        if self.verbosity or (self.runtime or os.environ.get("BPF_RUNTIME")) == "auto":
            complain(f"bpf-load: {runtime.name} runtime, pins in {runtime.pin_root}")
        return runtime


def _global_options() -> list[click.Option]:
    return [
        click.Option(["-r", "--runtime"], type=click.Choice(["user", "kernel", "auto"]), default=None,
                     help="Where programs run. [default: $BPF_RUNTIME, else user]"),
        click.Option(["--pin-root"], metavar="DIR", default=None,
                     help="Where pins are. [default: $BPF_PIN_ROOT; else kernel: /sys/fs/bpf, user: "
                          "$XDG_RUNTIME_DIR/bpf or /dev/shm/bpf-UID]"),
        click.Option(["--json"], is_flag=True, help="One JSON document on stdout, errors too."),
        click.Option(["-v", "--verbose"], count=True, help="Say more."),
    ]  # fmt: skip


def _take_settings(ctx: click.Context) -> Settings:
    """The settings so far, changed by the global options among this command's parameters."""
    settings = ctx.find_object(Settings) or Settings()
    values = ctx.params
    return settings._replace(
        runtime=values.pop("runtime", None) or settings.runtime,
        pin_root=values.pop("pin_root", None) or settings.pin_root,
        as_json=values.pop("json", False) or settings.as_json,
        verbosity=values.pop("verbose", 0) + settings.verbosity,
    )


class Command(click.Command):
    """A command that takes the global options too, and hands Settings to its callback first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", CONTEXT_SETTINGS)
        super().__init__(*args, **kwargs)
        self.params += _global_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Call back with the settings and the command's own parameters."""
        settings = _take_settings(ctx)
        callback = self.callback
        return ctx.invoke(callback, settings, **ctx.params) if callback is not None else None


class Group(click.Group):
    """A group whose commands are ``module:attribute``, imported when used; help lines come from ``summaries``."""

    command_class = Command

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", CONTEXT_SETTINGS)
        super().__init__(*args, **kwargs)
        self._lazy = lazy or {}
        self.params += _global_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return [*self._lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, attribute = self._lazy[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands for --help, without importing them: of each the first sentence, in full."""
        rows = [(name, summary) for name, (_, summary) in self._lazy.items()]
        rows += [(name, each.get_short_help_str(_SUMMARY_LIMIT)) for name, each in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Keep the settings for the command, and go on to it."""
        ctx.obj = _take_settings(ctx)
        return super().invoke(ctx)


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that choose programs of an object, their type, and the kernel whose types they mean."""
    for option in (
        click.option("--btf", metavar="FILE", default="",
                     help="Types for CO-RE relocations. [default: $BPF_BTF, else the running kernel's]"),
        click.option("--type", "prog_type", metavar="TYPE", help="Program type, where the section's name gives none."),
        click.option("-p", "--program", "programs", metavar="P", multiple=True, help="Only this program."),
        click.option("-s", "--section", "sections", metavar="S", multiple=True, help="Only programs of this section."),
    ):  # fmt: skip
        command = option(command)
    return command


def binding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which pins maps use."""
    for option in (
        click.option("--drain", type=click.FloatRange(0, 1_000_000), metavar="SECONDS", default=0.0,
                     help="After migrating, merge what programs still write to the old map, until none uses it."),
        click.option("--lossy", is_flag=True, help="Migrate without the entries that the new map cannot hold."),
        click.option("--on-mismatch", type=click.Choice(["fail", "keep", "replace", "migrate"]), default="fail",
                     help="A pinned map that differs: refuse, use it as it is, put a new one in its place, or a new"
                          " one with its entries."),
        click.option("--pin-layout", type=click.Choice(["tc", "libbpf", "flat"]), default="tc",
                     help="Where maps are pinned. [default: tc, that is tc/globals/NAME]"),
        click.option("--map", "maps", metavar="NAME=PIN", multiple=True, help="Use this pin for this map."),
    ):  # fmt: skip
        command = option(command)
    return command


@contextlib.contextmanager
def explained_by_verify(path: str) -> Iterator[None]:
    """Rejections in the block say how to learn more about them."""
    try:
        yield
    except Rejected as error:
        for each in error.faults or (error,):
            each.hint = each.hint or f"see why, and what to do, with 'bpf-load verify --explain {path}'"
        raise


def parse_map_paths(pairs: Sequence[str], pin_root: str) -> dict[str, str]:
    """NAME=PIN arguments. Raises UsageError."""
    from toolchain.loader.runtimes import relative_pin

    paths: dict[str, str] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not name or not equals or not path:
            raise UsageError(f"--map takes NAME=PIN: {pair}")
        if name in paths:
            raise UsageError(f"--map names a map twice: {name}")
        paths[name] = relative_pin(pin_root, path)
    return paths


_TYPE_ALIASES = {
    "tc": ProgType.SCHED_CLS, "classifier": ProgType.SCHED_CLS, "action": ProgType.SCHED_ACT,
    "socket": ProgType.SOCKET_FILTER, "raw_tp": ProgType.RAW_TRACEPOINT, "tp": ProgType.TRACEPOINT,
}  # fmt: skip


def parse_prog_type(text: str | None) -> ProgType | None:
    """A program type by bpftool's name, the kernel's or a common short one. Raises UsageError."""
    if not text:
        return None
    word = text.lower().removeprefix("bpf_prog_type_")
    by_label = {kind.label: kind for kind in ProgType if kind} | _TYPE_ALIASES
    if word not in by_label:
        raise UsageError(f"unknown program type: {text} ({', '.join(sorted(by_label))})")
    return by_label[word]
