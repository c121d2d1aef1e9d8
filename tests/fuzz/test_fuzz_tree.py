"""A few inputs of the pin tree's fuzz target, in a process, and mounts, of its own."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_becomes_of_a_tree(seed: int) -> None:
    target = Path(__file__).parent / "fuzz_tree.py"
    words = [sys.executable, "-B", str(target), "--seed", str(seed), "--count", "4", "--seconds", "60"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
