"""The order of effects: what a load makes, what it shares, and that a failure or a lost race leaves nothing."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.small_objects import counter, unsafe
from toolchain.btf import Btf, BtfBuilder
from toolchain.btf.types import Member, Struct
from toolchain.elf import read_spec
from toolchain.errors import LinkError, PinConflict, PinError, Rejected, RuntimeUnavailable
from toolchain.isa.insn import Insn, wide
from toolchain.isa.map_types import MapType
from toolchain.loader.bind import OnMismatch, PinLayout
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.loader.runtimes import relative_pin
from toolchain.spec.objects import DataSpec, Reference, ReferenceKind
from toolchain.vm import UserRuntime

PACKET = bytes(64)


def an_object(**more):
    return read_spec(counter(**more), "a.o")


@pytest.fixture
def runtime(pin_root):
    runtime = UserRuntime(pin_root)
    yield runtime
    runtime.close()


def tree(runtime):
    return {each.path: each.id for each in runtime.pins()}


def value_of(handle):
    return int.from_bytes(handle.lookup(bytes(4))[:8], "little")


def test_two_loads_share_one_map(runtime):
    with (
        load(runtime, an_object(), LoadOptions(pin="in")) as first,
        load(runtime, an_object(), LoadOptions(pin="out")) as second,
    ):
        assert [each.is_reused for each in (*first.maps, *second.maps)] == [False, True]
        assert first.maps[0].handle.id == second.maps[0].handle.id
        first.programs[0].handle.run(PACKET)
        second.programs[0].handle.run(PACKET)
        assert value_of(first.maps[0].handle) == 2
    assert set(tree(runtime)) == {"in", "out", "tc/globals/acc"}


def test_what_is_not_pinned_goes_with_its_handles(runtime):
    with load(runtime, an_object(pinning=0)) as loaded:
        assert list(runtime.map_ids()) == [loaded.maps[0].handle.id]
        assert loaded.maps[0].pin == ""
    assert list(runtime.map_ids()) == list(runtime.prog_ids()) == []
    assert tree(runtime) == {}


def test_an_unpublished_load_uses_pins_but_makes_none(runtime):
    with load(runtime, an_object(), LoadOptions(is_published=False, pin="x")) as loaded:
        assert tree(runtime) == {}
        assert loaded.maps[0].pin == ""
    load(runtime, an_object()).close()
    with load(runtime, an_object(), LoadOptions(is_published=False)) as loaded:
        assert loaded.maps[0].is_reused
        assert loaded.maps[0].pin == "tc/globals/acc"


@pytest.mark.parametrize(
    ("layout", "pinning", "path"),
    [(PinLayout.TC, 2, "tc/globals/acc"), (PinLayout.FLAT, 2, "acc"), (PinLayout.FLAT, 1, "acc")],
)
def test_layouts(runtime, layout, pinning, path):
    load(runtime, an_object(pinning=pinning), LoadOptions(layout=layout)).close()
    assert set(tree(runtime)) == {path}


def test_object_pins_are_named_by_the_files_hash(runtime):
    import hashlib

    data = counter(pinning=1)
    load(runtime, read_spec(data, "a.o")).close()
    assert set(tree(runtime)) == {f"tc/{hashlib.sha1(data).hexdigest()}/acc"}


def test_a_path_on_the_command_line_goes_first(runtime):
    load(runtime, an_object(), LoadOptions(map_paths={"acc": "deep/er/mine"})).close()
    assert set(tree(runtime)) == {"deep/er/mine"}
    with pytest.raises(LinkError, match="no program loaded uses a map of that name: acd"):
        load(runtime, an_object(), LoadOptions(map_paths={"acd": "x"}))


def test_several_programs_go_to_a_directory(runtime):
    obj = an_object()
    second = replace(obj.functions[0], name="again.x", section="tc2")
    obj = replace(
        obj,
        functions=(*obj.functions, second),
        programs=(*obj.programs, replace(obj.programs[0], name="again.x", section="tc2")),
    )
    load(runtime, obj, LoadOptions(pin="progs")).close()
    assert set(tree(runtime)) == {"progs/count", "progs/again_x", "tc/globals/acc"}


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: read_spec(unsafe(map_name="new"), "a.o"), Rejected),
        (lambda: an_object(value_size=24), PinConflict),
        (lambda: an_object(map_name="new", maps=2, map_type=MapType.HASH, max_entries=0), Exception),
    ],
    ids=["rejected", "conflict", "refused by the runtime"],
)
def test_a_failure_leaves_no_trace(runtime, make, error):
    load(runtime, an_object(), LoadOptions(pin="in")).close()
    before = tree(runtime), list(runtime.map_ids()), list(runtime.prog_ids()), sorted(os.listdir(runtime.pin_root))
    with pytest.raises(error):
        load(runtime, make(), LoadOptions(pin="dir/out"))
    assert (
        tree(runtime),
        list(runtime.map_ids()),
        list(runtime.prog_ids()),
        sorted(os.listdir(runtime.pin_root)),
    ) == before


def test_a_program_pin_that_is_taken_fails_before_anything_is_made(runtime):
    load(runtime, an_object(), LoadOptions(pin="in")).close()
    before = tree(runtime), list(runtime.map_ids()), list(runtime.prog_ids())
    with pytest.raises(PinError, match="EEXIST"):
        load(runtime, an_object(map_name="new"), LoadOptions(pin="in"))
    assert (tree(runtime), list(runtime.map_ids()), list(runtime.prog_ids())) == before


def test_one_path_for_two_new_objects(runtime):
    for options in (
        LoadOptions(map_paths={"acc": "same", "acc1": "same"}),
        LoadOptions(map_paths={"acc": "same"}, pin="same"),
    ):
        with pytest.raises(PinError, match="several objects for one pin: EEXIST"):
            load(runtime, an_object(maps=2), options)
        assert tree(runtime) == {}


def test_a_name_that_leads_nowhere(runtime):
    load(runtime, an_object(), LoadOptions(pin="in")).close()
    os.symlink("nowhere", os.path.join(runtime.pin_root, "link"))
    with pytest.raises(PinError, match="EEXIST"):
        load(runtime, an_object(), LoadOptions(map_paths={"acc": "link"}))
    assert set(tree(runtime)) == {"in", "tc/globals/acc"}


def test_directories_made_for_pins_that_fail_are_removed(runtime):
    load(runtime, an_object(), LoadOptions(pin="in")).close()
    with pytest.raises(PinError, match="ENAMETOOLONG"):
        load(runtime, an_object(map_name="new"), LoadOptions(pin="new/dir/" + "n" * 256))
    assert set(os.listdir(runtime.pin_root)) == {".bpf", "in", "tc"}


def test_keep_and_replace(runtime):
    load(runtime, an_object()).close()
    old = tree(runtime)["tc/globals/acc"]
    with load(runtime, an_object(max_entries=99), LoadOptions(on_mismatch=OnMismatch.KEEP)) as kept:
        assert kept.maps[0].handle.id == old
        assert kept.maps[0].spec.max_entries == 8
    with load(runtime, an_object(max_entries=99), LoadOptions(on_mismatch=OnMismatch.REPLACE)) as replaced:
        assert tree(runtime) == {"tc/globals/acc": replaced.maps[0].handle.id}
        assert replaced.maps[0].handle.id != old
        assert replaced.maps[0].handle.info().spec.max_entries == 99
    assert old not in list(runtime.map_ids())


def test_a_replaced_pin_comes_back_if_the_load_fails_after_it(runtime):
    load(runtime, an_object()).close()
    before = tree(runtime)
    during = []

    def fail(program, undo):
        during.append(tree(runtime))
        raise PinError("cannot pin", 5)

    with pytest.raises(PinError, match="EIO"):
        load(runtime, an_object(max_entries=99), LoadOptions(on_mismatch=OnMismatch.REPLACE, pin="p"), fail)
    assert during != [before]
    assert tree(runtime) == before


class Rival(UserRuntime):
    """A runtime on which somebody else acts between binding and publishing, as often as told."""

    actions = []

    def prog_load(self, program, maps):
        if self.actions:
            self.actions.pop(0)()
        return super().prog_load(program, maps)


def test_who_loses_the_race_for_a_map_binds_to_the_winners(pin_root):
    runtime, other = Rival(pin_root), UserRuntime(pin_root)
    Rival.actions = [lambda: load(other, an_object(), LoadOptions(pin="winner")).close()]
    with load(runtime, an_object(), LoadOptions(pin="loser")) as loaded:
        assert loaded.maps[0].is_reused
    assert set(tree(runtime)) == {"winner", "loser", "tc/globals/acc"}
    assert len(list(runtime.map_ids())) == 1


def test_who_loses_the_race_to_another_definition_is_told(pin_root):
    runtime, other = Rival(pin_root), UserRuntime(pin_root)
    Rival.actions = [lambda: load(other, an_object(value_size=32)).close()]
    with pytest.raises(PinConflict):
        load(runtime, an_object(), LoadOptions(pin="loser"))
    assert set(tree(runtime)) == {"tc/globals/acc"}


def test_a_reused_map_that_is_unpinned_meanwhile_is_pinned_again(pin_root):
    runtime, other = Rival(pin_root), UserRuntime(pin_root)
    load(runtime, an_object()).close()
    Rival.actions = [lambda: other.unpin("tc/globals/acc")]
    with load(runtime, an_object(), LoadOptions(pin="mine")) as loaded:
        assert tree(runtime)["tc/globals/acc"] == loaded.maps[0].handle.id


def test_who_loses_the_race_for_a_program_pin_is_told(pin_root):
    runtime, other = Rival(pin_root), UserRuntime(pin_root)
    Rival.actions = [lambda: load(other, an_object(map_name="theirs"), LoadOptions(pin="same")).close()]
    with pytest.raises(PinError, match="EEXIST"):
        load(runtime, an_object(), LoadOptions(pin="same"))
    assert set(tree(runtime)) == {"same", "tc/globals/theirs"}


def test_a_map_that_is_named_where_the_program_never_comes(runtime):
    """An array has its slot 0, so the branch without a value is dead; a wide load in it must not be decoded."""
    obj = an_object()
    lookup = obj.functions[0].insns[:5]
    wide_load = wide(0x18, 1, 0, 0)
    insns = (*lookup, Insn(0x55, 0, off=3), wide_load, Insn(0x85, imm=999), Insn(0xB7, imm=3), Insn(0x95))
    references = tuple(Reference(slot, ReferenceKind.MAP, "acc") for slot in (3, 7))
    main = replace(obj.functions[0], insns=insns, references=references)
    with load(runtime, replace(obj, functions=(main,)), LoadOptions(pin="p")) as loaded:
        assert loaded.programs[0].handle.run(PACKET).retval == 3
    with runtime.get("p") as program:
        assert program.run(PACKET).retval == 3


def constant_reader():
    """Reads the byte of .rodata whose index stands in .rodata: safe only because nobody can change that."""
    wide_load = wide(0x18, 1, 0, 0)
    insns = [wide_load, Insn(0x61, 2, 1), Insn(0x0F, 1, 2), Insn(0x71, 0, 1), Insn(0x95)]
    obj = an_object(pinning=0)
    main = replace(obj.functions[0], insns=tuple(insns), references=(Reference(0, ReferenceKind.DATA, ".rodata"),))
    return replace(obj, functions=(main,), data=(DataSpec(".rodata", ".rodata", b"\x05\0\0\0\0\x2a\0\0"),))


def test_data_maps_are_filled_and_frozen(runtime):
    with load(runtime, constant_reader()) as loaded:
        assert loaded.programs[0].handle.run(PACKET).retval == 0x2A
        (data,) = loaded.maps
        assert data.handle.lookup(bytes(4)) == b"\x05\0\0\0\0\x2a\0\0"
        assert data.handle.info().is_frozen
        assert data.handle.info().spec.name == "a.rodata"


def test_a_program_that_relies_on_constants_runs_from_its_pin(runtime):
    load(runtime, constant_reader(), LoadOptions(pin="p")).close()
    with runtime.get("p") as program:
        assert program.run(PACKET).retval == 0x2A


def test_pinned_constants_are_reused_and_compared(runtime):
    obj = constant_reader()
    reads = (wide(0x18, 1, 0, 0), Insn(0x71, 0, 1), Insn(0x95))
    obj = replace(obj, functions=(replace(obj.functions[0], insns=reads),))
    options = LoadOptions(map_paths={"a.rodata": "constants"})
    load(runtime, obj, options).close()
    with load(runtime, obj, options) as loaded:
        assert loaded.maps[0].is_reused
    with pytest.raises(PinConflict) as caught:
        load(runtime, replace(obj, data=(DataSpec(".rodata", ".rodata", bytes(8)),)), options)
    assert [row[2] for row in caught.value.differences] == ["constants"]


def test_types_travel_with_the_map_and_find_swapped_fields(runtime):
    def typed(*names):
        builder = BtfBuilder()
        number = builder.integer("__u64", 8)
        value = builder.add(Struct("value", 16, tuple(Member(name, number, 64 * at) for at, name in enumerate(names))))
        obj = an_object()
        return replace(obj, btf=builder.build(), maps=(replace(obj.maps[0], value_type_id=value),))

    with load(runtime, typed("packets", "bytes")) as loaded:
        info = loaded.maps[0].handle.info()
        value = Btf.decode(info.btf).get(info.spec.value_type_id)
        assert [each.name for each in value.members] == ["packets", "bytes"]
    load(runtime, typed("packets", "bytes")).close()
    with pytest.raises(PinConflict) as caught:
        load(runtime, typed("bytes", "packets"))
    assert [row[2] for row in caught.value.differences] == ["value fields"]


SCRIPT = """
import sys
from toolchain.elf import read_spec
from toolchain.loader.pipeline import LoadOptions, load
from toolchain.vm import UserRuntime
runtime = UserRuntime(sys.argv[1])
with load(runtime, read_spec(open(sys.argv[2], "rb").read(), "a.o"), LoadOptions(pin=sys.argv[3])) as loaded:
    print(loaded.maps[0].handle.id)
runtime.close()
"""


def test_processes_that_start_together_end_with_one_map(pin_root, tmp_path):
    path = tmp_path / "a.o"
    path.write_bytes(counter())
    command = [sys.executable, "-c", SCRIPT, pin_root, str(path)]
    children = [
        subprocess.Popen([*command, f"p{number}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    outcomes = [child.communicate(timeout=60) for child in children]
    assert [error for _, error in outcomes] == [""] * 4
    assert len({out for out, _ in outcomes}) == 1
    assert len(tree(UserRuntime(pin_root))) == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
@pytest.mark.parametrize(("options", "errno"), [("size=16k", "ENOSPC"), ("ro", "EROFS")])
def test_a_full_or_read_only_tree(tmp_path, options, errno):
    path = tmp_path / "a.o"
    path.write_bytes(counter(value_size=4096, max_entries=512))
    place = tmp_path / "tree"
    place.mkdir()
    command = f"mount -t tmpfs -o {options} none {place} && exec '{sys.executable}' -c '{LOAD}' {place}/pins {path}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 5, done
    assert errno in done.stderr
    assert "hint: " in done.stderr


LOAD = """
import sys
from toolchain.cli.bpf_load import main
main(["--pin-root", sys.argv[1], "load", sys.argv[2], "--pin", "p"])
"""


def test_absolute_pins(tmp_path):
    root = str(tmp_path)
    assert relative_pin(root, "a/b") == "a/b"
    assert relative_pin(root, f"{root}/a/b") == "a/b"
    for outside in ("/a", root, f"{root}x/a"):
        with pytest.raises(PinError, match="EPERM"):
            relative_pin(root, outside)


def test_a_root_that_cannot_be_made():
    with pytest.raises((RuntimeUnavailable, PinError)):
        load(UserRuntime("/proc/none/pins"), an_object())
