"""bpf-load doctor: which runtime works here, what it can do, and how to mend what does not.

Exit status 0 if the runtime meant (-r, else $BPF_RUNTIME, else user) works, 5 if it does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from toolchain.cli import render
from toolchain.cli.common import Action, Command, Settings
from toolchain.errors import LoadError, RuntimeUnavailable, ToolchainError, Unsupported
from toolchain.spec.findings import Finding, State


@click.command(cls=Command)
def doctor(settings: Settings) -> Action:
    """Say which runtime works here, what it can do, and how to mend what does not."""
    return partial(_doctor, settings)


def _doctor(settings: Settings) -> int:
    from toolchain.loader.runtimes import runtime_name

    meant = runtime_name(settings.runtime, settings.pin_root)
    found = {"user": list(user_findings(settings)), "kernel": list(kernel_findings(settings))}
    works = {name: all(each.state is not State.FAIL for each in rows) for name, rows in found.items()}
    if settings.as_json:
        render.write(render.json_text(_document(meant, found, works)))
    else:
        _show(meant, found, works)
    return 0 if works[meant] else RuntimeUnavailable.exit_status


def user_findings(settings: Settings) -> Iterator[Finding]:
    """The questions about the user runtime."""
    try:
        from toolchain.vm import UserRuntime
    except ImportError as error:
        yield Finding("C core", State.FAIL, f"cannot be imported: {error}", "run make, or install the package again")
        return
    yield Finding("C core", State.OK, "built")
    yield _pin_tree(UserRuntime(settings.pin_root).pin_root)
    yield _types_of_maps()
    yield _types_of_programs()


def _pin_tree(root: str) -> Finding:
    from toolchain.pin.root import check_root

    try:
        exists = check_root(root)
    except ToolchainError as error:
        return Finding("pin root", State.FAIL, str(error), error.hint)
    directory = root
    while not os.path.isdir(directory):
        directory = os.path.dirname(os.path.abspath(directory))
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        remedy = "choose a directory on tmpfs, ext4, xfs or btrfs with --pin-root or $BPF_PIN_ROOT"
        return Finding("pin root", State.FAIL, f"no unnamed files in {directory}: {error.strerror}", remedy)
    return Finding("pin root", State.OK, f"pins in {root}" + ("" if exists else " (will be made)"))


def _types_of_maps() -> Finding:
    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec
    from toolchain.vm.maps import data_size

    def is_known(kind: MapType) -> bool:
        try:
            data_size(MapSpec("m", kind, 4, 4, 1))
        except Unsupported:
            return False
        except LoadError:
            pass
        return True

    kinds = [kind for kind in MapType if kind]
    known = [kind.label for kind in kinds if is_known(kind)]
    return Finding("maps", State.OK, f"{len(known)} of {len(kinds)} types: {', '.join(known)}")


def _types_of_programs() -> Finding:
    from toolchain.isa.program_types import ProgType
    from toolchain.spec.stages import BoundProgram, LinkedProgram
    from toolchain.verifier import verify

    def is_known(kind: ProgType) -> bool:
        code = bytes.fromhex("b7000000000000009500000000000000")
        try:
            verify(BoundProgram.unpinned(LinkedProgram("p", kind.label, kind, code, licence="GPL")))
        except Unsupported:
            return False
        except ToolchainError:
            pass
        return True

    kinds = [kind for kind in ProgType if kind]
    known = [kind.label for kind in kinds if is_known(kind)]
    others = ", ".join(kind.label for kind in kinds if kind.label not in known)
    return Finding("programs", State.OK, f"{len(known)} of {len(kinds)} types" + (f"; not {others}" if others else ""))


def kernel_findings(settings: Settings) -> Iterator[Finding]:
    """The questions about the kernel runtime."""
    try:
        from toolchain.kernel import KernelRuntime
        from toolchain.kernel.probe import findings
    except ImportError as error:
        yield Finding("C part", State.FAIL, f"cannot be imported: {error}", "run make, or install the package again")
        return
    yield from findings(KernelRuntime(settings.pin_root).pin_root)


def _document(meant: str, found: dict[str, list[Finding]], works: dict[str, bool]) -> dict[str, Any]:
    return {
        "schema": "bpf-load.doctor/1",
        "release": os.uname().release,
        "uid": os.geteuid(),
        "runtime": meant,
        "runtimes": {
            name: {"works": works[name], "checks": [each._asdict() for each in rows]} for name, rows in found.items()
        },
    }


def _show(meant: str, found: dict[str, list[Finding]], works: dict[str, bool]) -> None:
    system = os.uname()
    render.write(f"Linux {system.release} on {system.machine}, uid {os.geteuid()}")
    width = max(len(each.name) for rows in found.values() for each in rows)
    for name, rows in found.items():
        render.write(f"{name} runtime: {'works' if works[name] else 'does not work'}{' (-r)' * (name == meant)}")
        for each in rows:
            render.write(render.printable(f"  {each.state:<4}  {each.name:<{width}}  {each.text}"))
            if each.remedy and each.state is not State.OK:
                render.write(render.printable(f"        {'':<{width}}  remedy: {each.remedy}"))
