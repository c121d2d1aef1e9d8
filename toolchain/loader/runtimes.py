"""Which runtime, and where its pins are.

name     pin root, unless one is given
user     $BPF_PIN_ROOT, else $XDG_RUNTIME_DIR/bpf, else /dev/shm/bpf-UID
kernel   $BPF_PIN_ROOT, else the bpffs that tc would use: $TC_BPF_MNT, /sys/fs/bpf, the first one mounted
"""

from __future__ import annotations

import os
from errno import ENOSYS, EPERM

from toolchain.errors import PinError, PinPlace, RuntimeUnavailable, UsageError
from toolchain.spec.runtime import Runtime

RUNTIMES = ("user", "kernel", "auto")


def runtime_name(name: str = "") -> str:
    """The runtime meant by ``name``: '' = $BPF_RUNTIME, else user; auto = the kernel where this process may load there.

    Raises: UsageError for a name that there is not.
    """
    name = name or os.environ.get("BPF_RUNTIME", "") or "user"
    if name not in RUNTIMES:
        raise UsageError(f"unknown runtime: {name} ({', '.join(RUNTIMES)})")
    if name == "auto":
        return "kernel" if _is_kernel_permitted() else "user"
    return name


def _is_kernel_permitted() -> bool:
    try:
        from toolchain.kernel import is_permitted
    except ImportError:
        return False
    return is_permitted()


def open_runtime(name: str = "", pin_root: str = "") -> Runtime:
    """The runtime meant by ``name`` (see ``runtime_name``), its pins in ``pin_root`` or the default place.

    Owns: the caller closes it.
    Raises: UsageError, and RuntimeUnavailable where it cannot work here.
    """
    name = runtime_name(name)
    try:
        return _open_kernel(pin_root) if name == "kernel" else _open_user(pin_root)
    except ImportError as error:
        text = f"the {name} runtime's C core cannot be imported: {error}"
        raise RuntimeUnavailable(text, ENOSYS, hint="build it: run make, or install the package again") from error


def _open_user(pin_root: str) -> Runtime:
    from toolchain.pin.root import check_root
    from toolchain.vm import UserRuntime

    runtime = UserRuntime(pin_root)
    check_root(runtime.pin_root)
    return runtime


def _open_kernel(pin_root: str) -> Runtime:
    from toolchain.kernel import KernelRuntime

    return KernelRuntime(pin_root)


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
