"""The stages of a program between link and run; each type is the proof that the stage before it succeeded.

    LinkedProgram --bind--> BoundProgram --verify--> VerifiedProgram --load--> (a runtime's handle)

All are values: no fd, no path that was opened, no clock.

Code is bytes, 8 a slot, little endian, ready for bpf(2) but for the maps: a wide load that refers to a map has
src = PseudoSrc.MAP_IDX (the map itself) or MAP_IDX_VALUE (an address in its value, offset in the second imm) and
imm = the map's index in ``LinkedProgram.maps``. Each runtime puts its own handles there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from toolchain.errors import Where
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec
from toolchain.values import Value, value_type

if TYPE_CHECKING:
    from toolchain.btf import Btf


@value_type
class LineInfo(Value):
    """The source of the instruction at ``slot`` and those after it until the next LineInfo.

    Units: line and column count from 1 (0: unknown). ``text`` is the source line, '' where it is not known.
    """

    slot: int
    path: str
    line: int
    column: int = 0
    text: str = ""


@value_type
class FunctionInfo(Value):
    """A function of the linked code: the entry is the one at slot 0. ``type_id`` is its FUNC in ``btf``, 0 if none."""

    slot: int
    name: str
    type_id: int = 0
    is_global: bool = False


@value_type
class LinkedProgram(Value):
    """An entry point with all functions that it reaches, relocated.

    ``maps`` are those that the code refers to, in index order, data maps included.
    ``prog_flags`` are BPF_F_* of BPF_PROG_LOAD (strict alignment 1, any alignment 2, sleepable 16, ...).
    """

    name: str
    section: str
    prog_type: ProgType
    code: bytes
    maps: tuple[MapSpec, ...] = ()
    functions: tuple[FunctionInfo, ...] = ()
    line_info: tuple[LineInfo, ...] = ()
    expected_attach_type: int = 0
    attach_target: str = ""
    prog_flags: int = 0
    licence: str = ""
    kernel_version: int = 0
    btf: Btf | None = None
    path: str = "<memory>"
    where: Where | None = None

    @property
    def slot_count(self) -> int:
        """Length in 8-byte words: what the kernel calls the number of instructions."""
        return len(self.code) // 8

    @property
    def is_gpl_compatible(self) -> bool:
        """Source: include/linux/license.h, license_is_gpl_compatible()."""
        return self.licence in (
            "GPL",
            "GPL v2",
            "GPL and additional rights",
            "Dual BSD/GPL",
            "Dual MIT/GPL",
            "Dual MPL/GPL",
        )


class BindAction(StrEnum):
    """What loading will do about a map."""

    CREATE = "create"
    REUSE = "reuse"


@value_type
class MapBinding(Value):
    """One map of a program against the pin tree.

    ``spec`` is what the program will really meet: the declared map, or the pinned one where they may differ.
    ``pin_path`` is relative to the pin root, '' where the map is not pinned. ``map_id`` is the pinned map's id for
    REUSE, 0 else.
    """

    spec: MapSpec
    action: BindAction = BindAction.CREATE
    pin_path: str = ""
    map_id: int = 0


@value_type
class BoundProgram(Value):
    """A linked program and what each of its maps becomes; ``bindings`` are parallel to ``program.maps``."""

    program: LinkedProgram
    bindings: tuple[MapBinding, ...]

    @classmethod
    def unpinned(cls, program: LinkedProgram) -> BoundProgram:
        """Every map created, none pinned."""
        return cls(program, tuple(MapBinding(spec) for spec in program.maps))


@value_type
class VerifierStats(Value):
    """The work of a verification, in the kernel's own counts."""

    processed: int = 0
    peak_states: int = 0
    total_states: int = 0
    max_states_per_insn: int = 0
    mark_read: int = 0
    stack_depth: tuple[int, ...] = ()
    usec: int = 0


@value_type
class CtxAccess(Value):
    """A load or store of the context at a known offset: what a runtime rewrites.

    Units: ``offset`` and ``size`` in bytes of the user-visible context (struct __sk_buff, struct xdp_md ...).
    """

    slot: int
    offset: int
    size: int
    is_write: bool


@value_type
class VerifiedProgram(Value):
    """A bound program with every path proved safe. Only the verifier makes one.

    ``ctx_accesses`` lists each instruction that touches the context, in slot order. ``dead_slots`` were never reached.
    """

    bound: BoundProgram
    stats: VerifierStats
    ctx_accesses: tuple[CtxAccess, ...] = ()
    dead_slots: frozenset[int] = frozenset()
    log: str = ""

    @property
    def program(self) -> LinkedProgram:
        """The linked program below."""
        return self.bound.program
