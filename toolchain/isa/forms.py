"""The table of instruction forms: every form that an instruction may have, once.

Some forms share an opcode byte (opcodes.py) and differ in src, off or imm; such a field is fixed in the row. The
decoder's printer, the assembler's grammar actions, the formatter and the C core's decoder read this table.

Sources: RFC 9669 (sections 4 and 5, appendix A) for the groups base32 .. packet; for the group "post", what Linux
added later: include/uapi/linux/bpf.h (BPF_JCOND, BPF_LOAD_ACQ, BPF_STORE_REL, BPF_ADDR_SPACE_CAST) and
kernel/bpf/verifier.c of 6.18, and LLVM 22's BPFInstrInfo.td for gotox.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from toolchain.isa.insn import Insn
from toolchain.isa.opcodes import (
    CALL,
    CALLX,
    EXIT,
    GOTOX,
    JA,
    JA32,
    LDDW,
    MAY_GOTO,
    SRC_REG,
    Alu,
    Atomic,
    CallSrc,
    Class,
    Jmp,
    Mode,
    PseudoSrc,
    Size,
)


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
