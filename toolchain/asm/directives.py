"""What each directive does to the state of the assembler.

A handler takes the state, the directive's name and its bound arguments (expressions.py), and raises Fault. Data
directives (.byte .ascii ..) have records of their own (emit.py); macros, .if, .rept and .include are gone before
(macros.py). Where LLVM and GNU as differ, LLVM's meaning holds.

Source: the GNU as manual, section 7; LLVM 19 AsmParser.cpp and ELFAsmParser.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolchain.asm import sections
from toolchain.asm.expressions import name_of
from toolchain.asm.faults import Fault
from toolchain.asm.maps import declare_map
from toolchain.asm.state import State
from toolchain.spec.objects import SymbolBind, SymbolType

Handler = Callable[[State, str, tuple[Any, ...]], None]
HANDLERS: dict[str, Handler] = {}

UNSUPPORTED = dict.fromkeys(
    (
        ".linkonce", ".struct", ".loc_mark_labels", ".cfi_offset", ".cfi_def_cfa", ".cfi_def_cfa_offset",
        ".cfi_def_cfa_register", ".cfi_personality", ".cfi_lsda", ".subsection", ".stabs", ".weakref",
    ),
    "directive is not supported",
)  # fmt: skip

_SYMBOL_TYPES = {
    "function": SymbolType.FUNC, "object": SymbolType.OBJECT, "notype": SymbolType.NOTYPE, "tls_object": SymbolType.TLS,
    "common": SymbolType.OBJECT, "STT_FUNC": SymbolType.FUNC, "STT_OBJECT": SymbolType.OBJECT,
    "STT_NOTYPE": SymbolType.NOTYPE,
}  # fmt: skip
_VISIBILITY = {".internal": 1, ".hidden": 2, ".protected": 3}


def _handles(*directives: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        for name in directives:
            HANDLERS[name] = handler
        return handler

    return register


def _count(name: str, arguments: tuple[Any, ...], low: int, high: int) -> None:
    if not low <= len(arguments) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        raise Fault(f"wrong number of operands of {name}: {len(arguments)} ({wanted})")


def _text_of(argument: Any, directive: str) -> bytes:
    if isinstance(argument, tuple) and argument[0] == "str":
        return bytes(argument[1])
    raise Fault(f"a string is wanted by {directive}")


# ---- sections
@_handles(".section", ".pushsection")
def _section(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    if not arguments:
        raise Fault(f"a section name is wanted by {directive}")
    name, *rest = arguments
    flags: int | None = None
    kind: int | None = None
    entry_size = 0
    rest = [each for each in rest if each is not None]
    if rest and isinstance(rest[0], tuple) and rest[0][0] == "str":
        flags = sections.parse_flags(rest.pop(0)[1].decode("utf-8", "surrogateescape"))
    if rest and isinstance(rest[0], tuple) and rest[0][0] == "kind":
        kind = sections.parse_type(rest.pop(0)[1])
    if rest and flags is not None and flags & sections.SHF_MERGE:
        entry_size = state.number(rest.pop(0))
        if not 0 < entry_size <= 1 << 20:
            raise Fault(f"entry size out of range: {entry_size}")
    elif flags is not None and flags & sections.SHF_MERGE:
        raise Fault("a mergeable section has an entry size")
    if rest and not (isinstance(rest[0], int) and directive == ".pushsection"):
        raise Fault(f"unexpected operand of {directive}: {len(arguments)} operands")
    section = state.enter(name_of(name, directive), kind, flags, entry_size)
    if directive == ".pushsection":
        state.stack.append((state.current, state.previous))
    state.switch(section)


@_handles(".popsection")
def _popsection(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 0, 0)
    if not state.stack:
        raise Fault(".popsection without .pushsection")
    current, previous = state.stack.pop()
    state.switch(current)
    state.previous = previous


@_handles(".previous")
def _previous(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 0, 0)
    state.switch(state.previous)


@_handles(".text", ".data", ".bss", ".rodata")
def _named_section(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 0, 1)
    if arguments and arguments != (0,):
        raise Fault("subsections are not supported")
    state.switch(state.enter(directive))


# ---- symbols
@_handles(".globl", ".global", ".local", ".weak")
def _binding(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    if not arguments:
        raise Fault(f"a name is wanted by {directive}")
    bind = {".local": SymbolBind.LOCAL, ".weak": SymbolBind.WEAK}.get(directive, SymbolBind.GLOBAL)
    for each in arguments:
        info = state.symbol(name_of(each, directive))
        if bind is SymbolBind.GLOBAL and info.bind is SymbolBind.WEAK:
            continue
        info.bind = bind


@_handles(".hidden", ".protected", ".internal")
def _visibility(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    if not arguments:
        raise Fault(f"a name is wanted by {directive}")
    for each in arguments:
        state.symbol(name_of(each, directive)).visibility = _VISIBILITY[directive]


@_handles(".type")
def _type(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    if len(arguments) != 2:
        raise Fault("wrong operands of .type (.type name, @function or @object)")
    name, kind = arguments
    word = kind[1] if isinstance(kind, tuple) and kind[0] == "kind" else name_of(kind, directive)
    if word not in _SYMBOL_TYPES:
        raise Fault(f"unknown symbol type: {word} (function, object, notype)", token=f"@{word}")
    info = state.symbol(name_of(name, directive))
    info.type = _SYMBOL_TYPES[word]
    if info.type is SymbolType.FUNC and name_of(name) not in state.functions:
        state.functions.append(name_of(name))


@_handles(".size")
def _size(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 2, 2)
    info = state.symbol(name_of(arguments[0], directive))
    info.size, info.size_line = state.anchor(arguments[1]), state.line


@_handles(".set", ".equ", ".equiv")
def _set(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 2, 2)
    state.assign(name_of(arguments[0], directive), arguments[1], may_repeat=directive != ".equiv")


@_handles(".comm", ".lcomm")
def _common(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 2, 3)
    name = name_of(arguments[0], directive)
    size = state.number(arguments[1])
    align = state.number(arguments[2]) if len(arguments) == 3 else 1
    _check_align(align)
    if not 0 <= size <= sections.MAX_SIZE:
        raise Fault(f"size out of range: {size} (0..{sections.MAX_SIZE})")
    if name in state.labels:
        raise Fault(f"symbol is defined already: {name}", token=name)
    info = state.symbol(name)
    info.type = SymbolType.OBJECT
    if directive == ".comm" and info.bind is not SymbolBind.LOCAL:
        info.common = (size, align)
        return
    here = state.current
    state.current = state.enter(".bss")
    try:
        state.current.pad(align, 0)
        state.define(name)
        state.current.append(bytes(size))
    finally:
        state.current = here
    info.size, info.size_line = size, state.line


# ---- space
@_handles(".zero", ".skip", ".space")
def _zero(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 1, 2)
    count = state.number(arguments[0])
    fill = state.number(arguments[1]) if len(arguments) == 2 else 0
    if count < 0:
        raise Fault(f"size below zero: {count}")
    if not -128 <= fill <= 255:
        raise Fault(f"fill does not fit in 8 bits: {fill}")
    state.current.reserve(count)
    state.current.append(bytes((fill & 0xFF,)) * count)


@_handles(".fill")
def _fill(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 1, 3)
    numbers = [state.number(each) for each in arguments]
    count, size, value = (*numbers, *(1, 0)[len(numbers) - 1 :])
    if not 0 <= size <= 8:
        raise Fault(f"size out of range: {size} (0..8)")
    if count < 0:
        state.warn(f".fill with a count below zero does nothing: {count}")
        return
    state.current.reserve(count * size)
    # GNU as and LLVM use the low 32 bits of the value only; wider items are filled up with zeros
    item = (value & ((1 << 8 * min(size, 4)) - 1)).to_bytes(size, state.options.endian)  # type: ignore[arg-type]
    state.current.append(item * count)


def _check_align(align: int) -> None:
    if align < 1 or align & (align - 1) or align > 1 << 16:
        raise Fault(f"alignment is not a power of two: {align} (1..65536)")


@_handles(".align", ".balign", ".p2align")
def _align(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 1, 3)
    align = state.number(arguments[0])
    if directive == ".p2align":
        if not 0 <= align <= 16:
            raise Fault(f"alignment exponent out of range: {align} (0..16)")
        align = 1 << align
    align = align or 1
    _check_align(align)
    fill = state.number(arguments[1]) if len(arguments) > 1 and arguments[1] is not None else None
    limit = state.number(arguments[2]) if len(arguments) > 2 and arguments[2] is not None else 0
    is_text = bool(state.current.flags & sections.SHF_EXEC)
    state.current.pad(align, fill if fill or not is_text else None, limit)


@_handles(".org")
def _org(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 1, 2)
    state.advance_to(arguments[0], state.number(arguments[1]) if len(arguments) == 2 else 0)


_RELOCATION_TYPES = {
    "R_BPF_NONE": 0, "R_BPF_64_64": 1, "R_BPF_64_ABS64": 2, "R_BPF_64_ABS32": 3, "R_BPF_64_NODYLD32": 4,
    "R_BPF_64_32": 10,
}  # fmt: skip


@_handles(".reloc")
def _reloc(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    """``.reloc offset, type, symbol``: a relocation and nothing else; the bytes at ``offset`` stay as they are."""
    _count(directive, arguments, 3, 3)
    offset = state.number(arguments[0], allow_address=True)
    kind = arguments[1]
    if not isinstance(kind, int):
        word = name_of(kind, directive)
        if word not in _RELOCATION_TYPES:
            raise Fault(f"unknown relocation type: {word} ({', '.join(_RELOCATION_TYPES)})", token=word)
        kind = _RELOCATION_TYPES[word]
    if not 0 <= offset <= sections.MAX_SIZE or not 0 <= kind <= 255:
        raise Fault(f"offset or type out of range: {offset}, {kind}")
    target = ("name", name_of(arguments[2], directive))
    state.raw_fixup(offset, f"reloc{kind}", target)


# ---- debug information of compilers (debug_line.py, debug_frame.py)
@_handles(".file")
def _file(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    if len(arguments) == 1:
        state.files.append(_text_of(arguments[0], directive).decode("utf-8", "surrogateescape"))
        return
    number, *rest = arguments or (None,)
    if not isinstance(number, int) or not 0 <= number <= 1 << 16 or not rest:
        raise Fault('wrong operands of .file (.file "name", or .file N "folder" "name" md5 0x..)')
    texts = [_text_of(each, directive) for each in rest if isinstance(each, tuple) and each[0] == "str"]
    digest = None
    if len(rest) >= 2 and rest[-2] == ("name", "md5") and isinstance(rest[-1], int):
        digest = rest[-1]
        if digest >= 1 << 128:
            raise Fault("an md5 has 128 bits")
    if len(texts) not in (1, 2):
        raise Fault('wrong operands of .file (.file N "folder" "name" md5 0x..)')
    folder, name = texts if len(texts) == 2 else (b"", texts[0])
    state.line_files[number] = (folder, name, digest)


_LOCATION_FLAGS = {"basic_block": 2, "prologue_end": 4, "epilogue_begin": 8}


@_handles(".loc")
def _loc(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    numbers: list[int] = []
    rest = list(arguments)
    while rest and isinstance(rest[0], int) and len(numbers) < 3:
        numbers.append(rest.pop(0))
    if len(numbers) < 2:
        raise Fault("wrong operands of .loc (.loc file line column)")
    if numbers[0] not in state.line_files:
        raise Fault(f"file number is not declared by .file: {numbers[0]}")
    column = numbers[2] if len(numbers) == 3 else 0
    if numbers[1] >= 1 << 31 or column >= 1 << 16:
        raise Fault("line or column out of range")
    flags = state.location_flags & 1
    discriminator = isa = 0
    while rest:
        word = name_of(rest.pop(0), directive)
        if word in _LOCATION_FLAGS:
            flags |= _LOCATION_FLAGS[word]
            continue
        if word not in ("is_stmt", "isa", "discriminator") or not rest or not isinstance(rest[0], int):
            raise Fault(f"unknown part of .loc: {word}", token=word)
        value = rest.pop(0)
        if word == "is_stmt":
            flags = flags & ~1 | bool(value)
        elif word == "isa":
            isa = value
        else:
            discriminator = value
    state.flush_location()
    state.location_flags = flags & 1
    state.pending_location = (numbers[0], numbers[1], column, flags, isa, discriminator)
    state.update_watch()


@_handles(".cfi_sections")
def _cfi_sections(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    for each in arguments:
        if name_of(each) != ".debug_frame":
            raise Fault(f"section is not supported: {name_of(each)} (.debug_frame)", token=name_of(each))


@_handles(".cfi_startproc")
def _cfi_start(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    if state.frame_start is not None:
        raise Fault(".cfi_startproc inside another procedure")
    state.frame_start = (state.current.index, state.current.size)


@_handles(".cfi_endproc")
def _cfi_end(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 0, 0)
    if state.frame_start is None:
        raise Fault(".cfi_endproc without .cfi_startproc")
    section, start = state.frame_start
    if section != state.current.index:
        raise Fault(".cfi_endproc in another section than .cfi_startproc")
    state.frames.append((section, start, state.current.size))
    state.frame_start = None


# ---- maps (maps.py), functions, licence
@_handles(".map")
def _map(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    declare_map(state, arguments)


@_handles(".license")
def _license(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    _count(directive, arguments, 1, 1)
    here = state.current
    state.current = state.enter("license")
    try:
        if state.current.size:
            raise Fault("a second licence")
        name = "_license"
        state.define(name)
        state.current.append(_text_of(arguments[0], directive) + b"\0")
    finally:
        state.current = here
    info = state.symbol(name)
    info.bind, info.type = SymbolBind.GLOBAL, SymbolType.OBJECT
    info.size, info.size_line = state.sections[state.section_index["license"]].size, state.line


@_handles(".func")
def _func(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    """``.func name``: a global function that begins here, with type information."""
    _count(directive, arguments, 1, 1)
    name = name_of(arguments[0], directive)
    info = state.symbol(name)
    if info.bind is None:
        info.bind = SymbolBind.GLOBAL
    info.type = SymbolType.FUNC
    state.define(name)
    state.declared_functions.add(name)
    if name not in state.functions:
        state.functions.append(name)


@_handles(".endfunc")
def _endfunc(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    """``.endfunc``: the size of the function that began last in this section."""
    _count(directive, arguments, 0, 0)
    for name in reversed(state.functions):
        label = state.labels.get(name)
        if label is not None and label.section == state.current.index and state.symbol(name).size is None:
            info = state.symbol(name)
            info.size, info.size_line = state.current.size - label.offset, state.line
            return
    raise Fault(".endfunc without .func")


# ---- comments of tools
@_handles(".ident")
def _ident(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    """A string for section .comment, which begins with an empty one."""
    _count(directive, arguments, 1, 1)
    text = _text_of(arguments[0], directive)
    section = state.enter(".comment", sections.SHT_PROGBITS, sections.SHF_MERGE | sections.SHF_STRINGS, 1)
    section.append((b"" if section.size else b"\0") + text + b"\0")


@_handles(".version")
def _version(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    """A note without a description whose name is the version. Source: System V ABI, "Note Section"."""
    _count(directive, arguments, 1, 1)
    text = _text_of(arguments[0], directive) + b"\0"
    order = state.encoder.order
    section = state.enter(".note", sections.SHT_NOTE, 0)
    head = b"".join(number.to_bytes(4, order) for number in (len(text), 0, 1))
    section.append(head + text + bytes(-len(text) % 4))


# ---- messages, and directives that change nothing here
@_handles(".err", ".error")
def _error(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    text = _text_of(arguments[0], directive).decode("utf-8", "replace") if arguments else ""
    raise Fault(f"{directive} in the source" + (f": {text}" if text else ""))


@_handles(".warning")
def _warning(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    text = _text_of(arguments[0], directive).decode("utf-8", "replace") if arguments else ""
    state.warn(f"{directive} in the source" + (f": {text}" if text else ""))


@_handles(
    ".addrsig", ".addrsig_sym", ".symver", ".altmacro", ".noaltmacro", ".bundle_align_mode",
    ".print", ".line", ".lto_discard", ".memtag",
)  # fmt: skip
def _nothing(state: State, directive: str, arguments: tuple[Any, ...]) -> None:
    """Accepted without effect on the object: hints to linkers, bundles (of one instruction), lines of other files."""
