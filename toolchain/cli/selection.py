"""Which program a command means: of an object or of a pin, one or several, bound to which maps."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolchain.cli.common import parse_map_paths
from toolchain.errors import FilePlace, UsageError

if TYPE_CHECKING:
    from toolchain.isa.program_types import ProgType
    from toolchain.loader.pipeline import LoadOptions
    from toolchain.spec.objects import ObjectSpec


def is_object(pin_root: str, target: str) -> bool:
    """A pin goes before a file of the same name. What has a dot is always the file, for no pin has one in its path."""
    if os.path.isabs(target):
        return not os.path.realpath(target).startswith(os.path.join(os.path.realpath(pin_root), ""))
    return "." in target or (os.path.exists(target) and not os.path.lexists(os.path.join(pin_root, target)))


def select_one(obj: ObjectSpec, chosen: LoadOptions) -> LoadOptions:
    """The options narrowed to one program. Raises UsageError where several could be meant."""
    from toolchain.loader.link import select

    programs = select(obj, chosen.programs, chosen.sections)
    if len(programs) > 1:
        names = ", ".join(each.name for each in programs)
        raise UsageError(f"several programs to run: {names}", FilePlace(obj.path), "name one with --program")
    return replace(chosen, programs=(programs[0].name,), sections=())


def load_options(
    options: dict[str, Any], prog_type: ProgType | None, pin_root: str, pin: str = "", is_published: bool = True
) -> LoadOptions:
    """The options of ``selection_options`` and ``binding_options`` as the loader's."""
    from toolchain.loader.bind import OnMismatch, PinLayout
    from toolchain.loader.migrate import MigrationOptions
    from toolchain.loader.pipeline import LoadOptions

    on_mismatch = OnMismatch(options["on_mismatch"])
    if on_mismatch is not OnMismatch.MIGRATE and (options["lossy"] or options["drain"]):
        raise UsageError("--lossy and --drain are for --on-mismatch migrate")
    return LoadOptions(
        programs=tuple(options["programs"]),
        sections=tuple(options["sections"]),
        prog_type=prog_type,
        map_paths=parse_map_paths(options["maps"], pin_root),
        layout=PinLayout(options["pin_layout"]),
        on_mismatch=on_mismatch,
        pin=pin,
        is_published=is_published,
        btf=options["btf"],
        migration=MigrationOptions(options["lossy"], options["drain"]),
    )
