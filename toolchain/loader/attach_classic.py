"""attach, replace, detach over netlink: bpf filters of clsact, and classic XDP. They need no pin and no process.

A replacement finds the one that is there and swaps its program at once; where several filters are, the tc verb says
which is meant, by pref and handle. clsact is added where it is missing, and stays when its last filter goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from toolchain.errors import Unsupported
from toolchain.isa.program_types import ProgType
from toolchain.kernel.hooks import DIRECTIONS, device_index, require_hook
from toolchain.loader.attach import Attached, Made, ambiguous
from toolchain.loader.publish import Undo
from toolchain.spec.runtime import ProgHandle, Runtime, Target

if TYPE_CHECKING:
    from toolchain.kernel.netlink import Filter, Place, TrafficControl


def open_netlink() -> TrafficControl:
    """A netlink socket. Raises Unsupported naming the extra where pyroute2 is not installed."""
    try:
        from toolchain.kernel.netlink import TrafficControl
    except ImportError as error:
        text = "clsact filters and classic XDP without pyroute2 (extra: net)"
        raise Unsupported(text, None, "pip install 'bpf-toolchain[net]'; TCX and XDP links need no extra") from error
    return TrafficControl()


def netlink_attaching(target: Target, made: Attached) -> Made:
    """Attach over netlink: a clsact filter in direct-action mode, or classic XDP where nothing is yet."""

    def do(program: ProgHandle, undo: Undo) -> None:
        require_hook(program.info().prog_type, target)
        with open_netlink() as control:
            index, what = device_index(target.device), f"attach to {target}"
            if target.hook not in DIRECTIONS:
                _require_xdp(program, target)
                control.set_xdp(index, program.fileno(), what)
                return
            from toolchain.kernel.netlink import Place

            if not control.has_clsact(index):
                control.add_clsact(index, target.device)
                undo.append(partial(_remove_clsact, target.device))
            made.filter = control.set_filter(
                Place(index, target.hook), program.fileno(), made.name, what, is_direct=True
            )

    return do


def _require_xdp(program: ProgHandle, target: Target) -> None:
    if program.info().prog_type != ProgType.XDP:
        raise Unsupported(f"attaching over netlink to {target}")


def _remove_clsact(device: str) -> None:
    with open_netlink() as control:
        control.remove_clsact(device_index(device), device)


def netlink_replacing(runtime: Runtime, target: Target, made: Attached) -> Made:
    """Swap the program of the only bpf filter of a direction, or of classic XDP, at once."""

    def do(program: ProgHandle, undo: Undo) -> None:
        require_hook(program.info().prog_type, target)
        with open_netlink() as control, ExitStack() as stack:
            index, what = device_index(target.device), f"replace at {target}"
            if target.hook not in DIRECTIONS:
                _require_xdp(program, target)
                state = control.xdp(index, what)
                if not state.prog_id:
                    raise ambiguous(str(target), [])
                old = stack.enter_context(runtime.prog_by_id(state.prog_id))
                control.set_xdp(index, program.fileno(), what, old.fileno())
                return
            old_filter = _only_filter(control, index, target)
            made.filter = control.set_filter(
                _place_of(index, target, old_filter),
                program.fileno(),
                made.name,
                what,
                verb="replace",
                is_direct=old_filter.is_direct,
                classid=old_filter.classid,
            )

    return do


def _place_of(index: int, target: Target, found: Filter) -> Place:
    from toolchain.kernel.netlink import Place

    return Place(index, target.hook, found.protocol, found.pref, found.handle)


def bpf_filters(control: TrafficControl, index: int, target: Target) -> Iterator[Filter]:
    """The bpf filters of a direction of clsact."""
    from toolchain.kernel.netlink import Place

    for each in control.filters(Place(index, target.hook), f"filters of {target}"):
        if each.kind == "bpf" and not each.is_place:
            yield each


def _only_filter(control: TrafficControl, index: int, target: Target) -> Filter:
    found = list(bpf_filters(control, index, target))
    if len(found) != 1:
        raise ambiguous(str(target), [f"pref {each.pref} handle 0x{each.handle:x}" for each in found])
    return found[0]


def netlink_detach(runtime: Runtime, target: Target, *, takes_all: bool) -> int:
    """Remove the only bpf filter of a direction, or all, or classic XDP. How many were removed."""
    with open_netlink() as control, ExitStack() as stack:
        index, what = device_index(target.device), f"detach from {target}"
        if target.hook not in DIRECTIONS:
            state = control.xdp(index, what)
            if not state.prog_id:
                raise ambiguous(str(target), [])
            old = stack.enter_context(runtime.prog_by_id(state.prog_id))
            control.set_xdp(index, -1, what, old.fileno())
            return 1
        found = list(bpf_filters(control, index, target)) if takes_all else [_only_filter(control, index, target)]
        for each in found:
            control.remove_filter(_place_of(index, target, each), what, "bpf")
        return len(found)
