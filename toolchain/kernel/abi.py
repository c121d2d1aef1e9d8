"""What the compiled C part of the kernel runtime and the Python beside it must agree on: its declarations.

build_sys.py puts their stamp into the module (SYS_ABI_STAMP), native.py compares it when it loads the module.
"""

from __future__ import annotations

import binascii

DECLARATIONS = """
    long bpf_sys(int command, void *attr, unsigned int size);
    int mount_bpffs(const char *target);
    int fill_arena(int fd, uint64_t address, uint64_t size, const void *data, uint64_t data_size);
"""


def stamp() -> int:
    """A number for the text of the declarations."""
    return binascii.crc32(DECLARATIONS.encode())
