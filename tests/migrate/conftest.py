"""Both runtimes, each on pins of the test's own."""

import os
import shutil
import uuid
from collections.abc import Iterator

import pytest

from tests.kernel import oracle, private_bpffs
from toolchain.spec.runtime import Runtime

_WHY = oracle.why_unavailable()
KERNEL = pytest.param(
    "kernel", marks=[pytest.mark.kernel, pytest.mark.skipif(bool(_WHY), reason=_WHY or "available")]
)  # fmt: skip


@pytest.fixture(params=["user", KERNEL])
def runtime(request, pin_root) -> Iterator[Runtime]:
    """The user runtime, and the kernel's on a bpffs that only this process sees."""
    if request.param == "user":
        from toolchain.vm import UserRuntime

        made = UserRuntime(pin_root)
        yield made
        made.close()
        return
    from toolchain.kernel import KernelRuntime

    above = private_bpffs.mounted()
    if not above:
        pytest.skip("this process may not mount a bpffs")
    root = os.path.join(above, uuid.uuid4().hex[:12])
    os.mkdir(root)
    kernel = KernelRuntime(root)
    yield kernel
    kernel.close()
    shutil.rmtree(root)
