"""map watch: changes as they happen, on a map that others write to."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.small_objects import counter
from toolchain.cli import map_watch
from toolchain.errors import ToolchainError
from toolchain.isa.map_types import MapType
from toolchain.spec.maps import MapSpec
from toolchain.vm import UserRuntime


@pytest.fixture
def shared(bpf_load, pin_root):
    """A hash map pinned as m: one word to eight bytes."""
    runtime = UserRuntime(pin_root)
    with runtime.map_create(MapSpec("m", MapType.HASH, 4, 8, 16)) as made:
        runtime.pin(made, "m")
        made[b"\1\0\0\0"] = bytes(8)
        yield made


@pytest.fixture
def watching(bpf_load):
    """A function that starts a watch and gives the process; ended with the test, whatever happens."""
    started = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "toolchain.cli.bpf_load", "map", "watch", *words, "--interval", "0.005"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(running)
        guard = threading.Timer(60, running.kill)
        guard.daemon = True
        guard.start()
        return running

    yield start
    for each in started:
        with contextlib.suppress(ValueError):
            each.kill()
            each.communicate()


def seen(running) -> dict:
    return json.loads(running.stdout.readline())


def test_what_others_do_is_seen(shared, watching):
    running = watching("m", "--initial")
    first = seen(running)
    assert (first["event"], first["key"], first["old"]) == ("initial", ["0x01", "0x00", "0x00", "0x00"], None)
    assert first["schema"] == "bpf-load.map-watch/1"
    shared[b"\1\0\0\0"] = b"\7" + bytes(7)
    changed = seen(running)
    assert (changed["event"], changed["old"][0], changed["new"][0]) == ("update", "0x00", "0x07")
    shared[b"\2\0\0\0"] = b"\3" * 8
    inserted = seen(running)
    assert (inserted["event"], inserted["old"], inserted["new"]) == ("insert", None, ["0x03"] * 8)
    del shared[b"\2\0\0\0"]
    gone = seen(running)
    assert (gone["event"], gone["new"], gone["old"]) == ("delete", None, ["0x03"] * 8)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (130, "bpf-load: interrupted\n")


def test_one_key_and_a_count(shared, watching):
    running = watching("m", "key", "1", "--count", "2", "--initial")
    assert seen(running)["event"] == "initial"
    shared[b"\2\0\0\0"] = bytes(8)
    shared[b"\1\0\0\0"] = b"\1" * 8
    assert seen(running)["new"] == ["0x01"] * 8
    del shared[b"\1\0\0\0"]
    assert seen(running)["event"] == "delete"
    assert running.wait(30) == 0
    assert running.stdout.read() == ""


def test_it_ends_with_the_map(shared, watching, bpf_load, pin_root):
    running = watching("m", "--initial")
    assert seen(running)["event"] == "initial"
    assert bpf_load("pin", "rm", "m").status == 0
    shared.close()
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (0, "", "bpf-load: map 1 is gone\n")
    assert list(UserRuntime(pin_root).map_ids()) == []


def test_it_ends_with_its_reader(shared, watching):
    running = watching("m", "--initial")
    assert seen(running)["event"] == "initial"
    running.stdout.close()
    assert running.wait(30) == 141, "as one whom SIGPIPE ended, though nothing changed"
    running.stdout = None


def test_values_by_type(bpf_load, written, watching):
    path = written(counter())
    assert bpf_load("load", path, "--pin", "p").status == 0
    running = watching("tc/globals/acc", "--initial", "--count", "1")
    keys = [seen(running) for _ in range(8)]
    assert all(each["event"] == "initial" for each in keys)
    assert bpf_load("run", "p", "--packet", "00" * 64).status == 0
    changed = seen(running)
    assert (changed["event"], len(changed["new"])) == ("update", 16)
    assert running.wait(30) == 0


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("m", "--interval", "0"), 2, "interval"),
        (("m", "--count", "0"), 2, "count"),
        (("m", "key"), 2, "no key given"),
        (("m", "1", "2", "3"), 2, "key takes 4 bytes"),
        (("nothing",), 1, "ENOENT"),
        ((), 2, "no map named"),
    ],
)
def test_refusals(shared, bpf_load, words, status, text):
    outcome = bpf_load("map", "watch", *words)
    assert outcome.status == status, outcome
    assert text in outcome.err


def test_an_element_that_a_look_misses_is_not_called_gone(shared):
    """A map whose walk leaves out an element that is there."""

    class Forgetful:
        def __init__(self, left_out):
            self.left_out = left_out

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def items(self):
            return [(key, value) for key, value in {b"a": b"1", b"b": b"2"}.items() if key not in self.left_out]

        def lookup(self, key):
            return {b"a": b"1", b"b": b"3"}.get(key)

    looks = iter([Forgetful(b""), Forgetful(b"ab"), Forgetful(b"a"), None])
    assert list(map_watch.changes(lambda: next(looks), None, False, 0.0)) == [
        ("update", b"b", b"2", b"3"), ("update", b"b", b"3", b"2")
    ]  # fmt: skip


def test_a_map_too_large_says_so(shared, monkeypatch):
    monkeypatch.setattr(map_watch, "MEMORY_LIMIT", 300)
    shared[b"\2\0\0\0"] = bytes(8)
    with pytest.raises(ToolchainError, match="too large") as refused:
        list(map_watch._entries(shared, None))
    assert refused.value.hint == "watch one key"
    assert list(map_watch._entries(shared, b"\2\0\0\0")) == [(b"\2\0\0\0", bytes(8))]


def test_text_on_a_terminal(shared, pin_root):
    main, side = os.openpty()
    environment = {**os.environ, "BPF_PIN_ROOT": pin_root}
    command = [sys.executable, "-m", "toolchain.cli.bpf_load", "map", "watch", "m", "--initial", "--count", "1"]
    with subprocess.Popen([*command, "--interval", "0.005"], stdout=side, env=environment) as running:
        os.close(side)
        text = b""
        while b"\n" not in text:
            text += os.read(main, 100)
        shared[b"\1\0\0\0"] = b"\5" + bytes(7)
        running.wait(60)
        text += os.read(main, 100)
    os.close(main)
    assert text == b"1: 0\r\n1: 0 -> 5\r\n"
