"""The first page of an object file: what the object is, in a form that can be checked before it is believed.

    offset  size
    0       8     magic "BPFOBJ" 01 00
    8       4     version            12   4   kind (1 map, 2 prog, 3 link)
    16      8     id                 24   8   data_size: bytes of data from offset 4096 on
    32      8     btf_offset         40   8   btf_size: raw type information, behind the data
    48      8     dev                56   8   ino: of this very file, so that a copy is not taken for the object
    64      4     uid                68   4   ref_count: objects that this one keeps alive (SLOTS: as its data says)
    72      8     created_ns         80  32   SHA-256 of the type information, zeros if none
    112     4     name_size         116   4   spec_size
    120     4     crc32 of everything but itself and the boot id
    124     4     (zero)
    128    16     boot id of the boot in which the object's locks were last made
    144     ..    name, then spec: as its maker wrote them, opaque here

Whoever reads a header gets a private copy; nothing is read twice from a file that others may write.
"""

from __future__ import annotations

import errno
import struct
import zlib
from typing import Final

from toolchain.values import Value, value_type

MAGIC: Final = b"BPFOBJ\x01\x00"
VERSION: Final = 1
HEADER_SIZE: Final = 4096
BOOT_ID_OFFSET: Final = 128
_FIXED: Final = struct.Struct("<8sIIQQQQQQIIQ32sIII4x16s")
_CRC: Final = slice(120, 124)
_BOOT_ID: Final = slice(BOOT_ID_OFFSET, BOOT_ID_OFFSET + 16)
KINDS: Final = {"map": 1, "prog": 2, "link": 3}
"""Kind of object -> its number in the header."""
_KIND_OF: Final = {number: kind for kind, number in KINDS.items()}
SLOTS: Final = 0xFFFFFFFF
"""A ref_count: of an object whose edges change, and are what its data names."""
ID_MAX: Final = 0x7FFFFFFE
"""The last id there can be. Source: kernel/bpf/syscall.c (bpf_map_alloc_id), Linux 6.12."""
TEXT_SIZE_MAX: Final = HEADER_SIZE - _FIXED.size
"""Room for name and spec together."""


BTF_SIZE_MAX: Final = 16 << 20
"""Bytes of type information. Source: include/uapi/linux/btf.h and kernel/bpf/btf.c (BTF_MAX_SIZE), Linux 6.12."""


class BadHeader(Exception):
    """The bytes are not a header (``is_foreign``), or a broken one."""

    def __init__(self, message: str, is_foreign: bool = False) -> None:
        super().__init__(message)
        self.is_foreign = is_foreign


@value_type
class ObjectHeader(Value):
    """An object file's first page. Units: sizes and offsets in bytes; ``created_ns`` since 1970."""

    kind: str
    id: int
    name: str
    spec: bytes
    data_size: int
    btf_offset: int = 0
    btf_size: int = 0
    btf_hash: bytes = bytes(32)
    dev: int = 0
    ino: int = 0
    uid: int = 0
    ref_count: int = 0
    created_ns: int = 0
    boot_id: bytes = bytes(16)

    @property
    def anchor(self) -> str:
        """The name of its anchor: kind and id."""
        return f"{self.kind}{self.id}"

    @property
    def file_size(self) -> int:
        """The least size that the whole file can have."""
        return max(HEADER_SIZE + self.data_size, self.btf_offset + self.btf_size)


def encode(header: ObjectHeader) -> bytes:
    """The page. Raises ValueError if name and spec are too long for it."""
    name = header.name.encode("utf-8", "surrogateescape")
    if header.btf_size > BTF_SIZE_MAX:
        raise ValueError(f"too much type information: {header.btf_size} bytes (at most {BTF_SIZE_MAX})")
    if len(name) + len(header.spec) > TEXT_SIZE_MAX:
        raise ValueError(f"name and spec too long: {len(name) + len(header.spec)} bytes (at most {TEXT_SIZE_MAX})")
    fixed = _FIXED.pack(
        MAGIC, VERSION, KINDS[header.kind], header.id, header.data_size, header.btf_offset, header.btf_size,
        header.dev, header.ino, header.uid, header.ref_count, header.created_ns, header.btf_hash,
        len(name), len(header.spec), 0, header.boot_id,
    )  # fmt: skip
    page = bytearray((fixed + name + header.spec).ljust(HEADER_SIZE, b"\0"))
    page[_CRC] = struct.pack("<I", _checksum(bytes(page)))
    return bytes(page)


def decode(page: bytes) -> ObjectHeader:
    """A header from a file's first bytes. Raises BadHeader, for any bytes."""
    if page[: len(MAGIC)] != MAGIC:
        raise BadHeader("not an object of this toolchain", is_foreign=True)
    if len(page) != HEADER_SIZE:
        raise BadHeader(f"object file cut short: {len(page)} bytes (at least {HEADER_SIZE})")
    (
        _, version, kind, id, data_size, btf_offset, btf_size, dev, ino, uid, ref_count, created_ns, btf_hash,
        name_size, spec_size, checksum, boot_id,
    ) = _FIXED.unpack_from(page)  # fmt: skip
    if version != VERSION:
        raise BadHeader(f"object version: {version} ({VERSION})")
    if checksum != _checksum(page):
        raise BadHeader("object header damaged: its checksum differs")
    if not 0 < id <= ID_MAX:
        raise BadHeader(f"object header damaged: id {id} (1..{ID_MAX})")
    if kind not in _KIND_OF or name_size + spec_size > TEXT_SIZE_MAX or max(data_size, btf_offset) >> 48:
        raise BadHeader("object header damaged: impossible sizes")
    if btf_size > BTF_SIZE_MAX:
        raise BadHeader("object header damaged: impossible sizes")
    text = page[_FIXED.size :]
    name = text[:name_size].decode("utf-8", "surrogateescape")
    return ObjectHeader(
        _KIND_OF[kind], id, name, text[name_size : name_size + spec_size],
        data_size, btf_offset, btf_size, btf_hash, dev, ino, uid, ref_count, created_ns, boot_id,
    )  # fmt: skip


def current_boot_id() -> bytes:
    """The running boot's id; zeros where the kernel gives none. Source: Documentation/admin-guide/sysctl/kernel.rst.

    Raises: OSError where there is one but no descriptor or memory to read it: zeros would pass for another boot.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return bytes.fromhex(file.read().replace("-", ""))
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise
    except ValueError:
        pass
    return bytes(16)


def _checksum(page: bytes) -> int:
    masked = bytearray(page)
    masked[_CRC] = bytes(4)
    masked[_BOOT_ID] = bytes(16)
    return zlib.crc32(masked)
