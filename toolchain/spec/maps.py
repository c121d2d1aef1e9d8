"""What a map is declared to be, before any runtime has made it.

One MapSpec serves all three ways an object declares maps (classic tc records, ``struct bpf_map_def``, BTF ``.maps``),
data sections that become maps, and what a pin or a live map says of itself.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from toolchain.errors import Where
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.values import Value, value_type

MAP_NAME_SIZE = 15
"""Usable bytes of a map or program name in the kernel (BPF_OBJ_NAME_LEN less the terminator)."""


class MapStyle(StrEnum):
    """How the object declares the map."""

    CLASSIC = "classic"
    """A record of section ``maps``: ``struct bpf_elf_map`` of tc, 16 to 36 bytes."""
    DEF = "def"
    """A record of section ``maps`` read as ``struct bpf_map_def`` of the old samples."""
    BTF = "btf"
    """A variable of section ``.maps``."""
    DATA = "data"
    """A data section: .data, .rodata, .bss and their named variants."""
    LIVE = "live"
    """Read back from a runtime."""


class Pinning(StrEnum):
    """Where the map asks to be pinned."""

    NONE = "none"
    OBJECT = "object"
    """Classic 1: below a directory named by the hash of the object file."""
    GLOBAL = "global"
    """Classic 2: ``tc/globals/NAME``."""
    BY_NAME = "by-name"
    """LIBBPF_PIN_BY_NAME, and ``pin=name`` of bpf-as."""
    CUSTOM = "custom"
    """Classic, any other id: looked up in a pinning file by ``pinning_id``."""


@value_type
class InitialValue(Value):
    """One slot that the object fills: map-in-map ``.values`` or prog-array entries.

    ``key`` is the slot's index; ``symbol`` names the inner map or the program.
    """

    key: int
    symbol: str


@value_type
class MapSpec(Value):
    """A map's definition.

    Units: key_size and value_size in bytes, max_entries in elements.
    ``name`` is the full name in the object (the kernel keeps 15 bytes of it).
    ``key_type_id``/``value_type_id`` index the object's BTF, 0 where there is none.
    ``data`` is the initial content of a DATA map (``value_size`` bytes) or the start of an arena's, else None;
    ``is_frozen`` says that user space cannot write it any more (.rodata once filled).
    ``pin_name`` is the name asked for in the pin tree ('' = ``name``).
    """

    name: str
    map_type: MapType
    key_size: int
    value_size: int
    max_entries: int
    map_flags: int = 0
    style: MapStyle = MapStyle.BTF
    pinning: Pinning = Pinning.NONE
    pin_name: str = ""
    pinning_id: int = 0
    numa_node: int = 0
    map_extra: int = 0
    inner: MapSpec | None = None
    values: tuple[InitialValue, ...] = ()
    classic_id: int = 0
    classic_inner_id: int = 0
    classic_inner_index: int = -1
    key_type_id: int = 0
    value_type_id: int = 0
    data: bytes | None = None
    is_frozen: bool = False
    where: Where | None = None

    @property
    def is_read_only_for_programs(self) -> bool:
        """BPF_F_RDONLY_PROG is set."""
        return bool(self.map_flags & MapFlag.RDONLY_PROG)

    def with_pin(self, pinning: Pinning, pin_name: str = "") -> MapSpec:
        """The same map, asking for another pin."""
        return replace(self, pinning=pinning, pin_name=pin_name)


_SHOWN_KEY_SIZE = 32


def key_words(key: bytes) -> str:
    """A key as errors name it: its first bytes in hex."""
    return key[:_SHOWN_KEY_SIZE].hex(" ") + (" .." if len(key) > _SHOWN_KEY_SIZE else "")
