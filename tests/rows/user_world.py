"""The rows on the user runtime: what a library user can ask is asked of the library, the rest of the file system."""

from __future__ import annotations

import os

from tests.rows.world import NoCounterpart, World
from toolchain.spec.runtime import Order, Target
from toolchain.vm import UserRuntime


class UserWorld(World):
    """A tree of the user runtime."""

    def __init__(self, root: str) -> None:
        runtime = UserRuntime(root)

        def query(device: str, hook: str) -> tuple[int, tuple[int, ...]]:
            found = runtime.query(Target(device, hook))
            return found.revision, found.prog_ids

        def attach(program, device: str, hook: str, order: Order):
            return runtime.attach(program, Target(device, hook), order)

        super().__init__(runtime, "eth0", attach, query)

    def pin(self, handle, path, flags, directory, is_at):
        if flags or (directory and not is_at):
            raise NoCounterpart
        self.runtime.pin(handle, os.path.join(self.root, directory, path) if directory else path)

    def get(self, path, flags, directory, is_at):
        if directory and not is_at:
            raise NoCounterpart
        return self.runtime.get(os.path.join(self.root, directory, path) if directory else path, flags)

    def do_remount(self, how):
        self._let_go()
        super().do_remount(how)

    def do_umount(self):
        self._let_go()
        super().do_umount()

    def _let_go(self) -> None:
        """An open file of a file system keeps it from being unmounted."""
        for handle in self.programs.values():
            handle.close()

    def btf_fd(self) -> int:
        raise NoCounterpart
