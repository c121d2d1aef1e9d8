"""Expressions: bound to the numbers and names of a line, then evaluated.

Three forms of one tree:

    plan     ["add", ["#", 0], ["@", 1]]        placeholders of a shape (shapes.py); plain JSON
    bound    ("add", 8, ("name", "table"))      this line's numbers and names
    value    int, or Address                    once the symbols are known

A value is a number, or an address: a section and an offset, or an undefined symbol and an addend. Two addresses of one
section have a difference; every other use of an address in arithmetic is a fault.

Operators and their precedence (in bpf.lark) are GNU's and LLVM's; a comparison that holds is -1. Numbers are 64 bits
wide and wrap as signed ones do, so that no expression can grow.
Source: LLVM 19 MCExpr.cpp and AsmParser.cpp (getGNUBinOpPrecedence), results confirmed with llvm-mc.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from toolchain.asm.faults import Fault

Plan: TypeAlias = Any
"""int, None, or a list that begins with a tag."""
Bound: TypeAlias = Any
"""int, None, or a tuple that begins with a tag."""
Values: TypeAlias = Sequence[Any]

MAX_DEPTH = 100
_ESCAPES = {"n": 10, "t": 9, "r": 13, "b": 8, "f": 12, "\\": 92, '"': 34, "'": 39}


class Address(NamedTuple):
    """``section`` is an index, ``offset`` counts from its start; with section -1, ``symbol`` is undefined here."""

    section: int
    offset: int
    symbol: str


Value: TypeAlias = int | Address
Lookup: TypeAlias = Callable[[str], Value]


def signed64(number: int) -> int:
    """``number`` wrapped into a signed 64-bit one."""
    number &= 0xFFFFFFFFFFFFFFFF
    return number - (number >> 63 << 64)


def string_bytes(token: str) -> bytes:
    """The bytes of a quoted string. Raises Fault for an escape that means nothing.

    Source: GNU as manual, section 3.6.1.1 "Strings".
    """
    body = token[1:-1]
    if "\\" not in body:
        return body.encode("utf-8", "surrogateescape")
    out = bytearray()
    index = 0
    while index < len(body):
        char = body[index]
        index += 1
        if char != "\\":
            out += char.encode("utf-8", "surrogateescape")
            continue
        char = body[index]
        index += 1
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif char in "01234567":
            digits = char
            while len(digits) < 3 and index < len(body) and body[index] in "01234567":
                digits += body[index]
                index += 1
            if int(digits, 8) > 255:
                raise Fault(f"escape does not fit in 8 bits: \\{digits} (\\000..\\377)", token=token)
            out.append(int(digits, 8))
        elif char in "xX":
            digits = ""
            while index < len(body) and body[index] in "0123456789abcdefABCDEF":
                digits += body[index]
                index += 1
            if not digits:
                raise Fault("escape \\x without hexadecimal digits", token=token)
            out.append(int(digits[-2:], 16))
        else:
            raise Fault(f'unknown escape in a string: \\{char} (\\n \\t \\r \\b \\f \\\\ \\" \\ooo \\xhh)', token=token)
    return bytes(out)


def symbol_name(token: str) -> str:
    """A name as symbols have it: the contents of a quoted one."""
    if token.startswith('"'):
        return string_bytes(token).decode("utf-8", "surrogateescape")
    return token


def bind(plan: Plan, values: Values) -> Bound:
    """``plan`` with the numbers and names of one line."""
    if not isinstance(plan, list):
        return plan
    tag = plan[0]
    if tag == "#":
        return values[plan[1]]
    if tag == "@":
        return ("name", symbol_name(values[plan[1]]))
    if tag == "$":
        return ("str", string_bytes(values[plan[1]]))
    if tag == "str":
        return ("str", string_bytes(plan[1]))
    return (tag, *[bind(each, values) for each in plan[1:]])


def is_number(plan: Plan) -> bool:
    """It has no names: its value is known from the line alone."""
    if isinstance(plan, int):
        return True
    if not isinstance(plan, (list, tuple)) or not plan:
        return False
    return plan[0] == "#" or (plan[0] in _OPERATORS and all(is_number(each) for each in plan[1:]))


def refs(plan: Plan) -> tuple[int, ...]:
    """The placeholders in a plan, left to right."""
    if not isinstance(plan, list):
        return ()
    if plan[0] in ("#", "@", "$"):
        return (plan[1],)
    return tuple(each for part in plan[1:] for each in refs(part))


def names(bound: Bound) -> tuple[str, ...]:
    """The names in a bound expression, left to right."""
    if not isinstance(bound, tuple):
        return ()
    if bound[0] == "name":
        return (bound[1],)
    return tuple(each for part in bound[1:] for each in names(part))


def evaluate(bound: Bound, lookup: Lookup, depth: int = 0) -> Value:
    """The value of a bound expression. Raises Fault."""
    if isinstance(bound, int):
        return bound
    if not isinstance(bound, tuple) or depth > MAX_DEPTH:
        raise Fault("an expression is missing" if bound is None else "expression too deep or not a number")
    tag = bound[0]
    if tag == "name":
        return lookup(bound[1])
    if tag == "at":
        return Address(bound[1], bound[2], "")
    operator = _OPERATORS.get(tag)
    if operator is None:
        raise Fault("a string stands where a number is wanted" if tag == "str" else "a number is wanted here")
    if len(bound) == 2:
        only = evaluate(bound[1], lookup, depth + 1)
        if isinstance(only, Address):
            if tag == "plus":
                return only
            raise Fault("an address cannot be an operand of this operator")
        return signed64(operator(only, 0))
    left = evaluate(bound[1], lookup, depth + 1)
    right = evaluate(bound[2], lookup, depth + 1)
    if isinstance(left, int) and isinstance(right, int):
        return signed64(operator(left, right))
    return _with_address(tag, left, right)


def _with_address(tag: str, left: Value, right: Value) -> Value:
    if tag == "add":
        if isinstance(right, int) and isinstance(left, Address):
            return left._replace(offset=left.offset + right)
        if isinstance(left, int) and isinstance(right, Address):
            return right._replace(offset=right.offset + left)
    elif tag == "sub" and isinstance(left, Address):
        if isinstance(right, int):
            return left._replace(offset=left.offset - right)
        if left.section == right.section and (left.section >= 0 or left.symbol == right.symbol):
            return left.offset - right.offset
        raise Fault("the difference of two addresses that are not in one section")
    elif isinstance(left, Address) and isinstance(right, Address) and left.section == right.section >= 0:
        operator = _COMPARISONS.get(tag)
        if operator is not None:
            return operator(left.offset, right.offset)
    raise Fault("an address cannot be an operand of this operator")


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise Fault("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _shift_left(left: int, right: int) -> int:
    if not 0 <= right < 64:
        raise Fault(f"shift out of range: {right} (0..63)")
    return left << right


def _shift_right(left: int, right: int) -> int:
    if not 0 <= right < 64:
        raise Fault(f"shift out of range: {right} (0..63)")
    return (left & 0xFFFFFFFFFFFFFFFF) >> right


_COMPARISONS: dict[str, Callable[[int, int], int]] = {
    "==": lambda a, b: -(a == b),
    "!=": lambda a, b: -(a != b),
    "<>": lambda a, b: -(a != b),
    "<": lambda a, b: -(a < b),
    "<=": lambda a, b: -(a <= b),
    ">": lambda a, b: -(a > b),
    ">=": lambda a, b: -(a >= b),
}

_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    "mod": lambda a, b: a - b * _divide(a, b),
    "shl": _shift_left,
    "shr": _shift_right,
    "bit_or": lambda a, b: a | b,
    "bit_and": lambda a, b: a & b,
    "bit_xor": lambda a, b: a ^ b,
    "logic_or": lambda a, b: int(bool(a) or bool(b)),
    "logic_and": lambda a, b: int(bool(a) and bool(b)),
    "negate": lambda a, _: -a,
    "plus": lambda a, _: a,
    "invert": lambda a, _: ~a,
    "logic_not": lambda a, _: int(not a),
    **_COMPARISONS,
}


def name_of(argument: Any, directive: str = "") -> str:
    """The name that an argument is. Raises Fault."""
    name = ""
    if isinstance(argument, tuple) and argument[0] == "name":
        name = str(argument[1])
    elif isinstance(argument, tuple) and argument[0] == "str":
        name = argument[1].decode("utf-8", "surrogateescape")
    if not name or "\0" in name:
        raise Fault(f"a name is wanted{' by ' + directive if directive else ''}")
    return name
