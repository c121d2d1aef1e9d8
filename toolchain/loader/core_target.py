"""Which types answer an object's CO-RE relocations: the running kernel's, or those of a file.

    given path (--btf FILE)  >  $BPF_BTF  >  /sys/kernel/btf/vmlinux

A file is what ``bpftool btf dump`` and ``pahole -J`` make: raw type information, or an ELF object with a ``.BTF``
section. So programs can be verified for a kernel other than the one that runs. Types of modules are not looked at.

The running kernel's types are read when a relocation asks: most objects have none. A file that is named is read at
once, so that a wrong name is no verdict on a program. Decoding the kernel's 126,000 types takes 25 ms, and
an index of their names as much.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import ObjectError, SectionPlace, Unsupported
from toolchain.spec.objects import ObjectSpec

if TYPE_CHECKING:
    from toolchain.btf import Btf

VARIABLE = "BPF_BTF"


class TypesOf:
    """The types of the file at ``path``; '' = $BPF_BTF, else the running kernel's.

    Raises: ObjectError (no such file, or not type information).
    """

    __slots__ = ("_types", "path")

    def __init__(self, path: str = "") -> None:
        self.path = path or os.environ.get(VARIABLE, "")
        self._types = _read(self.path) if self.path else None

    @property
    def types(self) -> Btf:
        """The types. Raises Unsupported where the running kernel's cannot be read."""
        if self._types is None:
            self._types = _running()
        return self._types


def with_core_types(obj: ObjectSpec, types: TypesOf | None = None) -> ObjectSpec:
    """The object, its CO-RE relocations to be resolved against these types. Raises ObjectError ($BPF_BTF)."""
    return replace(obj, core_types=types or TypesOf())


def _read(path: str) -> Btf:
    from toolchain.btf.codec import Btf
    from toolchain.loader.objects import read_bytes, read_object

    data = read_bytes(path)
    if data[:4] != b"\x7fELF":
        return Btf.decode(data, path=path)
    found = read_object(path).btf
    if found is None:
        raise ObjectError("no type information in the file", SectionPlace(path, ".BTF"))
    return found


def _running() -> Btf:
    from toolchain.kernel.attach_target import KERNEL_TYPES, kernel_types

    types = kernel_types()
    if types is None:
        raise Unsupported(f"CO-RE relocations without the kernel's types: {KERNEL_TYPES} cannot be read")
    return types
