"""Tokens: how a user namespace may use bpf(2). Its capabilities do not count there; a token passes on those that the
machine's root has delegated to it, as options of a bpffs.

    $LIBBPF_BPF_TOKEN_PATH     a token is made from
    names a bpffs              that one; an error if it cannot be
    is empty                   none
    is not set                 in a user namespace: the bpffs of the pin root, else /sys/fs/bpf, if it delegates;
                               elsewhere nobody needs one

A token goes along with making maps, loading programs and types. Ids, and lists of them, it does not open.

Source: libbpf.c, bpf_object_prepare_token(), for the variable; kernel/bpf/token.c of Linux 6.12, bpf_token_create().
"""

from __future__ import annotations

import errno
import os

from toolchain.errors import PinPlace, RuntimeUnavailable
from toolchain.kernel import bpffs, calls
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.privileges import is_initial_user_namespace

VARIABLE = "LIBBPF_BPF_TOKEN_PATH"
_HINT = f"it takes a bpffs mounted with delegate_* options, in a user namespace; unset {VARIABLE} else"


def open_token(pin_root: str) -> int:
    """A token's fd, 0 where there is none. Owns: the caller. Raises RuntimeUnavailable for a path that was named."""
    path = os.environ.get(VARIABLE)
    if path:
        return make_token(path)
    if path is not None or is_initial_user_namespace():
        return 0
    try:
        return make_token(bpffs.mount_point_of(pin_root) or bpffs.DEFAULT_MOUNT)
    except RuntimeUnavailable:
        return 0


def make_token(path: str) -> int:
    """A token of the bpffs mounted at ``path``. Owns: the caller. Raises RuntimeUnavailable."""
    where = PinPlace(path)
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", 0) or errno.EINVAL
        raise RuntimeUnavailable(f"{VARIABLE} is no directory", number, where) from error
    try:
        return calls.token_create(directory)
    except BpfCallError as error:
        raise RuntimeUnavailable("cannot make a token", error.errno, where, _HINT) from error
    finally:
        os.close(directory)
