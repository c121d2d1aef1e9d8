"""The opcode table: every instruction form, once.

An opcode byte is three fields. For arithmetic and jumps:      for loads and stores:

    7      4  3   2    0                                       7    5 4  3 2    0
    +-------+---+-------+                                      +------+----+------+
    |  op   |src| class |    src: 0 = imm (K), 1 = reg (X)     | mode |size| class|
    +-------+---+-------+                                      +------+----+------+

Some forms share an opcode byte and differ in src, off or imm; such a field is fixed in the row.
The encoder, the decoder's printer, the assembler's grammar actions, the formatter and the verifier read this table.

Sources: RFC 9669 (sections 4 and 5, appendix A) for the groups base32 .. packet; for the group "post", what Linux
added later: include/uapi/linux/bpf.h (BPF_JCOND, BPF_LOAD_ACQ, BPF_STORE_REL, BPF_ADDR_SPACE_CAST) and
kernel/bpf/verifier.c of 6.18, and LLVM 22's BPFInstrInfo.td for gotox.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from toolchain.isa.insn import Insn


class Class(IntEnum):
    """Low three bits of an opcode."""

    LD = 0
    LDX = 1
    ST = 2
    STX = 3
    ALU = 4
    JMP = 5
    JMP32 = 6
    ALU64 = 7


class Mode(IntEnum):
    """Top three bits of a load or store."""

    IMM = 0x00
    ABS = 0x20
    IND = 0x40
    MEM = 0x60
    MEMSX = 0x80
    ATOMIC = 0xC0


class Size(IntEnum):
    """Bits 3 and 4 of a load or store."""

    W = 0x00
    H = 0x08
    B = 0x10
    DW = 0x18


SIZE_BYTES = {Size.B: 1, Size.H: 2, Size.W: 4, Size.DW: 8}
SRC_REG = 0x08
"""The source bit of arithmetic and jumps: operand is a register."""


class Alu(IntEnum):
    """Top four bits of an arithmetic opcode."""

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90
    XOR = 0xA0
    MOV = 0xB0
    ARSH = 0xC0
    END = 0xD0


class Jmp(IntEnum):
    """Top four bits of a jump opcode."""

    JA = 0x00
    JEQ = 0x10
    JGT = 0x20
    JGE = 0x30
    JSET = 0x40
    JNE = 0x50
    JSGT = 0x60
    JSGE = 0x70
    CALL = 0x80
    EXIT = 0x90
    JLT = 0xA0
    JLE = 0xB0
    JSLT = 0xC0
    JSLE = 0xD0
    JCOND = 0xE0


class Atomic(IntEnum):
    """The imm of an atomic instruction."""

    ADD = 0x00
    OR = 0x40
    AND = 0x50
    XOR = 0xA0
    FETCH = 0x01
    XCHG = 0xE1
    CMPXCHG = 0xF1
    LOAD_ACQ = 0x100
    STORE_REL = 0x110


class PseudoSrc(IntEnum):
    """What the src field of a wide load says its immediate is. Source: RFC 9669 section 5.4."""

    IMM64 = 0
    MAP_FD = 1
    MAP_VALUE = 2
    BTF_ID = 3
    FUNC = 4
    MAP_IDX = 5
    MAP_IDX_VALUE = 6


class CallSrc(IntEnum):
    """What the src field of a call says its imm is. Source: RFC 9669 section 4.3.1."""

    HELPER = 0
    LOCAL = 1
    KFUNC = 2


LDDW = 0x18
JA = 0x05
JA32 = 0x06
CALL = 0x85
CALLX = 0x8D
EXIT = 0x95
MAY_GOTO = 0xE5
GOTOX = 0x0D
REGISTER_COUNT = 11
"""r0 .. r10; r10 is the read-only frame pointer."""


class Pattern(StrEnum):
    """The operands that a form takes, in the order of its mnemonic spelling; one rule of the grammar for each."""

    ALU_REG = "dst, src"
    ALU_IMM = "dst, imm"
    ALU_UNARY = "dst"
    SWAP = "dst (width fixed)"
    MOVSX = "dst, src (width fixed)"
    ADDR_SPACE_CAST = "dst, src, imm"
    LDDW = "dst, imm64"
    LOAD = "dst, [src+off]"
    STORE_REG = "[dst+off], src"
    STORE_IMM = "[dst+off], imm"
    LD_ABS = "imm"
    LD_IND = "src, imm"
    ATOMIC = "[dst+off], src; atomic"
    ATOMIC_FETCH = "[dst+off], src; old value to src"
    CMPXCHG = "[dst+off], src; compare with and old value to r0"
    LOAD_ACQUIRE = "dst, [src+off]; acquire"
    STORE_RELEASE = "[dst+off], src; release"
    JUMP = "off"
    JUMP_LONG = "imm as offset"
    JUMP_REG = "dst, src, off"
    JUMP_IMM = "dst, imm, off"
    JUMP_INDIRECT = "dst as address"
    CALL_HELPER = "imm: helper id"
    CALL_LOCAL = "imm: slots from the next one"
    CALL_KFUNC = "imm: BTF id, off: module"
    CALL_REG = "dst as function"
    EXIT = "none"


class Form(NamedTuple):
    """One row: a form, the fields that are fixed in it, and how it is spelled.

    ``src``, ``off``, ``imm`` are the fixed values of those fields, None where an operand (or any value) stands.
    ``symbol`` is the pseudo-C operator or word, ``mnemonic`` the GNU spelling ('' where it has none).
    ``size`` is the access width in bytes or the operand width of arithmetic and jumps: 4 or 8.
    ``isa`` is the -mcpu version that introduced it (1..4; 5 = later than v4), ``group`` its RFC 9669 conformance group.
    """

    name: str
    opcode: int
    pattern: Pattern
    symbol: str
    mnemonic: str
    size: int
    src: int | None = None
    off: int | None = 0
    imm: int | None = None
    isa: int = 1
    group: str = "base64"


_ALU_OPS = (
    # name, op, operator, off, isa, groups for 64 and 32 bits
    ("add", Alu.ADD, "+=", 0, 1, "base"),
    ("sub", Alu.SUB, "-=", 0, 1, "base"),
    ("mul", Alu.MUL, "*=", 0, 1, "divmul"),
    ("div", Alu.DIV, "/=", 0, 1, "divmul"),
    ("sdiv", Alu.DIV, "s/=", 1, 4, "divmul"),
    ("or", Alu.OR, "|=", 0, 1, "base"),
    ("and", Alu.AND, "&=", 0, 1, "base"),
    ("lsh", Alu.LSH, "<<=", 0, 1, "base"),
    ("rsh", Alu.RSH, ">>=", 0, 1, "base"),
    ("mod", Alu.MOD, "%=", 0, 1, "divmul"),
    ("smod", Alu.MOD, "s%=", 1, 4, "divmul"),
    ("xor", Alu.XOR, "^=", 0, 1, "base"),
    ("mov", Alu.MOV, "=", 0, 1, "base"),
    ("arsh", Alu.ARSH, "s>>=", 0, 1, "base"),
)

_COMPARE_OPS = (
    ("jeq", Jmp.JEQ, "==", 1),
    ("jgt", Jmp.JGT, ">", 1),
    ("jge", Jmp.JGE, ">=", 1),
    ("jset", Jmp.JSET, "&", 1),
    ("jne", Jmp.JNE, "!=", 1),
    ("jsgt", Jmp.JSGT, "s>", 1),
    ("jsge", Jmp.JSGE, "s>=", 1),
    ("jlt", Jmp.JLT, "<", 2),
    ("jle", Jmp.JLE, "<=", 2),
    ("jslt", Jmp.JSLT, "s<", 2),
    ("jsle", Jmp.JSLE, "s<=", 2),
)

_SIZES = (("w", Size.W, 4), ("h", Size.H, 2), ("b", Size.B, 1), ("dw", Size.DW, 8))

_ATOMIC_OPS = (
    # name, imm, pseudo-C word, pattern
    ("aadd", Atomic.ADD, "+=", Pattern.ATOMIC),
    ("aor", Atomic.OR, "|=", Pattern.ATOMIC),
    ("aand", Atomic.AND, "&=", Pattern.ATOMIC),
    ("axor", Atomic.XOR, "^=", Pattern.ATOMIC),
    ("afadd", Atomic.ADD | Atomic.FETCH, "atomic_fetch_add", Pattern.ATOMIC_FETCH),
    ("afor", Atomic.OR | Atomic.FETCH, "atomic_fetch_or", Pattern.ATOMIC_FETCH),
    ("afand", Atomic.AND | Atomic.FETCH, "atomic_fetch_and", Pattern.ATOMIC_FETCH),
    ("afxor", Atomic.XOR | Atomic.FETCH, "atomic_fetch_xor", Pattern.ATOMIC_FETCH),
    ("axchg", Atomic.XCHG, "xchg", Pattern.ATOMIC_FETCH),
    ("acmpxchg", Atomic.CMPXCHG, "cmpxchg", Pattern.CMPXCHG),
)


def _alu_forms(bits: int) -> list[Form]:
    base = Class.ALU64 if bits == 64 else Class.ALU
    suffix = "" if bits == 64 else "32"
    size = bits // 8
    forms = []
    for name, op, symbol, off, isa, group in _ALU_OPS:
        isa = max(isa, 1 if bits == 64 else 3)
        mnemonic = name + suffix
        forms.append(
            Form(
                f"{name}{bits}_reg",
                op | SRC_REG | base,
                Pattern.ALU_REG,
                symbol,
                mnemonic,
                size,
                off=off,
                imm=0,
                isa=isa,
                group=f"{group}{bits}",
            )
        )
        forms.append(
            Form(
                f"{name}{bits}_imm",
                op | base,
                Pattern.ALU_IMM,
                symbol,
                mnemonic,
                size,
                src=0,
                off=off,
                isa=isa,
                group=f"{group}{bits}",
            )
        )
    forms.append(
        Form(
            f"neg{bits}",
            Alu.NEG | base,
            Pattern.ALU_UNARY,
            "-",
            "neg" + suffix,
            size,
            src=0,
            imm=0,
            isa=1 if bits == 64 else 3,
            group=f"base{bits}",
        )
    )
    for width in (8, 16, 32)[: 3 if bits == 64 else 2]:
        forms.append(
            Form(
                f"movsx{width}_{bits}",
                Alu.MOV | SRC_REG | base,
                Pattern.MOVSX,
                f"s{width}",
                "movs" + suffix,
                size,
                off=width,
                imm=0,
                isa=4,
                group=f"base{bits}",
            )
        )
    return forms


def _swap_forms() -> list[Form]:
    forms = []
    for width in (16, 32, 64):
        group = "base64" if width == 64 else "base32"
        for name, opcode, isa in (
            ("le", Alu.END | Class.ALU, 1),
            ("be", Alu.END | SRC_REG | Class.ALU, 1),
            ("bswap", Alu.END | Class.ALU64, 4),
        ):
            mnemonic = "bswap" if name == "bswap" else f"end{name}"
            forms.append(
                Form(
                    f"{name}{width}",
                    opcode,
                    Pattern.SWAP,
                    f"{name}{width}",
                    mnemonic,
                    8,
                    src=0,
                    imm=width,
                    isa=isa,
                    group=group,
                )
            )
    return forms


def _jump_forms() -> list[Form]:
    forms = [
        Form("ja", JA, Pattern.JUMP, "goto", "ja", 8, src=0, off=None, imm=0, group="base32"),
        Form("gotol", JA32, Pattern.JUMP_LONG, "gotol", "jal", 4, src=0, isa=4, group="base32"),
        Form("call_helper", CALL, Pattern.CALL_HELPER, "call", "call", 8, src=CallSrc.HELPER, group="base32"),
        Form("call_local", CALL, Pattern.CALL_LOCAL, "call", "call", 8, src=CallSrc.LOCAL, group="base32"),
        Form("call_kfunc", CALL, Pattern.CALL_KFUNC, "call", "call", 8, src=CallSrc.KFUNC, off=None, group="base32"),
        Form("exit", EXIT, Pattern.EXIT, "exit", "exit", 8, src=0, imm=0, group="base32"),
        Form("may_goto", MAY_GOTO, Pattern.JUMP, "may_goto", "jcond", 8, src=0, off=None, imm=0, isa=5, group="post"),
        Form("callx", CALLX, Pattern.CALL_REG, "callx", "callx", 8, src=0, imm=0, isa=5, group="post"),
        Form("gotox", GOTOX, Pattern.JUMP_INDIRECT, "gotox", "", 8, src=0, imm=0, isa=5, group="post"),
    ]
    for bits, base, size in ((64, Class.JMP, 8), (32, Class.JMP32, 4)):
        suffix = "" if bits == 64 else "32"
        for name, op, symbol, isa in _COMPARE_OPS:
            isa = max(isa, 1 if bits == 64 else 3)
            forms.append(
                Form(
                    f"{name}{bits}_reg",
                    op | SRC_REG | base,
                    Pattern.JUMP_REG,
                    symbol,
                    name + suffix,
                    size,
                    off=None,
                    imm=0,
                    isa=isa,
                    group=f"base{bits}",
                )
            )
            forms.append(
                Form(
                    f"{name}{bits}_imm",
                    op | base,
                    Pattern.JUMP_IMM,
                    symbol,
                    name + suffix,
                    size,
                    src=0,
                    off=None,
                    isa=isa,
                    group=f"base{bits}",
                )
            )
    return forms


def _memory_forms() -> list[Form]:
    forms = []
    names = ("lddw", "lddw_src1", "lddw_src2", "lddw_src3", "lddw_src4", "lddw_src5", "lddw_src6")
    for kind, name in zip(PseudoSrc, names, strict=True):
        forms.append(Form(name, LDDW, Pattern.LDDW, "ll", "lddw", 8, src=kind))
    for name, size, width in _SIZES:
        group = "base64" if width == 8 else "base32"
        if width != 8:
            forms.append(
                Form(
                    f"ldabs{name}",
                    Class.LD | Mode.ABS | size,
                    Pattern.LD_ABS,
                    f"u{width * 8}",
                    f"ldabs{name}",
                    width,
                    src=0,
                    group="packet",
                )
            )
            forms.append(
                Form(
                    f"ldind{name}",
                    Class.LD | Mode.IND | size,
                    Pattern.LD_IND,
                    f"u{width * 8}",
                    f"ldind{name}",
                    width,
                    group="packet",
                )
            )
            forms.append(
                Form(
                    f"ldxs{name}",
                    Class.LDX | Mode.MEMSX | size,
                    Pattern.LOAD,
                    f"s{width * 8}",
                    f"ldxs{name}",
                    width,
                    off=None,
                    imm=0,
                    isa=4,
                )
            )
        forms.append(
            Form(
                f"ldx{name}",
                Class.LDX | Mode.MEM | size,
                Pattern.LOAD,
                f"u{width * 8}",
                f"ldx{name}",
                width,
                off=None,
                imm=0,
                group=group,
            )
        )
        forms.append(
            Form(
                f"stx{name}",
                Class.STX | Mode.MEM | size,
                Pattern.STORE_REG,
                f"u{width * 8}",
                f"stx{name}",
                width,
                off=None,
                imm=0,
                group=group,
            )
        )
        forms.append(
            Form(
                f"st{name}",
                Class.ST | Mode.MEM | size,
                Pattern.STORE_IMM,
                f"u{width * 8}",
                f"st{name}",
                width,
                src=0,
                off=None,
                group=group,
            )
        )
        atomic = Class.STX | Mode.ATOMIC | size
        forms.append(
            Form(
                f"load_acquire_{name}",
                atomic,
                Pattern.LOAD_ACQUIRE,
                "load_acquire",
                "",
                width,
                off=None,
                imm=Atomic.LOAD_ACQ,
                isa=5,
                group="post",
            )
        )
        forms.append(
            Form(
                f"store_release_{name}",
                atomic,
                Pattern.STORE_RELEASE,
                "store_release",
                "",
                width,
                off=None,
                imm=Atomic.STORE_REL,
                isa=5,
                group="post",
            )
        )
    for bits, size in ((64, Size.DW), (32, Size.W)):
        suffix = "" if bits == 64 else "32"
        for name, imm, symbol, pattern in _ATOMIC_OPS:
            isa = 1 if imm == Atomic.ADD else 3
            forms.append(
                Form(
                    f"{name}{bits}",
                    Class.STX | Mode.ATOMIC | size,
                    pattern,
                    symbol,
                    name + suffix,
                    bits // 8,
                    off=None,
                    imm=int(imm),
                    isa=isa,
                    group=f"atomic{bits}",
                )
            )
    return forms


FORMS: tuple[Form, ...] = (
    *_alu_forms(64),
    *_alu_forms(32),
    *_swap_forms(),
    Form(
        "addr_space_cast",
        Alu.MOV | SRC_REG | Class.ALU64,
        Pattern.ADDR_SPACE_CAST,
        "addr_space_cast",
        "",
        8,
        off=1,
        isa=5,
        group="post",
    ),
    *_jump_forms(),
    *_memory_forms(),
)

FORM_BY_NAME: dict[str, Form] = {form.name: form for form in FORMS}

_FORMS_BY_OPCODE: dict[int, tuple[Form, ...]] = {}
for _form in FORMS:
    _FORMS_BY_OPCODE[_form.opcode] = (*_FORMS_BY_OPCODE.get(_form.opcode, ()), _form)


def form_of(insn: Insn) -> Form | None:
    """The row that describes ``insn`` in every fixed field; None where no form does."""
    for form in _FORMS_BY_OPCODE.get(insn.opcode, ()):
        if (
            (form.src is None or form.src == insn.src)
            and (form.off is None or form.off == insn.off)
            and (form.imm is None or form.imm == insn.imm)
            and ((form.opcode == LDDW) == insn.is_wide)
        ):
            return form
    return None
