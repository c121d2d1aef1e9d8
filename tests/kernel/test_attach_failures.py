"""Whatever fails names the errno and the object, and leaves no pin, no link and no filter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.attaching import marks
from tests.kernel.netns import EXAMPLES

pytestmark = marks()

INGRESS = EXAMPLES / "ingress.o"

FAILURES = {
    "no such device": (("attach", "{ingress}", "nope", "ingress", "--pin", "deep/in"), 1, "device nope: ENODEV"),
    "no such hook": (("attach", "{ingress}", "v0", "sideways", "--pin", "deep/in"), 1, "sideways (ingress, egress)"),
    "hook of another type": (("attach", "{ingress}", "v0", "xdp", "--pin", "deep/in"), 1, "xdp (ingress, egress)"),
    "refused by the verifier": (("attach", "{refused}", "v0", "ingress", "--pin", "deep/in"), 3, "bad: insn 3"),
    "pin is taken": (("attach", "{ingress}", "v0", "ingress", "--pin", "taken"), 1, "taken: error: pin exists: EEXIST"),
    "pin with a dot": (("attach", "{ingress}", "v0", "ingress", "--pin", "deep/a.b"), 1, "takes no dots in names"),
    "pin is a directory": (("load", "{ingress}", "--pin", "tc"), 1, "a directory is there, no pin"),
    "stale revision": (("attach", "{ingress}", "v0", "ingress", "--pin", "deep/in", "--revision", "99"), 1, "ESTALE"),
    "XDP is busy": (("attach", "{xdp}", "v0", "xdp", "--pin", "deep/x"), 1, "v0 xdp: EBUSY"),
    "classic XDP is busy": (("attach", "{xdp}", "v0", "xdp", "--netlink"), 1, "EBUSY"),
    "clsact on what is no device": (("attach", "{ingress}", "nope", "ingress", "--netlink"), 1, "nope: ENODEV"),
    "nothing to replace": (("replace", "{ingress}", "v0", "egress"), 1, "v0 egress: ENOENT"),
    "no filter to replace": (("replace", "{ingress}", "v0", "ingress", "--netlink"), 1, "v0 ingress: ENOENT"),
    "no such link": (("replace", "{ingress}", "id", "4000000000"), 1, "ENOENT"),
    "another type of program": (("replace", "{xdp}", "taken"), 1, "EINVAL"),
    "no link but a map": (("replace", "{ingress}", "amap"), 1, "no link but a map"),
    "netlink in the user runtime": (
        ("-r", "user", "attach", "{ingress}", "v0", "ingress", "--netlink"),
        5,
        "filters over netlink in the user runtime",
    ),
    "order twice": (("attach", "{ingress}", "v0", "ingress", "--first", "--last"), 2, "exclude each other"),
    "a pin for a filter": (("attach", "{ingress}", "v0", "ingress", "--netlink", "--pin", "a"), 2, "--pin"),
    "half a place": (("replace", "{ingress}", "id", "5", "v0"), 2, "neither a link nor a device"),
    "device name with a slash": (("attach", "{ingress}", "a/b", "ingress", "--pin", "x"), 1, "ENODEV"),
    "very long device name": (("attach", "{ingress}", "v" * 5000, "ingress", "--pin", "x"), 1, "ENODEV"),
}


@pytest.fixture
def busy_net(net, assembled):
    """v0 with a TCX link on ingress (pin ``taken``), an XDP link, and no map acc."""
    net.ok("attach", assembled("tail"), "v0", "ingress", "--program", "let", "--type", "sched_cls", "--pin", "taken")
    net.ok("attach", assembled("xdp"), "v0", "xdp", "--pin", "xdp")
    net.left.do("bpftool", "map", "create", "/sys/fs/bpf/amap", "type", "array", "key", "4", "value", "4",
                "entries", "1", "name", "amap")  # fmt: skip
    return net


def test_failures_leave_nothing(busy_net, assembled):
    places = {"ingress": str(INGRESS), **{name: str(assembled(name)) for name in ("xdp", "refused")}}
    before = busy_net.traces()
    wrong = []
    for name, (words, status, text) in FAILURES.items():
        done = busy_net.load(*(word.format(**places) for word in words))
        if done.status != status or text not in done.err or "Traceback" in done.err:
            wrong.append(f"{name}: {done}")
        if busy_net.traces() != before:
            wrong.append(f"{name}: left {busy_net.traces()}, was {before}")
            break
    assert not wrong, "\n".join(wrong)


def test_without_pyroute2_the_extra_is_named(net, tmp_path: Path):
    (tmp_path / "pyroute2").mkdir()
    (tmp_path / "pyroute2" / "__init__.py").write_text("raise ImportError('not here')\n")
    before = net.traces()
    for words in (("attach", INGRESS, "v0", "ingress", "--netlink"), ("tc", "qdisc", "add", "dev", "v0", "clsact")):
        done = net.load(*words, env={"PYTHONPATH": str(tmp_path)})
        assert (done.status, "extra: net" in done.err) == (5, True), done
    assert net.traces() == before


def test_without_the_capability(net):
    words = ("attach", str(INGRESS), "v0", "ingress", "--pin", "in")
    done = net.left.run("setpriv", "--bounding-set=-net_admin,-sys_admin", *(str(net_word) for net_word in _own(words)))
    assert done.status == 5, done
    assert "CAP_NET_ADMIN" in done.err


def _own(words: tuple[str, ...]) -> tuple[str, ...]:
    from tests.kernel.netns import BPF_LOAD

    return (*BPF_LOAD, "-r", "kernel", *words)
