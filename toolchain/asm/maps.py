"""``.map``, and the type information that bpf-as itself makes (BTF).

    .map  acc, array, key=4, value=16, entries=2, pin=name

declares a map as libbpf reads it: a global variable ``acc`` in section ``.maps`` whose type is a struct that spells
numbers as pointers to ``int[N]``:

    struct { int (*type)[2]; int (*key_size)[4]; int (*value_size)[16]; int (*max_entries)[2]; int (*pinning)[1]; } acc;

A key or value given by a type (``key=u32``) becomes a pointer to that type instead, and tools can show it as a number.

Functions get a FUNC and a func_info record each, in files that use .map or .func, or with -g; line_info comes with
-g. The kernel wants func_info for all functions of a program or for none, so that a section whose calls reach places
without a function's label gets none.

Source: libbpf 1.x, libbpf.c (parse_btf_map_def, btf_fixup_datasec); kernel/bpf/verifier.c (check_btf_func,
check_btf_line).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.asm.expressions import name_of
from toolchain.asm.faults import Fault
from toolchain.asm.functions import called_places, function_places
from toolchain.asm.sections import SHF_EXEC, SHT_PROGBITS
from toolchain.asm.state import MapRecord, State
from toolchain.isa.map_types import MapFlag, map_type_of
from toolchain.spec.objects import SymbolBind, SymbolType

if TYPE_CHECKING:
    from toolchain.btf import BtfBuilder

_MEMBER_SIZE = 8
_PIN_BY_NAME = 1
_OPTIONS = {
    "key": "key_size", "value": "value_size", "entries": "max_entries", "flags": "map_flags", "pin": "pinning",
    "numa": "numa_node", "extra": "map_extra",
}  # fmt: skip
_INTEGERS = {
    "u8": ("unsigned char", 1, False), "u16": ("unsigned short", 2, False), "u32": ("unsigned int", 4, False),
    "u64": ("unsigned long long", 8, False), "s8": ("signed char", 1, True), "s16": ("short", 2, True),
    "s32": ("int", 4, True), "s64": ("long long", 8, True),
}  # fmt: skip


def declare_map(state: State, arguments: tuple[Any, ...]) -> None:
    """Handles ``.map``: the symbol and its place now, the type in add_types. Raises Fault."""
    name = name_of(arguments[0], ".map")
    fields = _fields(state, arguments[1:])
    section = state.enter(".maps")
    here = state.current
    state.current = section
    try:
        section.pad(8, 0)
        state.define(name)
        state.maps.append(MapRecord(name, tuple(fields.items()), section.index, section.size, state.line))
        section.append(bytes(_MEMBER_SIZE * len(fields)))
    finally:
        state.current = here
    info = state.symbol(name)
    info.bind, info.type = SymbolBind.GLOBAL, SymbolType.OBJECT
    info.size, info.size_line = _MEMBER_SIZE * len(fields), state.line


def _fields(state: State, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Member name -> number, or the name of an integer type."""
    word = name_of(arguments[0], ".map")
    try:
        fields: dict[str, Any] = {"type": int(map_type_of(word))}
    except ValueError:
        raise Fault(f"unknown map type: {word} (array, hash, percpu_array, lru_hash ..)", token=word) from None
    for _, option, value in arguments[1:]:
        member = _OPTIONS.get(option)
        if member is None:
            raise Fault(f"unknown property of a map: {option} ({', '.join(_OPTIONS)})", token=option)
        if member in fields or (member in ("key_size", "value_size") and member[:-5] in fields):
            raise Fault(f"property of a map is given twice: {option}", token=option)
        if member == "pinning":
            if value != ("name", "name") and value != ("name", "none"):
                raise Fault("pin is by name or none: pin=name", token=option)
            if value == ("name", "name"):
                fields[member] = _PIN_BY_NAME
        elif isinstance(value, tuple) and value[0] == "name" and value[1] in _INTEGERS and option in ("key", "value"):
            fields[option] = value[1]
        else:
            number = state.number(_flag_names(value) if option == "flags" else value)
            if not 0 <= number < 1 << 31:
                raise Fault(f"property of a map is out of range: {option}={number} (0..2147483647)", token=option)
            fields[member] = number
    return fields


def _flag_names(bound: Any) -> Any:
    """BPF_F_* by name in an expression become their numbers."""
    if not isinstance(bound, tuple):
        return bound
    if bound[0] == "name":
        flag = MapFlag.__members__.get(bound[1].upper().removeprefix("BPF_F_"))
        return bound if flag is None else int(flag)
    return (bound[0], *[_flag_names(each) for each in bound[1:]])


def add_types(state: State) -> None:
    """Adds .BTF and .BTF.ext where the source asks for them and does not bring its own."""
    is_wanted = bool(state.maps) or state.options.debug or bool(state.declared_functions)
    if not is_wanted or ".BTF" in state.section_index:
        return
    from toolchain.btf import BtfBuilder, BtfExt, FuncRecord, LineRecord, encode_both

    builder = BtfBuilder()
    if state.maps:
        _map_types(state, builder)
    functions = _functions(state)
    func_info: dict[str, tuple[FuncRecord, ...]] = {}
    for section, entries in functions.items():
        records = [FuncRecord(offset, _function_type(builder, name, is_called)) for offset, name, is_called in entries]
        func_info[state.sections[section].name] = tuple(records)
    line_info: dict[str, list[LineRecord]] = {}
    starts: dict[str, set[int]] = {}
    for section, offset, line in state.source_lines:
        origin = state.unit.origin(line)
        text = origin.text.strip()
        column = len(origin.text) - len(origin.text.lstrip()) + 1
        name = state.sections[section].name
        line_info.setdefault(name, []).append(LineRecord(offset, origin.path, text, origin.line, column))
        starts.setdefault(name, set()).add(offset)
    kept = {
        name: tuple(records)
        for name, records in line_info.items()
        if name in func_info and all(each.offset in starts[name] for each in func_info[name])
    }
    if not state.maps and not func_info:
        return
    btf, ext = encode_both(builder.build(), BtfExt(func_info, kept), state.options.endian)
    state.enter(".BTF", SHT_PROGBITS, 0).append(btf)
    state.sections[state.section_index[".BTF"]].align = 4
    if func_info:
        state.enter(".BTF.ext", SHT_PROGBITS, 0).append(ext)
        state.sections[state.section_index[".BTF.ext"]].align = 4


def _map_types(state: State, builder: BtfBuilder) -> None:
    from toolchain.btf.types import Datasec, Int, Member, Ptr, Struct, Var, VarSecinfo

    variables = []
    for record in state.maps:
        members = []
        for index, (member, value) in enumerate(record.arguments):
            if isinstance(value, str):
                name, size, is_signed = _INTEGERS[value]
                type_id = builder.add(Ptr(builder.add(Int(name, size, int(is_signed)))))
            else:
                type_id = builder.sized_array(value)
            members.append(Member(member, type_id, index * _MEMBER_SIZE * 8))
        size = _MEMBER_SIZE * len(members)
        struct = builder.add(Struct("", size, tuple(members)))
        variables.append(VarSecinfo(builder.add(Var(record.name, struct)), record.offset, size))
    section = state.sections[state.maps[0].section]
    builder.add(Datasec(".maps", section.size, tuple(variables)))


def _function_type(builder: BtfBuilder, name: str, is_called: bool) -> int:
    """``int name(void *ctx)``. A called one is static, so that the kernel verifies it with its caller's arguments."""
    from toolchain.btf.types import Func, FuncProto, Linkage, Param, Ptr

    number = builder.integer("int", 4, is_signed=True)
    prototype = builder.add(FuncProto(number, (Param("ctx", builder.add(Ptr(0))),)))
    return builder.add(Func(name, prototype, Linkage.STATIC if is_called else Linkage.GLOBAL))


def _functions(state: State) -> dict[int, list[tuple[int, str, bool]]]:
    """Of each code section its functions (offset, name, is called), where all of them are known."""
    targets, places = called_places(state), function_places(state)
    for section in state.sections:
        if section.flags & SHF_EXEC:
            fixed = {fixup.offset for fixup in state.fixups[section.index] if fixup.kind == "call"}
            _numeric_targets(section.pieces, fixed, state.options.endian, targets.setdefault(section.index, set()))
    made = {}
    for index, labels in places.items():
        called = targets.get(index, set())
        if called <= labels.keys() and 0 in labels and all(_is_identifier(name) for name in labels.values()):
            made[index] = [(offset, labels[offset], offset in called) for offset in sorted(labels)]
    return made


def _numeric_targets(pieces: list[bytes], fixed: set[int], endian: str, targets: set[int]) -> None:
    """Adds where calls by distance lead, those of fix-ups left out."""
    data = b"".join(pieces)
    offset = 0
    while offset + 8 <= len(data):
        opcode, registers = data[offset], data[offset + 1]
        source = registers >> 4 if endian == "little" else registers & 15
        if opcode == 0x85 and source == 1 and offset not in fixed:
            distance = int.from_bytes(data[offset + 4 : offset + 8], endian, signed=True)  # type: ignore[arg-type]
            targets.add(offset + 8 + distance * 8)
        offset += 16 if opcode == 0x18 else 8


def _is_identifier(name: str) -> bool:
    """The kernel takes this name for a function. Source: kernel/bpf/btf.c, btf_name_valid_identifier()."""
    return name.isascii() and name.replace(".", "_").isidentifier() and not name.startswith(".") and len(name) < 128
