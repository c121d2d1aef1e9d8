"""Which runtime, and where its pins are.

name     pin root, unless one is given
user     $BPF_PIN_ROOT, else $XDG_RUNTIME_DIR/bpf, else /dev/shm/bpf-UID
kernel   $BPF_PIN_ROOT, else the bpffs that tc would use: $TC_BPF_MNT, /sys/fs/bpf, the first one mounted
"""

from __future__ import annotations

import os
from errno import ENOSYS, EPERM
from typing import TYPE_CHECKING

from toolchain.errors import PinError, PinPlace, RuntimeUnavailable, UsageError
from toolchain.spec.runtime import Runtime

if TYPE_CHECKING:
    from toolchain.kernel import KernelRuntime

RUNTIMES = ("user", "kernel", "auto")


def runtime_name(name: str = "", pin_root: str = "") -> str:
    """The runtime meant by ``name``: '' = $BPF_RUNTIME, else user; auto = the kernel where it can be used.

    That is where this process may load programs, and ``pin_root`` or the default place of pins lies in a bpffs.

    Raises: UsageError for a name that there is not.
    """
    name = name or os.environ.get("BPF_RUNTIME", "") or "user"
    if name not in RUNTIMES:
        raise UsageError(f"unknown runtime: {name} ({', '.join(RUNTIMES)})")
    if name == "auto":
        return "kernel" if _is_kernel_usable(pin_root) else "user"
    return name


def _is_kernel_usable(pin_root: str) -> bool:
    try:
        from toolchain.kernel import is_usable
    except ImportError:
        return False
    return is_usable(pin_root)


def open_runtime(name: str = "", pin_root: str = "", mounts: bool = False) -> Runtime:
    """The runtime meant by ``name`` (see ``runtime_name``), its pins in ``pin_root`` or the default place.

    ``mounts``: the kernel's pin root becomes a BPF file system if it lies in none.
    Owns: the caller closes it.
    Raises: UsageError, and RuntimeUnavailable where it cannot work here.
    """
    if runtime_name(name, pin_root) == "kernel":
        kernel = open_kernel(pin_root)
        if mounts:
            kernel.mount()
        return kernel
    if mounts:
        raise UsageError("--mount is for the kernel runtime: -r kernel")
    from toolchain.pin.root import check_root

    try:
        from toolchain.vm import UserRuntime
    except ImportError as error:
        raise not_built("user", error) from error
    runtime = UserRuntime(pin_root)
    check_root(runtime.pin_root)
    return runtime


def open_kernel(pin_root: str = "") -> KernelRuntime:
    """The kernel runtime. Owns: the caller closes it. Raises RuntimeUnavailable where it is not built."""
    try:
        from toolchain.kernel import KernelRuntime
    except ImportError as error:
        raise not_built("kernel", error) from error
    return KernelRuntime(pin_root)


def not_built(name: str, error: ImportError) -> RuntimeUnavailable:
    """The error for a runtime whose C core is not there, or not of these sources."""
    text = f"the {name} runtime's C core cannot be imported: {error}"
    return RuntimeUnavailable(text, ENOSYS, hint="build it: run make, or install the package again")


def relative_pin(pin_root: str, path: str) -> str:
    """A PIN argument, absolute or relative to the pin root, as a path relative to it.

    Raises: PinError EPERM for a path outside the root, as bpffs answers for another file system.
    """
    if not path.startswith("/"):
        return path
    for root in dict.fromkeys((os.path.abspath(pin_root), os.path.realpath(pin_root))):
        if path.startswith(f"{root}/"):
            return path[len(root) + 1 :].lstrip("/")
    raise PinError("path outside the pin root", EPERM, PinPlace(path), f"the pin root is {pin_root}")
