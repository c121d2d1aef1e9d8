"""eBPF toolchain: assemble, read, link, bind, verify, load, run and pin, with and without a kernel.

The arrows of ARCHITECTURE.md as functions are re-exported here lazily, so that
``import toolchain`` costs nothing and a command imports only what it uses.
"""

from __future__ import annotations

__version__ = "0.1.0"
