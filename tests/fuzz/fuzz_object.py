"""Fuzzes the object reader: any bytes give an ObjectSpec or one ToolchainError, within a second and 200 MB.

What is read is also looked at: every type, every record, every program linked. Seeds are the objects of tests/data/obj,
changed at random places and, more often, in the fields that steer a reader (headers, symbols, relocations, type words).

    python tests/fuzz/fuzz_object.py --seconds 60 [--seed N] [--keep DIR] [--more OBJECT...]

A failure prints the run's seed and the input's number, and keeps the input.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from toolchain.elf import read, read_spec, write  # noqa: E402
from toolchain.elf.extract import extract  # noqa: E402
from toolchain.errors import ToolchainError  # noqa: E402
from toolchain.isa.program_types import ProgType  # noqa: E402
from toolchain.loader.link import link  # noqa: E402
from toolchain.spec.objects import ObjectSpec  # noqa: E402

SECONDS_PER_INPUT = 1.0
MEMORY = 200 << 20
INTERESTING = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
SEEDS = sorted((ROOT / "tests" / "data" / "obj").glob("*.o"))


def examine(data: bytes) -> str:
    """Reads ``data`` as a user of the library would, to the last record. Gives what came of it."""
    try:
        spec = read_spec(data, "input")
    except ToolchainError as error:
        str(error)
        return "refused"
    try:
        look_at(spec)
        file = read(data, "input")
        assert extract(file).programs == spec.programs
        write(file)
    except ToolchainError as error:
        str(error)
        return "refused late"
    return "read"


def look_at(spec: ObjectSpec) -> None:
    """Every type, record and program. Raises ToolchainError."""
    if spec.btf is not None:
        for type_id in range(len(spec.btf.types)):
            spec.btf.get(type_id)
    if spec.btf_ext is not None:
        for table in (spec.btf_ext.func_info, spec.btf_ext.line_info, spec.btf_ext.core_relocations):
            for section in table:
                len(table[section])
    for program in spec.programs[:8]:
        link(spec, program.name, program.prog_type or ProgType.SOCKET_FILTER)


def mutate(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One input."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        rng.choice(MUTATIONS)(rng, data, seeds)
    return bytes(data)


def flip(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def set_number(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    """An interesting number at an aligned place."""
    size = rng.choice((1, 2, 4, 8))
    if len(data) >= size:
        put(rng, data, rng.randrange(len(data) // size) * size, size)


def put(rng: random.Random, data: bytearray, offset: int, size: int) -> None:
    value = rng.choice((*INTERESTING, rng.randrange(64), len(data), rng.getrandbits(8 * size)))
    if offset + size <= len(data):
        data[offset : offset + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, rng.choice(("little", "big")))


def set_header(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    """A field of the file header or of a section header."""
    if len(data) < 64:
        return
    if rng.random() < 0.2:
        put(rng, data, rng.choice((4, 5, 16, 18, 40, 52, 58, 60, 62)), rng.choice((1, 2, 8)))
        return
    mark = "<" if data[5] == 1 else ">"
    offset, count = struct.unpack_from(f"{mark}Q", data, 40)[0], struct.unpack_from(f"{mark}H", data, 60)[0]
    field, size = rng.choice(((0, 4), (4, 4), (8, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)))
    if count:
        put(rng, data, offset + 64 * rng.randrange(count) + field, size)


def set_in_section(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    """A 32-bit word of some section: symbols, relocations, types, records, code."""
    if len(data) < 64:
        return
    mark = "<" if data[5] == 1 else ">"
    table, count = struct.unpack_from(f"{mark}Q", data, 40)[0], struct.unpack_from(f"{mark}H", data, 60)[0]
    place = table + 64 * rng.randrange(count or 1)
    if place + 64 <= len(data):
        offset, size = struct.unpack_from(f"{mark}QQ", data, place + 24)
        if 4 <= size < len(data):
            put(rng, data, offset + rng.randrange(size // 4) * 4, rng.choice((1, 2, 4, 4)))


def truncate(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def splice(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    other = rng.choice(seeds)
    start = rng.randrange(len(other))
    piece = other[start : start + rng.choice((4, 24, 64, 512))]
    at = rng.randrange(len(data) + 1)
    data[at : at + len(piece)] = piece


def insert(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 4, 8, 64)))


def noise(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    data[:] = rng.choice((b"", b"\x7fELF", data[:64])) + rng.randbytes(rng.randrange(256))


Mutation = Callable[[random.Random, bytearray, list[bytes]], None]
MUTATIONS: tuple[Mutation, ...] = (
    flip, set_number, set_header, set_header, set_in_section, set_in_section, set_in_section, truncate, splice, insert,
)  # fmt: skip


def limit_memory() -> None:
    """MemoryError from MEMORY above what the process uses now."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=Path("."))
    parser.add_argument(
        "--more", type=Path, nargs="*", default=[], help="objects to start from, besides the frozen ones"
    )
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    seeds = [path.read_bytes() for path in (*SEEDS, *options.more)]
    outcomes: Counter[str] = Counter(examine(data) for data in seeds[: len(SEEDS)])
    assert not outcomes["refused"], outcomes
    limit_memory()
    end = time.monotonic() + options.seconds
    slowest, number = 0.0, 0
    while time.monotonic() < end:
        number += 1
        data = mutate(rng, seeds)
        if number % 64 == 0:
            buffer = bytearray(data)
            noise(rng, buffer, seeds)
            data = bytes(buffer)
        start = time.process_time()
        try:
            outcomes[examine(data)] += 1
            slowest = max(slowest, time.process_time() - start)
            assert time.process_time() - start < SECONDS_PER_INPUT, "slower than a second"
        except Exception:
            kept = options.keep / f"fuzz-object-{seed}-{number}.bin"
            kept.write_bytes(data)
            traceback.print_exc()
            print(f"input {number} of seed {seed}: kept as {kept}")
            return 1
    print(f"{number} inputs, slowest {slowest * 1000:.0f} ms, {dict(outcomes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
