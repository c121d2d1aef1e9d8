"""Who keeps an object alive, as ``show`` tells it: its pins, the processes that hold it open, the programs that use it.

What this process may not see is left out, and is no error: other users' processes, the programs of the machine.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from toolchain.cli.render import printable
from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from toolchain.spec.runtime import Handle, Runtime


class Keepers:
    """The keepers of all objects of a kind ('map', 'prog' or 'link'), or of ``only`` one."""

    def __init__(self, runtime: Runtime, kind: str, only: Handle | None = None) -> None:
        id = only.id if only is not None else 0
        self._pins: dict[int, list[str]] = {}
        with suppress(ToolchainError):
            if only is not None:
                self._pins[id] = runtime.pins_of(only)
            for each in runtime.pins() if only is None else ():
                if each.kind == kind:
                    self._pins.setdefault(each.id, []).append(each.path)
        self._processes = runtime.holders(kind, id)
        self._users = runtime.map_users() if kind == "map" else None

    def pins(self, id: int) -> list[str]:
        """Where the object is pinned."""
        return self._pins.get(id, [])

    def document(self, id: int) -> dict[str, Any]:
        """bpftool's keys ``pinned`` and ``pids``; for maps ``prog_ids`` too."""
        processes = self._processes.get(id, ())
        document: dict[str, Any] = {
            "pinned": self.pins(id),
            "pids": [{"pid": each.pid, "comm": each.comm} for each in processes],
        }
        return document if self._users is None else document | {"prog_ids": list(self._users.get(id, ()))}

    def text(self, id: int) -> str:
        """The end of the object's line: ', pinned at a, held by bpf-load (12), used by prog 3'."""
        parts = [f", pinned at {', '.join(self.pins(id))}"] if self.pins(id) else []
        processes = [f"{printable(each.comm)} ({each.pid})" for each in self._processes.get(id, ())]
        users = [str(each) for each in (self._users or {}).get(id, ())]
        parts += [f", held by {', '.join(processes)}"] if processes else []
        parts += [f", used by prog {', '.join(users)}"] if users else []
        return "".join(parts)
