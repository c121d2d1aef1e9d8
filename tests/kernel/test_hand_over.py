"""Objects change hands on the kernel runtime: with ourselves, and with Debian's tc, which speaks the same message."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.kernel.attaching import marks
from tests.kernel.netns import BPF_LOAD, DEADLINE, EXAMPLES

pytestmark = marks("tc")

INGRESS = EXAMPLES / "ingress.o"
OURS = (*BPF_LOAD, "-r", "kernel")
SEEN = 'echo "$BPF_NUM_MAPS $BPF_MAP0 $(readlink /proc/self/fd/$BPF_MAP0)"; exec "$@" --json map show fd $BPF_MAP0'


@pytest.fixture
def awaiting(net, tmp_path):
    """A function that starts a receiver, ``{}`` being its socket; gives the socket, and a function for its answer."""
    uds = tmp_path / "uds"
    started = []

    def start(*words: str):
        words = tuple(str(uds) if word == "{}" else word for word in words)
        running = net.left.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(running)
        while not uds.exists():
            assert running.poll() is None, running.stderr.read()

        def answer() -> tuple[int, str, str]:
            out, err = running.communicate(timeout=DEADLINE)
            return running.returncode, out, err

        return str(uds), answer

    yield start
    for each in started:
        each.kill()
        each.communicate()


RECEIVERS = {"tc": ("tc",), "bpf-load": (*BPF_LOAD, "tc")}


@pytest.mark.parametrize("receiver", RECEIVERS)
def test_fd_send_to_tc_s_import(net, awaiting, receiver):
    net.ok("load", INGRESS, "--pin", "p")
    uds, answer = awaiting(*RECEIVERS[receiver], "exec", "bpf", "import", "{}", "run", "sh", "-c", SEEN, "sh", *OURS)
    net.ok("fd-send", uds, "tc/globals/acc")
    status, out, err = answer()
    assert (status, err) == (0, "")
    head, document = out.splitlines()
    count, descriptor, target = head.split(" ", 2)
    assert (count, target) == ("1", "anon_inode:bpf-map"), descriptor
    assert json.loads(document)["map"]["id"] == net.json("map", "show", "tc/globals/acc")["map"]["id"]
    assert not os.path.exists(uds)


@pytest.mark.parametrize("receiver", RECEIVERS)
def test_tc_s_export_to_tc_s_import(net, awaiting, receiver):
    """The maps live in what imported them, without pins; the number is that of the classic record."""
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    script = 'exec "$@" --json map show fd $BPF_MAP0'
    words = ("exec", "bpf", "import", "{}", "run", "sh", "-c", script, "sh", *OURS)
    uds, answer = awaiting(*RECEIVERS[receiver], *words)
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", INGRESS, "export", uds)
    status, out, err = answer()
    assert (status, err) == (0, "")
    shown = json.loads(out)["map"]
    assert (shown["name"], len(shown["prog_ids"])) == ("acc", 1)


def test_an_export_that_nobody_awaits_makes_no_filter(net, tmp_path):
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    before = net.traces()
    words = ("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", INGRESS)
    refused = net.tc(*words, "export", tmp_path / "nobody")
    assert (refused.status, "ENOENT" in refused.err) == (1, True)
    refused = net.tc(*words, env={"TC_BPF_UDS": str(tmp_path / "nobody")})
    assert (refused.status, "nobody to hand objects to" in refused.err) == (1, True)
    assert net.traces() == before


def test_programs_and_links_change_hands_and_are_pinned(net, awaiting):
    net.ok("load", INGRESS, "--pin", "p")
    net.ok("attach", "p", "v0", "ingress", "--pin", "l")
    uds, answer = awaiting(*OURS, "--json", "fd-recv", "{}", "--pin", "got")
    net.ok("fd-send", uds, "p", "l", "tc/globals/acc")
    status, out, _ = answer()
    assert status == 0
    pins = {row["pin"] for row in json.loads(out)["objects"]}
    listed = {row["path"]: (row["kind"], row["id"]) for row in net.json("pin", "tree")["pins"]}
    assert pins == {path for path in listed if path.startswith("got/")}
    assert sorted(kind for kind, _ in (listed[path] for path in pins)) == ["link", "map", "prog"]
    assert listed["got/ingress"] == listed["p"]


def test_a_link_in_flight_stays_attached(net, awaiting):
    """Its pin goes while a process that never reads has it."""
    net.ok("attach", INGRESS, "v0", "ingress", "--pin", "l")
    uds, _ = awaiting(*OURS, "fd-recv", "{}", "--", "sleep", "60")
    net.ok("fd-send", uds, "l")
    net.ok("pin", "rm", "l")
    rows = net.json("link", "show", "v0", "ingress")["attached"]
    assert len(rows) == 1
    (link,) = [row for row in net.json("link", "show")["links"] if row["id"] == rows[0]["link_id"]]
    assert (link["pinned"], len(link["pids"])) == ([], 1)


@pytest.mark.parametrize("runtime", ["kernel", "user"])
def test_an_object_of_the_other_runtime_is_refused(net, awaiting, tmp_path, runtime):
    other = {"kernel": "user", "user": "kernel"}[runtime]
    root = {"user": ("--pin-root", str(tmp_path / "tree")), "kernel": ()}
    uds, answer = awaiting(*BPF_LOAD, "-r", runtime, *root[runtime], "fd-recv", "{}")
    loaded = net.left.run(*BPF_LOAD, "-r", other, *root[other], "load", INGRESS, "--pin", "p")
    assert loaded.status == 0, loaded.err
    sent = net.left.run(*BPF_LOAD, "-r", other, *root[other], "fd-send", uds, "p")
    assert sent.status == 0, sent.err
    status, _, err = answer()
    assert status == 1
    assert "EINVAL" in err
    assert f"-r {other}" in err, "which runtime it is of"
