"""``map dump`` and ``map watch`` on the kernel: dumps by type beside bpftool's, and the same on both runtimes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kernel.attaching import marks
from tests.kernel.netns import BPF_LOAD

pytestmark = marks("bpftool")

SHAPES = Path(__file__).parents[1] / "data" / "obj" / "shapes.o"
SAMPLES = ("zero", "ones", "text", "noise")
PLAIN = ("shapes", "parts", "colours", "words", "bare")
"""Maps whose dump by bpftool is sound JSON."""


def sample(kind: str, size: int) -> bytes:
    pattern = {"zero": b"\0", "ones": b"\xff", "text": b"word\0\0\0"}
    return (pattern[kind] * size)[:size] if kind in pattern else random.Random(size).randbytes(size)


@pytest.fixture
def maps(net) -> dict[str, str]:
    """Name -> id of the example's maps."""
    net.ok("load", SHAPES, "--pin", "p")
    program = net.json("prog", "show", "p")["program"]
    return {row["name"]: str(row["id"]) for row in net.json("map", "show")["maps"] if row["id"] in program["map_ids"]}


def update(net, shown: dict, key: bytes, value: bytes) -> None:
    words = ("id", str(shown["id"]), "key", "hex", *(f"{byte:02x}" for byte in key), "value", "hex")
    net.left.do("bpftool", "map", "update", *words, *(f"{byte:02x}" for byte in value))


@pytest.mark.parametrize("name", PLAIN)
def test_every_shape_is_shown_as_bpftool_shows_it(net, maps, name):
    number = maps[name]
    shown = net.json("map", "show", "id", number)["map"]
    for at, kind in enumerate(SAMPLES[: shown["max_entries"]] if name != "shapes" else SAMPLES):
        key = at.to_bytes(shown["bytes_key"], "little")
        update(net, shown, key, sample(kind, shown["bytes_value"]))
    theirs = json.loads(net.left.do("bpftool", "-j", "map", "dump", "id", number))
    ours = net.json("map", "dump", "id", number)["entries"]
    assert len(ours) == len(theirs) > 0
    assert sorted(ours, key=json.dumps) == sorted(theirs, key=json.dumps)


@pytest.mark.parametrize("kind", ["queue", "stack"])
def test_a_map_without_keys_is_not_listed(net, kind):
    net.ok("map", "create", "q", "type", kind, "key", "0", "value", "8", "entries", "4")
    assert "map 'q': empty: ENOENT" in net.load("map", "lookup", "q").err
    net.ok("map", "update", "q", "value", "5")
    assert net.ok("map", "lookup", "q") == "5\n"
    done = net.load("map", "dump", "q")
    assert (done.status, f"not supported: listing a map without keys ({kind})" in done.err) == (5, True), done


@pytest.mark.parametrize("name", ["shapes.data", "shapes.rodata", "shapes.bss"])
def test_data_sections(net, maps, name):
    theirs = json.loads(net.left.do("bpftool", "-j", "map", "dump", "id", maps[name]))
    assert net.json("map", "dump", "id", maps[name])["entries"] == theirs


def test_what_bpftool_cannot_say_in_json(net, maps):
    """Members without a name, which it calls "" each, and floating point numbers, at which it breaks off."""
    shown = net.json("map", "show", "id", maps["hidden"])["map"]
    update(net, shown, bytes(4), bytes(range(1, 13)))
    theirs = net.left.do("bpftool", "-j", "map", "dump", "id", maps["hidden"])
    (entry,) = net.json("map", "dump", "id", maps["hidden"])["entries"]
    assert entry["formatted"]["value"] == {"a": 0x04030201, "b": 0x08070605, "c": 0x0C0B0A09, "d": 0x0A09}
    assert theirs.count('"":') == 2
    with pytest.raises(ValueError, match=r"delimiter|Expecting"):
        json.loads(net.left.run("bpftool", "-j", "map", "dump", "id", maps["reals"]).out)
    (entry,) = net.json("map", "dump", "id", maps["reals"])["entries"]
    assert entry["formatted"]["value"] == {"f": 0.0, "d": 0.0}


def test_both_runtimes_show_the_same(net, maps, tmp_path):
    tree = ("-r", "user", "--pin-root", str(tmp_path / "tree"))
    loaded = net.left.run(*BPF_LOAD, *tree, "load", SHAPES, "--pin", "p")
    assert loaded.status == 0, loaded.err
    listed = {row["name"]: row["id"] for row in net.left.run(*BPF_LOAD, *tree, "--json", "map", "show").json["maps"]}
    for name in maps:
        number = str(listed[name])
        if name in ("shapes", "parts"):
            shown = net.json("map", "show", "id", maps[name])["map"]
            size = shown["bytes_value"]
            words = ("key", *["1"] * shown["bytes_key"], "value", "hex", sample("noise", size).hex())
            net.ok("map", "update", "id", maps[name], *words)
            assert net.left.run(*BPF_LOAD, *tree, "map", "update", "id", number, *words).status == 0
        user = net.left.run(*BPF_LOAD, *tree, "--json", "map", "dump", "id", number).json
        assert user["entries"] == net.json("map", "dump", "id", maps[name])["entries"], name


def test_watch_sees_what_bpftool_writes(net, maps):
    shown = net.json("map", "show", "id", maps["colours"])["map"]
    words = ("map", "watch", "id", maps["colours"], "--initial", "--interval", "0.01")
    running = net.left.start(*BPF_LOAD, "-r", "kernel", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert running.stdout is not None
        first = [json.loads(running.stdout.readline()) for _ in range(2)]
        assert [each["formatted"]["new"] for each in first] == ["RED", "RED"]
        update(net, shown, bytes(4), (5).to_bytes(4, "little"))
        changed = json.loads(running.stdout.readline())
        assert (changed["event"], changed["key"], changed["new"]) == ("update", ["0x00"] * 4, ["0x05"] + ["0x00"] * 3)
        assert changed["formatted"] == {"key": 0, "old": "RED", "new": "GREEN"}
        net.ok("pin", "rm", "p")
        out, err = running.communicate(timeout=30)
        assert (running.returncode, out, err) == (0, "", f"bpf-load: map {maps['colours']} is gone\n")
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
