"""Links on a live veth: the ingress and egress example, order, atomic replacement, who holds what."""

from __future__ import annotations

import re
import signal
import subprocess

from tests.kernel.attaching import address_of, marks
from tests.kernel.netns import BPF_LOAD, EXAMPLES, captured
from tests.kernel.yardstick import expected

pytestmark = marks("tcpdump", "bpftool")

INGRESS, EGRESS = EXAMPLES / "ingress.o", EXAMPLES / "egress.o"
REPLACEMENTS = 8


def test_two_invocations_attach_and_a_third_reads_the_shared_map(net, tmp_path):
    net.ok("attach", INGRESS, "v0", "ingress", "--pin", "links/in")
    net.ok("attach", EGRESS, "v0", "egress", "--pin", "links/out")
    with captured(net.left, "v0", tmp_path / "v0.pcap"):
        net.ping(50)
        net.ping(20, size=1000)
    counted = net.counters()
    assert counted == expected(tmp_path / "v0.pcap", address_of(net))
    assert counted[2][0] == counted[10][0] == 70, "each ping and each answer is an ICMP packet"
    shown = [(row["path"], row["name"]) for row in net.json("pin", "tree", "links")["pins"]]
    assert shown == [("links/in", "v0/ingress"), ("links/out", "v0/egress")]


def test_bpftool_loads_one_side_and_pins_the_map(net, tmp_path):
    """bpftool pins by name as libbpf does: /sys/fs/bpf/acc. What it loaded is attached by us."""
    net.left.do("bpftool", "prog", "load", INGRESS, "/sys/fs/bpf/by_bpftool")
    net.ok("attach", "by_bpftool", "v0", "ingress", "--pin", "links/in")
    out = net.json("attach", EGRESS, "v0", "egress", "--pin", "links/out", "--pin-layout", "libbpf")
    assert [(row["pin"], row["reused"]) for row in out["maps"]] == [("acc", True)]
    with captured(net.left, "v0", tmp_path / "v0.pcap"):
        net.ping(50)
    assert net.counters("acc") == expected(tmp_path / "v0.pcap", address_of(net))


def test_replacing_under_traffic_misses_no_packet(net, tmp_path):
    net.ok("attach", INGRESS, "v0", "ingress", "--pin", "links/in")
    net.ok("attach", EGRESS, "v0", "egress", "--pin", "links/out")
    seen = {net.json("link", "show", "links/in")["link"]["prog_id"]}
    with captured(net.left, "v0", tmp_path / "v0.pcap"), net.pinging():
        for _ in range(REPLACEMENTS):
            seen.add(net.json("replace", INGRESS, "links/in")["link"]["prog_id"])
    assert len(seen) == REPLACEMENTS + 1, "each time another program"
    counted = net.counters()
    assert counted == expected(tmp_path / "v0.pcap", address_of(net))
    assert counted[2][0] > REPLACEMENTS, "there was traffic"


def test_order_and_revision(net):
    def attach(pin: str, *words: str) -> int:
        return net.json("attach", INGRESS, "v0", "ingress", "--pin", pin, *words)["link"]["id"]

    def order() -> list[int]:
        return [row["link_id"] for row in net.json("link", "show", "v0", "ingress")["attached"]]

    first = attach("a")
    last = attach("b")
    assert order() == [first, last]
    before = attach("c", "--before", "b")
    after = attach("d", "--after", f"link:{first}")
    front = attach("e", "--first", "--revision", "5")
    end = attach("f", "--last")
    assert order() == [front, first, after, before, last, end]
    stale = net.load("attach", INGRESS, "v0", "ingress", "--pin", "g", "--revision", "5")
    assert stale.status == 1
    assert "v0 ingress: ESTALE" in stale.err
    assert "revision" in stale.err
    gone = net.load("attach", INGRESS, "v0", "ingress", "--pin", "g", "--before", "prog:1")
    assert (gone.status, "v0 ingress: ENOENT" in gone.err) == (1, True)


def test_a_program_twice_on_a_hook(net):
    net.ok("load", INGRESS, "--pin", "prog")
    net.ok("attach", "prog", "v0", "ingress", "--pin", "a")
    twice = net.load("attach", "prog", "v0", "ingress", "--pin", "b")
    assert (twice.status, "v0 ingress: EEXIST" in twice.err) == (1, True)


def test_one_xdp_link_to_a_device(net, assembled):
    xdp = assembled("xdp")
    link = net.json("attach", xdp, "v0", "xdp", "--pin", "x")["link"]
    assert (link["type"], link["devname"]) == ("xdp", "v0")
    busy = net.load("attach", xdp, "v0", "xdp", "--pin", "y")
    assert busy.status == 1
    assert "v0 xdp: EBUSY" in busy.err
    assert "replace it" in busy.err
    net.ok("replace", xdp, "x")
    changed = net.json("link", "show", "x")["link"]
    assert changed["id"] == link["id"]
    assert changed["prog_id"] != link["prog_id"]
    net.ping(3)
    net.ok("detach", "x")
    assert "xdp" not in net.left.do("ip", "link", "show", "dev", "v0")


def test_a_device_that_goes_leaves_a_defunct_link(net):
    net.left.do("ip", "link", "add", "dummy0", "type", "veth", "peer", "name", "dummy1")
    link = net.json("attach", INGRESS, "dummy0", "ingress", "--pin", "in")["link"]
    net.left.do("ip", "link", "delete", "dummy0")
    defunct = net.json("link", "show", "in")["link"]
    assert (defunct["ifindex"], defunct["defunct"]) == (0, True)
    assert "defunct: detached, or its device is gone" in net.ok("link", "show", "in")
    refused = net.load("replace", INGRESS, "in")
    assert (refused.status, f"link {link['id']}: ENOLINK" in refused.err) == (1, True)
    anew = net.json("replace", INGRESS, "in", "v0", "ingress")["link"]
    assert (anew["devname"], anew["pinned"]) == ("v0", ["in"])
    assert [row["id"] for row in net.json("link", "show")["links"] if "in" in row["pinned"]] == [anew["id"]]


def test_a_link_lives_as_long_as_its_holder(net):
    for end in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        holder = net.left.start(
            *BPF_LOAD, "-r", "kernel", "attach", INGRESS, "v0", "ingress", "--hold", stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        link = int(re.match(r"link (\d+):", holder.stdout.readline())[1])
        assert [row["link_id"] for row in net.json("link", "show", "v0", "ingress")["attached"]] == [link]
        holder.send_signal(end)
        status = holder.wait(30)
        holder.stdout.close()
        assert status == (-signal.SIGKILL if end == signal.SIGKILL else 0)
        assert net.json("link", "show", "v0", "ingress")["attached"] == []


def test_neither_pin_nor_hold_says_so(net):
    done = net.load("attach", INGRESS, "v0", "ingress")
    assert done.status == 0
    assert "neither pinned nor held" in done.err
    assert net.json("link", "show", "v0", "ingress")["attached"] == []


def test_expected_old_program(net):
    first = net.json("attach", INGRESS, "v0", "ingress", "--pin", "in")["link"]["prog_id"]
    net.ok("replace", INGRESS, "in", "--expect-old", f"prog:{first}")
    net.ok("load", INGRESS, "--pin", "other")
    wrong = net.load("replace", INGRESS, "in", "--expect-old", "other")
    assert (wrong.status, "in: error" in wrong.err, "EPERM" in wrong.err) == (1, True, True)
    assert "somebody replaced it" in wrong.err


def test_detach_by_pin_id_and_place(net):
    ids = [net.json("attach", INGRESS, "v0", "ingress", "--pin", name)["link"]["id"] for name in "abcd"]
    net.ok("detach", "a")
    net.ok("detach", "id", str(ids[1]))
    many = net.load("detach", "v0", "ingress")
    assert (many.status, f"link id {ids[2]}" in many.err) == (1, True)
    net.ok("link", "detach", "c")
    assert net.json("link", "show", "c")["link"]["defunct"]
    net.ok("detach", "v0", "ingress")
    none = net.load("detach", "v0", "ingress")
    assert (none.status, "v0 ingress: ENOENT" in none.err) == (1, True)
    pins = [row["path"] for row in net.json("pin", "tree")["pins"] if row["kind"] == "link"]
    assert pins == ["b", "c"], "by id and by 'link detach' the pin stays"


def test_large_packets_need_a_program_that_takes_fragments(net, assembled):
    net.left.do("ip", "link", "set", "v0", "mtu", "9000")
    net.right.do("ip", "link", "set", "v1", "mtu", "9000")
    assert net.load("attach", assembled("xdp"), "v0", "xdp", "--pin", "x").status == 1
    net.ok("attach", assembled("xdp", FRAGS=1), "v0", "xdp", "--pin", "x")
    net.ping(3, 8000)


def test_classic_xdp_and_filter_need_no_pin(net, assembled):
    xdp = assembled("xdp")
    net.ok("attach", xdp, "v0", "xdp", "--netlink")
    assert "prog/xdp" in net.left.do("ip", "link", "show", "dev", "v0")
    busy = net.load("attach", xdp, "v0", "xdp", "--netlink")
    assert (busy.status, "v0 xdp: " in busy.err, "EBUSY" in busy.err) == (1, True, True)
    net.ok("replace", xdp, "v0", "xdp", "--netlink")
    net.ok("detach", "v0", "xdp", "--netlink")
    assert "xdp" not in net.left.do("ip", "link", "show", "dev", "v0")
    made = net.json("attach", INGRESS, "v0", "ingress", "--netlink")["filter"]
    again = net.json("replace", INGRESS, "v0", "ingress", "--netlink")["filter"]
    assert (made["pref"], made["handle"]) == (again["pref"], again["handle"])
    assert made["prog_id"] != again["prog_id"]
    net.ok("detach", "v0", "ingress", "--netlink")
    assert net.left.do("tc", "filter", "show", "dev", "v0", "ingress") == ""


def test_netfilter_link(net, assembled):
    accept = assembled("netfilter")
    link = net.json("attach", accept, "ipv4", "input", "--priority", "-5", "--pin", "nf")["link"]
    assert (link["type"], link["pf"], link["hook"], link["prio"]) == ("netfilter", 2, 1, -5)
    busy = net.load("attach", accept, "ipv4", "input", "--priority", "-5", "--pin", "nf2")
    assert (busy.status, "at priority -5: EBUSY" in busy.err) == (1, True)
    reserved = net.load("attach", accept, "ipv4", "input", "--priority", str(-(1 << 31)), "--pin", "nf2")
    assert (reserved.status, "ERANGE" in reserved.err) == (1, True)
    fixed = net.load("replace", accept, "nf")
    assert (fixed.status, "replacing the program of this kind of link" in fixed.err) == (5, True)
    net.ping(3)
    net.ok("detach", "nf")


def test_cgroup_link(net, assembled, tmp_path):
    group = tmp_path / "cgroup2"
    group.mkdir()
    net.left.do("mount", "-t", "cgroup2", "none", group)
    own = group / f"bpf-load-test-{net.left.process.pid}"
    net.left.do("mkdir", own)
    try:
        link = net.json("attach", assembled("cgroup"), own, "egress", "--pin", "cg")["link"]
        assert (link["type"], link["attach_type"]) == ("cgroup", "cgroup_inet_egress")
        net.ok("replace", assembled("cgroup"), "cg")
        net.ok("detach", "cg")
    finally:
        net.left.do("rmdir", own)
    wrong = net.load("attach", assembled("cgroup"), tmp_path, "egress", "--pin", "cg")
    assert (wrong.status, "no cgroup v2 directory" in wrong.err) == (1, True)
