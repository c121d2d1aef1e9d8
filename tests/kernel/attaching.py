"""What the tests of attaching share: when they can run, and the veth's address."""

from __future__ import annotations

import os

import pytest

from tests.kernel import oracle
from tests.kernel.netns import Net, missing_tools


def why_unavailable(*tools: str) -> str:
    if oracle.why_unavailable():
        return oracle.why_unavailable()
    if os.geteuid():
        return "needs root"
    missing = missing_tools(("ip", "unshare", "nsenter", "ping", "mount", "sysctl", *tools))
    return f"not installed: {', '.join(missing)}" if missing else ""


def marks(*tools: str) -> list[pytest.MarkDecorator]:
    """For a module's pytestmark."""
    reason = why_unavailable(*tools)
    return [pytest.mark.kernel, pytest.mark.skipif(bool(reason), reason=reason or "available")]


def address_of(net: Net) -> bytes:
    """v0's Ethernet address."""
    (row,) = net.left.run("ip", "-j", "link", "show", "dev", "v0").json
    return bytes.fromhex(row["address"].replace(":", ""))
