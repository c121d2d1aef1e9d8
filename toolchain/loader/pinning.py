"""Pinning live objects by themselves: all or none, directories made, nothing replaced."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import cast

from toolchain.errors import PinError, PinPlace
from toolchain.loader.publish import LostRace, publish
from toolchain.spec.runtime import Handle, ProgHandle, Runtime


def pin_all(runtime: Runtime, pins: Sequence[tuple[Handle, str]]) -> None:
    """Pin objects of any kind; paths are relative to the pin root. Raises PinError, RuntimeUnavailable."""
    try:
        publish(runtime, (), [(cast(ProgHandle, handle), path) for handle, path in pins])
    except LostRace as error:
        raise PinError("somebody else pinned here meanwhile", errno.EEXIST, PinPlace(pins[0][1])) from error
