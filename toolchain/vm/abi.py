"""What the compiled C core and the Python beside it must agree on: the text of the headers that both read.

build_core.py puts the stamp of that text into the module (VM_ABI_STAMP), native.py compares it when it loads that. So
a module that was built from other sources (a pull without make) says so, and is not called with other arguments.
"""

from __future__ import annotations

import binascii
import os

CORE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "core")
HEADERS = ("api.h", "map.h")
"""What Python may call, in the order of inclusion."""
CALLBACKS = 'extern "Python" void *vm_py_resolve(void *resolver, uint64_t holder, uint32_t id);'
"""What C may call: targets.py, as a vm_resolve_fn."""


def declarations() -> str:
    """All that Python may call and be called by: the text of the headers, and the callbacks. Raises OSError."""
    texts = []
    for name in HEADERS:
        with open(os.path.join(CORE, name), encoding="utf-8") as file:
            texts.append(file.read())
    return "\n".join([*texts, CALLBACKS])


def stamp() -> int:
    """A number for the text of the declarations. Raises OSError."""
    return binascii.crc32(declarations().encode())
