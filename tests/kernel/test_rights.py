"""Commands without rights end with exit 5, name the capability or the place, say what to do, and leave nothing.

The place is a bpffs of the test's own; who asks has no capability at all, and owns nothing in it.
"""

from __future__ import annotations

import json

import pytest

from tests.kernel.attaching import marks
from tests.kernel.netns import BPF_LOAD, EXAMPLES, Net, Result

pytestmark = marks()

WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
INGRESS = str(EXAMPLES / "ingress.o")
TC_ADD = ("tc", "filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", INGRESS, "sec", "tc")
ROOT_CLOSED = "/sys/fs/bpf is closed to uid 0 (mode 1700, owner 1)"

CLOSED: dict[tuple[str, ...], str] = {
    ("load", INGRESS): ROOT_CLOSED,
    ("load", INGRESS, "--pin", "x"): ROOT_CLOSED,
    ("run", INGRESS): ROOT_CLOSED,
    ("run", "p"): ROOT_CLOSED,
    ("attach", INGRESS, "v0", "ingress", "--pin", "x"): ROOT_CLOSED,
    ("attach", "p", "v0", "ingress"): ROOT_CLOSED,
    ("replace", INGRESS, "x"): ROOT_CLOSED,
    ("detach", "x"): ROOT_CLOSED,
    ("link", "show", "x"): ROOT_CLOSED,
    ("link", "detach", "x"): ROOT_CLOSED,
    TC_ADD: ROOT_CLOSED,
    ("tc", "exec", "bpf", "graft", "m:globals/x", "key", "0", "obj", INGRESS, "sec", "tc"): ROOT_CLOSED,
    **{("map", verb, "m"): ROOT_CLOSED for verb in ("show", "dump", "next", "freeze")},
    ("map", "lookup", "m", "0"): ROOT_CLOSED,
    ("map", "update", "m", "0", "0"): ROOT_CLOSED,
    ("map", "delete", "m", "0"): ROOT_CLOSED,
    ("prog", "show", "p"): ROOT_CLOSED,
    ("pin", "tree"): ROOT_CLOSED,
    ("pin", "rm", "m"): ROOT_CLOSED,
}
"""Where the file system itself is somebody else's."""

OPEN: dict[tuple[str, ...], str] = {
    ("load", INGRESS): "'acc' (array) needs CAP_BPF",
    ("load", INGRESS, "--pin", "x"): "needs CAP_BPF",
    ("verify", INGRESS): "needs CAP_BPF",
    ("run", INGRESS): "needs CAP_BPF",
    ("run", "--both", INGRESS): "needs CAP_BPF",
    ("attach", INGRESS, "v0", "ingress", "--pin", "x"): "needs CAP_BPF",
    ("attach", INGRESS, "v0", "ingress", "--netlink"): "needs CAP_BPF",
    ("replace", INGRESS, "v0", "ingress"): "needs CAP_NET_ADMIN",
    ("detach", "v0", "ingress"): "needs CAP_NET_ADMIN",
    ("replay", "v0", "ingress", "--pcap", str(EXAMPLES / "veth.pcap")): "needs CAP_NET_ADMIN",
    ("link", "show"): "needs CAP_SYS_ADMIN",
    ("link", "show", "v0", "ingress"): "needs CAP_NET_ADMIN",
    ("tc", "qdisc", "add", "dev", "v0", "clsact"): "needs CAP_NET_ADMIN",
    ("tc", "filter", "del", "dev", "v0", "ingress"): "needs CAP_NET_ADMIN",
    ("map", "show"): "needs CAP_SYS_ADMIN",
    ("map", "show", "id", "1"): "needs CAP_SYS_ADMIN",
    ("map", "dump", "name", "m"): "needs CAP_SYS_ADMIN",
    ("map", "dump", "m"): "/sys/fs/bpf/m is closed to uid 0 (mode 0600, owner 1)",
    ("map", "update", "deep/m", "0", "0"): "/sys/fs/bpf/deep is closed to uid 0 (mode 0700, owner 1)",
    ("load", INGRESS, "--map", "acc=deep/new"): "/sys/fs/bpf/deep is closed",
    ("pin", "rm", "m"): "/sys/fs/bpf is closed to uid 0 (mode 1777, owner 1)",
    ("prog", "show"): "needs CAP_SYS_ADMIN",
    ("doctor",): "",
}
"""Where anybody may pin, but what is there is somebody else's."""

UNMOUNTED: dict[tuple[str, ...], str] = {
    ("load", INGRESS): "no BPF file system here: ENODEV",
    ("load", INGRESS, "--mount"): "cannot mount a BPF file system: EPERM",
    ("verify", INGRESS): "needs CAP_BPF",
    ("run", INGRESS): "no BPF file system here: ENODEV",
    ("map", "dump", "m"): "no BPF file system here: ENODEV",
    ("pin", "rm", "m"): "no BPF file system here: ENODEV",
    TC_ADD: "no BPF file system here: ENODEV",
}

READ_ONLY: dict[tuple[str, ...], str] = {
    ("load", INGRESS): "EROFS",
    ("load", INGRESS, "--pin", "x"): "EROFS",
    ("load", INGRESS, "--map", "acc=x"): "EROFS",
    ("attach", INGRESS, "v0", "ingress", "--pin", "x"): "EROFS",
    ("pin", "rm", "m"): "EROFS",
    TC_ADD: "EROFS",
}
"""With all rights, on a bpffs that is mounted for reading."""


def mount(net: Net, options: str) -> None:
    net.left.do("umount", "/sys/fs/bpf")
    net.left.do("mount", "-t", "bpf", "-o", options, "bpf", "/sys/fs/bpf")


def refuse(net: Net, cases: dict[tuple[str, ...], str], *before: str) -> None:
    """Each case ends as it should, as text and as JSON; what is left is what was there."""
    words = before or ("env",)

    def ask(*command: str) -> Result:
        return net.left.run(*words, *BPF_LOAD, "-r", "kernel", *command)

    traces = net.left.do("find", "/sys/fs/bpf"), net.left.do("tc", "qdisc", "show", "dev", "v0")
    wrong = []
    for command, text in cases.items():
        done = ask(*command)
        if done.status != 5 or text not in done.err + done.out or (text and "hint: " not in done.err):
            wrong.append((command, done))
    assert not wrong
    document = json.loads(ask("--json", *next(iter(cases))).out)
    assert (document["code"], bool(document["hint"])) == ("unavailable", True)
    assert (net.left.do("find", "/sys/fs/bpf"), net.left.do("tc", "qdisc", "show", "dev", "v0")) == traces


def test_a_closed_bpffs(net):
    mount(net, "mode=0700,uid=1")
    refuse(net, CLOSED, *WITHOUT_RIGHTS)


def test_an_open_bpffs(net):
    mount(net, "mode=1777,uid=1")
    net.left.do("mkdir", "-m", "700", "/sys/fs/bpf/deep")
    net.ok("load", INGRESS, "--map", "acc=m", "--pin", "p")
    net.left.do("chown", "1", "/sys/fs/bpf/m", "/sys/fs/bpf/p", "/sys/fs/bpf/deep")
    refuse(net, OPEN, *WITHOUT_RIGHTS)


def test_no_bpffs(net):
    net.left.do("umount", "/sys/fs/bpf")
    while net.left.run("mountpoint", "-q", "/sys/fs/bpf").status == 0:
        net.left.do("umount", "/sys/fs/bpf")
    refuse(net, UNMOUNTED, *WITHOUT_RIGHTS)


def test_a_bpffs_for_reading(net):
    net.ok("load", INGRESS, "--map", "acc=m")
    net.left.do("mount", "-o", "remount,ro", "/sys/fs/bpf")
    refuse(net, READ_ONLY)
    assert net.load("map", "dump", "m").status == 0
    assert net.load("load", INGRESS, "--map", "acc=m").status == 0


@pytest.mark.parametrize("capabilities", ["-all,+bpf,+net_admin", "-all,+bpf,+net_admin,+perfmon"])
def test_few_rights_are_enough(net, capabilities):
    done = net.left.run("setpriv", f"--bounding-set={capabilities}", *BPF_LOAD, "-r", "kernel", "load", INGRESS)
    assert (done.status, done.err) == (0, "")


def test_replace_opens_nothing_by_its_id(net):
    """Ids take CAP_SYS_ADMIN: the link is known by its pin, the program that must be there by its own."""
    net.ok("load", INGRESS, "--pin", "old")
    first = net.json("attach", "old", "v0", "ingress", "--pin", "in")["link"]["prog_id"]

    def ask(*words: str) -> Result:
        few = ("setpriv", "--bounding-set=-all,+bpf,+net_admin")
        return net.left.run(*few, *BPF_LOAD, "-r", "kernel", "--json", "replace", INGRESS, "in", *words)

    second = ask("--expect-old", "old").json["link"]["prog_id"]
    third = ask().json["link"]["prog_id"]
    assert len({first, second, third}) == 3
    assert [row["prog_id"] for row in net.json("link", "show", "v0", "ingress")["attached"]] == [third]
    stale = ask("--expect-old", "old")
    assert (stale.status, "somebody replaced it" in stale.json["hint"]) == (1, True)
    assert ask("--expect-old", f"prog:{third}").status == 5
