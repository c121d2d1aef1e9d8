"""Plans of shapes kept between runs, so that a warm run imports no parser.

One JSON file in the user's own cache folder (``$XDG_CACHE_HOME/bpf-toolchain``, mode 0700), named by a hash of all that
decides what a plan is: the grammar, its planner, the shapes, the opcode table. Plans are data, never code; the file
begins with a checksum, and one that is damaged, too large or not ours is ignored.

Nothing here can fail a run: without a usable folder there is no cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from toolchain import __version__

MAX_FILE_SIZE = 4 << 20
MAX_PLANS = 4000
_FOLDER = "bpf-toolchain"
_HERE = Path(__file__).parent
_SOURCES = (
    *(_HERE / name for name in ("bpf.lark", "pseudoc.lark", "mnemonic.lark", "grammar.py", "shapes.py", "tables.py")),
    _HERE.parent / "isa" / "opcodes.py",
)


def cache_key() -> str:
    """The name of what plans depend on. Raises OSError."""
    digest = hashlib.sha256(__version__.encode())
    for path in _SOURCES:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def cache_folder() -> Path | None:
    """The user's own folder for caches, made where missing; None where there is none that only the user may enter."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(base):
        return None
    folder = Path(base) / _FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    is_private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return folder if is_private else None


class PlanCache:
    """The plans of one dialect setting."""

    def __init__(self, dialect: str) -> None:
        self.path: Path | None = None
        try:
            folder = cache_folder()
            if folder is not None:
                self.path = folder / f"asm-{dialect}-{cache_key()}.json"
        except OSError:
            self.path = None

    def load(self) -> dict[str, tuple[Any, ...]]:
        """The plans that are kept; none where there is no good file."""
        if self.path is None:
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
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return {}
        try:
            return {shape: tuple(plan) for shape, plan in json.loads(body).items()}
        except (ValueError, AttributeError, TypeError, RecursionError):
            return {}

    def save(self, plans: dict[str, tuple[Any, ...]]) -> None:
        """Keeps plans, at most MAX_PLANS. The file is replaced as a whole."""
        if self.path is None:
            return
        kept = dict(list(plans.items())[:MAX_PLANS])
        try:
            body = json.dumps(kept, separators=(",", ":")).encode()
            if len(body) + 65 > MAX_FILE_SIZE:
                return
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".asm-")
            try:
                with open(descriptor, "wb") as file:
                    file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
        except (OSError, ValueError, RecursionError):
            return
        self._forget_others()

    def _forget_others(self) -> None:
        """Removes the files of other versions."""
        assert self.path is not None
        dialect = self.path.name.split("-")[1]
        try:
            for other in self.path.parent.glob(f"asm-{dialect}-*.json"):
                if other != self.path:
                    other.unlink(missing_ok=True)
        except OSError:
            return
