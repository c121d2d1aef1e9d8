"""The BPF file system: where it is mounted, what is pinned in it.

A bpffs is found as tc finds it: $TC_BPF_MNT, then the usual place, then the first one in the mount table. Nothing is
mounted unless ``mount`` is called, which only ``--mount`` does.

bpffs answers open(2) of a pin with EIO, so what a pin *is* can only be learnt by getting it. Names with a dot are not
pins: the kernel makes some of its own (maps.debug, progs.debug) and refuses all others.

Source: kernel/bpf/inode.c of Linux 6.12; iproute2 7.1 lib/bpf_legacy.c for the order of places.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from toolchain.errors import PinPlace, RuntimeUnavailable
from toolchain.kernel.native import lib

DEFAULT_MOUNT = "/sys/fs/bpf"
MOUNT_VARIABLE = "TC_BPF_MNT"
_MAX_DEPTH = 64


def journal_name() -> str:
    """The directory below a pin root in which this user's unfinished pins stand (publish.py): they are no pins yet."""
    return f"publishing-{os.geteuid()}"


def mounts() -> list[str]:
    """Every mounted bpffs of this mount namespace, in the order of /proc/self/mounts."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            fields = line.split(" ")
            if len(fields) > 2 and fields[2] == "bpf":
                found.append(_unescaped(fields[1]))
    return found


def _unescaped(path: str) -> str:
    r"""The mount table writes a space as \040."""
    head, *rest = path.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)


def find_root() -> str:
    """Where pins go when nobody says: the bpffs that tc would use, the usual place where none is mounted."""
    mounted = mounts()
    asked = os.environ.get(MOUNT_VARIABLE)
    if asked:
        return asked
    if DEFAULT_MOUNT in mounted or not mounted:
        return DEFAULT_MOUNT
    return mounted[0]


def mount_point_of(path: str) -> str:
    """The bpffs that ``path`` lies in, '' where it lies in none. Works for paths that do not exist yet."""
    path = os.path.realpath(path)
    inside = [place for place in mounts() if path == place or path.startswith(place.rstrip("/") + "/")]
    return max(inside, key=len, default="")


def require_bpffs(path: str) -> None:
    """Raise RuntimeUnavailable where ``path`` is not inside a bpffs, naming the remedy."""
    if mount_point_of(path):
        return
    mounted = mounts()
    hint = f"pin below a mounted one: {', '.join(mounted[:3])}" if mounted else f"'mount -t bpf bpf {path}', or --mount"
    raise RuntimeUnavailable("no BPF file system here", errno.ENODEV, PinPlace(path), hint)


def mount(path: str) -> bool:
    """Mount a bpffs on the directory ``path`` unless it lies in one already; whether it was necessary.

    Raises: RuntimeUnavailable.
    """
    if mount_point_of(path):
        return False
    status = lib.mount_bpffs(os.fsencode(path))
    if status < 0:
        hint = "it takes root (CAP_SYS_ADMIN) and a directory that exists"
        raise RuntimeUnavailable("cannot mount a BPF file system", -status, PinPlace(path), hint)
    return True


def walk(root: str, below: str = "") -> Iterator[str]:
    """Every file below a directory that may be a pin, as paths relative to ``root``, sorted; links are not followed."""
    depth = below.count("/")
    try:
        entries = sorted(os.scandir(os.path.join(root, below)), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if "." in entry.name or depth > _MAX_DEPTH or (not below and entry.name == journal_name()):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from walk(root, path)
        elif entry.is_file(follow_symlinks=False):
            yield path
