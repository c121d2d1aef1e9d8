"""Targets: the programs and maps that a running program meets in slots.

A slot holds an id. The first time that a run meets it, the C core asks here, in the middle of the run: the object is
opened by its id and, since no file is believed, checked against the map that it stands in; a program is verified
again. The answer is kept, for an id always means the same object. What others put into a slot counts at once.

Targets keep their memory, but hold no object: what is taken out of its slot goes when its last holder does.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from toolchain.errors import LoadError, PinError, PinPlace, ToolchainError, Where
from toolchain.pin.store import ObjectStore
from toolchain.pin.stored import StoredObject
from toolchain.spec.stages import LinkedProgram, VerifiedProgram
from toolchain.vm.engine import Code
from toolchain.vm.maps import Map, open_map
from toolchain.vm.native import ffi
from toolchain.vm.slots import KIND_HELD, is_alike, owner_of

MAX_TARGETS = 16_384
"""Open at a time for one program; a run that meets more of them fails."""


class TargetProgram(Protocol):
    """A stored program, opened (program.py)."""

    program: LinkedProgram
    maps: tuple[Map, ...]
    stored: StoredObject

    def verified(self) -> VerifiedProgram:
        """The program, verified again."""

    def close(self) -> None:
        """Let go of it and of its maps."""


class Targets:
    """What a program's slots lead to, and its targets' slots. Owns: what it opened; ``close`` lets it go."""

    def __init__(
        self,
        store: ObjectStore,
        program: LinkedProgram,
        maps: Iterable[Map],
        open_program: Callable[[ObjectStore, StoredObject, Where], TargetProgram],
        is_checked: bool = False,
    ) -> None:
        self._store, self._open_program, self._is_checked = store, open_program, is_checked
        self._owner = owner_of(program)
        self._own_maps = tuple(maps)
        self._opened: list[TargetProgram | Code | Map] = []
        self._failed: dict[tuple[int, int], ToolchainError] = {}
        self._failure: BaseException | None = None
        self._holders: dict[int, Map] = {}
        self._add(self._own_maps)

    @property
    def has_slots(self) -> bool:
        """Whether there is anything to ask for."""
        return bool(self._holders)

    @property
    def count(self) -> int:
        """How many objects are open."""
        return len(self._opened)

    def resolve(self, holder: int, id: int) -> Any:
        """The C program or map that ``id`` names in the map at address ``holder``, or NULL. Raises nothing."""
        try:
            if (holder, id) in self._failed:
                raise self._failed[holder, id]
            return self._resolve(self._holders[holder], id)
        except PinError as error:
            if error.errno != errno.ENOENT:
                self._fail(holder, id, error)
        except ToolchainError as error:
            self._fail(holder, id, error)
        except BaseException as error:  # Ctrl-C, which C cannot pass on
            self._failure = self._failure or error
        return ffi.NULL

    def name_of(self, id: int) -> str:
        """The name of a program that was resolved."""
        for each in self._opened:
            if isinstance(each, Code) and each.id == id:
                return each.program.name
        return f"prog id {id}"

    def raise_failure(self) -> None:
        """Raise what went wrong in a ``resolve`` since the last call."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Let go of all targets; C must have forgotten them. They are opened again when asked for."""
        for each in reversed(self._opened):
            each.close()
        self._opened.clear()
        self._failed.clear()
        self._holders.clear()
        self._add(self._own_maps)

    def _fail(self, holder: int, id: int, error: ToolchainError) -> None:
        self._failed[holder, id] = error
        self._failure = self._failure or error

    def _resolve(self, holder: Map, id: int) -> Any:
        if len(self._opened) >= MAX_TARGETS:
            raise LoadError(f"one run meets more than {MAX_TARGETS} programs and maps in slots", errno.EMFILE)
        if KIND_HELD[holder.spec.map_type] == "prog":
            return self._program(id)
        inner = open_map(self._store.by_id("map", id))
        if holder.spec.inner is None or not is_alike(holder.spec.inner, inner.spec):
            inner.close()
            raise LoadError(f"map{id} in a slot of {holder.spec.name!r} is not like its inner map", errno.EINVAL)
        inner.stored.let_live()
        self._opened.append(inner)
        return inner.pointer

    def _program(self, id: int) -> Any:
        where = PinPlace(f"prog id {id}")
        target = self._open_program(self._store, self._store.by_id("prog", id), where)
        try:
            if owner_of(target.program) != self._owner:
                raise LoadError("tail call to a program of another type", errno.EINVAL, where)
            verified = target.verified()
            pointers = [each.pointer for each in target.maps]
            code = Code(verified.program, pointers, None if self._is_checked else verified, takes_anything=True, id=id)
        except BaseException:
            target.close()
            raise
        for stored in (target.stored, *(each.stored for each in target.maps)):
            stored.let_live()
        self._opened += [target, code]
        self._add(target.maps)
        return code.pointer

    def _add(self, maps: Iterable[Map]) -> None:
        for each in maps:
            if each.spec.map_type in KIND_HELD:
                self._holders[int(ffi.cast("uintptr_t", each.pointer))] = each
