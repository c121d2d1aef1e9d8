"""What an object says besides code and maps: data sections, licence, kernel version, externs, and the repaired types.

    section                                  becomes
    .data, .data.*      PROGBITS             DataSpec of kind .data
    .rodata, .rodata.*  PROGBITS             DataSpec of kind .rodata (string constants of the compiler: .rodata.str1.1)
    .bss, .bss.*        NOBITS               DataSpec of kind .bss, zeros
    .addr_space.1                            DataSpec of that kind: what the object's arena holds at first
    license, version                         ObjectSpec.licence, .kernel_version
    .jumptables                              nothing yet; a warning
    .struct_ops*                             targets of programs (struct_ops.py); a warning

Compilers leave sizes of DATASEC types, and the offsets of global variables in them, to whoever knows the symbol table:
they are filled in here, as a kernel wants them.

Source: libbpf 1.7 libbpf.c (bpf_object__elf_collect, bpf_object__init_license, btf_fixup_datasec,
bpf_object__collect_externs).
"""

from __future__ import annotations

from toolchain.btf import Btf
from toolchain.btf.types import BtfType, Datasec, Func, Linkage, Var, VarSecinfo, name_of
from toolchain.elf import layout
from toolchain.elf.scope import Scope, is_hidden
from toolchain.spec.objects import ARENA_SECTION, DataSpec, ExternSpec, Symbol, SymbolBind, SymbolType

KINDS = (".data", ".rodata", ".bss")
_OPERATIONS = (".struct_ops", "?.struct_ops")
_UNMODELLED = (*_OPERATIONS, ".jumptables")
_MAX_BSS_SIZE = 1 << 28
"""Zeros that a file may claim without holding them; the largest known has 158 MB. They take memory when read."""
_EXTERN_SECTIONS = (".kconfig", ".ksyms")


def data_kind(name: str) -> str | None:
    """'.data' for '.data.cold'; None for a section that holds no program data."""
    if name == ARENA_SECTION:
        return name
    for kind in KINDS:
        if name == kind or name.startswith(f"{kind}."):
            return kind
    return None


def find_data(scope: Scope) -> dict[int, DataSpec]:
    """The data sections by number, without references. Names are unique."""
    found: dict[int, DataSpec] = {}
    taken: set[str] = set()
    zeros = 0
    for number, section in enumerate(scope.sections):
        if section.name.startswith(_UNMODELLED):
            is_operations = section.name.startswith(_OPERATIONS)
            scope.warn(
                f"section {section.name} is not modelled: "
                + ("its operations are not registered" if is_operations else "programs that need it are refused")
            )
            continue
        kind = data_kind(section.name)
        if kind is None or not section.size or scope.is_code(number):
            continue
        if section.type == layout.SHT_NOBITS:
            zeros += section.size
            if zeros > _MAX_BSS_SIZE:
                message = f"too many zeros: {zeros} bytes (at most {_MAX_BSS_SIZE})"
                raise scope.fault(section.name, message)
            data = bytes(section.size)
        elif section.type == layout.SHT_PROGBITS:
            data = section.data
        else:
            continue
        name = section.name if section.name not in taken else f"{section.name}.#{number}"
        taken.add(name)
        found[number] = DataSpec(name, kind, data)
    return found


def licence(scope: Scope) -> str:
    """The text of section ``license``, '' without one."""
    section = scope.find("license")
    if section is None or not section.data:
        scope.warn("no licence: helpers for GPL-compatible programs only are refused")
        return ""
    text, end, _ = section.data.partition(b"\0")
    if not end:
        scope.warn("the licence is not ended by a zero byte")
    return text.decode("utf-8", "backslashreplace")


def kernel_version(scope: Scope) -> int:
    """The number in section ``version``, 0 without one."""
    section = scope.find("version")
    if section is None or not section.data:
        return 0
    if len(section.data) != 4:
        scope.warn(f"section version has {len(section.data)} bytes, not 4: ignored")
        return 0
    return scope.number(section.data)


def repair_types(scope: Scope, btf: Btf) -> Btf:
    """The same types, with the sizes of DATASECs and the offsets of their global variables filled in.

    Hidden functions of .text become static ones, which the verifier does not judge apart from their callers.
    """
    repaired: dict[int, BtfType] = {}
    text = scope.number_of.get(".text")
    for symbol in scope.symbols_of[text] if text is not None else ():
        if symbol.type is SymbolType.FUNC and is_hidden(symbol) and symbol.bind is not SymbolBind.LOCAL:
            type_id = btf.find(symbol.name, Func)
            func = btf.types[type_id]
            if isinstance(func, Func) and func.linkage == Linkage.GLOBAL:
                repaired[type_id] = Func(func.name, func.type_id, Linkage.STATIC)
    offsets_of: dict[int, dict[str, int]] = {}
    for type_id, section in btf.datasecs():
        number = scope.number_of.get(section.name)
        if number is None:
            continue
        if number not in offsets_of:
            offsets_of[number] = {symbol.name: symbol.value for symbol in reversed(scope.symbols_of[number])}
        offsets = offsets_of[number]
        variables = []
        for each in section.variables:
            var = btf.get(each.type_id)
            is_named = isinstance(var, Var) and var.linkage != Linkage.STATIC and var.name in offsets
            offset = offsets[var.name] if is_named else each.offset  # type: ignore[union-attr]
            variables.append(VarSecinfo(each.type_id, offset, each.size))
        variables.sort(key=lambda each: each.offset)
        size = max(section.size, scope.sections[number].size) & 0xFFFFFFFF
        repaired[type_id] = Datasec(section.name, size, tuple(variables))
    return btf.replaced(repaired) if repaired else btf


def find_externs(used: dict[str, Symbol], btf: Btf | None) -> tuple[ExternSpec, ...]:
    """The undefined symbols that code refers to; type information says which section each belongs to."""
    places: dict[str, tuple[str, int]] = {}
    if btf is not None and used:
        for _, section in btf.datasecs():
            if section.name in _EXTERN_SECTIONS:
                for variable in section.variables:
                    places[name_of(btf.get(variable.type_id))] = section.name, variable.type_id
    externs = []
    for name, symbol in sorted(used.items()):
        section_name, type_id = places.get(name, ("", 0))
        externs.append(ExternSpec(name, section_name, symbol.bind is SymbolBind.WEAK, type_id))
    return tuple(externs)
