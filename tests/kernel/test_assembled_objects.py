"""Objects from assembly text, loaded by libbpf (bpftool) into the live kernel."""

import json
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel import oracle
from toolchain.asm.api import assemble_text
from toolchain.asm.options import AsmOptions
from toolchain.elf import write

BPFFS = Path("/sys/fs/bpf")


def why_not() -> str:
    """What is missing, '' where all is there."""
    if shutil.which("bpftool", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        return "bpftool is not installed"
    if not BPFFS.is_mount():
        return "no bpffs at /sys/fs/bpf"
    return oracle.why_unavailable()


pytestmark = [pytest.mark.kernel, pytest.mark.skipif(bool(why_not()), reason=why_not() or "available")]

COUNTER = """
.map {map}, {kind}, key=u32, value=u64, entries=4, pin={pin}
.license "GPL"
.section tc,"ax"
.func prog
	*(u32 *)(r10 - 4) = 1
	r1 = {map} ll
	r2 = r10
	r2 += -4
	call 1
	if r0 == 0 goto 1f
	r1 = 1
	lock *(u64 *)(r0 + 0) += r1
1:	r0 = 0
	exit
.endfunc
"""

SUBPROGRAMS = """
.license "GPL"
.section tc,"ax"
.func prog
	r1 = 20
	call double
	r1 = r0
	call outer
	exit
.endfunc
.text
outer:
	call double
	r0 += 2
	exit
double:
	r0 = r1
	r0 += r1
	exit
"""

DATA = """
.license "GPL"
.section tc,"ax"
.func prog
	r1 = limit ll
	r0 = *(u32 *)(r1 + 0)
	r2 = count + 8 ll
	r3 = 5
	*(u64 *)(r2 + 0) = r3
	exit
.endfunc
.section .rodata
	.long 1
limit:
	.long 42
.bss
	.globl count
	.type count,@object
	.size count, 16
	.balign 8
count:
	.zero 16
"""

EVERY_SIZE = """
.license "Dual BSD/GPL"
.section tc,"ax"
.func prog
	r0 = 0x1122334455667788 ll
	*(u64 *)(r10 - 8) = r0
	w1 = *(u8 *)(r10 - 8)
	r2 = *(s16 *)(r10 - 8)
	r3 = (s8)r2
	r2 = bswap32 r2
	r2 = be16 r2
	w4 = w3
	w4 s>>= 3
	r5 = 7
	r5 s/= r5
	r0 = 1
	r1 = atomic_fetch_add((u64 *)(r10 - 8), r1)
	r1 = xchg_64(r10 - 8, r1)
	r0 = cmpxchg_64(r10 - 8, r0, r1)
	if r5 == 99 goto +1
	gotol far
	r0 = 9
far:
	r0 = 3
	exit
.endfunc
"""


class Tree:
    """A folder of this test's own in bpffs, and bpftool."""

    def __init__(self) -> None:
        self.name = f"asm-{uuid.uuid4().hex[:12]}"
        self.path = BPFFS / self.name
        self.path.mkdir()

    def close(self) -> None:
        for each in self.path.iterdir():
            each.unlink()
        self.path.rmdir()

    def tool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["bpftool", *arguments], capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin"}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def load(self, text: str, kind: str = "classifier", debug: bool = False) -> str:
        """Assembles and loads; gives the pin's path."""
        object_file = assemble_text(text, options=AsmOptions(debug=debug))
        pin = str(self.path / "prog")
        with tempfile.NamedTemporaryFile(suffix=".o") as file:
            file.write(write(object_file))
            file.flush()
            self.tool("prog", "load", file.name, pin, "type", kind)
        return pin

    def run(self, pin: str) -> int:
        """The return value for a packet of 64 zero bytes."""
        with tempfile.NamedTemporaryFile() as packet:
            packet.write(bytes(64))
            packet.flush()
            return int(json.loads(self.tool("-j", "prog", "run", "pinned", pin, "data_in", packet.name))["retval"])


@pytest.fixture
def tree() -> Iterator[Tree]:
    tree = Tree()
    yield tree
    tree.close()


@pytest.mark.parametrize("kind", ["array", "hash", "percpu_array", "lru_hash"])
@pytest.mark.parametrize("debug", [False, True])
def test_a_map_and_a_program(tree: Tree, kind: str, debug: bool) -> None:
    pin = tree.load(COUNTER.format(map="counts", kind=kind, pin="none"), debug=debug)
    assert tree.run(pin) == 0
    shown = json.loads(tree.tool("-j", "prog", "show", "pinned", pin))
    (map_id,) = shown["map_ids"]
    found = json.loads(tree.tool("-j", "map", "show", "id", str(map_id)))
    assert (found["type"], found["name"], found["bytes_key"], found["bytes_value"]) == (kind, "counts", 4, 8)
    if kind == "array":
        entries = json.loads(tree.tool("-j", "map", "dump", "id", str(map_id)))
        assert entries[1]["formatted"] == {"key": 1, "value": 1}


def test_pinned_by_name(tree: Tree) -> None:
    name = f"m{uuid.uuid4().hex[:10]}"
    try:
        tree.load(COUNTER.format(map=name, kind="array", pin="name"))
        found = json.loads(tree.tool("-j", "map", "show", "pinned", str(BPFFS / name)))
        assert found["name"] == name
    finally:
        (BPFFS / name).unlink(missing_ok=True)


@pytest.mark.parametrize("debug", [False, True])
def test_calls_between_sections(tree: Tree, debug: bool) -> None:
    assert tree.run(tree.load(SUBPROGRAMS, debug=debug)) == 82


def test_data_sections(tree: Tree) -> None:
    assert tree.run(tree.load(DATA)) == 42


@pytest.mark.parametrize("debug", [False, True])
def test_newer_instructions(tree: Tree, debug: bool) -> None:
    assert tree.run(tree.load(EVERY_SIZE, debug=debug)) == 3


def test_line_information_reaches_the_kernel(tree: Tree) -> None:
    pin = tree.load(COUNTER.format(map="counts", kind="array", pin="none"), debug=True)
    text = tree.tool("prog", "dump", "xlated", "pinned", pin, "linum")
    assert "lock *(u64 *)(r0 + 0) += r1" in text
    assert "prog(" in text
