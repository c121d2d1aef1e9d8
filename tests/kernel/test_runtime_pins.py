"""Pins of the kernel runtime: bpffs' errnos, all or none, layouts, and maps that other tools pinned."""

import errno
import json
import os
import shutil
import subprocess

import pytest

from tests.kernel import oracle, private_bpffs
from tests.small_objects import counter
from toolchain.elf import read_spec
from toolchain.errors import PinConflict, PinError, Rejected, RuntimeUnavailable
from toolchain.isa.map_types import MapType
from toolchain.kernel import KernelRuntime, bpffs, is_usable
from toolchain.loader.bind import OnMismatch, PinLayout
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.loader.runtimes import runtime_name
from toolchain.spec.maps import MapSpec

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

SPEC = MapSpec("m", MapType.ARRAY, 4, 8, 1)


@pytest.fixture
def root():
    """A directory of a bpffs of this process's own, empty again afterwards."""
    above = private_bpffs.mounted()
    if not above:
        pytest.skip("this process may not mount a bpffs")
    directory = os.path.join(above, "root")
    os.mkdir(directory)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def runtime(root):
    made = KernelRuntime(root)
    yield made
    made.close()


@pytest.fixture
def a_map(runtime):
    with runtime.map_create(SPEC) as handle:
        yield handle


def files(root: str) -> list[str]:
    return sorted(os.path.relpath(os.path.join(top, name), root) for top, _, names in os.walk(root) for name in names)


def test_errnos(runtime, root, a_map):
    os.mkdir(os.path.join(root, "folder"))
    os.symlink("nowhere", os.path.join(root, "dangling"))
    runtime.pin(a_map, "there")
    expected = [
        (runtime.pin, (a_map, "there"), errno.EEXIST),
        (runtime.pin, (a_map, "folder"), errno.EEXIST),
        (runtime.pin, (a_map, "dangling"), errno.EEXIST),
        (runtime.pin, (a_map, "with.dot"), errno.EPERM),
        (runtime.pin, (a_map, "missing/there"), errno.ENOENT),
        (runtime.pin, (a_map, "slash/"), errno.ENOENT),
        (runtime.pin, (a_map, "x" * 256), errno.ENAMETOOLONG),
        (runtime.pin, (a_map, "zero\0byte"), errno.EINVAL),
        (runtime.get, ("missing",), errno.ENOENT),
        (runtime.get, ("folder",), errno.EACCES),
        (runtime.get, ("there/below",), errno.ENOTDIR),
        (runtime.unpin, ("missing",), errno.ENOENT),
        (runtime.unpin, ("folder",), errno.EISDIR),
        (runtime.map_by_id, ((1 << 32) - 1,), errno.ENOENT),
        (runtime.prog_by_id, ((1 << 32) - 1,), errno.ENOENT),
    ]
    for action, arguments, number in expected:
        with pytest.raises(PinError) as refused:
            action(*arguments)
        assert (arguments, errno.errorcode[refused.value.errno]) == (arguments, errno.errorcode[number])
    with runtime.get("there") as other:
        assert other.id == a_map.id


def test_publish_is_all_or_nothing(runtime, root, a_map):
    with runtime.map_create(SPEC) as other:
        runtime.pin(a_map, "taken")
        for bad, number in (("taken", errno.EEXIST), ("a.b", errno.EPERM), ("no/such", errno.ENOENT)):
            with pytest.raises(PinError) as refused:
                runtime.publish([(a_map, "one"), (other, "two"), (other, bad)])
            assert refused.value.errno == number
            assert files(root) == ["taken"]
        runtime.publish([(a_map, "one"), (other, "two")])
        assert files(root) == ["one", "taken", "two"]
        assert {(each.path, each.kind, each.id) for each in runtime.pins()} == {
            ("one", "map", a_map.id), ("taken", "map", a_map.id), ("two", "map", other.id)}  # fmt: skip


def test_replacing_takes_over_in_one_step(runtime, root, a_map):
    os.mkdir(os.path.join(root, "d"))
    with runtime.map_create(SPEC) as other:
        for path in ("name", "d/name", "d/" + "n" * 255):
            runtime.pin(a_map, path)
            runtime.pin(other, path, replacing=True)
            with runtime.get(path) as found:
                assert found.id == other.id
            runtime.unpin(path)
        os.mkdir(os.path.join(root, "folder"))
        with pytest.raises(PinError):
            runtime.pin(other, "folder", replacing=True)
    assert files(root) == []


def test_a_pin_for_reading_only(runtime, root, a_map):
    if os.geteuid():
        pytest.skip("only root may become another user")
    runtime.pin(a_map, "public")
    above = private_bpffs.mounted()
    os.chmod(os.path.join(root, "public"), 0o444)
    os.chmod(root, 0o755)
    os.chmod(above, 0o755)
    read, write = os.pipe()
    if os.fork() == 0:
        os.setresuid(65534, 65534, 65534)
        with runtime.get("public") as handle:
            handle.lookup(bytes(4))
            try:
                handle.update(bytes(4), bytes(8))
            except Exception as error:
                os.write(write, errno.errorcode[error.errno].encode())
        os._exit(0)
    os.wait()
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"EPERM"


def loaded(runtime: KernelRuntime, data: bytes, **options) -> tuple[int, bool]:
    with load(runtime, read_spec(data, "a.o"), LoadOptions(**options)) as done:
        return done.maps[0].handle.id, done.maps[0].is_reused


def test_layouts_are_those_of_other_tools(runtime, root):
    for layout, path in ((PinLayout.TC, "tc/globals/acc"), (PinLayout.FLAT, "acc")):
        loaded(runtime, counter(), layout=layout)
        assert path in files(root)


def test_a_refused_program_leaves_no_trace(runtime, root):
    with pytest.raises(Rejected):
        loaded(runtime, counter(map_type=MapType.HASH, checks_null=False), pin="p")
    assert os.listdir(root) == []
    loaded(runtime, counter(), pin="p")
    before = files(root)
    with pytest.raises(PinError) as taken:
        loaded(runtime, counter(map_name="other"), pin="p")
    assert taken.value.errno == errno.EEXIST
    assert files(root) == before


def test_all_differing_fields_are_named(runtime):
    with runtime.map_create(MapSpec("acc", MapType.HASH, 8, 4, 3)) as other:
        os.makedirs(os.path.join(runtime.pin_root, "tc/globals"))
        runtime.pin(other, "tc/globals/acc")
        with pytest.raises(PinConflict) as conflict:
            loaded(runtime, counter())
        fields = [row[2:] for row in conflict.value.differences]
        assert fields == [
            ("type", "array", "hash"), ("key_size", 4, 8), ("value_size", 16, 4), ("max_entries", 8, 3)]  # fmt: skip
        number, is_reused = loaded(runtime, counter(), on_mismatch=OnMismatch.REPLACE)
        assert not is_reused
        with runtime.get("tc/globals/acc") as now:
            assert now.id == number != other.id


def test_a_program_in_the_place_of_a_map(runtime):
    _, fd = oracle.prog_load(3, bytes.fromhex("b7000000000000009500000000000000"))
    os.makedirs(os.path.join(runtime.pin_root, "tc/globals"))
    with oracle.closing(fd):
        oracle.obj_pin(fd, os.path.join(runtime.pin_root, "tc/globals/acc"))
    with pytest.raises(PinConflict) as conflict:
        loaded(runtime, counter())
    assert conflict.value.differences[0][2:] == ("kind", "map", "prog")


needs_bpftool = pytest.mark.skipif(not shutil.which("bpftool"), reason="no bpftool")


@needs_bpftool
def test_a_map_that_bpftool_pinned_is_reused(runtime, root):
    os.makedirs(os.path.join(root, "tc/globals"))
    command = "bpftool map create PATH type array key 4 value 16 entries 8 name acc"
    subprocess.run(command.replace("PATH", f"{root}/tc/globals/acc").split(), check=True)
    with runtime.get("tc/globals/acc") as pinned:
        assert loaded(runtime, counter()) == (pinned.id, True)


@needs_bpftool
def test_maps_that_libbpf_pinned_are_reused_and_ours_by_libbpf(runtime, root, tmp_path):
    path = tmp_path / "a.o"
    compiler = next((name for name in ("clang", "clang-19", "clang-22") if shutil.which(name)), None)
    if compiler is None:
        pytest.skip("no clang")
    source = tmp_path / "a.c"
    source.write_text(BTF_MAP)
    subprocess.run([compiler, "-O2", "-g", "--target=bpf", "-c", source, "-o", path], check=True)
    above = KernelRuntime(private_bpffs.mounted())
    subprocess.run(["bpftool", "prog", "load", path, f"{root}/theirs"], check=True)
    with above.get("shared") as pinned:
        number, is_reused = loaded(above, path.read_bytes(), layout=PinLayout.LIBBPF)
        assert (number, is_reused) == (pinned.id, True)
    runtime.unpin("theirs")
    above.unpin("shared")
    number, is_reused = loaded(above, path.read_bytes(), layout=PinLayout.LIBBPF)
    assert not is_reused
    subprocess.run(["bpftool", "prog", "load", path, f"{root}/theirs"], check=True)
    above.unpin("shared")
    shown = json.loads(subprocess.check_output(["bpftool", "-j", "prog", "show", "pinned", f"{root}/theirs"]))
    assert shown["map_ids"] == [number]


BTF_MAP = """
struct { int (*type)[2]; unsigned *key; unsigned long (*value)[2]; int (*max_entries)[4]; int (*pinning)[1]; }
shared __attribute__((section(".maps"), used));
static void *(*const lookup)(void *, const void *) = (void *)1;
__attribute__((section("tc"), used)) int count(void *ctx)
{
    unsigned key = 1;
    unsigned long *value = lookup(&shared, &key);
    if (value)
        __sync_fetch_and_add(value, 1);
    return 0;
}
char licence[] __attribute__((section("license"), used)) = "GPL";
"""


@needs_bpftool
def test_json_has_bpftools_keys(runtime, root, bpf_load, written):
    path = written(counter())
    base = ("-r", "kernel", "--pin-root", root, "--json")
    assert bpf_load(*base, "load", path, "--pin", "p").status == 0
    for kind, pin in (("map", "tc/globals/acc"), ("prog", "p")):
        ours = bpf_load(*base, kind, "show", pin).json[{"map": "map", "prog": "program"}[kind]]
        theirs = json.loads(subprocess.check_output(["bpftool", "-j", kind, "show", "pinned", f"{root}/{pin}"]))
        theirs.pop("orphaned", None)
        for key in theirs.keys() - {"loaded_at", "pinned"}:
            assert ours[key] == theirs[key], (kind, key)


def test_without_a_bpffs_programs_run_but_nothing_is_pinned(tmp_path, bpf_load, written):
    path, place = written(counter(pinning=0)), tmp_path / "plain"
    place.mkdir()
    base = ("-r", "kernel", "--pin-root", place)
    assert bpf_load(*base, "run", path).status == 0
    assert bpf_load(*base, "verify", path).status == 0
    assert bpf_load(*base, "map", "show").status == 0
    outcome = bpf_load(*base, "load", path, "--pin", "p")
    assert outcome.status == 5
    assert "no BPF file system here" in outcome.err
    assert os.listdir(place) == []
    assert runtime_name("auto", str(place)) == "user"


def test_nothing_is_mounted_unasked(tmp_path, bpf_load, written):
    if not private_bpffs.mounted():
        pytest.skip("this process may not mount a bpffs")
    path, place = written(counter()), tmp_path / "fs"
    place.mkdir()
    base = ("-r", "kernel", "--pin-root", place)
    assert bpf_load(*base, "load", path, "--pin", "p").status == 5
    assert str(place) not in bpffs.mounts()
    outcome = bpf_load(*base, "load", path, "--pin", "p", "--mount")
    assert outcome.status == 0, outcome
    assert str(place) in bpffs.mounts()
    assert files(str(place)) == ["maps.debug", "p", "progs.debug", "tc/globals/acc"]
    assert runtime_name("auto", str(place)) == "kernel"
    assert bpf_load(*base, "load", path, "--mount").status == 0
    subprocess.run(["umount", place], check=True)


def test_where_pins_go(monkeypatch, root):
    monkeypatch.setenv("TC_BPF_MNT", root)
    monkeypatch.delenv("BPF_PIN_ROOT", raising=False)
    assert KernelRuntime().pin_root == root
    monkeypatch.setenv("BPF_PIN_ROOT", "/elsewhere")
    assert KernelRuntime().pin_root == "/elsewhere"
    assert not is_usable()
    monkeypatch.delenv("TC_BPF_MNT")
    monkeypatch.setattr(bpffs, "mounts", lambda: ["/other/bpf"])
    assert bpffs.find_root() == "/other/bpf"
    monkeypatch.setattr(bpffs, "mounts", lambda: ["/other/bpf", "/sys/fs/bpf"])
    assert bpffs.find_root() == "/sys/fs/bpf"
    monkeypatch.setattr(bpffs, "mounts", list)
    assert bpffs.find_root() == "/sys/fs/bpf"


def test_a_token_that_cannot_be_made_is_said(monkeypatch, runtime, root):
    monkeypatch.setenv("LIBBPF_BPF_TOKEN_PATH", root)
    with pytest.raises(RuntimeUnavailable) as refused:
        runtime.map_create(SPEC)
    assert refused.value.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ENOENT)
    monkeypatch.setenv("LIBBPF_BPF_TOKEN_PATH", root + "/missing")
    with pytest.raises(RuntimeUnavailable) as refused:
        runtime.map_create(SPEC)
    assert refused.value.errno == errno.ENOENT
