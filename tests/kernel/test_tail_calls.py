"""Objects with tail calls out of functions, which take type information: both runtimes give the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel import oracle

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]
SOURCES = sorted((Path(__file__).parents[1] / "data" / "tail").glob("*.s"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda each: each.stem)
def test_both_runtimes(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "tail.o"
    begin = "from toolchain.cli.entry import {0}; {0}()"
    subprocess.run([sys.executable, "-c", begin.format("bpf_as"), "-g", "-o", target, source], check=True)
    command = [sys.executable, "-c", begin.format("bpf_load"), "--pin-root", tmp_path / "pins"]
    done = subprocess.run([*command, "run", target, "--program", "entry", "--both"], capture_output=True, text=True)
    assert (done.returncode, "equal on both runtimes" in done.stdout) == (0, True), done.stderr
