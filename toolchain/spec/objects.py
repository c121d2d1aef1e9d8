"""An object file twice: what the file holds, and what it means.

    ObjectFile   sections, symbols, relocations: what bpf-as makes and elf writes; ``elf.read(elf.write(x)) == x``
    ObjectSpec   functions, programs, maps, data, licence, type information: what elf.extract finds in it

Two units of position, never mixed: ``offset`` in bytes from the start of a section, ``slot`` in 8-byte words from the
start of a function.
"""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Protocol

from toolchain.errors import Where
from toolchain.isa.insn import Insn
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec
from toolchain.values import Value, value_type

if TYPE_CHECKING:
    from toolchain.btf import Btf, BtfExt


class SymbolBind(IntEnum):
    """ELF symbol binding."""

    LOCAL = 0
    GLOBAL = 1
    WEAK = 2


class SymbolType(IntEnum):
    """ELF symbol type."""

    NOTYPE = 0
    OBJECT = 1
    FUNC = 2
    SECTION = 3
    FILE = 4
    COMMON = 5
    TLS = 6


class RelocationType(IntEnum):
    """R_BPF_*. Source: LLVM's ELFRelocs/BPF.def; Documentation/bpf/llvm_reloc.rst."""

    NONE = 0
    R64_64 = 1
    R64_ABS64 = 2
    R64_ABS32 = 3
    R64_NODYLD32 = 4
    R64_32 = 10


SHN_UNDEF = 0
SHN_ABS = 0xFFF1
SHN_COMMON = 0xFFF2


@value_type
class Relocation(Value):
    """One entry of a relocation section, in file order.

    ``offset``: bytes into the section it patches. ``symbol`` indexes ObjectFile.symbols (the null symbol is left out,
    so -1 means none). ``addend`` is None for SHT_REL, where it stands in the patched bytes.
    """

    offset: int
    type: int
    symbol: int
    addend: int | None = None


@value_type
class Section(Value):
    """A section other than the ELF bookkeeping ones (symbol table, string tables and relocation sections are not here).

    ``index`` is not kept: a section is named by its place in ObjectFile.sections.
    ``type`` and ``flags`` are SHT_* and SHF_*; a NOBITS section has empty ``data`` and its length in ``size``.
    """

    name: str
    type: int
    flags: int
    data: bytes
    align: int = 1
    entry_size: int = 0
    size: int = -1
    relocations: tuple[Relocation, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            object.__setattr__(self, "size", len(self.data))


@value_type
class Symbol(Value):
    """A symbol. ``section`` indexes ObjectFile.sections, or is one of -1 (undefined), SHN_ABS, SHN_COMMON."""

    name: str
    section: int
    value: int = 0
    size: int = 0
    type: SymbolType = SymbolType.NOTYPE
    bind: SymbolBind = SymbolBind.LOCAL
    visibility: int = 0


UNDEFINED = -1
"""Symbol.section of an undefined symbol."""


@value_type
class ObjectFile(Value):
    """A relocatable ELF file for BPF, as data.

    ``symbols`` leaves out the null symbol; locals come first, as ELF wants. ``path`` names the file in errors and does
    not take part in comparison.
    """

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    endian: str = "little"
    machine: int = 247
    elf_flags: int = 0
    path: str = field(default="<memory>", compare=False)


class ReferenceKind(StrEnum):
    """What an instruction refers to by name."""

    MAP = "map"
    """A wide load of a map."""
    DATA = "data"
    """A wide load of an address in a data section; ``addend`` is the byte offset from the section's start."""
    CALL = "call"
    """A call of another function of the object."""
    FUNC_ADDRESS = "func-address"
    """A wide load of a function's address (callback)."""
    EXTERN_CALL = "extern-call"
    """A call of a kfunc or of a function of another object."""
    EXTERN_DATA = "extern-data"
    """A wide load of a .ksyms or .kconfig variable, or of an undefined symbol."""


@value_type
class Reference(Value):
    """A resolved relocation of one instruction.

    ``slot`` counts from the function's start. ``target`` is a map's name (MAP, and DATA: the data section's name), a
    function's name (CALL, FUNC_ADDRESS) or an extern's name. ``addend`` is in bytes for DATA, 0 else.
    ``is_weak`` says that an unresolved extern counts as 0.
    """

    slot: int
    kind: ReferenceKind
    target: str
    addend: int = 0
    is_weak: bool = False


class Linkage(StrEnum):
    """Of a function."""

    STATIC = "static"
    GLOBAL = "global"
    WEAK = "weak"


@value_type
class FunctionSpec(Value):
    """A function's instructions and what they refer to, unlinked.

    ``offset`` is the byte offset of its first instruction in ``section``. Function names are unique in an ObjectSpec: a
    static function whose name is taken gets ``NAME.SECTION``. Calls within one section that carry no relocation stay as
    encoded (imm = slots from the next one).
    """

    name: str
    section: str
    offset: int
    insns: tuple[Insn, ...]
    references: tuple[Reference, ...] = ()
    linkage: Linkage = Linkage.GLOBAL
    where: Where | None = None

    @property
    def slot_count(self) -> int:
        """Length in 8-byte words."""
        return sum(insn.slot_count for insn in self.insns)


@value_type
class ProgramSpec(Value):
    """An entry point: a function that may be loaded by itself.

    ``name`` is the function's; ``section`` is its section's name without a leading '?'. ``prog_type`` is None where
    that name says none; ``attach_target`` is what follows the type in it (``kprobe/do_sys_open``). ``is_sleepable``,
    ``is_optional`` (section begins with '?') as in libbpf.
    ``prog_flags`` are the BPF_F_* of BPF_PROG_LOAD that the section's name asks for (sleepable, XDP fragments).
    """

    name: str
    section: str
    prog_type: ProgType | None
    expected_attach_type: int = 0
    attach_target: str = ""
    is_sleepable: bool = False
    is_optional: bool = False
    where: Where | None = None
    prog_flags: int = 0


ARENA_SECTION = ".addr_space.1"
"""Where compilers put variables of address space 1. Source: libbpf.c, ARENA_SEC."""


@value_type
class DataSpec(Value):
    """A data section that programs read or write; becomes a one-element array map, or the start of an arena.

    ``kind`` is the plain section name it behaves as: '.data', '.rodata', '.bss' or ARENA_SECTION.
    ``references`` are pointers that it holds (slot = byte offset // 8).
    """

    name: str
    kind: str
    data: bytes
    references: tuple[Reference, ...] = ()


@value_type
class ExternSpec(Value):
    """An undefined symbol that some instruction uses. ``section`` is .ksyms, .kconfig or '' (plain undefined).

    ``fault`` says why a .kconfig variable has no value, where that is known.
    """

    name: str
    section: str = ""
    is_weak: bool = False
    type_id: int = 0
    fault: str = ""


class TargetKernel(Protocol):
    """The kernel that an object is linked for: what its undefined symbols and CO-RE relocations ask about."""

    @property
    def types(self) -> Btf:
        """The kernel's types. Raises Unsupported where it has none."""

    def function(self, name: str) -> int:
        """The id of a function's FUNC in ``types``, 0 where there is none."""

    def variable(self, name: str) -> int:
        """The id of a variable's VAR in ``types``, 0 where there is none."""

    def address(self, name: str) -> int:
        """A symbol's address, 0 where it is not known."""


class KernelTypes(Protocol):
    """Where the types of a kernel come from; read when first asked for."""

    @property
    def types(self) -> Btf:
        """The types. Raises Unsupported, ObjectError."""


@value_type
class ObjectSpec(Value):
    """What an object means.

    ``core_types`` answer its CO-RE relocations; None: those of ``target`` do.
    ``target`` is the kernel that it is to be linked for, None for none: then what asks about a kernel is Unsupported.
    ``path`` names it in errors; ``sha1`` is the hex digest of the file (classic object pins are named by it).
    ``licence`` is '' where there is no licence section. ``warnings`` are things a user should hear, not faults.
    """

    path: str
    endian: str
    licence: str
    kernel_version: int
    functions: tuple[FunctionSpec, ...]
    programs: tuple[ProgramSpec, ...]
    maps: tuple[MapSpec, ...]
    data: tuple[DataSpec, ...] = ()
    externs: tuple[ExternSpec, ...] = ()
    btf: Btf | None = None
    btf_ext: BtfExt | None = None
    sha1: str = ""
    warnings: tuple[str, ...] = ()
    target: TargetKernel | None = None
    core_types: KernelTypes | None = None

    def function(self, name: str) -> FunctionSpec:
        """The function of that name. Raises KeyError."""
        for function in self.functions:
            if function.name == name:
                return function
        raise KeyError(name)
