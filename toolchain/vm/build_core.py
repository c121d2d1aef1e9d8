"""Builds the C core as the extension module ``toolchain.vm._core`` (cffi, API mode); run by setup.py only.

    core/api.h, core/map.h   declarations only: cffi and the compiler read the same text
    core/*.c                 each file is compiled by itself, all but what one of them includes
    _core.*.so               the module; only toolchain/vm imports it, and cffi itself is never imported at run time

The interpreter wants every handler to end in a jump of its own, so that the processor's predictor sees one branch an
instruction: -fno-gcse and -fno-crossjumping keep gcc from merging them (gcc's manual, -fgcse, on computed gotos).
"""

from __future__ import annotations

import runpy
from pathlib import Path

from cffi import FFI  # type: ignore[import-untyped]

CORE = Path(__file__).parent / "core"
ABI = runpy.run_path(str(Path(__file__).parent / "abi.py"))
"""abi.py, without the package around it: nothing of that can be imported before the module is built."""
COMPILE_FLAGS = (
    "-std=gnu11", "-O2", "-fno-gcse", "-fno-crossjumping", "-fno-strict-aliasing", "-fvisibility=hidden",
    "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
)  # fmt: skip


def sources() -> list[str]:
    """The C files of the core, relative to the project's root as setuptools wants them."""
    root = CORE.parents[2]
    return sorted(str(path.relative_to(root)) for path in CORE.glob("*.c"))


def builder() -> FFI:
    """The FFI whose compile() makes the module."""
    ffi = FFI()
    ffi.cdef(ABI["declarations"]())
    ffi.cdef("#define VM_ABI_STAMP ...")
    ffi.set_source(
        "toolchain.vm._core",
        f'#define VM_ABI_STAMP {ABI["stamp"]()}u\n#include "core.h"\n',
        sources=sources(),
        include_dirs=[str(CORE.relative_to(CORE.parents[2]))],
        depends=[str(path.relative_to(CORE.parents[2])) for path in CORE.glob("*.[hc]")],
        extra_compile_args=list(COMPILE_FLAGS),
        py_limited_api=True,
    )
    return ffi


ffibuilder = builder()
