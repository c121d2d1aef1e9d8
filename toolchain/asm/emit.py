"""Plans to records: what one statement adds to the object.

A *record* is bytes (an instruction or data whose every bit is known from the line), or a tuple that begins with a tag:

    ("label", name)                      name, or a number for a local label
    ("fix", code, fix, expression)       8 or 16 bytes with a field that symbols decide
    ("data", size, (bound, ...))         numbers that symbols decide
    ("strings" | "directive", name, arguments)
    ("assign", name, bound)

``emitter(plan)`` makes a function from the values of a line to its records. The common instruction forms get a
closure of their own, in which all that the shape decides is decided already; range checks stay in it.

Ranges: an immediate is accepted as a signed or as an unsigned 32-bit number, an offset as a signed 16-bit one; a wider
number is a fault that shows it. Nothing is ever cut off silently.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

from toolchain.asm import expressions, tables
from toolchain.asm.faults import Fault
from toolchain.asm.options import AsmOptions
from toolchain.isa.forms import FORM_BY_NAME, Form, Pattern
from toolchain.isa.opcodes import PseudoSrc

Emit = Callable[[tuple[Any, ...]], Any]

IMM_MIN, IMM_MAX = -(1 << 31), (1 << 32) - 1
OFF_MIN, OFF_MAX = -(1 << 15), (1 << 15) - 1

DATA_SIZES = {
    ".byte": 1, ".1byte": 1, ".short": 2, ".2byte": 2, ".hword": 2, ".half": 2, ".long": 4, ".4byte": 4, ".int": 4,
    ".word": 4, ".quad": 8, ".8byte": 8, ".dword": 8, ".value": 2, ".octa": 16, ".dc": 2, ".dc.b": 1, ".dc.w": 2,
    ".dc.l": 4, ".dc.a": 8,
}  # fmt: skip

_BRANCHES = (Pattern.JUMP, Pattern.JUMP_REG, Pattern.JUMP_IMM)


class Encoder:
    """Makes emitters for one set of options."""

    def __init__(self, options: AsmOptions) -> None:
        self.options = options
        little = options.endian == "little"
        self.mark = "<" if little else ">"
        self.order: Literal["little", "big"] = "little" if little else "big"
        self.pack = struct.Struct(self.mark + "BBhi").pack
        self.dst_shift, self.src_shift = (0, 4) if little else (4, 0)

    def emitter(self, plan: tuple[Any, ...]) -> Emit:
        """From the values of a line to its record, or to a list of records where the statement has labels."""
        makers = [self._item(item) for item in plan]
        if len(makers) == 1:
            return makers[0]
        return lambda values: [make(values) for make in makers]

    def _item(self, item: Any) -> Emit:
        kind = item[0]
        if kind == "insn":
            return self._insn(*item[1:])
        if kind == "label":
            return _label(item[1])
        if kind == "data":
            return self._data(item[1], item[2])
        if kind == "strings":
            return _strings(item[1], item[2])
        if kind == "pseudo":
            return self._pseudo(*item[1:])
        if kind == "assign":
            _, name, expr = item
            return lambda values: ("assign", expressions.bind(name, values)[1], expressions.bind(expr, values))
        if kind == "floats":
            data = b"".join(self._float(item[1], text) for text in item[2])
            return lambda values: data
        if kind == "directive":
            _, name, arguments = item
            if not arguments:
                record = ("directive", name, ())
                return lambda values: record
            return lambda values: ("directive", name, tuple(_bind_argument(each, values) for each in arguments))
        raise Fault(f"plan of an unknown kind: {kind}")

    def _float(self, directive: str, text: str) -> bytes:
        try:
            is_double = directive in (".double", ".dc.d")
            if "nan" in text.lower():
                size = 8 if is_double else 4
                return ((1 << (8 * size - 1)) - 1 | text.startswith("-") << (8 * size - 1)).to_bytes(size, self.order)
            return struct.pack(self.mark + ("d" if is_double else "f"), float(text))
        except (ValueError, OverflowError):
            raise Fault(f"not a number of this width: {text}", token=text) from None

    # ---- instructions
    def _insn(self, name: str, dst: int, src: int, off: Any, imm: Any, checks: list[Any]) -> Emit:
        form = FORM_BY_NAME[name]
        if form.isa > self.options.isa_limit:
            needed = "v4" if form.isa > 4 else f"v{form.isa}"
            text = f"instruction needs -mcpu={needed} or newer: {form.name} (-mcpu={self.options.cpu})"

            def refuse(values: tuple[Any, ...]) -> Any:
                raise Fault(text)

            return refuse
        if form.pattern is Pattern.CALL_HELPER or form.pattern is Pattern.CALL_LOCAL:
            return self._call(form, imm)
        if form.pattern is Pattern.LDDW:
            return self._wide(form.src or 0, dst, imm)
        if form.pattern is Pattern.JUMP_LONG and not expressions.is_number(imm):
            return self._fixed(form, dst, src, 0, "branch32", imm)
        if form.pattern in _BRANCHES and not expressions.is_number(off):
            if form.pattern is Pattern.JUMP_IMM and not expressions.is_number(imm):
                return self._symbolic(form, dst, src, (("branch16", off), ("imm32", imm)))
            fix = "branch16" if form.pattern is not Pattern.JUMP or form.name != "ja" else "goto"
            return self._fixed(form, dst, src, imm, fix, off)
        if not expressions.is_number(off):
            if not expressions.is_number(imm):
                return self._symbolic(form, dst, src, (("off16", off), ("imm32", imm)))
            return self._fixed(form, dst, src, imm, "off16", off)
        if not expressions.is_number(imm):
            return self._fixed(form, dst, src, 0, "imm32", imm, off)
        return self._plain(form, dst, src, off, imm, checks)

    def _plain(self, form: Form, dst: int, src: int, off: Any, imm: Any, checks: list[Any]) -> Emit:
        """All operands are numbers of the line."""
        pack, dst_shift, src_shift = self.pack, self.dst_shift, self.src_shift
        opcode = form.opcode
        fixed_imm = form.imm if form.imm is not None and imm == 0 else None
        fixed_off = form.off if form.off is not None and off == 0 else None
        get_imm = _imm_getter(imm, form) if fixed_imm is None else None
        get_off = _off_getter(off) if fixed_off is None and off != 0 else None
        constant_off = fixed_off or 0
        constant_imm = fixed_imm or 0
        registers = _registers_getter(dst, src, dst_shift, src_shift)
        if checks:
            guard = _guard(checks)

            def emit(values: tuple[Any, ...]) -> Any:
                guard(values)
                return pack(
                    opcode, registers(values), get_off(values) if get_off else constant_off,
                    get_imm(values) if get_imm else constant_imm,
                )  # fmt: skip

            return emit
        if get_imm is None and get_off is None:
            return lambda values: pack(opcode, registers(values), constant_off, constant_imm)
        if get_off is None:
            return lambda values: pack(opcode, registers(values), constant_off, get_imm(values))  # type: ignore[misc]
        if get_imm is None:
            return lambda values: pack(opcode, registers(values), get_off(values), constant_imm)
        return lambda values: pack(opcode, registers(values), get_off(values), get_imm(values))

    def _fixed(self, form: Form, dst: int, src: int, imm: Any, fix: str, expr: Any, off: Any = 0) -> Emit:
        """One field waits for a symbol."""
        pack = self.pack
        registers = _registers_getter(dst, src, self.dst_shift, self.src_shift)
        get_imm = _imm_getter(imm, form) if form.imm is None and imm != 0 else None
        get_off = _off_getter(off) if off != 0 else None
        opcode, constant_imm, constant_off = form.opcode, form.imm or 0, form.off or 0
        if isinstance(expr, list) and expr[0] == "@":
            index = expr[1]
            return lambda values: (
                "fix", pack(opcode, registers(values), get_off(values) if get_off else constant_off,
                            get_imm(values) if get_imm else constant_imm), fix,
                ("name", expressions.symbol_name(values[index])),
            )  # fmt: skip
        return lambda values: (
            "fix", pack(opcode, registers(values), get_off(values) if get_off else constant_off,
                        get_imm(values) if get_imm else constant_imm), fix,
            expressions.bind(expr, values),
        )  # fmt: skip

    def _symbolic(self, form: Form, dst: int, src: int, fixes: tuple[tuple[str, Any], ...]) -> Emit:
        """Two fields wait for symbols."""
        pack = self.pack
        registers = _registers_getter(dst, src, self.dst_shift, self.src_shift)
        return lambda values: (
            "fixes", pack(form.opcode, registers(values), 0, form.imm or 0),
            tuple((fix, expressions.bind(expr, values)) for fix, expr in fixes),
        )  # fmt: skip

    def _call(self, form: Form, imm: Any) -> Emit:
        pack = self.pack
        source = (form.src or 0) << self.src_shift
        if expressions.is_number(imm):
            get_imm = _imm_getter(imm, form)
            return lambda values: pack(form.opcode, source, 0, get_imm(values))
        local = pack(form.opcode, 1 << self.src_shift, 0, -1)
        return lambda values: ("fix", local, "call", expressions.bind(imm, values))

    def _wide(self, kind: int, dst: int, imm: Any) -> Emit:
        registers = _registers_getter(dst, -1 - kind, self.dst_shift, self.src_shift)
        pack = self.pack
        if not expressions.is_number(imm):
            upper = pack(0, 0, 0, 0)
            return lambda values: (
                "fix", pack(0x18, registers(values), 0, 0) + upper, "wide", expressions.bind(imm, values)
            )  # fmt: skip
        get = _number_getter(imm)
        places = expressions.refs(imm)

        def emit(values: tuple[Any, ...]) -> Any:
            number = get(values)
            if not -(1 << 63) <= number < 1 << 64:
                raise Fault(f"immediate does not fit in 64 bits: {_show(number)}", refs=places)
            low, high = number & 0xFFFFFFFF, number >> 32 & 0xFFFFFFFF
            return pack(0x18, registers(values), 0, low - (low >> 31 << 32)) + pack(0, 0, 0, high - (high >> 31 << 32))

        return emit

    def _pseudo(self, dst: int, kind: Any, imm: Any) -> Emit:
        """``ld_pseudo dst, kind, imm``: a wide load whose src field says what its immediate is."""

        def emit(values: tuple[Any, ...]) -> Any:
            number = _number_getter(kind)(values) if expressions.is_number(kind) else -1
            if not 0 <= number <= max(PseudoSrc):
                raise Fault(f"kind of a wide load: {number} (0..{int(max(PseudoSrc))})", refs=expressions.refs(kind))
            code: Any = self._wide(number, dst, imm)(values)
            # as LLVM has it, a number below zero is 32 bits wide here: the upper half has a meaning of its own
            is_negative = isinstance(code, bytes) and _number_getter(imm)(values) < 0
            return code[:8] + self.pack(0, 0, 0, 0) if is_negative else code

        return emit

    # ---- data
    def _data(self, directive: str, operands: list[Any]) -> Emit:
        size = DATA_SIZES.get(directive)
        if size is None or not all(expressions.is_number(each) for each in operands):
            key = directive if size is None else size
            return lambda values: ("data", key, tuple(expressions.bind(each, values) for each in operands))
        if len(operands) == 1 and isinstance(operands[0], list) and operands[0][0] == "#":
            return _one_number(size, operands[0][1], self.options.endian)
        getters = [(_number_getter(each), expressions.refs(each)) for each in operands]
        endian = self.options.endian
        return lambda values: b"".join(_data_bytes(get(values), size, endian, places) for get, places in getters)


def _one_number(size: int, index: int, endian: str) -> Emit:
    """``.long 5``: most lines of a compiler's output with type information."""

    @lru_cache(maxsize=4096)
    def convert(number: int) -> bytes:
        return _data_bytes(number, size, endian, (index,))

    return lambda values: convert(values[index])


def data_bytes(number: int, size: int, endian: str) -> bytes:
    """``number`` in ``size`` bytes; it may be signed or unsigned. Raises Fault where it does not fit."""
    return _data_bytes(number, size, endian, ())


def _data_bytes(number: int, size: int, endian: str, places: tuple[int, ...]) -> bytes:
    bits = size * 8
    if not -(1 << (bits - 1)) <= number < 1 << bits:
        raise Fault(f"number does not fit in {bits} bits: {_show(number)}", refs=places)
    return (number & ((1 << bits) - 1)).to_bytes(size, endian)  # type: ignore[arg-type]


def _label(name: Any) -> Emit:
    if isinstance(name, int):
        record = ("label", name)
        return lambda values: record
    if name[0] == "@":
        index = name[1]
        return lambda values: ("label", expressions.symbol_name(values[index]))
    if name[0] == "#":
        return lambda values: ("label", values[name[1]])
    constant = ("label", name[1])
    return lambda values: constant


def _strings(directive: str, runs: list[Any]) -> Emit:
    ends = b"" if directive == ".ascii" else b"\0"
    if directive == ".base64":
        return lambda values: b"".join(_base64(expressions.bind(each, values)[1]) for run in runs for each in run)
    if len(runs) == 1 and len(runs[0]) == 1 and runs[0][0][0] == "$":
        index = runs[0][0][1]
        return lambda values: expressions.string_bytes(values[index]) + ends
    return lambda values: b"".join(b"".join(expressions.bind(each, values)[1] for each in run) + ends for run in runs)


def _base64(text: bytes) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Fault("not base64") from None


def _bind_argument(argument: Any, values: tuple[Any, ...]) -> Any:
    if isinstance(argument, list) and argument[0] == "register":
        ref = argument[1]
        return ("register", values[ref] if ref >= 0 else -1 - ref)
    if isinstance(argument, list) and argument[0] == "option":
        return ("option", expressions.bind(argument[1], values)[1], expressions.bind(argument[2], values))
    return expressions.bind(argument, values)


# ---- fields
def _show(number: int) -> str:
    text = str(number) if abs(number) < 1 << 128 else "a number of more than 128 bits"
    return text


def _number_getter(expr: Any) -> Callable[[tuple[Any, ...]], int]:
    if isinstance(expr, int):
        return lambda values: expr
    if expr[0] == "#":
        index: int = expr[1]
        return lambda values: int(values[index])
    if expr[0] == "plus":
        return _number_getter(expr[1])
    if expr[0] == "negate" and isinstance(expr[1], list) and expr[1][0] == "#":
        inner: int = expr[1][1]
        return lambda values: -int(values[inner])

    def get(values: tuple[Any, ...]) -> int:
        try:
            value = expressions.evaluate(expressions.bind(expr, values), _no_names)
        except Fault as fault:
            fault.refs = fault.refs or expressions.refs(expr)
            raise
        assert isinstance(value, int)
        return value

    return get


def _no_names(name: str) -> int:
    raise Fault(f"a number is wanted here: {name}", token=name)


def _imm_getter(expr: Any, form: Form) -> Callable[[tuple[Any, ...]], int]:
    get = _number_getter(expr)
    places = expressions.refs(expr)
    is_move = form.name in ("mov64_imm", "mov32_imm")
    if form.symbol in tables.SHIFTS:
        bits = form.size * 8

        def get_shift(values: tuple[Any, ...]) -> int:
            number = get(values)
            if not 0 <= number < bits:
                raise Fault(f"shift out of range: {number} (0..{bits - 1})", refs=places)
            return number

        return get_shift

    def get_imm(values: tuple[Any, ...]) -> int:
        number = get(values)
        if number > 0x7FFFFFFF:
            if number > IMM_MAX:
                raise imm_fault(number, places, is_move)
            return number - (1 << 32)
        if number < IMM_MIN:
            raise imm_fault(number, places, is_move)
        return number

    return get_imm


def imm_fault(number: int, places: tuple[int, ...] = (), is_move: bool = False) -> Fault:
    """An immediate out of range."""
    hint = f"write `rN = {_show(number)} ll`, a load of 64 bits" if is_move and -(1 << 63) <= number < 1 << 64 else ""
    hint = hint or "load it into a register first, with `rN = ... ll`"
    return Fault(f"immediate does not fit in 32 bits: {_show(number)} ({IMM_MIN}..{IMM_MAX})", hint=hint, refs=places)


def _off_getter(expr: Any) -> Callable[[tuple[Any, ...]], int]:
    get = _number_getter(expr)
    places = expressions.refs(expr)

    def get_off(values: tuple[Any, ...]) -> int:
        number = get(values)
        if not OFF_MIN <= number <= OFF_MAX:
            raise Fault(f"offset does not fit in 16 bits: {_show(number)} ({OFF_MIN}..{OFF_MAX})", refs=places)
        return number

    return get_off


def _registers_getter(dst: int, src: int, dst_shift: int, src_shift: int) -> Callable[[tuple[Any, ...]], int]:
    """The register byte. A field below 0 is the fixed register -1 - field."""
    if dst >= 0 and src >= 0:
        return lambda values: values[dst] << dst_shift | values[src] << src_shift
    if dst >= 0:
        fixed = (-1 - src) << src_shift
        return lambda values: values[dst] << dst_shift | fixed
    if src >= 0:
        fixed = (-1 - dst) << dst_shift
        return lambda values: fixed | values[src] << src_shift
    both = (-1 - dst) << dst_shift | (-1 - src) << src_shift
    return lambda values: both


def _guard(checks: list[Any]) -> Callable[[tuple[Any, ...]], None]:
    def register(ref: int, values: tuple[Any, ...]) -> int:
        return int(values[ref]) if ref >= 0 else -1 - ref

    def guard(values: tuple[Any, ...]) -> None:
        for kind, left, *rest in checks:
            if kind == "same":
                right, text = rest
                if register(left, values) != register(right, values):
                    met = f"{register(left, values)} and {register(right, values)}"
                    raise Fault(f"{text}: {met}", refs=(right,) if right >= 0 else ())
            elif kind == "is":
                wanted, text = rest
                if register(left, values) != wanted:
                    raise Fault(f"{text}: {register(left, values)} ({wanted})", refs=(left,) if left >= 0 else ())
            elif kind == "in":
                allowed, text = rest
                number = _number_getter(left)(values) if expressions.is_number(left) else None
                if number not in allowed:
                    choices = ", ".join(map(str, allowed))
                    raise Fault(f"{text}: {number} ({choices})", refs=expressions.refs(left))
            else:
                low, high, text = rest
                number = _number_getter(left)(values) if expressions.is_number(left) else None
                if number is None or not low <= number <= high:
                    raise Fault(f"{text}: {number} ({low}..{high})", refs=expressions.refs(left))

    return guard


def leb128(value: int, is_signed: bool, size: int = 1) -> bytes:
    """A LEB128 number in at least ``size`` bytes. Source: DWARF 5, section 7.6. Raises Fault."""
    if value < 0 and not is_signed:
        value += 1 << 64
    out = bytearray()
    while True:
        low = value & 0x7F
        value >>= 7
        is_last = (value == 0 and not (is_signed and low & 0x40)) or (is_signed and value == -1 and bool(low & 0x40))
        if is_last and len(out) + 1 >= size:
            out.append(low)
            return bytes(out)
        out.append(low | 0x80)
