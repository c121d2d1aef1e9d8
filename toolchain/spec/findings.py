"""What a look at the machine found: the lines of ``bpf-load doctor``."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """The runtime works, something that it can do does not."""
    FAIL = "fail"
    """The runtime cannot be used."""


class Finding(NamedTuple):
    """One question and its answer. ``remedy`` is what to do, '' where nothing need be done."""

    name: str
    state: State
    text: str
    remedy: str = ""
