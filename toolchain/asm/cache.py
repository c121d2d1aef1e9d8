"""Plans of shapes kept between runs, so that a warm run imports no parser.

One JSON file in the user's own cache folder (``$XDG_CACHE_HOME/bpf-toolchain``, mode 0700), named by a hash of all that
decides what a plan is: the grammar, its planner, the shapes, the opcode table. Plans are data, never code; the file
begins with a checksum, and one that is damaged, too large or not ours is ignored.

Nothing here can fail a run: without a usable folder there is no cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import zlib
from typing import Any

from toolchain import __version__

MAX_FILE_SIZE = 4 << 20
MAX_PLANS = 4000
MAX_VERSIONS = 4
"""Files kept for a dialect, so that installations beside each other do not undo each other's."""
_FOLDER = "bpf-toolchain"
_HERE = os.path.dirname(__file__)
_SOURCES = (
    "bpf.lark", "pseudoc.lark", "mnemonic.lark", "grammar.py", "plans.py", "shapes.py", "tables.py",
    "../isa/opcodes.py", "../isa/forms.py",
)  # fmt: skip


def cache_key() -> str:
    """The name of what plans depend on: two checksums; the folder keeps malice out. Raises OSError."""
    crc, adler = 0, 1
    for name in _SOURCES:
        with open(os.path.join(_HERE, name), "rb") as file:
            data = file.read()
        crc, adler = zlib.crc32(data, crc), zlib.adler32(data, adler)
    return f"{__version__}.{crc:08x}{adler:08x}"


def cache_folder() -> str | None:
    """The user's own folder for caches, made where missing; None where there is none that only the user may enter."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(base):
        return None
    folder = os.path.join(base, _FOLDER)
    try:
        os.makedirs(base, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, mode=0o700)
        status = os.lstat(folder)
    except OSError:
        return None
    is_private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return folder if is_private else None


class PlanCache:
    """The plans of one dialect setting."""

    def __init__(self, dialect: str) -> None:
        self.path = ""
        self.prefix = f"asm-{dialect}-"
        with contextlib.suppress(OSError):
            folder = cache_folder()
            if folder is not None:
                self.path = os.path.join(folder, f"{self.prefix}{cache_key()}.json")

    def load(self) -> dict[str, tuple[Any, ...]]:
        """The plans that are kept; none where there is no good file."""
        if not self.path:
            return {}
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return {}
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_size > MAX_FILE_SIZE:
                return {}
            checksum, _, body = file.read(MAX_FILE_SIZE).partition(b"\n")
        if _checksum(body) != checksum:
            return {}
        try:
            return {shape: tuple(plan) for shape, plan in json.loads(body).items()}
        except (ValueError, AttributeError, TypeError, RecursionError):
            return {}

    def save(self, plans: dict[str, tuple[Any, ...]]) -> None:
        """Keeps plans, at most MAX_PLANS. The file is replaced as a whole."""
        if not self.path:
            return
        kept = dict(list(plans.items())[:MAX_PLANS])
        try:
            data = json.dumps(kept, separators=(",", ":")).encode()
            if len(data) + 9 > MAX_FILE_SIZE:
                return
            name = f"{self.path}.{os.getpid()}"
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                with open(descriptor, "wb") as file:
                    file.write(_checksum(data) + b"\n" + data)
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
        except (OSError, ValueError, RecursionError):
            return
        self._forget_others()

    def _forget_others(self) -> None:
        """Removes all but the newest files of this dialect: other versions', and what killed runs left."""
        folder = os.path.dirname(self.path)
        with contextlib.suppress(OSError):
            paths = [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(self.prefix)]
            for path in sorted(paths, key=lambda each: os.lstat(each).st_mtime_ns)[:-MAX_VERSIONS]:
                os.unlink(path)


def _checksum(data: bytes) -> bytes:
    return b"%08x" % zlib.crc32(data)
