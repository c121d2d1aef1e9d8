"""A map operation killed after each of its machine instructions; see step_kill.c."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "toolchain/vm/core"
NO_PTRACE = 77


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_killed_after_every_instruction(tmp_path):
    program = tmp_path / "step_kill"
    sources = [HERE / "step_kill.c", *sorted(CORE.glob("map_*.c"))]
    subprocess.run(["cc", "-std=gnu11", "-O2", f"-I{CORE}", "-o", program, *sources, "-lpthread"], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    if done.returncode == NO_PTRACE:
        pytest.skip("ptrace is not permitted here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" instructions, ") == 16
