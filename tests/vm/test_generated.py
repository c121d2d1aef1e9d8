"""What is generated for the C core is up to date, and a second of its fuzzer finds nothing."""

import subprocess
import sys
from pathlib import Path

from toolchain.vm.gen_forms import FORMS_HEADER, forms_header

FUZZER = Path(__file__).parents[1] / "fuzz" / "fuzz_vm.py"


def test_forms_header_is_up_to_date() -> None:
    assert FORMS_HEADER.read_text() == forms_header(), "run: python -m toolchain.vm.gen_forms"


def test_a_second_of_fuzzing() -> None:
    ended = subprocess.run([sys.executable, str(FUZZER), "--seconds", "1"], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
