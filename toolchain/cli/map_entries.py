"""Maps and their entries as text and with bpftool's JSON keys.

A per-CPU element holds one value for each possible CPU, each padded to 8 bytes; here it is taken apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from toolchain.cli.render import counted
from toolchain.cli.typed_values import bpftool_value, hex_list
from toolchain.cli.values import plain_text
from toolchain.isa.map_types import PERCPU_TYPES
from toolchain.spec.runtime import MapInfo

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.cli.keepers import Keepers


def map_document(info: MapInfo, keepers: Keepers | None = None) -> dict[str, Any]:
    """A live map, with bpftool's keys."""
    spec = info.spec
    return {
        "id": info.id,
        "type": spec.map_type.label,
        "name": spec.name,
        "flags": spec.map_flags,
        "bytes_key": spec.key_size,
        "bytes_value": spec.value_size,
        "max_entries": spec.max_entries,
        "frozen": int(info.is_frozen),
        "uid": info.owner_uid,
        **({"bytes_memlock": info.memory_size} if info.memory_size else {}),
        **({"btf_id": info.btf_id} if info.btf_id else {}),
        **(keepers.document(info.id) if keepers is not None else {}),
    }


def map_text(info: MapInfo, keepers: Keepers) -> str:
    """A live map on one line."""
    spec = info.spec
    flags = f", flags 0x{spec.map_flags:x}" if spec.map_flags else ""
    frozen = ", frozen" if info.is_frozen else ""
    sizes = f"{spec.key_size}-byte keys, {spec.value_size}-byte values, {counted(spec.max_entries, 'entry', 'entries')}"
    name = f" {spec.name}" if spec.name else ""
    return f"map {info.id}: {spec.map_type.label}{name}, {sizes}{flags}{frozen}{keepers.text(info.id)}"


def map_btf(info: MapInfo) -> Btf | None:
    """A live map's type information, where it has some."""
    if not info.btf:
        return None
    from toolchain.btf.codec import Btf

    return Btf.decode(info.btf, path=f"map {info.id}")


def cpu_values(info: MapInfo, value: bytes) -> list[bytes]:
    """The value of each CPU; one value for a map that is not per CPU."""
    if info.spec.map_type not in PERCPU_TYPES:
        return [value]
    size = info.spec.value_size
    stride = (size + 7) // 8 * 8
    return [value[at : at + size] for at in range(0, len(value), stride)]


def key_text(info: MapInfo, btf: Btf | None, key: bytes) -> str:
    """A key for people."""
    return plain_text(key, btf, info.spec.key_type_id)


def value_text(info: MapInfo, btf: Btf | None, value: bytes) -> str:
    """A stored value for people; of a per-CPU map, those of the CPUs that are not zero."""
    values = cpu_values(info, value)
    if info.spec.map_type not in PERCPU_TYPES:
        return plain_text(values[0], btf, info.spec.value_type_id)
    parts = [
        f"cpu{cpu} {plain_text(each, btf, info.spec.value_type_id)}" for cpu, each in enumerate(values) if any(each)
    ]
    return ", ".join(parts) or "zero on every CPU"


def entry_document(info: MapInfo, btf: Btf | None, key: bytes, value: bytes) -> dict[str, Any]:
    """An entry, with bpftool's keys."""
    entry: dict[str, Any] = {"key": hex_list(key)}
    values = cpu_values(info, value)
    is_percpu = info.spec.map_type in PERCPU_TYPES
    if is_percpu:
        entry["values"] = [{"cpu": cpu, "value": hex_list(each)} for cpu, each in enumerate(values)]
    else:
        entry["value"] = hex_list(value)
    if btf is not None:
        entry["formatted"] = formatted_document(info, btf, key, values, is_percpu)
    return entry


def change_document(info: MapInfo, btf: Btf | None, key: bytes, old: bytes | None, new: bytes | None) -> dict[str, Any]:
    """A change of an entry: key, old and new as in an entry of a dump, None where there was or is no value."""
    document: dict[str, Any] = {"key": hex_list(key), "old": None, "new": None}
    formatted: dict[str, Any] = {}
    for name, value in (("old", old), ("new", new)):
        if value is None:
            continue
        entry = entry_document(info, btf, key, value)
        document[name] = entry.get("value", entry.get("values"))
        typed = entry.get("formatted", {})
        formatted |= {each: typed[each] for each in ("key",) if each in typed}
        formatted[name] = typed.get("value", typed.get("values"))
    if btf is not None:
        document["formatted"] = {"old": None, "new": None} | formatted
    return document


def formatted_document(info: MapInfo, btf: Btf, key: bytes, values: list[bytes], is_percpu: bool) -> dict[str, Any]:
    """Key and value by their types, as bpftool writes them; without a key where the key has no type."""

    def typed(data: bytes) -> Any:
        type_id = info.spec.value_type_id
        return bpftool_value(btf, type_id, data) if type_id else hex_list(data)

    key_type = info.spec.key_type_id
    document: dict[str, Any] = {"key": bpftool_value(btf, key_type, key)} if key_type else {}
    if is_percpu:
        return document | {"values": [{"cpu": cpu, "value": typed(each)} for cpu, each in enumerate(values)]}
    return document | {"value": typed(values[0])}


def entry_lines(info: MapInfo, btf: Btf | None, entries: Iterator[tuple[bytes, bytes]]) -> Iterator[str]:
    """Entries as lines. Of an array, elements that are all zero are only counted."""
    hides_zero = info.spec.map_type.label.endswith("array")
    shown = zero = 0
    for key, value in entries:
        if hides_zero and not any(value):
            zero += 1
            continue
        shown += 1
        yield f"{key_text(info, btf, key)}: {value_text(info, btf, value)}"
    yield counted(shown, "entry", "entries") + (f", {zero} more all zero" if zero else "")
