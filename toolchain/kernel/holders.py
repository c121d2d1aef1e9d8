"""Who keeps kernel objects alive besides pins: processes by their files, programs by the maps that they use.

    /proc/PID/fd/N  ->  anon_inode:bpf-map        which kind
    /proc/PID/fdinfo/N  map_id: 7                 which object

A link's reference on its program, a slot's on what stands in it and a mapping's on its map have no file, and are not
found here. Whoever may not look at a process, or may not list programs (CAP_SYS_ADMIN), finds none.

Source: kernel/bpf/syscall.c of Linux 6.12: bpf_map_show_fdinfo(), bpf_prog_show_fdinfo(), bpf_link_show_fdinfo().
"""

from __future__ import annotations

import os

from toolchain.kernel import calls, info
from toolchain.kernel.calls import BpfCallError
from toolchain.processes import file_info, name_of, open_files
from toolchain.spec.runtime import Process

_TARGETS = {
    "map": ("anon_inode:bpf-map",),
    "prog": ("anon_inode:bpf-prog",),
    "link": ("anon_inode:bpf_link", "anon_inode:bpf-link"),
}


def processes(kind: str, id: int = 0) -> dict[int, tuple[Process, ...]]:
    """Which other processes hold objects of a kind open, by id; only those of object ``id`` where it is given."""
    field = f"{kind}_id"
    found: dict[int, dict[int, None]] = {}
    for pid, number, target in open_files():
        if target not in _TARGETS[kind]:
            continue
        text = file_info(pid, number).get(field, "")
        if text.isdecimal() and id in (0, int(text)):
            found.setdefault(int(text), {})[pid] = None
    return {each: tuple(Process(pid, name_of(pid)) for pid in pids) for each, pids in found.items()}


def users() -> dict[int, tuple[int, ...]]:
    """The ids of the programs that use each map, by its id."""
    found: dict[int, list[int]] = {}
    try:
        for prog_id in calls.ids("prog"):
            for map_id in _maps_of(prog_id):
                found.setdefault(map_id, []).append(prog_id)
    except BpfCallError:
        return {}
    return {map_id: tuple(prog_ids) for map_id, prog_ids in found.items()}


def _maps_of(prog_id: int) -> tuple[int, ...]:
    """The maps of a program; none where it is gone."""
    try:
        fd = calls.fd_by_id("prog", prog_id)
    except BpfCallError:
        return ()
    try:
        return info.prog_info(fd).map_ids
    except BpfCallError:
        return ()
    finally:
        os.close(fd)
