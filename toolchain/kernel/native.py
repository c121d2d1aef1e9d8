"""The compiled C part of the kernel runtime, loaded once and compared with its declarations.

Raises: ImportError, from importing this, where it is not built or was built from other sources.
"""

from __future__ import annotations

from toolchain.kernel._sys import ffi, lib
from toolchain.kernel.abi import stamp

__all__ = ["ffi", "lib"]

MODULE = "toolchain.kernel._sys"

if getattr(lib, "SYS_ABI_STAMP", 0) != stamp():
    raise ImportError("it was built from other sources than those beside it", name=MODULE)
