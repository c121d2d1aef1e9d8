"""bpf-load doctor: what works here, and what to do about the rest."""

import os
import sys

from toolchain.cli.doctor_command import kernel_findings
from toolchain.spec.findings import Finding, State


def test_text_names_both_runtimes_and_every_remedy(bpf_load):
    outcome = bpf_load("doctor")
    assert outcome.status == 0, outcome
    lines = outcome.out.splitlines()
    assert "user runtime: works (-r)" in lines
    assert any(line.startswith("kernel runtime: ") for line in lines)
    for number, line in enumerate(lines):
        if line.startswith("  fail"):
            assert "remedy: " in lines[number + 1]


def test_json_has_a_row_for_each_line(bpf_load):
    outcome = bpf_load("--json", "doctor")
    assert outcome.json["schema"] == "bpf-load.doctor/1"
    assert outcome.json["runtime"] == "user"
    assert set(outcome.json["runtimes"]) == {"user", "kernel"}
    for runtime in outcome.json["runtimes"].values():
        assert runtime["works"] == all(each["state"] != "fail" for each in runtime["checks"])
        for each in runtime["checks"]:
            assert set(each) == {"name", "state", "text", "remedy"}
            assert each["remedy"] or each["state"] != "fail"


def test_a_pin_root_that_cannot_be_used(bpf_load, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    outcome = bpf_load("--pin-root", path, "doctor")
    assert outcome.status == 5
    assert "user runtime: does not work (-r)" in outcome.out
    assert "pin root is not a directory" in outcome.out


def test_a_file_system_without_unnamed_files(bpf_load):
    outcome = bpf_load("--pin-root", "/proc/here", "doctor")
    assert outcome.status == 5
    assert "remedy: choose a directory on tmpfs" in outcome.out


def test_parts_that_are_not_built(bpf_load, monkeypatch):
    monkeypatch.setitem(sys.modules, "toolchain.vm", None)
    monkeypatch.setitem(sys.modules, "toolchain.kernel", None)
    outcome = bpf_load("doctor")
    assert outcome.status == 5
    assert outcome.out.count("cannot be imported") == 2
    assert outcome.out.count("remedy: run make") == 2


def test_the_runtime_meant_decides_the_exit_status(bpf_load, monkeypatch):
    bad = Finding("bpffs", State.FAIL, "none is mounted", "mount one")
    monkeypatch.setattr("toolchain.cli.doctor_command.kernel_findings", lambda settings: [bad])
    assert bpf_load("doctor").status == 0
    assert bpf_load("-r", "kernel", "doctor").status == 5
    assert "  fail  bpffs" in bpf_load("doctor").out


def test_each_answer_about_the_kernel_is_found_out_without_a_trace():
    from toolchain.cli.common import Settings

    before = sorted(os.listdir("/proc/self/fd"))
    names = [each.name for each in kernel_findings(Settings())]
    assert {"capabilities", "maps", "programs", "JIT", "bpffs", "kernel types", "TCX"} <= set(names)
    assert sorted(os.listdir("/proc/self/fd")) == before
