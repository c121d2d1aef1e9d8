"""eBPF toolchain: assemble, read, link, bind, verify, load, run and pin, with and without a kernel.

The arrows of ARCHITECTURE.md as functions, and the types on them, are here: ``from toolchain import assemble, load``.
Each is imported when it is first asked for, so that ``import toolchain`` costs nothing.
"""

from __future__ import annotations

from toolchain.lazy import lazy_names

__version__ = "0.1.0"

_HOMES = {
    "parse": "toolchain.asm.api",
    "assemble": "toolchain.asm.api",
    "assemble_text": "toolchain.asm.api",
    "disassemble": "toolchain.asm.disassemble",
    "read": "toolchain.elf.reader",
    "write": "toolchain.elf.writer",
    "extract": "toolchain.elf.extract",
    "read_object": "toolchain.loader.objects",
    "link": "toolchain.loader.library",
    "verify": "toolchain.loader.library",
    "load": "toolchain.loader.library",
    "create_map": "toolchain.loader.library",
    "get": "toolchain.loader.library",
    "send": "toolchain.loader.library",
    "receive": "toolchain.loader.library",
    "Map": "toolchain.loader.mapping",
    "Program": "toolchain.loader.library",
    "Link": "toolchain.loader.library",
    "LoadedObject": "toolchain.loader.library",
    "open_runtime": "toolchain.loader.runtimes",
    "possible_cpus": "toolchain.loader.pipeline",
    "read_capture": "toolchain.loader.captures",
    "CaptureWriter": "toolchain.loader.captures",
    "ToolchainError": "toolchain.errors",
    "AsmError": "toolchain.errors",
    "ObjectError": "toolchain.errors",
    "LinkError": "toolchain.errors",
    "PinConflict": "toolchain.errors",
    "Rejected": "toolchain.errors",
    "Unsupported": "toolchain.errors",
    "LoadError": "toolchain.errors",
    "MapError": "toolchain.errors",
    "HandOverError": "toolchain.errors",
    "PinError": "toolchain.errors",
    "RuntimeUnavailable": "toolchain.errors",
    "ObjectSpec": "toolchain.spec.objects",
    "MapSpec": "toolchain.spec.maps",
    "MapType": "toolchain.isa.map_types",
    "ProgType": "toolchain.isa.program_types",
}
"""Public name -> the module that has it."""

__all__ = ["__version__", *_HOMES]
__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
