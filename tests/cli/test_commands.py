"""The commands as a user types them: what they print, their JSON, their exit status."""

import os
import struct
import subprocess
import sys

import pytest

from tests.small_objects import counter, unsafe
from toolchain.cli.pin_command import tree_lines
from toolchain.isa.map_types import MapType
from toolchain.loader.captures import CaptureWriter, Packet, read_capture
from toolchain.spec.runtime import PinEntry

ZERO = ["0", "0", "0", "0"]


def test_the_main_job(bpf_load, written, pins):
    first = bpf_load("--json", "load", written(counter()), "--pin", "ingress").json
    assert first["schema"] == "bpf-load.load/1"
    assert first["runtime"] == "user"
    (program,), (acc,) = first["programs"], first["maps"]
    assert (program["section"], program["program"], program["pin"]) == ("tc", "count", "ingress")
    assert (acc["name"], acc["pin"], acc["reused"]) == ("acc", "tc/globals/acc", False)
    second = bpf_load("--json", "load", written(counter()), "--pin", "egress").json
    assert second["maps"] == [{**acc, "reused": True}]
    assert pins() == {
        "ingress": ("prog", program["id"]),
        "egress": ("prog", second["programs"][0]["id"]),
        "tc/globals/acc": ("map", acc["id"]),
    }
    assert bpf_load("run", "ingress").status == bpf_load("run", "egress").status == 0
    entries = bpf_load("--json", "map", "dump", "tc/globals/acc").json["entries"]
    assert entries[0] == {"key": ["0x00"] * 4, "value": ["0x02"] + ["0x00"] * 15}
    assert len(entries) == 8


def test_load_says_what_it_did(bpf_load, written):
    outcome = bpf_load("load", written(counter()))
    assert outcome.out.splitlines() == [
        "program count: sched_cls, id 1, not pinned: gone when this command ends",
        "map acc: array, id 1, created, pinned at tc/globals/acc",
    ]


def test_global_options_stand_before_and_after(bpf_load, written, tmp_path):
    path = written(counter())
    for arguments in (("--json", "inspect", path), ("inspect", "--json", path), ("inspect", path, "--json")):
        assert bpf_load(*arguments).json["schema"] == "bpf-load.inspect/1"
    other = tmp_path / "other"
    assert bpf_load("load", path, "--pin-root", other, "--pin", "x").status == 0
    assert bpf_load("--pin-root", other, "pin", "tree").out.splitlines()[0] == str(other)
    assert not bpf_load("--json", "pin", "tree").json["pins"]
    outcome = bpf_load("-v", "-r", "auto", "map", "show")
    assert "bpf-load: user runtime, pins in " in outcome.err


def test_inspect(bpf_load, written):
    document = bpf_load("--json", "inspect", written(counter())).json
    assert document["licence"] == "GPL"
    assert [each["name"] for each in document["sections"]][:3] == ["tc", "maps", "license"]
    assert document["programs"][0]["type"] == "sched_cls"
    assert document["programs"][0]["insns"] == 11
    record = document["maps"][0]
    assert (record["type"], record["style"], record["pinning"], record["bytes_value"]) == (
        "array",
        "classic",
        "global",
        16,
    )
    assert document["relocations"] == [{"section": "tc", "offset": 24, "type": "R_BPF_64_64", "symbol": "acc"}]
    text = bpf_load("inspect", written(counter())).out
    assert "licence: GPL" in text
    assert "count  tc       sched_cls  11" in text


def test_verify_many(bpf_load, written):
    good, bad, broken = written(counter(), "good.o"), written(unsafe(), "bad.o"), written(b"", "broken.o")
    untyped = written(counter(section="mine"), "untyped.o")
    document = bpf_load("--json", "verify", good, bad, broken, untyped).json
    assert document["schema"] == "bpf-load.verify/1"
    rows = {os.path.basename(row["file"]): row for row in document["programs"]}
    assert {name: (row["verdict"], row["stage"]) for name, row in rows.items()} == {
        "good.o": ("accept", "verifier"),
        "bad.o": ("reject", "verifier"),
        "broken.o": ("reject", "open"),
        "untyped.o": ("unsupported", "reloc"),
    }
    assert rows["good.o"]["processed"] > 0
    assert rows["good.o"]["insns"] == 11
    assert set(rows["bad.o"]) >= {"section", "program", "message", "insn", "insns", "processed", "usec"}
    assert "program" not in rows["broken.o"]
    statuses = [
        (3, (good, bad, broken)),
        (3, (broken, bad)),
        (1, (good, broken)),
        (1, (untyped,)),
        (0, (good,)),
        (0, (untyped, "--type", "tc")),
    ]
    for status, arguments in statuses:
        assert bpf_load("verify", *arguments).status == status, arguments


def test_a_rejection_is_explained_on_demand(bpf_load, written):
    path = written(unsafe())
    outcome = bpf_load("verify", "--explain", path)
    assert outcome.status == 3
    assert outcome.err.startswith(f"{path}: error: count: insn 7: ")
    assert "how R0 came to be:" in outcome.err
    assert "verifier log" not in outcome.err
    explanation = bpf_load("--json", "verify", "--explain", path).json["programs"][0]["explanation"]
    assert explanation["insn"] == 7
    assert explanation["history"]
    assert f"bpf-load verify --explain {path}" in bpf_load("load", path).err
    assert "explanation" not in bpf_load("--json", "verify", "--explain", written(counter())).json["programs"][0]


def test_verify_leaves_no_trace(bpf_load, written, pin_root):
    assert bpf_load("verify", written(counter())).status == 0
    assert not os.path.exists(pin_root)


def test_the_whole_log_of_a_rejection_is_shown_on_demand(bpf_load, written):
    path = written(unsafe(maps=4))
    outcome = bpf_load("verify", "--log-level", "2", path)
    log = bpf_load("--json", "verify", "--log-level", "2", path).json["programs"][0]["log"]
    assert outcome.status == 3
    assert outcome.out.splitlines()[: len(log)] == log
    assert log[-1].startswith("processed ")
    assert ": error: R0 invalid mem access 'map_value_or_null'" in outcome.err


def test_the_log_is_shown_on_demand(bpf_load, written):
    outcome = bpf_load("verify", "--log-level", "2", written(counter()))
    assert "(85) call bpf_map_lookup_elem#1" in outcome.out
    rows = bpf_load("--json", "verify", "--log-level", "2", written(counter())).json["programs"]
    assert any("call bpf_map_lookup_elem#1" in line for line in rows[0]["log"])


def test_run_an_object_leaves_no_trace_and_shows_what_changed(bpf_load, written, pins):
    outcome = bpf_load("run", written(counter(returns=2)))
    assert outcome.out.splitlines() == [
        "returned 2 (TC_ACT_SHOT)",
        "packet unchanged: 64 bytes",
        "map acc: 1 entry changed",
        f"  0: {' '.join(['00'] * 16)} (0 0) -> 01{' 00' * 15} (1 0)",
    ]
    assert pins() == {}
    assert not bpf_load("map", "show").out


@pytest.mark.parametrize("option", [("-p", "count"), ("-s", "tc"), ("--type", "tc"), ("--map", "acc=other")])
def test_a_pinned_program_is_not_chosen_again(bpf_load, written, option):
    assert bpf_load("load", written(counter()), "--pin", "one").status == 0
    outcome = bpf_load("run", "one", *option)
    assert outcome.status == 2
    assert "is for object files; this is a pin" in outcome.err


def test_a_packet_that_cannot_run_is_named(bpf_load, written, tmp_path):
    capture = tmp_path / "short.pcap"
    record = [struct.pack("<IIII", 1, 1, size, size) + bytes(size) for size in (64, 5, 64)]
    capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000") + b"".join(record))
    outcome = bpf_load("run", written(counter()), "--pcap", capture)
    assert outcome.status == 1
    assert outcome.err.startswith(f"{capture}: error: packet 2: packet size: 5 (")


def test_run_as_json(bpf_load, written):
    document = bpf_load("--json", "run", written(counter()), "--packet", "00" * 20).json
    assert document["schema"] == "bpf-load.run/1"
    (row,) = document["runs"]
    assert (row["retval"], row["data_out"]) == (0, "00" * 20)
    (acc,) = document["maps"]
    assert acc["changes"] == [{"key": "00000000", "before": "00" * 16, "after": "01" + "00" * 15}]


def test_run_uses_pinned_maps(bpf_load, written):
    assert bpf_load("load", written(counter())).status == 0
    assert bpf_load("run", written(counter())).status == 0
    assert bpf_load("run", written(counter()), "--map", "acc=tc/globals/acc").status == 0
    assert bpf_load("map", "lookup", "tc/globals/acc", "0").out == f"0: 02{' 00' * 15} (2 0)\n"


def test_packets_from_files(bpf_load, written, tmp_path):
    raw = written(bytes(30), "packet")
    assert "packet unchanged: 30 bytes" in bpf_load("run", written(counter()), "--packet", f"@{raw}").out
    spaced = bpf_load("run", written(counter()), "--packet", "0x" + "00:11 " * 10)
    assert "packet unchanged: 20 bytes" in spaced.out
    assert bpf_load("run", written(counter()), "--packet", "@/missing").status == 1
    assert bpf_load("run", written(counter()), "--pcap", raw).status == 1


def _capture(path, link_type=1, count=5):
    with CaptureWriter(str(path), link_type) as writer:
        for index in range(count):
            writer.write(Packet(bytes([index]) * 60, index * 1_000_000_000 + 5))
    return path


def test_a_capture(bpf_load, written, tmp_path):
    capture, out = _capture(tmp_path / "in.pcap"), tmp_path / "out.pcap"
    outcome = bpf_load("run", written(counter()), "--pcap", capture, "--write-pcap", out)
    assert outcome.out.splitlines()[:2] == ["5 packets, 0 of them changed", "         5 returned 0 (TC_ACT_OK)"]
    assert list(read_capture(str(out))) == list(read_capture(str(capture)))
    dropped = bpf_load("run", written(counter(returns=2)), "--pcap", capture, "--write-pcap", out)
    assert dropped.status == 0
    assert list(read_capture(str(out))) == []
    assert len(bpf_load("--json", "run", written(counter()), "--pcap", capture).json["runs"]) == 5
    assert bpf_load("run", written(counter()), "-v", "--pcap", capture).out.count("packet ") == 5
    cooked = bpf_load("run", written(counter()), "--pcap", _capture(tmp_path / "sll.pcap", 113))
    assert cooked.status == 1
    assert "link type 113 (1)" in cooked.err
    assert bpf_load("run", written(counter()), "--pcap", capture, "--write-pcap", capture).status == 2
    assert len(list(read_capture(str(capture)))) == 5


@pytest.mark.parametrize(
    ("returns", "expected", "status"),
    [(0, "0", 0), (0, "ok", 0), (0, "TC_ACT_OK", 0), (2, "shot", 0), (-1, "-1", 0), (-1, "unspec", 0),
     (-1, "0xffffffff", 0), (2, "0", 6), (0, "nonsense", 2), (0, "0x100000000", 2)],
)  # fmt: skip
def test_expectations(bpf_load, written, returns, expected, status):
    outcome = bpf_load("run", written(counter(returns=returns)), "--expect", expected)
    assert outcome.status == status, outcome
    if status == 6:
        assert "count: returned 2 (TC_ACT_SHOT)" in outcome.err
        assert "0 (TC_ACT_OK)" in outcome.err


def test_an_expectation_that_fails_still_shows_the_run(bpf_load, written):
    outcome = bpf_load("run", written(counter()), "--expect", "1")
    assert "returned 0" in outcome.out
    assert outcome.status == 6
    outcome = bpf_load("--json", "run", written(counter()), "--expect", "1")
    assert outcome.status == 6
    assert outcome.json["code"] == "expectation"
    assert outcome.json["runs"]


def test_a_pin_goes_before_a_file_of_the_same_name(bpf_load, written, tmp_path, monkeypatch):
    assert bpf_load("load", written(counter(returns=2)), "--pin", "same").status == 0
    written(counter(returns=1), "same")
    monkeypatch.chdir(tmp_path)
    assert bpf_load("run", "same", "--expect", "2").status == 0
    assert bpf_load("run", "./same", "--expect", "1").status == 0
    assert bpf_load("run", tmp_path / "same", "--expect", "1").status == 0


def test_repeat(bpf_load, written):
    outcome = bpf_load("run", written(counter()), "--repeat", "100")
    assert " ns a run" in outcome.out
    assert "64 00 00" in outcome.out


def test_several_programs_to_run_are_asked_about(bpf_load):
    path = os.path.join(os.path.dirname(__file__), "../data/obj/classic.o")
    outcome = bpf_load("run", path)
    if outcome.status != 0:
        assert outcome.status in (2, 5)
        assert "--program" in outcome.err or "not supported" in outcome.err


def test_what_a_pin_is_not(bpf_load, written):
    assert bpf_load("load", written(counter()), "--pin", "one").status == 0
    assert "pinned here is no program but a map" in bpf_load("run", "tc/globals/acc").err
    assert "pinned here is no map but a program" in bpf_load("map", "dump", "one").err
    assert "pinned here is no program but a map" in bpf_load("prog", "show", "tc/globals/acc").err


@pytest.fixture
def acc(bpf_load, written):
    assert bpf_load("load", written(counter(map_type=MapType.HASH, value_size=8)), "--pin", "one").status == 0
    return "tc/globals/acc"


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["1", "2"], 1, 2),
        (["key", "1", "value", "2"], 1, 2),
        (["key", "1", "0", "0", "0", "value", "2"], 1, 2),
        (["key", "hex", "0a", "0", "0", "1", "value", "hex", "02", "0", "0", "0", "0", "0", "0", "0"], 0x0100000A, 2),
        (["key", "hex", "0a000001", "value", "0x10"], 0x0100000A, 0x10),
        (["0a:00:00:01", "7", "noexist"], 0x0100000A, 7),
        (["1", "1", "2", "any"], None, None),
        (["key", "1", "value", "1", "2"], 1, 1 | 2 << 32),
        (["--", "-1", "-2"], 0xFFFFFFFF, (1 << 64) - 2),
    ],
)
def test_keys_and_values(bpf_load, acc, words, key, value):
    outcome = bpf_load("map", "update", acc, *words)
    if key is None:
        assert outcome.status == 2
        return
    assert outcome.status == 0, outcome
    entry = bpf_load("--json", "map", "lookup", acc, "key", key).json
    assert bytes(int(each, 16) for each in entry["value"]) == struct.pack("=Q", value)


@pytest.mark.parametrize(
    "words",
    [["1"], [], ["key", "1", "value"], ["key", "x", "value", "1"], ["1", "0x10000000000000000"], ["4294967296", "1"],
     ["key", "1", "2", "3", "value", "1"], ["key", "hex", "zz", "value", "1"], ["key", "hex", "0011", "value", "1"]],
    ids=" ".join,
)  # fmt: skip
def test_keys_and_values_that_cannot_be_meant(bpf_load, acc, words):
    outcome = bpf_load("map", "update", acc, *words)
    assert outcome.status == 2, outcome


def test_map_operations_and_their_errnos(bpf_load, acc):
    for reference in (("id", "1"), ("name", "acc"), ("pinned", acc), (acc,)):
        assert bpf_load("map", "update", *reference, "key", "5", "value", "6").status == 0
    assert "EEXIST" in bpf_load("map", "update", acc, "5", "6", "noexist").err
    assert "ENOENT" in bpf_load("map", "update", acc, "9", "6", "exist").err
    assert bpf_load("map", "next", acc).out == "5\n"
    assert bpf_load("--json", "map", "next", acc).json["next_key"] == ["0x05", "0x00", "0x00", "0x00"]
    last = bpf_load("map", "next", acc, "5")
    assert last.status == 1
    assert "ENOENT" in last.err
    assert bpf_load("map", "dump", acc).out.splitlines() == ["5: 6", "1 entry"]
    assert bpf_load("map", "delete", acc, "5").status == 0
    assert "ENOENT" in bpf_load("map", "delete", acc, "5").err
    missing = bpf_load("--json", "map", "lookup", acc, "5")
    assert missing.status == 1
    assert missing.json["errno"] == 2
    assert bpf_load("map", "dump", acc).out == "0 entries\n"


def test_map_show(bpf_load, acc, pin_root):
    line = "map 1: hash acc, 4-byte keys, 8-byte values, 8 entries, pinned at tc/globals/acc, used by prog 1\n"
    assert bpf_load("map", "show").out == bpf_load("map", "show", acc).out == line
    assert bpf_load("map", "show", os.path.join(pin_root, acc)).out == line
    document = bpf_load("--json", "map", "show", "id", "1").json
    assert document["map"]["pinned"] == [acc]
    keys = {"id", "type", "name", "flags", "bytes_key", "bytes_value", "max_entries"}
    assert keys <= set(document["map"])
    assert bpf_load("--json", "map", "show").json["maps"] == [document["map"]]


def test_what_is_not_there(bpf_load, acc):
    for words in (("id", "99"), ("name", "nobody"), ("pinned", "nowhere"), ("nowhere",)):
        assert bpf_load("map", "show", *words).status == 1
        assert bpf_load("prog", "show", *words).status == 1
    assert bpf_load("map", "show", acc, "surplus").status == 2
    assert "hint: pinned under this name: tc/globals/acc" in bpf_load("map", "dump", "acc").err
    assert "hint: 'bpf-load pin tree' lists the pins" in bpf_load("run", "nobody").err


def test_a_name_that_several_maps_have(bpf_load, written):
    for pin in ("one", "two"):
        assert bpf_load("load", written(counter()), "--map", f"acc={pin}").status == 0
    outcome = bpf_load("map", "dump", "name", "acc")
    assert outcome.status == 1
    assert "several have the name acc: ids 1, 2" in outcome.err
    assert "id 1" in outcome.err


def test_per_cpu_values(bpf_load, written):
    path = written(counter(map_type=MapType.PERCPU_ARRAY, value_size=12))
    assert bpf_load("load", path, "--pin", "one").status == 0
    acc = "tc/globals/acc"
    assert bpf_load("map", "update", acc, "key", "1", "value", "hex", "07" * 12).status == 0
    entry = bpf_load("--json", "map", "lookup", acc, "1").json
    assert "value" not in entry
    assert [each["cpu"] for each in entry["values"]] == list(range(len(entry["values"])))
    assert all(each["value"] == ["0x07"] * 12 for each in entry["values"])
    assert bpf_load("map", "lookup", acc, "0").out == "0: zero on every CPU\n"
    assert bpf_load("run", "one").status == 0
    assert bpf_load("map", "lookup", acc, "0").out.startswith("0: cpu")


def test_prog_show(bpf_load, acc):
    document = bpf_load("--json", "prog", "show", "one").json["program"]
    assert document["type"] == "sched_cls"
    assert document["name"] == "count"
    assert document["map_ids"] == [1]
    assert document["pinned"] == ["one"]
    assert len(document["tag"]) == 16
    text = bpf_load("prog", "show").out
    assert text == f"prog 1: sched_cls count, tag {document['tag']}, 11 insns, maps 1, pinned at one\n"
    assert bpf_load("prog", "show", "name", "count").out == text


def test_pin_tree_and_rm(bpf_load, acc, pin_root):
    listed = {each["path"]: each for each in bpf_load("--json", "pin", "tree").json["pins"]}
    assert {path: (each["kind"], each["id"], each["name"]) for path, each in listed.items()} == {
        "one": ("prog", 1, "count"), acc: ("map", 1, "acc")
    }  # fmt: skip
    one, shared = (listed[path]["bytes_memlock"] for path in ("one", acc))
    assert shared == 12 << 10
    assert bpf_load("pin", "tree").out.splitlines() == [
        pin_root, f"├── one  prog 1 count, {one} B", "└── tc/", "    └── globals/", "        └── acc  map 1, 12 KiB",
    ]  # fmt: skip
    assert [each["path"] for each in bpf_load("--json", "pin", "tree", "tc").json["pins"]] == [acc]
    outcome = bpf_load("pin", "rm", "nowhere", acc, "neither")
    assert outcome.status == 1
    assert outcome.err.count("ENOENT") == 2
    assert bpf_load("map", "show").out.startswith("map 1: hash acc"), "the program still holds its map"
    assert bpf_load("pin", "rm", os.path.join(pin_root, "one")).status == 0
    assert not bpf_load("map", "show").out
    assert not bpf_load("prog", "show").out


def test_a_picture_of_any_tree():
    rows = [(PinEntry(path, "map", 1, size=size), "") for path, size in (("a/b/c", 0), ("a-b", 9_999), ("a/d", 10_240))]
    assert list(tree_lines(rows)) == [
        "├── a/", "│   ├── b/", "│   │   └── c  map 1", "│   └── d  map 1, 10 KiB", "└── a-b  map 1, 9999 B"
    ]  # fmt: skip
    deep = "/".join("d" * 2000)
    assert len(list(tree_lines([(PinEntry(deep, "map", 1, size=1 << 40), "name")]))) == 2000
    control = list(tree_lines([(PinEntry("x\x1b[1m/y\x07", "map", 1), "z\n")]))
    assert control == ["└── x\\x1b[1m/", "    └── y\\x07  map 1 z\\x0a"]


def test_version_and_help(bpf_load):
    from toolchain import __version__

    assert bpf_load("--version").out.startswith(f"bpf-load {__version__} ")
    for command in ((), ("inspect",), ("verify",), ("load",), ("run",), ("map",), ("prog",), ("pin",), ("map", "dump"),
                    ("map", "update"), ("pin", "tree")):  # fmt: skip
        outcome = bpf_load(*command, "-h")
        assert outcome.status == 0
        assert outcome.out.startswith("Usage: bpf-load")


FORBIDDEN = ("lark", "elftools", "importlib.metadata", "asyncio", "logging", "http", "email", "ctypes", "cffi",
             "multiprocessing", "subprocess", "tempfile", "shutil", "random", "pathlib", "urllib", "difflib", "base64",
             "socket", "toolchain.asm", "toolchain.kernel", "toolchain.isa.forms", "toolchain.loader.captures",
             "toolchain.verifier.explain", "toolchain.verifier.rules", "toolchain.verifier.logpath")  # fmt: skip


def test_a_load_imports_only_what_it_needs(written, pin_root):
    code = (
        "import sys\nfrom toolchain.cli.bpf_load import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "--pin-root", pin_root, "load", written(counter()), "--pin", "p"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    loaded = set(done.stderr.split())
    assert "toolchain.verifier.verify" in loaded
    assert not [name for name in FORBIDDEN if name in loaded]
    assert not [name for name in loaded if name.startswith("toolchain.cli.") and name.endswith("_command")
                and name != "toolchain.cli.load_command"]  # fmt: skip


def test_control_characters_in_names_do_not_reach_the_terminal(bpf_load, written):
    path = written(counter(map_name="a\x1b[2Jb", pinning=0))
    for command in ("inspect", "load", "run"):
        outcome = bpf_load(command, path)
        assert "\x1b" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("m",), 2, "type is missing"),
        (("m", "type", "array", "key", "4", "value", "4"), 2, "entries is missing"),
        (("m", "type", "array", "key", "4", "value", "4", "entries"), 2, "entries takes a word"),
        (("m", "type", "array", "key", "4", "key", "4"), 2, "key is given twice"),
        (("m", "type", "arrow", "key", "4", "value", "4", "entries", "1"), 2, "unknown map type: arrow"),
        (("m", "type", "array", "key", "0x1ffffffff", "value", "4", "entries", "1"), 2, "key is no number"),
        (("m", "kind", "array"), 2, "unknown word: kind"),
        (("m", "type", "array", "key", "8", "value", "4", "entries", "1"), 1, "EINVAL"),
        (("m", "type", "ringbuf", "key", "0", "value", "0", "entries", "4096"), 5, "ringbuf"),
        (("m", "inner_map", "x"), 5, "map create inner_map"),
        (("one", "type", "array", "key", "4", "value", "4", "entries", "1"), 1, "EEXIST"),
        (("x.y", "type", "array", "key", "4", "value", "4", "entries", "1"), 1, "EPERM"),
    ],
)
def test_maps_that_cannot_be_made(bpf_load, acc, pins, words, status, text):
    before = pins()
    outcome = bpf_load("map", "create", *words)
    assert outcome.status == status, outcome
    assert text in outcome.err
    assert pins() == before


def test_map_create(bpf_load, pins):
    made = bpf_load("map", "create", "a/m", "type", "hash", "key", "4", "value", "0x8", "entries", "16", "flags", "1")
    assert (made.status, made.out) == (0, "map m: hash, id 1, pinned at a/m\n")
    shown = bpf_load("--json", "map", "show", "a/m").json["map"]
    assert (shown["type"], shown["bytes_value"], shown["max_entries"], shown["flags"]) == ("hash", 8, 16, 1)
    other = bpf_load("--json", "map", "create", "n", "name", "x", "type", "1", "key", "4", "value", "8", "entries", "2")
    assert other.json["map"] == {"id": 2, "type": "hash", "name": "x", "pinned": ["n"]}
    assert "map 'm': no such key: 07 00 00 00: ENOENT" in bpf_load("map", "lookup", "a/m", "7").err
    assert "map 'm': delete of key 07 00 00 00: ENOENT" in bpf_load("map", "delete", "a/m", "7").err
    assert "map 'm': update of key 07 00 00 00: ENOENT" in bpf_load("map", "update", "a/m", "7", "1", "exist").err
    assert "map 'm': no keys: ENOENT" in bpf_load("map", "next", "a/m").err


def test_an_object_of_another_kind_says_what_to_type(bpf_load, acc):
    assert bpf_load("attach", "one", "eth0", "ingress", "--pin", "l").status == 0
    for command, path, what, other in (
        ("map", "one", "no map but a program", "prog"), ("map", "l", "no map but a link", "link"),
        ("prog", acc, "no program but a map", "map"), ("prog", "l", "no program but a link", "link"),
        ("link", acc, "no link but a map", "map"), ("link", "one", "no link but a program", "prog"),
    ):  # fmt: skip
        outcome = bpf_load(command, "show", path)
        assert outcome.status == 1
        assert f"pinned here is {what}" in outcome.err
        assert f"hint: 'bpf-load {other} show {path}' shows it" in outcome.err
        assert bpf_load(other, "show", path).status == 0
