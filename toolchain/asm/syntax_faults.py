"""Faults of syntax: what stands where the grammar wants something else, in words for people."""

from __future__ import annotations

from toolchain.asm.faults import Fault

_SPELLING = {
    "REGISTER": "a register",
    "PERCENT_REGISTER": "",
    "NAME": "a name",
    "NUMBER": "a number",
    "LOCAL_LABEL": "",
    "CHARACTER": "",
    "STRING": "a string",
    "FLOAT": "a number",
    "MEMORY": "*(u8..u64 *)",
    "CAST": "(u8..u64 *)",
    "ALU_OPERATOR": "an operator such as +=",
    "CONDITION": "a comparison such as ==",
    "AT_WORD": "@type",
    "SECTION_NAME": "a section name",
    "$END": "the end of the statement",
    "GOTO": "goto",
    "LL": "ll",
    "EQUAL": "=",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "COLON": ":",
    "PLUS": "",
    "MINUS": "",
    "TILDE": "",
    "BANG": "",
}
"""How an error names what was expected; '' for what goes without saying."""


def _word_at(text: str, position: int) -> str:
    end = position
    while end < len(text) and (text[end].isalnum() or text[end] in "_.$"):
        end += 1
    return text[position : max(end, position + 1)]


def describe_syntax(text: str, dialect: str, position: int, expected: frozenset[str]) -> Fault:
    """A fault for text that the grammar does not know, at ``position``."""
    word = _word_at(text, position)
    if word == "%" and text[position + 1 : position + 2] in ("r", "w"):
        word += _word_at(text, position + 1)
        if word[2:].isdecimal():
            return Fault(f"unknown register: {word} ({word[:2]}0..{word[:2]}10)", position, position + len(word))
    if not word:
        what = "statement ends too early"
    elif word == '"':
        return Fault("string without an end", position, len(text), hint='close it with "')
    elif word == "'":
        return Fault("character without an end", position, len(text), hint="close it with '")
    elif word[0] in "rwRW" and word[1:].isdecimal():
        what = f"unknown register: {word}"
        if int(word[1:]) > 10:
            return Fault(f"{what} ({word[0]}0..{word[0]}10)", position, position + len(word))
        what = f"a register cannot stand here: {word}"
    elif position == 0:
        what = f"unknown instruction: {word}"
    elif word[0].isdigit() and not word.isalnum():
        what = f"not a number: {word}"
    elif word[0].isdigit():
        hint = "put a space before ll" if word.endswith("ll") else ""
        try:
            int(word, 0)
            what = f"unexpected {word}"
        except ValueError:
            return Fault(f"not a number: {word}", position, position + len(word), hint)
    else:
        what = f"unexpected {word}"
    choices = sorted({_SPELLING.get(each, "") for each in expected} - {""})
    if position and 0 < len(choices) <= 6:
        what += f" (expected {' or '.join(choices)})"
    return Fault(what, position, position + max(1, len(word)))
