"""Fixtures for all tests."""

import os
import signal
import tempfile
from collections.abc import Iterator

import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as shells start what they put into the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def pin_root() -> Iterator[str]:
    """A pin root of the test's own, not made yet, where unnamed files are possible."""
    directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pins-", dir=directory) as above:
        yield os.path.join(above, "pins")
