"""The pin tree against a live bpffs: the same paths and calls on both, equal errnos."""

import contextlib
import errno
import os
import stat
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


def test_unpinned_and_pinned_again(trees):
    for each in trees:
        each.unpin("here")
        assert answer(each.get, "here") == "ENOENT"
        each.unpin("dir/there")
        assert answer(each.pin, "here") == "ok"
        assert answer(each.get, "here") == "ok"


def test_pin_survives_its_creator_and_not_its_unlink(trees, tmp_path):
    own, _ = trees
    number = own.map.id
    own.map.close()
    own.store.reap()
    own.store.by_id("map", number).close()
    own.unpin("here")
    own.unpin("dir/there")
    assert answer(own.store.by_id, "map", number) == "ENOENT"


def test_mode_and_size_of_a_pin(trees):
    for each in trees:
        status = os.stat(f"{each.root}/here")
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert stat.S_ISREG(status.st_mode)


def test_rename_replaces(trees):
    for each in trees:
        os.rename(f"{each.root}/here", f"{each.root}/moved")
        assert answer(each.get, "here") == "ENOENT"
        assert answer(each.get, "moved") == "ok"


def test_rmdir_of_a_full_directory(trees):
    for each in trees:
        with pytest.raises(OSError, match="not empty"):
            os.rmdir(f"{each.root}/dir")


def test_other_file_system_is_eperm(trees):
    own, kernel = trees
    beside = f"/dev/shm/{uuid.uuid4().hex}"
    assert answer(own.pin, beside) == answer(kernel.pin, beside) == "EPERM"
    assert answer(own.pin, "/proc/version") == answer(kernel.pin, "/proc/version") == "EEXIST"
