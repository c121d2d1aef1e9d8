"""A map as text, line by line: what `map export` writes and `map import` reads.

    {"schema": "bpf-load.map-export/1", "map": {id, type, name, flags, bytes_key, bytes_value, max_entries},
     "cpus": 2, "types": {"key": "", "value": "{packets: int64 @0, bytes: int64 @8}"}}            the header
    {"key": ["0x00", ..], "value": ["0x01", ..], "formatted": {"key": .., "value": ..}}           an entry
    {"key": ["0x00", ..], "values": [{"cpu": 0, "value": ["0x01", ..]}, ..], "formatted": ..}     of a per-CPU map
    {"entries": 1}                                                                                the last line

Bytes may also be one string of hex digits. ``formatted`` is for people and programs that read it; an import looks at
the bytes alone. The last line tells a whole export from one that was cut. No more than a line or a batch is ever in
memory; every byte that is read is untrusted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from toolchain.cli import map_entries
from toolchain.errors import FilePlace, ObjectError, PinConflict, PinPlace, Span, ToolchainError, Unsupported
from toolchain.isa.map_types import PERCPU_TYPES, map_type_of
from toolchain.loader.migrate_plan import ARRAY_TYPES, DEVICE_TYPES, KEYED_TYPES

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.isa.map_types import MapType
    from toolchain.spec.runtime import MapHandle, MapInfo

SCHEMA = "bpf-load.map-export/1"
_BATCH_COUNT = 1 << 12
_BATCH_BYTES = 1 << 20
_HEADER_SIZE = 1 << 20
_ENTRY_SPACE = 1 << 20
"""Bytes of a line beyond what its hex takes: names and formatted values."""


def require_entries(info: MapInfo) -> None:
    """Raise Unsupported for a map whose entries are no plain bytes, or cannot be listed."""
    kind = info.spec.map_type
    is_listed = kind in KEYED_TYPES | DEVICE_TYPES or kind.label == "lpm_trie"
    if not is_listed or (kind in DEVICE_TYPES and info.spec.value_size != 4):
        raise Unsupported(f"export and import of a map of type {kind.label}")


def export_lines(info: MapInfo, handle: MapHandle, with_formatted: bool) -> Iterator[str]:
    """The lines of an export, without their ends."""
    btf = map_entries.map_btf(info)
    yield json.dumps(_header(info, btf))
    percpu = info.spec.map_type in PERCPU_TYPES
    count = 0
    for key, value in handle.items():
        count += 1
        values = map_entries.cpu_values(info, value)
        text = (
            f'"values": [{", ".join(_cpu_text(cpu, each) for cpu, each in enumerate(values))}]'
            if percpu
            else f'"value": {_hex_text(values[0])}'
        )
        formatted = ""
        if btf is not None and with_formatted:
            typed = map_entries.formatted_document(info, btf, key, values, percpu)
            formatted = f', "formatted": {json.dumps(typed)}'
        yield f'{{"key": {_hex_text(key)}, {text}{formatted}}}'
    yield json.dumps({"entries": count})


def _header(info: MapInfo, btf: Btf | None) -> dict[str, Any]:
    document: dict[str, Any] = {"schema": SCHEMA, "map": map_entries.map_document(info)}
    if info.spec.map_type in PERCPU_TYPES:
        from toolchain.loader.pipeline import possible_cpus

        document["cpus"] = possible_cpus()
    return document | {"types": _layouts(info, btf)}


def _layouts(info: MapInfo, btf: Btf | None) -> dict[str, str]:
    if btf is None:
        return {"key": "", "value": ""}
    from toolchain.loader.type_layout import field_layout

    try:
        return {
            "key": field_layout(btf, info.spec.key_type_id) if info.spec.key_type_id else "",
            "value": field_layout(btf, info.spec.value_type_id) if info.spec.value_type_id else "",
        }
    except ObjectError:
        return {"key": "", "value": ""}


def _hex_text(data: bytes) -> str:
    return '["0x' + data.hex(" ").replace(" ", '", "0x') + '"]' if data else "[]"


def _cpu_text(cpu: int, value: bytes) -> str:
    return f'{{"cpu": {cpu}, "value": {_hex_text(value)}}}'


class Importer:
    """Reads an export into a map. Nothing is written before the whole of it has been read and found to fit.

    Shape: ``file`` is binary and can be rewound.
    """

    def __init__(self, info: MapInfo, file: BinaryIO, name: str, place: str, cpu_count: int) -> None:
        self._info, self._file, self._name, self._place = info, file, name, place
        self._cpu_count = cpu_count
        spec = info.spec
        self._is_percpu = spec.map_type in PERCPU_TYPES
        copies = cpu_count if self._is_percpu else 1
        self._line_size = 16 * (spec.key_size + copies * spec.value_size) + _ENTRY_SPACE

    def check(self) -> int:
        """Read it all; how many entries. Raises PinConflict for a map of another kind, ToolchainError at the line."""
        self._file.seek(0)
        header = self._document(self._file.readline(_HEADER_SIZE), 1)
        self._check_header(header)
        count = 0
        for _ in self._entries():
            count += 1
        return count

    def write(self, handle: MapHandle) -> int:
        """Set every entry; how many. Raises MapError for the first that the map refuses, those before it are set."""
        self._file.seek(0)
        self._file.readline(_HEADER_SIZE)
        limit = max(1, min(_BATCH_COUNT, _BATCH_BYTES // (self._info.spec.key_size + self._info.spec.value_size)))
        keys: list[bytes] = []
        values: list[bytes] = []
        count = 0
        for key, value in self._entries():
            keys.append(key)
            values.append(value)
            if len(keys) >= limit:
                count += handle.fill(b"".join(keys), b"".join(values))
                keys, values = [], []
        return count + (handle.fill(b"".join(keys), b"".join(values)) if keys else 0)

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Every entry after the header, until the last line. Raises ToolchainError where that is missing or wrong."""
        count, line = 0, 1
        while text := self._file.readline(self._line_size):
            line += 1
            document = self._document(text, line)
            if "key" not in document:
                if document.get("entries") != count:
                    said = document.get("entries")
                    raise self._error(f"{count} entries before the last line, which says: {str(said)[:40]}", line)
                if self._file.read(1):
                    raise self._error("something after the last line", line + 1)
                return
            count += 1
            yield self._entry(document, line)
        hint = 'it was cut: the last line of a whole one is {"entries": N}'
        raise ToolchainError("export without an end", FilePlace(self._name), hint)

    def _document(self, text: bytes, line: int) -> dict[str, Any]:
        if not text.endswith(b"\n") and len(text) >= min(self._line_size, _HEADER_SIZE):
            raise self._error("line too long", line)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise self._error("not a JSON document", line) from None
        if not isinstance(document, dict):
            raise self._error("not a JSON object", line)
        return document

    def _check_header(self, header: dict[str, Any]) -> None:
        if header.get("schema") != SCHEMA or not isinstance(header.get("map"), dict):
            raise self._error(f"not the header of an export ({SCHEMA})", 1)
        there, spec = header["map"], self._info.spec
        types = header.get("types") if isinstance(header.get("types"), dict) else {}
        ours = _layouts(self._info, map_entries.map_btf(self._info))
        rows: list[tuple[str, object, object]] = [
            ("type", _shown(there.get("type")), spec.map_type.label),
            ("bytes_key", _shown(there.get("bytes_key")), spec.key_size),
            ("bytes_value", _shown(there.get("bytes_value")), spec.value_size),
            *((f"{what} fields", _shown((types or {}).get(what)), ours[what]) for what in ("key", "value")),
        ]
        found = [row for row in rows if row[1] != row[2] and not _may_differ(row, spec.map_type)]
        if found:
            differences = tuple((spec.name, self._place, field, theirs, own) for field, theirs, own in found)
            plural = "" if len(found) == 1 else "s"
            message = f"map {spec.name} is not like the one that was exported, in {len(found)} field{plural}"
            raise PinConflict(message, PinPlace(self._place), "", differences)

    def _entry(self, document: dict[str, Any], line: int) -> tuple[bytes, bytes]:
        spec = self._info.spec
        key = self._bytes(document.get("key"), spec.key_size, "key", line)
        if spec.map_type in ARRAY_TYPES and int.from_bytes(key, sys.byteorder) >= spec.max_entries:
            raise self._error(
                f"no such element: {int.from_bytes(key, sys.byteorder)} (0..{spec.max_entries - 1})", line
            )
        if not self._is_percpu:
            return key, self._bytes(document.get("value"), spec.value_size, "value", line)
        return key, self._cpu_values(document.get("values"), line)

    def _cpu_values(self, values: object, line: int) -> bytes:
        size = self._info.spec.value_size
        stride = -(-size // 8) * 8
        made = bytearray(stride * self._cpu_count)
        if not isinstance(values, list):
            raise self._error("values of the CPUs missing", line)
        for each in values:
            cpu = each.get("cpu") if isinstance(each, dict) else None
            if not isinstance(cpu, int) or cpu < 0:
                raise self._error("value without a CPU", line)
            value = self._bytes(each.get("value"), size, "value", line)
            if cpu >= self._cpu_count:
                if any(value):
                    raise self._error(f"value of CPU {cpu}, which is not here (0..{self._cpu_count - 1})", line)
                continue
            made[cpu * stride : cpu * stride + size] = value
        return bytes(made)

    def _bytes(self, given: object, size: int, what: str, line: int) -> bytes:
        try:
            if isinstance(given, str):
                data = bytes.fromhex(given.removeprefix("0x"))
            elif isinstance(given, list):
                data = bytes([int(each, 16) if isinstance(each, str) else each for each in given])
            else:
                raise ValueError
        except (ValueError, TypeError, OverflowError):
            raise self._error(f"{what} is no list of bytes", line) from None
        if len(data) != size:
            raise self._error(f"{what} of {len(data)} bytes ({size})", line)
        return data

    def _error(self, message: str, line: int) -> ToolchainError:
        return ToolchainError(message, Span(self._name, line, 1))


def _shown(value: object) -> object:
    """A header's value in a message: untrusted, so only numbers and short texts are shown."""
    return value if isinstance(value, int) else str(value)[:200] if isinstance(value, str) else ""


def _may_differ(row: tuple[str, object, object], kind: MapType) -> bool:
    """Types of one layout may be anywhere unknown; kinds of map may differ where entries are alike."""
    field, theirs, ours = row
    if field.endswith("fields"):
        return not theirs or not ours
    if field != "type":
        return False
    try:
        other = map_type_of(str(theirs))
    except ValueError:
        return False
    return {other, kind} <= KEYED_TYPES and (other in PERCPU_TYPES) == (kind in PERCPU_TYPES)
