"""bpf-load doctor about a live kernel: with all capabilities, with none, with and without a bpffs."""

import ctypes
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.kernel import oracle, private_bpffs

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]


def checks(pin_root: str, **run) -> tuple[int, dict[str, dict[str, str]]]:
    command = [ROOT / "bin/bpf-load", "-r", "kernel", "--pin-root", pin_root, "--json", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, **run)
    document = json.loads(done.stdout)
    return done.returncode, {each["name"]: each for each in document["runtimes"]["kernel"]["checks"]}


def test_all_is_well_where_the_other_tests_run():
    if not private_bpffs.mounted():
        pytest.skip("this process may not mount a bpffs")
    status, found = checks(private_bpffs.mounted())
    assert status == 0
    assert found["capabilities"]["state"] == found["bpffs"]["state"] == "ok"
    for name in ("array", "hash", "ringbuf"):
        assert name not in found["maps"]["text"]
    assert "sched_cls" not in found["programs"]["text"]


def test_no_bpffs(tmp_path):
    status, found = checks(str(tmp_path))
    assert status == 5
    assert found["bpffs"]["state"] == "fail"
    assert f"mount -t bpf bpf {tmp_path}" in found["bpffs"]["remedy"]
    assert [name for name, each in found.items() if each["state"] == "fail"] == ["bpffs"]


def drop_capabilities() -> None:
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")
def test_no_capabilities(tmp_path):
    status, found = checks(str(tmp_path), preexec_fn=drop_capabilities)
    assert status == 5
    assert found["capabilities"]["state"] == "fail"
    assert "CAP_BPF" in found["capabilities"]["text"]
    for name in ("maps", "programs"):
        if found["unprivileged_bpf_disabled"]["text"][0] in "12":
            assert found[name]["state"] == "fail"
            assert "EPERM" in found[name]["text"]
            assert "CAP_BPF" in found[name]["remedy"]
