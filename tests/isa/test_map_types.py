"""Map, program and attach types by number and by name."""

import pytest

from toolchain.isa.map_types import FD_VALUE_TYPES, MAP_IN_MAP_TYPES, MapType, map_type_of
from toolchain.isa.program_types import AttachType, ProgType


@pytest.mark.parametrize("kind", list(MapType), ids=lambda kind: kind.label)
def test_names_lead_back(kind: MapType) -> None:
    assert map_type_of(kind.label) == map_type_of(str(int(kind))) == map_type_of(f"BPF_MAP_TYPE_{kind.name}") == kind


@pytest.mark.parametrize("text", ["", "harsh", "34", "-1"])
def test_unknown_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unknown map type"):
        map_type_of(text)


def test_numbers() -> None:
    assert (MapType.LPM_TRIE, MapType.RINGBUF, MapType.ARENA) == (11, 27, 33)
    assert (ProgType.XDP, ProgType.CGROUP_SOCKOPT, ProgType.NETFILTER) == (6, 25, 32)
    assert (AttachType.XDP, AttachType.TCX_INGRESS, AttachType.NETKIT_PEER) == (37, 46, 55)
    assert MAP_IN_MAP_TYPES < FD_VALUE_TYPES
