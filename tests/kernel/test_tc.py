"""``bpf-load tc`` beside Debian's own tc: the same words, the same filters, the same pinned map."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.kernel.attaching import address_of, marks
from tests.kernel.netns import EXAMPLES, LEFT, captured
from tests.kernel.yardstick import expected

pytestmark = marks("tcpdump", "tc", "bpftool")

INGRESS, EGRESS = EXAMPLES / "ingress.o", EXAMPLES / "egress.o"
REPLACEMENTS = 8
CLASSIC, BTF = EXAMPLES / "counter-classic.o", EXAMPLES / "counter-btf.o"


def by_ours(net, way, words):
    net.tc_ok("filter", "add", "dev", "v0", way, "bpf", "da", "obj", *words)


def by_theirs(net, way, words):
    net.left.do("tc", "filter", "add", "dev", "v0", way, "bpf", "da", "obj", *words)


SIDES = {
    "ours, ours": ((by_ours, (INGRESS,)), (by_ours, (EGRESS,))),
    "classic, BTF": ((by_ours, (CLASSIC, "sec", "tc/ingress")), (by_ours, (BTF, "sec", "tc/egress"))),
    "tc, ours": ((by_theirs, (BTF, "sec", "tc/ingress")), (by_ours, (EGRESS,))),
    "ours, tc": ((by_ours, (INGRESS,)), (by_theirs, (BTF, "sec", "tc/egress"))),
}


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
def test_both_sides_share_the_map(net, tmp_path, sides):
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    for way, (load, words) in zip(("ingress", "egress"), sides, strict=True):
        load(net, way, words)
    with captured(net.left, "v0", tmp_path / "v0.pcap"):
        net.ping(50)
        net.ping(20, size=1000)
    counted = net.counters()
    assert counted == expected(tmp_path / "v0.pcap", address_of(net))
    assert counted[2][0] == counted[10][0] == 70
    for way in ("ingress", "egress"):
        assert net.tc_ok("filter", "show", "dev", "v0", way) == net.left.do("tc", "filter", "show", "dev", "v0", way)


def test_replace_under_traffic_misses_no_packet(net, tmp_path):
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    place = ("dev", "v0", "ingress", "pref", "1", "handle", "1", "bpf", "da", "obj", INGRESS)
    net.tc_ok("filter", "add", *place)
    net.tc_ok("filter", "add", "dev", "v0", "egress", "bpf", "da", "obj", EGRESS)
    with captured(net.left, "v0", tmp_path / "v0.pcap"), net.pinging():
        for _ in range(REPLACEMENTS):
            net.tc_ok("filter", "replace", *place)
    counted = net.counters()
    assert counted == expected(tmp_path / "v0.pcap", address_of(net))
    assert counted[2][0] > REPLACEMENTS, "there was traffic"


def test_rows_are_tc_s(net):
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", INGRESS)
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "protocol", "ip", "prio", "5", "handle", "0x7",
              "bpf", "obj", CLASSIC, "sec", "tc/ingress", "flowid", "1:2")  # fmt: skip
    net.tc_ok(
        "f", "a", "dev", "v0", "ingress", "prot", "arp", "pref", "6", "bpf", "obj", CLASSIC, "sec", "tc/ingress", "da"
    )
    net.left.do("tc", "filter", "add", "dev", "v0", "ingress", "protocol", "ipv6", "pref", "9",
                "bpf", "bytecode", "1,6 0 0 0", "flowid", ":1")  # fmt: skip
    shown = net.tc_ok("filter", "show", "dev", "v0", "ingress")
    theirs = net.left.do("tc", "filter", "show", "dev", "v0", "ingress")
    ours_bpf = [line for line in shown.splitlines() if "pref 9 " not in line]
    assert ours_bpf == [line for line in theirs.splitlines() if "pref 9 " not in line and "bytecode" not in line]
    rows = net.tc("--json", "filter", "show", "dev", "v0", "ingress").json["filters"]
    foreign = net.left.run("tc", "-j", "filter", "show", "dev", "v0", "ingress").json
    assert [row for row in rows if row["pref"] != 9] == [row for row in foreign if row["pref"] != 9]


SHOWN = (
    "filter show dev v0 ingress", "-s -d filter show dev v0 ingress", "-d -j filter show dev v0 ingress",
    "filter show dev v0 ingress pref 5", "-j filter show dev v0 ingress protocol ip", "-j filter show dev v0 egress",
    "-s -j qdisc show dev v0", "qdisc show", "qdisc show dev v0", "qdisc show dev v0 clsact", "q", "-j qdisc ls dev lo",
)  # fmt: skip


def test_what_is_shown_is_what_tc_shows(net):
    """A script that looks for its qdisc or filter changes one word; so does one that reads tc's JSON."""
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "pref", "5", "proto", "ip", "bpf", "da", "obj", INGRESS)
    for line in SHOWN:
        ours, theirs = net.tc_ok(*line.split()), net.left.do("tc", *line.split())
        if "-j" in line:  # statistics are not read
            keys = {"kind", "handle", "parent", "root", "refcnt", "options", "protocol", "pref", "chain"}
            rows = [{key: row[key] for key in row if key in keys} for row in json.loads(theirs)]
            assert json.loads(ours) == rows, line
        else:
            assert ours == theirs, line
    assert net.tc("--json", "qdisc", "show", "dev", "v0").json["qdiscs"][-1]["kind"] == "clsact"


def test_change_needs_a_filter_that_is_there(net):
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    words = ("dev", "v0", "ingress", "pref", "5", "handle", "1", "bpf", "da", "obj", INGRESS)
    missing = net.tc("filter", "change", *words)
    assert (missing.status, "ENOENT" in missing.err or "EINVAL" in missing.err) == (1, True), missing
    net.tc_ok("filter", "add", *words)
    before = net.tc("--json", "filter", "show", "dev", "v0", "ingress").json["filters"][-1]["options"]["prog"]["id"]
    net.tc_ok("filter", "change", *words)
    (row,) = (row for row in net.tc("-j", "filter", "show", "dev", "v0", "ingress").json if "options" in row)
    assert row["options"]["prog"]["id"] != before
    net.tc_ok("qdisc", "del", "dev", "v0", "parent", "ffff:fff1")
    assert "clsact" not in net.tc_ok("qdisc", "show", "dev", "v0")


def test_add_stacks_and_delete_takes_what_is_named(net):
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    for _ in range(3):
        net.tc_ok("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", INGRESS)

    def prefs() -> list[int]:
        rows = net.tc("--json", "filter", "show", "dev", "v0", "ingress").json["filters"]
        return [row["pref"] for row in rows if "options" in row]

    assert prefs() == [49150, 49151, 49152]
    net.tc_ok("filter", "del", "dev", "v0", "ingress", "pref", "49151", "handle", "1", "bpf")
    assert prefs() == [49150, 49152]
    net.tc_ok("filter", "del", "dev", "v0", "ingress", "pref", "49150")
    assert prefs() == [49152]
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", INGRESS)
    net.tc_ok("filter", "del", "dev", "v0", "ingress")
    assert prefs() == []
    net.tc_ok("qdisc", "del", "dev", "v0", "clsact")
    assert "clsact" not in net.left.do("tc", "qdisc", "show", "dev", "v0")


def reaches(net) -> bool:
    return net.right.run("ping", "-q", "-c", "1", "-W", "1", LEFT).status == 0


def test_tail_calls_through_a_classic_prog_array(net, assembled):
    tail = assembled("tail")
    net.ping(1)
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", tail)
    assert not reaches(net), "section 7/1 is in slot 1 and drops"
    array = "/sys/fs/bpf/tc/globals/jumps"
    net.tc_ok("exec", "bpf", "graft", "m:globals/jumps", "key", "1", "obj", tail, "sec", "let")
    assert reaches(net)
    net.tc_ok("exec", "bpf", "graft", array, "obj", tail, "sec", "7/1")
    assert not reaches(net)
    before = net.left.do("bpftool", "-j", "map", "dump", "pinned", array)
    beyond = net.tc("exec", "bpf", "graft", array, "key", "4", "obj", tail, "sec", "let")
    assert (beyond.status, "E2BIG" in beyond.err) == (1, True)
    assert net.left.do("bpftool", "-j", "map", "dump", "pinned", array) == before


def test_a_refused_filter_takes_back_the_slots_of_a_pinned_array(net, assembled):
    tail = assembled("tail")
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "pref", "5", "handle", "1", "bpf", "da", "obj", tail)
    array = "/sys/fs/bpf/tc/globals/jumps"
    before = net.left.do("bpftool", "-j", "map", "dump", "pinned", array)
    taken = net.tc("filter", "add", "dev", "v0", "ingress", "pref", "5", "handle", "1", "bpf", "da", "obj", tail)
    assert (taken.status, "EEXIST" in taken.err) == (1, True)
    assert net.left.do("bpftool", "-j", "map", "dump", "pinned", array) == before


def test_graft_onto_what_is_no_prog_array(net, assembled):
    net.ok("load", INGRESS)
    wrong = net.tc("exec", "bpf", "graft", "m:globals/acc", "key", "0", "obj", assembled("tail"), "sec", "let")
    assert (wrong.status, "declared prog_array, pinned array" in wrong.err) == (4, True)
    missing = net.tc("exec", "bpf", "graft", "m:globals/none", "key", "0", "obj", assembled("tail"), "sec", "let")
    assert (missing.status, "ENOENT" in missing.err) == (1, True)


def test_classic_pinning_ids(net, assembled, tmp_path):
    places = tmp_path / "bpf_pinning"
    places.write_text("# comment\n4\tfoo/bar\n0x5 own # here\nnonsense\n")
    net.left.do("mount", "--bind", places, "/etc/iproute2/bpf_pinning")
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    wanted = {
        0: None,
        1: f"tc/{hashlib.sha1(assembled('pinning', PINNING=1).read_bytes()).hexdigest()}/counts",
        2: "tc/globals/counts",
        4: "foo/bar/counts",
        5: "own/counts",
    }
    for number, pin in wanted.items():
        path = assembled("pinning", PINNING=number)
        (row,) = net.tc("--json", "filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", path).json["maps"]
        assert row["pin"] == pin
    before = net.traces()
    unknown = net.tc("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", assembled("pinning", PINNING=77))
    assert (unknown.status, "pinning id without a known place: 77" in unknown.err) == (1, True)
    assert net.traces() == before


def test_the_bpffs_that_tc_bpf_mnt_names(net, tmp_path):
    other = tmp_path / "bpf"
    other.mkdir()
    net.left.do("mount", "-t", "bpf", "bpf", other)
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    env = {"TC_BPF_MNT": str(other)}
    done = net.tc("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", INGRESS, env=env)
    assert done.status == 0, done
    assert net.left.do("find", other, "-name", "acc") == f"{other}/tc/globals/acc\n"
    assert "acc" not in net.left.do("find", "/sys/fs/bpf")


def test_verbose_shows_the_program_its_maps_and_the_log(net):
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    done = net.tc("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", CLASSIC, "sec", "tc/ingress", "verbose")
    assert done.status == 0
    assert "Prog section 'tc/ingress'" in done.err
    assert "Map 'acc'" in done.err
    assert "processed " in done.err


FAILURES = {
    "no such device": (("filter", "add", "dev", "no", "ingress", "bpf", "da", "obj", INGRESS), 1, "no: ENODEV"),
    "no clsact": (("filter", "add", "dev", "v1x", "ingress", "bpf", "da", "obj", INGRESS), 1, "clsact"),
    "no such file": (("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", "none.o"), 1, "none.o"),
    "no such section": (
        ("filter", "add", "dev", "v0", "ingress", "bpf", "obj", INGRESS, "sec", "x"),
        1,
        "section: x (tc)",
    ),
    "no such pin": (("filter", "add", "dev", "v0", "ingress", "bpf", "object-pinned", "/sys/fs/bpf/x"), 1, "ENOENT"),
    "no such filter": (("filter", "del", "dev", "v0", "ingress", "pref", "9"), 1, "ENOENT"),
    "clsact twice": (("qdisc", "add", "dev", "v0", "clsact"), 1, "v0: Exclusivity flag on"),
    "unknown word": (("filter", "add", "dev", "v0", "ingress", "bpf", "da", "foo"), 2, "unknown word: foo"),
    "not done here": (("filter", "add", "dev", "v0", "ingress", "u32"), 5, "tc filter u32"),
}


def test_failures_leave_nothing(net, assembled):
    net.left.do("ip", "link", "add", "v1x", "type", "veth", "peer", "name", "v1y")
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    rejected = (("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", assembled("refused")), 3, "bad: insn 3")
    before = net.traces()
    for words, status, text in (*FAILURES.values(), rejected):
        done = net.tc(*words)
        assert (done.status, text in done.err, "Traceback" in done.err) == (status, True, False), done
        assert net.traces() == before


def test_slots_of_a_classic_map_of_maps_are_filled(net, assembled):
    net.ping(1)
    net.tc_ok("qdisc", "add", "dev", "v0", "clsact")
    net.tc_ok("filter", "add", "dev", "v0", "ingress", "bpf", "da", "obj", assembled("inner"))
    assert not reaches(net), "slot 1 holds the inner map"
    dumped = net.left.run("bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/tc/globals/outer").json
    assert [entry["key"][0] for entry in dumped if "value" in entry] == ["0x01"]
