"""map export, map import, map resize and load --dry-run as commands."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.cli.conftest import bpf_load, written
from tests.small_objects import counter

__all__ = ["bpf_load", "written"]

PIN = "tc/globals/acc"
HEADER = {
    "schema": "bpf-load.map-export/1",
    "map": {"type": "array", "bytes_key": 4, "bytes_value": 16, "max_entries": 8},
    "types": {"key": "", "value": ""},
}


@pytest.fixture
def acc(bpf_load, written):
    """The map of tests/small_objects.py's counter, pinned, with something in two elements."""
    assert bpf_load("load", written(counter())).status == 0
    for key, byte in ((1, "0x11"), (6, "0x66")):
        assert bpf_load("map", "update", PIN, "key", key, "value", *[byte] * 16).status == 0
    return PIN


def lines(*entries, header=None, end=True):
    documents = [HEADER if header is None else header, *entries, *([{"entries": len(entries)}] if end else [])]
    return "".join(json.dumps(each) + "\n" for each in documents).encode()


def entry(key, value):
    return {"key": key.to_bytes(4, "little").hex(), "value": value.hex()}


def test_a_round_trip(bpf_load, acc, tmp_path):
    file = tmp_path / "acc.jsonl"
    before = bpf_load("--json", "map", "dump", acc).json["entries"]
    assert bpf_load("map", "export", acc, file).out == f"8 entries exported: {file}\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    for key in (1, 6):
        bpf_load("map", "update", acc, "key", key, "value", *["0"] * 16)
    assert bpf_load("map", "import", acc, file).out == f"8 entries imported: {file}\n"
    assert bpf_load("--json", "map", "dump", acc).json["entries"] == before
    assert bpf_load("--json", "map", "import", acc, file).json["entries"] == 8


def test_export_writes_lines_as_a_dump_has_them(bpf_load, acc):
    first, *rest, last = map(json.loads, bpf_load("map", "export", acc).out.splitlines())
    assert first["schema"] == "bpf-load.map-export/1"
    assert first["map"]["bytes_value"] == 16
    assert rest == bpf_load("--json", "map", "dump", acc).json["entries"]
    assert last == {"entries": 8}


def test_import_from_a_pipe(bpf_load, acc, monkeypatch):
    data = lines(entry(2, b"\7" * 16))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert bpf_load("map", "import", acc).out == "1 entry imported: <stdin>\n"
    assert bpf_load("map", "lookup", acc, 2).out.startswith("2: 07 07")
    assert bpf_load("map", "lookup", acc, 6).out.startswith("6: 66 66"), "what the file has not stays"


GOOD = entry(2, b"\7" * 16)
BAD = {
    "empty": (b"", 1, "not a JSON document"),
    "no end": (lines(GOOD, end=False), 1, "export without an end"),
    "another count": (lines(GOOD, end=False) + b'{"entries": 7}\n', 1, "1 entries before the last line, which says: 7"),
    "more after the end": (lines(GOOD) + b"{}\n", 1, "something after the last line"),
    "no JSON": (lines(GOOD, end=False) + b"{]\n", 1, ":3:1: error: not a JSON document"),
    "a list": (lines(GOOD, end=False) + b"[1]\n", 1, "not a JSON object"),
    "nested": (lines(end=False) + b'{"key": ' + b"[" * 100_000 + b"\n", 1, "not a JSON document"),
    "no UTF-8": (lines(end=False) + b'{"key": "\xff\xfe"}\n', 1, "not a JSON document"),
    "another schema": (lines(header={"schema": "x"}), 1, "not the header of an export"),
    "short key": (lines({**GOOD, "key": "00"}), 1, "key of 1 bytes (4)"),
    "no bytes": (lines({**GOOD, "value": [256]}), 1, "value is no list of bytes"),
    "words": (lines({**GOOD, "value": ["zz"] * 16}), 1, "value is no list of bytes"),
    "no value": (lines({"key": GOOD["key"]}), 1, "value is no list of bytes"),
    "fractions": (lines({**GOOD, "value": [1.5] * 16}), 1, "value is no list of bytes"),
    "huge numbers": (lines({**GOOD, "value": [1 << 4000]}), 1, "value is no list of bytes"),
    "no such element": (lines(GOOD, entry(8, b"\7" * 16)), 1, "no such element: 8 (0..7)"),
    "long line": (lines(GOOD, end=False) + b" " * (4 << 20), 1, "line too long"),
    "another size": (lines(header={**HEADER, "map": {**HEADER["map"], "bytes_value": 8}}), 4, "bytes_value"),
    "another kind": (lines(header={**HEADER, "map": {**HEADER["map"], "type": "lpm_trie"}}), 4, "type"),
    "per CPU": (lines(header={**HEADER, "map": {**HEADER["map"], "type": "percpu_array"}}), 4, "type"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_changes_nothing(bpf_load, acc, written, name):
    data, status, text = BAD[name]
    before = bpf_load("map", "dump", acc).out
    done = bpf_load("map", "import", acc, written(data, "in.jsonl"))
    assert (done.status, text in done.err) == (status, True), done
    assert bpf_load("map", "dump", acc).out == before
    assert bpf_load("--json", "map", "import", acc, written(data, "in.jsonl")).json["schema"] == "bpf-load.error/1"


def test_fields_that_lie_elsewhere_are_a_conflict(bpf_load, written, tmp_path):
    from tests.migrate.shapes import Shape
    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec
    from toolchain.vm import UserRuntime

    for pin, fields in (("one", [("a", "u32"), ("b", "u32")]), ("two", [("b", "u32"), ("a", "u32")])):
        shape = Shape(fields)
        runtime = UserRuntime()
        with runtime.map_create(
            MapSpec("m", MapType.ARRAY, 4, 8, 1, value_type_id=shape.type_id), shape.btf.encode()
        ) as m:
            runtime.pin(m, pin)
        runtime.close()
    assert bpf_load("map", "export", "one", tmp_path / "x").status == 0
    done = bpf_load("map", "import", "two", tmp_path / "x")
    assert done.status == 4
    assert "declared {a: int32 @0, b: int32 @4}, pinned {b: int32 @0, a: int32 @4}" in done.err
    assert bpf_load("map", "import", "one", tmp_path / "x").status == 0


def test_per_cpu_values(bpf_load, tmp_path):
    from toolchain.isa.map_types import MapType
    from toolchain.spec.maps import MapSpec
    from toolchain.vm import UserRuntime

    runtime = UserRuntime()
    with runtime.map_create(MapSpec("m", MapType.PERCPU_ARRAY, 4, 4, 2)) as handle:
        size = len(handle.lookup(bytes(4)))
        value = b"".join(number.to_bytes(8, "little") for number in range(1, size // 8 + 1))
        handle.update(bytes(4), value)
        runtime.pin(handle, "m")
        assert bpf_load("map", "export", "m", tmp_path / "x").status == 0
        handle.update(bytes(4), bytes(size))
        assert bpf_load("map", "import", "m", tmp_path / "x").status == 0
        assert handle.lookup(bytes(4)) == value
    runtime.close()


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["export"], 2, "no map named"),
        (["export", PIN, "a", "b"], 2, "unexpected word: b"),
        (["export", PIN, "/nowhere/x"], 1, "cannot write: No such file"),
        (["export", PIN, "/"], 1, "cannot write: Is a directory"),
        (["import", PIN, "/nowhere/x"], 1, "cannot read: No such file"),
        (["import", PIN, "/"], 1, "cannot read: Is a directory"),
        (["export", "tc/globals/none"], 1, "ENOENT"),
        (["resize", PIN], 2, "takes a map and a number"),
        (["resize", PIN, "0"], 2, "no number of elements: 0"),
        (["resize", PIN, "many"], 2, "no number of elements: many"),
        (["resize", PIN, "99999999999"], 2, "no number of elements"),
        (["resize", PIN, "4294967295"], 1, "cannot create map"),
        (["resize", PIN, "4"], 4, "no such element in the new map: 6 (0..3)"),
    ],
)
def test_words_that_cannot_be_meant(bpf_load, acc, words, status, text):
    done = bpf_load("map", *words)
    assert (done.status, text in done.err) == (status, True), done


def test_resize_as_a_command(bpf_load, acc):
    done = bpf_load("--json", "map", "resize", acc, 32)
    assert (done.status, done.json["max_entries"], done.json["migrated"]["entries"]) == (0, 32, 2)
    assert bpf_load("--json", "map", "show", acc).json["map"]["max_entries"] == 32
    assert bpf_load("map", "resize", acc, 32).out.endswith("has 32 entries already\n")
    plan = bpf_load("--json", "map", "resize", acc, 4, "--dry-run")
    assert (plan.status, plan.json["schema"], plan.json["refused"]) == (4, "bpf-load.plan/1", True)
    assert bpf_load("map", "resize", acc, 4, "--dry-run", "--lossy").status == 0
    lossy = bpf_load("--json", "map", "resize", acc, 4, "--lossy").json["migrated"]
    assert (lossy["entries"], lossy["left_out"]) == (1, 1)
    assert bpf_load("map", "lookup", acc, 1).out.startswith("1: 11 11")


def test_load_dry_run_as_a_command(bpf_load, acc, written):
    larger = written(counter(max_entries=12), "b.o")
    refused = bpf_load("load", larger)
    assert refused.status == 4
    assert "--on-mismatch migrate" in refused.err
    plan = bpf_load("--json", "load", larger, "--on-mismatch", "migrate", "--dry-run")
    assert (plan.status, plan.json["maps"][0]["action"], plan.json["maps"][0]["entries"]) == (0, "migrate", 2)
    text = bpf_load("load", larger, "--on-mismatch", "migrate", "--dry-run").out
    assert "max_entries: 8 -> 12\n    2 entries to carry over\n" in text
    assert bpf_load("--json", "map", "show", acc).json["map"]["max_entries"] == 8
    done = bpf_load("--json", "load", larger, "--on-mismatch", "migrate")
    assert done.json["maps"][0]["migrated"]["entries"] == 2
    assert bpf_load("load", larger, "--lossy").status == 2
