"""Trees in places that cannot take them: full, read-only, somebody else's. Whole processes, in mounts of their own."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"),
    reason="needs root and unshare to make mounts and to be another user",
)

CHILD = """
import os, sys
from toolchain.errors import ToolchainError
from toolchain.isa.map_types import MapType
from toolchain.pin import ObjectStore
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import create_map, open_map

if len(sys.argv) > 2:  # here, for that user may not be allowed to start this interpreter
    os.setgroups([])
    os.setresuid(*[int(sys.argv[2])] * 3)
store = ObjectStore(sys.argv[1])

def make(name="m", entries=16):
    return create_map(store, MapSpec(name, MapType.HASH, 8, 8, entries))

def said(call):
    try:
        return repr(call())
    except ToolchainError as error:
        return f"{error.exit_status} {error} | {error.hint}"
"""


def run(tmp_path, shell: str, python: str, user: str = "") -> list[str]:
    """The lines that ``python`` prints after ``shell`` set up ``$tree``, in a private mount name space."""
    script = tmp_path / "child.py"
    script.write_text(CHILD + textwrap.dedent(python))
    script.chmod(0o644)
    setup = f"set -e; tree={tmp_path}/tree; {textwrap.dedent(shell)}"
    command = f'{setup}\n"{sys.executable}" -B "{script}" "$tree" {user}'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_full_file_system(tmp_path):
    lines = run(
        tmp_path,
        "mkdir $tree; mount -t tmpfs -o size=256k,mode=0700 none $tree",
        """
        made = []
        answer = ""
        while not answer:
            try:
                made.append(make())
            except ToolchainError as error:
                answer = f"{error.exit_status} {error} | {error.hint}"
        print(answer)
        for each in made:
            each.update((bytes([n]) * 8, bytes(8)) for n in range(16))
            assert each.check() == ""
        print(said(lambda: make(entries=100000)))
        for each in made:
            each.close()
        store.reap()
        print(said(lambda: make().close()))
        """,
    )
    assert lines[0].startswith("5 ")
    assert "ENOSPC" in lines[0]
    assert "--pin-root" in lines[0]
    assert "ENOSPC" in lines[1]
    assert lines[2] == "None"


def test_no_inode_left(tmp_path):
    lines = run(
        tmp_path,
        "mkdir $tree; mount -t tmpfs -o nr_inodes=24,mode=0700 none $tree",
        """
        made = []
        answer = ""
        while not answer:
            try:
                made.append(make())
                store.publish([(made[-1].stored, f"p{len(made)}"), (made[-1].stored, f"q{len(made)}")])
            except ToolchainError as error:
                answer = f"{error.exit_status} {error}"
        print(answer)
        pins = {entry.path[1:] for entry in store.walk()}
        print(sorted(entry.path for entry in store.walk()) == sorted(x + y for x in "pq" for y in pins))
        fill = 0
        try:
            while True:
                open(f"{sys.argv[1]}/full{fill}", "x").close()
                fill += 1
        except OSError:
            pass
        for path in sorted(entry.path for entry in store.walk()):
            store.unpin(path)
        for each in made:
            each.close()
        store.reap()
        print(os.listdir(sys.argv[1] + "/.bpf/objs"))
        """,
    )
    assert lines[0].startswith("5 ")
    assert "ENOSPC" in lines[0]
    assert lines[1:] == ["True", "[]"]  # and what is there can be removed, though there is no room for a mark


def test_read_only_file_system(tmp_path):
    lines = run(
        tmp_path,
        """
        mkdir -m 0700 $tree; mount -t tmpfs -o mode=0700 none $tree
        """,
        """
        import subprocess
        with make() as made:
            made[b"8 bytes!"] = b"value..."
            store.pin(made.stored, "x")
        subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
        store = ObjectStore(sys.argv[1])
        print(said(make))
        print(said(lambda: store.get("x", writable=True)))
        print(said(lambda: store.unpin("x")))
        print(said(lambda: open_map(store.get("x")).update(b"8 bytes!", b"value2..")))
        print(said(lambda: open_map(store.get("x")).pointer))
        print(said(lambda: dict(open_map(store.get("x")).items())))
        print(said(lambda: [entry.path for entry in store.walk()]))
        print(said(store.reap))
        print(said(lambda: store.ids("map")))
        """,
    )
    for line in lines[:5]:
        assert line.startswith("5 "), line
        assert "EROFS" in line
        assert "remount" in line
    assert lines[5:] == ["{b'8 bytes!': b'value...'}", "['x']", "0", "[1]"]


def test_read_only_from_the_start(tmp_path):
    lines = run(
        tmp_path,
        "mkdir $tree; mount -t tmpfs -o ro,mode=0700 none $tree",
        "print(said(make)); print(said(lambda: store.get('x'))); print(said(lambda: list(store.walk())))",
    )
    assert lines[0].startswith("5 ")
    assert "EROFS" in lines[0]
    assert "ENOENT" in lines[1]
    assert lines[2] == "[]"


def test_a_file_system_without_nameless_files(tmp_path):
    lines = run(tmp_path, "tree=/proc/self", "print(said(make))")
    assert lines[0].startswith("5 ")


EVERYTHING = """
    print(said(make))
    print(said(lambda: store.get("x")))
    print(said(lambda: list(store.walk())))
    print(said(store.reap))
"""


@pytest.mark.parametrize("user", ["65534", "12345"])
def test_tree_of_root_is_refused_to_others(tmp_path, user):
    make_readable(tmp_path)
    lines = run(tmp_path, "mkdir -m 0755 $tree", EVERYTHING, user)
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("5 "), line
        assert "belongs to another user: uid 0 (root)" in line


def test_tree_of_another_is_refused_to_root(tmp_path):
    lines = run(tmp_path, "mkdir -m 0700 $tree; chown 12345 $tree", EVERYTHING)
    for line in lines:
        assert line.startswith("5 "), line
        assert "belongs to another user: uid 12345" in line
        assert "--pin-root" in line


def test_object_of_another_is_refused(tmp_path):
    lines = run(
        tmp_path,
        "mkdir -m 0700 $tree",
        """
        with make() as made:
            store.pin(made.stored, "x")
        os.chown(sys.argv[1] + "/x", 12345, -1)
        print(said(lambda: store.get("x")))
        print(said(lambda: store.by_id("map", 1)))
        """,
    )
    for line in lines:
        assert line.startswith("5 "), line
        assert "belongs to another user: uid 12345" in line


def test_a_root_that_another_made_first(tmp_path):
    """Somebody else sits on /dev/shm/bpf-<uid>: refused, and nothing of it is followed."""
    lines = run(tmp_path, "mkdir -m 0777 $tree; chown 12345 $tree; ln -s /etc $tree/.bpf", EVERYTHING)
    assert all(line.startswith("5 ") for line in lines), lines


def test_another_user_has_a_tree_of_its_own(tmp_path):
    make_readable(tmp_path)
    lines = run(
        tmp_path,
        "mkdir -m 0700 $tree; chown 12345 $tree; umask 0777",
        """
        with make() as made:
            store.pin(made.stored, "x")
        print(said(lambda: open_map(store.get("x")).id))
        print(oct(os.stat(sys.argv[1] + "/x").st_mode & 0o777))
        """,
        "12345",
    )
    assert lines == ["1", "0o600"]


def make_readable(path: Path) -> None:
    """Let other users in: pytest's directories are private."""
    for each in (path, *path.parents):
        if each.owner() == "root" and str(each).startswith("/tmp/"):
            each.chmod(0o755)
