"""Relocations to references: what each instruction means by a name.

The instruction and the symbol decide, not the relocation's number (old compilers used others):

    instruction   symbol in                 reference       which one
    call          nowhere (undefined)       EXTERN_CALL     the symbol's name
    call          code                      CALL            function at symbol + 8 * (imm + 1)
    ld_imm64      nowhere                   EXTERN_DATA     the symbol's name
    ld_imm64      maps, .maps, maps/NAME    MAP             map at symbol + imm
    ld_imm64      code                      FUNC_ADDRESS    function at symbol + imm
    ld_imm64      any other section         DATA            that section, byte symbol + imm

A symbol may be the section's own (value 0): then imm holds the whole offset. Compilers write imm = -1 into a call by
name, so one formula serves both; where it gives no function, the symbol itself is called (GNU as 2.40 leaves other
numbers in imm). SHT_RELA's addend is added to imm.

Source: LLVM 19 BPFAsmBackend/BPFELFObjectWriter; Linux 6.12 Documentation/bpf/llvm_reloc.rst; libbpf 1.7 libbpf.c
(bpf_program__record_reloc) for what each loader accepts.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolchain.elf import layout
from toolchain.elf.scope import Scope
from toolchain.errors import ObjectError
from toolchain.isa.codec import SLOT_SIZE
from toolchain.isa.opcodes import CALL, LDDW
from toolchain.spec.objects import (
    UNDEFINED,
    Reference,
    ReferenceKind,
    Relocation,
    RelocationType,
    Section,
    Symbol,
    SymbolBind,
    SymbolType,
)


def called_places(scope: Scope) -> set[tuple[int, int]]:
    """(section, byte offset) of everything in code that a relocation of code calls or takes the address of."""
    places: set[tuple[int, int]] = set()
    for number, section in enumerate(scope.sections):
        if not section.relocations or not scope.is_code(number):
            continue
        for relocation in section.relocations:
            offset = relocation.offset
            symbol = scope.symbols[relocation.symbol] if relocation.symbol >= 0 else None
            if symbol is None or not 0 <= symbol.section < len(scope.sections) or offset + SLOT_SIZE > section.size:
                continue
            opcode = section.data[offset]
            addend = scope.number(section.data[offset + 4 : offset + 8], signed=True)
            addend += relocation.addend or 0
            target = symbol.value + (SLOT_SIZE * (addend + 1) if opcode == CALL else addend)
            if opcode in (CALL, LDDW) and target % SLOT_SIZE == 0 and scope.is_code(symbol.section):
                places.add((symbol.section, target))
    return places


class Resolver:
    """Knows what stands where: functions and maps by (section, byte offset), names of the other sections."""

    __slots__ = ("functions", "maps", "names", "scope", "used_externs")

    def __init__(
        self,
        scope: Scope,
        functions: dict[tuple[int, int], str],
        maps: dict[tuple[int, int], str],
        names: dict[int, str],
    ) -> None:
        self.scope = scope
        self.functions = functions
        self.maps = maps
        self.names = names
        self.used_externs: dict[str, Symbol] = {}

    def of_code(self, number: int, extents: Sequence[tuple[int, int]]) -> list[tuple[Reference, ...]]:
        """The references of each function of a section, in slot order; ``extents`` are (start, end), sorted."""
        section = self.scope.sections[number]
        found: list[list[Reference]] = [[] for _ in extents]
        index = 0
        for relocation in sorted(section.relocations, key=lambda each: each.offset):
            if relocation.type == RelocationType.NONE:
                continue
            offset = relocation.offset
            if offset % SLOT_SIZE or offset + SLOT_SIZE > section.size:
                raise self.fault(section, f"relocation out of place: {offset} (a slot below {section.size})", offset)
            while offset >= extents[index][1]:
                index += 1
            slot = (offset - extents[index][0]) // SLOT_SIZE
            found[index].append(self._of_insn(section, relocation, slot))
        return [tuple(each) for each in found]

    def of_data(self, number: int) -> tuple[Reference, ...]:
        """The pointers that a data section holds."""
        section = self.scope.sections[number]
        found = []
        for relocation in sorted(section.relocations, key=lambda each: each.offset):
            offset = relocation.offset
            if relocation.type == RelocationType.NONE:
                continue
            if offset % SLOT_SIZE or offset + SLOT_SIZE > len(section.data):
                raise self.fault(section, f"pointer out of place: {offset} (a slot below {len(section.data)})", offset)
            addend = self._addend(section, relocation, offset, SLOT_SIZE)
            found.append(self._of_address(section, relocation, offset // SLOT_SIZE, addend))
        return tuple(found)

    def fault(self, section: Section, message: str, offset: int) -> ObjectError:
        """An error at a section's offset."""
        return self.scope.fault(section.name, message, offset)

    def _addend(self, section: Section, relocation: Relocation, offset: int, size: int) -> int:
        """The number in place and SHT_RELA's own."""
        field = section.data[offset : offset + size]
        return self.scope.number(field, signed=True) + (relocation.addend or 0)

    def _symbol(self, section: Section, relocation: Relocation) -> Symbol:
        if relocation.symbol < 0:
            raise self.fault(section, "relocation without a symbol", relocation.offset)
        return self.scope.symbols[relocation.symbol]

    def _of_insn(self, section: Section, relocation: Relocation, slot: int) -> Reference:
        offset = relocation.offset
        opcode = section.data[offset]
        addend = self._addend(section, relocation, offset + 4, 4)
        if opcode == LDDW:
            return self._of_address(section, relocation, slot, addend)
        if opcode != CALL:
            message = f"relocation of an instruction that takes none: opcode 0x{opcode:02x} (call or wide load)"
            raise self.fault(section, message, offset)
        symbol = self._symbol(section, relocation)
        if symbol.section == UNDEFINED:
            return self._of_extern(symbol, slot, ReferenceKind.EXTERN_CALL, 0)
        target = symbol.value + SLOT_SIZE * (addend + 1)
        name = self.functions.get((symbol.section, target))
        if name is None and symbol.type is not SymbolType.SECTION:
            name = self.functions.get((symbol.section, symbol.value))
        if name is None:
            place = self._describe(symbol, target)
            raise self.fault(section, f"call of something that is no function: {place}", offset)
        return Reference(slot, ReferenceKind.CALL, name)

    def _of_address(self, section: Section, relocation: Relocation, slot: int, addend: int) -> Reference:
        symbol = self._symbol(section, relocation)
        if symbol.section == UNDEFINED:
            return self._of_extern(symbol, slot, ReferenceKind.EXTERN_DATA, addend)
        target = symbol.value + addend
        if symbol.section >= layout.SHN_LORESERVE:
            message = f"address of a symbol in no section: {self._describe(symbol, target)}"
            raise self.fault(section, message, relocation.offset)
        place = symbol.section, target
        if place in self.maps:
            return Reference(slot, ReferenceKind.MAP, self.maps[place])
        if symbol.section not in self.names:
            if place in self.functions:
                return Reference(slot, ReferenceKind.FUNC_ADDRESS, self.functions[place])
            message = f"address of neither a map nor a function: {self._describe(symbol, target)}"
            raise self.fault(section, message, relocation.offset)
        return Reference(slot, ReferenceKind.DATA, self.names[symbol.section], target)

    def _of_extern(self, symbol: Symbol, slot: int, kind: ReferenceKind, addend: int) -> Reference:
        self.used_externs.setdefault(symbol.name, symbol)
        return Reference(slot, kind, symbol.name, addend, symbol.bind is SymbolBind.WEAK)

    def _describe(self, symbol: Symbol, target: int) -> str:
        if 0 <= symbol.section < len(self.scope.sections):
            name = self.scope.sections[symbol.section].name
            return f"{name}{target:+#x}" + (f" ({symbol.name})" if symbol.name else "")
        return symbol.name or f"section 0x{symbol.section:x}"
