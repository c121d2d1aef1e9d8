"""The C core's maps alone, under sanitizers where the compiler has them; see map_fuzz.c."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "toolchain/vm/core"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory) -> Path:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("fuzz") / "map_fuzz"
    sources = [HERE / "map_fuzz.c", *sorted(CORE.glob("map_*.c"))]
    command = ["cc", "-std=gnu11", "-O1", "-g", f"-I{CORE}", "-o", program, *sources, "-lpthread"]
    if subprocess.run([*command, *SANITIZERS], capture_output=True).returncode != 0:
        subprocess.run(command, check=True)
    return program


def test_a_second_of_random_maps(fuzzer):
    seed = os.environ.get("FUZZ_SEED", str(time.time_ns() % 1_000_000_007))
    done = subprocess.run(
        [fuzzer, seed, os.environ.get("FUZZ_SECONDS", "1")], capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stderr}"
