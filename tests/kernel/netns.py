"""A network of the test's own: two network namespaces joined by a veth pair, and a bpffs that nobody else sees.

    left: v0 10.7.0.1  ----veth----  right: v1 10.7.0.2

Each side is a process that sleeps in its namespaces; commands enter those. When the two end, everything is gone:
devices, filters, links, and the pins with the file system that they were in. Nothing is sent unasked: IPv6 is off, and
neighbours that were found once are not looked for again (the kernel would, five seconds after their last use).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BPF_LOAD = (str(ROOT / "bin" / "bpf-load"),)
TOOLS = ("ip", "unshare", "nsenter", "ping", "mount")
LEFT, RIGHT = "10.7.0.1", "10.7.0.2"
DEADLINE = 60
_OWN = ("BPF_RUNTIME", "BPF_PIN_ROOT", "TC_BPF_MNT")
"""What must not come in from the test's own environment."""


class Result(NamedTuple):
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Side:
    """A process in namespaces of its own."""

    def __init__(self, *kinds: str) -> None:
        self._kinds = kinds
        self.process = subprocess.Popen(
            ["unshare", *kinds, "sh", "-c", "echo ready; exec sleep 600"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    @property
    def enter(self) -> list[str]:
        return ["nsenter", f"--target={self.process.pid}", *self._kinds]

    def run(self, *words: str | os.PathLike[str], env: dict[str, str] | None = None) -> Result:
        done = subprocess.run(
            [*self.enter, *map(os.fspath, words)],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={name: value for name, value in os.environ.items() if name not in _OWN} | (env or {}),
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def do(self, *words: str | os.PathLike[str]) -> str:
        """A command that must succeed; its output."""
        done = self.run(*words)
        assert done.status == 0, f"{words}: {done.out}{done.err}"
        return done.out

    def start(self, *words: str | os.PathLike[str], **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([*self.enter, *map(os.fspath, words)], text=True, **options)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Net:
    """Both sides. Commands of the toolchain run on the left, where the bpffs is at /sys/fs/bpf."""

    def __init__(self, left: Side, right: Side) -> None:
        self.left, self.right = left, right

    def load(self, *words: str | os.PathLike[str], **options: Any) -> Result:
        """bpf-load on the kernel runtime."""
        return self.left.run(*BPF_LOAD, "-r", "kernel", *words, **options)

    def ok(self, *words: str | os.PathLike[str]) -> str:
        done = self.load(*words)
        assert done.status == 0, f"{words}: {done.out}{done.err}"
        assert "Traceback" not in done.err
        return done.out

    def json(self, *words: str | os.PathLike[str]) -> Any:
        return json.loads(self.ok("--json", *words))

    def tc(self, *words: str | os.PathLike[str], **options: Any) -> Result:
        return self.left.run(*BPF_LOAD, "tc", *words, **options)

    def tc_ok(self, *words: str | os.PathLike[str]) -> str:
        done = self.tc(*words)
        assert done.status == 0, f"{words}: {done.out}{done.err}"
        return done.out

    def ping(self, count: int, size: int = 56) -> None:
        self.right.do("ping", "-q", "-c", str(count), "-i", "0.002", "-s", str(size), LEFT)

    @contextlib.contextmanager
    def pinging(self) -> Iterator[None]:
        """A ping each millisecond during the block, from the right to the left."""
        ping = self.right.start("ping", "-q", "-i", "0.001", LEFT, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            ping.send_signal(signal.SIGINT)
            assert ping.wait(DEADLINE) == 0, "answers came"

    def traces(self) -> dict[str, Any]:
        """Whatever an attach may leave behind: pins, what is at v0's hooks, filters, the qdisc.

        The hooks are asked: a list of all links would show those of other namespaces on a device of the same number.
        """
        hooks = [self.json("link", "show", "v0", way)["attached"] for way in ("ingress", "egress")]
        filters = [self.left.do("tc", "filter", "show", "dev", "v0", way) for way in ("ingress", "egress")]
        return {
            "pins": self.left.do("find", "/sys/fs/bpf", "-type", "f", "-o", "-type", "d"),
            "hooks": hooks,
            "filters": filters,
            "qdisc": self.left.do("tc", "qdisc", "show", "dev", "v0"),
            "xdp": "xdp" in self.left.do("ip", "link", "show", "dev", "v0"),
        }

    def counters(self, pin: str = "tc/globals/acc") -> dict[int, tuple[int, int]]:
        """The shared map of the example, read by an invocation of its own: slot -> (packets, bytes)."""
        entries = self.json("map", "dump", pin)["entries"]
        found = {}
        for entry in entries:
            key, value = (bytes(int(byte, 16) for byte in entry[name]) for name in ("key", "value"))
            packets, octets = (int.from_bytes(value[at : at + 8], "little") for at in (0, 8))
            if packets:
                found[int.from_bytes(key, "little")] = packets, octets
        return found


def missing_tools(names: Sequence[str] = TOOLS) -> list[str]:
    return [name for name in names if shutil.which(name) is None]


@contextlib.contextmanager
def network() -> Iterator[Net]:
    """A new network; gone at the end of the block."""
    left = Side("--net", "--mount")
    right = Side("--net")
    try:
        left.do("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
        for side in (left, right):
            side.do("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        pid = str(right.process.pid)
        left.do("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", pid)
        for side, device, address in ((left, "v0", LEFT), (right, "v1", RIGHT)):
            side.do("sysctl", "-qw", f"net.ipv4.neigh.{device}.delay_first_probe_time=3600")
            side.do("ip", "address", "add", f"{address}/24", "dev", device)
            side.do("ip", "link", "set", device, "up")
        yield Net(left, right)
    finally:
        left.end()
        right.end()


@contextlib.contextmanager
def captured(side: Side, device: str, path: Path) -> Iterator[None]:
    """What tcpdump sees on a device during the block, in the file ``path``: all of it, however busy the machine is.

    Packets of up to 2 kB, so that the buffer has room for 16,000 of them: it is divided by the largest that may come.
    tcpdump ends at once when it is told to, whatever the kernel still has for it. So it is asked (SIGUSR1) until it has
    written as many packets as the kernel has counted.
    """
    dump = side.start(
        "tcpdump", "-i", device, "-w", path, "-U", "--immediate-mode", "-s", "2048", "-B", "32768",
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert dump.stderr is not None
    _said(dump, "listening on")
    try:
        yield
        written = dropped = 0
        received = 1
        while written + dropped < received:
            dump.send_signal(signal.SIGUSR1)
            counts = re.findall(r"(\d+) packets? (?:captured|received|dropped by kernel)", _said(dump, "captured"))
            written, received, dropped = map(int, counts)
    finally:
        dump.send_signal(signal.SIGINT)
        rest = dump.stderr.read()
        dump.wait(DEADLINE)
        dump.stderr.close()
    assert "0 packets dropped by kernel" in rest, rest


def _said(dump: subprocess.Popen[str], text: str) -> str:
    """The next line of tcpdump's that has ``text`` in it."""
    assert dump.stderr is not None
    said = []
    while line := dump.stderr.readline():
        said.append(line)
        if text in line:
            return line
    raise AssertionError(f"tcpdump ended ({dump.wait(DEADLINE)}), and not a word of '{text}': {''.join(said)}")
