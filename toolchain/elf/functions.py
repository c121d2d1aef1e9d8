"""Which functions an object holds, and which of them are programs.

    section "xdp"   +------------------+------------------+-----------+
                    | FUNC a, GLOBAL   | FUNC b, LOCAL    | no symbol |
                    +------------------+------------------+-----------+
                      a program           a subprogram       xdp+0x80, a subprogram

Rules, each for objects that exist:
- A symbol of type FUNC begins a function, and its size ends it. Where a section has none, global symbols without type
  do (clang before 7 gave functions no type; its local ones are labels); where it has none of those either, the whole
  section is one function, named by a local symbol at its start or by the section.
- Without a size a function ends where the next begins. Bytes that no function covers are a static function of their
  own, so that every call by offset finds its callee.
- In code whose symbols have no size, a place that a relocation calls begins a function too (hand-written assembly calls
  labels); a local symbol there names it.
- Several symbols at one place are one function: the first global one names it.
- Global functions outside .text are programs. In .text they are only if the object has code nowhere else. A section
  whose functions are all local counts its first one as a program (hand-written assembly without .globl).
- Tail-call sections "ID/KEY" say no type; tc gives all programs of an object the same one. They take the others' type
  where these agree.
- Hidden and internal functions are static to the verifier, as libbpf has it (libbpf.c, bpf_object__init_prog and
  bpf_object_fixup_btf of 1.7).

Complexity: linear in symbols and code, but for sorting symbols.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import NamedTuple

from toolchain.elf.references import called_places
from toolchain.elf.scope import Scope, is_hidden
from toolchain.isa.codec import SLOT_SIZE
from toolchain.spec.objects import Linkage, ProgramSpec, Symbol, SymbolBind, SymbolType
from toolchain.spec.sections import match_section, tail_slot

TEXT = ".text"
_LINKAGE = {
    SymbolBind.LOCAL: Linkage.STATIC,
    SymbolBind.GLOBAL: Linkage.GLOBAL,
    SymbolBind.WEAK: Linkage.WEAK,
}


class Extent(NamedTuple):
    """A function's place: bytes ``start`` to ``end`` of section ``section``. ``symbol`` is its name before it was made
    unique, '' where none names it. ``is_exported`` says that its symbol is not local, hidden or not; ``is_sized`` that
    the symbol says where it ends."""

    section: int
    start: int
    end: int
    symbol: str
    linkage: Linkage
    is_exported: bool
    is_sized: bool = False


def find_functions(scope: Scope) -> list[Extent]:
    """All functions, by section and offset. Raises ObjectError where code or a symbol is misaligned or out of place."""
    extents: list[Extent] = []
    for number, section in enumerate(scope.sections):
        if not scope.is_code(number) or not section.size:
            continue
        if section.size % SLOT_SIZE:
            message = f"code of a broken size: {section.size} bytes (a multiple of {SLOT_SIZE})"
            raise scope.fault(section.name, message)
        extents += _split(scope, number)
    return _split_where_called(scope, extents)


def _split_where_called(scope: Scope, extents: list[Extent]) -> list[Extent]:
    """The same extents, those without a size cut where a relocation calls into them."""
    if all(extent.is_sized for extent in extents):
        return extents
    places = sorted(called_places(scope))
    if not places:
        return extents
    cut: list[Extent] = []
    for extent in extents:
        first = bisect_right(places, (extent.section, extent.start))
        inside = places[first : bisect_left(places, (extent.section, extent.end))]
        if extent.is_sized or not inside:
            cut.append(extent)
            continue
        starts = [extent.start, *(offset for _, offset in inside)]
        labels = {symbol.value: symbol.name for symbol in scope.symbols_of[extent.section]}
        cut.append(extent._replace(end=starts[1]))
        for start, end in zip(starts[1:], [*starts[2:], extent.end], strict=True):
            cut.append(Extent(extent.section, start, end, labels.get(start, ""), Linkage.STATIC, False))
    return cut


def _split(scope: Scope, number: int) -> list[Extent]:
    section = scope.sections[number]
    starts: dict[int, Symbol] = {}
    for symbol in _function_symbols(scope.symbols_of[number]):
        if symbol.value % SLOT_SIZE or symbol.size % SLOT_SIZE or symbol.value > section.size:
            message = f"function {symbol.name} out of place: offset {symbol.value}, size {symbol.size}"
            raise scope.fault(section.name, f"{message} (multiples of {SLOT_SIZE}, below {section.size})")
        if symbol.value < section.size:
            starts.setdefault(symbol.value, symbol)
    order = sorted(starts)
    extents: list[Extent] = []
    position = 0
    for index, start in enumerate(order):
        symbol = starts[start]
        limit = order[index + 1] if index + 1 < len(order) else section.size
        if start > position:
            extents.append(Extent(number, position, start, "", Linkage.STATIC, False))
        end = start + symbol.size if symbol.size else limit
        if end > limit:
            message = f"function {symbol.name} reaches into what follows: it ends at {end} (at most {limit})"
            raise scope.fault(section.name, message, start)
        linkage = Linkage.STATIC if is_hidden(symbol) else _LINKAGE[symbol.bind]
        is_exported = symbol.bind is not SymbolBind.LOCAL
        extents.append(Extent(number, start, end, symbol.name, linkage, is_exported, bool(symbol.size)))
        position = end
    if position < section.size:
        extents.append(Extent(number, position, section.size, "", Linkage.STATIC, False))
    return extents


def _function_symbols(symbols: list[Symbol]) -> list[Symbol]:
    """The symbols that begin functions, global ones first."""
    typed = [symbol for symbol in symbols if symbol.type is SymbolType.FUNC]
    loose = [symbol for symbol in symbols if symbol.type is SymbolType.NOTYPE]
    exported = [symbol for symbol in loose if symbol.bind is not SymbolBind.LOCAL]
    if typed:
        covered = sorted((symbol.value, symbol.value + max(symbol.size, 1)) for symbol in typed)
        exported = _outside(exported, covered)
    if not typed and not exported:
        typed = [symbol for symbol in loose if symbol.value == 0][:1]
    return sorted(typed + exported, key=lambda symbol: symbol.bind is SymbolBind.LOCAL)


def _outside(symbols: list[Symbol], covered: list[tuple[int, int]]) -> list[Symbol]:
    """Those symbols that lie in none of the ranges, which are sorted."""
    kept, index, reach = [], 0, 0
    for symbol in sorted(symbols, key=lambda symbol: symbol.value):
        while index < len(covered) and covered[index][0] <= symbol.value:
            reach = max(reach, covered[index][1])
            index += 1
        if symbol.value >= reach:
            kept.append(symbol)
    return kept


def unique_names(scope: Scope, extents: list[Extent]) -> list[str]:
    """A name for each function, unique in the object; exported functions choose first."""
    names = [""] * len(extents)
    taken: set[str] = set()
    for index in sorted(range(len(extents)), key=lambda index: not extents[index].is_exported):
        extent = extents[index]
        section = scope.sections[extent.section].name
        whole = extent.start == 0 and extent.end == scope.sections[extent.section].size
        plain = extent.symbol or (section if whole and section else f"{section}+0x{extent.start:x}")
        for name in (plain, f"{plain}.{section}", f"{plain}.{section}+0x{extent.start:x}"):
            if name not in taken:
                break
        else:
            name = f"{plain}.#{extent.section}+0x{extent.start:x}"
        taken.add(name)
        names[index] = name
    return names


def find_programs(scope: Scope, extents: list[Extent], names: list[str]) -> list[ProgramSpec]:
    """The functions that may be loaded by themselves."""
    code_sections = {extent.section for extent in extents}
    apart = {number for number in code_sections if scope.sections[number].name != TEXT}
    exported = {extent.section for extent in extents if extent.is_exported}
    programs = []
    matches = {number: match_section(scope.sections[number].name) for number in code_sections}
    for name, extent in zip(names, extents, strict=True):
        if apart and extent.section not in apart:
            continue
        if not extent.is_exported and (extent.section in exported or extent.start):
            continue
        match = matches[extent.section]
        section = scope.sections[extent.section].name
        programs.append(
            ProgramSpec(
                name,
                section.removeprefix("?"),
                match.prog_type,
                match.expected_attach_type,
                match.attach_target,
                match.is_sleepable,
                match.is_optional,
                scope.place(section, extent.start),
                match.prog_flags,
            )
        )
    return _with_tail_types(programs)


def _with_tail_types(programs: list[ProgramSpec]) -> list[ProgramSpec]:
    """The programs, those of classic tail-call sections with the type of the others where these agree, as with tc."""
    kinds = {(each.prog_type, each.expected_attach_type) for each in programs if each.prog_type is not None}
    if len(kinds) != 1:
        return programs
    prog_type, attach_type = kinds.pop()
    return [
        replace(each, prog_type=prog_type, expected_attach_type=attach_type)
        if each.prog_type is None and tail_slot(each.section)
        else each
        for each in programs
    ]
