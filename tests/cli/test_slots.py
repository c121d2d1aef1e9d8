"""Prog arrays and maps of maps from the command line, a program's code, and the care of the tree."""

import os
from pathlib import Path

import pytest

from toolchain.vm.runtime import UserRuntime

DATA = Path(__file__).parents[1] / "data"
JUMPS = "tc/globals/jumps"


@pytest.fixture
def assembled(tmp_path):
    """A function that assembles a file of tests/data with line information and gives the object's path."""

    def assemble(name: str) -> str:
        from toolchain.cli.bpf_as import main

        target = tmp_path / f"{Path(name).stem}.o"
        with pytest.raises(SystemExit) as ended:
            main(["-g", "-o", str(target), str(DATA / name)])
        assert not ended.value.code
        return str(target)

    return assemble


@pytest.fixture
def tail(bpf_load, assembled) -> str:
    """tail.s loaded: 'entry' pinned, which jumps to 'drop' through the pinned array."""
    path = assembled("attach/tail.s")
    assert bpf_load("load", path, "--program", "entry", "--pin", "entry").status == 0
    return path


@pytest.mark.parametrize("name", sorted(each.name for each in (DATA / "tail").glob("*.s")))
def test_tail_calls_of_functions(bpf_load, assembled, name):
    wanted = (DATA / "tail" / name).read_text().splitlines()[1].removeprefix("# returns ")
    runs = bpf_load("--json", "run", assembled(f"tail/{name}"), "--program", "entry").json["runs"]
    assert [each["retval"] for each in runs] == [int(wanted)]


def test_classic_slots_are_filled(bpf_load, tail, pins):
    assert set(pins()) == {"entry", JUMPS}
    entries = bpf_load("--json", "map", "dump", JUMPS).json["entries"]
    assert [each["key"][0] for each in entries] == ["0x01"]
    assert bpf_load("--json", "run", "entry").json["runs"][0]["retval"] == 2


def test_a_slot_is_changed(bpf_load, tail):
    assert bpf_load("load", tail, "--program", "let", "--type", "sched_cls", "--pin", "let").status == 0
    assert bpf_load("map", "update", JUMPS, "1", "prog", "let").status == 0
    assert bpf_load("--json", "run", "entry").json["runs"][0]["retval"] == 0
    identity = bpf_load("--json", "prog", "show", "let").json["program"]["id"]
    for words in (
        ("key", 2, 0, 0, 0, "value", "id", identity),
        (2, "prog", "name", "let"),
        (2, "value", "pinned", "let"),
    ):
        assert bpf_load("map", "update", JUMPS, *words).status == 0
    assert bpf_load("map", "delete", JUMPS, "1").status == 0
    entries = bpf_load("--json", "map", "dump", JUMPS).json["entries"]
    assert [(each["key"][0], each["value"][0]) for each in entries] == [("0x02", f"0x{identity:02x}")]


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("9", "prog", "entry"), 1, "E2BIG"),
        (("0", "prog", "id", "77"), 1, "ENOENT"),
        (("0", "prog", JUMPS), 1, "no program but a map"),
        (("0", "entry"), 2, "no prog named"),
        (("0", "prog", "entry", "more"), 2, "unexpected word: more"),
        (("0", "prog", "entry", "exist"), 1, "EINVAL"),
        (("prog", "entry"), 2, "no key"),
    ],
)
def test_slots_refused(bpf_load, tail, words, status, text):
    outcome = bpf_load("map", "update", JUMPS, *words)
    assert (outcome.status, text in outcome.err) == (status, True), outcome


def test_a_classic_map_of_maps(bpf_load, assembled):
    path = assembled("attach/inner.s")
    assert bpf_load("--json", "run", path).json["runs"][0]["retval"] == 2
    assert bpf_load("load", path, "--pin", "look").status == 0
    assert bpf_load("--json", "run", "look").json["runs"][0]["retval"] == 2
    outer = bpf_load("--json", "map", "dump", "tc/globals/outer").json["entries"]
    inner = int(outer[0]["value"][0], 0)
    assert bpf_load("map", "update", "tc/globals/outer", "0", "map", "id", inner).status == 0
    assert "EINVAL" in bpf_load("map", "update", "tc/globals/outer", "0", "map", "tc/globals/outer").err
    assert bpf_load("map", "delete", "tc/globals/outer", "1").status == 0
    assert bpf_load("--json", "run", "look").json["runs"][0]["retval"] == 0


def test_freeze(bpf_load, tail):
    assert bpf_load("map", "freeze", JUMPS).status == 0
    assert bpf_load("--json", "map", "show", JUMPS).json["map"]["frozen"] == 1
    for words in (("freeze", JUMPS), ("delete", JUMPS, "1"), ("update", JUMPS, "1", "prog", "entry")):
        assert (bpf_load("map", *words).status, "EPERM" in bpf_load("map", *words).err) == (1, True)


def test_a_programs_code(bpf_load, tail):
    lines = bpf_load("prog", "dump", "entry").out.splitlines()
    assert lines[0] == "entry:"
    assert lines[1].startswith("; r2 = jumps ll ")
    assert lines[1].endswith("tail.s:12")
    assert [line for line in lines if line[0] == " "] == [
        "     0: r2 = jumps ll", "     2: r3 = 1", "     3: call 12", "     4: r0 = 0", "     5: exit",
    ]  # fmt: skip
    document = bpf_load("--json", "prog", "dump", "entry").json
    assert (document["schema"], document["program"]["name"]) == ("bpf-load.prog-dump/1", "entry")
    assert "".join(
        each["bytes"] for each in document["insns"]
    ) == "18520000000000000000000000000000b703000001000000" + ("850000000c000000b7000000000000009500000000000000")


def test_code_with_functions(bpf_load, assembled):
    bpf_load("load", assembled("tail/function.s"), "--program", "entry", "--pin", "entry")
    out = bpf_load("prog", "dump", "entry").out
    assert "jump:" in out.splitlines()
    assert "call jump" in out


def test_collecting(bpf_load, tail, pin_root):
    assert bpf_load("pin", "gc").out == "nothing to remove\n"
    os.unlink(os.path.join(pin_root, "entry"))
    os.unlink(os.path.join(pin_root, JUMPS))
    assert bpf_load("--json", "pin", "gc").json["removed"] == ["map1", "prog1", "prog2"]


def test_a_sound_tree(bpf_load, tail):
    assert (bpf_load("pin", "fsck").status, bpf_load("pin", "fsck").out) == (0, "sound\n")


def test_no_tree(bpf_load):
    assert bpf_load("pin", "fsck").out == "sound\n"
    assert bpf_load("pin", "fsck", "--repair").status == 0
    assert bpf_load("pin", "gc").out == "nothing to remove\n"


@pytest.mark.parametrize("damage", ["anchor", "edge", "more", "slot", "ids", "left"])
def test_what_is_repaired(bpf_load, tail, pin_root, damage):
    private = os.path.join(pin_root, ".bpf")
    if damage == "anchor":
        os.unlink(os.path.join(private, "objs", "map1"))
    elif damage == "edge":
        os.link(os.path.join(private, "objs", "prog2"), os.path.join(pin_root, "kept"))
        os.unlink(os.path.join(private, "refs", "map1", "prog2"))
    elif damage == "slot":
        os.unlink(os.path.join(private, "refs", "map1", "prog2"))
        os.unlink(os.path.join(private, "objs", "prog2"))
    elif damage == "more":
        os.link(os.path.join(private, "objs", "prog1"), os.path.join(private, "refs", "map1", "prog1"))
    elif damage == "ids":
        with open(os.path.join(private, "super"), "r+b") as file:
            file.seek(40)
            file.write(bytes(8))
    else:
        os.mkdir(os.path.join(private, "refs", "map1.new"))
    found = bpf_load("--json", "pin", "fsck")
    assert found.json["findings"]
    assert found.status == (0 if damage == "left" else 1)
    repaired = bpf_load("--json", "pin", "fsck", "--repair")
    assert (repaired.status, repaired.json["left"]) == (0, []), repaired
    assert bpf_load("pin", "fsck").out == "sound\n"
    assert bpf_load("--json", "run", "entry").json["runs"][0]["retval"] == (0 if damage == "slot" else 2)


def test_what_cannot_be_repaired(bpf_load, tail, pin_root):
    with open(os.path.join(pin_root, "entry"), "r+b") as file:
        file.seek(16)
        file.write(b"\xff")
    outcome = bpf_load("pin", "fsck", "--repair")
    assert outcome.status == 1
    assert "left: " in outcome.out


def test_the_library(pin_root):
    """The same from Python: a slot takes a handle, and gives an id."""
    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec

    runtime = UserRuntime(pin_root)
    cell = MapSpec("cell", MapType.ARRAY, 4, 8, 1)
    with runtime.map_create(MapSpec("outer", MapType.HASH_OF_MAPS, 4, 4, 2, inner=cell)) as outer:
        with runtime.map_create(cell) as inner:
            outer[b"left"] = inner
            assert outer[b"left"] == inner.id.to_bytes(4, "little")
        del outer[b"left"]
        assert len(dict(outer)) == 0
    runtime.close()
