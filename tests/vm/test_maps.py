"""Maps from Python: against a dict as the model, against many writers, against any bytes in their memory."""

import errno
import os
import random
import signal
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolchain.vm._core import ffi, lib

from toolchain.errors import LoadError, MapError, PinError, Unsupported
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.pin import ObjectStore
from toolchain.pin.check import check
from toolchain.pin.header import BOOT_ID_OFFSET
from toolchain.pin.stored import DATA_OFFSET, StoredObject
from toolchain.spec.maps import MapSpec
from toolchain.vm.maps import (
    READ,
    anonymous_map,
    check_map,
    cpu_count,
    create_map,
    data_size,
    open_map,
    repair_map,
)

LOCKS = range(DATA_OFFSET + 256, DATA_OFFSET + 256 + 16 * 128)
LOCK_STRIDE = 128
LOCK_SIZE = 40


def spec_of(kind: MapType, key: int, value: int, entries: int, flags: int = 0) -> MapSpec:
    return MapSpec("m", kind, key, value, entries, flags)


def hash_of(entries: int, value: int = 8) -> MapSpec:
    return spec_of(MapType.HASH, 8, value, entries)


def key_of(number: int) -> bytes:
    return struct.pack("<Q", number)


def error_of(call, *arguments) -> str:
    with pytest.raises(MapError) as caught:
        call(*arguments)
    return errno.errorcode[caught.value.errno]


@pytest.fixture
def store(tmp_path) -> ObjectStore:
    return ObjectStore(str(tmp_path / "tree"), {"map": repair_map})


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "set", "del", "pop", "get", "in", "batch"]), st.integers(0, 40)), max_size=120
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([hash_of(24), hash_of(24, 40), hash_of(200), spec_of(MapType.HASH, 8, 8, 24, MapFlag.ZERO_SEED)]),
    OPERATIONS,
)
def test_hash_is_a_dict_that_may_be_full(spec, operations):
    model: dict[bytes, bytes] = {}
    with anonymous_map(spec) as real:
        for step, (name, number) in enumerate(operations):
            key, value = key_of(number), struct.pack("<Q", step) * (spec.value_size // 8)
            match name:
                case "set" if key in model or len(model) < spec.max_entries:
                    real[key] = model[key] = value
                case "set":
                    assert error_of(real.update, key, value) == "E2BIG"
                case "del" if key in model:
                    del real[key], model[key]
                case "del":
                    with pytest.raises(KeyError):
                        del real[key]
                case "pop":
                    assert real.pop(key, None) == model.pop(key, None)
                case "get":
                    assert real.get(key) == model.get(key)
                case "in":
                    assert (key in real) == (key in model)
                case "batch":
                    pairs = {key_of(each): value for each in range(number, number + 3)}
                    if len(model | pairs) <= spec.max_entries:
                        real.update(pairs)
                        model |= pairs
        assert dict(real.items()) == model
        assert len(real) == len(model)
        assert sorted(real) == sorted(walked(real)) == sorted(model)
        assert real.check() == ""


def walked(real) -> list[bytes]:
    keys = []
    key = real.next_key(None)
    while key is not None:
        keys.append(key)
        key = real.next_key(key)
    return keys


@pytest.mark.parametrize("entries", [1, 2, 63, 64, 65, 129, 1000, 5000])
def test_every_entry_can_be_used_whatever_the_keys(entries):
    """Groups lend each other nodes: a map is full at max_entries, not before, and not after."""
    rng = random.Random(entries)
    with anonymous_map(hash_of(entries, 16)) as real:
        for _ in range(3):
            keys = [rng.randbytes(8) for _ in range(entries)]
            real.update((key, key * 2) for key in keys)
            assert len(real) == entries
            assert error_of(real.update, b"one more", bytes(16)) == "E2BIG"
            real.update((key, bytes(16)) for key in keys)
            assert real.check() == ""
            for key in keys:
                real.delete(key)
            assert len(real) == 0


@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_dump_in_small_steps(capacity):
    """Also inside a chain: with one bucket for each element, several share one."""
    with anonymous_map(hash_of(64)) as real:
        real.update((key_of(number), key_of(number * 2)) for number in range(64))
        keys, values, cursor = bytearray(8 * capacity), bytearray(8 * capacity), ffi.new("uint64_t *")
        found = []
        while count := lib.vm_map_dump(real.pointer, cursor, ffi.from_buffer(keys), ffi.from_buffer(values), capacity):
            found += [(bytes(keys[at : at + 8]), bytes(values[at : at + 8])) for at in range(0, 8 * count, 8)]
        assert sorted(found) == sorted(real.items())
        assert len(found) == 64


def test_lru_keeps_the_newest_and_what_is_used():
    with anonymous_map(spec_of(MapType.LRU_HASH, 8, 8, 10)) as real:
        for number in range(10):
            real[key_of(number)] = key_of(number)
        used = ffi.from_buffer(key_of(3))
        for number in range(10, 40):
            assert lib.vm_map_lookup(real.pointer, used, 0) != ffi.NULL
            real[key_of(number)] = key_of(number)
            assert len(real) == 10
        assert key_of(3) in real
        assert key_of(39) in real
        assert real.check() == ""


def test_per_cpu_values_are_padded_and_separate():
    cpus = cpu_count()
    with anonymous_map(spec_of(MapType.PERCPU_ARRAY, 4, 4, 2)) as real:
        assert real.value_size == 8 * cpus
        real[bytes(4)] = b"".join(struct.pack("<Q", cpu + 1) for cpu in range(cpus))
        for cpu in range(2 * cpus):
            address = lib.vm_map_lookup(real.pointer, ffi.from_buffer(bytes(4)), cpu)
            assert bytes(ffi.buffer(address, 4)) == struct.pack("<I", cpu % cpus + 1)
        assert lib.vm_map_update(real.pointer, bytes(4), b"\xff" * 4, 0, cpus - 1) == 0
        assert real[bytes(4)][-8:] == b"\xff" * 4 + bytes(4)


def test_addresses_of_values():
    with anonymous_map(spec_of(MapType.ARRAY, 4, 12, 3)) as real:
        base = real.pointer.values
        assert real.pointer.elem_stride == 16
        for offset, size, inside in [
            (0, 12, 1),
            (0, 13, 0),
            (4, 8, 1),
            (12, 1, 0),
            (16, 12, 1),
            (32, 12, 1),
            (44, 1, 0),
            (48, 1, 0),
            (-1, 1, 0),
        ]:
            assert lib.vm_map_has_range(real.pointer, base + offset, size) == inside, offset
    with anonymous_map(hash_of(4, 12)) as real:
        real[key_of(1)] = bytes(12)
        value = ffi.cast("uint8_t *", lib.vm_map_lookup(real.pointer, ffi.from_buffer(key_of(1)), 0))
        for offset, size, inside in [(0, 12, 1), (0, 13, 0), (-1, 1, 0), (11, 1, 1), (11, 2, 0)]:
            assert lib.vm_map_has_range(real.pointer, value + offset, size) == inside, offset


def test_batch_stops_at_the_first_failure():
    with anonymous_map(hash_of(4)) as real:
        with pytest.raises(MapError, match=r"update 5 of 6.*E2BIG"):
            real.update((key_of(number), key_of(number)) for number in range(6))
        assert len(real) == 4
        for keys, values in ((b"x", b"y"), (bytes(8), bytes(16)), (bytes(16), bytes(8)), (b"", bytes(8))):
            assert error_of(real.fill, keys, values) == "EINVAL"
        assert real.fill(b"", b"") == 0


def test_sizes_are_checked():
    with anonymous_map(hash_of(4)) as real:
        for call in (
            lambda: real[b"short"],
            lambda: real.update(b"", bytes(8)),
            lambda: real.delete(bytes(9)),
            lambda: real.next_key(b"1"),
        ):
            assert error_of(call) == "EINVAL"
        assert error_of(real.update, bytes(8), b"short") == "EINVAL"
        assert error_of(real.update, [(bytes(8), bytes(8)), (b"", bytes(8))]) == "EINVAL"


def test_frozen_and_read_only(store):
    with create_map(store, hash_of(4)) as real:
        real[key_of(1)] = key_of(2)
        with open_map(store.by_id("map", real.id), READ) as reader:
            assert reader[key_of(1)] == key_of(2)
            assert error_of(reader.update, key_of(1), key_of(2)) == "EPERM"
        with open_map(store.by_id("map", real.id, writable=False)) as reader:
            assert dict(reader.items()) == {key_of(1): key_of(2)}
            assert reader.check() == ""
            for call in (lambda: reader.update(key_of(1), key_of(2)), lambda: reader.delete(key_of(1)), reader.freeze):
                assert error_of(call) == "EPERM"
        assert not real.info().is_frozen
        real.freeze()
        assert real.info().is_frozen
        assert error_of(real.freeze) == "EPERM"
        assert error_of(real.update, key_of(1), key_of(2)) == "EPERM"
        assert lib.vm_map_update(real.pointer, key_of(1), key_of(3), 0, 0) == 0
        assert real[key_of(1)] == key_of(3)


def test_what_a_map_says_of_itself(store):
    spec = MapSpec(
        "a name longer than the kernel keeps",
        MapType.HASH,
        4,
        8,
        16,
        MapFlag.RDONLY_PROG,
        key_type_id=3,
        value_type_id=4,
    )
    with create_map(store, spec, b"type information") as made:
        store.pin(made.stored, "x")
    with open_map(store.get("x")) as found:
        info = found.info()
        assert (info.id, info.owner_uid, info.btf) == (1, os.geteuid(), b"type information")
        for field in (
            "name",
            "map_type",
            "key_size",
            "value_size",
            "max_entries",
            "map_flags",
            "key_type_id",
            "value_type_id",
        ):
            assert getattr(info.spec, field) == getattr(spec, field)


def test_closed_map(store):
    made = create_map(store, hash_of(4))
    made.close()
    made.close()
    for call in (lambda: made[key_of(1)], lambda: len(made), lambda: list(made.items()), made.fileno, made.info):
        with pytest.raises(ValueError, match="closed"):
            call()


@pytest.mark.parametrize("kind", [MapType.RINGBUF, MapType.LPM_TRIE, MapType.PERCPU_HASH])
def test_types_not_built_are_named(kind):
    with pytest.raises(Unsupported, match=kind.label):
        anonymous_map(spec_of(kind, 4, 4, 4))


@pytest.mark.parametrize("field", ["key_size", "value_size", "max_entries", "map_flags", "map_extra"])
@pytest.mark.parametrize("number", [-1, 1 << 32, 1 << 64, 1 << 31, (1 << 32) - 1])
def test_impossible_definitions(field, number):
    sizes = {"key_size": 4, "value_size": 8, "max_entries": 4, "map_flags": 0, "map_extra": 0, field: number}
    with pytest.raises(LoadError):
        data_size(MapSpec("m", MapType.ARRAY, **sizes))


def test_huge_maps_are_refused_before_any_memory_is_touched(store):
    for spec in (spec_of(MapType.ARRAY, 4, 1 << 30, 1 << 31), spec_of(MapType.HASH, 4, 1 << 20, 1 << 27)):
        with pytest.raises(LoadError, match="ENOMEM"):
            create_map(store, spec)


def test_writers_in_many_threads_and_processes(store):
    """Each writer owns some keys; all of them share groups, nodes and locks."""
    count, rounds, spec = 4, 400, hash_of(200, 40)
    with create_map(store, spec) as real:
        children = [os.fork() for _ in range(0)]
        for writer in range(count):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    with open_map(store.by_id("map", real.id)) as mine:
                        threads = [
                            threading.Thread(target=write, args=(mine, 2 * writer + half, rounds)) for half in range(2)
                        ]
                        for thread in threads:
                            thread.start()
                        for thread in threads:
                            thread.join()
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        for _ in range(50):
            assert all(value == value[:8] * 5 for value in real.values())
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert real.check() == ""
        assert len(real) == 2 * count * 20
        assert all(value == key_of(rounds - 1) * 5 for value in real.values())


def write(real, writer: int, rounds: int) -> None:
    for number in range(rounds):
        for key in range(writer * 20, writer * 20 + 20):
            if number % 3 == 1:
                real.pop(key_of(key))
            else:
                real[key_of(key)] = key_of(number) * 5


def test_a_lock_that_a_killed_process_left(store):
    """Killed while writing a batch; the next one finds all sound and goes on."""
    with create_map(store, spec_of(MapType.ARRAY, 4, 1 << 16, 8)) as real:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                while True:
                    for byte in range(256):
                        real[bytes(4)] = bytes([byte]) * (1 << 16)
            threading.Event().wait(0.005)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            value = real[bytes(4)]
            assert value == value[:1] * (1 << 16)
            assert real.check() == ""
            real[bytes(4)] = b"\x07" * (1 << 16)


def test_a_lock_from_an_earlier_boot(store, tmp_path):
    """Its owner is no thread of this boot: opening makes the locks anew."""
    with create_map(store, hash_of(100)) as made:
        made.update((key_of(number), key_of(number)) for number in range(50))
        store.pin(made.stored, "x")
    with open(tmp_path / "tree/x", "r+b") as file:
        file.seek(BOOT_ID_OFFSET)
        file.write(bytes(16))
        for offset in LOCKS[::LOCK_STRIDE]:
            file.seek(offset)
            file.write(struct.pack("<I", 12345))
    with open_map(store.get("x")) as found:
        assert len(found) == 50
        found[key_of(1)] = key_of(7)
        assert found.check() == ""
    assert check(store, {"map": check_map}) == []


FUZZED = [
    hash_of(100, 16),
    spec_of(MapType.HASH, 3, 5, 9),
    spec_of(MapType.LRU_HASH, 4, 20, 12),
    spec_of(MapType.ARRAY, 4, 24, 7),
    spec_of(MapType.PERCPU_ARRAY, 4, 12, 5),
]


@pytest.mark.parametrize("spec", FUZZED, ids=lambda spec: f"{spec.map_type.label}-{spec.value_size}")
def test_any_bytes_in_the_shared_memory(spec):
    """Whatever a map's memory holds, each call ends with a value or an error. Locks keep their bytes; see below."""
    rng = random.Random(7)
    with anonymous_map(spec) as made:
        made.update(elements(made, spec.max_entries))
        size = os.fstat(made.fileno()).st_size
        sound = os.pread(made.fileno(), size, 0)
        for _ in range(150):
            damaged = bytearray(sound)
            for _ in range(rng.choice((1, 3, 30, 3000))):
                at = rng.choice(
                    (rng.randrange(DATA_OFFSET + 128, size), rng.randrange(DATA_OFFSET, DATA_OFFSET + 6000))
                )
                if at < size:
                    damaged[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            for lock in LOCKS[::LOCK_STRIDE]:
                damaged[lock : lock + LOCK_SIZE] = sound[lock : lock + LOCK_SIZE]
            os.pwrite(made.fileno(), damaged, 0)
            stored = StoredObject(os.dup(made.fileno()), made.stored.header, is_writable=True)
            tolerate({"EINVAL"}, lambda stored=stored: use_all(open_map(stored), spec))
        os.pwrite(made.fileno(), sound, 0)


def elements(real, count: int):
    for number in range(count):
        yield (
            number.to_bytes(8, "little")[: real.key_size].ljust(real.key_size, b"\0"),
            bytes([number % 256]) * real.value_size,
        )


def tolerate(names: set[str], call) -> None:
    """Errors of these names are answers; all others fail the test."""
    try:
        call()
    except (MapError, PinError) as error:
        if errno.errorcode[error.errno] not in names:
            raise


def use_all(real, spec) -> None:
    answers = {"E2BIG", "ENOENT", "EINVAL", "ENOMEM", "EPERM", "EBUSY"}
    with real:
        real.check()
        for key, value in elements(real, spec.max_entries + 2):
            lib.vm_map_lookup(real.pointer, ffi.from_buffer(key), 1)
            tolerate(answers, lambda key=key: real.lookup(key))
            tolerate(answers, lambda key=key, value=value: real.update(key, value))
            tolerate(answers, lambda key=key: real.next_key(key))
            tolerate(answers, lambda key=key: real.delete(key))
        tolerate({"EBUSY"}, lambda: list(real.items()))
        len(real)
        real.check()


def test_a_lock_of_another_kind_is_refused():
    """Recursive, priority-inheriting and so on: taking those may do anything, so such a map does not open."""
    with anonymous_map(hash_of(4)) as made:
        for kind in (0, 1, 2, 32, 64, 128, 255):
            os.pwrite(made.fileno(), struct.pack("<I", kind), LOCKS[0] + 16)
            with pytest.raises(PinError, match="EINVAL"):
                open_map(StoredObject(os.dup(made.fileno()), made.stored.header, is_writable=True))


@pytest.mark.parametrize("cut", [1, 4096, 8192])
def test_a_file_that_is_too_short(cut):
    with anonymous_map(hash_of(1000)) as made:
        os.truncate(made.fileno(), os.fstat(made.fileno()).st_size - cut)
        with pytest.raises(PinError, match="EINVAL"):
            open_map(StoredObject(os.dup(made.fileno()), made.stored.header, is_writable=True))
