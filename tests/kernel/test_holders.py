"""``show`` and ``dump`` on the kernel runtime, beside bpftool: the same keys, the same values; and who holds what."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.attaching import marks
from tests.kernel.netns import BPF_LOAD, EXAMPLES

pytestmark = marks("bpftool")

INGRESS = EXAMPLES / "ingress.o"
OURS_ONLY = {"uid", "insns", "prog_ids", "pids", "pinned"}
"""Keys that bpftool does not have, or (the last two) has only as it was built and asked."""


def bpftool(net, *words: str):
    return json.loads(net.left.do("bpftool", "-j", *words))


@pytest.mark.parametrize("kind", ["map", "prog"])
def test_the_keys_and_values_of_show_are_those_of_bpftool(net, kind):
    net.ok("load", INGRESS, "--pin", "dir/p")
    net.left.do("ln", "/sys/fs/bpf/dir/p", "/sys/fs/bpf/q")
    path = {"map": "tc/globals/acc", "prog": "q"}[kind]
    theirs = bpftool(net, "-f", kind, "show", "pinned", f"/sys/fs/bpf/{path}")
    ours = net.json(kind, "show", path)[{"map": "map", "prog": "program"}[kind]]
    pinned = {os.path.join("/sys/fs/bpf", each) for each in ours["pinned"]}
    assert pinned == set(theirs.pop("pinned"))
    assert ours | theirs == ours, "each of bpftool's keys, with its value"
    assert ours.keys() - theirs.keys() <= OURS_ONLY
    listed = net.json(kind, "show")[{"map": "maps", "prog": "programs"}[kind]]
    assert [row for row in listed if row["id"] == ours["id"]] == [ours]


def test_run_counts_while_the_kernel_keeps_them(net):
    net.ok("load", INGRESS, "--pin", "p")
    setting = Path("/proc/sys/kernel/bpf_stats_enabled")
    before = setting.read_text()
    setting.write_text("1")
    try:
        net.ok("run", "p", "--packet", "00" * 64, "--repeat", "5")
    finally:
        setting.write_text(before)
    theirs = bpftool(net, "prog", "show", "pinned", "/sys/fs/bpf/p")
    ours = net.json("prog", "show", "p")["program"]
    assert ours["run_cnt"] == theirs["run_cnt"] >= 5
    assert ours["run_time_ns"] == theirs["run_time_ns"]
    assert f"{ours['run_cnt']} runs in {ours['run_time_ns']} ns" in net.ok("prog", "show", "p")


def test_links_by_bpftool_s_keys(net):
    net.ok("attach", INGRESS, "v0", "ingress", "--pin", "in")
    ours = net.json("link", "show", "in")["link"]
    theirs = bpftool(net, "link", "show", "id", str(ours["id"]))
    assert {name: ours[name] for name in ("id", "prog_id")} == {name: theirs[name] for name in ("id", "prog_id")}
    assert (ours["type"], ours["devname"], ours["attach_type"]) == ("tcx", "v0", "tcx_ingress")
    assert (ours["pinned"], ours["pids"]) == (["in"], [])


def test_a_process_that_holds_a_link_its_program_and_its_map(net):
    holder = net.left.start(
        *BPF_LOAD, "-r", "kernel", "attach", INGRESS, "v0", "ingress", "--hold", stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        number = holder.stdout.readline().split(":")[0].removeprefix("link ")
        row = net.json("link", "show", "id", number)["link"]
        assert row in net.json("link", "show")["links"]
        comm = Path(f"/proc/{holder.pid}/comm").read_text().strip()
        me = {"pid": holder.pid, "comm": comm}
        assert row["pids"] == [me]
        assert f"held by {comm} ({holder.pid})" in net.ok("link", "show", "id", str(row["id"]))
        program = net.json("prog", "show", "id", str(row["prog_id"]))["program"]
        assert program["pids"] in ([], [me]), "the link alone keeps the program alive"
        shared = net.json("map", "show", "id", str(program["map_ids"][0]))["map"]
        assert shared["prog_ids"] == [program["id"]]
        assert f"used by prog {program['id']}" in net.ok("map", "show", "id", str(shared["id"]))
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    assert net.json("link", "show", "v0", "ingress")["attached"] == []


def test_a_user_without_rights_sees_its_own_and_no_error(net):
    """Another user may read a pin that its mode allows: neither programs nor other users' processes are visible."""
    net.ok("load", INGRESS, "--pin", "p")
    for path in ("/sys/fs/bpf", "/sys/fs/bpf/tc", "/sys/fs/bpf/tc/globals"):
        net.left.do("chmod", "755", path)
    net.left.do("chmod", "644", "/sys/fs/bpf/tc/globals/acc")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from toolchain.cli.bpf_load import main\n"
        "main(['-r', 'kernel', '--json', 'map', 'show', 'tc/globals/acc'])\n"
    )
    done = net.left.run(
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        sys.executable, "-c", program, str(Path(__file__).parents[2]),
    )  # fmt: skip
    assert done.status == 0, done.err
    assert (done.json["map"]["prog_ids"], done.json["map"]["pids"]) == ([], [])
