"""Fixtures for tests against the live kernel.

The command and files of the tests of the commands; for what is attached a network for each test, and objects assembled
from tests/data/attach.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import bpf_load, written
from tests.kernel.netns import ROOT, Net, network

__all__ = ["assembled", "bpf_load", "net", "written"]

DATA = ROOT / "tests" / "data" / "attach"


@pytest.fixture
def net() -> Iterator[Net]:
    with network() as made:
        yield made


@pytest.fixture
def assembled(tmp_path: Path) -> Callable[..., Path]:
    """assembled("xdp", PINNING=1): the object of tests/data/attach/xdp.s."""

    def assemble(name: str, **symbols: int) -> Path:
        suffix = "".join(f"-{value}" for value in symbols.values())
        out = tmp_path / f"{name}{suffix}.o"
        defined = [word for symbol, value in symbols.items() for word in ("-D", f"{symbol}={value}")]
        subprocess.run(
            [ROOT / "bin" / "bpf-as", *defined, "-o", out, DATA / f"{name}.s"], check=True, capture_output=True
        )
        return out

    return assemble
