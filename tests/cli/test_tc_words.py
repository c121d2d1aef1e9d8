"""tc's grammar: what each line means, and which word is wrong."""

import pytest

from toolchain.cli.tc_options import Display, take_display
from toolchain.cli.tc_words import (
    ETHERTYPES,
    FilterRequest,
    GraftRequest,
    ImportRequest,
    QdiscRequest,
    Source,
    parse,
)
from toolchain.errors import Unsupported, UsageError

ADD = FilterRequest("add", "eth0", "ingress", protocol=3, kind="bpf", source=Source("a.o"))
GOOD = {
    "qdisc add dev eth0 clsact": QdiscRequest("add", "eth0"),
    "qdisc del dev eth0 clsact": QdiscRequest("delete", "eth0"),
    "qdisc del dev eth0 parent ffff:fff1": QdiscRequest("delete", "eth0"),
    "qdisc": QdiscRequest("show", ""),
    "qdisc show dev eth0": QdiscRequest("show", "eth0"),
    "q ls dev eth0 clsact": QdiscRequest("show", "eth0", clsact_only=True),
    "q r dev eth0 handle ffff: parent ffff:fff1 clsact": QdiscRequest("replace", "eth0"),
    "filter add dev eth0 ingress bpf obj a.o": ADD,
    "f a dev eth0 ingress bpf object-file a.o": ADD,
    "filter add dev eth0 parent ffff:fff3 bpf obj a.o": ADD._replace(direction="egress"),
    "filter change dev eth0 ingress pref 1 handle 1 bpf run obj a.o": ADD._replace(verb="change", pref=1, handle=1),
    "filter add dev eth0 ingress bpf da obj a.o": ADD._replace(is_direct=True),
    "filter add dev eth0 ingress bpf obj a.o sec s direct-action verbose": ADD._replace(
        is_direct=True, source=Source("a.o", "s", is_verbose=True)
    ),
    "filter add dev eth0 ingress pref 0x10 handle 010 protocol ip bpf obj a.o": ADD._replace(
        pref=16, handle=8, protocol=0x800
    ),
    "filter add dev eth0 ingress prio 7 proto 0x88cc bpf obj a.o": ADD._replace(pref=7, protocol=0x88CC),
    "filter add dev eth0 ingress protocol 802.1q bpf obj a.o": ADD._replace(protocol=0x8100),
    "filter add dev eth0 ingress chain 0 bpf obj a.o flowid 1:10 skip_hw": ADD._replace(
        classid=0x10010, flags=("skip_hw",)
    ),
    "filter replace dev eth0 egress bpf object-pinned /p": FilterRequest(
        "replace", "eth0", "egress", protocol=3, kind="bpf", source=Source(pin="/p")
    ),
    "filter show dev eth0 ingress": FilterRequest("show", "eth0", "ingress"),
    "filter ls dev eth0 egress": FilterRequest("show", "eth0", "egress"),
    "filter del dev eth0 ingress": FilterRequest("delete", "eth0", "ingress"),
    "filter del dev eth0 ingress pref 5 handle 7 bpf": FilterRequest(
        "delete", "eth0", "ingress", pref=5, handle=7, kind="bpf"
    ),
    "filter add dev eth0 ingress bpf da obj a.o sec s export /x": ADD._replace(
        is_direct=True, source=Source("a.o", "s", export="/x")
    ),
    "exec bpf import /x run ls -l --json": ImportRequest("/x", ("ls", "-l", "--json")),
    "exec bpf imp /x": ImportRequest("/x", ("/bin/sh",)),
    "exec bpf graft m:globals/x key 3 obj a.o sec s": GraftRequest("m:globals/x", 3, Source("a.o", "s")),
    "exec bpf graft /x obj a.o sec 7/2 type cls": GraftRequest("/x", 2, Source("a.o", "7/2", prog_type="cls")),
}

BAD = {
    "nothing": "unknown word: nothing",
    "qdisc sing": "unknown word: sing",
    "qdisc add dev": "the device after dev is missing",
    "qdisc add clsact": "dev DEV is missing",
    "qdisc add dev eth0": "clsact is missing",
    "qdisc add dev eth0 handle 1: clsact": "handle of clsact is another: 1:",
    "filter add dev eth0 bpf obj a.o": "ingress or egress is missing",
    "filter add ingress bpf obj a.o": "dev DEV is missing",
    "filter add dev eth0 ingress bfp obj a.o": "unknown word: bfp",
    "filter add dev eth0 ingress bpf obj": "the file after object-file is missing",
    "filter add dev eth0 ingress bpf da": "object-file or object-pinned is missing",
    "filter add dev eth0 ingress bpf obj a.o pinned /p": "exclude each other",
    "filter add dev eth0 ingress bpf obj a.o frob": "unknown word: frob",
    "filter add dev eth0 ingress pref 65536 bpf obj a.o": "pref is no number from 0 to 65535: 65536",
    "filter add dev eth0 ingress pref -1 bpf obj a.o": "pref is no number from 0 to 65535: -1",
    "filter add dev eth0 ingress pref 08 bpf obj a.o": "pref is no number from 0 to 65535: 08",
    "filter add dev eth0 ingress handle 1_0 bpf obj a.o": "handle is no number",
    "filter add dev eth0 ingress protocol nope bpf obj a.o": "unknown protocol: nope",
    "filter add dev eth0 ingress bpf obj a.o flowid 10": "no class id: 10",
    "filter add dev eth0 ingress bpf obj a.o flowid 1:10000": "no class id: 1:10000",
    "filter del dev eth0 ingress handle 7": "handle needs pref N",
    "exec bpf graft": "the path of the prog array is missing",
    "exec bpf grift": "unknown word: grift",
    "exec bpf graft /x key 3": "one of object-file and object-pinned",
    "exec bpf graft /x obj a.o": "key N is missing",
}

FOREIGN = {
    "class add dev eth0": "tc class",
    "chain show dev eth0 ingress": "tc chain",
    "qdisc change dev eth0 clsact": "tc qdisc change",
    "qdisc add dev eth0 ingress": "tc qdisc ingress",
    "qdisc add dev eth0 root fq": "tc qdisc root",
    "filter get dev eth0 ingress pref 1 handle 1 bpf": "tc filter get",
    "filter add dev eth0 root bpf obj a.o": "tc filter root",
    "filter add dev eth0 parent 1: bpf obj a.o": "tc filter parent 1:",
    "filter add dev eth0 ingress chain 3 bpf obj a.o": "tc filter chain other than 0",
    "filter add dev eth0 ingress flower": "tc filter flower",
    "filter add dev eth0 ingress bpf obj a.o action drop": "tc filter bpf action",
    "filter add dev eth0 ingress bpf bytecode 1,6": "tc filter bpf bytecode",
    "exec bpf debug": "tc exec bpf debug",
}


@pytest.mark.parametrize("line", GOOD)
def test_lines_that_are_understood(line):
    assert parse(line.split()) == GOOD[line]


@pytest.mark.parametrize("line", BAD)
def test_lines_that_cannot_be_meant_name_the_word(line):
    with pytest.raises(UsageError) as refused:
        parse(line.split())
    assert BAD[line] in str(refused.value)


@pytest.mark.parametrize("line", FOREIGN)
def test_what_tc_can_and_this_cannot_is_named(line):
    with pytest.raises(Unsupported) as refused:
        parse(line.split())
    assert refused.value.feature == FOREIGN[line]


OPTIONS = {
    "filter show": (Display(), "filter show"),
    "-s -d -j filter show": (Display(is_json=True, has_details=True), "filter show"),
    "-json -pretty q": (Display(is_json=True, is_pretty=True), "q"),
    "--json -stats -r kernel --pin-root /p -v f": (Display(), "--json -r kernel --pin-root /p -v f"),
    "-iec -color -t -help": (Display(), "-help"),
    "- -s": (Display(), "- -s"),
    "-s": (Display(), ""),
    "-x f": (Display(), "-x f"),
}
FOREIGN_OPTIONS = {
    "-b file": "-batch",
    "-force -b f": "-force",
    "-n x f": "-netns",
    "-V": "-Version",
    "-N f": "-Numeric",
}


@pytest.mark.parametrize("line", OPTIONS)
def test_options_of_tc_s_before_the_words(line):
    display, rest = OPTIONS[line]
    assert take_display(line.split()) == (display, rest.split())


@pytest.mark.parametrize("line", FOREIGN_OPTIONS)
def test_options_that_mean_more_are_named(line):
    with pytest.raises(Unsupported) as refused:
        take_display(line.split())
    assert refused.value.feature == f"tc {FOREIGN_OPTIONS[line]}"


def test_every_cut_of_a_line_is_a_value_or_an_error_of_ours():
    for line in GOOD:
        words = line.split()
        for count in range(len(words)):
            for cut in (words[:count], [*words[:count], ""], [*words[:count], "\x00\xff"]):
                try:
                    parse(cut)
                except (UsageError, Unsupported):
                    continue


def test_protocol_names_are_unique_enough():
    assert ETHERTYPES["ip"] == ETHERTYPES["ipv4"]
    assert len(set(ETHERTYPES.values())) == len(ETHERTYPES) - 1
