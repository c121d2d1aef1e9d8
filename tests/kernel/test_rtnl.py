"""The packing of netlink messages, beside pyroute2's; and answers that are cut short."""

from __future__ import annotations

import contextlib
import random

import pytest

from tests.kernel import oracle
from toolchain.errors import LoadError, RuntimeUnavailable
from toolchain.kernel import rtnl
from toolchain.kernel.netlink import _TCMSG, Filter, _decoded

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]


def test_a_filter_is_packed_as_pyroute2_packs_it():
    tcmsg = pytest.importorskip("pyroute2.netlink.rtnl.tcmsg", reason="pyroute2 is not installed").tcmsg
    options = {
        "attrs": [("TCA_BPF_CLASSID", 7), ("TCA_BPF_FD", 5), ("TCA_BPF_NAME", "in.o:[tc]"), ("TCA_BPF_FLAGS", 1)]
    }
    message = tcmsg()
    message["attrs"] = [("TCA_KIND", "bpf"), ("TCA_OPTIONS", options)]
    message.encode()
    theirs = bytes(message.data[16 + _TCMSG.size : message["header"]["length"]])
    own = rtnl.packed(((1, "bpf"), (2, ((3, 7), (6, 5), (7, "in.o:[tc]"), (8, 1)))))
    assert rtnl.unpacked(own)[1] == rtnl.unpacked(theirs)[1] == b"bpf\0"
    assert rtnl.unpacked(rtnl.unpacked(own)[2]) == rtnl.unpacked(rtnl.unpacked(theirs)[2])
    assert len(own) % 4 == 0


def test_xdp_is_packed_as_pyroute2_packs_it():
    ifinfmsg = pytest.importorskip("pyroute2.netlink.rtnl.ifinfmsg", reason="pyroute2 is not installed").ifinfmsg
    message = ifinfmsg()
    message["attrs"] = [("IFLA_XDP", {"attrs": [("IFLA_XDP_FD", -1), ("IFLA_XDP_FLAGS", 1)]})]
    message.encode()
    theirs = rtnl.unpacked(bytes(message.data[32 : message["header"]["length"]]))
    own = rtnl.unpacked(rtnl.packed(((43, ((1, -1), (3, 1))),)))
    assert rtnl.unpacked(own[43]) == rtnl.unpacked(theirs[43])


def test_what_is_packed_is_unpacked():
    own = rtnl.unpacked(rtnl.packed(((1, "name"), (2, 258), (3, b"\1\2\3"), (4, ()), (5, ((1, "inner"),)))))
    assert (rtnl.text(own, 1), rtnl.number(own, 2), own[3], own[4]) == ("name", 258, b"\1\2\3", b"")
    assert rtnl.text(rtnl.unpacked(own[5]), 1) == "inner"
    assert (rtnl.text(own, 9), rtnl.number(own, 9)) == ("", 0)


def test_whatever_bytes_come():
    rng = random.Random(7)
    good = rtnl.packed(((1, "bpf"), (2, ((6, 5), (10, bytes(8)), (11, 3)))))
    for _ in range(2000):
        data = bytearray(good if rng.random() < 0.7 else rng.randbytes(rng.randrange(80)))
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        data = data[: rng.randrange(len(data) + 1)]
        row = rtnl.Row(rng.randbytes(_TCMSG.size), rtnl.unpacked(bytes(data)))
        assert isinstance(_decoded(row), Filter)
        list(rtnl._messages(bytes(data), rng.randrange(3)))
        with contextlib.suppress(LoadError, RuntimeUnavailable):
            rtnl._check(bytes(data), "request", {})
