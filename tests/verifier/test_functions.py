"""Functions: what a caller may rely on, and what a global function is proved for."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verifier.walks import tc_program
from toolchain.btf import Btf
from toolchain.btf.types import BtfType, Func, FuncProto, Fwd, Int, Param, Ptr, Struct, Void
from toolchain.errors import Rejected, Unsupported
from toolchain.isa.program_types import ProgType
from toolchain.spec.stages import BoundProgram, FunctionInfo, LinkedProgram, VerifiedProgram
from toolchain.verifier import verify

INT, SKB, PAIR, OPAQUE = 1, 3, 5, 7
TYPES: tuple[BtfType, ...] = (
    Void(),
    Int("int", 4, 1),
    Struct("__sk_buff", 192),
    Ptr(2),
    Struct("pair", 8),
    Ptr(4),
    Fwd("opaque"),
    Ptr(6),
)


def _typed(body: str, params: tuple[int, ...] = (), is_global: bool = False, returns: int = INT) -> LinkedProgram:
    """A classifier whose second function, at label ``f``, has a prototype."""
    program = tc_program(body)
    proto = FuncProto(returns, tuple(Param(f"a{index}", type_id) for index, type_id in enumerate(params)))
    main = FuncProto(INT, (Param("ctx", SKB),))
    btf = Btf((*TYPES, proto, Func("f", len(TYPES)), main, Func("main", len(TYPES) + 2)))
    start = next(function.slot for function in program.functions if function.slot)
    functions = (FunctionInfo(0, "main", len(TYPES) + 3), FunctionInfo(start, "f", len(TYPES) + 1, is_global))
    return dataclasses.replace(program, btf=btf, functions=functions)


def _verify(program: LinkedProgram) -> VerifiedProgram:
    return verify(BoundProgram.unpinned(program))


def _reason(program: LinkedProgram) -> str:
    with pytest.raises(Rejected) as caught:
        _verify(program)
    return caught.value.message


CALL_WITH_5 = """
    r1 = 5
    call f
    r0 = 0
    exit
f:
    r0 = r1
    exit
"""

USE_RESULT = """
    r1 = 5
    call f
    r1 = r10
    r1 += -8
    r1 += r0
    r2 = 0
    *(u8 *)(r1 + 0) = r2
    r0 = 0
    exit
f:
    r0 = r1
    exit
"""


def test_a_static_function_is_walked_for_each_call() -> None:
    _verify(_typed(USE_RESULT, (INT,)))


def test_nothing_is_known_of_a_global_function_s_result() -> None:
    assert "unbounded min value" in _reason(_typed(USE_RESULT, (INT,), is_global=True))


def test_a_global_function_is_proved_for_all_arguments() -> None:
    _verify(_typed(CALL_WITH_5, (INT,), is_global=True))
    body = CALL_WITH_5.replace("r0 = r1", "r2 = r10\n r2 += -8\n r2 += r1\n *(u8 *)(r2 + 0) = r1\n r0 = 0")
    _verify(_typed(body, (INT,)))
    assert "unbounded min value" in _reason(_typed(body, (INT,), is_global=True))


def test_memory_arguments() -> None:
    body = """
    *(u64 *)(r10 - 8) = 0
    r1 = r10
    r1 += -8
    call f
    r0 = 0
    exit
f:
    if r1 == 0 goto out
    r0 = *(u32 *)(r1 + 4)
out:
    r0 = 0
    exit
    """
    _verify(_typed(body, (PAIR,), is_global=True))
    too_far = body.replace("(r1 + 4)", "(r1 + 8)")
    assert _reason(_typed(too_far, (PAIR,), is_global=True)).endswith("is outside of the allowed memory range")
    unchecked = body.replace("if r1 == 0 goto out", "r2 = 0")
    assert _reason(_typed(unchecked, (PAIR,), is_global=True)) == "R1 invalid mem access 'mem_or_null'"
    too_small = body.replace("r1 += -8", "r1 += -4")
    assert _reason(_typed(too_small, (PAIR,), is_global=True)) == "Caller passes invalid args into func#1 ('f')"
    assert _reason(_typed(body, (OPAQUE,), is_global=True)) == "Caller passes invalid args into func#1 ('f')"
    assert _reason(_typed(body, (INT,), is_global=True)) == "Caller passes invalid args into func#1 ('f')"
    assert _reason(_typed(body, (SKB,), is_global=True)) == "Caller passes invalid args into func#1 ('f')"


def test_without_types_a_function_is_static() -> None:
    program = dataclasses.replace(_typed(USE_RESULT, (INT,), is_global=True), btf=None)
    _verify(program)


TAIL_CALL = """
    r6 = r1
    call f
    r1 = r10
    r1 += -8
    r1 += r0
    r2 = 0
    *(u8 *)(r1 + 0) = r2
    r0 = 0
    exit
f:
    r2 = jmp ll
    r3 = 0
    call 12
    r0 = 0
    exit
"""


def test_a_tail_call_in_a_function_returns_anything() -> None:
    program = tc_program(TAIL_CALL, head=".map jmp, prog_array, key=4, value=4, entries=2")
    assert _reason(program) == "tail_call is not allowed in subprogs without BTF"
    typed = _typed(CALL_WITH_5)
    functions = (FunctionInfo(0, "main", typed.functions[0].type_id), FunctionInfo(9, "f", typed.functions[1].type_id))
    with_types = dataclasses.replace(program, btf=typed.btf, functions=functions)
    assert "unbounded min value" in _reason(with_types)


DEEP = """
    r1 = 0
    *(u64 *)(r10 - 400) = r1
    call f
    r0 = 0
    exit
f:
    r1 = 0
    *(u64 *)(r10 - 400) = r1
    r0 = 0
    exit
"""


def test_stack_of_a_chain_of_calls() -> None:
    program = tc_program(DEEP)
    assert _reason(program) == "combined stack size of 2 calls is 800. Too large"
    # Some types give each larger function a stack of its own.
    _verify(dataclasses.replace(program, prog_type=ProgType.KPROBE))
    small = dataclasses.replace(tc_program(DEEP.replace("400", "56")), prog_type=ProgType.KPROBE)
    _verify(small)


def test_arguments_with_tags_are_not_guessed() -> None:
    from toolchain.btf.types import DeclTag

    program = _typed(CALL_WITH_5, (INT,), is_global=True)
    assert program.btf is not None
    tagged = Btf((*program.btf.types, DeclTag("arg:nonnull", program.functions[1].type_id, 0)))
    with pytest.raises(Unsupported):
        _verify(dataclasses.replace(program, btf=tagged))


CALLS_F = """
    call f
    r0 = 0
    exit
f:
    r0 = 1
    exit
"""


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ((), "number of funcs in func_info doesn't match number of subprogs"),
        ((FunctionInfo(4, "f", 9),), "func_info BTF section doesn't match subprog layout in BPF program"),
        ((FunctionInfo(4, "f", 0),), ""),
    ],
)
def test_functions_that_are_called_are_those_described(functions: tuple[FunctionInfo, ...], message: str) -> None:
    """``f`` begins at slot 3. Where a function has no type, a loader describes none."""
    program = _typed(CALLS_F)
    program = dataclasses.replace(program, functions=(program.functions[0], *functions))
    if not message:
        assert verify(BoundProgram.unpinned(program)).stats.processed == 5
        return
    with pytest.raises(Rejected) as caught:
        verify(BoundProgram.unpinned(program))
    assert (caught.value.message, caught.value.rule) == (message, "V-CFG-FUNCTION")


def test_where_no_function_is_described_none_is_compared() -> None:
    program = dataclasses.replace(_typed(CALLS_F), functions=())
    assert verify(BoundProgram.unpinned(program)).stats.processed == 5
