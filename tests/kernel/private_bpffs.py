"""A BPF file system that only this process and its children see: pins of tests never reach the machine's own.

It covers /sys/fs/bpf, so that other tools pin there too.
"""

from __future__ import annotations

import ctypes
import functools
import os

DIRECTORY = "/sys/fs/bpf"
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x00020000, 0x4000, 1 << 18


@functools.cache
def mounted() -> str:
    """The directory on which it is mounted, '' where this process may not mount. Made once; goes with the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        return ""
    if not os.path.isdir(DIRECTORY) or libc.mount(b"bpf", DIRECTORY.encode(), b"bpf", 0, b"mode=0700"):
        return ""
    return DIRECTORY
