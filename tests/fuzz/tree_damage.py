"""What may happen to a pin tree from outside: its files and directories altered at random, by its owner or by root.

    harm(rng, root, outside) -> text         one deed; what was done is said, so that a replay can be read

Bytes are altered (bits, numbers, whole headers that lie under a right checksum), files are cut, grown, swapped, copied,
removed, or another kind of file stands in their place, and so for the tree's own directories; lists, plans and names
are planted. ``outside`` is a directory beside the tree: links lead there, and nothing in it may change.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace

from toolchain.pin.header import HEADER_SIZE, BadHeader, decode, encode
from toolchain.pin.root import PRIVATE

INTERESTING = (
    0,
    1,
    2,
    3,
    7,
    8,
    0x7F,
    0xFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 48,
    1 << 63,
    (1 << 64) - 1,
)
KINDS = ("map", "prog", "link")
PLACES = ("objs", "refs", "stage", "loose", "hooks", "commit", "super", "lock")
Harm = Callable[[random.Random, str, str], str]


def files(root: str) -> list[str]:
    """Every file of the tree that is a regular one, in order."""
    return sorted(
        os.path.join(directory, name)
        for directory, _, names in os.walk(root)
        for name in names
        if os.path.isfile(os.path.join(directory, name)) and not os.path.islink(os.path.join(directory, name))
    )


def pick(rng: random.Random, root: str) -> str:
    """A file: a pin or an anchor more often than not, since most of the others are links to the same objects."""
    found = files(root)
    chosen = [path for path in found if f"/{PRIVATE}/" not in path or f"/{PRIVATE}/objs/" in path]
    return rng.choice(chosen if chosen and rng.random() < 0.7 else found or [root])


def is_inside(root: str, path: str) -> bool:
    """Whether no link on the way leads out of the tree."""
    return os.path.realpath(os.path.dirname(path)).startswith(os.path.realpath(root))


def flip_in_header(rng: random.Random, root: str, outside: str) -> str:
    return _altered(pick(rng, root), lambda data: _flip(rng, data, 0, min(len(data), 256)))


def flip_in_data(rng: random.Random, root: str, outside: str) -> str:
    return _altered(pick(rng, root), lambda data: _flip(rng, data, min(len(data), HEADER_SIZE), len(data)))


def numbers_in_data(rng: random.Random, root: str, outside: str) -> str:
    """Numbers among the first of the data, where a map keeps its sizes and heads, or anywhere."""

    def alter(data: bytearray) -> None:
        end = rng.choice((HEADER_SIZE + 256, HEADER_SIZE + 2048, len(data)))
        for _ in range(rng.choice((1, 2, 8, 64))):
            size = rng.choice((1, 4, 4, 8))
            at = rng.randrange(HEADER_SIZE, max(min(end, len(data)), HEADER_SIZE + 1)) // size * size
            number = rng.choice((*INTERESTING, rng.randrange(64), rng.getrandbits(8 * size)))
            data[at : at + size] = (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    return _altered(pick(rng, root), alter)


def noise(rng: random.Random, root: str, outside: str) -> str:
    def alter(data: bytearray) -> None:
        start = rng.choice((0, 0, HEADER_SIZE))
        data[start:] = rng.choice((bytes, rng.randbytes))(max(0, len(data) - start))

    return _altered(pick(rng, root), alter)


def lie(rng: random.Random, root: str, outside: str) -> str:
    """A header that says something else, under a right checksum; sometimes in a file as large as it says."""
    path = pick(rng, root)
    try:
        with open(path, "r+b") as file:
            header = decode(file.read(HEADER_SIZE))
            fields: dict[str, tuple[object, ...]] = {
                "kind": KINDS,
                "id": (1, 2, 3, 4, 99, 0x7FFFFFFF),
                "data_size": (0, 1, 8, header.data_size - 1, header.data_size * 2, 1 << 26, (1 << 48) - 1),
                "btf_offset": (0, 1, 4096, (1 << 48) - 1),
                "btf_size": (0, 1, 16 << 20),
                "ino": (0, 1, header.ino + 1),
                "dev": (0,),
                "ref_count": (0, 1, 2, 77, 0xFFFFFFFF),
                "uid": (0, 12345),
                "created_ns": (0, (1 << 64) - 1),
                "boot_id": (bytes(16), rng.randbytes(16)),
                "name": ("", "../../x", "a\n\x1b[2J", "x" * 3000, "a.b"),
                "spec": (b"", rng.randbytes(len(header.spec)), _with_number(rng, header.spec), bytes(3000)),
            }
            name = rng.choice(list(fields))
            value = rng.choice(fields[name])
            header = replace(header, **{name: value})  # type: ignore[arg-type]
            file.seek(0)
            file.write(encode(header))
            if rng.random() < 0.3:
                file.truncate(header.file_size)
    except (OSError, ValueError, BadHeader) as error:
        return f"lie in {path}: {error}"
    return f"{name} = {value!r:.60} in {path}"


def resize(rng: random.Random, root: str, outside: str) -> str:
    path = pick(rng, root)
    size = rng.choice((0, 1, 8, 100, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 8, rng.randrange(20000), 1 << 40))
    os.truncate(path, size)
    return f"{size} bytes in {path}"


def put_in_place(rng: random.Random, root: str, outside: str) -> str:
    """Another kind of file, in a file's place, in a private directory's, or under a name of its own."""
    kind = rng.choice(list(FILES))
    path = rng.choice(
        (
            pick(rng, root),
            pick(rng, root),
            os.path.join(root, PRIVATE, rng.choice(PLACES)),
            os.path.join(root, rng.choice(("new", "tc", "links", "maps/new", "tc/globals"))),
            os.path.join(root, PRIVATE, rng.choice(NAMES)),
        )
    )
    if not is_inside(root, path):
        return f"{path} is elsewhere"
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    try:
        FILES[kind](rng, path, outside)
    except OSError as error:
        return f"{kind} as {path}: {error.strerror}"
    return f"{kind} as {path}"


NAMES = (
    *("objs/map0", "objs/map01", "objs/map99999", "objs/junk", "objs/map2.new", "objs/prog1", "objs/link1", "objs/-1"),
    *("refs/map3", "refs/junk", "refs/map3.new", "refs/prog1/map99", "refs/prog1/junk", "refs/link1/prog9", "refs/x/y"),
    *("loose/map1", "loose/map1.drop", "loose/junk", "loose/prog99.drop", "stage/x", "stage/x/0", "stage/x/plan"),
    *(
        "hooks/eth0",
        "hooks/eth0/ingress",
        "hooks/eth0/ingress.new",
        "hooks/junk/egress",
        "hooks/wlan0/xdp",
        "hooks/a b",
    ),
    *("hooks/eth0/other", "commit/plan", "commit/0", "junk", "super.new"),
)


def remove(rng: random.Random, root: str, outside: str) -> str:
    path = pick(rng, root) if rng.random() < 0.7 else os.path.join(root, PRIVATE, rng.choice((*PLACES, "")))
    with contextlib.suppress(OSError):
        if is_inside(root, path):
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    return f"removed {path}"


def swap(rng: random.Random, root: str, outside: str) -> str:
    one, other = pick(rng, root), pick(rng, root)
    between = os.path.join(outside, "between")
    with contextlib.suppress(OSError):
        os.rename(one, between)
        os.rename(other, one)
        os.rename(between, other)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(between)
    return f"swapped {one} and {other}"


def copy(rng: random.Random, root: str, outside: str) -> str:
    """A copy, a hard link, or a rename of one file over another or to a new name."""
    one = pick(rng, root)
    other = rng.choice((pick(rng, root), os.path.join(os.path.dirname(one), rng.choice(("copy", "map77", "prog3")))))
    deed = rng.choice((shutil.copyfile, os.link, os.rename))
    if one != other:
        with contextlib.suppress(FileNotFoundError):
            if deed is os.link:
                os.unlink(other)
        with contextlib.suppress(OSError):
            deed(one, other)
    return f"{deed.__name__} of {one} as {other}"


def link_from_outside(rng: random.Random, root: str, outside: str) -> str:
    """Names of an object outside of the tree, as a backup with hard links makes them."""
    path = pick(rng, root)
    os.makedirs(f"{outside}/links", exist_ok=True)
    os.link(path, f"{outside}/links/{rng.getrandbits(40)}")
    return f"linked {path} outside"


def change_mode(rng: random.Random, root: str, outside: str) -> str:
    path = rng.choice((pick(rng, root), os.path.dirname(pick(rng, root)), root))
    mode = rng.choice((0, 0o200, 0o400, 0o777, 0o1777, 0o2755, 0o6755))
    os.chmod(path, mode)
    return f"mode {mode:o} of {path}"


def change_owner(rng: random.Random, root: str, outside: str) -> str:
    path = rng.choice((pick(rng, root), os.path.dirname(pick(rng, root))))
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    return f"{path} given away"


def write_hook(rng: random.Random, root: str, outside: str) -> str:
    """A list of who is attached: sound in form, of any links and programs, or none."""
    device = rng.choice(("eth0", "eth0", "wlan0", "new", "x" * 20))
    path = os.path.join(root, PRIVATE, "hooks", device, rng.choice(("ingress", "egress", "xdp", "ingress.new")))
    numbers = (0, 1, 2, 3, 4, 5, 9, 99, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 62), (1 << 64))
    lines = [f"{rng.choice(numbers)} {rng.choice(numbers)}" for _ in range(rng.choice((0, 1, 2, 3, 63, 64, 200)))]
    text = "\n".join([f"bpf-hook 1 {rng.choice(numbers)}", *lines]) + "\n"
    if rng.random() < 0.2:
        text = rng.choice((text[:-1], text + "\n", text.replace(" ", "  "), text.upper(), "\0" * 100, ""))
    with contextlib.suppress(OSError):
        if is_inside(root, path) and not os.path.islink(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
    return f"list of {len(lines)} in {path}"


def plant_publication(rng: random.Random, root: str, outside: str) -> str:
    """What a killed publisher leaves, or could not: links to objects, and a plan."""
    place = os.path.join(root, PRIVATE, rng.choice(("commit", "stage/planted")))
    paths = rng.choices(PLANNED, k=rng.choice((1, 2, 5)))
    with contextlib.suppress(OSError):
        os.makedirs(place if is_inside(root, place) else f"{root}/elsewhere")
        for index in range(len(paths)):
            with contextlib.suppress(OSError):
                os.link(pick(rng, root), os.path.join(place, str(index)))
                if rng.random() < 0.5:
                    os.link(pick(rng, root), os.path.join(place, f"{index}.old"))
        with open(os.path.join(place, "plan"), "w") as file:
            file.write("\0".join(paths))
    return f"plan {paths} in {place}"


PLANNED = ("new", "maps/hash", "../x", "/etc/x", f"{PRIVATE}/objs/map50", "a/b/c", "", "links/a", "x" * 300)


def _altered(path: str, alter: Callable[[bytearray], None]) -> str:
    with open(path, "r+b") as file:
        data = bytearray(file.read(1 << 20))
        alter(data)
        file.seek(0)
        file.write(data)
    return f"bytes altered in {path}"


def _flip(rng: random.Random, data: bytearray, start: int, end: int) -> None:
    for _ in range(rng.choice((1, 1, 4, 64))):
        if start < end:
            data[rng.randrange(start, end)] ^= 1 << rng.randrange(8)


def _with_number(rng: random.Random, spec: bytes) -> bytes:
    """A definition with another number in one of its words."""
    words = bytearray(spec)
    if len(words) >= 4:
        at = rng.randrange(len(words) // 4) * 4
        words[at : at + 4] = (rng.choice((*INTERESTING, rng.randrange(40))) & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(words)


def _written(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _sparse(path: str) -> None:
    _written(path, b"BPFOBJ\x01\x00")
    os.truncate(path, 1 << 42)


def _socket(path: str) -> None:
    here = os.getcwd()
    os.chdir(os.path.dirname(path))
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.basename(path))
    finally:
        os.chdir(here)


def _full_directory(path: str) -> None:
    os.mkdir(path)
    for name in ("map1", "0", "ingress", "plan"):
        _written(os.path.join(path, name), b"theirs")


FILES: dict[str, Callable[[random.Random, str, str], None]] = {
    "empty file": lambda rng, path, outside: _written(path, b""),
    "text": lambda rng, path, outside: _written(path, b"hello\n" * 3000),
    "noise": lambda rng, path, outside: _written(path, rng.randbytes(9000)),
    "huge sparse file": lambda rng, path, outside: _sparse(path),
    "fifo": lambda rng, path, outside: os.mkfifo(path),
    "socket": lambda rng, path, outside: _socket(path),
    "device": lambda rng, path, outside: os.mknod(path, 0o20600, os.makedev(1, 5)),
    "directory": lambda rng, path, outside: os.mkdir(path),
    "full directory": lambda rng, path, outside: _full_directory(path),
    "link to nothing": lambda rng, path, outside: os.symlink("nothing", path),
    "link to itself": lambda rng, path, outside: os.symlink(os.path.basename(path), path),
    "link to a directory outside": lambda rng, path, outside: os.symlink(f"{outside}/theirs", path),
    "link to a file outside": lambda rng, path, outside: os.symlink(f"{outside}/theirs/map1", path),
    "link to the tree": lambda rng, path, outside: os.symlink("..", path),
    "hard link from outside": lambda rng, path, outside: os.link(f"{outside}/shared", path),
}
"""What stands in a place -> how it gets there."""
HARMS: tuple[Harm, ...] = (
    *(flip_in_header, flip_in_data, numbers_in_data, numbers_in_data, noise, lie, lie, resize),
    *(put_in_place, put_in_place, remove, swap, copy, link_from_outside, change_mode, change_owner),
    *(write_hook, plant_publication),
)


def harm(rng: random.Random, root: str, outside: str) -> str:
    """One deed at random; one that cannot be done is no failure."""
    deed = rng.choice(HARMS)
    try:
        return deed(rng, root, outside)
    except OSError as error:
        return f"{deed.__name__}: {error}"
