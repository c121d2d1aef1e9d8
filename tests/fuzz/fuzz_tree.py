"""Fuzzes the pin tree: whatever becomes of its files, a command ends with an error of ours, in time, and repair helps.

An input is a tree with objects of every kind, one to four deeds of tree_damage.py, and commands one after the other,
each in a process of its own; in every third input somebody goes on harming the tree meanwhile. Invariants:

    a command   ends within SECONDS_PER_COMMAND, with a documented exit status, never by a signal, without a traceback
    outside     nothing beside the tree is written, removed, or gets another mode
    repair      done twice changes nothing more; what it leaves is the loss of what was harmed: with those pins and the
                foreign files removed by hand, fsck finds nothing
    the rest    pins that nobody harmed are there, with what was in them, after all of it

    python tests/fuzz/fuzz_tree.py --seconds 60 [--seed N] [--first N] [--count N] [-v]

As root it works on a small tmpfs of its own, in a mount namespace of its own; otherwise in /dev/shm. A failure prints
the seed and the input's number: `--seed S --first N --count 1` runs that one again.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.fuzz.tree_damage import harm  # noqa: E402
from tests.small_objects import counter  # noqa: E402
from tests.vm.vectors import Vector  # noqa: E402
from toolchain.asm import assemble_text  # noqa: E402
from toolchain.cli.bpf_load import _COMMANDS, main  # noqa: E402
from toolchain.elf import read_spec, write  # noqa: E402
from toolchain.isa.map_types import MapType  # noqa: E402
from toolchain.isa.program_types import ProgType  # noqa: E402
from toolchain.loader.captures import CaptureWriter, Packet  # noqa: E402
from toolchain.loader.pipeline import LoadOptions, load  # noqa: E402
from toolchain.pin.root import PRIVATE  # noqa: E402
from toolchain.spec.maps import MapSpec  # noqa: E402
from toolchain.spec.runtime import Target  # noqa: E402
from toolchain.spec.stages import BoundProgram, VerifiedProgram  # noqa: E402
from toolchain.verifier import verify  # noqa: E402
from toolchain.vm import UserRuntime  # noqa: E402

SECONDS_PER_COMMAND = 40.0
"""A lock of a map that nobody gives back takes five, a file's ten; a command may meet some of them."""
SECONDS_OF_WATCHING = 0.2
Findings = dict[str, list[dict[str, object]]]
STATUSES = {0, 1, 2, 3, 4, 5, 6}
CELL = MapSpec("cell", MapType.ARRAY, 4, 8, 1)
JUMPS = MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 3)
MAPS = {
    "maps/array": MapSpec("array", MapType.ARRAY, 4, 16, 8),
    "maps/hash": MapSpec("hash", MapType.HASH, 4, 64, 20),
    "maps/percpu": MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 8, 4),
    "maps/lru": MapSpec("lru", MapType.LRU_HASH, 4, 8, 16),
    "maps/large": MapSpec("large", MapType.HASH, 8, 8, 3000),
    "cell": CELL,
    "jumps": JUMPS,
    "outer": MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 3, inner=CELL),
    "by_key": MapSpec("by_key", MapType.HASH_OF_MAPS, 4, 4, 3, inner=CELL),
}
HOLDERS = (MapType.PROG_ARRAY, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS)
"""A repair takes what is lost out of their slots."""
VALUE = b"\x11"
TYPED = (ROOT / "tests" / "data" / "migrate" / "counter1.s", ROOT / "tests" / "data" / "migrate" / "counter2.s")
COMMANDS = tuple(
    tuple(line.split())
    for line in """
    map show | map show PIN | map show id N | map show name hash | map dump PIN | map dump id N | map lookup PIN key 0
    map update PIN key 0 value 7 | map update KEYS key 1 0 0 0 value 9 | map delete PIN key 1 | map next PIN
    map update jumps 0 prog id N | map update outer 1 map id N | map delete jumps key 1 | map freeze PIN
    map create new type hash key 4 value 8 entries 4 | map create maps/new type array key 4 value 8 entries 4
    map resize PIN 40 | map resize PIN 3 --lossy | map resize PIN 50 --while-used | map resize PIN 9 --dry-run
    map export PIN | map export PIN OUT/export | map import PIN OUT/sound
    map watch PIN --initial --interval 0.01
    prog show | prog show PIN | prog show id N | prog dump PIN | prog dump id N
    link show | link show PIN | link show id N | link show eth0 ingress | link show wlan0 xdp | link detach PIN
    pin tree | pin tree maps | pin gc | pin fsck | pin fsck --repair | pin rm PIN | pin rm PIN PIN
    load OUT/a.o | load OUT/a.o --pin new | load OUT/b.o --pin new --on-mismatch replace
    load OUT/b.o --on-mismatch migrate | load OUT/c.o --on-mismatch migrate --dry-run | load OUT/c.o --map acc=PIN
    load OUT/c.o --on-mismatch keep | load OUT/typed2.o --map acc=typed --on-mismatch migrate --lossy
    run PIN | run OUT/a.o | run PIN --repeat 3 | run progs/jumper --pcap OUT/in.pcap
    attach OUT/a.o eth0 ingress --pin new | attach PIN eth0 egress --pin links/new | attach PIN wlan0 xdp
    attach PIN eth0 ingress --before PIN --pin links/n2 | attach OUT/a.o eth1 egress --pin links/n3 --on-mismatch keep
    replace PIN PIN | replace OUT/b.o links/a --on-mismatch migrate | replace OUT/a.o eth0 ingress
    detach PIN | detach eth0 ingress --all | detach wlan0 xdp
    replay eth0 ingress --pcap OUT/in.pcap | replay wlan0 xdp --pcap OUT/in.pcap --write-pcap OUT/out.pcap
    fd-send OUT/socket PIN | fd-send OUT/socket map:N prog:N | fd-send OUT/socket link:N PIN
    """.replace("\n", "|").split("|")
    if line.strip()
)


class Done(NamedTuple):
    """What a command came to. ``status`` is negative where a signal ended it."""

    status: int
    out: str
    err: str
    seconds: float


class Failure(Exception):
    """A broken invariant."""


def program(text: str, prog_type: ProgType = ProgType.SCHED_CLS, maps: tuple[MapSpec, ...] = ()) -> VerifiedProgram:
    """A small one."""
    return verify(BoundProgram.unpinned(Vector("small", prog_type=prog_type, text=text, maps=maps).linked()))


PROGRAMS = {
    "progs/plain": program("r0 = 0\nexit"),
    "progs/other": program("r0 = -1\nexit"),
    "progs/xdp": program("r0 = 2\nexit", ProgType.XDP),
    "progs/user": program("r1 = cell ll\nr0 = 0\nexit", maps=(CELL,)),
    "progs/jumper": program("r2 = jumps ll\nr3 = 1\ncall 12\nr0 = 0\nexit", maps=(JUMPS,)),
}


class Place:
    """A directory with a tree in it, and what lies beside the tree."""

    def __init__(self, above: str) -> None:
        self.root, self.outside, self.out = f"{above}/tree", f"{above}/outside", f"{above}/out"
        os.makedirs(self.out)
        self.receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.bind(f"{self.out}/socket")
        objects = {"a": counter(), "b": counter(max_entries=16), "c": counter(map_type=MapType.HASH, value_size=8)}
        for name, data in objects.items():
            Path(f"{self.out}/{name}.o").write_bytes(data)
        for number, source in enumerate(TYPED, 1):
            Path(f"{self.out}/typed{number}.o").write_bytes(write(assemble_text(source.read_text(), str(source))))
        self.objects = [
            read_spec(objects["a"], "a.o"),
            read_spec(Path(f"{self.out}/typed1.o").read_bytes(), "typed1.o"),
        ]
        with CaptureWriter(f"{self.out}/in.pcap") as writer:
            for number in range(5):
                writer.write(Packet(bytes([number]) * 64, number))

    def build(self) -> dict[str, int]:
        """A fresh tree. Gives the inode of every pin."""
        for path in (self.root, self.outside):
            if os.path.lexists(path):
                os.chmod(path, 0o700)
                shutil.rmtree(path)
        os.makedirs(f"{self.outside}/theirs/below")
        for name in ("map1", "0", "ingress", "below/x"):
            Path(f"{self.outside}/theirs/{name}").write_text("theirs")
        Path(f"{self.outside}/shared").write_text("shared")
        os.chmod(f"{self.outside}/theirs", 0o750)
        runtime = UserRuntime(self.root)
        os.makedirs(self.root, 0o700)
        for name in ("maps", "progs", "links"):
            os.mkdir(f"{self.root}/{name}", 0o700)
        for path, spec in MAPS.items():
            with runtime.map_create(spec) as made:
                runtime.pin(made, path)
                if path.startswith("maps/"):
                    made[bytes(spec.key_size)] = VALUE * made.value_size
        for path, each in PROGRAMS.items():
            with contextlib.ExitStack() as stack:
                used = [stack.enter_context(runtime.get(spec.name)) for spec in each.program.maps]
                runtime.pin(stack.enter_context(runtime.prog_load(each, used)), path)
        with runtime.get("jumps") as jumps, runtime.get("progs/plain") as plain:
            jumps[b"\1\0\0\0"] = plain
        for name in ("outer", "by_key"):
            with runtime.get(name) as holder, runtime.map_create(CELL) as inner:
                holder[bytes(4)] = inner
        for path, prog, device, hook in (
            ("links/a", "progs/plain", "eth0", "ingress"),
            ("links/b", "progs/other", "eth0", "ingress"),
            ("links/x", "progs/xdp", "wlan0", "xdp"),
        ):
            with runtime.get(prog) as opened, runtime.attach(opened, Target(device, hook)) as link:
                runtime.pin(link, path)
        load(runtime, self.objects[0], LoadOptions(pin="loaded")).close()
        load(runtime, self.objects[1], LoadOptions(map_paths={"acc": "typed"})).close()
        runtime.close()
        return {entry.path: os.lstat(f"{self.root}/{entry.path}").st_ino for entry in runtime.pins()}

    def drain(self) -> None:
        """Let go of what was handed over: an object in a message that waits is in use."""
        with contextlib.suppress(BlockingIOError):
            while self.receiver.recv(1 << 16, socket.MSG_DONTWAIT):
                pass

    def restore_rights(self) -> None:
        """Owner and modes as they were: what is of another user is refused, and repaired by no command."""
        for directory, names, files in os.walk(self.root):
            for path in [directory, *(os.path.join(directory, name) for name in files)]:
                if not os.path.islink(path):
                    if os.geteuid() == 0:
                        os.chown(path, 0, 0)
                    os.chmod(path, 0o700 if path == directory else 0o600)
            names[:] = [name for name in names if not os.path.islink(os.path.join(directory, name))]

    def require_outside(self) -> None:
        """Nothing beside the tree changed."""
        theirs = Path(self.outside, "theirs")
        found = sorted(str(path.relative_to(theirs)) for path in theirs.rglob("*"))
        if found != ["0", "below", "below/x", "ingress", "map1"] or theirs.stat().st_mode & 0o7777 != 0o750:
            raise Failure(f"outside of the tree: {found}, mode {theirs.stat().st_mode:o}")
        if any(path.is_file() and path.read_text() != "theirs" for path in theirs.rglob("*")):
            raise Failure("a file outside of the tree was written")


def run(root: str, words: list[str]) -> Done:
    """A whole command in a child. Raises Failure where it does not end as a command may."""
    streams = [os.memfd_create(name) for name in ("out", "err")]
    start = time.monotonic()
    child = os.fork()
    if not child:
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
        os.environ["BPF_TOOLCHAIN_DEBUG"] = "1"
        try:
            main(["--pin-root", root, *words])
        except SystemExit as ended:
            sys.stdout.flush()
            os._exit(int(ended.code or 0))
        os._exit(99)
    status, until = None, start + (SECONDS_OF_WATCHING if "watch" in words else SECONDS_PER_COMMAND)
    while status is None and time.monotonic() < until:
        pid, ended = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(ended) if pid else None
        if status is None:
            time.sleep(0.001)
            if "watch" in words and "(interrupted)" not in words and time.monotonic() >= until:
                os.kill(child, signal.SIGINT)
                until, words = start + SECONDS_PER_COMMAND, [*words, "(interrupted)"]
    seconds = time.monotonic() - start
    if status is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    texts = [os.pread(stream, 1 << 20, 0).decode(errors="replace") for stream in streams]
    for stream in streams:
        os.close(stream)
    if status is None:
        raise Failure(f"{' '.join(words)}: not done after {seconds:.0f} s")
    done = Done(status, *texts, seconds)
    allowed = STATUSES | {130} if "watch" in words else STATUSES
    if status not in allowed or "Traceback" in done.err or "out of memory" in done.err or "\x1b" in done.out + done.err:
        raise Failure(f"{' '.join(words)}: exit status {status}\n{done.out[-2000:]}{done.err[-6000:]}")
    return done


def filled(rng: random.Random, words: tuple[str, ...], pins: list[str], out: str) -> list[str]:
    """A command with its PIN and N at random."""
    keys = [path for path in pins if path.startswith("maps/")]
    chosen = {"PIN": lambda: rng.choice(pins), "KEYS": lambda: rng.choice(keys), "N": lambda: str(rng.randrange(1, 9))}
    found = [chosen[word]() if word in chosen else word for word in words]
    return [word.replace("OUT", out).replace(":N", f":{rng.randrange(1, 9)}") for word in found]


def examine(rng: random.Random, place: Place, told: list[str], slow: Counter[str]) -> str:
    """One input. ``told`` gets what was done, in order."""
    made = place.build()
    for _ in range(rng.choice((1, 1, 2, 4))):
        told.append(harm(rng, place.root, place.outside))
    is_racing = rng.random() < 0.33
    racer = _racer(place, rng.random()) if is_racing else 0
    try:
        for _ in range(rng.choice((2, 4, 8))):
            words = filled(rng, rng.choice(COMMANDS), list(made), place.out)
            told.append(" ".join(words))
            done = run(place.root, words)
            told[-1] += f" -> {done.status} {done.err.strip()[:200]!r}"
            slow[words[0]] = max(slow[words[0]], int(done.seconds * 1000))
    finally:
        if racer:
            os.kill(racer, signal.SIGKILL)
            os.waitpid(racer, 0)
        place.drain()
    place.require_outside()
    place.restore_rights()
    require_repair(place, told)
    place.require_outside()
    return "raced" if is_racing else "harmed"


def _racer(place: Place, seed: float) -> int:
    """A child that harms the tree until it is killed."""
    child = os.fork()
    if not child:
        rng = random.Random(seed)
        while True:
            time.sleep(rng.random() * 0.02)
            with contextlib.suppress(Exception):
                harm(rng, place.root, place.outside)
    return child


def require_repair(place: Place, told: list[str]) -> None:
    """Repair, as far as it goes, at once; by hand what it cannot know; then all is sound."""
    before = _sound_pins(place.root)
    first = _fsck(place, told, "--repair")
    if again := _fsck(place, told, "--repair")["repaired"]:
        raise Failure(f"a second repair did more: {again}")
    after = _sound_pins(place.root)
    lost = {path for path, found in before.items() if path not in after or not _is_same(found, after[path])}
    if lost:
        raise Failure(f"repair lost {sorted(lost)}; it did {first['repaired']}")
    for _ in range(3):
        for path in _unsound_files(place.root, first):
            told.append(f"by hand: {path}")
            if run(place.root, ["pin", "rm", path]).status:
                os.unlink(os.path.join(place.root, path))
        first = _fsck(place, told, "--repair")
    left = [each for each in _fsck(place, told)["findings"] if not each["message"].endswith("outside of the tree")]
    if left:
        raise Failure(f"after all repair: {left}")


def _is_same(found: tuple[object, ...], after: tuple[object, ...]) -> bool:
    """Whether a pin is as it was; a map that had to be mended may have any content."""
    return found[:2] == after[:2] and found[2] in (None, after[2])


def _fsck(place: Place, told: list[str], *options: str) -> Findings:
    done = run(place.root, ["--json", "pin", "fsck", *options])
    told.append(f"fsck {' '.join(options)} -> {done.out.strip()}")
    found = json.loads(done.out)
    if "error" in found:
        raise Failure(f"fsck {options}: {found}")
    return found  # type: ignore[no-any-return]


def _sound_pins(root: str) -> dict[str, tuple[object, ...]]:
    """Every pin that can be got, and what is in it."""
    runtime, found = UserRuntime(root), {}
    for path in _paths(root):
        with contextlib.suppress(Exception), runtime.get(path) as opened:
            opened.info()
            is_read = hasattr(opened, "check") and opened.spec.map_type not in HOLDERS and not opened.check()
            content = dict(opened.items()) if is_read else None
            found[path] = (type(opened).__name__, opened.id, content)
    return found


def _unsound_files(root: str, checked: Findings) -> list[str]:
    """What is no pin that can be got, and the pins of objects that the check found at fault."""
    sound, inodes = _sound_pins(root), set()
    for each in checked["findings"]:
        with contextlib.suppress(OSError):
            inodes.add(os.lstat(os.path.join(root, str(each["path"]))).st_ino)
    return [path for path in _paths(root) if path not in sound or os.lstat(f"{root}/{path}").st_ino in inodes]


def _paths(root: str) -> list[str]:
    """Whatever is in the tree and no directory, but for its own."""
    found = []
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if directory != root or name != PRIVATE]
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        found += [os.path.relpath(os.path.join(directory, name), root) for name in (*files, *links)]
    return sorted(found)


@contextlib.contextmanager
def workplace():
    """A directory; as root a tmpfs that nobody else sees."""
    above = tempfile.mkdtemp(prefix="fuzz-tree-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    libc = ctypes.CDLL(None, use_errno=True)
    is_mounted = False
    if os.geteuid() == 0 and not libc.unshare(0x20000):
        libc.mount(b"none", b"/", None, 0x4000 | 1 << 18, None)
        is_mounted = not libc.mount(b"tmpfs", above.encode(), b"tmpfs", 0, b"size=64m,mode=0700")
    try:
        yield above
    finally:
        os.chdir("/")
        if is_mounted:
            libc.umount2(above.encode(), 2)
        shutil.rmtree(above)


def fuzz(seconds: float, seed: int, first: int = 1, count: int = 1 << 40, is_telling: bool = False) -> tuple[int, str]:
    """Run inputs until the time is over. Gives how many, and a failure's text or ''."""
    for module, _ in _COMMANDS.values():
        importlib.import_module(module.split(":")[0])
    outcomes: Counter[str] = Counter()
    slow: Counter[str] = Counter()
    number = first - 1
    with workplace() as above:
        place = Place(above)
        end = time.monotonic() + seconds
        while time.monotonic() < end and number < first - 1 + count:
            number += 1
            told: list[str] = []
            try:
                place.build()
                with contextlib.suppress(OSError):
                    run(place.root, ["map", "export", "maps/hash", f"{place.out}/sound"])
                outcomes[examine(random.Random(f"{seed} {number}"), place, told, slow)] += 1
            except Exception as error:
                print("\n".join(told))
                if not isinstance(error, Failure):
                    traceback.print_exc()
                return number, f"input {number} of seed {seed}: {error}"
            if is_telling:
                print("\n".join([f"-- {number}", *told]))
        place.receiver.close()
    print(f"{number} inputs, {dict(outcomes)}; slowest in ms: {dict(slow.most_common(5))}")
    return number, ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--first", type=int, default=1, help="skip the inputs before this one")
    parser.add_argument("--count", type=int, default=1 << 40)
    parser.add_argument("-v", "--verbose", action="store_true", help="say what was done")
    return parser.parse_args()


if __name__ == "__main__":
    options = _arguments()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    _, failure = fuzz(options.seconds, seed, options.first, options.count, options.verbose)
    print(failure, end="\n" if failure else "")
    sys.exit(bool(failure))
