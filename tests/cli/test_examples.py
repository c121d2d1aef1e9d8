"""The examples that need no kernel, as one would run them. tests/kernel runs them on both runtimes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BINARIES = Path(sys.executable).parent


@pytest.fixture(scope="module")
def assembled():
    command = ["make", "-s", "-C", str(EXAMPLES), "assembled", f"BPF_AS={BINARIES / 'bpf-as'}"]
    subprocess.run(command, check=True, capture_output=True)


def run(pin_root: str, *words: object) -> str:
    environment = {
        **os.environ,
        "BPF_LOAD": str(BINARIES / "bpf-load"),
        "BPF_RUNTIME": "user",
        "BPF_PIN_ROOT": pin_root,
    }
    done = subprocess.run([str(each) for each in words], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.usefixtures("assembled")
def test_the_session_of_pin_and_get(pin_root):
    lines = run(pin_root, "sh", EXAMPLES / "pin_get.sh").splitlines()
    assert "1: 42" in lines
    assert "  prog 1, link 1" in lines
    assert len([line for line in lines if line.startswith("$ bpf-load")]) == 9
    assert not os.path.exists(pin_root), "it has a tree of its own, and removes it"


@pytest.mark.usefixtures("assembled")
def test_the_same_with_the_library(pin_root):
    out = run(pin_root, sys.executable, EXAMPLES / "pin_get.py", EXAMPLES / "ingress.o", "eth0")
    assert out == "numbers[1] = 42\ningress at eth0 ingress, one packet: 0\n"
