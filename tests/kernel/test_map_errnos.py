"""Maps against the live kernel: the same calls on both, equal answers. Only a hash's order of elements may differ."""

import errno
import itertools
import random
import struct
from contextlib import contextmanager
from ctypes import create_string_buffer

import pytest

from tests.kernel import oracle
from toolchain.errors import LoadError, MapError
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import anonymous_map, cpu_count, data_size

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

TYPES = (MapType.ARRAY, MapType.PERCPU_ARRAY, MapType.HASH, MapType.LRU_HASH)
ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)
SIZES = (0, 1, 2, 4, 8, 512, 513, 32768, 32769, 4194200, 4194248, 4194256, 4194304, 1 << 31, (1 << 32) - 1)
ENTRIES = (0, 1, 3, (1 << 27), (1 << 27) + 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1)
LARGE = 1 << 28
"""Maps of more bytes than this are not made in the kernel: whether they fit is the machine's answer."""


def spec_of(kind: MapType, key: int, value: int, entries: int, flags: int = 0) -> MapSpec:
    return MapSpec("m", kind, key, value, entries, flags)


def own_create(spec: MapSpec) -> int:
    try:
        data_size(spec)
    except LoadError as error:
        return error.errno
    return 0


def kernel_create(spec: MapSpec) -> int:
    try:
        fd = oracle.map_create(spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.map_flags)
    except OSError as error:
        return error.errno or 0
    with oracle.closing(fd):
        return 0


def is_large(spec: MapSpec) -> bool:
    count = cpu_count() if spec.map_type == MapType.PERCPU_ARRAY else 1
    return (spec.key_size + spec.value_size + 64) * spec.max_entries * count > LARGE


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.label)
def test_create_sizes(kind):
    for key, value, entries in itertools.product(SIZES, SIZES, ENTRIES):
        spec = spec_of(kind, key, value, entries)
        own = own_create(spec)
        if is_large(spec) and own in (0, errno.ENOMEM):
            continue
        assert errno.errorcode.get(own) == errno.errorcode.get(kernel_create(spec)), spec


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.label)
def test_create_flags(kind):
    singles = [0, *(1 << bit for bit in range(20))]
    for first, second in itertools.product(singles, singles):
        flags = first | second
        if flags & (MapFlag.VTYPE_BTF_OBJ_FD | MapFlag.TOKEN_FD | MapFlag.PATH_FD):
            continue
        spec = spec_of(kind, 4, 8, 4, flags)
        assert own_create(spec) == kernel_create(spec), f"flags 0x{flags:x}"


class OwnMap:
    """bpf(2)'s element commands on a map of ours, answering as OSError does."""

    def __init__(self, spec: MapSpec) -> None:
        self.map = anonymous_map(spec)

    def call(self, name, *arguments):
        try:
            result = getattr(self.map, name)(*arguments)
        except MapError as error:
            return errno.errorcode.get(error.errno, error.errno)
        missing = result is None and name in ("lookup", "next_key")
        return "ENOENT" if missing else result

    def close(self) -> None:
        self.map.close()


class KernelMap:
    """The same commands on a map of the kernel's."""

    def __init__(self, spec: MapSpec) -> None:
        self.fd = oracle.map_create(spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.map_flags)
        count = cpu_count() if spec.map_type == MapType.PERCPU_ARRAY else 1
        self.value_size = spec.value_size if count == 1 else (spec.value_size + 7) // 8 * 8 * count
        self.key_size = spec.key_size

    def call(self, name, *arguments):
        try:
            return getattr(self, name)(*arguments)
        except OSError as error:
            return errno.errorcode.get(error.errno, error.errno)

    def lookup(self, key):
        return oracle.map_lookup(self.fd, key, self.value_size)

    def update(self, key, value, flags=0):
        oracle.map_update(self.fd, key, value, flags)

    def delete(self, key):
        oracle.map_delete(self.fd, key)

    def freeze(self):
        oracle.map_freeze(self.fd)

    def next_key(self, key):
        following = create_string_buffer(self.key_size)
        held = create_string_buffer(key or b"", max(len(key or b""), 1))
        address = oracle._address(held) if key is not None else 0
        attr = struct.pack("<I4xQQQ", self.fd, address, oracle._address(following), 0)
        oracle.bpf(oracle.NEXT_KEY, attr)
        return following.raw

    def close(self) -> None:
        with oracle.closing(self.fd):
            pass


@contextmanager
def both(spec: MapSpec):
    own, kernel = OwnMap(spec), KernelMap(spec)
    try:
        yield own, kernel
    finally:
        own.close()
        kernel.close()


def walk(each, limit: int = 100) -> list[bytes]:
    keys = []
    key = each.call("next_key", None)
    while isinstance(key, bytes) and len(keys) < limit:
        keys.append(key)
        key = each.call("next_key", key)
    assert key == "ENOENT"
    return keys


SCRIPTS = [
    spec_of(MapType.ARRAY, 4, 1, 3),
    spec_of(MapType.ARRAY, 4, 8, 3),
    spec_of(MapType.ARRAY, 4, 13, 4),
    spec_of(MapType.ARRAY, 4, 4096, 1),
    spec_of(MapType.PERCPU_ARRAY, 4, 4, 3),
    spec_of(MapType.PERCPU_ARRAY, 4, 12, 2),
    spec_of(MapType.HASH, 1, 1, 2),
    spec_of(MapType.HASH, 4, 8, 4),
    spec_of(MapType.HASH, 4, 8, 4, MapFlag.NO_PREALLOC),
    spec_of(MapType.HASH, 16, 40, 7),
    spec_of(MapType.HASH, 3, 5, 1),
    spec_of(MapType.LRU_HASH, 4, 8, 4096),
    spec_of(MapType.ARRAY, 4, 8, 3, MapFlag.RDONLY),
    spec_of(MapType.ARRAY, 4, 8, 3, MapFlag.WRONLY),
    spec_of(MapType.HASH, 4, 8, 3, MapFlag.RDONLY),
    spec_of(MapType.HASH, 4, 8, 3, MapFlag.WRONLY),
    spec_of(MapType.HASH, 4, 8, 3, MapFlag.RDONLY_PROG),
]


@pytest.mark.parametrize(
    "spec", SCRIPTS, ids=lambda spec: f"{spec.map_type.label}-{spec.value_size}-{spec.map_flags:x}"
)
@pytest.mark.parametrize("seed", range(4))
def test_random_scripts(spec, seed):
    rng = random.Random(f"{seed} {spec}")
    keys = [number.to_bytes(4, "little")[: spec.key_size].ljust(spec.key_size, b"\0") for number in range(9)]
    keys.append(b"\xff" * spec.key_size)
    with both(spec) as (own, kernel):
        for step in range(400):
            key = rng.choice(keys)
            name = rng.choices(("update", "lookup", "delete", "next_key", "freeze"), (40, 30, 20, 20, 1 / 8))[0]
            arguments = [] if name == "freeze" else [key]
            if name == "update":
                value = rng.randbytes(own.map.value_size)
                if spec.map_type == MapType.PERCPU_ARRAY:
                    value = padded(value, spec.value_size)
                arguments += [
                    value,
                    rng.choices((0, 1, 2, 3, 4, 8, 1 << 32, (1 << 64) - 1), (8, 3, 3, 1, 1, 1, 1, 1))[0],
                ]
            ours, theirs = own.call(name, *arguments), kernel.call(name, *arguments)
            if name == "next_key" and isinstance(theirs, bytes) and spec.map_type not in ARRAYS:
                assert isinstance(ours, bytes) or len(walk(own)) > 0, (step, name, arguments)
                continue
            if name == "next_key" and spec.map_type not in ARRAYS:
                assert theirs == "EPERM" if ours == "EPERM" else True, (step, name, arguments)
                continue
            assert ours == theirs, (step, name, arguments)
        if not spec.map_flags & MapFlag.WRONLY:
            assert sorted(walk(own)) == sorted(walk(kernel))


def padded(value: bytes, size: int) -> bytes:
    """Per-CPU values with zero padding: what the kernel puts into the padding is nobody's business."""
    stride = (size + 7) // 8 * 8
    return b"".join(value[at : at + size].ljust(stride, b"\0") for at in range(0, len(value), stride))


def test_hash_next_key_of_a_missing_key_is_the_first():
    with both(spec_of(MapType.HASH, 4, 4, 8)) as pair:
        for each in pair:
            for number in range(5):
                each.call("update", struct.pack("<I", number), b"vvvv")
            assert each.call("next_key", b"none") == each.call("next_key", None)


def test_full_hash_takes_replacements_but_nothing_new():
    with both(spec_of(MapType.HASH, 8, 16, 1000)) as pair:
        for each in pair:
            for number in range(1000):
                assert each.call("update", struct.pack("<Q", number), bytes(16), 1) is None
            assert each.call("update", struct.pack("<Q", 1000), bytes(16)) == "E2BIG"
            assert each.call("update", struct.pack("<Q", 7), bytes(16)) is None
            assert each.call("update", struct.pack("<Q", 1000), bytes(16), 2) == "ENOENT"
            assert each.call("delete", struct.pack("<Q", 7)) is None
            assert each.call("update", struct.pack("<Q", 1000), bytes(16)) is None
