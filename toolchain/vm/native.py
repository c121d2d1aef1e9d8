"""The compiled C core, loaded once and compared with the sources beside it.

Raises: ImportError, from importing this, where it is not built or was built from other sources.
"""

from __future__ import annotations

import contextlib

from toolchain.vm._core import ffi, lib
from toolchain.vm.abi import stamp

__all__ = ["ffi", "lib"]

MODULE = "toolchain.vm._core"

with contextlib.suppress(OSError):  # an installation without the headers has nothing to compare with
    if getattr(lib, "VM_ABI_STAMP", 0) != stamp():
        raise ImportError("it was built from other sources than those beside it", name=MODULE)
