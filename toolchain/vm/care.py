"""Care of a pin tree: removing what nobody holds, and the full check with every kind's own checker.

    collect    objects without holder and pin go, and what killed processes left is finished; every command does it too
    inspect    toolchain/pin/check.py with the checkers of maps, programs and links

What the check finds, repair.py puts right.
"""

from __future__ import annotations

from toolchain.pin import reaper
from toolchain.pin.check import Finding, check
from toolchain.pin.store import ObjectStore
from toolchain.vm.links import check_link
from toolchain.vm.maps import check_map
from toolchain.vm.program import check_program

CHECKERS = {"map": check_map, "prog": check_program, "link": check_link}
"""Kind of object -> what is wrong with one's data."""


def collect(store: ObjectStore) -> list[str]:
    """Remove what nobody holds. Gives the anchors of what went: 'map7'. Raises RuntimeUnavailable."""
    before = {name for name, _ in reaper.anchors(store.root)}
    store.reap(is_full=True)
    gone = before - {name for name, _ in reaper.anchors(store.root)}
    return sorted(gone, key=reaper.kind_and_id)


def inspect(store: ObjectStore) -> list[Finding]:
    """Everything that is not as it should be. Raises RuntimeUnavailable."""
    return check(store, CHECKERS)
