"""A live map as Python's own mapping, the same on both runtimes.

    counters = loaded.maps["acc"]
    counters[3]                 16 bytes                   keys are bytes, numbers, or values of the key's type
    counters[3] = bytes(16)                                values too
    counters.typed[3]           {"packets": 7, "bytes": 692}
    counters.typed[3] = {"packets": 0}                     fields that are not named are zero

``typed`` reads and writes by the map's type information; where it has none, keys and values of 1, 2, 4 or 8 bytes are
numbers, all others bytes. Of a per-CPU map, a value is the list of all CPUs' values.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from toolchain.errors import MapError
from toolchain.isa.map_types import PERCPU_TYPES

if TYPE_CHECKING:
    from toolchain.btf import Btf
    from toolchain.spec.maps import MapSpec
    from toolchain.spec.runtime import MapHandle, MapInfo

_NUMBERS = (1, 2, 4, 8)


class Map(MutableMapping[Any, bytes]):
    """A live map: keys to bytes. Owns: ``handle``, the runtime's own, and ``stack``; ``close`` or a ``with`` block
    releases them.

    Raises: MapError with bpf(2)'s errno, from every operation; KeyError from ``map[key]`` and ``del map[key]``.
    """

    def __init__(self, handle: MapHandle, stack: ExitStack | None = None) -> None:
        self.handle = handle
        self._stack = stack

    @cached_property
    def _info(self) -> MapInfo:
        return self.handle.info()

    @property
    def id(self) -> int:
        """The runtime's id of the map."""
        return self.handle.id

    @property
    def spec(self) -> MapSpec:
        """Its definition: name, type, sizes."""
        return self._info.spec

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    @cached_property
    def typed(self) -> TypedMap:
        """The same map by its types."""
        return TypedMap(self)

    @cached_property
    def btf(self) -> Btf | None:
        """Its type information, where it has some."""
        if not self._info.btf:
            return None
        from toolchain.btf.codec import Btf

        return Btf.decode(self._info.btf, path=f"map {self.id}")

    def close(self) -> None:
        """Let go of the map; it lives on where it is pinned or used. Twice is once."""
        self.handle.close()
        if self._stack is not None:
            self._stack.close()

    def packed(self, value: Any, is_key: bool) -> bytes:
        """A key or value as bytes: bytes as they are, else by its type. Raises MapError EINVAL, which names it."""
        if isinstance(value, bytes):
            return value
        size = self.spec.key_size if is_key else self.spec.value_size
        type_id = self.spec.key_type_id if is_key else self.spec.value_type_id
        try:
            if not is_key and self.spec.map_type in PERCPU_TYPES:
                return self._packed_cpus(value, type_id, size)
            return self._packed_one(value, type_id, size)
        except OverflowError:
            text = f"number too large for {size} bytes: {value}"
        except ValueError as error:
            text = str(error)
        raise MapError(f"map {self.name!r}: {'key' if is_key else 'value'}: {text}", errno.EINVAL)

    def _packed_one(self, value: Any, type_id: int, size: int) -> bytes:
        if self.btf is not None and type_id:
            from toolchain.btf.values import packed_value

            if self.btf.size_of(type_id) != size:  # before anything of a hostile type's size is made
                raise ValueError(f"type of {self.btf.size_of(type_id)} bytes ({size})")
            return packed_value(self.btf, type_id, value)
        if not isinstance(value, int):
            raise ValueError(f"bytes or a number is needed: {value!r}")
        return value.to_bytes(size, sys.byteorder, signed=value < 0)

    def _packed_cpus(self, values: Any, type_id: int, size: int) -> bytes:
        if not isinstance(values, list | tuple):
            raise ValueError(f"a list of each CPU's value is needed: {values!r}")
        parts = [each if isinstance(each, bytes) else self._packed_one(each, type_id, size) for each in values]
        return b"".join(part.ljust((size + 7) // 8 * 8, b"\0") for part in parts)

    def unpacked(self, data: bytes, is_key: bool) -> Any:
        """A key or value by its type; of a per-CPU map a list."""
        size = self.spec.key_size if is_key else self.spec.value_size
        type_id = self.spec.key_type_id if is_key else self.spec.value_type_id
        if not is_key and self.spec.map_type in PERCPU_TYPES:
            stride = (size + 7) // 8 * 8
            return [self._one(data[at : at + size], type_id) for at in range(0, len(data), stride)]
        return self._one(data, type_id)

    def _one(self, data: bytes, type_id: int) -> Any:
        if self.btf is not None and type_id:
            from toolchain.btf.values import typed_value

            return typed_value(self.btf, type_id, data)
        return int.from_bytes(data, sys.byteorder) if len(data) in _NUMBERS else data

    def __getitem__(self, key: Any) -> bytes:
        value = self.handle.lookup(self.packed(key, is_key=True))
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self.handle.update(self.packed(key, is_key=True), self.packed(value, is_key=False))

    def __delitem__(self, key: Any) -> None:
        try:
            self.handle.delete(self.packed(key, is_key=True))
        except MapError as error:
            if error.errno == errno.ENOENT:
                raise KeyError(key) from error
            raise

    def __contains__(self, key: object) -> bool:
        return self.handle.lookup(self.packed(key, is_key=True)) is not None

    def __iter__(self) -> Iterator[bytes]:
        return (key for key, _ in self.handle.items())

    def __len__(self) -> int:
        return sum(1 for _ in self.handle.items())

    def __bool__(self) -> bool:
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override]
        """Every element, as far as concurrent writers allow; read in batches."""
        return self.handle.items()

    def values(self) -> Iterator[bytes]:  # type: ignore[override]
        """Every value, as ``items`` reads them."""
        return (value for _, value in self.handle.items())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Map {self.id} {self.name!r} {self.spec.map_type.label}>"


class TypedMap(MutableMapping[Any, Any]):
    """A map by its types: keys and values are numbers, strings, lists and dictionaries. Owns: nothing."""

    def __init__(self, map: Map) -> None:
        self._map = map

    def __getitem__(self, key: Any) -> Any:
        return self._map.unpacked(self._map[key], is_key=False)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._map[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._map

    def __iter__(self) -> Iterator[Any]:
        return (self._map.unpacked(key, is_key=True) for key in self._map)

    def __len__(self) -> int:
        return len(self._map)

    def items(self) -> Iterator[tuple[Any, Any]]:  # type: ignore[override]
        """Every element, by its types."""
        unpacked = self._map.unpacked
        return ((unpacked(key, is_key=True), unpacked(value, is_key=False)) for key, value in self._map.items())

    def values(self) -> Iterator[Any]:  # type: ignore[override]
        """Every value, by its type."""
        return (value for _, value in self.items())

    def __repr__(self) -> str:
        return f"<typed {self._map!r}>"
