import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain.pin import ObjectStore


@pytest.fixture
def root() -> Iterator[Path]:
    """A place for a tree that is not there yet, in memory where there is such a place."""
    directory = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield directory / "tree"
    shutil.rmtree(directory)


@pytest.fixture
def store(root: Path) -> ObjectStore:
    return ObjectStore(str(root))
