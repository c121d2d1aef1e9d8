"""Tags of programs are those that the live kernel gives the same code."""

import os

import pytest

from tests.kernel import oracle
from tests.kernel.test_run_vectors import with_fds
from tests.vm.vectors import Vector, vector_files
from toolchain.vm.tag import tag_of

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]
NAMES = {"array_lookup_add", "direct_value", "map_key_in_map", "call_local", "lddw-0", "xdp_packet_write"}


@pytest.mark.parametrize(
    "vector", [each for file in vector_files() for each in file if each.name in NAMES], ids=lambda each: each.name
)
def test_tag(vector: Vector) -> None:
    fds = [
        oracle.map_create(spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.map_flags)
        for spec in vector.maps
    ]
    _, fd = oracle.prog_load(int(vector.prog_type), with_fds(vector.linked(), fds))
    with oracle.closing(fd, *fds):
        release = tuple(int(part) for part in os.uname().release.split(".")[:2])
        if release < (6, 18):
            pytest.skip("tags are SHA-1 before Linux 6.18")
        assert oracle.info(fd)[8:16].hex() == tag_of(vector.linked().code)
