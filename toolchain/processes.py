"""Which processes there are, and which files they hold open: /proc, as far as this process may look.

What cannot be seen (another user's process, one that ends meanwhile) is left out; so is this process itself. Threads
of a process share its files, so a process is asked once. Nothing here touches the files themselves: a dead network
file system below one of them cannot make us wait.

Source: man 5 proc_pid_fd, proc_pid_fdinfo, proc_pid_comm.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

PROC = "/proc"


def open_files() -> Iterator[tuple[int, str, str]]:
    """Each open file of each other process: pid, its number as text, and what its link in /proc says that it is."""
    own = os.getpid()
    for pid in sorted(int(name) for name in _listed(PROC) if name.isdecimal()):
        if pid == own:
            continue
        directory = f"{PROC}/{pid}/fd"
        for number in _listed(directory):
            try:
                yield pid, number, os.readlink(f"{directory}/{number}")
            except OSError:
                continue


def file_info(pid: int, number: str) -> dict[str, str]:
    """What the kernel says of an open file, by name; nothing where it is gone."""
    found = {}
    try:
        with open(f"{PROC}/{pid}/fdinfo/{number}", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                found[name] = value.strip()
    except OSError:
        pass
    return found


def name_of(pid: int) -> str:
    """The short name of a process, as ps shows it; '' where it is gone."""
    try:
        with open(f"{PROC}/{pid}/comm", encoding="utf-8", errors="surrogateescape") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
