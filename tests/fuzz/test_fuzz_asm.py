"""A second of the assembler's fuzz target, with the seed in the test's name."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_asm import run


@pytest.mark.parametrize("seed", [1, 2])
def test_any_text_gives_an_object_or_an_error(seed: int) -> None:
    tried, assembled = run(0.5, seed)
    assert tried >= 50
    assert assembled
