"""The commands on a tree in which others left things: an error with its place, never a crash; the rest works."""

import json
import os
import shutil
import socket
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import bpf_load, written
from tests.small_objects import counter
from toolchain.isa.map_types import MapType
from toolchain.pin.header import HEADER_SIZE, decode, encode
from toolchain.spec.maps import MapSpec
from toolchain.vm import UserRuntime
from toolchain.vm.runtime import end_on_bus_error

__all__ = ["bpf_load", "written"]
LAST = (1 << 64) - 1


def forged(path: str, size: int = 0, **fields) -> None:
    """A header with a right checksum that lies, in a file of ``size`` bytes."""
    with open(path, "r+b") as file:
        header = decode(file.read(HEADER_SIZE))
        file.seek(0)
        file.write(encode(replace(header, **fields)))
        if size:
            file.truncate(size)


def a_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(os.path.dirname(path))
        made.bind(os.path.basename(path))


def outside(path: str) -> Path:
    """A file beside the tree."""
    (above,) = (each for each in Path(path).parents if each.name.startswith("pins-"))
    return above / "theirs"


def sparse(path: str) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 42)


def loud(path: str) -> None:
    """An object's first bytes, and nothing that holds."""
    with open(path, "wb") as file:
        file.write(b"BPFOBJ\x01\x00" + struct.pack("<II", 1, 1) + b"\xff" * 8000)


FILES = {
    "empty file": lambda path: Path(path).touch(),
    "text": lambda path: Path(path).write_text("hello\n" * 3000),
    "huge sparse file": sparse,
    "a header of ones": loud,
    "fifo": os.mkfifo,
    "socket": a_socket,
    "directory": os.mkdir,
    "link to nothing": lambda path: os.symlink("nothing", path),
    "link to itself": lambda path: os.symlink(os.path.basename(path), path),
    "link to a device": lambda path: os.symlink("/dev/zero", path),
    "link to a terminal": lambda path: os.symlink("/dev/tty", path),
    "link outside": lambda path: os.symlink(outside(path), path),
}
HARM = {
    **{f"cut to {size}": lambda path, size=size: os.truncate(path, size) for size in (0, 4, 100, 4096, 4100, 5000)},
    "grown": lambda path: os.truncate(path, 1 << 42),
    "another kind": lambda path: forged(path, kind="prog"),
    "a link": lambda path: forged(path, kind="link"),
    "another id": lambda path: forged(path, id=77),
    "id 0": lambda path: forged(path, id=0),
    "the last id": lambda path: forged(path, id=LAST),
    "another inode": lambda path: forged(path, ino=1),
    "another owner": lambda path: forged(path, uid=12345),
    "all the data there is": lambda path: forged(path, data_size=(1 << 48) - 1, size=1 << 43),
    "types without end": lambda path: forged(path, btf_offset=4096, btf_size=16 << 20, size=1 << 43),
    "edges": lambda path: forged(path, ref_count=5),
    "slots": lambda path: forged(path, ref_count=0xFFFFFFFF),
    "a name that climbs": lambda path: forged(path, name="../../../etc/passwd"),
    "a name that breaks lines": lambda path: forged(path, name="a\n\x1b[2Jb"),
    "no definition": lambda path: forged(path, spec=b""),
    "a definition of ones": lambda path: forged(path, spec=b"\xff" * 48),
    "a long definition": lambda path: forged(path, spec=bytes(3000)),
    "data of ones": lambda path: data_of_ones(path),
}


def data_of_ones(path: str) -> None:
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(HEADER_SIZE)
        file.write(b"\xff" * (size - HEADER_SIZE))


COMMANDS = (
    ("map", "show", "bad"),
    ("map", "show"),
    ("map", "dump", "bad"),
    ("map", "show", "id", "2"),
    ("prog", "show", "bad"),
    ("prog", "show"),
    ("link", "show", "bad"),
    ("link", "show"),
    ("pin", "tree"),
    ("pin", "fsck"),
    ("pin", "gc"),
    ("pin", "fsck", "--repair"),
    ("pin", "rm", "bad"),
    ("pin", "gc"),
)


@pytest.fixture
def tree(pin_root):
    """A tree with a sound pin, ``good`` (id 1), and one for harm, ``bad`` (id 2)."""
    runtime = UserRuntime(pin_root)
    for name in ("good", "bad"):
        with runtime.map_create(MapSpec(name, MapType.HASH, 4, 8, 4)) as made:
            made[bytes(4)] = b"whatever"
            runtime.pin(made, name)
    here, theirs = os.getcwd(), outside(pin_root)
    theirs.write_text("not a pin")
    theirs.chmod(0o640)
    yield pin_root
    os.chdir(here)
    assert theirs.read_text() == "not a pin"
    assert theirs.stat().st_mode & 0o777 == 0o640
    assert theirs.stat().st_nlink == 1


def require_answers(bpf_load, commands=COMMANDS) -> None:
    """Each command ends with a status of its own, and an error where it failed."""
    for words in commands:
        for options in ((), ("--json",)):
            done = bpf_load(*options, *words)
            assert done.status in (0, 1, 5), (words, done)
            assert "\x1b" not in done.out + done.err
            if done.status and words[1:2] != ("fsck",):
                assert done.json["error"] if options else "error: " in done.err, (words, done)
                assert (done.out + done.err).count("\n") <= 12


def require_the_rest(bpf_load) -> None:
    """The sound pin works."""
    assert bpf_load("map", "lookup", "good", "key", "0").status == 0
    assert bpf_load("map", "update", "good", "key", "0", "value", "1").status == 0


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("where", ["bad", ".bpf/objs/map2", "bad and anchor"])
def test_planted(bpf_load, tree, where, kind):
    """In the place of a pin, of an anchor, of both."""
    for path in {"bad and anchor": ("bad", ".bpf/objs/map2")}.get(where, (where,)):
        os.unlink(f"{tree}/{path}")
        FILES[kind](f"{tree}/{path}")
    require_answers(bpf_load)
    require_the_rest(bpf_load)


PLACES = ("objs", "refs", "stage", "loose", "hooks", "commit", "super", "lock")


@pytest.mark.parametrize("kind", ["empty file", "text", "fifo", "directory", "link to itself", "link outside"])
@pytest.mark.parametrize("where", PLACES)
def test_planted_in_the_trees_own_place(bpf_load, tree, where, kind):
    """What fsck --repair can put right it does; no command ends otherwise than with an error."""
    path = Path(tree) / ".bpf" / where
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    FILES[kind](str(path))
    require_answers(bpf_load, [words for words in COMMANDS if words[1] not in ("fsck", "rm")])
    bpf_load("pin", "fsck", "--repair")
    if where != "lock":
        require_the_rest(bpf_load)
        with UserRuntime(tree).map_create(MapSpec("new", MapType.ARRAY, 4, 8, 1)) as made:
            assert made.id >= 3 or where == "super"


def test_a_link_in_a_trees_own_place_leads_nothing_away(bpf_load, tree, tmp_path):
    """What stands behind a symbolic link in the place of a private directory is not ours to clean."""
    for where in ("refs", "stage", "loose", "commit", "objs", "hooks", ""):
        theirs = tmp_path / "theirs"
        (theirs / "work").mkdir(parents=True)
        (theirs / "work" / "thesis").write_text("three years")
        (theirs / "map7").write_text("a drawing")
        theirs.chmod(0o755)
        path = Path(tree) / ".bpf" / where
        shutil.rmtree(path, ignore_errors=True)
        os.symlink(theirs, path)
        require_answers(bpf_load)
        bpf_load("map", "create", "new", "type", "array", "key", "4", "value", "4", "entries", "1")
        assert (theirs / "work" / "thesis").read_text() == "three years"
        assert sorted(os.listdir(theirs)) == ["map7", "work"]
        assert theirs.stat().st_mode & 0o777 == 0o755
        if path.is_symlink():
            path.unlink()
        shutil.rmtree(theirs)


@pytest.mark.parametrize("harm", HARM)
def test_harmed(bpf_load, tree, harm):
    HARM[harm](f"{tree}/bad")
    require_answers(bpf_load)
    require_the_rest(bpf_load)


@pytest.mark.parametrize("size", [0, 4, 100, 4096, 5000])
def test_a_pin_that_was_cut_can_be_removed(bpf_load, tree, size):
    os.truncate(f"{tree}/bad", size)
    refused = bpf_load("map", "show", "bad")
    assert refused.status == 1
    assert "pin rm" in refused.err
    assert bpf_load("pin", "rm", "bad").status == 0
    assert not os.path.lexists(f"{tree}/bad")
    bpf_load("pin", "fsck", "--repair")
    assert bpf_load("pin", "fsck").out == "sound\n"
    assert os.listdir(f"{tree}/.bpf/objs") == ["map1"]


@pytest.mark.parametrize("kind", ["text", "empty file", "huge sparse file", "a header of ones"])
def test_a_foreign_file_is_not_removed(bpf_load, tree, kind):
    FILES[kind](f"{tree}/theirs")
    refused = bpf_load("pin", "rm", "theirs")
    assert refused.status == 1
    assert "theirs: error: " in refused.err
    assert "hint: " in refused.err
    assert os.path.lexists(f"{tree}/theirs")


def test_copies_and_links_from_outside(bpf_load, tree):
    shutil.copy(f"{tree}/bad", f"{tree}/copy")
    os.link(f"{tree}/bad", f"{tree}.outside")
    refused = bpf_load("map", "show", "copy")
    assert refused.status == 1
    assert "a copy of map2" in refused.err
    assert bpf_load("pin", "rm", "bad").status == 0
    checked = bpf_load("pin", "fsck")
    assert checked.status == 0
    assert "outside of the tree" in checked.out
    assert bpf_load("pin", "rm", "copy").status == 0
    os.unlink(f"{tree}.outside")
    assert bpf_load("pin", "gc").out == "removed map2\n"


def test_loading_beside_planted_files(bpf_load, tree, written):
    path = written(counter())
    os.makedirs(f"{tree}/tc/globals")
    for kind in FILES:
        FILES[kind](f"{tree}/tc/globals/acc")
        refused = bpf_load("load", path, "--pin", "p")
        if refused.status == 0:  # a directory or nothing: no such pin
            bpf_load("pin", "rm", "p")
        assert refused.status in (0, 1, 4, 5), (kind, refused)
        assert not os.path.lexists(f"{tree}/p")
        os.rmdir(f"{tree}/tc/globals/acc") if kind == "directory" else os.unlink(f"{tree}/tc/globals/acc")
    assert bpf_load("load", path, "--pin", "p").status == 0


@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_a_umask_changes_nothing(bpf_load, pin_root, written, mask):
    path = written(counter())
    before = os.umask(mask)
    try:
        assert bpf_load("load", path, "--pin", "deep/below/p").status == 0
        assert bpf_load("attach", path, "eth0", "ingress", "--pin", "links/l").status == 0
    finally:
        os.umask(before)
    for directory, _, files in os.walk(pin_root):
        assert os.stat(directory).st_mode & 0o7777 == 0o700, directory
        assert {os.stat(f"{directory}/{name}").st_mode & 0o7777 for name in files} <= {0o600}, directory


@pytest.mark.parametrize("as_json", [False, True])
def test_a_map_that_is_cut_while_it_is_in_use(tree, as_json):
    """No signal ends a command: it says what happened, and its status is that of a failure."""
    streams = [os.memfd_create(name) for name in ("out", "err")]
    with UserRuntime(tree).get("bad") as opened:
        child = os.fork()
        if not child:
            for number, stream in enumerate(streams, 1):
                os.dup2(stream, number)
            end_on_bus_error(as_json)
            os.truncate(f"{tree}/bad", HEADER_SIZE)
            opened.lookup(bytes(4))
            os._exit(99)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    out, err = (os.pread(stream, 4096, 0).decode() for stream in streams)
    for stream in streams:
        os.close(stream)
    if as_json:
        assert json.loads(out)["schema"] == "bpf-load.error/1"
        assert err == ""
    else:
        assert err.startswith("bpf-load: error: a mapped file was cut short")
        assert out == ""
