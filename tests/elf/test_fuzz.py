"""A second of the object fuzzer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).parents[1] / "fuzz" / "fuzz_object.py"


def test_a_second_of_fuzzing(tmp_path: Path) -> None:
    command = [sys.executable, str(TARGET), "--seconds", "1", "--keep", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
