"""The opcode table seen from assembly text: how each form is found by its operator or mnemonic.

Everything here is derived from isa/forms.py when the module is imported (under 1 ms), but for the spellings that only
some assemblers know, which are rows of their own below.
"""

from __future__ import annotations

from toolchain.isa.forms import FORM_BY_NAME, FORMS, Form, Pattern

SHIFTS = frozenset({"<<=", ">>=", "s>>="})

ALU: dict[tuple[str, int, bool], Form] = {}
"""(operator, size of the operands, source is a register) -> form."""
CONDITIONS: dict[tuple[str, int, bool], Form] = {}
MEMORY: dict[tuple[Pattern, str], Form] = {}
"""(pattern, symbol such as u32) -> form: loads, stores, packet loads."""
ATOMICS: dict[tuple[str, int], Form] = {}
"""(operator or word without '64', size) -> form."""

for _form in FORMS:
    if _form.pattern in (Pattern.ALU_REG, Pattern.ALU_IMM):
        ALU[_form.symbol, _form.size, _form.pattern is Pattern.ALU_REG] = _form
    elif _form.pattern in (Pattern.JUMP_REG, Pattern.JUMP_IMM):
        CONDITIONS[_form.symbol, _form.size, _form.pattern is Pattern.JUMP_REG] = _form
    elif _form.pattern in (Pattern.LOAD, Pattern.STORE_REG, Pattern.STORE_IMM, Pattern.LD_ABS, Pattern.LD_IND):
        MEMORY[_form.pattern, _form.symbol] = _form
    elif _form.pattern in (Pattern.ATOMIC, Pattern.ATOMIC_FETCH, Pattern.CMPXCHG):
        ATOMICS[_form.symbol, _form.size] = _form

LDDW_KINDS = ("lddw", *(f"lddw_src{kind}" for kind in range(1, 7)))
"""Form names by the src field."""

_KINDS = {
    Pattern.ALU_REG: "rr",
    Pattern.ALU_IMM: "ri",
    Pattern.ALU_UNARY: "r",
    Pattern.SWAP: "ri",
    Pattern.MOVSX: "rri",
    Pattern.LDDW: "ri",
    Pattern.LOAD: "rm",
    Pattern.STORE_REG: "mr",
    Pattern.STORE_IMM: "mi",
    Pattern.LD_ABS: "i",
    Pattern.LD_IND: "ri",
    Pattern.ATOMIC: "mr",
    Pattern.ATOMIC_FETCH: "mr",
    Pattern.CMPXCHG: "mr",
    Pattern.JUMP: "i",
    Pattern.JUMP_LONG: "i",
    Pattern.JUMP_REG: "rri",
    Pattern.JUMP_IMM: "rii",
    Pattern.CALL_HELPER: "i",
    Pattern.CALL_REG: "r",
    Pattern.EXIT: "",
}
"""Operands of a mnemonic: r register, m [register+offset], i anything else."""

_ALIASES = (
    # mnemonic, operands, form; uBPF and bpf_conformance unless said
    ("call local", "i", "call_local"),
    ("call", "r", "callx"),
    ("ja32", "i", "gotol"),
    ("acmp", "mr", "acmpxchg64"),  # GNU as
    ("acmp32", "mr", "acmpxchg32"),  # GNU as
    *((f"swap{width}", "r", f"bswap{width}") for width in (16, 32, 64)),
    *((f"{end}{width}", "r", f"{end}{width}") for end in ("le", "be", "bswap") for width in (16, 32, 64)),
    *((f"movsx{width}{bits}", "rr", f"movsx{width}_{bits}") for width in (8, 16, 32) for bits in (32, 64)),
    *(
        (f"lock {fetch}{word}{suffix}", "mr", f"a{short}{word}{bits}")
        for fetch, short in (("", ""), ("fetch ", "f"))
        for word in ("add", "or", "and", "xor")
        for suffix, bits in (("", 64), ("32", 32))
    ),
    *(
        (f"lock {word}{suffix}", "mr", f"a{word}{bits}")
        for word in ("xchg", "cmpxchg")
        for suffix, bits in (("", 64), ("32", 32))
    ),
)

MNEMONICS: dict[tuple[str, str], Form] = {}
"""(mnemonic, kinds of its operands) -> form. Forms that share both (widths of swaps and sign extensions, kinds of wide
loads and calls) are represented by the first one of the table."""

for _form in FORMS:
    if _form.mnemonic and _form.pattern in _KINDS:
        MNEMONICS.setdefault((_form.mnemonic, _KINDS[_form.pattern]), _form)
for _name, _operands, _target in _ALIASES:
    if _target in FORM_BY_NAME:
        MNEMONICS.setdefault((_name, _operands), FORM_BY_NAME[_target])

MNEMONIC_OPERANDS: dict[str, tuple[str, ...]] = {}
"""Mnemonic -> the kinds of operands it takes."""
for _name, _operands in MNEMONICS:
    MNEMONIC_OPERANDS[_name] = (*MNEMONIC_OPERANDS.get(_name, ()), _operands)

BOTH_DIALECTS = frozenset({"call", "exit", "callx", "lock"})
"""Words that begin a statement in either dialect."""
