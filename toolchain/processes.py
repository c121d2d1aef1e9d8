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
_INFO_SIZE = 4096
"""Bytes of a file's info that are read: all of it but for who has hundreds of locks on one file, which come last."""


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
    try:
        descriptor = os.open(f"{PROC}/{pid}/fdinfo/{number}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        text = os.read(descriptor, _INFO_SIZE).decode("utf-8", "replace")
    except OSError:
        return {}
    finally:
        os.close(descriptor)
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


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
