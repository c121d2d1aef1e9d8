"""bpf-load: load, verify, run and inspect BPF objects; look at maps, programs and pins."""

from __future__ import annotations

import sys
from typing import Any

import click

from toolchain.cli import render
from toolchain.cli.common import Group
from toolchain.errors import UsageError

_COMMANDS = {
    "inspect": ("toolchain.cli.inspect_command:inspect", "Show what is in an object file."),
    "verify": ("toolchain.cli.verify_command:verify", "Verify the programs of objects; change nothing."),
    "load": ("toolchain.cli.load_command:load", "Load an object's programs, sharing and pinning its maps."),
    "run": ("toolchain.cli.run_command:run", "Run a program on packets; show what it returns and changes."),
    "attach": ("toolchain.cli.attach_command:attach", "Attach a program to a device, cgroup or netfilter hook."),
    "detach": ("toolchain.cli.attach_command:detach", "Detach a link, or what is at a hook."),
    "replace": ("toolchain.cli.attach_command:replace", "Swap an attached program at once."),
    "replay": ("toolchain.cli.replay_command:replay", "Send a capture's packets through what is attached to a hook."),
    "link": ("toolchain.cli.link_command:link_group", "Show and detach links."),
    "tc": ("toolchain.cli.tc_command:tc", "tc's own words: qdisc clsact, filter bpf, exec bpf."),
    "map": ("toolchain.cli.map_command:map_group", "Show, make, change, follow, resize, export and import maps."),
    "prog": ("toolchain.cli.prog_command:prog_group", "Show loaded programs and their code."),
    "fd-send": ("toolchain.cli.fd_command:fd_send", "Hand live objects to another process, over a Unix socket."),
    "fd-recv": (
        "toolchain.cli.fd_command:fd_recv",
        "Await objects at a Unix socket; pin them, or run a command with them.",
    ),
    "pin": ("toolchain.cli.pin_command:pin_group", "Show and remove pins; check and clean the pin tree."),
    "doctor": ("toolchain.cli.doctor_command:doctor", "Say which runtime works here, and how to mend what does not."),
}

_EPILOG = """Exit status: 0 done, 1 input refused or failed, 2 usage, 3 verifier rejected, 4 pinned map differs,
5 runtime unavailable or feature not supported, 6 expectation not met, 70 a bug, 130 interrupted."""


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from toolchain import __version__

    render.write(f"bpf-load {__version__} (runtimes: user, kernel)")
    ctx.exit()


@click.group(cls=Group, lazy=_COMMANDS, epilog=_EPILOG)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
              help="Show the version and exit.")  # fmt: skip
def bpf_load() -> None:
    """Load eBPF programs, share their maps between invocations, run them on packets: without root, without a kernel.

    A PIN is a path below the pin root; maps that ask for it are pinned at tc/globals/NAME.
    """


_C_PARTS = {
    "toolchain.vm": "user", "toolchain.vm._core": "user",
    "toolchain.kernel": "kernel", "toolchain.kernel._sys": "kernel",
}  # fmt: skip
"""What an import error names where a C part is not built, or stale -> whose it is."""


def _run(arguments: list[str]) -> int:
    try:
        action: Any = bpf_load.main(arguments, prog_name="bpf-load", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        render.complain(error.format_message())
        return UsageError.exit_status
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "bpf-load"
        raise UsageError(error.format_message().rstrip(".").strip(), hint=f"see '{command} -h'") from error
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
    except click.Abort:
        raise KeyboardInterrupt from None
    except OSError as error:
        raise render.cannot_begin(error) from error
    try:
        return int(action()) if callable(action) else int(action or 0)
    except ImportError as error:
        if error.name not in _C_PARTS:
            raise
        from toolchain.loader.runtimes import not_built

        raise not_built(_C_PARTS[error.name], error) from error


def main(arguments: list[str] | None = None) -> None:
    """The command. Ends the process with an exit status of DESIGN's table."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    sys.exit(render.guarded(lambda: _run(arguments), as_json))


if __name__ == "__main__":
    main()
