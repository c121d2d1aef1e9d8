"""What other users may do with a tree: nothing, by whatever command, and they are told whose it is.

One uid is one trust domain: what is in a tree is mapped into the process that uses it. So mode bits of a tree or a pin
open nothing that an owner's mistake with chmod could; and root is refused too, by name. Whole commands, as other users.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.small_objects import counter
from toolchain.isa.map_types import MapType
from toolchain.spec.maps import MapSpec
from toolchain.vm import UserRuntime

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
OWNER, MEMBER, STRANGER = 12345, 12346, 65534
"""The owner of a tree; a member of the owner's group; neither."""
RUNNER = """
import contextlib, io, json, os, sys
roots, uid, gid, commands = sys.argv[1].split(":"), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
from toolchain.cli.bpf_load import main
os.makedirs(roots[0] + ".refused")
os.chown(roots[0] + ".refused", 4711, -1)
for tree in (roots[0] + ".warm", roots[0] + ".refused"):  # what commands import must be imported while it can be read
    for words in commands:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            with contextlib.suppress(SystemExit):
                main(["--pin-root", tree, *words])
os.setgroups([])
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
answers = []
for root in roots:
    for words in commands:
        out, err = (os.memfd_create(name) for name in ("out", "err"))
        child = os.fork()
        if not child:
            os.dup2(out, 1)
            os.dup2(err, 2)
            main(["--pin-root", root, *words])
        _, status = os.waitpid(child, 0)
        answers.append([os.waitstatus_to_exitcode(status), *(os.pread(fd, 1 << 20, 0).decode() for fd in (out, err))])
        os.close(out)
        os.close(err)
print(json.dumps(answers))
"""
COMMANDS = (
    ("map", "show", "x"),
    ("map", "lookup", "x", "key", "0"),
    ("map", "update", "x", "key", "0", "value", "1"),
    ("map", "dump", "id", "1"),
    ("map", "show"),
    ("prog", "show"),
    ("link", "show"),
    ("pin", "tree"),
    ("pin", "gc"),
    ("pin", "fsck"),
    ("pin", "fsck", "--repair"),
    ("pin", "rm", "x"),
    ("load", "OBJECT", "--pin", "p"),
    ("run", "OBJECT"),
    ("attach", "OBJECT", "eth0", "ingress", "--pin", "l"),
    ("detach", "eth0", "ingress"),
)


@pytest.fixture
def place(pin_root, tmp_path):
    """A directory that everybody may enter, and an object that everybody may read."""
    above = Path(pin_root).parent
    above.chmod(0o755)
    (above / "a.o").write_bytes(counter())
    return above


def run_as(place: Path, root: str, uid: int, gid: int, commands) -> list[tuple[int, str, str]]:
    """Status, stdout and stderr of each command."""
    words = [[str(place / "a.o") if word == "OBJECT" else word for word in each] for each in commands]
    done = subprocess.run(
        [sys.executable, "-B", "-c", RUNNER, root, str(uid), str(gid), json.dumps(words)],
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0, done.stderr
    return [tuple(each) for each in json.loads(done.stdout)]


def make_tree(root: str, owner: int) -> None:
    runtime = UserRuntime(root)
    with runtime.map_create(MapSpec("m", MapType.ARRAY, 4, 8, 1)) as made:
        runtime.pin(made, "x")
    for directory, names, files in os.walk(root):
        for each in [directory, *(os.path.join(directory, name) for name in (*names, *files))]:
            os.chown(each, owner, owner)


def state(root: str) -> list[tuple[str, int, int, bytes]]:
    found = []
    for directory, _, files in os.walk(root):
        for name in sorted(files):
            path = os.path.join(directory, name)
            status = os.stat(path)
            found.append((path, status.st_nlink, status.st_mtime_ns, Path(path).read_bytes()))
    return sorted(found)


MODES = {
    "closed": (0o700, 0o600),
    "group may read": (0o750, 0o640),
    "all may read": (0o755, 0o644),
    "group may write": (0o770, 0o660),
}


@pytest.mark.parametrize("user", [(STRANGER, STRANGER), (MEMBER, OWNER), (0, 0)], ids=["stranger", "member", "root"])
def test_no_command_does_anything_for_another_user(place, pin_root, user):
    roots = [f"{pin_root}{number}" for number in range(len(MODES))]
    for root, (directory_mode, file_mode) in zip(roots, MODES.values(), strict=True):
        make_tree(root, OWNER)
        for directory, _, files in os.walk(root):
            os.chmod(directory, directory_mode)
            for name in files:
                os.chmod(os.path.join(directory, name), file_mode)
    before = [state(root) for root in roots]
    answers = run_as(place, ":".join(roots), *user, COMMANDS)
    for words, (status, out, err) in zip(COMMANDS * len(MODES), answers, strict=True):
        assert status == 5, (words, status, out, err)
        assert "belongs to another user: uid 12345" in err, (words, err)
        assert "Traceback" not in err
        assert "--pin-root" in err
        assert out == ""
    assert [state(root) for root in roots] == before


def test_the_owner_goes_on(place, pin_root):
    make_tree(pin_root, OWNER)
    answers = run_as(place, pin_root, OWNER, OWNER, COMMANDS)
    assert [status for status, _, _ in answers] == [0] * len(COMMANDS), answers


@pytest.mark.parametrize("user", [STRANGER, 0])
def test_a_sticky_root_that_all_may_write_is_nobodys(place, pin_root, user):
    """/dev/shm/bpf-UID made by somebody else in advance, open to all: refused, and left alone."""
    os.mkdir(pin_root)
    os.chmod(pin_root, 0o1777)
    os.chown(pin_root, user, user)
    commands = [each for each in COMMANDS if each[0] in ("load", "map", "pin")]
    for status, out, err in run_as(place, pin_root, user, user, commands):
        assert (status, out) == (5, ""), err
        assert "mode 1777" in err
    assert os.listdir(pin_root) == []


def test_a_members_object_in_the_owners_tree(place, pin_root):
    """A file of another user among the owner's pins is not mapped, by root either; the rest of the tree works."""
    make_tree(pin_root, OWNER)
    make_tree(f"{pin_root}2", MEMBER)
    shutil.copy(f"{pin_root}2/x", f"{pin_root}/theirs")
    os.chown(f"{pin_root}/theirs", MEMBER, MEMBER)
    os.chmod(f"{pin_root}/theirs", 0o666)
    answers = run_as(
        place, pin_root, OWNER, OWNER, [("map", "show", "theirs"), ("pin", "rm", "theirs"), ("map", "show", "x")]
    )
    for status, _, err in answers[:2]:
        assert status == 5, err
        assert "object belongs to another user: uid 12346" in err
    assert answers[2][0] == 0


def test_links_of_others_lead_nowhere(place, pin_root):
    """A symbolic link in a directory of all, made by another user in the place of the root."""
    make_tree(pin_root, OWNER)
    os.symlink(pin_root, f"{pin_root}.link")
    os.chown(f"{pin_root}.link", STRANGER, STRANGER, follow_symlinks=False)
    ((status, _, err),) = run_as(place, f"{pin_root}.link", OWNER, OWNER, [("map", "show", "x")])
    assert status == 5
    assert textwrap.shorten(err, 500).count("uid 65534")
