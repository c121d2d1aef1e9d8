"""What others may do to a tree: every file of it is untrusted. An error of ours with its errno, never a traceback."""

import contextlib
import errno
import os
import random
import shutil
import socket
import stat
from dataclasses import replace

import pytest

from toolchain.errors import PinError, RuntimeUnavailable, ToolchainError
from toolchain.pin import ObjectStore
from toolchain.pin import root as root_module
from toolchain.pin.check import check
from toolchain.pin.header import HEADER_SIZE, decode, encode


@pytest.fixture
def tree(store, root):
    """A store with one pinned object at ``x``."""
    with store.create("map", "m", b"spec", 10000, btf=b"type information") as made:
        store.pin(made, "x")
    return store


def errno_of(call, *arguments) -> str:
    with pytest.raises(ToolchainError) as caught:
        call(*arguments)
    assert caught.value.exit_status in (1, 5)
    return errno.errorcode[caught.value.errno]


def plant(kind: str, path) -> None:
    match kind:
        case "empty":
            path.touch()
        case "text":
            path.write_text("hello\n" * 2000)
        case "fifo":
            os.mkfifo(path)
        case "socket":
            here = os.getcwd()
            os.chdir(path.parent)
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
            os.chdir(here)
        case "directory":
            path.mkdir()
        case "device":
            os.symlink("/dev/null", path)
        case "terminal":
            os.symlink("/dev/tty", path)


@pytest.mark.parametrize("kind", ["empty", "text", "fifo", "socket", "directory", "device", "terminal"])
def test_foreign_files(tree, root, kind):
    plant(kind, root / "planted")
    assert errno_of(tree.get, "planted") == "EACCES"
    assert [entry.path for entry in tree.walk()] == ["x"]
    tree.reap()
    assert os.path.lexists(root / "planted")


def test_foreign_file_is_not_removed_as_a_pin(tree, root):
    plant("text", root / "planted")
    assert errno_of(tree.unpin, "planted") == "EACCES"
    assert (root / "planted").exists()


def test_copied_object(tree, root):
    shutil.copy(root / "x", root / "copy")
    assert errno_of(tree.get, "copy") == "EINVAL"
    assert [entry.path for entry in tree.walk()] == ["x"]
    assert [finding.is_fault for finding in check(tree, {})] == [False]


def test_object_of_another_tree(tree, root):
    other = ObjectStore(str(root.parent / "other"))
    with other.create("map", "m", b"", 10) as made:
        other.pin(made, "theirs")
        os.link(root.parent / "other/theirs", root / "theirs")
        assert errno_of(tree.get, "theirs") == "EINVAL"
        assert errno_of(tree.pin, made, "mine") == "EINVAL"
        assert errno_of(tree.publish, [(made, "mine")]) == "EINVAL"
        assert [entry.path for entry in tree.walk() if entry.path == "theirs"] == []


def test_object_kept_by_a_link_outside(tree, root):
    os.link(root / "x", root.parent / "outside")
    tree.unpin("x")
    assert tree.ids("map") == [1]
    findings = check(tree, {})
    assert [finding.is_fault for finding in findings] == [False]
    assert "outside" in findings[0].message
    os.unlink(root.parent / "outside")
    assert tree.ids("map") == []


@pytest.mark.parametrize("size", [0, 4, 8, 100, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 9999, HEADER_SIZE + 12288])
def test_truncated_object(tree, root, size):
    os.truncate(root / "x", size)
    assert errno_of(tree.get, "x") == ("EACCES" if size < 8 else "EINVAL")
    assert any(finding.is_fault for finding in check(tree, {}))
    tree.reap()


def test_altered_type_information(tree, root):
    with open(root / "x", "r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"!!!")
    with tree.get("x") as found, pytest.raises(PinError, match=r"altered.*EINVAL"):
        found.btf()


def test_another_object_in_the_place_of_an_anchor(tree, root):
    """By its id an object is got, or none: never another one."""
    with tree.create("map", "other", b"", 10) as made:
        tree.pin(made, "y")
    os.rename(root / "y", root / ".bpf/objs/map1")
    assert errno_of(tree.by_id, "map", 1) == "EINVAL"
    assert errno_of(tree.get, "x") == "EINVAL"


def test_mutated_headers(tree, root):
    rng = random.Random(3)
    page = (root / "x").read_bytes()[:HEADER_SIZE]
    for _ in range(300):
        damaged = bytearray(page)
        for _ in range(rng.choice((1, 2, 8))):
            damaged[rng.randrange(400)] = rng.randrange(256)
        with open(root / "x", "r+b") as file:
            file.write(damaged)
        if bytes(damaged) != page and damaged[:128] + damaged[144:] != page[:128] + page[144:]:
            assert errno_of(tree.get, "x") in ("EACCES", "EINVAL")
        check(tree, {})
        tree.reap()
    with open(root / "x", "r+b") as file:
        file.write(page)
    tree.get("x").close()


FORGED = {
    "kind": ("prog", "link"),
    "id": (0, 2, 99, (1 << 64) - 1),
    "data_size": (0, 1, 9999, 20000, (1 << 48) - 1),
    "btf_offset": (0, 1, 4096, (1 << 48) - 1),
    "btf_size": (0, 1, 16 << 20),
    "ino": (0, 1, (1 << 64) - 1),
    "ref_count": (1, (1 << 32) - 1),
    "uid": (12345,),
    "name": ("", "../../x", "\n", "x" * 3000),
    "spec": (b"", bytes(3000)),
}


@pytest.mark.parametrize("field", FORGED)
def test_forged_headers(tree, root, field):
    """Headers with a right checksum that lie. A file as large as the lie asks for does not help."""
    honest = decode((root / "x").read_bytes()[:HEADER_SIZE])
    for value in FORGED[field]:
        for size in (None, 1 << 40):
            if size:
                os.truncate(root / "x", size)
            with open(root / "x", "r+b") as file:
                file.write(encode(replace(honest, **{field: value})))
            with contextlib.suppress(PinError), tree.get("x") as found:
                found.btf()
            check(tree, {})
            tree.reap()
        os.truncate(root / "x", honest.file_size)


@pytest.mark.parametrize(
    "where", ["objs/map1", "objs/map99", "objs/junk", "super", "refs/map1", "refs/junk", "lock", "commit"]
)
@pytest.mark.parametrize("kind", ["empty", "text", "fifo", "directory", "device"])
def test_planted_in_the_private_directory(tree, root, where, kind):
    path = root / ".bpf" / where
    if path.is_dir():
        path.rmdir()
    elif path.exists():
        path.unlink()
    plant(kind, path)
    for call in (tree.reap, lambda: tree.get("x").close(), lambda: make_and_pin(tree), lambda: check(tree, {})):
        with contextlib.suppress(ToolchainError):
            call()


def make_and_pin(store) -> None:
    with store.create("map", "m", b"", 10) as made:
        store.publish([(made, "new1"), (made, "new2")])


@pytest.mark.parametrize(
    "plan", [b"", b"../../escaped", b"/etc/escaped", b".bpf/objs/map50", b"a\0b\0c", b"\xff\xfe", b"x" * 5000]
)
def test_planted_commit(tree, root, plan):
    commit = root / ".bpf/commit"
    commit.mkdir()
    (commit / "plan").write_bytes(plan)
    (commit / "0").write_bytes(b"foreign")
    again = ObjectStore(tree.root)
    again.reap()
    assert not commit.exists()
    assert not (root.parent.parent / "escaped").exists()
    assert not (root.parent / "escaped").exists()
    assert not (root / ".bpf/objs/map50").exists()
    assert [entry.path for entry in again.walk()] == ["x"]


def test_symbolic_links(tree, root):
    (root / "dir").mkdir()
    for name, target in {"good": "x", "loop": "loop", "out": "/etc/hostname", "up": "..", "back": "../tree/x"}.items():
        os.symlink(target, root / name)
    tree.get("good").close()
    tree.get("back").close()
    assert errno_of(tree.get, "loop") == "ELOOP"
    assert errno_of(tree.get, "out") == "EACCES"
    assert errno_of(tree.get, "up/tree/../../x") in ("EPERM", "ENOENT")
    assert [entry.path for entry in tree.walk()] == ["x"]
    tree.unpin("good")
    assert (root / "x").exists()


def test_deep_directories(tree, root):
    directory = root
    for _ in range(150):
        directory = directory / "d"
        directory.mkdir()
    with tree.get("x") as found:
        tree.pin(found, str(directory / "deep"))
    assert len(list(tree.walk())) == 2
    assert check(tree, {}) == []


@pytest.mark.parametrize("mode", [0o1777, 0o707, 0o702])
def test_root_that_all_may_write(tree, root, mode):
    root.chmod(mode)
    again = ObjectStore(tree.root)
    assert errno_of(lambda: list(again.walk())) == "EPERM"
    assert errno_of(again.create, "map", "m", b"", 10) == "EPERM"


def test_a_link_in_the_place_of_a_directory_just_made(root):
    """Whoever owns the directory above may be quick: the mode of what the link leads to stays as it is."""
    theirs = root.parent / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    os.symlink(theirs, root)
    with pytest.raises(OSError, match=r"directory|links"):
        root_module.close_to_others(str(root))
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o755


def test_root_that_is_a_file(root):
    root.write_text("no tree")
    store = ObjectStore(str(root))
    with pytest.raises(RuntimeUnavailable, match="ENOTDIR"):
        store.create("map", "m", b"", 10)
    with pytest.raises(ToolchainError):
        list(store.walk())
    with pytest.raises(ToolchainError):
        store.get("x")


def test_root_whose_parent_is_a_file(root):
    root.write_text("no tree")
    with pytest.raises(RuntimeUnavailable, match="ENOTDIR"):
        ObjectStore(str(root / "below")).create("map", "m", b"", 10)


def test_another_owner_is_named(tree, root, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    for call in (
        lambda: tree.get("x"),
        lambda: ObjectStore(tree.root).create("map", "m", b"", 10),
        lambda: list(ObjectStore(tree.root).walk()),
        lambda: ObjectStore(tree.root).reap(),
    ):
        with pytest.raises(RuntimeUnavailable, match=rf"uid {os.getuid()}.*this is uid 12345") as caught:
            call()
        assert "--pin-root" in caught.value.hint


def test_default_roots(tmp_path, monkeypatch):
    resolve = root_module.resolve_pin_root
    assert resolve("here", {"BPF_PIN_ROOT": "/b"}) == os.path.abspath("here")
    assert resolve(None, {"BPF_PIN_ROOT": "/b", "XDG_RUNTIME_DIR": str(tmp_path)}) == "/b"
    assert resolve(None, {"XDG_RUNTIME_DIR": str(tmp_path)}) == f"{tmp_path}/bpf"
    for useless in ("", "relative", str(tmp_path / "missing")):
        assert resolve(None, {"XDG_RUNTIME_DIR": useless}) == f"/dev/shm/bpf-{os.geteuid()}"


def test_runtime_directory_of_another_user(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert root_module.resolve_pin_root(None, {"XDG_RUNTIME_DIR": str(tmp_path)}) == "/dev/shm/bpf-12345"


def test_root_that_is_a_link_of_another_user(tree, root, monkeypatch):
    alias = root.parent / "alias"
    os.symlink(root, alias)
    ObjectStore(str(alias)).get("x").close()
    real = os.lstat

    def lstat(path, **options):
        status = real(path, **options)
        return os.stat_result((*status[:4], 12345, *status[5:])) if str(path) == str(alias) else status

    monkeypatch.setattr(os, "lstat", lstat)
    assert errno_of(ObjectStore(str(alias)).get, "x") == "EPERM"
    assert errno_of(ObjectStore(str(alias)).create, "map", "m", b"", 10) == "EPERM"


def test_pins_without_permission(tree, root):
    os.chmod(root / "x", 0)
    assert stat.S_IMODE((root / "x").stat().st_mode) == 0
    if os.geteuid() == 0:
        tree.get("x").close()
    else:
        assert errno_of(tree.get, "x") == "EACCES"
