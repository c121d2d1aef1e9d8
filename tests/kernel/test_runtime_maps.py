"""Maps of the kernel runtime: every type that the kernel makes, every operation, and the errno of each that it refuses.

The table is what Linux 6.18 answers; a type that this machine's kernel does not know is skipped by name.
"""

import errno
import os
import socket
import struct

import pytest

from tests.kernel import oracle, private_bpffs
from toolchain.btf.builder import BtfBuilder
from toolchain.btf.types import Datasec, Var, VarSecinfo
from toolchain.errors import LoadError, MapError, PinError, errno_name
from toolchain.isa.map_types import PERCPU_TYPES, MapFlag, MapType
from toolchain.kernel import KernelRuntime, calls
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.handles import KernelMap, cpu_count
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.spec.maps import MapSpec, Pinning

from tests.loader.handmade import counting_object  # isort: skip

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

T = MapType
OK, EINVAL, ENOENT, EEXIST, EBADF = "ok", "EINVAL", "ENOENT", "EEXIST", "EBADF"
ENOTSUPP, ENOTSUP, ENOSPC = "ENOTSUPP", errno.errorcode[errno.EOPNOTSUPP], "ENOSPC"
NONE = "none"
"""A lookup or a walk that finds nothing."""

HASHES = (T.HASH, T.PERCPU_HASH, T.LRU_HASH, T.LRU_PERCPU_HASH)
OPERATIONS = ("update", "lookup", "next", "noexist", "batch", "batch_update", "pop", "delete", "delete_again")
TABLE = {
    **dict.fromkeys(HASHES, (OK, OK, OK, EEXIST, OK, OK, OK, ENOENT, ENOENT)),
    **dict.fromkeys((T.ARRAY, T.PERCPU_ARRAY), (OK, OK, OK, EEXIST, OK, OK, ENOTSUPP, EINVAL, EINVAL)),
    T.LPM_TRIE: (OK, OK, OK, EEXIST, OK, OK, ENOTSUPP, OK, ENOENT),
    T.PROG_ARRAY: (OK, OK, OK, EINVAL, ENOTSUPP, ENOTSUPP, ENOTSUPP, OK, ENOENT),
    T.ARRAY_OF_MAPS: (OK, OK, OK, EINVAL, OK, OK, ENOTSUPP, OK, ENOENT),
    T.HASH_OF_MAPS: (OK, OK, OK, EEXIST, OK, OK, ENOTSUPP, OK, ENOENT),
    T.PERF_EVENT_ARRAY: (EBADF, ENOTSUPP, OK, EINVAL, ENOTSUPP, ENOTSUPP, ENOTSUPP, ENOENT, ENOENT),
    T.CGROUP_ARRAY: (EBADF, ENOTSUPP, OK, EINVAL, ENOTSUPP, ENOTSUPP, ENOTSUPP, ENOENT, ENOENT),
    T.STACK_TRACE: (EINVAL, NONE, NONE, EINVAL, ENOTSUPP, ENOTSUPP, ENOENT, ENOENT, ENOENT),
    T.DEVMAP: (OK, OK, OK, EEXIST, ENOTSUPP, ENOTSUPP, ENOTSUPP, OK, OK),
    T.DEVMAP_HASH: (OK, OK, OK, EEXIST, ENOTSUPP, ENOTSUPP, ENOTSUPP, OK, ENOENT),
    T.CPUMAP: (OK, OK, OK, EEXIST, ENOTSUPP, ENOTSUPP, ENOTSUPP, OK, OK),
    T.XSKMAP: (EBADF, ENOTSUP, OK, EBADF, ENOTSUPP, ENOTSUPP, ENOTSUPP, OK, OK),
    T.SOCKMAP: (EBADF, ENOSPC, OK, EBADF, ENOTSUPP, ENOTSUPP, ENOTSUPP, EINVAL, EINVAL),
    T.SOCKHASH: (EBADF, ENOSPC, NONE, EBADF, ENOTSUPP, ENOTSUPP, ENOTSUPP, ENOENT, ENOENT),
    T.REUSEPORT_SOCKARRAY: (EINVAL, NONE, OK, EINVAL, ENOTSUPP, ENOTSUPP, ENOTSUPP, ENOENT, ENOENT),
    T.QUEUE: (OK, OK, EINVAL, EINVAL, ENOTSUPP, ENOTSUPP, OK, EINVAL, EINVAL),
    T.STACK: (OK, OK, EINVAL, EINVAL, ENOTSUPP, ENOTSUPP, OK, EINVAL, EINVAL),
    T.BLOOM_FILTER: (OK, NONE, ENOTSUP, EINVAL, ENOTSUPP, ENOTSUPP, ENOTSUPP, ENOTSUP, ENOTSUP),
    T.RINGBUF: (ENOTSUPP,) * 9,
    T.USER_RINGBUF: (ENOTSUPP,) * 9,
    T.CGROUP_STORAGE: (ENOENT, NONE, NONE, EINVAL, ENOTSUPP, ENOTSUPP, ENOTSUPP, EINVAL, EINVAL),
    T.PERCPU_CGROUP_STORAGE: (ENOENT, NONE, NONE, EINVAL, ENOTSUPP, ENOTSUPP, ENOTSUPP, EINVAL, EINVAL),
}
"""Map type -> the answer to each of OPERATIONS, in that order, on a new map."""

INNER = MapSpec("inner", T.ARRAY, 4, 4, 1)
SIZES = {
    T.PROG_ARRAY: (4, 4, 4),
    T.PERF_EVENT_ARRAY: (4, 4, 4),
    T.CGROUP_ARRAY: (4, 4, 4),
    T.XSKMAP: (4, 4, 4),
    T.SOCKMAP: (4, 4, 4),
    T.SOCKHASH: (4, 4, 4),
    T.ARRAY_OF_MAPS: (4, 4, 4),
    T.HASH_OF_MAPS: (4, 4, 4),
    T.STACK_TRACE: (4, 80, 4),
    T.LPM_TRIE: (8, 8, 4),
    T.QUEUE: (0, 8, 4),
    T.STACK: (0, 8, 4),
    T.BLOOM_FILTER: (0, 8, 4),
    T.RINGBUF: (0, 0, 4096),
    T.USER_RINGBUF: (0, 0, 4096),
    T.CGROUP_STORAGE: (8, 8, 0),
    T.PERCPU_CGROUP_STORAGE: (8, 8, 0),
}


def spec_of(kind: MapType, name: str = "m") -> MapSpec:
    key, value, entries = SIZES.get(kind, (4, 8, 4))
    flags = MapFlag.NO_PREALLOC if kind == T.LPM_TRIE else 0
    inner = INNER if kind in (T.ARRAY_OF_MAPS, T.HASH_OF_MAPS) else None
    return MapSpec(name, kind, key, value, entries, flags, inner=inner)


@pytest.fixture
def runtime():
    made = KernelRuntime()
    yield made
    made.close()


@pytest.fixture
def pinning():
    """A runtime on a bpffs of this process's own."""
    directory = private_bpffs.mounted()
    if not directory:
        pytest.skip("this process may not mount a bpffs")
    made = KernelRuntime(directory)
    before = set(made.pins())
    yield made
    for each in set(made.pins()) - before:
        made.unpin(each.path)
    made.close()


def created(runtime: KernelRuntime, spec: MapSpec) -> KernelMap:
    try:
        return runtime.map_create(spec)
    except LoadError as error:
        if error.errno in (errno.EINVAL, 524):
            pytest.skip(f"this kernel does not make maps of type {spec.map_type.label}")
        raise


def answer(action, *arguments) -> str:
    try:
        result = action(*arguments)
    except (MapError, BpfCallError) as error:
        return errno_name(error.errno)
    return NONE if result is None and action.__name__ in ("lookup", "next_key") else OK


def a_value(kind: MapType, handle: KernelMap, runtime: KernelRuntime, keep: list) -> bytes:
    """A value that the type takes: for types of fds an fd, which ``keep`` holds."""
    size = handle.info().spec.value_size
    if kind == T.PROG_ARRAY:
        _, fd = oracle.prog_load(3, bytes.fromhex("b7000000000000009500000000000000"))
        keep.append(os.fdopen(fd, "rb", closefd=True))
        return struct.pack("=i", fd)
    if kind in (T.ARRAY_OF_MAPS, T.HASH_OF_MAPS):
        keep.append(runtime.map_create(INNER))
        return struct.pack("=i", keep[-1].fileno())
    if kind in (T.DEVMAP, T.DEVMAP_HASH):
        return struct.pack("=Ii", socket.if_nametoindex("lo"), 0)
    if kind == T.CPUMAP:
        return struct.pack("=Ii", 192, 0)
    padded = (b"\1" * size).ljust((size + 7) // 8 * 8, b"\0")
    return padded * cpu_count() if kind in PERCPU_TYPES else b"\1" * size


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.label)
def test_operations_and_errnos(runtime, kind):
    keep: list = []
    with created(runtime, spec_of(kind)) as handle:
        fd, spec = handle.fileno(), handle.info().spec
        key, value = bytes(spec.key_size), a_value(kind, handle, runtime, keep)

        def batch():
            return calls.map_lookup_batch(fd, len(key), len(value), 4)

        def batch_update():
            return calls.map_update_batch(fd, key, value, 1)

        def pop():
            return calls.map_lookup_and_delete(fd, key, len(value))

        answers = (
            answer(handle.update, key, value),
            answer(handle.lookup, key),
            answer(handle.next_key, None),
            answer(handle.update, key, value, 1),
            answer(batch),
            answer(batch_update),
            answer(pop),
            answer(handle.delete, key),
            answer(handle.delete, key),
        )
        assert dict(zip(OPERATIONS, answers, strict=True)) == dict(zip(OPERATIONS, TABLE[kind], strict=True))


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.label)
def test_info_pin_and_get_by_another_process(pinning, kind):
    spec = spec_of(kind, "a_long_map_name_of_this_test")
    with created(pinning, spec) as handle:
        info = handle.info()
        live = info.spec
        flags = spec.map_flags | (MapFlag.RDONLY_PROG if kind in (T.DEVMAP, T.DEVMAP_HASH) else 0)
        assert (live.map_type, live.key_size, live.value_size, live.max_entries, live.map_flags) == (
            kind, spec.key_size, spec.value_size, spec.max_entries, flags)  # fmt: skip
        assert not info.is_frozen
        assert info.id in set(pinning.map_ids())
        pinning.pin(handle, f"m_{kind.label}")
        handle.freeze()
        assert handle.info().is_frozen
        with pytest.raises(MapError) as again:
            handle.freeze()
        assert again.value.errno == errno.EPERM
    read, write = os.pipe()
    if os.fork() == 0:
        with KernelRuntime(pinning.pin_root).get(f"m_{kind.label}") as other:
            found = other.info()
            os.write(write, f"{found.id} {int(found.spec.map_type)} {found.spec.name} {found.is_frozen}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read().decode() == f"{info.id} {int(kind)} {spec.name[:15]} True"
    os.wait()
    pinning.unpin(f"m_{kind.label}")
    with pytest.raises(PinError) as gone:
        pinning.get(f"m_{kind.label}")
    assert gone.value.errno == errno.ENOENT


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.label)
def test_an_object_loaded_twice_matches_itself(pinning, kind):
    """Whatever the kernel adds or rounds, the second load of an object finds its own map compatible."""
    with created(pinning, spec_of(kind)):
        pass
    spec = spec_of(kind, "shared").with_pin(Pinning.BY_NAME)
    variants = [spec]
    if kind in (T.PERF_EVENT_ARRAY, T.CPUMAP):
        variants = [spec, MapSpec("shared", kind, 4, spec.value_size, 0, pinning=Pinning.BY_NAME)]
    if kind in (T.RINGBUF, T.USER_RINGBUF):
        variants = [spec, MapSpec("shared", kind, 0, 0, 5000, pinning=Pinning.BY_NAME)]
    for each in variants:
        with load(pinning, counting_object(each), LoadOptions()) as first:
            assert not first.maps[0].is_reused
            with load(pinning, counting_object(each), LoadOptions()) as second:
                assert second.maps[0].is_reused
                assert second.maps[0].handle.id == first.maps[0].handle.id
        pinning.unpin("tc/globals/shared")


def small_types() -> tuple[bytes, int, int]:
    """Type information of a u32 and a u64, and of two variables of section .maps: (bytes, u32, u64)."""
    builder = BtfBuilder()
    key, value = builder.integer("u32", 4), builder.integer("u64", 8)
    variables = [builder.add(Var(name, value)) for name in ("a_long_map_name_of_ours", "other")]
    places = tuple(VarSecinfo(each, 8 * index, 8) for index, each in enumerate(variables))
    builder.add(Datasec(".maps", 16, places))
    return builder.build().encode(), key, value


@pytest.mark.parametrize("kind", [T.SK_STORAGE, T.INODE_STORAGE, T.TASK_STORAGE, T.CGRP_STORAGE], ids=lambda k: k.label)
def test_storage_maps_need_types(runtime, kind):
    with pytest.raises(LoadError) as refused:
        runtime.map_create(MapSpec("s", kind, 4, 8, 0, MapFlag.NO_PREALLOC))
    assert refused.value.errno == errno.EINVAL
    builder = BtfBuilder()
    key, value = builder.integer("int", 4, is_signed=True), builder.integer("u64", 8)
    btf = builder.build().encode()
    spec = MapSpec("s", kind, 4, 8, 0, MapFlag.NO_PREALLOC, key_type_id=key, value_type_id=value)
    try:
        handle = runtime.map_create(spec, btf)
    except LoadError as error:
        pytest.skip(f"this kernel does not make maps of type {kind.label}: {error}")
    with handle:
        info = handle.info()
        assert info.btf_id
        assert info.btf == btf


def test_type_information_gives_the_full_name(pinning):
    btf, key, value = small_types()
    spec = MapSpec("a_long_map_name_of_ours", T.HASH, 4, 8, 2, key_type_id=key, value_type_id=value)
    with pinning.map_create(spec, btf) as handle:
        pinning.pin(handle, "full")
        with pinning.get("full") as other:
            assert other.info().spec.name == "a_long_map_name_of_ours"
            assert (other.info().spec.key_type_id, other.info().spec.value_type_id) == (key, value)


def test_types_that_the_kernel_refuses_are_left_out(runtime):
    spec = MapSpec("m", T.ARRAY, 4, 8, 1, key_type_id=1, value_type_id=2)
    with runtime.map_create(spec, b"no type information at all") as handle:
        assert handle.info().btf == b""


def test_one_section_of_types_for_all_maps(runtime):
    btf, key, value = small_types()
    spec = MapSpec("m", T.ARRAY, 4, 8, 1, key_type_id=key, value_type_id=value)
    with runtime.map_create(spec, btf) as one, runtime.map_create(spec, btf) as other:
        assert one.info().btf_id == other.info().btf_id


@pytest.mark.parametrize("kind", [T.HASH, T.ARRAY, T.PERCPU_HASH, T.LRU_HASH, T.LPM_TRIE], ids=lambda kind: kind.label)
def test_items_by_batches(runtime, kind):
    flags = MapFlag.NO_PREALLOC if kind == T.LPM_TRIE else 0
    count = 10_000
    with runtime.map_create(MapSpec("m", kind, 8 if kind == T.LPM_TRIE else 4, 8, 2 * count, flags)) as handle:
        expected = {}
        for number in range(count):
            key = struct.pack("=I", number) if kind != T.LPM_TRIE else struct.pack("=I", 32) + number.to_bytes(4)
            expected[key] = struct.pack("=Q", number) * (cpu_count() if kind in PERCPU_TYPES else 1)
        keys, values = b"".join(expected), b"".join(expected.values())
        assert calls.map_update_batch(handle.fileno(), keys, values, count) == count
        found = list(handle.items())
        assert len(found) == len(dict(found)) == (2 * count if kind == T.ARRAY else count)
        assert {key: value for key, value in found if key in expected} == expected


def test_batch_that_fails_says_how_much_was_done(runtime):
    with runtime.map_create(MapSpec("m", T.HASH, 4, 4, 3)) as handle:
        keys = b"".join(number.to_bytes(4, "little") for number in range(5))
        with pytest.raises(BpfCallError) as full:
            calls.map_update_batch(handle.fileno(), keys, keys, 5)
        assert (full.value.errno, full.value.done) == (errno.E2BIG, 3)


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        (MapSpec("m", T.ARRAY, 8, 8, 1), errno.EINVAL),
        (MapSpec("m", T.ARRAY, 4, 0, 1), errno.EINVAL),
        (MapSpec("m", T.ARRAY, 4, 8, 0), errno.EINVAL),
        (MapSpec("m", T.ARRAY, 4, 8, 1, MapFlag.NO_PREALLOC), errno.EINVAL),
        (MapSpec("m", T.LPM_TRIE, 8, 8, 1), errno.EINVAL),
        (MapSpec("m", T.RINGBUF, 0, 0, 5000), errno.EINVAL),
        (MapSpec("m", T.QUEUE, 4, 8, 1), errno.EINVAL),
        (MapSpec("m", T.HASH, 4, 8, 1 << 31), errno.E2BIG),
    ],
    ids=lambda each: each.map_type.label if isinstance(each, MapSpec) else errno.errorcode[each],
)
def test_creation_refused(runtime, spec, number):
    with pytest.raises(LoadError) as refused:
        runtime.map_create(spec)
    assert refused.value.errno == number
    assert errno.errorcode[number] in str(refused.value)


def test_lengths_are_checked_before_the_kernel_reads_them(runtime):
    with runtime.map_create(MapSpec("m", T.HASH, 4, 8, 1)) as handle:
        for action, arguments in (
            (handle.lookup, (b"",)),
            (handle.update, (bytes(5), bytes(8))),
            (handle.update, (bytes(4), bytes(7))),
            (handle.delete, (bytes(3),)),
            (handle.next_key, (bytes(3),)),
        ):
            with pytest.raises(MapError) as refused:
                action(*arguments)
            assert refused.value.errno == errno.EINVAL


def test_a_closed_handle_is_no_longer_used(runtime):
    handle = runtime.map_create(MapSpec("m", T.ARRAY, 4, 8, 1))
    handle.close()
    handle.close()
    with pytest.raises(ValueError, match="closed"):
        handle.lookup(bytes(4))
