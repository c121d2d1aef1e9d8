"""What a user gets for bad input: one error that names file and place, the right exit status, and no pin touched."""

import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from tests.small_objects import counter, unsafe
from toolchain.isa.map_types import MapType

COMMANDS = ("inspect", "verify", "load", "run")


def only_error(outcome, path=""):
    """The one error line of an outcome."""
    errors = [line for line in outcome.err.splitlines() if ": error: " in line]
    assert len(errors) == 1, outcome
    assert path in errors[0]
    return errors[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not an ELF file: empty"),
        (counter()[:40], "header cut short: 40 bytes (64)"),
        (counter()[:200], "outside the file"),
        (b"\x7fELF" + bytes(100), ""),
        (b"#!/bin/sh\necho hello, this is no object\n" * 4, "ELF"),
        (random.Random(1).randbytes(3000), "ELF"),
        (counter(machine=62), "machine"),
    ],
    ids=["empty", "truncated header", "truncated", "zeros", "script", "random", "x86-64"],
)
def test_what_is_no_object(bpf_load, written, pins, command, data, complaint):
    path = written(data)
    outcome = bpf_load(command, path)
    assert outcome.status == 1, outcome
    assert complaint in only_error(outcome, path)
    assert pins() == {}
    assert bpf_load("--json", command, path).json


@pytest.mark.parametrize(("name", "hint"), [("a.c", "clang -O2"), ("a.s", "bpf-as"), ("a.o", "")])
def test_a_source_is_told_from_an_object(bpf_load, tmp_path, name, hint):
    path = tmp_path / name
    path.write_text("int main;\n")
    for command in ("inspect", "load", "run"):
        error = bpf_load("--json", command, str(path)).json
        assert ("not an ELF file" in error["error"], hint in error["hint"]) == (True, True)
        assert bool(error["hint"]) == bool(hint)


def test_an_object_is_no_assembly(tmp_path):
    path = tmp_path / "a.o"
    path.write_bytes(counter())
    done = subprocess.run(
        [sys.executable, "-c", "from toolchain.cli.bpf_as import main; main()", "-o", tmp_path / "b.o", path],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.count("error: ")) == (1, 1)
    assert f"{path}: error: an ELF file, not text\n  hint: 'bpf-as -d'" in done.stderr
    assert not (tmp_path / "b.o").exists()


@pytest.mark.parametrize(
    "words", [("run", "none.o"), ("attach", "none.o", "eth0", "ingress")], ids=lambda each: each[0]
)
def test_a_missing_object_is_a_file_that_cannot_be_read(bpf_load, words):
    """No pin has a dot in its name, so a file was meant."""
    outcome = bpf_load(*words)
    assert outcome.status == 1
    assert only_error(outcome) == "none.o: error: cannot read: No such file or directory"


def test_an_empty_name_is_shown(bpf_load):
    assert "'': error: cannot read" in bpf_load("inspect", "").err


@pytest.mark.parametrize("command", ["verify", "load", "run"])
def test_an_object_of_the_other_endian(bpf_load, written, pins, command):
    path = written(counter(endian="big"))
    outcome = bpf_load(command, path)
    assert outcome.status == 1
    assert "wrong endian: big" in only_error(outcome, path)
    assert pins() == {}
    assert bpf_load("inspect", path).status == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file_and_a_directory(bpf_load, tmp_path, command):
    missing = bpf_load(command, tmp_path / "missing.o")
    assert missing.status == 1
    assert str(tmp_path / "missing.o") in only_error(missing)
    directory = bpf_load(command, tmp_path)
    assert directory.status == 1
    assert str(tmp_path) in only_error(directory)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_with_a_zero_byte_or_a_device(bpf_load, command):
    assert bpf_load(command, "a\0b").status == 1
    assert bpf_load(command, "/dev/zero").status == 1


@pytest.mark.parametrize("command", ["verify", "load", "run"])
def test_a_rejected_program(bpf_load, written, pins, command):
    path = written(unsafe())
    outcome = bpf_load(command, path)
    assert outcome.status == 3
    line = only_error(outcome)
    assert "insn " in line
    assert "invalid mem access 'map_value_or_null'" in line
    assert "verifier log" in outcome.err
    assert "(85) call bpf_map_lookup_elem#1" in outcome.err
    assert pins() == {}
    assert not bpf_load("map", "show").out


def test_a_rejection_as_json(bpf_load, written):
    path = written(unsafe())
    row = bpf_load("--json", "verify", path).json["programs"][0]
    assert (row["verdict"], row["stage"], row["program"], row["section"]) == ("reject", "verifier", "count", "tc")
    assert "map_value_or_null" in row["message"]
    assert row["insn"] == 7
    error = bpf_load("load", path, "--json")
    assert error.status == 3
    assert error.json["schema"] == "bpf-load.error/1"
    assert error.json["code"] == "rejected"
    assert error.json["where"]["slot"] == 7
    assert error.json["log"]


def test_one_rejected_program_of_several_loads_nothing(bpf_load, written, pins):
    assert bpf_load("load", written(counter()), "--pin", "one").status == 0
    before = pins()
    assert bpf_load("load", written(unsafe(map_name="other")), "--pin", "two").status == 3
    assert pins() == before


def test_a_pinned_map_of_another_size(bpf_load, written, pins):
    assert bpf_load("load", written(counter(maps=2)), "--pin", "one").status == 0
    before = pins()
    path = written(counter(maps=2, map_type=MapType.HASH, value_size=24, max_entries=9), "b.o")
    for command in ("load", "run"):
        outcome = bpf_load(command, path)
        assert outcome.status == 4, outcome
        for name in ("acc", "acc1"):
            assert f"map {name}, pinned at tc/globals/{name}:" in outcome.err
        for words in ("type         declared hash, pinned array", "declared 24, pinned 16", "declared 9, pinned 8"):
            assert outcome.err.count(words) == 2, outcome.err
    rows = bpf_load("load", path, "--json").json["differences"]
    assert len(rows) == 6
    assert rows[1] == {"map": "acc", "pin": "tc/globals/acc", "field": "value_size", "declared": 24, "pinned": 16}
    assert pins() == before


def test_a_pin_that_exists(bpf_load, written, pins):
    path = written(counter())
    assert bpf_load("load", path, "--pin", "one").status == 0
    before = pins()
    outcome = bpf_load("load", path, "--pin", "one")
    assert outcome.status == 1
    assert "one: error: pin exists: EEXIST" in outcome.err
    assert bpf_load("load", path, "--pin", "tc/globals/acc").status == 1
    assert pins() == before


@pytest.mark.parametrize(
    ("pin", "errno"),
    [
        ("a.b", "EPERM"),
        ("dir.x/a", "EPERM"),
        ("n" * 256, "ENAMETOOLONG"),
        ("../../x", "EPERM|ENOENT"),
        ("/etc/x", "EPERM"),
    ],
)
def test_names_that_bpffs_refuses(bpf_load, written, pins, pin, errno):
    outcome = bpf_load("load", written(counter()), "--pin", pin)
    assert outcome.status == 1, outcome
    assert any(f": {name} (" in only_error(outcome) for name in errno.split("|")), outcome
    assert pins() == {}
    for command in (("map", "show"), ("pin", "rm"), ("run",)):
        assert bpf_load(*command, pin).status == 1


def test_a_longest_name_is_fine(bpf_load, written, pins):
    assert bpf_load("load", written(counter()), "--pin", "n" * 255).status == 0
    assert "n" * 255 in pins()


def test_a_foreign_file_in_the_tree(bpf_load, written, pin_root, pins):
    assert bpf_load("load", written(counter()), "--pin", "one").status == 0
    with open(os.path.join(pin_root, "foreign"), "w") as file:
        file.write("not a pin")
    for command in (("map", "dump"), ("run",), ("pin", "rm")):
        outcome = bpf_load(*command, "foreign")
        assert outcome.status == 1
        assert "EACCES" in only_error(outcome) or "EINVAL" in only_error(outcome)
    assert bpf_load("load", written(counter()), "--pin", "foreign").status == 1
    assert set(pins()) == {"one", "tc/globals/acc"}


def test_a_pin_root_that_is_a_file(bpf_load, written):
    root = written(b"x", "file")
    outcome = bpf_load("load", written(counter()), "--pin-root", root)
    assert outcome.status == 5
    assert root in only_error(outcome)
    assert "hint: " in outcome.err


def test_a_relative_pin_root_where_the_working_directory_was_removed(bpf_load, monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    outcome = bpf_load("--pin-root", "pins", "map", "show")
    assert outcome.status == 5
    assert "ENOENT" in only_error(outcome, "pins")
    assert bpf_load("map", "show").status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another user")
def test_a_tree_of_another_user(bpf_load, written, pin_root):
    assert bpf_load("load", written(counter()), "--pin", "one").status == 0
    os.chown(pin_root, 12345, -1)
    for command in (("load", written(counter())), ("map", "show"), ("map", "dump", "tc/globals/acc"), ("pin", "tree")):
        outcome = bpf_load(*command)
        assert outcome.status == 5, (command, outcome)
        assert "belongs to another user: uid 12345" in only_error(outcome)
        assert "--pin-root" in outcome.err


AS_NOBODY = """
import importlib, json, locale, os, sys
from toolchain.cli import bpf_load, render
for name in ("load", "run", "map", "prog", "pin"):
    importlib.import_module(f"toolchain.cli.{name}_command")
import toolchain.elf, toolchain.loader.pipeline, toolchain.verifier, toolchain.vm
os.seteuid(65534)
for words in json.loads(sys.argv[2]):
    print(render.guarded(lambda: bpf_load._run(["--pin-root", sys.argv[1], *words]), False))
"""
"""Runs commands as a user who may enter neither the tree nor, perhaps, the directory of this project."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_users_tree_that_cannot_be_entered(bpf_load, written, pin_root):
    above = os.path.dirname(pin_root)
    path = os.path.join(above, "a.o")
    os.chmod(above, 0o755)
    shutil.copy(written(counter()), path)
    assert bpf_load("load", path, "--pin", "x").status == 0
    commands = [
        "load " + path,
        "run " + path,
        "run x",
        "map show",
        "map show x",
        "map dump id 1",
        "prog show",
        "pin rm x",
    ]
    arguments = [pin_root, json.dumps([each.split() for each in commands])]
    done = subprocess.run([sys.executable, "-c", AS_NOBODY, *arguments], capture_output=True, text=True)
    assert done.stdout.split() == ["5"] * len(commands), done
    assert done.stderr.count("belongs to another user: uid 0") == len(commands)


def test_a_kernel_runtime_that_is_not_built(bpf_load, written, monkeypatch):
    monkeypatch.setitem(sys.modules, "toolchain.kernel", None)
    for command in (("load", written(counter())), ("map", "show"), ("verify", written(counter()))):
        outcome = bpf_load("-r", "kernel", *command)
        assert outcome.status == 5
        assert "the kernel runtime's C core cannot be imported" in only_error(outcome)


def test_a_core_that_is_not_built(bpf_load, written, monkeypatch):
    monkeypatch.setitem(sys.modules, "toolchain.vm", None)
    outcome = bpf_load("load", written(counter()))
    assert outcome.status == 5
    assert "C core cannot be imported" in only_error(outcome)
    assert "run make" in outcome.err


STALE = """
import binascii, sys
binascii.crc32 = lambda data: 1
from toolchain.cli.bpf_load import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "words",
    [
        ("map", "show"),
        ("doctor",),
        ("-r", "kernel", "map", "show"),
        ("tc", "qdisc", "add", "dev", "lo", "clsact"),
    ],
)
def test_a_core_of_other_sources_says_so(pin_root, words):
    """Pulled without make: the C part is older, or newer, than the Python beside it."""
    environment = {**os.environ, "BPF_PIN_ROOT": pin_root}
    command = [sys.executable, "-c", STALE, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 5, done
    text = done.stdout + done.stderr
    assert "cannot be imported: it was built from other sources than those beside it" in text
    assert "run make" in text


def test_a_feature_that_is_missing_is_named(bpf_load, written, pins, monkeypatch):
    outcome = bpf_load("load", written(counter(map_type=MapType.STACK_TRACE)))
    assert outcome.status in (3, 5)
    monkeypatch.delenv("BPF_BTF", raising=False)
    monkeypatch.setattr("toolchain.kernel.attach_target.kernel_types", lambda: None)
    outcome = bpf_load("load", os.path.join(os.path.dirname(__file__), "../data/obj/core.o"))
    assert outcome.status == 5
    assert "CO-RE relocation" in outcome.err
    assert pins() == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("load",),
        ("verify",),
        ("load", "a.o", "b.o"),
        ("load", "a.o", "--type", "nonsense"),
        ("load", "a.o", "--map", "acc"),
        ("run", "a.o", "--packet", "zz"),
        ("run", "a.o", "--packet", "00", "--pcap", "x"),
        ("run", "a.o", "--repeat", "0"),
        ("-r", "moon", "map", "show"),
        ("map", "lookup", "id", "nonsense", "0"),
        ("map", "show", "id"),
        ("map", "dump"),
        ("pin", "rm"),
        ("verify", "--log-level", "9", "a.o"),
        ("map",),
        (),
    ],
    ids=" ".join,
)
def test_usage(bpf_load, written, monkeypatch, tmp_path, arguments):
    written(counter())
    monkeypatch.chdir(tmp_path)
    outcome = bpf_load(*arguments)
    assert outcome.status == 2, outcome
    assert outcome.err
    assert not outcome.out


def test_an_unknown_runtime_in_the_environment(bpf_load, monkeypatch):
    monkeypatch.setenv("BPF_RUNTIME", "moon")
    outcome = bpf_load("map", "show")
    assert outcome.status == 2
    assert "unknown runtime: moon (user, kernel, auto)" in outcome.err


def test_usage_as_json(bpf_load):
    outcome = bpf_load("load", "--json")
    assert outcome.status == 2
    assert outcome.json["code"] == "usage"
    assert outcome.json["hint"] == "see 'bpf-load load -h'"


def test_mutated_objects_never_end_in_a_bug(bpf_load, written, pins):
    chance = random.Random(2)
    for _ in range(120):
        data = bytearray(counter(maps=2))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        outcome = bpf_load("load", written(bytes(data)), "--type", "sched_cls")
        assert outcome.status in (0, 1, 3, 4, 5), (outcome, bytes(data).hex())
        if outcome.status:
            assert ": error: " in outcome.err
        for each in pins():
            bpf_load("pin", "rm", each)


def test_a_full_disk_under_the_output_is_said(written, pin_root):
    command = [sys.executable, "-c", "from toolchain.cli.bpf_load import main; main()", "inspect", written(counter())]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "bpf-load: error: cannot write the output: No space left on device\n"


COMMAND = [sys.executable, "-c", "from toolchain.cli.bpf_load import main; main()"]


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", "<&- >&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["load a.o --pin x", "map show --json", "-h", "inspect a.o"])
def test_streams_that_the_caller_closed(written, pin_root, streams, words):
    folder = os.path.dirname(written(counter()))
    assert load_a_map(pin_root, f"{folder}/a.o").returncode == 0
    line = f'cd {folder} && exec "$@" --pin-root {pin_root} {words} {streams}'
    done = subprocess.run(["sh", "-c", line, "sh", *COMMAND], stderr=subprocess.PIPE, text=True, env=own_path())
    assert done.returncode == 1, done
    if "2>&-" not in streams:
        assert done.stderr.count(": error: cannot ") == done.stderr.count("\n") == 1, done
        assert "Bad file descriptor" in done.stderr


def load_a_map(pin_root, path):
    return subprocess.run([*COMMAND, "--pin-root", pin_root, "load", path], capture_output=True, env=own_path())


def own_path():
    return os.environ | {"PYTHONPATH": os.getcwd()}


def test_help_onto_a_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done
    assert "No space left on device" in done.stderr


def test_an_error_that_stdout_does_not_take_is_said_as_text(tmp_path):
    with open("/dev/full", "w") as full:
        arguments = [*COMMAND, "--json", "load", str(tmp_path / "missing.o")]
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "missing.o: error: cannot read" in done.stderr


def test_no_memory_is_no_bug(bpf_load, written, monkeypatch):
    def greedy(path):
        raise MemoryError

    monkeypatch.setattr("toolchain.loader.objects.read_bytes", greedy)
    outcome = bpf_load("inspect", written(counter()))
    assert outcome.status == 1
    assert only_error(outcome) == "bpf-load: error: out of memory"


def test_little_memory_is_enough(written):
    limited = ["sh", "-c", 'ulimit -v 200000; exec "$@"', "sh", *COMMAND, "inspect", written(counter())]
    assert subprocess.run(limited, capture_output=True).returncode == 0
