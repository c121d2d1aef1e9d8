"""Pin paths: which are legal, and where they lead. The answers are bpffs' own.

    ""                      ENOENT        "missing/x"      ENOENT         "x/"        ENOENT (pin)
    "a.b", "d.e/x"          EPERM         256 bytes        ENAMETOOLONG   "../x"      EPERM: leaves the tree
    an existing path        EEXIST (pin)  a directory      EACCES (get)

A path is absolute, below the root, or relative to the root. ``.`` and ``..`` inside are resolved as the file system
does. Source: kernel/bpf/inode.c (bpf_lookup: no dots; bpf_obj_do_pin), Linux 6.12; measured on 6.18.
"""

from __future__ import annotations

import errno
import os

from toolchain.errors import PinError, PinPlace
from toolchain.pin.root import PRIVATE, translated

_PATH_MAX = 4096
"""Bytes of a path, terminator included. Source: include/uapi/linux/limits.h."""


def absolute(root: str, path: str) -> str:
    """The path, taken from the root where it is relative. Raises PinError: empty, a NUL, a dotted name."""
    if not path:
        raise PinError("empty pin path", errno.ENOENT, PinPlace(root))
    if "\0" in path:
        raise PinError("NUL byte in pin path", errno.EINVAL, PinPlace(path.replace("\0", "\\0")))
    full = os.path.join(root, path)
    if len(os.fsencode(full)) >= _PATH_MAX:
        raise PinError(f"path of {len(os.fsencode(full))} bytes", errno.ENAMETOOLONG, PinPlace(path))
    _require_no_dots(root, path)
    return full


def place_of_new(root: str, path: str) -> str:
    """Where a new pin or directory goes, links in its parents resolved. Raises PinError as bpffs would."""
    full = absolute(root, path)
    if full.endswith("/"):
        found = errno.EEXIST if os.path.lexists(full.rstrip("/")) else errno.ENOENT
        raise PinError("no name behind the last slash", found, PinPlace(path))
    parent, name = os.path.split(full)
    try:
        parent = os.path.realpath(parent, strict=True)
        os.lstat(os.path.join(parent, name))
    except FileNotFoundError:
        if not os.path.isdir(parent):
            raise PinError("no such directory above it", errno.ENOENT, PinPlace(path)) from None
    except OSError as error:
        raise translated(error, "cannot pin here", PinPlace(path)) from error
    else:
        raise PinError("path exists", errno.EEXIST, PinPlace(path))
    _require_inside(root, parent, path)
    return os.path.join(parent, name)


def place_of_existing(root: str, path: str, outside: int = errno.EPERM) -> str:
    """Where an existing pin is, links resolved but for a last one that is the pin itself. Raises PinError.

    ``outside``: the errno for what is there, and not in the tree.
    """
    full = absolute(root, path)
    parent, name = os.path.split(full.rstrip("/"))
    try:
        parent = os.path.realpath(parent, strict=True)
    except OSError as error:
        raise translated(error, "no such pin", PinPlace(path)) from error
    place = os.path.join(parent, name)
    if full.endswith("/") and os.path.lexists(place) and not os.path.isdir(place):
        raise PinError("not a directory", errno.ENOTDIR, PinPlace(path))
    if place != root:
        _require_inside(root, parent, path, outside if os.path.lexists(place) else errno.ENOENT)
    return place


def _require_inside(root: str, parent: str, path: str, number: int = errno.EPERM) -> None:
    try:
        real = os.path.realpath(root)
    except OSError as error:  # swapped at this moment
        raise translated(error, "cannot look at the pin root", PinPlace(root)) from error
    if parent.startswith(os.path.join(real, PRIVATE)):
        raise PinError("path leads into the tree's private directory", errno.EPERM, PinPlace(path))
    if parent != real and not parent.startswith(real.rstrip("/") + "/"):
        raise PinError(f"path leaves the pin tree: {parent} ({real})", number, PinPlace(path))


def _require_no_dots(root: str, path: str) -> None:
    """As lookup does it: a dotted name is EPERM if what lies above it exists, ENOENT if not."""
    if os.path.isabs(path):
        if not path.startswith(root.rstrip("/") + "/"):
            return
        path = path[len(root.rstrip("/")) + 1 :]
    above = root
    for name in path.split("/"):
        if "." in name and name not in (".", ".."):
            if not os.path.isdir(above):
                found = errno.ENOTDIR if os.path.exists(above) else errno.ENOENT
                raise PinError("no such directory above it", found, PinPlace(path))
            raise PinError(f"name with a dot: {name}", errno.EPERM, PinPlace(path))
        above = os.path.join(above, name)
