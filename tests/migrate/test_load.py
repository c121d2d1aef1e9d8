"""load --on-mismatch migrate: the counter of tests/data/migrate in its two versions, on both runtimes."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel import private_bpffs
from tests.migrate.shapes import Shape
from tests.small_objects import counter
from toolchain.elf import read_spec
from toolchain.errors import LoadError, MigrationRefused, PinError, RuntimeUnavailable
from toolchain.isa.map_types import MapType
from toolchain.loader.bind import OnMismatch
from toolchain.loader.dry_run import preview
from toolchain.loader.migrate import Migration, MigrationOptions
from toolchain.loader.migrate_plan import plan_map
from toolchain.loader.objects import read_object
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.loader.resize import resize
from toolchain.spec.maps import MapSpec
from toolchain.spec.runtime import MapInfo
from toolchain.vm import UserRuntime

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "migrate"
PACKET = bytes(64)
MIGRATE = LoadOptions(on_mismatch=OnMismatch.MIGRATE)
PIN = "tc/globals/acc"


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Version -> path of the assembled counter."""
    directory = tmp_path_factory.mktemp("objects")
    made = {}
    for version in (1, 2):
        made[version] = directory / f"counter{version}.o"
        subprocess.run([ROOT / "bin" / "bpf-as", "-o", made[version], DATA / f"counter{version}.s"], check=True)
    return made


def tree(runtime):
    return {each.path: each.id for each in runtime.pins()}


def run(loaded, count):
    for _ in range(count):
        assert loaded.programs[0].handle.run(PACKET).retval == 0


def values(runtime, layout):
    with runtime.get(PIN) as handle:
        return [struct.unpack(layout, value) for _, value in handle.items()]


def test_an_upgrade_and_the_way_back(runtime, objects):
    with load(runtime, read_object(str(objects[1])), LoadOptions(pin="v1")) as first:
        run(first, 3)
    with load(runtime, read_object(str(objects[2])), LoadOptions(on_mismatch=OnMismatch.MIGRATE, pin="v2")) as second:
        run(second, 2)
        (made,) = (each.migrated for each in second.maps)
        assert made.entries == 1
        assert len(made.used_by) == 1, "the first version is pinned still"
    assert values(runtime, "=QQIIQ")[0] == (5, 0, 7, 0, 5 * 64)
    assert set(tree(runtime)) == {PIN, "v1", "v2"}
    with load(runtime, read_object(str(objects[1])), MIGRATE) as third:
        run(third, 1)
    assert values(runtime, "=IIQ")[0] == (6, 7, 6 * 64)


def test_a_count_that_does_not_fit_keeps_the_old_map(runtime, objects):
    load(runtime, read_object(str(objects[2])), LoadOptions(pin="v2")).close()
    with runtime.get(PIN) as handle:
        handle.update(bytes(4), struct.pack("=QQIIQ", 1 << 32, 0, 7, 0, 9))
    before = tree(runtime)
    with pytest.raises(MigrationRefused, match="packets: 4294967296 does not fit") as error:
        load(runtime, read_object(str(objects[1])), MIGRATE)
    assert error.value.exit_status == 4
    assert tree(runtime) == before
    assert values(runtime, "=QQIIQ")[0] == (1 << 32, 0, 7, 0, 9)


def test_a_dry_run_says_it_all_and_changes_nothing(runtime, objects):
    load(runtime, read_object(str(objects[1])), LoadOptions(pin="v1")).close()
    before, maps = tree(runtime), list(runtime.map_ids())
    made = preview(runtime, read_object(str(objects[2])), MIGRATE)
    (row,) = made.maps
    assert (row.action, row.pin, row.old.id) == ("migrate", PIN, before[PIN])
    assert [difference[0] for difference in row.differences] == ["value_size", "value fields"]
    assert {each.path: each.how for each in row.plan.value.rows} == {
        "packets": "widened", "errors": "new, zero", "protocol": "moved", "mark": "new, zero", "bytes": "moved",
    }  # fmt: skip
    assert not made.is_refused(False)
    assert tree(runtime) == before
    if runtime.name == "user":  # a kernel's ids are all of the machine's
        assert list(runtime.map_ids()) == maps


@pytest.mark.parametrize(("on_mismatch", "action"), [("keep", "keep"), ("replace", "replace")])
def test_a_dry_run_of_the_other_ways(runtime, on_mismatch, action):
    load(runtime, read_spec(counter(), "a.o")).close()
    obj = read_spec(counter(max_entries=99), "a.o")
    (row,) = preview(runtime, obj, LoadOptions(on_mismatch=OnMismatch(on_mismatch))).maps
    assert (row.action, row.differences) == (action, (("max_entries", 99, 8),))
    (row,) = preview(runtime, read_spec(counter(), "a.o"), LoadOptions()).maps
    assert row.action == "reuse"


def test_a_dry_run_names_what_would_be_refused(runtime, objects):
    load(runtime, read_object(str(objects[2]))).close()
    with runtime.get(PIN) as handle:
        handle.update(bytes(4), struct.pack("=QQIIQ", 1 << 32, 0, 7, 0, 9))
    made = preview(runtime, read_object(str(objects[1])), MIGRATE)
    assert made.is_refused(False)
    assert not made.is_refused(True)
    assert made.maps[0].left_out == 1
    assert "packets: 4294967296 does not fit" in made.maps[0].faults[0]


def test_a_failure_after_the_swap_brings_the_old_map_back(runtime, objects):
    load(runtime, read_object(str(objects[1]))).close()
    before = tree(runtime)
    seen = []

    def fail(program, undo):
        seen.append(tree(runtime))
        raise LoadError("cannot attach", 22)

    with pytest.raises(LoadError):
        load(runtime, read_object(str(objects[2])), LoadOptions(on_mismatch=OnMismatch.MIGRATE, pin="p"), fail)
    assert set(seen[0]) == {PIN, "p", f"{PIN}-late-1/old", f"{PIN}-late-1/base"}
    assert seen[0][PIN] != before[PIN]
    assert tree(runtime) == before


def test_a_taken_program_pin_swaps_no_map(runtime, objects):
    load(runtime, read_object(str(objects[1])), LoadOptions(pin="p")).close()
    before = tree(runtime)
    with pytest.raises(PinError, match="EEXIST"):
        load(runtime, read_object(str(objects[2])), LoadOptions(on_mismatch=OnMismatch.MIGRATE, pin="p"))
    assert tree(runtime) == before


def test_publish_swaps_and_pins_all_or_none(runtime, objects):
    with (
        load(runtime, read_object(str(objects[1]))) as first,
        load(
            runtime, read_object(str(objects[2])), LoadOptions(is_published=False, on_mismatch=OnMismatch.REPLACE)
        ) as new,
    ):
        old, other = first.maps[0].handle, new.maps[0].handle
        program = new.programs[0].handle
        for pins, swaps, number in (
            ([(program, PIN)], [(other, PIN)], "EEXIST"),
            ([(program, "missing/x")], [(other, PIN)], "ENOENT"),
            ([(program, "x")], [(other, "nothing")], "ENOENT"),
        ):
            with pytest.raises(PinError, match=number):
                runtime.publish(pins, swaps)
            assert tree(runtime) == {PIN: old.id}
        runtime.publish([(program, "x")], [(other, PIN)])
        assert tree(runtime) == {PIN: other.id, "x": program.id}
        runtime.publish([], [(other, PIN)])
        assert tree(runtime)[PIN] == other.id


def test_resize_moves_every_pin_and_keeps_types_and_frozen(runtime, objects):
    with load(runtime, read_object(str(objects[1]))) as loaded:
        run(loaded, 4)
    with runtime.get(PIN) as old:
        old_id = old.id
        runtime.pin(old, "again")
        old.freeze()
        made = resize(runtime, old, 9, MigrationOptions())
    assert (made.entries, made.old_id) == (1, old_id)
    found = tree(runtime)
    assert found == {PIN: made.new_id, "again": made.new_id}
    with runtime.get("again") as new:
        info = new.info()
        assert (info.spec.max_entries, info.is_frozen) == (9, True)
        assert info.spec.value_type_id
        assert info.btf
    assert values(runtime, "=IIQ")[0] == (4, 7, 256)
    assert old_id not in list(runtime.map_ids()) or runtime.name == "kernel", "nothing holds the old one"


def test_resize_of_a_map_in_use_is_refused_unless_told(runtime, objects):
    load(runtime, read_object(str(objects[1])), LoadOptions(pin="v1")).close()
    before = tree(runtime)
    with runtime.get(PIN) as old, runtime.get("v1") as program:
        with pytest.raises(MigrationRefused, match=f"prog id {program.id}"):
            resize(runtime, old, 9, MigrationOptions())
        assert tree(runtime) == before
        made = resize(runtime, old, 9, MigrationOptions(), while_used=True)
        assert made.used_by == (program.id,)
        assert resize(runtime, runtime.get(PIN), 9, MigrationOptions()) is None
    with runtime.get(PIN) as old:
        old.update((8).to_bytes(4, "little"), b"\1" * 16)
        with pytest.raises(MigrationRefused, match=r"no such element in the new map: 8 \(0\.\.7\)"):
            resize(runtime, old, 8, MigrationOptions(), while_used=True)


def test_the_new_pin_has_the_mode_of_the_old_one(runtime, objects):
    load(runtime, read_object(str(objects[1]))).close()
    path = os.path.join(runtime.pin_root, PIN)
    os.chmod(path, 0o640)
    load(runtime, read_object(str(objects[2])), MIGRATE).close()
    assert os.stat(path).st_mode & 0o7777 == 0o640


def test_another_pin_of_the_old_map_is_named(runtime, objects):
    with load(runtime, read_object(str(objects[1]))) as loaded:
        runtime.pin(loaded.maps[0].handle, "again")
        old_id = loaded.maps[0].handle.id
    with load(runtime, read_object(str(objects[2])), MIGRATE) as loaded:
        assert loaded.maps[0].migrated.elsewhere == ("again",)
    assert tree(runtime)["again"] == old_id


def test_all_maps_that_cannot_are_named_at_once(runtime):
    maps = [MapSpec(name, MapType.QUEUE if runtime.name == "kernel" else MapType.ARRAY, 0, 8, 4) for name in "ab"]
    if runtime.name == "user":
        maps = [MapSpec(name, MapType.PROG_ARRAY, 4, 4, 4) for name in "ab"]
    plans = []
    for spec in maps:
        with runtime.map_create(spec) as handle:
            new = replace(spec, map_type=MapType.HASH, key_size=4)
            plans.append(plan_map(handle.info(), new, None, spec.name))
    with Migration(runtime, 1) as migration, pytest.raises(MigrationRefused) as error:
        migration.require(plans)
    assert [fault.where.path for fault in error.value.faults] == ["a", "b"]


def test_programs_in_slots_go_over(runtime, objects):
    """A prog array of another size: what the object's own slots do not name stays."""
    with (
        load(runtime, read_object(str(objects[1]))) as loaded,
        runtime.map_create(MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 2)) as jumps,
    ):
        program = loaded.programs[0].handle
        jumps.update((1).to_bytes(4, "little"), struct.pack("=i", program.fileno()))
        runtime.pin(jumps, "jumps")
        made = resize(runtime, jumps, 3, MigrationOptions())
        assert made.entries == 1
        with runtime.get("jumps") as new:
            assert new.lookup((1).to_bytes(4, "little")) == program.id.to_bytes(4, "little")


def test_resize_of_slots_keeps_what_they_name(runtime):
    inner = MapSpec("inner", MapType.ARRAY, 4, 8, 1)
    with (
        runtime.map_create(inner) as held,
        runtime.map_create(MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=inner)) as outer,
    ):
        outer.update((1).to_bytes(4, "little"), struct.pack("=i", held.fileno()))
        runtime.pin(outer, "outer")
        resize(runtime, outer, 4, MigrationOptions())
        with runtime.get("outer") as new:
            slots = {key: value for key, value in new.items() if any(value)}
            assert slots == {(1).to_bytes(4, "little"): held.id.to_bytes(4, "little")}
            assert new.info().spec.max_entries == 4


ROOMS = [f"size={kilobytes}k" for kilobytes in range(56, 112, 4)] + [f"nr_inodes={count}" for count in range(14, 36)]


@pytest.mark.kernel
def test_a_full_disk_leaves_the_old_map(tmp_path, objects):
    """A file system that is full at every moment that there is: too few bytes, or too few inodes.

    What is pinned there can be removed all the same.
    """
    if not private_bpffs.mounted():
        pytest.skip("this process may not mount")
    old, new = (read_object(str(objects[version])) for version in (1, 2))
    place = tmp_path / "small"
    place.mkdir()
    seen = set()
    for room in ROOMS:
        subprocess.run(["mount", "-t", "tmpfs", "-o", room, "tmpfs", place], check=True)
        try:
            seen.add(_migrate_in(str(place / "tree"), old, new))
        finally:
            subprocess.run(["umount", place], check=True)
    assert seen == {"no room for the old one", "refused", "migrated"}


def _migrate_in(root, old, new):
    runtime = UserRuntime(root)
    try:
        with load(runtime, old) as loaded:
            run(loaded, 2)
    except (LoadError, PinError, RuntimeUnavailable):
        return "no room for the old one"
    before = tree(runtime)
    try:
        load(runtime, new, LoadOptions(on_mismatch=OnMismatch.MIGRATE, pin="p")).close()
    except (LoadError, PinError, RuntimeUnavailable) as error:
        reason = str(error)
        assert tree(runtime) == before
        assert values(runtime, "=IIQ")[0] == (2, 7, 128)
        runtime.close()
        runtime.unpin(PIN)
        assert tree(runtime) == {}
        return "refused" if "ENOSPC" in reason else reason
    assert set(tree(runtime)) == {PIN, "p"}
    assert values(runtime, "=QQIIQ")[0] == (2, 0, 7, 0, 128)
    runtime.close()
    return "migrated"


def test_new_variables_begin_with_the_value_of_the_object():
    old, new = Shape([("level", "u32")]), Shape([("more", "u64"), ("level", "u32")])
    info = MapInfo(1, MapSpec("d", MapType.ARRAY, 4, 4, 1, value_type_id=old.type_id), btf=old.btf.encode())
    spec = MapSpec("d", MapType.ARRAY, 4, 16, 1, value_type_id=new.type_id, data=struct.pack("=QIxxxx", 77, 3))
    plan = plan_map(info, spec, new.btf, "d")
    assert [(row.path, row.how) for row in plan.value.rows] == [
        ("level", "moved"),
        ("more", "new, the object's value"),
    ]
    for convert in (plan.value.apply, plan.value.compiled()):
        assert convert(struct.pack("=I", 9)) == struct.pack("=QIxxxx", 77, 9)


def test_a_load_that_migrates_nothing_imports_nothing_for_it(pin_root, objects):
    code = (
        "import sys, contextlib\nfrom toolchain.cli.bpf_load import main\n"
        f"with contextlib.suppress(SystemExit): main(['--pin-root', {pin_root!r}, 'load', {str(objects[1])!r}])\n"
        "print(sorted(name for name in sys.modules if 'migrate_' in name or name == 'tempfile'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
