"""The session of pin and get, and the same with the library: one text, two runtimes, the same answers."""

from __future__ import annotations

import os
import re
import sys

import pytest

from tests.kernel.attaching import marks
from tests.kernel.netns import BPF_LOAD, EXAMPLES, ROOT

pytestmark = marks()


def answers(out: str) -> list[str]:
    """The lines without what each runtime counts or rewrites for itself: ids, the device's number, instructions."""
    text = re.sub(r"\b(id|prog|link|maps|ifindex) \d+", r"\1 N", out)
    text = re.sub(r"^(\d+|link \d+): (?=sched_cls|tcx)", "N: ", text, flags=re.M)
    return re.sub(r", \d+ insns|, ifindex N", "", text).splitlines()


def test_pin_get_says_the_same_on_both_runtimes(net):
    found = {}
    for runtime in ("user", "kernel"):
        environment = {"BPF_LOAD": BPF_LOAD[0], "BPF_RUNTIME": runtime}
        done = net.left.run("sh", EXAMPLES / "pin_get.sh", env=environment)
        assert (done.status, done.err) == (0, "")
        found[runtime] = answers(done.out)
    assert found["user"] == found["kernel"]
    assert "1: 42" in found["kernel"]
    assert net.json("link", "show", "lo", "ingress")["attached"] == []


def test_the_library_says_the_same_on_both_runtimes(net, tmp_path):
    net.left.do("ip", "link", "set", "lo", "up")
    for runtime, root in (("user", str(tmp_path / "tree")), ("kernel", "/sys/fs/bpf")):
        environment = {"BPF_RUNTIME": runtime, "BPF_PIN_ROOT": root, "PYTHONPATH": str(ROOT)}
        done = net.left.run(
            sys.executable, EXAMPLES / "pin_get.py", EXAMPLES / "ingress.o", "lo", env={**os.environ, **environment}
        )
        assert (done.status, done.err) == (0, "")
        assert done.out == "numbers[1] = 42\ningress at lo ingress, one packet: 0\n"


@pytest.mark.parametrize("name", ["shapes", "parts", "words", "reals"])
def test_typed_maps_of_the_library(net, name, tmp_path):
    """What is written by type and read back is the same, and has the same bytes."""
    script = (
        "import sys, toolchain\n"
        "with toolchain.load(sys.argv[1]) as loaded:\n"
        "    map = loaded.maps[sys.argv[2]]\n"
        "    key = {'a': 1} if sys.argv[2] == 'shapes' else 1 if sys.argv[2] == 'parts' else 0\n"
        "    values = {'shapes': {'name': 'x', 'g1': -1, 'huge': -5, 'in': {'b': -1}}, 'parts': {'a': 3, 'c': 4},\n"
        "              'words': ['abc'] * toolchain.possible_cpus(), 'reals': {'f': 0.5, 'd': -2.0}}\n"
        "    map.typed[key] = values[sys.argv[2]]\n"
        "    print(map.typed[key], map[key].hex(), len(map), sorted(map))\n"
    )
    out = set()
    for runtime, root in (("user", str(tmp_path / "tree")), ("kernel", "/sys/fs/bpf")):
        environment = {"BPF_RUNTIME": runtime, "BPF_PIN_ROOT": root, "PYTHONPATH": str(ROOT)}
        path = ROOT / "tests" / "data" / "obj" / "shapes.o"
        done = net.left.run(sys.executable, "-c", script, path, name, env={**os.environ, **environment})
        assert (done.status, done.err) == (0, "")
        out.add(done.out)
    assert len(out) == 1
