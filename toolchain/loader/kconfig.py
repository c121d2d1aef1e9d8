"""Variables that an object declares and a kernel's configuration gives (.kconfig): a data map of constants.

    extern int CONFIG_HZ __kconfig;                  its line of the configuration:  CONFIG_HZ=250
    extern unsigned LINUX_KERNEL_VERSION __kconfig;  what libbpf computes

    .kconfig map  | CONFIG_X, CONFIG_HZ, ... by alignment, then size, then name | read only, frozen: the verifier
                  sees numbers, as in .rodata

A line's value fits some types only:

    y, m, n       bool (not m), enum libbpf_tristate, char
    "text"        char array: without its quotes, cut to fit
    a number      integer that can hold it, char; of LINUX_*: bool too

What the configuration does not say is 0 if the variable is weak, else an error where code refers to it.

The configuration is the file that $BPF_KCONFIG names, else /boot/config-RELEASE, else /proc/config.gz. The kernel
runtime takes LINUX_KERNEL_VERSION and LINUX_HAS_* from the running kernel; the user runtime is Linux 6.18 on x86-64.

Source: libbpf.c, bpf_object__collect_externs(), bpf_object__read_kconfig_file(), set_kcfg_value_tri(), _str(), _num(),
bpf_object__resolve_externs(); libbpf_probes.c, get_kernel_version().
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import ObjectError
from toolchain.spec.objects import DataSpec, ExternSpec, FunctionSpec, ObjectSpec, Reference, ReferenceKind

if TYPE_CHECKING:
    from toolchain.btf import Btf

VARIABLE = "BPF_KCONFIG"
SECTION = ".kconfig"
USER_RELEASE = "6.18.0"
"""The kernel that the user runtime is."""
MAX_CONFIG = 16 << 20
_MAX_SIZE = 1 << 16
_WRAPPERS = ("__x64_sys_bpf", "__arm64_sys_bpf", "__s390x_sys_bpf", "__riscv_sys_bpf")
_TRISTATE = {"n": 0, "y": 1, "m": 2}
_NUMBER = re.compile(r"-?(0x[0-9a-f]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,19})", re.I)
_FORMATS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}


class _NoValueError(Exception):
    """Why a variable has no value."""


def with_kconfig(obj: ObjectSpec) -> ObjectSpec:
    """The object with its .kconfig variables in a data section of their own, for ``obj.target`` or the user runtime.

    Those that have no value stay as they are, with the reason (ExternSpec.fault): linking a program that uses one
    fails.
    Raises: ObjectError where $BPF_KCONFIG names what cannot be read.
    """
    wanted = [each for each in obj.externs if each.section == SECTION]
    if not wanted:
        return obj
    config = _configuration({each.name for each in wanted})
    values: dict[str, tuple[int, bytes]] = {}
    faults: dict[str, str] = {}
    for each in wanted:
        try:
            values[each.name] = _value(obj, each, config)
        except _NoValueError as error:
            faults[each.name] = str(error)
    data, offsets = _laid_out(values)
    return replace(
        obj,
        data=(*obj.data, DataSpec(SECTION, ".rodata", data)) if data else obj.data,
        functions=tuple(_referring(each, offsets) for each in obj.functions),
        externs=tuple(replace(each, fault=faults.get(each.name, "")) for each in obj.externs),
    )


def _laid_out(values: Mapping[str, tuple[int, bytes]]) -> tuple[bytes, dict[str, int]]:
    """The section's bytes, and each variable's offset. ``values`` are alignment and bytes."""
    data, offsets = bytearray(), {}
    for name in sorted(values, key=lambda name: (-values[name][0], len(values[name][1]), name)):
        alignment, value = values[name]
        data += bytes(-len(data) % alignment)
        offsets[name] = len(data)
        data += value
    return bytes(data), offsets


def _referring(function: FunctionSpec, offsets: Mapping[str, int]) -> FunctionSpec:
    """The function, its references to these variables now references to data."""

    def moved(each: Reference) -> Reference:
        if each.kind is not ReferenceKind.EXTERN_DATA or each.target not in offsets:
            return each
        return Reference(each.slot, ReferenceKind.DATA, SECTION, offsets[each.target] + each.addend)

    if not any(each.target in offsets for each in function.references):
        return function
    return replace(function, references=tuple(map(moved, function.references)))


def _value(obj: ObjectSpec, extern: ExternSpec, config: Mapping[str, str] | None) -> tuple[int, bytes]:
    """Alignment and bytes of a variable. Raises _NoValueError."""
    if obj.btf is None or not extern.type_id:
        raise _NoValueError(f"{extern.name} has no type")
    kind = _Kind(obj.btf, extern)
    if not extern.name.startswith("CONFIG_"):
        return kind.alignment, kind.of_number(_virtual(obj, extern), takes_bool=True)
    text = (config or {}).get(extern.name)
    if text is None:
        if extern.is_weak:
            return kind.alignment, bytes(kind.size)
        raise _NoValueError("" if config is None else f"the kernel configuration does not set {extern.name}")
    return kind.alignment, kind.of_text(text)


class _Kind:
    """The type of a variable, as far as it decides which values fit. Raises _NoValueError for one that none fits."""

    def __init__(self, btf: Btf, extern: ExternSpec) -> None:
        from toolchain.btf.types import Array, Enum, Enum64, Int, Var

        var = btf.get(extern.type_id)
        each = btf.resolved(var.type_id) if isinstance(var, Var) else var
        self.name, self.word, self.is_signed = extern.name, "", False
        if isinstance(each, Array) and each.count and _is_char(btf.resolved(each.type_id)):
            self.word, self.size, self.alignment = "string", each.count, 1
        elif isinstance(each, Enum | Enum64) and each.name == "libbpf_tristate" and each.size in _FORMATS:
            self.word, self.size, self.alignment = "tristate", each.size, each.size
        elif isinstance(each, Int) and each.size in _FORMATS:
            self.word = "char" if _is_char(each) else "integer"
            if each.is_bool:
                self.word = "bool" if each.size == 1 else ""
            self.size, self.alignment, self.is_signed = each.size, each.size, each.is_signed
        if not self.word or self.size > _MAX_SIZE:
            kinds = "bool, libbpf_tristate, char, integer, char array"
            raise _NoValueError(f"{extern.name} has a type that no configuration gives ({kinds})")

    def of_text(self, text: str) -> bytes:
        """The bytes of the value that stands in a configuration."""
        if text in _TRISTATE:
            return self._of_tristate(text)
        if text.startswith('"'):
            if self.word != "string" or len(text) < 2 or not text.endswith('"'):
                raise self._misfit(text)
            value = text[1:-1].encode("utf-8", "surrogateescape")
            return value[: self.size - 1].ljust(self.size, b"\0")
        if not _NUMBER.fullmatch(text):
            raise self._misfit(text)
        is_octal = text.lstrip("-").startswith("0") and "x" not in text.lower()
        return self.of_number(int(text, 8 if is_octal else 0))

    def _of_tristate(self, text: str) -> bytes:
        if self.word == "char":
            return text.encode()
        if self.word == "tristate" or (self.word == "bool" and text != "m"):
            return struct.pack(_FORMATS[self.size], _TRISTATE[text])
        raise self._misfit(text)

    def of_number(self, number: int, takes_bool: bool = False) -> bytes:
        """The bytes of a number. Raises _NoValueError where the type cannot hold it."""
        limit = 1 << 8 * self.size
        low, high = (-limit // 2, limit // 2) if self.is_signed else (0, limit)
        if self.word == "bool" and takes_bool:
            low, high = 0, 2
        elif self.word not in ("integer", "char"):
            raise self._misfit(str(number))
        if not low <= number < high and not (self.size == 8 and -limit // 2 <= number < limit):
            raise self._misfit(str(number))
        return struct.pack(_FORMATS[self.size], number % limit)

    def _misfit(self, text: str) -> _NoValueError:
        return _NoValueError(f"{self.name} is a {self.word} of {self.size} bytes and cannot hold: {text[:80]}")


def _is_char(each: object) -> bool:
    """As libbpf knows it: one byte that is no bool."""
    from toolchain.btf.types import Int

    return isinstance(each, Int) and each.size == 1 and not each.is_bool


def _virtual(obj: ObjectSpec, extern: ExternSpec) -> int:
    """The value of a variable that no configuration has."""
    is_running = obj.target is not None
    match extern.name:
        case "LINUX_KERNEL_VERSION":
            return version_code(_running_release() if is_running else USER_RELEASE)
        case "LINUX_HAS_BPF_COOKIE":
            return int(not is_running or version_code(_running_release()) >= version_code("5.15"))
        case "LINUX_HAS_SYSCALL_WRAPPER":
            return int(obj.target is None or any(map(obj.target.address, _WRAPPERS)))
    if extern.is_weak and extern.name.startswith("LINUX_"):
        return 0
    raise _NoValueError(f"{extern.name} is no variable of a kernel configuration (CONFIG_*, LINUX_KERNEL_VERSION)")


def version_code(release: str) -> int:
    """KERNEL_VERSION of ``6.18.44-x``: 0x61200 + 44. Each part after the first has a byte."""
    parts = []
    for part in release.split(".")[:3]:
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        parts.append(int(digits[:4] or 0))
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    return (major << 16) + (min(minor, 255) << 8) + min(patch, 255)


def _running_release() -> str:
    """The version of the kernel that runs; distributions hide it in other places than uname's release."""
    try:
        with open("/proc/version_signature") as file:
            return file.read(256).split()[-1]
    except (OSError, IndexError):
        pass
    system = os.uname()
    _, is_debian, rest = system.version.partition("Debian ")
    return rest if is_debian else system.release


def _configuration(names: set[str]) -> dict[str, str] | None:
    """The lines of the kernel configuration that set one of ``names``; None where none can be read."""
    from toolchain.loader.objects import read_bytes

    given = os.environ.get(VARIABLE, "")
    for path in [given] if given else [f"/boot/config-{os.uname().release}", "/proc/config.gz"]:
        if given or os.path.exists(path):
            try:
                return _lines(_plain(path, read_bytes(path)), names)
            except ObjectError:
                if given:
                    raise
    return None


def _plain(path: str, data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data[:MAX_CONFIG]
    import zlib

    from toolchain.errors import FilePlace

    try:
        return zlib.decompressobj(31).decompress(data, MAX_CONFIG)
    except zlib.error as error:
        raise ObjectError(f"cannot unpack: {error}", FilePlace(path)) from error


def _lines(data: bytes, names: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in data.splitlines():
        name, equals, value = line.partition(b"=")
        if equals and name.startswith(b"CONFIG_"):
            text = name.decode("utf-8", "surrogateescape")
            if text in names:
                found.setdefault(text, value.decode("utf-8", "surrogateescape"))
    return found
