"""A kernel too old or built without a type: the version that has it is named. Other EINVALs stay what they are."""

import errno
import os

import pytest

from tests.kernel import oracle
from toolchain.errors import LoadError, Unsupported
from toolchain.isa.map_types import MapType
from toolchain.isa.program_types import ProgType
from toolchain.kernel import KernelRuntime, calls, since
from toolchain.kernel.calls import LoadAnswer
from toolchain.spec.maps import MapSpec
from toolchain.spec.stages import BoundProgram, LinkedProgram

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

BAD_RING = MapSpec("ring", MapType.RINGBUF, 0, 0, 5000)


@pytest.mark.parametrize(
    ("release", "wanted", "older"),
    [("5.4.0-12-generic", "5.8", True), ("5.8.0", "5.8", False), ("6.18.44-fc", "6.9", False), ("4.19", "4.2", False),
     ("5.10-rc1", "5.16", True), ("x", "5.8", False), ("", "5.8", False), ("7.0.1", "6.4", False)],
)  # fmt: skip
def test_releases(release, wanted, older):
    assert since.is_before(release, wanted) is older


def test_every_type_has_its_version():
    assert set(since.MAPS_SINCE) == set(MapType) - {MapType.UNSPEC}
    assert set(since.PROGRAMS_SINCE) == set(ProgType) - {ProgType.UNSPEC}


def on(monkeypatch, release: str) -> None:
    fields = list(os.uname())
    fields[2] = release
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(fields))


def test_a_map_on_an_older_kernel(monkeypatch):
    with pytest.raises(LoadError) as refused:
        KernelRuntime().map_create(BAD_RING)
    assert refused.value.errno == errno.EINVAL
    on(monkeypatch, "5.4.0-12-generic")
    with pytest.raises(Unsupported, match=r"maps of type ringbuf on Linux 5\.4\.0-12-generic \(5\.8 has them\)"):
        KernelRuntime().map_create(BAD_RING)


def test_a_program_on_an_older_kernel(monkeypatch):
    code = bytes.fromhex("b7000000000000009500000000000000")
    kind = ProgType.CGROUP_SOCK_ADDR
    program = LinkedProgram("p", "cgroup/connect4", kind, code, expected_attach_type=999, licence="GPL")
    with pytest.raises(LoadError) as refused:
        KernelRuntime().prog_load(BoundProgram.unpinned(program), [])
    assert refused.value.errno in (errno.EINVAL, errno.E2BIG)
    monkeypatch.setattr(calls, "prog_load", lambda *_: LoadAnswer(-errno.EINVAL, "", 0))
    with pytest.raises(Unsupported, match="programs of type cgroup_sock_addr on this kernel") as built_without:
        KernelRuntime().prog_load(BoundProgram.unpinned(program), [])
    assert "is built without them" in built_without.value.hint
    on(monkeypatch, "4.4.0")
    with pytest.raises(Unsupported, match=r"programs of type cgroup_sock_addr on Linux 4\.4\.0 \(4\.17 has them\)"):
        KernelRuntime().prog_load(BoundProgram.unpinned(program), [])
