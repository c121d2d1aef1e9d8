"""Fix-ups, relocations and symbols: the end of a pass.

    what refers            to a label of its section     to another section's label       to a global or undefined
    symbol goto, if .. goto       distance in instructions      fault                            fault where undefined
    call                   distance (local symbols)      R_BPF_64_32, section             R_BPF_64_32, symbol
    rN = x ll              R_BPF_64_64, section          R_BPF_64_64, section             R_BPF_64_64, symbol
    .quad x / .long x      R_BPF_64_ABS64 / ABS32 or NODYLD32

A local symbol is reached through its section, the addend standing in the patched bytes (relocations are SHT_REL). A
goto whose target is too far for 16 bits becomes a gotol, which has the same size.

Source: Linux Documentation/bpf/llvm_reloc.rst; LLVM 19 BPFAsmBackend.cpp (applyFixup), BPFELFObjectWriter.cpp
(getRelocType) and ELFObjectWriter.cpp (shouldRelocateWithSymbol) for what refers to a section and what to a symbol.
"""

from __future__ import annotations

from typing import Any

from toolchain.asm import expressions
from toolchain.asm.debug_frame import add_frames
from toolchain.asm.debug_line import add_lines
from toolchain.asm.emit import IMM_MAX, IMM_MIN, OFF_MAX, OFF_MIN, data_bytes, imm_fault, leb128
from toolchain.asm.expressions import Address
from toolchain.asm.faults import Fault
from toolchain.asm.functions import complete_functions
from toolchain.asm.maps import add_types
from toolchain.asm.sections import SHF_ALLOC, SHF_EXEC, SHF_MERGE, SHF_WRITE, SHT_NOBITS
from toolchain.asm.state import Fixup, State
from toolchain.isa.opcodes import JA32
from toolchain.spec.objects import (
    SHN_ABS,
    SHN_COMMON,
    UNDEFINED,
    ObjectFile,
    Relocation,
    RelocationType,
    Section,
    Symbol,
    SymbolBind,
    SymbolType,
)

_REACH = 1 << 15
_SUGGESTIONS = 20
"""Names looked for among the labels; each look compares all of them."""


class _Resolver:
    """Final values of symbols, and the relocations that remain."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.little = state.options.endian == "little"
        self.relocations: dict[int, list[tuple[int, int, int | str]]] = {}
        self.referenced: set[str] = set()
        self._resolving: set[str] = set()
        state.statement = 0

    # ---- values
    def lookup(self, name: str) -> expressions.Value:
        """A symbol's final value. Raises Fault."""
        if not name:
            raise Fault("a name is wanted, not an empty string", token='""')
        label = self.state.labels.get(name)
        if label is not None:
            return Address(label.section, label.offset, name)
        value = self.state.constants.get(name)
        if value is None:
            if name.startswith(".L\x01"):
                number = name.split("\x01")[1]
                raise Fault(f"no label {number} after this line: {number}f", token=f"{number}f")
            section = self.state.section_index.get(name, -1)
            if section < 0 and name[:1] in ("r", "w", "R", "W") and name[1:].isdecimal():
                raise Fault(f"unknown register: {name} ({name[0]}0..{name[0]}10)", token=name)
            return Address(section, 0, name if section < 0 else "")
        if isinstance(value, (int, Address)):
            return value
        if len(self._resolving) > expressions.MAX_DEPTH:
            raise Fault(f"symbols are defined by each other too deeply: {name}", token=name)
        if name in self._resolving:
            raise Fault(f"symbol is defined by itself: {name}", token=name)
        self._resolving.add(name)
        try:
            return expressions.evaluate(value, self.lookup)
        finally:
            self._resolving.discard(name)

    def is_local(self, address: Address) -> bool:
        """Other objects cannot mean this symbol."""
        info = self.state.symbols.get(address.symbol)
        return address.section >= 0 and (info is None or info.bind in (None, SymbolBind.LOCAL))

    # ---- fix-ups
    def section(self, index: int) -> bytes:
        """The bytes of a section with all its fix-ups done."""
        builder = self.state.sections[index]
        data = bytearray(b"".join(builder.pieces))
        self.relocations[index] = []
        for fixup in self.state.fixups[index]:
            try:
                self._apply(index, data, fixup)
            except Fault as fault:
                self.state.fault(self._with_token(fault, fixup), fixup.line, fixup.statement)
        self.relocations[index].sort(key=lambda each: each[0])
        return bytes(data)

    @staticmethod
    def _with_token(fault: Fault, fixup: Fixup) -> Fault:
        if not fault.token and fault.start < 0:
            names = expressions.names(fixup.expression)
            fault.token = names[0] if names else ""
        return fault

    def _apply(self, index: int, data: bytearray, fixup: Fixup) -> None:
        value = expressions.evaluate(fixup.expression, self.lookup)
        kind = fixup.kind
        if kind in ("goto", "branch16", "branch32"):
            self._branch(index, data, fixup, value)
        elif kind == "call":
            self._call(index, data, fixup, value)
        elif kind == "wide":
            self._wide(index, data, fixup, value)
        elif kind.startswith("data"):
            self._data(index, data, fixup, value, int(kind[4:]))
        elif kind.startswith("reloc"):
            self._bare_relocation(index, len(data), fixup, value)
        elif isinstance(value, Address):
            if value.section < 0:
                hint = self._suggestion(value.symbol) or "give it a value with .set or -D"
                raise Fault(f"undefined symbol: {value.symbol}", token=value.symbol, hint=hint)
            hint = f"write `rN = {value.symbol} ll`" if kind == "imm32" else ""
            raise Fault(
                f"a number is wanted here, and this is an address: {value.symbol}", token=value.symbol, hint=hint
            )
        elif kind == "imm32":
            if not IMM_MIN <= value <= IMM_MAX:
                raise imm_fault(value)
            self._put32(data, fixup.offset + 4, value)
        else:
            if not OFF_MIN <= value <= OFF_MAX:
                raise Fault(f"offset does not fit in 16 bits: {value} ({OFF_MIN}..{OFF_MAX})")
            self._put16(data, fixup.offset + 2, value)

    def _branch(self, index: int, data: bytearray, fixup: Fixup, value: expressions.Value) -> None:
        slots = value if isinstance(value, int) else self._distance(index, fixup, value)
        if fixup.kind == "branch32":
            if not -(1 << 31) <= slots < 1 << 31:
                raise Fault(f"target out of reach: {slots} instructions")
            self._put32(data, fixup.offset + 4, slots)
        elif -_REACH <= slots < _REACH:
            self._put16(data, fixup.offset + 2, slots)
        elif fixup.kind == "goto" and self.state.options.isa_limit >= 4:
            data[fixup.offset] = JA32
            self._put32(data, fixup.offset + 4, slots)
        else:
            hint = "jump over a goto to the target" if fixup.kind == "branch16" else "gotol (-mcpu=v4) reaches it"
            raise Fault(f"target out of reach: {slots} instructions ({-_REACH}..{_REACH - 1})", hint=hint)

    def _distance(self, index: int, fixup: Fixup, address: Address) -> int:
        if address.section < 0:
            raise Fault(
                f"undefined label: {address.symbol}", token=address.symbol, hint=self._suggestion(address.symbol)
            )
        if address.section != index:
            name = self.state.sections[address.section].name
            raise Fault(f"target is in another section: {address.symbol} (in {name})", token=address.symbol)
        distance = address.offset - fixup.offset - 8
        if distance % 8:
            raise Fault(f"target is not at an instruction: {distance} bytes away", token=address.symbol)
        return distance // 8

    def _call(self, index: int, data: bytearray, fixup: Fixup, value: expressions.Value) -> None:
        if isinstance(value, int):
            if not IMM_MIN <= value <= IMM_MAX:
                raise imm_fault(value)
            data[fixup.offset + 1] = 0
            self._put32(data, fixup.offset + 4, value)
            return
        if value.section == index and self.is_local(value):
            self._put32(data, fixup.offset + 4, self._distance(index, fixup, value))
            return
        addend = self._relocate(index, fixup.offset, RelocationType.R64_32, value)
        if addend % 8:
            raise Fault(f"target is not at an instruction: {addend} bytes from its start", token=value.symbol)
        self._put32(data, fixup.offset + 4, addend // 8 - 1)

    def _wide(self, index: int, data: bytearray, fixup: Fixup, value: expressions.Value) -> None:
        if isinstance(value, int):
            self._put32(data, fixup.offset + 4, value)
            self._put32(data, fixup.offset + 12, value >> 32)
            return
        addend = self._relocate(index, fixup.offset, RelocationType.R64_64, value)
        if not IMM_MIN <= addend <= IMM_MAX:
            raise Fault(f"offset from a symbol does not fit in 32 bits: {addend}", token=value.symbol)
        self._put32(data, fixup.offset + 4, addend)

    def _data(self, index: int, data: bytearray, fixup: Fixup, value: expressions.Value, size: int) -> None:
        if isinstance(value, Address):
            if size not in (4, 8):
                raise Fault(f"an address takes 4 or 8 bytes: {size}", token=value.symbol)
            kind = RelocationType.R64_ABS64 if size == 8 else self._data32_type(value)
            value = self._relocate(index, fixup.offset, kind, value)
        data[fixup.offset : fixup.offset + size] = data_bytes(value, size, self.state.options.endian)

    def _bare_relocation(self, index: int, size: int, fixup: Fixup, value: expressions.Value) -> None:
        if isinstance(value, int) or fixup.offset >= size:
            raise Fault(f".reloc wants a symbol, and an offset inside the section: {fixup.offset} ({size} bytes)")
        label = self.state.labels.get(value.symbol)
        is_section = not value.symbol or value.symbol.startswith(".L")
        if not is_section:
            self.referenced.add(value.symbol)
        elif label is None and value.section < 0:
            raise Fault(f"undefined label: {value.symbol}", token=value.symbol)
        kind = int(fixup.kind[5:])
        self.relocations[index].append((fixup.offset, kind, value.section if is_section else value.symbol))

    def _data32_type(self, address: Address) -> RelocationType:
        """NODYLD32 for what type information refers to: temporary labels in code, named symbols in writable data."""
        if address.section < 0:
            return RelocationType.R64_ABS32
        flags = self.state.sections[address.section].flags
        wanted = SHF_ALLOC | (SHF_EXEC if address.symbol.startswith(".L") or not address.symbol else SHF_WRITE)
        return RelocationType.R64_NODYLD32 if flags & wanted == wanted else RelocationType.R64_ABS32

    def _relocate(self, index: int, offset: int, kind: RelocationType, address: Address) -> int:
        """Records a relocation and gives the addend that the patched bytes hold."""
        if self.is_local(address) and not self._wants_symbol(address):
            self.relocations[index].append((offset, kind, address.section))
            return address.offset
        if address.symbol.startswith(".L") and address.section < 0:
            raise Fault(
                f"undefined label: {address.symbol}", token=address.symbol, hint=self._suggestion(address.symbol)
            )
        self.referenced.add(address.symbol)
        self.relocations[index].append((offset, kind, address.symbol))
        label = self.state.labels.get(address.symbol)
        return address.offset - (label.offset if label else 0)

    def _wants_symbol(self, address: Address) -> bool:
        """In a mergeable section an addend to a symbol must not be folded into the section's offset."""
        label = self.state.labels.get(address.symbol)
        if label is None or address.symbol.startswith(".L"):
            return False
        return bool(self.state.sections[address.section].flags & SHF_MERGE) and address.offset != label.offset

    def _suggestion(self, name: str) -> str:
        """Did you mean: the known name nearest to this one."""
        from difflib import get_close_matches

        if len(self.state.faults) >= _SUGGESTIONS:
            return ""
        known = [each for each in self.state.labels if "\x01" not in each][:2000]
        near = get_close_matches(name, known, n=1)
        return f"did you mean {near[0]}?" if near else ""

    def _put16(self, data: bytearray, offset: int, value: int) -> None:
        data[offset : offset + 2] = (value & 0xFFFF).to_bytes(2, "little" if self.little else "big")

    def _put32(self, data: bytearray, offset: int, value: int) -> None:
        data[offset : offset + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little" if self.little else "big")


def leb_sizes(state: State) -> dict[int, int]:
    """The size that each .uleb128 laid out ahead of its labels needs, by its number in the file."""
    resolver = _Resolver(state)
    sizes = {}
    for number, _, size, fixup in state.leb_fixups:
        try:
            value = expressions.evaluate(fixup.expression, resolver.lookup)
            if isinstance(value, Address):
                raise Fault(f"a number is wanted here, and this is an address: {value.symbol}", token=value.symbol)
            sizes[number] = len(leb128(value, fixup.kind == ".sleb128", size))
        except Fault as fault:
            state.fault(fault, fixup.line, fixup.statement)
            sizes[number] = size
    return sizes


def _patch_lebs(state: State, resolver: _Resolver, index: int, data: bytes) -> bytes:
    patched = bytearray(data)
    for _, section, size, fixup in state.leb_fixups:
        if section == index:
            value = expressions.evaluate(fixup.expression, resolver.lookup)
            if isinstance(value, int):
                number = leb128(value, fixup.kind == ".sleb128", size)
                patched[fixup.offset : fixup.offset + size] = number[:size]
    return bytes(patched)


def finish(state: State) -> ObjectFile:
    """The object of a finished pass. Faults go to ``state``; the object is then of no use."""
    if not state.faults:
        complete_functions(state)
        add_frames(state)
        add_lines(state)
        add_types(state)
    resolver = _Resolver(state)
    contents = []
    for builder in state.sections:
        data = resolver.section(builder.index)
        if state.leb_fixups and not state.faults:
            data = _patch_lebs(state, resolver, builder.index, data)
        contents.append(data)
    symbols = _symbols(state, resolver)
    if state.faults:
        return ObjectFile((), (), state.options.endian, path=state.unit.path)
    position = {
        (symbol.name, symbol.type is SymbolType.SECTION, symbol.section): index for index, symbol in enumerate(symbols)
    }
    by_name = {
        symbol.name: index
        for index, symbol in enumerate(symbols)
        if symbol.type not in (SymbolType.SECTION, SymbolType.FILE)
    }
    made = []
    for builder, data in zip(state.sections, contents, strict=True):
        relocations = tuple(
            Relocation(offset, kind, by_name[to] if isinstance(to, str) else position["", True, to])
            for offset, kind, to in resolver.relocations[builder.index]
        )
        made.append(_section(state, builder, data, relocations))
    return ObjectFile(tuple(made), tuple(symbols), state.options.endian, path=state.unit.path)


def _section(state: State, builder: Any, data: bytes, relocations: tuple[Relocation, ...]) -> Section:
    align = builder.align
    if builder.flags & SHF_EXEC and data:
        align = max(align, 8)
    if builder.type == SHT_NOBITS:
        if data.count(0) != len(data) or relocations:
            state.fault(Fault(f"section without contents is given some: {builder.name}"))
        return Section(builder.name, builder.type, builder.flags, b"", align, builder.entry_size, len(data))
    return Section(builder.name, builder.type, builder.flags, data, align, builder.entry_size, -1, relocations)


def _symbols(state: State, resolver: _Resolver) -> list[Symbol]:
    """Files, local symbols, the sections that relocations refer to, then global symbols."""
    local: list[Symbol] = [Symbol(name, SHN_ABS, type=SymbolType.FILE) for name in dict.fromkeys(state.files)]
    others: list[Symbol] = []
    names = dict.fromkeys((*state.labels, *state.symbols, *state.constants, *sorted(resolver.referenced)))
    for name in names:
        if name.startswith(".L"):
            continue
        try:
            symbol = _symbol(state, resolver, name)
        except Fault as fault:
            if name in state.symbols:
                state.fault(fault, state.symbols[name].size_line)
            continue
        if symbol is not None:
            (local if symbol.bind is SymbolBind.LOCAL else others).append(symbol)
    wanted = {to for each in resolver.relocations.values() for _, _, to in each if isinstance(to, int)}
    local.extend(Symbol("", index, type=SymbolType.SECTION) for index in sorted(wanted))
    return local + others


def _symbol(state: State, resolver: _Resolver, name: str) -> Symbol | None:
    info = state.symbol(name) if name in state.symbols else None
    bind = info.bind if info and info.bind is not None else None
    kind = info.type if info else SymbolType.NOTYPE
    visibility = info.visibility if info else 0
    if info and info.common:
        return Symbol(
            name, SHN_COMMON, info.common[1], info.common[0], SymbolType.OBJECT, bind or SymbolBind.GLOBAL, visibility
        )
    size_value = 0
    if info and info.size is not None:
        size = expressions.evaluate(info.size, resolver.lookup)
        if isinstance(size, Address):
            raise Fault(f"size is not a number: {name}", token=name)
        size_value = size & 0xFFFFFFFFFFFFFFFF
    label = state.labels.get(name)
    if label is not None:
        return Symbol(name, label.section, label.offset, size_value, kind, bind or SymbolBind.LOCAL, visibility)
    if name in state.constants:
        value = resolver.lookup(name)
        if isinstance(value, int):
            if bind in (None, SymbolBind.LOCAL) and name not in resolver.referenced:
                return None
            return Symbol(
                name, SHN_ABS, value & 0xFFFFFFFFFFFFFFFF, size_value, kind, bind or SymbolBind.LOCAL, visibility
            )
        if value.section < 0:
            return None
        return Symbol(name, value.section, value.offset, size_value, kind, bind or SymbolBind.LOCAL, visibility)
    if name in resolver.referenced or bind in (SymbolBind.GLOBAL, SymbolBind.WEAK):
        return Symbol(name, UNDEFINED, 0, 0, SymbolType.NOTYPE, bind or SymbolBind.GLOBAL, visibility)
    return None
