"""What becomes of each map: created, reused, or refused with every difference at once."""

from dataclasses import replace

import pytest

from tests.loader.handmade import an_array, counting_object
from toolchain.btf import BtfBuilder
from toolchain.btf.types import Member, Struct
from toolchain.errors import LinkError, PinConflict
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.loader.bind import Machine, OnMismatch, PinLayout, PinView, bind, normalised, pin_paths
from toolchain.loader.link import link
from toolchain.spec.maps import MapStyle, Pinning
from toolchain.spec.runtime import MapInfo
from toolchain.spec.stages import BindAction

PLACE = "tc/globals/acc"


def bound(view, *maps, **more):
    maps = maps or (an_array(),)
    program = link(counting_object(*maps), "main")
    return bind([program], pin_paths(program.maps), view, **more)[0].bindings


def pinned(spec, path=PLACE, **more):
    """A view of one pinned map, as a runtime tells of it."""
    live = replace(spec, style=MapStyle.LIVE, pinning=Pinning.NONE)
    return PinView({path: MapInfo(7, live, **more)})


@pytest.mark.parametrize(
    ("layout", "pinning", "path"),
    [
        (PinLayout.TC, Pinning.BY_NAME, "tc/globals/a_b"),
        (PinLayout.TC, Pinning.GLOBAL, "tc/globals/a_b"),
        (PinLayout.TC, Pinning.OBJECT, "tc/5a5a/a_b"),
        (PinLayout.TC, Pinning.NONE, None),
        (PinLayout.LIBBPF, Pinning.BY_NAME, "a_b"),
        (PinLayout.LIBBPF, Pinning.GLOBAL, "tc/globals/a_b"),
        (PinLayout.LIBBPF, Pinning.OBJECT, "tc/5a5a/a_b"),
        (PinLayout.FLAT, Pinning.BY_NAME, "a_b"),
        (PinLayout.FLAT, Pinning.GLOBAL, "a_b"),
        (PinLayout.FLAT, Pinning.OBJECT, "a_b"),
        (PinLayout.FLAT, Pinning.NONE, None),
    ],
)
def test_where_maps_are_pinned(layout, pinning, path):
    spec = an_array("a.b", pinning=pinning)
    assert pin_paths([spec], layout, object_sha1="5a5a").get("a.b") == path
    assert pin_paths([spec], layout, {"a.b": "mine/x"})["a.b"] == "mine/x"


def test_a_pin_name_of_its_own():
    assert pin_paths([an_array(pin_name="shared")]) == {"acc": "tc/globals/shared"}


def test_a_pinning_id_without_a_place_is_refused_unless_a_path_is_given():
    spec = an_array(pinning=Pinning.CUSTOM, pinning_id=77)
    with pytest.raises(LinkError, match="77") as caught:
        pin_paths([spec])
    assert "--map acc=PATH" in caught.value.hint
    assert pin_paths([spec], overrides={"acc": "x"}) == {"acc": "x"}


def test_an_override_of_a_map_that_no_program_uses():
    with pytest.raises(LinkError, match=r"no program loaded uses a map of that name: acd \(acc\)"):
        pin_paths([an_array()], overrides={"acd": "x"})


def test_nothing_pinned_means_create():
    (binding,) = bound(PinView())
    assert (binding.action, binding.pin_path, binding.map_id) == (BindAction.CREATE, PLACE, 0)


def test_an_equal_map_is_reused():
    (binding,) = bound(pinned(an_array()))
    assert (binding.action, binding.pin_path, binding.map_id) == (BindAction.REUSE, PLACE, 7)


def test_every_differing_field_of_every_map_is_named_with_both_values():
    other = an_array("b", map_flags=int(MapFlag.RDONLY_PROG))
    mine = an_array(value_size=24, max_entries=1)
    view = PinView({**pinned(an_array(map_type=MapType.HASH)).maps, **pinned(an_array("b"), "tc/globals/b").maps})
    with pytest.raises(PinConflict) as caught:
        bound(view, mine, other)
    assert caught.value.exit_status == 4
    assert caught.value.differences == (
        ("acc", PLACE, "type", "array", "hash"),
        ("acc", PLACE, "value_size", 24, 16),
        ("acc", PLACE, "max_entries", 1, 8),
        ("b", "tc/globals/b", "map_flags", "0x80 (RDONLY_PROG)", "0x0"),
    )
    assert caught.value.message == "2 maps differ from what is pinned, in 4 fields"


@pytest.mark.parametrize("field", ["key_size", "value_size", "max_entries", "map_extra"])
def test_each_number_counts(field):
    spec = an_array()
    with pytest.raises(PinConflict) as caught:
        bound(pinned(replace(spec, **{field: getattr(spec, field) + 1})))
    assert [row[2] for row in caught.value.differences] == [field]


def test_a_frozen_map_is_not_an_open_one():
    with pytest.raises(PinConflict) as caught:
        bound(pinned(an_array(), is_frozen=True))
    assert caught.value.differences == (("acc", PLACE, "frozen", False, True),)


def test_a_program_pinned_where_the_map_belongs():
    with pytest.raises(PinConflict) as caught:
        bound(PinView({}, {PLACE: "prog"}))
    assert caught.value.differences == (("acc", PLACE, "kind", "map", "prog"),)
    with pytest.raises(PinConflict):
        bound(PinView({}, {PLACE: "prog"}), on_mismatch=OnMismatch.KEEP)


def test_inner_maps_are_compared():
    outer = an_array(map_type=MapType.ARRAY_OF_MAPS, value_size=4, inner=an_array("in"))
    with pytest.raises(PinConflict) as caught:
        bound(pinned(replace(outer, inner=an_array("in", value_size=8))), outer)
    assert [row[2:] for row in caught.value.differences] == [("inner value_size", 16, 8)]


def test_keep_uses_the_pinned_map_and_the_verifier_sees_it():
    (binding,) = bound(pinned(an_array(value_size=8, max_entries=2)), on_mismatch=OnMismatch.KEEP)
    assert binding.action is BindAction.REUSE
    assert (binding.spec.value_size, binding.spec.max_entries) == (8, 2)


def test_replace_creates():
    (binding,) = bound(pinned(an_array(value_size=8)), on_mismatch=OnMismatch.REPLACE)
    assert (binding.action, binding.pin_path, binding.spec.value_size) == (BindAction.CREATE, PLACE, 16)


def test_constants_are_compared_but_not_promised():
    data = an_array(data=b"1234", value_size=4, max_entries=1, is_frozen=True)
    (binding,) = bound(pinned(data, is_frozen=True), data)
    assert (binding.spec.data, binding.spec.is_frozen) == (None, True)
    assert bound(pinned(replace(data, data=None), is_frozen=True), data)[0].action is BindAction.REUSE
    with pytest.raises(PinConflict) as caught:
        bound(pinned(replace(data, data=b"1235"), is_frozen=True), data)
    assert caught.value.differences[0][2:] == ("constants", "31 32 33 34", "31 32 33 35")


def test_programs_share_the_binding_of_a_map():
    programs = [link(counting_object(), "main")] * 2
    first, second = bind(programs, pin_paths(programs[0].maps), pinned(an_array()))
    assert first.bindings == second.bindings


@pytest.mark.parametrize(
    ("spec", "field", "value"),
    [
        (an_array(map_type=MapType.RINGBUF, max_entries=5000), "max_entries", 8192),
        (an_array(map_type=MapType.RINGBUF, max_entries=4096), "max_entries", 4096),
        (an_array(map_type=MapType.USER_RINGBUF, max_entries=1), "max_entries", 4096),
        (an_array(map_type=MapType.RINGBUF, max_entries=0), "max_entries", 0),
        (an_array(map_type=MapType.PERF_EVENT_ARRAY, max_entries=0), "max_entries", 6),
        (an_array(map_type=MapType.PERF_EVENT_ARRAY, max_entries=3), "max_entries", 3),
        (an_array(map_type=MapType.CPUMAP, max_entries=0), "max_entries", 6),
        (an_array(map_type=MapType.ARRAY_OF_MAPS, value_size=0), "value_size", 4),
        (
            an_array(map_type=MapType.HASH_OF_MAPS, inner=an_array(map_type=MapType.PERF_EVENT_ARRAY, max_entries=0)),
            "inner",
            an_array(map_type=MapType.PERF_EVENT_ARRAY, max_entries=6),
        ),
        (an_array(max_entries=0), "max_entries", 0),
    ],
)
def test_what_loaders_fill_in(spec, field, value):
    assert getattr(normalised(spec, Machine(cpu_count=6)), field) == value


@pytest.mark.parametrize("map_type", [each for each in MapType if each])
def test_an_object_matches_the_map_that_it_made_itself(map_type):
    declared = an_array(map_type=map_type, max_entries=0 if "PERF" in map_type.name else 5000)
    program = link(counting_object(declared), "main")
    paths = pin_paths(program.maps)
    created = bind([program], paths)[0].bindings[0].spec
    if map_type in (MapType.DEVMAP, MapType.DEVMAP_HASH):
        created = replace(created, map_flags=created.map_flags | MapFlag.RDONLY_PROG)  # as the kernel does
    again = bind([program], paths, pinned(created))[0].bindings[0]
    assert again.action is BindAction.REUSE


def _flow(*names):
    """Type information with one struct of 4-byte fields, and its id."""
    builder = BtfBuilder()
    number = builder.integer("__u32", 4)
    fields = tuple(Member(name, number, 32 * index) for index, name in enumerate(names))
    type_id = builder.add(Struct("flow", 4 * len(names), fields))
    return builder.build(), type_id


def test_swapped_fields_of_equal_size_are_found():
    ours, our_id = _flow("src", "dst")
    theirs, their_id = _flow("dst", "src")
    spec = an_array(value_size=8, value_type_id=our_id)
    program = replace(link(counting_object(spec), "main"), btf=ours)
    same = pinned(spec, btf=ours.encode())
    assert bind([program], pin_paths([spec]), same)[0].bindings[0].action is BindAction.REUSE
    swapped = pinned(replace(spec, value_type_id=their_id), btf=theirs.encode())
    with pytest.raises(PinConflict) as caught:
        bind([program], pin_paths([spec]), swapped)
    (row,) = caught.value.differences
    assert row[2:] == ("value fields", "{src: uint32 @0, dst: uint32 @4}", "{dst: uint32 @0, src: uint32 @4}")


def test_a_map_without_type_information_matches_one_with_it():
    btf, type_id = _flow("src", "dst")
    spec = an_array(value_size=8)
    view = pinned(replace(spec, value_type_id=type_id), btf=btf.encode())
    assert bound(view, spec)[0].action is BindAction.REUSE
