"""The first page of an object file: round trip, and any other bytes give BadHeader."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.pin.header import (
    BOOT_ID_OFFSET,
    BTF_SIZE_MAX,
    HEADER_SIZE,
    ID_MAX,
    KINDS,
    MAGIC,
    TEXT_SIZE_MAX,
    BadHeader,
    ObjectHeader,
    decode,
    encode,
)

U64 = st.integers(0, (1 << 64) - 1)
SIZE = st.integers(0, (1 << 48) - 1)
HEADERS = st.builds(
    ObjectHeader,
    kind=st.sampled_from(sorted(KINDS)),
    id=st.integers(1, ID_MAX),
    name=st.text(max_size=200).filter(lambda text: text.isprintable()),
    spec=st.binary(max_size=500),
    data_size=SIZE,
    btf_offset=SIZE,
    btf_size=st.integers(0, BTF_SIZE_MAX),
    btf_hash=st.binary(min_size=32, max_size=32),
    dev=U64,
    ino=U64,
    uid=st.integers(0, (1 << 32) - 1),
    ref_count=st.integers(0, (1 << 32) - 1),
    created_ns=U64,
    boot_id=st.binary(min_size=16, max_size=16),
)
SAMPLE = ObjectHeader("map", 7, "acc", b"spec", 4096, 8192, 100, bytes(32), 1, 2, 0, 0, 123, bytes(range(16)))


@given(HEADERS)
def test_round_trip(header):
    assert decode(encode(header)) == header


def test_names_that_are_not_utf8():
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert decode(encode(replace(SAMPLE, name=name))).name == name


def test_every_changed_bit_is_noticed():
    page = encode(SAMPLE)
    rng = random.Random(1)
    for offset in [*range(200), *rng.sample(range(200, HEADER_SIZE), 100)]:
        if BOOT_ID_OFFSET <= offset < BOOT_ID_OFFSET + 16:
            continue
        damaged = bytearray(page)
        damaged[offset] ^= 1 << rng.randrange(8)
        with pytest.raises(BadHeader):
            decode(bytes(damaged))


def test_boot_id_may_change():
    page = bytearray(encode(SAMPLE))
    page[BOOT_ID_OFFSET : BOOT_ID_OFFSET + 16] = b"x" * 16
    assert decode(bytes(page)) == replace(SAMPLE, boot_id=b"x" * 16)


@given(st.binary(max_size=HEADER_SIZE + 10).filter(lambda data: not data.startswith(MAGIC)))
def test_foreign_bytes(data):
    with pytest.raises(BadHeader) as caught:
        decode(data)
    assert caught.value.is_foreign


@pytest.mark.parametrize("size", [8, 100, HEADER_SIZE - 1])
def test_cut_short(size):
    with pytest.raises(BadHeader, match="cut short") as caught:
        decode(encode(SAMPLE)[:size])
    assert not caught.value.is_foreign


def test_too_long_for_the_page():
    encode(replace(SAMPLE, name="", spec=bytes(TEXT_SIZE_MAX)))
    with pytest.raises(ValueError, match="too long"):
        encode(replace(SAMPLE, name="x", spec=bytes(TEXT_SIZE_MAX)))
