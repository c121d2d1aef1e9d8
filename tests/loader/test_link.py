"""Layout, calls, references: what a linked program is made of."""

import pytest

from tests.loader.handmade import (
    CALL_UNRESOLVED,
    END,
    LOAD,
    MOV0,
    an_array,
    an_object,
    call,
    counting_object,
    function,
    to_map,
)
from toolchain.btf import BtfExt, FuncRecord, LineRecord
from toolchain.btf.builder import BtfBuilder
from toolchain.btf.types import Const, DeclTag, Func, FuncProto, Param, Ptr, Var
from toolchain.btf.types import Linkage as BtfLinkage
from toolchain.errors import LinkError, Unsupported
from toolchain.isa.codec import decode
from toolchain.isa.insn import Insn
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.isa.opcodes import CALL, CallSrc, PseudoSrc
from toolchain.isa.program_types import ProgType
from toolchain.loader.link import POISON_CALL, link, link_all, select
from toolchain.loader.object_maps import data_map_name
from toolchain.spec.maps import MapStyle
from toolchain.spec.objects import ARENA_SECTION, DataSpec, ExternSpec, Linkage, ProgramSpec, Reference, ReferenceKind


def test_functions_lie_in_the_order_of_first_calls_depth_first():
    obj = an_object(
        [
            function("main", [CALL_UNRESOLVED, CALL_UNRESOLVED, END], [call(0, "b"), call(1, "c")]),
            function("unused", [END], section=".text", offset=0),
            function("c", [END], section=".text", offset=8),
            function("b", [CALL_UNRESOLVED, END], [call(0, "d")], section=".text", offset=16),
            function("d", [CALL_UNRESOLVED, END], [call(0, "c")], section=".text", offset=32),
        ]
    )
    linked = link(obj, "main")
    assert [(each.name, each.slot) for each in linked.functions] == [("main", 0), ("b", 3), ("d", 5), ("c", 7)]
    calls = [(slot, insn.imm) for slot, insn in enumerate(decode(linked.code)) if insn.opcode == CALL]
    assert [(slot, slot + 1 + imm) for slot, imm in calls] == [(0, 3), (1, 7), (3, 5), (5, 7)]


def test_a_cycle_of_calls_ends():
    obj = an_object(
        [
            function("main", [CALL_UNRESOLVED, END], [call(0, "f")]),
            function("f", [CALL_UNRESOLVED, END], [call(0, "main")], section=".text"),
        ]
    )
    assert link(obj, "main").slot_count == 4


def test_calls_deeper_than_pythons_stack_are_no_problem():
    count = 5000
    functions = [function("main", [CALL_UNRESOLVED, END], [call(0, "f0")])]
    for index in range(count):
        references = [call(0, f"f{index + 1}")] if index < count - 1 else []
        insns = [CALL_UNRESOLVED if references else MOV0, END]
        functions.append(function(f"f{index}", insns, references, section=".text", offset=16 * index))
    assert link(an_object(functions), "main").slot_count == 2 * count + 2


def test_a_call_within_the_section_needs_no_relocation():
    # main calls the second function of its own section, two slots past a third one that is left out
    obj = an_object(
        [
            function("main", [Insn(CALL, src=CallSrc.LOCAL, imm=3), END]),
            function("other", [MOV0, END], offset=16),
            function("helper", [MOV0, END], offset=32, linkage=Linkage.STATIC),
        ]
    )
    linked = link(obj, "main")
    assert [(each.name, each.slot, each.is_global) for each in linked.functions] == [
        ("main", 0, True),
        ("helper", 2, False),
    ]
    assert decode(linked.code)[0].imm == 1


def test_a_call_into_the_middle_of_a_function_keeps_its_target():
    obj = an_object(
        [function("main", [Insn(CALL, src=CallSrc.LOCAL, imm=2), END]), function("f", [MOV0, MOV0, END], offset=16)]
    )
    assert decode(link(obj, "main").code)[0].imm == 2


@pytest.mark.parametrize("imm", [100, -100, 0x7FFFFFFF, -0x80000000])
def test_a_call_out_of_the_section_is_refused_by_name(imm):
    obj = an_object([function("main", [Insn(CALL, src=CallSrc.LOCAL, imm=imm), END])])
    with pytest.raises(LinkError, match="call leaves every function") as caught:
        link(obj, "main")
    assert str(caught.value.where) == "dir/a.o:tc+0x0"


def test_the_address_of_a_callback():
    reference = Reference(0, ReferenceKind.FUNC_ADDRESS, "each")
    obj = an_object([function("main", [LOAD, END], [reference]), function("each", [MOV0, END], section=".text")])
    first = decode(link(obj, "main").code)[0]
    assert (first.src, first.imm, first.imm_high) == (PseudoSrc.FUNC, 2, 0)


def test_maps_are_numbered_by_first_use_and_unused_ones_left_out():
    maps = an_array("a"), an_array("unused"), an_array("b")
    references = [to_map(0, "b"), to_map(2, "a"), to_map(4, "b")]
    linked = link(an_object([function("main", [LOAD, LOAD, LOAD, END], references)], maps), "main")
    assert [each.name for each in linked.maps] == ["b", "a"]
    assert [(insn.src, insn.imm) for insn in decode(linked.code)[:3]] == [
        (PseudoSrc.MAP_IDX, index) for index in (0, 1, 0)
    ]


def test_data_sections_become_maps():
    data = [
        DataSpec(".rodata", ".rodata", b"abcd"),
        DataSpec(".bss", ".bss", bytes(8)),
        DataSpec(".data.x", ".data", b"y"),
    ]
    references = [
        Reference(0, ReferenceKind.DATA, ".rodata", 2),
        Reference(2, ReferenceKind.DATA, ".bss", 0),
        Reference(4, ReferenceKind.DATA, ".data.x", 0),
    ]
    obj = an_object([function("main", [LOAD, LOAD, LOAD, END], references)], data=tuple(data))
    linked = link(obj, "main")
    first = decode(linked.code)[0]
    assert (first.src, first.imm, first.imm_high) == (PseudoSrc.MAP_IDX_VALUE, 0, 2)
    rodata, bss, custom = linked.maps
    assert (rodata.name, bss.name, custom.name) == ("a.rodata", "a.bss", ".data.x")
    assert rodata.is_frozen
    assert rodata.map_flags & MapFlag.RDONLY_PROG
    assert not bss.is_frozen
    assert not bss.map_flags & MapFlag.RDONLY_PROG
    assert {each.style for each in linked.maps} == {MapStyle.DATA}
    assert (rodata.map_type, rodata.key_size, rodata.value_size, rodata.max_entries) == (MapType.ARRAY, 4, 4, 1)
    assert rodata.data == b"abcd"


@pytest.mark.parametrize(
    ("path", "section", "name"),
    [
        ("x/test_verif_scale.bpf.o", ".rodata", "test_ver.rodata"),
        ("a.o", ".bss", "a.bss"),
        ("a-b c.o", ".data", "a_b_c.data"),
        ("longer_than_it.o", ".bss", "longer_t.bss"),
        ("a.o", ".rodata.str1.1", ".rodata.str1.1"),
        (".o", ".data", ".o.data"),
    ],
)
def test_data_maps_are_named_as_libbpf_names_them(path, section, name):
    assert data_map_name(path, section) == name


def test_weak_and_strong_externs():
    externs = (ExternSpec("gone", "", True), ExternSpec("kfunc", ".ksyms"), ExternSpec("CONFIG_HZ", ".kconfig"))

    def linked(insn, reference):
        return link(an_object([function("main", [insn, END], [reference])], externs=externs), "main")

    weak_call = Reference(0, ReferenceKind.EXTERN_CALL, "gone", is_weak=True)
    assert decode(linked(CALL_UNRESOLVED, weak_call).code)[0] == Insn(CALL, imm=POISON_CALL)
    weak_data = Reference(0, ReferenceKind.EXTERN_DATA, "gone", is_weak=True)
    assert decode(linked(LOAD, weak_data).code)[0].imm64 == 0
    with pytest.raises(LinkError, match="undefined function: nowhere"):
        linked(CALL_UNRESOLVED, Reference(0, ReferenceKind.EXTERN_CALL, "nowhere"))
    with pytest.raises(LinkError, match="undefined symbol: nowhere"):
        linked(LOAD, Reference(0, ReferenceKind.EXTERN_DATA, "nowhere"))
    for is_weak in (True, False):
        with pytest.raises(Unsupported, match="kernel function kfunc"):
            linked(CALL_UNRESOLVED, Reference(0, ReferenceKind.EXTERN_CALL, "kfunc", is_weak=is_weak))
        with pytest.raises(Unsupported, match="kernel variable kfunc"):
            linked(LOAD, Reference(0, ReferenceKind.EXTERN_DATA, "kfunc", is_weak=is_weak))
    with pytest.raises(Unsupported, match="kernel configuration variable CONFIG_HZ"):
        linked(LOAD, Reference(0, ReferenceKind.EXTERN_DATA, "CONFIG_HZ", is_weak=True))


class AKernel:
    """A kernel with one function, ``f(int)``, and one variable, ``v``: an int."""

    def __init__(self):
        btf = BtfBuilder()
        number = btf.integer("int", 4, True)
        self.ids = {
            "f": btf.add(Func("f", btf.add(FuncProto(number, (Param("x", number),))), BtfLinkage.GLOBAL)),
            "v": btf.add(Var("v", btf.add(Const(number)), BtfLinkage.GLOBAL)),
        }
        self.types = btf.build()

    def function(self, name):
        return self.ids["f"] if name == "f" else 0

    def variable(self, name):
        return self.ids["v"] if name == "v" else 0

    def address(self, name):
        return 0


@pytest.mark.parametrize(
    ("name", "params", "is_weak", "found"),
    [
        ("f", ("int",), False, True),
        ("f", ("long",), False, True),  # integers are alike whatever their size
        ("f", ("int", "int"), False, None),
        ("f", ("int", "int"), True, False),
        ("f", ("pointer",), False, None),
        ("v", "int", False, True),
        ("v", "pointer", False, None),
        ("v", "pointer", True, None),
    ],
)
def test_a_kernels_symbols_are_declared_as_the_kernel_has_them(name, params, is_weak, found):
    """Called or loaded by id; not there where weak (False), refused (None)."""
    btf, kernel = BtfBuilder(), AKernel()
    types = {"int": btf.integer("int", 4, True), "long": btf.integer("long", 8, True)}
    types["pointer"] = btf.add(Ptr(types["int"]))
    if isinstance(params, tuple):
        proto = btf.add(FuncProto(types["int"], tuple(Param("x", types[each]) for each in params)))
        declared = btf.add(Func(name, proto, BtfLinkage.EXTERN))
        insn, kind = CALL_UNRESOLVED, ReferenceKind.EXTERN_CALL
        there, absent = Insn(CALL, src=CallSrc.KFUNC, imm=kernel.ids[name]), Insn(CALL, imm=POISON_CALL)
    else:
        declared = btf.add(Var(name, types[params], BtfLinkage.EXTERN))
        insn, kind = LOAD, ReferenceKind.EXTERN_DATA
        there, absent = LOAD._replace(src=PseudoSrc.BTF_ID, imm=kernel.ids[name]), LOAD
    externs = (ExternSpec(name, ".ksyms", is_weak, declared),)
    obj = an_object(
        [function("main", [insn, END], [Reference(0, kind, name, is_weak=is_weak)])],
        externs=externs, btf=btf.build(), target=kernel,
    )  # fmt: skip
    if found is not None:
        assert decode(link(obj, "main").code)[0] == (there if found else absent)
        return
    with pytest.raises(LinkError, match=f"declared otherwise than in this kernel: {name}"):
        link(obj, "main")


def test_what_a_sections_name_asks_of_the_load():
    """Fragments are XDP's alone, whatever the type given."""
    program = ProgramSpec("main", "xdp.frags", ProgType.XDP, 37, prog_flags=1 << 5)
    obj = an_object([function("main", [MOV0, END], section="xdp.frags")], programs=(program,))
    assert link(obj, "main").prog_flags == 1 << 5
    assert link(obj, "main", ProgType.SCHED_CLS).prog_flags == 0


@pytest.mark.parametrize(("count", "message"), [(0, "0"), (1, ""), (2, "2")])
def test_variables_of_an_arena_stand_in_the_objects_only_one(count, message):
    arenas = [an_array(f"arena{number}", map_type=MapType.ARENA) for number in range(count)]
    obj = an_object(
        [function("main", [LOAD, END], [Reference(0, ReferenceKind.DATA, ARENA_SECTION, 4)])],
        arenas,
        data=(DataSpec(ARENA_SECTION, ARENA_SECTION, b"variable"),),
    )
    if message:
        with pytest.raises(LinkError, match=rf"arenas for the variables of .addr_space.1: {message} \(one\)"):
            link(obj, "main")
        return
    linked = link(obj, "main")
    assert (linked.maps[0].name, linked.maps[0].data) == ("arena0", b"variable")
    assert decode(linked.code)[0] == LOAD._replace(src=PseudoSrc.MAP_IDX_VALUE, imm_high=4)


def test_an_exception_callback_comes_last():
    def linked(*names):
        btf = BtfBuilder()
        func = btf.add(Func("main", btf.add(FuncProto(0)), BtfLinkage.GLOBAL))
        for name in names:
            btf.add(DeclTag(f"exception_callback:{name}", func))
        functions = [
            function("main", [CALL_UNRESOLVED, END], [call(0, "sub")]),
            function("thrown", [MOV0, MOV0, END], section=".text"),
            function("sub", [END], section=".text", offset=24),
        ]
        return link(an_object(functions, btf=btf.build()), "main").functions

    assert [(each.name, each.slot) for each in linked("thrown")] == [("main", 0), ("sub", 2), ("thrown", 3)]
    assert [each.name for each in linked("sub")] == ["main", "sub"]
    assert [each.name for each in linked()] == ["main", "sub"]
    assert [each.name for each in linked("thrown", "sub")] == ["main", "sub"]
    with pytest.raises(LinkError, match="undefined function: nowhere"):
        linked("nowhere")


@pytest.mark.parametrize(
    ("insns", "reference", "message"),
    [
        ([MOV0, END], to_map(0, "acc"), "on another instruction than a wide load"),
        ([LOAD, END], to_map(1, "acc"), "does not fall on an instruction"),
        ([LOAD, END], to_map(9, "acc"), "does not fall on an instruction"),
        ([LOAD, END], to_map(0, "missing"), "undefined map: missing"),
        ([MOV0, END], call(0, "main"), "relocation of a call on another instruction"),
        ([CALL_UNRESOLVED, END], call(0, "missing"), "undefined function: missing"),
        ([LOAD, END], Reference(0, ReferenceKind.DATA, ".data"), "undefined data section: .data"),
    ],
)
def test_relocations_that_cannot_be_meant(insns, reference, message):
    with pytest.raises(LinkError, match=message):
        link(an_object([function("main", insns, [reference])], [an_array()]), "main")


def test_lines_and_function_types_move_with_their_functions():
    ext = BtfExt(
        func_info={"tc": (FuncRecord(0, 7),), ".text": (FuncRecord(0, 8), FuncRecord(16, 9))},
        line_info={
            "tc": (LineRecord(0, "a.c", "call f", 3, 1),),
            ".text": (
                LineRecord(0, "a.c", "unused", 7, 1),
                LineRecord(24, "a.c", "exit", 10, 2),
                LineRecord(16, "a.c", "r0 = 0", 9, 2),
            ),
        },
    )
    obj = an_object(
        [
            function("main", [CALL_UNRESOLVED, END], [call(0, "f")]),
            function("unused", [MOV0, END], section=".text"),
            function("f", [MOV0, END], section=".text", offset=16),
        ],
        btf_ext=ext,
    )
    linked = link(obj, "main")
    assert [(each.slot, each.line, each.text) for each in linked.line_info] == [
        (0, 3, "call f"),
        (2, 9, "r0 = 0"),
        (3, 10, "exit"),
    ]
    assert [(each.slot, each.type_id) for each in linked.functions] == [(0, 7), (2, 9)]


def test_core_relocations_of_the_objects_own_types_only():
    from toolchain.btf import CoreRelocation

    def linked(kind):
        ext = BtfExt(core_relocations={"tc": (CoreRelocation(0, 5, "0", kind),)})
        return link(an_object([function("main", [MOV0, END])], btf_ext=ext), "main")

    assert decode(linked(6).code)[0].imm == 5
    for kind in (*range(6), *range(7, 13), 99):
        with pytest.raises(Unsupported, match="CO-RE relocation"):
            linked(kind)


def test_a_core_relocation_of_a_function_that_is_not_reached_does_not_count():
    from toolchain.btf import CoreRelocation

    ext = BtfExt(core_relocations={"tc": (CoreRelocation(16, 5, "0", 0),)})
    obj = an_object([function("main", [MOV0, END]), function("other", [MOV0, END], offset=16)], btf_ext=ext)
    assert link(obj, "main").slot_count == 2


def test_a_program_without_type_asks_for_one():
    obj = an_object([function("main", [MOV0, END], section="mine")], programs=[ProgramSpec("main", "mine", None)])
    with pytest.raises(LinkError, match="gives no program type: mine") as caught:
        link(obj, "main")
    assert "--type" in caught.value.hint
    assert link(obj, "main", ProgType.XDP).prog_type is ProgType.XDP


def test_the_other_endian_is_refused():
    obj = an_object([function("main", [MOV0, END])], endian="big")
    with pytest.raises(LinkError, match="wrong endian: big"):
        link(obj, "main")


def test_all_programs_or_all_their_faults():
    obj = an_object(
        [
            function("one", [CALL_UNRESOLVED, END], [call(0, "x")]),
            function("two", [MOV0, END], offset=16),
            function("three", [CALL_UNRESOLVED, END], [call(0, "y")], offset=32),
        ]
    )
    with pytest.raises(LinkError) as caught:
        link_all(obj)
    assert [fault.message for fault in caught.value.faults] == ["undefined function: x", "undefined function: y"]
    assert [each.name for each in link_all(obj, programs=("two",))] == ["two"]


def test_selection_by_name_and_section():
    programs = [
        ProgramSpec("a", "tc", ProgType.SCHED_CLS),
        ProgramSpec("b", "xdp", ProgType.XDP),
        ProgramSpec("c", "?xdp", ProgType.XDP, is_optional=True),
    ]
    obj = an_object([], programs=programs)
    assert [each.name for each in select(obj)] == ["a", "b"]
    assert [each.name for each in select(obj, programs=("c",))] == ["c"]
    assert [each.name for each in select(obj, sections=("xdp",))] == ["b", "c"]
    with pytest.raises(LinkError, match=r"no such program: d \(a, b, c\)"):
        select(obj, programs=("d",))
    with pytest.raises(LinkError, match="no such section: tcp"):
        select(obj, sections=("tcp",))
    for maps, hint in (((), ""), ((an_array(),), "map create")):
        with pytest.raises(LinkError, match="no program in the object") as caught:
            select(an_object([], maps, programs=()))
        assert hint in caught.value.hint
        assert bool(hint) == bool(caught.value.hint)


def test_classic_inner_maps_are_found_by_number():
    outer = an_array("outer", map_type=MapType.ARRAY_OF_MAPS, value_size=4, classic_inner_id=3)
    inner = an_array("inner", classic_id=3)
    obj = counting_object(outer, inner)
    assert link(obj, "main").maps[0].inner == inner
    with pytest.raises(LinkError, match="no map has the id of its inner map: 3"):
        link(counting_object(outer), "main")
