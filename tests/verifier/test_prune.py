"""The rules by which a stored state includes another, one by one."""

from __future__ import annotations

import pytest

from toolchain.isa.map_types import MapType
from toolchain.spec.maps import MapSpec
from toolchain.verifier import regtypes
from toolchain.verifier.prune import EXACT, NOT_EXACT, RANGE_WITHIN, IdMap, reg_safe
from toolchain.verifier.regtypes import ADD_CONST64, UNINIT, UNKNOWN_SCALAR, MapView, Reg, constant, number, pointer
from toolchain.verifier.scalar import from_bounds
from toolchain.verifier.state import ALL_MISC, ALL_SPILL, ANYTHING, EMPTY_SLOT, MIXED, NUMBER_SLOT, POINTER_SLOT, Slot

WIDE = number(from_bounds(umax=100))
NARROW = number(from_bounds(umax=10))
MAP = MapView(0, MapSpec("m", MapType.ARRAY, 4, 64, 1))
OTHER_MAP = MapView(1, MapSpec("m", MapType.ARRAY, 4, 64, 1))


def _packet(raw: int, off: int = 0, id: int = 0) -> Reg:
    return pointer(regtypes.PACKET, raw=raw, off=off, id=id)


@pytest.mark.parametrize(
    ("old", "current", "is_precise", "exact", "expected"),
    [
        (WIDE, NARROW, True, NOT_EXACT, True),
        (NARROW, WIDE, True, NOT_EXACT, False),
        (NARROW, WIDE, False, NOT_EXACT, True),
        (NARROW, WIDE, False, RANGE_WITHIN, False),
        (WIDE, NARROW, True, EXACT, False),
        (UNINIT, WIDE, False, NOT_EXACT, True),
        (UNINIT, WIDE, False, RANGE_WITHIN, False),
        (WIDE, UNINIT, False, NOT_EXACT, False),
        (WIDE, pointer(regtypes.CTX), False, NOT_EXACT, False),
        (pointer(regtypes.CTX), WIDE, False, NOT_EXACT, False),
        (_packet(8), _packet(14), False, NOT_EXACT, True),
        (_packet(14), _packet(8), False, NOT_EXACT, False),
        (_packet(8), _packet(14, off=2), False, NOT_EXACT, False),
        (_packet(-1), _packet(14), False, NOT_EXACT, False),
        (pointer(regtypes.STACK, raw=0), pointer(regtypes.STACK, raw=1), False, NOT_EXACT, False),
        (pointer(regtypes.MAP_VALUE, map=MAP), pointer(regtypes.MAP_VALUE, map=MAP), False, NOT_EXACT, True),
        (pointer(regtypes.MAP_VALUE, map=MAP), pointer(regtypes.MAP_VALUE, map=OTHER_MAP), False, NOT_EXACT, False),
        (pointer(regtypes.MAP_VALUE, map=MAP, off=4), pointer(regtypes.MAP_VALUE, map=MAP), False, NOT_EXACT, False),
    ],
)
def test_one_register(old: Reg, current: Reg, is_precise: bool, exact: int, expected: bool) -> None:
    assert reg_safe(old, current, is_precise, IdMap(100), exact) is expected


def test_ids_must_pair_up() -> None:
    ids = IdMap(100)
    assert ids.match(1, 7)
    assert ids.match(1, 7)
    assert not ids.match(1, 8)
    assert not ids.match(2, 7)
    assert not ids.match(3, 0)
    assert not ids.match(0, 3)
    assert ids.match(0, 0)


def test_unlinked_old_numbers_take_any_id() -> None:
    ids = IdMap(100)
    assert ids.match_scalar(0, 9)
    # Two linked old numbers need two linked current ones: unlinked ones get ids of their own.
    assert ids.match_scalar(5, 0)
    assert not ids.match_scalar(5, 0)


def test_linked_copies_against_independent_numbers() -> None:
    ids = IdMap(100)
    assert reg_safe(WIDE.with_id(1, 0), NARROW.with_id(2, 0), True, ids, NOT_EXACT)
    assert not reg_safe(WIDE.with_id(1, 0), NARROW.with_id(3, 0), True, ids, NOT_EXACT)


def test_distances_must_agree() -> None:
    moved = WIDE.with_id(1 | ADD_CONST64, 4)
    assert reg_safe(moved, NARROW.with_id(2 | ADD_CONST64, 4), True, IdMap(100), NOT_EXACT)
    assert not reg_safe(moved, NARROW.with_id(2 | ADD_CONST64, 8), True, IdMap(100), NOT_EXACT)
    assert not reg_safe(moved, NARROW.with_id(2, 0), True, IdMap(100), NOT_EXACT)
    ids = IdMap(100)
    assert reg_safe(WIDE.with_id(1, 0), NARROW.with_id(2, 0), True, ids, NOT_EXACT)
    assert not reg_safe(moved, NARROW.with_id(3 | ADD_CONST64, 4), True, ids, NOT_EXACT), "base ids differ"


def test_shapes_of_slots() -> None:
    assert EMPTY_SLOT.shape == ANYTHING
    assert Slot(ALL_MISC).shape == ANYTHING
    assert Slot(ALL_SPILL, constant(1)).shape == NUMBER_SLOT
    assert Slot(ALL_SPILL, pointer(regtypes.CTX)).shape == POINTER_SLOT
    assert Slot(bytes([0, 0, 0, 0, 1, 1, 1, 1]), UNKNOWN_SCALAR).shape == MIXED
    assert Slot(bytes([3] * 8)).shape == MIXED
