"""The pin tree against a live bpffs: each of many odd paths with each call on both, equal errnos. More: tests/rows."""

import contextlib
import errno
import os
import uuid

import pytest

from tests.kernel import oracle
from toolchain.errors import ToolchainError
from toolchain.isa.map_types import MapType
from toolchain.pin import ObjectStore
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import create_map

BPFFS = "/sys/fs/bpf"


def why_unavailable() -> str:
    if oracle.why_unavailable():
        return oracle.why_unavailable()
    return "" if os.path.ismount(BPFFS) and os.access(BPFFS, os.W_OK) else f"no bpffs at {BPFFS}"


pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable() or "available"),
]


class OwnTree:
    """A pin tree of ours with one live map."""

    def __init__(self, root) -> None:
        self.root = str(root)
        self.store = ObjectStore(self.root)
        self.map = create_map(self.store, MapSpec("m", MapType.ARRAY, 4, 4, 1))

    def pin(self, path: str) -> None:
        self.store.pin(self.map.stored, path)

    def get(self, path: str) -> None:
        self.store.get(path).close()

    def unpin(self, path: str) -> None:
        self.store.unpin(path)

    def close(self) -> None:
        self.map.close()


class KernelTree:
    """The same in a directory of a bpffs."""

    def __init__(self) -> None:
        self.root = f"{BPFFS}/{uuid.uuid4().hex}"
        os.mkdir(self.root)
        self.fd = oracle.map_create(MapType.ARRAY, 4, 4, 1)

    def pin(self, path: str) -> None:
        oracle.obj_pin(self.fd, os.path.join(self.root, path) if path else "")

    def get(self, path: str) -> None:
        os.close(oracle.obj_get(os.path.join(self.root, path) if path else ""))

    def unpin(self, path: str) -> None:
        os.unlink(os.path.join(self.root, path) if path else "")

    def close(self) -> None:
        os.close(self.fd)
        for directory, names, files in os.walk(self.root, topdown=False):
            for name in files + [name for name in names if os.path.islink(os.path.join(directory, name))]:
                os.unlink(os.path.join(directory, name))
            os.rmdir(directory)


@pytest.fixture
def trees(tmp_path):
    with contextlib.ExitStack() as stack:
        own, kernel = OwnTree(tmp_path / "tree"), KernelTree()
        stack.callback(own.close)
        stack.callback(kernel.close)
        for each in (own, kernel):
            os.makedirs(f"{each.root}/dir/inner")
            each.pin("here")
            each.pin("dir/there")
            os.symlink("here", f"{each.root}/link")
            os.symlink("nowhere", f"{each.root}/dangling")
            os.symlink("dir", f"{each.root}/dirlink")
            os.symlink("loop", f"{each.root}/loop")
            os.symlink("/etc/passwd", f"{each.root}/outside")
        yield own, kernel


def answer(call, *arguments) -> str:
    try:
        call(*arguments)
    except (OSError, ToolchainError) as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "ok"


PATHS = [
    "", "new", "here", "dir", "dir/", "dir/new", "dir/there", "dir/inner", "new/", "here/", "here/x",
    "missing/x", "missing/x/y", "dir/../new2", "./new3", "dir//new4", ".", "..", "dir/.", "dir/..",
    "a.b", ".x", "x.", "...", "dir/a.b", "a.b/x", "missing/a.b", "here/a.b",
    "x" * 255, "x" * 256, "dir/" + "x" * 256, "x" * 255 + ".", "x" * 300 + "/y", "/".join(["dir"] + ["x"] * 3000),
    "link", "dangling", "dirlink", "dirlink/new", "dirlink/there", "loop", "loop/x", "link/x", "dangling/x", "outside",
    "white space", "new\nline", "caf\u00e9", "tab\t", "\u00e9" * 127, "\u00e9" * 128,
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path)[:40])
@pytest.mark.parametrize("name", ["pin", "get", "unpin"])
def test_same_answer(trees, name, path):
    own, kernel = trees
    assert answer(getattr(own, name), path) == answer(getattr(kernel, name), path)
