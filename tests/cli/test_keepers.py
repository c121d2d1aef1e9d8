"""Who keeps an object alive, as show tells it: pins, processes, programs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_objects import counter
from toolchain.processes import file_info, name_of, open_files
from toolchain.vm import UserRuntime

HOLD = """
import sys
from toolchain.vm import UserRuntime
runtime = UserRuntime(sys.argv[1])
handles = [runtime.get(path) for path in sys.argv[2:]]
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holding(pin_root):
    """A function that starts a process which holds pins open."""
    started = []

    def start(*paths: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, pin_root, *paths]
        held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(held)
        assert held.stdout is not None
        assert held.stdout.readline() == "ready\n"
        return held

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_a_process_that_holds_a_program_holds_its_maps_too(bpf_load, written, holding):
    assert bpf_load("load", written(counter()), "--pin", "p").status == 0
    held = holding("p")
    comm = Path(f"/proc/{held.pid}/comm").read_text().strip()
    pids = [{"pid": held.pid, "comm": comm}]
    assert bpf_load("--json", "prog", "show", "p").json["program"]["pids"] == pids
    shared = bpf_load("--json", "map", "show", "tc/globals/acc").json["map"]
    assert (shared["pids"], shared["prog_ids"], shared["pinned"]) == (pids, [1], ["tc/globals/acc"])
    assert bpf_load("--json", "map", "show").json["maps"] == [shared]
    line = bpf_load("map", "show", "tc/globals/acc").out
    assert line.endswith(f", pinned at tc/globals/acc, held by {comm} ({held.pid}), used by prog 1\n")
    held.kill()
    held.wait()
    assert bpf_load("--json", "prog", "show", "p").json["program"]["pids"] == []


def test_several_holders_and_several_pins(bpf_load, written, holding, pin_root):
    assert bpf_load("load", written(counter()), "--pin", "p").status == 0
    os.link(os.path.join(pin_root, "p"), os.path.join(pin_root, "q"))
    pids = sorted(holding("p", "q").pid for _ in range(3))
    program = bpf_load("--json", "prog", "show", "q").json["program"]
    assert program["pinned"] == ["p", "q"]
    assert [each["pid"] for each in program["pids"]] == pids, "each process once"


def test_the_same_inode_number_of_another_file_system_is_nobody(pin_root, tmp_path):
    """Inodes are only numbers: the device counts too."""
    from toolchain.vm import holders

    inodes = {os.stat("/proc/self/exe").st_ino: {0: 7}}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert not any(holders._object_of(pid, number, inodes) for pid, number, _ in open_files() if pid == other.pid)
        other.kill()


def test_keys_of_show(bpf_load, written):
    """bpftool's, on both runtimes (tests/kernel/test_holders.py asks bpftool itself)."""
    assert bpf_load("load", written(counter()), "--pin", "p").status == 0
    shared = bpf_load("--json", "map", "show", "tc/globals/acc").json["map"]
    assert {"id", "type", "name", "flags", "bytes_key", "bytes_value", "max_entries", "bytes_memlock", "frozen",
            "pinned", "pids"} <= shared.keys()  # fmt: skip
    program = bpf_load("--json", "prog", "show", "p").json["program"]
    assert {"id", "type", "name", "tag", "gpl_compatible", "loaded_at", "uid", "bytes_xlated", "jited",
            "bytes_memlock", "map_ids", "pinned", "pids"} <= program.keys()  # fmt: skip
    with UserRuntime(os.environ["BPF_PIN_ROOT"]).get("p") as handle:
        created = handle.stored.header.created_ns // 10**9
    assert abs(program["loaded_at"] - created) <= 1


def test_processes_that_end_meanwhile_are_no_error():
    assert file_info(2**22, "0") == {}
    assert name_of(2**22) == ""
    with subprocess.Popen(["sleep", "60"]) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert [pid for pid, _, _ in open_files() if pid == other.pid] == []


def test_what_others_put_into_the_tree_holds_nothing(bpf_load, written, pin_root):
    assert bpf_load("load", written(counter()), "--pin", "p").status == 0
    refs = Path(pin_root) / ".bpf" / "refs"
    (refs / "prog7").write_text("a file")
    (refs / "program").mkdir()
    (refs / "prog8").mkdir()
    (refs / "prog8" / "odd").mkdir()
    assert bpf_load("--json", "map", "show", "tc/globals/acc").json["map"]["prog_ids"] == [1]
