"""Links against the live kernel: the scripts that the user runtime is tested with, on real TCX and XDP.

On the loopback device of a network namespace of the test's own, with pins in a bpffs that only this process sees.
"""

import ctypes
import os
import uuid
from collections.abc import Iterator

import pytest

from tests.kernel import oracle, private_bpffs
from tests.vm.link_rows import ROWS, World, differences
from toolchain.errors import LoadError
from toolchain.isa.program_types import AttachType
from toolchain.kernel import KernelRuntime, calls
from toolchain.kernel import hooks as kernel_hooks
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.handles import KernelLink

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]
CLONE_NEWNET = 0x40000000
TYPES = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS, "xdp": AttachType.XDP}


@pytest.fixture(scope="module")
def own_network() -> Iterator[None]:
    """A network namespace of this thread's own; afterwards it is in the old one again."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET):
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        if not kernel_hooks.has_tcx():
            pytest.skip("this kernel has no TCX")
        yield
    finally:
        assert not libc.setns(before, CLONE_NEWNET)
        os.close(before)


class KernelWorld(World):
    """Links as the kernel keeps them. An unlinked pin is let go a little later: bpf_destroy_inode() waits for RCU."""

    patience = 5.0

    @staticmethod
    def state(info):
        return info.ifindex != 0, info.prog_id


def attach(program, device: str, hook: str, order) -> KernelLink:
    """BPF_LINK_CREATE with the same words."""
    flags = (1 << 3 if order.is_before else 0) | (1 << 4 if order.is_after else 0)
    if order.relative_id:
        flags |= 1 << 5 | (1 << 13 if order.is_link else 0)
    index = kernel_hooks.device_index(device)
    try:
        if hook == "xdp":
            return KernelLink(calls.link_create("plain", program.fileno(), index, TYPES[hook]))
        return KernelLink(
            calls.link_create(
                "relative", program.fileno(), index, TYPES[hook], flags,
                relative=order.relative_id, expected_revision=order.revision,
            )
        )  # fmt: skip
    except BpfCallError as error:
        raise LoadError("attach", error.errno) from error


def query(device: str, hook: str) -> tuple[int, tuple[int, ...]]:
    found = calls.prog_query(kernel_hooks.device_index(device), TYPES[hook])
    return found.revision, found.prog_ids


@pytest.fixture
def world(own_network) -> Iterator[World]:
    mounted = private_bpffs.mounted()
    if not mounted:
        pytest.skip("no bpffs can be mounted")
    root = f"{mounted}/{uuid.uuid4().hex}"
    os.mkdir(root)
    made = KernelWorld(KernelRuntime(root), "lo", attach, query)
    yield made
    made.close()
    for name in os.listdir(root):
        os.unlink(f"{root}/{name}")
    os.rmdir(root)


@pytest.mark.parametrize("name", ROWS)
def test_the_kernel_answers_the_row_so_too(world: World, name: str) -> None:
    assert differences(world, ROWS[name]) == []
