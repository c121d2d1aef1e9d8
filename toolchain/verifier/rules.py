"""The rules that a refusal can name: stable ids, what each needs, and the edit that usually mends it.

A row is found by the text of the refusal's last lines, which is the kernel's wording; so the table serves our own
verdicts and pasted kernel logs. Templates are filled with the numbers of the message, with those of the guilty
register, and with what is computed from both (explain.py): {r} the register, {value} its text, {least} {most} its
range, {index} what was added to it last, {first} {last} the bytes touched, {end} one past them, {limit} the largest
value that would do, {touched} the context field met, {bound} the check that
would do.

Order matters: the first row that matches is the rule. Ids are documented and never change their meaning.

Source of the messages: kernel/bpf/verifier.c of Linux 6.12 and the answers of 6.18.44.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Rule(NamedTuple):
    """One row.

    ``guilty`` says which register is to blame: 'r', the one of that group of ``pattern``; 'dst', 'base' (of the memory
    access), 'scalar' (the operand that is a number) of the instruction; '' none.
    """

    id: str
    pattern: str
    title: str
    needed: str
    known: str
    edit: str
    guilty: str = "r"


_REG = r"R(?P<r>\d+)"
_BYTES = r"off=(?P<off>-?\d+) size=(?P<size>\d+)"

RULES: tuple[Rule, ...] = (
    Rule(
        "V-PKT-RANGE",
        rf"invalid access to packet, {_BYTES}, {_REG}\(id=\d+,off=-?\d+,r=(?P<range>-?\d+)\)",
        "reads or writes past the part of the packet that was checked",
        "bytes {first}..{last}, counted from the packet pointer that {r} was made of",
        "{proven}",
        "before this instruction, leave if {r} + {reach} is greater than data_end",
    ),
    Rule(
        "V-PKT-RANGE",
        rf"{_REG} offset is outside of the packet",
        "reads or writes past the part of the packet that was checked",
        "bytes of the packet that a comparison with data_end has proven to exist",
        "{r} is {value}",
        "before this instruction, compare the end of the access with data_end and leave if it is greater",
    ),
    Rule(
        "V-MEM-RANGE",
        rf"invalid access to (?P<kind>map value|map key|memory), \w+=(?P<have>\d+) {_BYTES}\n{_REG} max value",
        "the largest possible offset lies past the end",
        "an end within {have} bytes: the variable part of the offset at most {limit}",
        "{r} is {value}",
        "{bound}",
    ),
    Rule(
        "V-MEM-RANGE",
        rf"invalid access to (?P<kind>map value|map key|memory), \w+=(?P<have>\d+) {_BYTES}",
        "the access lies outside of the {kind}",
        "bytes {first}..{last}",
        "the {kind} has {have} bytes, 0..{have_last}",
        "use an offset from 0 to {limit} for an access of {size} bytes, or enlarge the {kind}",
    ),
    Rule(
        "V-MEM-RANGE",
        r"invalid access to map value pointer, value_size=(?P<have>\d+) off=(?P<off>\d+)",
        "an address in a map's value lies outside of it",
        "an offset below {have}",
        "offset {off}",
        "use an offset from 0 to {have_last}",
        "",
    ),
    Rule(
        "V-MEM-RANGE",
        rf"{_REG} (?P<which>min|max) value is outside of the allowed memory range",
        "the offset may lie outside of the memory",
        "an offset inside of the memory",
        "{r} is {value}",
        "check the index against the size of the memory before it is added to the pointer",
    ),
    Rule(
        "V-MEM-UNBOUNDED",
        rf"{_REG} unbounded memory access",
        "an offset or a size has no upper bound",
        "a number with an upper bound that fits the memory",
        "{r} is {value}",
        "bound it first: {index} &= MASK, or leave if {index} is greater (unsigned) than the size allows",
    ),
    Rule(
        "V-MEM-NEGATIVE",
        rf"{_REG} min value is negative",
        "an offset or a size may be negative",
        "a number that is at least 0",
        "{r} is at least {least}",
        "compare {index} as unsigned, mask it ({index} &= MASK), or leave if {index} s< 0, before this instruction",
    ),
    Rule(
        "V-MEM-ZERO",
        rf"{_REG} invalid zero-sized read",
        "a size may be zero",
        "a size of at least 1",
        "{r} is {value}",
        "leave if {r} is 0 before the call",
    ),
    Rule(
        "V-NULL-CHECK",
        rf"{_REG} invalid mem access '(?P<type>\w*_or_null\w*)'",
        "the pointer may be null",
        "a pointer that was compared with 0",
        "{r} is {value}",
        "if {r} == 0, leave, between where it is set and this instruction",
    ),
    Rule(
        "V-NULL-CHECK",
        rf"{_REG} pointer arithmetic on (?P<type>\w+) prohibited, null-check it first",
        "arithmetic on a pointer that may be null",
        "a pointer that was compared with 0",
        "{r} is {value}",
        "if {r} == 0, leave, before arithmetic on it",
    ),
    Rule(
        "V-NULL-CHECK",
        r"Possibly NULL pointer passed to (?P<kind>helper|trusted) arg(?P<r>\d+)",
        "the argument may be null",
        "a pointer that was compared with 0",
        "{r} is {value}",
        "compare the pointer with 0 before the call",
    ),
    Rule(
        "V-NOT-POINTER",
        rf"{_REG} invalid mem access '(?P<type>[^']+)'",
        "loads or stores through something that is no pointer to memory",
        "a pointer to memory",
        "{r} is {value}",
        "keep the pointer itself in a register or a full 8-byte stack slot; a number cannot become a pointer again",
    ),
    Rule(
        "V-REG-UNINIT",
        rf"{_REG} !read_ok",
        "reads a register that nothing was put into on this path",
        "{r} to be set on every path to here",
        "{r} was never set, or a call cleared it (calls clear R1 to R5)",
        "set {r} before this instruction on this path, or keep the value in R6 to R9 across calls",
    ),
    Rule(
        "V-ARG-TYPE",
        rf"{_REG} type=(?P<type>\S+) expected=(?P<expected>.+)",
        "an argument has the wrong type",
        "{r} to be {expected}",
        "{r} is {value}",
        "pass {expected} in {r}",
    ),
    Rule(
        "V-STACK-UNINIT",
        r"invalid (?:indirect )?read from stack (?:R\d+ )?off (?P<off>-?\d+)\+(?P<unwritten>\d+) size (?P<size>\d+)",
        "reads stack bytes that nothing was written to",
        "bytes fp{off}..fp{last} to be written first",
        "byte {unwritten} of them was not",
        "store to all {size} bytes from r10 {off} on before this instruction, on every path",
        "",
    ),
    Rule(
        "V-STACK-RANGE",
        rf"invalid (?:read from|write to|indirect access to)? ?stack {_REG} {_BYTES}",
        "touches bytes outside of the stack frame",
        "bytes fp{off}..fp{last}",
        "a frame is fp-512..fp-1",
        "use an offset from -512 to -{size}",
    ),
    Rule(
        "V-STACK-VARIABLE",
        rf"invalid (?:unbounded )?variable-offset.* stack {_REG}",
        "a variable offset into the stack is not bounded within the frame",
        "an offset whose smallest and largest values lie in fp-512..fp-1",
        "{r} is {value}",
        "bound the index on both sides before it is added to the frame pointer",
    ),
    Rule(
        "V-STACK-SPILL",
        r"invalid size of register fill|corrupted spill memory|attempt to corrupt spilled pointer on stack",
        "touches a part of a pointer that was saved on the stack",
        "a saved pointer to be read and written as one 8-byte slot",
        "this access covers only a part of it",
        "use an 8-byte access to the slot, or another slot",
        "",
    ),
    Rule(
        "V-STACK-DEPTH",
        r"stack size of (?:\d+ calls|subprog \d+) is (?P<have>\d+)\. Too large",
        "the frames of nested calls are too large together",
        "at most 512 bytes",
        "{have} bytes",
        "move large variables to a map, or use fewer nested functions",
        "",
    ),
    Rule(
        "V-CALL-DEPTH",
        r"the call stack of (?P<calls>\d+) frames is too deep",
        "functions call each other too deeply, or themselves",
        "at most 8 frames",
        "{calls} frames",
        "unroll the recursion, or inline a function",
        "",
    ),
    Rule(
        "V-PTR-UNBOUNDED",
        r"math between (?P<type>\w+) pointer and register with unbounded min value is not allowed",
        "a number without a lower bound is added to a pointer",
        "a number that is bounded below and above",
        "{r} is {value}",
        "bound {r} before the addition: {r} &= MASK, or compare it as unsigned with its limit",
        "scalar",
    ),
    Rule(
        "V-PTR-OFFSET",
        r"math between \w+ pointer and -?\d+ is not allowed|value -?\d+ makes \w+ pointer be out of bounds|"
        r"\w+ pointer offset -?\d+ is not allowed",
        "the pointer's offset becomes too large",
        "an offset below 2^29 either way, and none of a type that allows none",
        "{r} is {value}",
        "keep the offset within the object; bound the number that is added",
        "dst",
    ),
    Rule(
        "V-PTR-ARITH",
        rf"{_REG} (?:pointer arithmetic|bitwise operator|32-bit pointer arithmetic|tried to subtract pointer|"
        r"pointer \S+ pointer|subtraction from|partial copy|sign-extension part)",
        "arithmetic that a pointer does not allow",
        "only + and - of a number on a 64-bit pointer, and pointer - pointer of one kind",
        "{r} is {value}",
        "compute the offset as a number first, then add it to the pointer",
    ),
    Rule(
        "V-PTR-LEAK",
        rf"{_REG} leaks addr",
        "a kernel address would become readable",
        "a number",
        "{r} is {value}",
        "store a number instead of the pointer",
    ),
    Rule(
        "V-CTX-ACCESS",
        rf"invalid bpf_context access {_BYTES}",
        "this field of the context is not open to this access",
        "a field that programs of this type may touch, with a width that it takes, in the right direction",
        "{touched}",
        "{field_edit}",
        "",
    ),
    Rule(
        "V-CTX-OFFSET",
        rf"(?:dereference of modified|negative offset) \w+ ptr {_REG} off=-?\d+ disallowed|"
        r"variable \w+ access var_off=\S+ \S+ disallowed",
        "the context pointer was changed before the access",
        "the context pointer as the program got it",
        "its offset is not 0",
        "access the context through an unchanged copy, with the offset in the instruction",
        "base",
    ),
    Rule(
        "V-PKT-WRITE",
        r"cannot write into packet",
        "programs of this type may not change the packet",
        "a program type with direct packet writes (sched_cls, xdp, ...)",
        "this one reads only",
        "use a helper such as bpf_skb_store_bytes, or another program type",
        "",
    ),
    Rule(
        "V-MAP-ACCESS",
        rf"(?P<way>read from|write into) map forbidden, value_size=(?P<have>\d+) {_BYTES}",
        "the map's flags forbid this access to programs",
        "a map that programs may {way}",
        "its flags say otherwise",
        "drop BPF_F_RDONLY_PROG or BPF_F_WRONLY_PROG from the map, or the access from the program",
        "",
    ),
    Rule(
        "V-MAP-HELPER",
        r"cannot pass map_type (?P<type>\d+) into func (?P<helper>\S+)",
        "the helper does not work on this kind of map",
        "a map type that {helper} serves",
        "map type {type}",
        "use the helper or the map type that belong together",
        "",
    ),
    Rule(
        "V-MAP-HELPER",
        r"expected prog array map for tail call",
        "a tail call through a map that holds no programs",
        "a map of type prog_array in R2",
        "it is another type",
        "pass the prog_array",
        "",
    ),
    Rule(
        "V-ALIGN",
        r"misaligned (?P<kind>\w+) access off (?P<text>.+) size (?P<size>\d+)",
        "the address is not a multiple of the access's size",
        "a multiple of {size}",
        "offset {text}",
        "align the offset, or read the bytes one by one",
        "base",
    ),
    Rule(
        "V-RET-RANGE",
        r"At .*(?:exit|return) the register R(?P<r>\d+) has .*should have been in \[(?P<low>-?\d+), (?P<high>-?\d+)\]",
        "the return value may lie outside of what this hook allows",
        "{low}..{high}",
        "{r} is {value}",
        "set R0 to a value from {low} to {high} before exit",
    ),
    Rule(
        "V-RET-RANGE",
        r"At .*(?:exit|return) the register R(?P<r>\d+) is not a known value",
        "the return value is not a number",
        "a number",
        "{r} is {value}",
        "set R0 to a number before exit",
    ),
    Rule(
        "V-REF-LEAK",
        r"Unreleased reference id=\d+ alloc_insn=(?P<alloc>\d+)|would lead to reference leak",
        "something acquired is not released on this path",
        "a release on every path",
        "{held}",
        "release it before this instruction (submit, discard, sk_release, unlock ...), on every path",
        "",
    ),
    Rule(
        "V-REF-RELEASE",
        rf"{_REG} must be referenced when passed to release function",
        "releases something that is not held",
        "a pointer that an acquiring call returned and nobody released",
        "{r} is {value}",
        "release it once, and only what was acquired",
    ),
    Rule(
        "V-REF-RELEASE",
        rf"{_REG} must have zero offset when passed to release",
        "releases a pointer that is not the one that was acquired",
        "the pointer as it was returned",
        "{r} is {value}",
        "keep an unchanged copy for the release",
    ),
    Rule(
        "V-ARG-VALUE",
        r"(?P<helper>\w+)\(\) doesn't support non-zero flags",
        "an argument has a value that the helper does not take",
        "flags of 0",
        "{helper} got others",
        "pass 0",
        "",
    ),
    Rule(
        "V-ARG-VALUE",
        rf"{_REG} (?:must be|is not|has to be) a (?:known )?constant",
        "an argument must be one number",
        "a constant",
        "{r} is {value}",
        "pass a constant",
    ),
    Rule(
        "V-LOOP",
        r"infinite loop detected at insn (?P<at>\d+)",
        "the loop comes back with nothing changed",
        "a counter or a bound that moves towards the end in each round",
        "the state at insn {at} is one that was met before",
        "change a register that the loop's condition reads in each round",
        "",
    ),
    Rule(
        "V-LOOP",
        r"back-edge from insn (?P<from>\d+) to (?P<at>\d+)",
        "a loop where none is allowed",
        "code without backward jumps",
        "insn {from} jumps back to {at}",
        "unroll the loop",
        "",
    ),
    Rule(
        "V-COMPLEX",
        r"BPF program is too large\. Processed \d+ insn|The sequence of \d+ jumps is too complex",
        "too many paths to check",
        "at most 1,000,000 instructions checked, and 8,192 jumps pending",
        "{cost}",
        "bound the loops more tightly, or move their body into a global function or a bpf_loop callback",
        "",
    ),
    Rule(
        "V-HELPER-TYPE",
        r"program of this type cannot use helper (?P<helper>\S+)",
        "this helper is not for this program type",
        "a helper that this program type has",
        "{helper}",
        "use another helper, or another program type",
        "",
    ),
    Rule(
        "V-INSN-TYPE",
        r"(?P<what>BPF_LD_\S+) instructions not allowed for this program type",
        "these loads are not for this program type",
        "a socket filter or a classifier",
        "{what} in another type",
        "use direct packet access, or bpf_skb_load_bytes",
        "",
    ),
    Rule(
        "V-HELPER-UNKNOWN",
        r"invalid func (?P<helper>\S+)",
        "there is no such helper",
        "a helper that exists",
        "{helper} is none",
        "correct the number; a call of an unresolved symbol also looks like this",
        "",
    ),
    Rule(
        "V-LICENCE",
        r"cannot call GPL-restricted function from non-GPL compatible program",
        "the helper is for GPL-compatible programs",
        "a licence section that says GPL or a dual licence with it",
        "another licence, or none",
        'declare the licence if it is so: .license "GPL"',
        "",
    ),
    Rule(
        "V-DIV-ZERO",
        r"div by zero",
        "divides by the constant zero",
        "a divisor that is not 0",
        "it is 0",
        "correct the divisor",
        "",
    ),
    Rule(
        "V-SHIFT",
        r"invalid shift (?P<number>-?\d+)",
        "shifts by more than the width",
        "0..63, or 0..31 for a 32-bit shift",
        "{number}",
        "correct the amount",
        "",
    ),
    Rule(
        "V-CFG-UNREACHABLE",
        r"unreachable insn (?P<at>\d+)",
        "no path leads to an instruction",
        "every instruction to be reachable",
        "insn {at} is not",
        "remove it, or add the jump that should lead there",
        "",
    ),
    Rule(
        "V-CFG-JUMP",
        r"jump out of range from insn \d+ to -?\d+|"
        r"jump into the middle of ldimm64 insn \d+|call to invalid destination",
        "a jump leads out of the function or into the middle of an instruction",
        "a target that is an instruction of the same function",
        "it is not",
        "correct the jump's offset",
        "",
    ),
    Rule(
        "V-CFG-FUNCTION",
        r"number of funcs in func_info doesn't match number of subprogs|"
        r"func_info BTF section doesn't match subprog layout in BPF program",
        "a call leads into the middle of a function that has a type",
        "calls of the functions that the type information describes",
        "the call begins another one there",
        "call the function by its name",
        "",
    ),
    Rule(
        "V-CFG-END",
        r"last insn is not an exit or jmp",
        "the function runs off its end",
        "exit or a jump as the last instruction",
        "the last instruction is neither",
        "end the function with exit",
        "",
    ),
    Rule(
        "V-REG-NUMBER",
        rf"{_REG} is invalid",
        "there is no such register",
        "r0 to r10",
        "{r}",
        "correct the register",
        "",
    ),
    Rule(
        "V-REG-FP",
        r"frame pointer is read only",
        "writes the frame pointer",
        "r10 to stay as it is",
        "this instruction writes it",
        "copy r10 to another register and change that",
        "",
    ),
    Rule(
        "V-OPCODE",
        r"unknown opcode \w+|(?:invalid|unrecognized) bpf_ld_imm64 insn|invalid BPF_\w+ (?:opcode|mode|size|class)|"
        r"BPF_\w+ uses reserved fields",
        "not an instruction that this version knows",
        "an instruction of the set, with its unused fields zero",
        "this one is not",
        "correct the encoding",
        "",
    ),
    Rule(
        "V-INSN-MIXED",
        r"same insn cannot be used with different pointers",
        "one load or store meets pointers of different kinds",
        "one kind of pointer for each load or store",
        "two paths bring two kinds here",
        "give each kind of pointer an access of its own",
        "",
    ),
    Rule(
        "V-SOCK-ACCESS",
        rf"{_REG} (?:invalid (?P<type>\w*sock\w*) access {_BYTES}|cannot write into (?P<type2>\w+))",
        "this field of the object is not open to this access",
        "a field that programs may read, with its own offset and width",
        "{r} is {value}",
        "read the field as its type declares it, and write only to memory of your own",
    ),
    Rule(
        "V-STACK-ESCAPE",
        r"cannot return stack pointer to the caller|cannot spill pointers to stack into stack frame of the caller",
        "a pointer to a function's own stack would outlive it",
        "a pointer to the caller's memory, or a number",
        "the frame is gone after exit",
        "let the caller pass the memory in",
        "",
    ),
    Rule(
        "V-MAP-FD",
        r"fd -?\d+ is not pointing to valid bpf_map",
        "the instruction names a map that does not exist",
        "a map of the object",
        "there is none",
        "load the object through a loader that makes its maps",
        "",
    ),
    Rule(
        "V-ATOMIC",
        rf"BPF_ATOMIC (?:stores into|loads from) {_REG} (?P<type>\w+) is not allowed",
        "atomic access to memory that has none",
        "the stack, a map value or other plain memory",
        "{r} is {value}",
        "load, change and store without atomics",
    ),
)

PACKET_STALE = Rule(
    "V-PKT-STALE",
    "",
    "a packet pointer from before a call that may move the packet",
    "a packet pointer that was made after the last such call",
    "{r} was {value} until insn {forgot}: {forgotten_by}",
    "after the call, load data and data_end again, and check again",
)
"""Refines V-NOT-POINTER where the register held a packet pointer and a call came after it."""

OTHER = Rule("V-OTHER", "", "", "", "", "", "")
"""What no row describes: the message stands alone."""

_COMPILED = tuple((re.compile(rule.pattern), rule) for rule in RULES)


def match_rule(reason: str) -> tuple[Rule, dict[str, str]]:
    """The rule that a refusal's lines name, and the groups of its pattern."""
    for pattern, rule in _COMPILED:
        if found := pattern.search(reason):
            return rule, {name: text for name, text in found.groupdict().items() if text is not None}
    return OTHER, {}


def rule_of(message: str) -> str:
    """The id of the rule of a message, '' where no row describes it."""
    rule, _ = match_rule(message)
    return "" if rule is OTHER else rule.id
