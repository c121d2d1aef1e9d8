"""Tables of rows: what tests/data/rows/*.rows says, and what a runtime answers.

Each section runs in a process of its own, so that users, masks, mounts and networks of one never reach another.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.rows.world import World, mount, wait_for

FOLDER = Path(__file__).parents[1] / "data" / "rows"
PARITY = Path(__file__).parents[2] / "docs" / "parity.md"
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18


class Row(NamedTuple):
    """A command, the kernel's answer, the user runtime's, and the parity row that says so ('': equal)."""

    line: int
    command: str
    kernel: str
    user: str
    parity: str


class Section(NamedTuple):
    """Rows that follow each other in one tree. ``needs_root``: other users or mounts, on either runtime."""

    name: str
    needs_root: bool
    rows: tuple[Row, ...]


def sections(name: str) -> list[Section]:
    """The sections of a data file."""
    found: list[Section] = []
    title, needs_root, rows = "", False, []
    lines = [*(FOLDER / f"{name}.rows").read_text().splitlines(), "== end"]
    for number, line in enumerate(lines, 1):
        if line.startswith("== "):
            if rows:
                found.append(Section(title, needs_root, tuple(rows)))
            heading = re.fullmatch(r"== (.*?)( \[root\])?", line)
            title, needs_root, rows = heading[1], bool(heading[2]), []
        elif line.strip() and not line.startswith("#"):
            rows.append(_row(number, line))
    return found


def _row(number: int, line: str) -> Row:
    command, _, answers = line.rpartition(" = ") if " = " in line else (line.rstrip("= "), "", "")
    kernel, bar, rest = (part.strip() for part in answers.partition(" | "))
    user, _, parity = (part.strip() for part in rest.partition(" : "))
    return Row(number, command.strip(), kernel, user if bar else kernel, parity)


def parity_rows() -> list[tuple[str, str]]:
    """(first cell, last cell) of each row on pins and links in docs/parity.md."""
    text = PARITY.read_text().split("\n## Pin tree\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [(cells[0].strip(), cells[-1].strip()) for cells in rows[1:]]


def answers(section: Section, make: Callable[[str], World], is_private: bool, expected: str) -> list[str]:
    """What each row of a section gives, in a child; with ``is_private`` it has mounts and a network of its own.

    ``expected`` names the column ('kernel' or 'user') that a question is asked again for, where things take time.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        status = 1
        try:
            memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
            with tempfile.TemporaryDirectory(dir=memory, ignore_cleanup_errors=True) as above:
                given = _answers(section, make, is_private, above, expected)
            with os.fdopen(writer, "w") as pipe:
                json.dump(given, pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"section {section.name!r} failed"
    return json.loads(text)


def _answers(section: Section, make: Callable[[str], World], is_private: bool, above: str, expected: str) -> list[str]:
    if is_private:
        own_namespaces()
    os.chmod(above, 0o755)
    roots = [os.path.join(above, name) for name in ("tree", "second")]
    for root in roots:
        if is_private:
            os.mkdir(root)
    world = make(roots[0])
    if section.needs_root:
        world.second = make(roots[1])
    try:
        return [wait_for(world, row.command, getattr(row, expected)) for row in section.rows]
    finally:
        world.close()
        if is_private:
            for root in (*roots, f"{roots[0]}.more"):
                unmount(root)


def own_namespaces() -> None:
    """Mounts and a network that only this process sees."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", "", _MS_REC | _MS_PRIVATE)


def unmount(place: str) -> None:
    """umount(2), lazily, as often as something is mounted there."""
    import ctypes

    libc = ctypes.CDLL(None)
    while libc.umount2(os.fsencode(place), 2) == 0:
        pass
