"""A BPF file system that only this process and its children see: pins of tests never reach the machine's own."""

from __future__ import annotations

import ctypes
import functools
import os
import tempfile

from toolchain.errors import RuntimeUnavailable
from toolchain.kernel import bpffs

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x00020000, 0x4000, 1 << 18


@functools.cache
def mounted() -> str:
    """The directory on which it is mounted, '' where this process may not mount. Made once; goes with the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        return ""
    directory = tempfile.mkdtemp(prefix="bpffs-")
    try:
        bpffs.mount(directory)
    except RuntimeUnavailable:
        os.rmdir(directory)
        return ""
    return directory
