"""attach, detach, replace, link and replay on the user runtime, as one would type them."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from toolchain.asm import assemble_text
from toolchain.elf.writer import write
from toolchain.loader.captures import CaptureWriter, Packet, read_capture

PROGRAMS = """
.section tc_{name},"ax",@progbits
.globl {name}
.type {name}, @function
{name}:
{text}
.size {name}, .-{name}
.section license,"aw",@progbits
.asciz "GPL"
"""
TEXTS = {
    "next": "r0 = -1\nexit",
    "drop": "r0 = 2\nexit",
    "ok": "r0 = 0\nexit",
    "odd": "r0 = 3\nexit",
    "mark": "r2 = 7\n*(u32 *)(r1 + 8) = r2\nr2 = 9\n*(u32 *)(r1 + 52) = r2\nr0 = -1\nexit",
    "marked": "r0 = *(u32 *)(r1 + 8)\nr2 = *(u32 *)(r1 + 52)\nr0 += r2\nexit",
}


@pytest.fixture
def obj(written):
    """A function that gives the path of an object with one program."""

    def make(name: str, section: str = "tc") -> str:
        text = PROGRAMS.format(name=name, text=TEXTS.get(name, "r0 = 2\nexit")).replace(f"tc_{name}", section)
        return written(write(assemble_text(text, f"{name}.s")), f"{name}.o")

    return make


@pytest.fixture
def capture(tmp_path):
    path = str(tmp_path / "in.pcap")
    with CaptureWriter(path) as writer:
        for number in range(10):
            writer.write(Packet(bytes([number]) * 64, number))
    return path


def verdicts(outcome) -> dict[int, int]:
    assert outcome.status == 0, outcome
    return {each["retval"]: each["packets"] for each in outcome.json["verdicts"]}


def test_a_session(bpf_load, obj, pins, capture):
    assert bpf_load("attach", obj("next"), "eth0", "ingress", "--pin", "links/a").status == 0
    assert bpf_load("attach", obj("drop"), "eth0", "ingress", "--pin", "links/b", "--before", "links/a").status == 0
    shown = bpf_load("link", "show", "eth0", "ingress")
    assert shown.out.splitlines() == ["eth0 ingress: revision 3", "  prog 2, link 2", "  prog 1, link 1"]
    assert verdicts(bpf_load("--json", "replay", "eth0", "ingress", "--pcap", capture)) == {2: 10}
    replaced = bpf_load("--json", "replace", obj("ok"), "links/b")
    assert replaced.json["link"]["prog_id"] == 3
    assert verdicts(bpf_load("--json", "replay", "eth0", "ingress", "--pcap", capture)) == {0: 10}
    assert bpf_load("detach", "links/b").status == 0
    assert verdicts(bpf_load("--json", "replay", "eth0", "ingress", "--pcap", capture)) == {-1: 10}
    assert sorted(pins()) == ["links/a"]
    row = bpf_load("--json", "link", "show", "links/a").json["link"]
    assert row == {"id": 1, "type": "tcx", "prog_id": 1, "devname": "eth0", "attach_type": "tcx_ingress",
                   "pinned": ["links/a"], "pids": []}  # fmt: skip
    assert bpf_load("link", "detach", "links/a").status == 0
    assert "defunct" in bpf_load("link", "show").out
    assert bpf_load("pin", "rm", "links/a").status == 0
    assert bpf_load("--json", "link", "show").json["links"] == []
    assert bpf_load("link", "show", "eth0", "ingress").out == "eth0 ingress: revision 1\n"


def test_a_link_without_pin_ends_with_the_command(bpf_load, obj):
    outcome = bpf_load("attach", obj("drop"), "eth0", "egress")
    assert outcome.status == 0
    assert "neither pinned nor held" in outcome.err
    assert bpf_load("link", "show", "eth0", "egress").out == "eth0 egress: revision 1\n"


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("attach", "{drop}", "eth0", "sideways"), 1, "EINVAL"),
        (("attach", "{drop}", "a/b", "ingress"), 1, "ENODEV"),
        (("attach", "{drop}", "eth0", "xdp"), 1, "EINVAL"),
        (("attach", "a", "eth0", "ingress"), 1, "EEXIST"),
        (("attach", "{drop}", "eth0", "ingress", "--pin", "a"), 1, "EEXIST"),
        (("attach", "{drop}", "eth0", "ingress", "--pin", "a.b"), 1, "EPERM"),
        (("attach", "{drop}", "eth0", "ingress", "--revision", "9"), 1, "ESTALE"),
        (("attach", "{drop}", "eth0", "ingress", "--before", "prog:77"), 1, "ENOENT"),
        (("attach", "{drop}", "eth0", "ingress", "--priority", "3"), 1, "EINVAL"),
        (("attach", "{drop}", "eth0", "ingress", "--netlink"), 5, "netlink in the user runtime"),
        (("replace", "{drop}", "eth0", "egress"), 1, "ENOENT"),
        (("replace", "{drop}", "id", "99"), 1, "ENOENT"),
        (("replace", "{xdp}", "a"), 1, "EINVAL"),
        (("replace", "{drop}", "a", "--expect-old", "prog:99"), 1, "ENOENT"),
        (("detach", "eth0", "egress"), 1, "ENOENT"),
        (("detach", "nothing"), 1, "ENOENT"),
        (("link", "show", "eth0", "sideways"), 2, "no hook"),
        (("link", "show", "p"), 1, "no link but a program"),
        (("replay", "eth0", "sideways", "--pcap", "x"), 2, "no hook"),
        (("replay", "a/b", "ingress", "--pcap", "{pcap}"), 1, "ENODEV"),
        (("replay", "eth0", "ingress", "--pcap", "/nowhere"), 1, "cannot read"),
        (("replay", "eth0", "ingress", "--pcap", "{pcap}", "--write-pcap", "{pcap}"), 2, "same file"),
        (("replay", "eth0", "ingress"), 2, "--pcap"),
    ],
)
def test_refusals_change_nothing(bpf_load, obj, capture, pins, words, status, text):
    assert bpf_load("load", obj("next"), "--pin", "p").status == 0
    assert bpf_load("attach", "p", "eth0", "ingress", "--pin", "a").status == 0
    before = pins(), bpf_load("link", "show").out, bpf_load("link", "show", "eth0", "ingress").out
    places = {"drop": obj("drop"), "xdp": obj("x", "xdp"), "pcap": capture}
    words = ["p" if word == "a" and words[0] == "attach" and at == 1 else word for at, word in enumerate(words)]
    outcome = bpf_load(*(word.format(**places) for word in words))
    assert outcome.status == status, outcome
    assert text in outcome.err
    assert before == (pins(), bpf_load("link", "show").out, bpf_load("link", "show", "eth0", "ingress").out)


def test_marks_go_from_program_to_program(bpf_load, obj, capture):
    for name in ("mark", "marked"):
        assert bpf_load("attach", obj(name), "eth0", "ingress", "--pin", name).status == 0
    assert verdicts(bpf_load("--json", "replay", "eth0", "ingress", "--pcap", capture)) == {16: 10}


def test_what_passes_is_written(bpf_load, obj, capture, tmp_path):
    out = tmp_path / "out.pcap"
    for name, count in (("drop", 0), ("odd", 10), ("ok", 10), ("next", 10)):
        assert bpf_load("attach", obj(name), "eth0", "ingress", "--pin", "l").status == 0
        outcome = bpf_load("--json", "replay", "eth0", "ingress", "--pcap", capture, "--write-pcap", out)
        assert outcome.json["passed"] == count
        assert len(list(read_capture(str(out)))) == count
        assert bpf_load("detach", "l").status == 0
    outcome = bpf_load("replay", "eth0", "ingress", "--pcap", capture)
    assert outcome.out.splitlines() == [
        "eth0 ingress: 0 programs", "10 packets, 0 of them changed, 10 passed", "        10 no verdict: passed"
    ]  # fmt: skip


def test_xdp(bpf_load, obj, capture):
    assert bpf_load("attach", obj("x", "xdp"), "eth0", "xdp", "--pin", "x").status == 0
    assert bpf_load("attach", obj("y", "xdp"), "eth0", "xdp", "--pin", "y").status == 1
    outcome = bpf_load("replay", "eth0", "xdp", "--pcap", capture)
    assert "        10 2 (XDP_PASS)" in outcome.out
    assert bpf_load("link", "show", "eth0", "xdp").status == 0


def test_maps_that_changed_are_shown(bpf_load, capture):
    example = str(Path(__file__).parents[2] / "examples" / "ingress.s")
    path = f"{capture}.o"
    Path(path).write_bytes(write(assemble_text(Path(example).read_text(), example)))
    assert bpf_load("attach", path, "eth0", "ingress", "--pin", "l").status == 0
    outcome = bpf_load("replay", "eth0", "ingress", "--pcap", capture)
    assert "map acc: 1 entry changed" in outcome.out
    document = bpf_load("--json", "replay", "eth0", "ingress", "--pcap", capture).json
    assert [(each["name"], len(each["changes"])) for each in document["maps"]] == [("acc", 1)]


def test_short_packets_are_an_error_that_names_them(bpf_load, obj, tmp_path):
    path = str(tmp_path / "short.pcap")
    with CaptureWriter(path) as writer:
        writer.write(Packet(b"short"))
    assert bpf_load("attach", obj("drop"), "eth0", "ingress", "--pin", "l").status == 0
    outcome = bpf_load("replay", "eth0", "ingress", "--pcap", path)
    assert outcome.status == 1
    assert "packet 1..1: packet size: 5" in outcome.err


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "toolchain.cli.bpf_load", *words]


def test_a_running_replay_follows_the_hook(obj, pin_root, tmp_path):
    """A pipe of packets: dropped while a process holds the link, with a verdict no more once that is killed."""
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    env = {**os.environ, "BPF_PIN_ROOT": pin_root}
    held = command("attach", obj("drop"), "eth0", "ingress", "--hold")
    with subprocess.Popen(held, env=env, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("link 1:")
        replaying = command("-v", "replay", "eth0", "ingress", "--pcap", fifo)
        unbuffered = {**env, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(replaying, env=unbuffered, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            with CaptureWriter(fifo) as writer:
                file = writer._file
                guard = threading.Timer(60, running.kill)
                guard.start()
                for _ in range(3):
                    writer.write(Packet(bytes(64)))
                    file.flush()
                    assert "TC_ACT_SHOT" in running.stdout.readline()
                holder.kill()
                holder.wait()
                killed = time.monotonic()
                writer.write(Packet(bytes(64)))
                file.flush()
                assert "no verdict: passed" in running.stdout.readline()
                print(f"seen {1000 * (time.monotonic() - killed):.1f} ms after the kill")
                guard.cancel()
            rest = running.stdout.read()
    assert "the hook changed meanwhile: 1 time" in rest
    listed = subprocess.run(command("--json", "link", "show"), env=env, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout)["links"] == []
