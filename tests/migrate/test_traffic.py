"""Upgrades under traffic on a live veth: after any number of them, every packet and every byte is counted once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.attaching import marks
from tests.kernel.conftest import net
from tests.kernel.netns import BPF_LOAD, DEADLINE, LEFT

pytestmark = marks()
__all__ = ["net"]

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "migrate"
PIN = "tc/globals/acc"
UPGRADES = 6


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    directory = tmp_path_factory.mktemp("objects")
    for source in DATA.glob("*.s"):
        subprocess.run([ROOT / "bin" / "bpf-as", "-o", directory / f"{source.stem}.o", source], check=True)
    return directory


@contextmanager
def flood(net):
    """As many packets as two pings can send."""
    pings = [net.right.start("ping", "-q", "-f", "-s", "100", LEFT, stdout=subprocess.DEVNULL) for _ in range(2)]
    time.sleep(0.05)
    try:
        yield
    finally:
        for ping in pings:
            ping.send_signal(signal.SIGINT)
            ping.wait()


def seen(net, way="rx"):
    """Packets and bytes that the device itself has counted."""
    (row,) = json.loads(net.left.do("ip", "-j", "-s", "link", "show", "dev", "v0"))
    return row["stats64"][way]["packets"], row["stats64"][way]["bytes"]


def counted(net):
    """Packets and bytes in the map, over all CPUs."""
    formatted = net.json("map", "dump", PIN)["entries"][0]["formatted"]
    values = [each["value"] for each in formatted["values"]] if "values" in formatted else [formatted["value"]]
    return sum(value["packets"] for value in values), sum(value["bytes"] for value in values)


@pytest.mark.parametrize("kind", ["counter", "percpu"])
def test_no_packet_is_lost_or_counted_twice(net, objects, kind):
    net.ok("attach", objects / f"{kind}1.o", "v0", "ingress", "--pin", "links/in")
    with flood(net):
        for number in range(UPGRADES):
            version = 2 - number % 2
            made = net.json("replace", objects / f"{kind}{version}.o", "links/in", "--on-mismatch", "migrate")
            migrated = made["maps"][0]["migrated"]
            assert migrated["used_by"] == []
            assert migrated["exact"]
    assert counted(net) == seen(net)


def test_a_program_that_stays_is_named_and_drained(net, objects):
    """Two programs share the map; only one is replaced at first, and the other one's counts follow."""
    net.ok("attach", objects / "counter1.o", "v0", "ingress", "--pin", "links/in")
    net.ok("attach", objects / "counter1.o", "v0", "egress", "--pin", "links/out")
    with flood(net):
        before = net.json("link", "show", "links/in")["link"]["prog_id"]
        follower = net.left.start(
            *BPF_LOAD, "-r", "kernel", "--json", "replace", objects / "counter2.o", "links/in", "--on-mismatch",
            "migrate", "--drain", str(DEADLINE), stdout=subprocess.PIPE,
        )  # fmt: skip
        while net.json("link", "show", "links/in")["link"]["prog_id"] == before:
            assert follower.poll() is None, "egress uses the old map"
        assert follower.poll() is None, "egress uses the old map"
        net.ok("replace", objects / "counter2.o", "links/out")
        out, _ = follower.communicate(timeout=DEADLINE)
        assert follower.returncode == 0
        assert json.loads(out)["maps"][0]["migrated"]["used_by"] == []
    received, sent = seen(net), seen(net, "tx")
    assert counted(net) == (received[0] + sent[0], received[1] + sent[1])


def test_who_still_uses_the_old_map_is_said(net, objects):
    net.ok("attach", objects / "counter1.o", "v0", "ingress", "--pin", "links/in")
    made = net.load("load", objects / "counter2.o", "--pin", "v2", "--on-mismatch", "migrate")
    assert made.status == 0
    assert "programs that still use the old map" in made.err
    user = net.json("link", "show", "links/in")["link"]["prog_id"]
    assert f"prog id {user}." in made.err


KILLED = """
import os, signal, sys, time
from toolchain.kernel.runtime import KernelRuntime
publish = KernelRuntime.publish
def slow(*arguments, **options):
    publish(*arguments, **options)
    time.sleep(0.1)
KernelRuntime.publish = slow
from {module} import {owner}
real = {owner}.{name}
def killed(*arguments, **options):
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
{owner}.{name} = killed
from toolchain.cli.entry import {entry}
sys.argv = ["bpf-load", *sys.argv[1:]]
{entry}()
"""
MOMENTS = {
    "swapped, the old program still attached": ("toolchain.kernel.runtime", "KernelRuntime", "publish"),
    "replaced, nothing merged": ("toolchain.kernel.runtime", "KernelRuntime", "wait_for_programs"),
    "one entry merged": ("toolchain.loader.migrate_adder", "Adder", "_run"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["counter", "percpu"])
def test_an_upgrade_that_is_killed_loses_no_packet(net, objects, kind, moment):
    """Killed under traffic; half a second later the same command once more, or any load of the map, has every count."""
    module, owner, name = MOMENTS[moment]
    script = KILLED.format(module=module, owner=owner, name=name, entry="bpf_load")
    words = ("replace", objects / f"{kind}2.o", "links/in", "--on-mismatch", "migrate")
    net.ok("attach", objects / f"{kind}1.o", "v0", "ingress", "--pin", "links/in")
    with flood(net):
        done = net.left.run(sys.executable, "-c", script, "-r", "kernel", *words)
        assert done.status == -signal.SIGKILL, done
        time.sleep(0.5)
        (made,) = net.json(*words)["recovered"]
        assert made["used_by"] == []
    assert counted(net) == seen(net)
    left = net.left.do("find", "/sys/fs/bpf", "-type", "f", "-printf", "%P ").split()
    assert set(left) - {"maps.debug", "progs.debug"} == {PIN, "links/in"}
