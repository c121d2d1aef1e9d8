"""What a load made: programs and maps with their handles, and where each is pinned."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Self

from toolchain.loader.migrate import Migrated
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import MapHandle, ProgHandle
from toolchain.spec.stages import LinkedProgram

if TYPE_CHECKING:
    from toolchain.loader.migrate_recover import Recovered


class LoadedProgram(NamedTuple):
    """A program in a runtime. ``pin`` is '' where it has none."""

    handle: ProgHandle
    program: LinkedProgram
    pin: str = ""


class LoadedMap(NamedTuple):
    """A map of the loaded programs. ``pin`` is '' where it has none; ``migrated`` is set where entries came over."""

    handle: MapHandle
    spec: MapSpec
    pin: str = ""
    is_reused: bool = False
    migrated: Migrated | None = None


class Loaded:
    """What a load made and uses. Owns: every handle; ``close`` or the end of a ``with`` block releases them.

    ``recovered``: what migrations of these maps that were killed earlier still brought.
    """

    def __init__(self, programs: Sequence[LoadedProgram], maps: Sequence[LoadedMap], stack: ExitStack) -> None:
        self.programs = tuple(programs)
        self.maps = tuple(maps)
        self.recovered: tuple[Recovered, ...] = ()
        self._stack = stack

    def close(self) -> None:
        """Close the handles: what is not pinned goes."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
