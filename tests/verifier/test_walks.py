"""How paths are walked: the kernel's own counts, and what pruning may and may not merge."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verifier.walks import Walk, tc_program, walks
from toolchain.errors import Rejected
from toolchain.spec.stages import BoundProgram, LinkedProgram, VerifiedProgram
from toolchain.verifier import VerifyOptions, verify
from toolchain.verifier.state import State

WALKS = walks()


def _verify(program: LinkedProgram, **options: int) -> VerifiedProgram:
    return verify(BoundProgram.unpinned(program), VerifyOptions(**options))


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.name)
def test_figures_are_the_kernels(walk: Walk) -> None:
    stats = _verify(walk.program).stats
    assert {name: getattr(stats, name) for name in walk.figures} == walk.figures


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.name)
def test_tracing_changes_nothing(walk: Walk) -> None:
    plain, traced = _verify(walk.program), _verify(walk.program, log_level=2)
    assert plain.stats.processed == traced.stats.processed == walk.figures["processed"]
    assert plain.log == ""
    assert f"processed {walk.figures['processed']} insns (limit 1000000)" in traced.log


def test_an_offset_that_mattered_is_not_merged() -> None:
    # Both paths meet at `use`; r7 is 0 first and 4096 later. Merging them would accept a wild store.
    body = """
    call 7
    r7 = 0
    if r0 > 5 goto use
    r7 = 4096
use:
    r1 = r10
    r1 += -8
    r1 += r7
    r2 = 0
    *(u8 *)(r1 + 0) = r2
    r0 = 0
    exit
    """
    with pytest.raises(Rejected) as caught:
        _verify(tc_program(body))
    assert caught.value.message.startswith("invalid write to stack R1")


def test_an_offset_that_mattered_behind_a_slot_is_not_merged() -> None:
    body = """
    call 7
    r7 = 0
    if r0 > 5 goto store
    r7 = 4096
store:
    *(u64 *)(r10 - 16) = r7
    call 7
    if r0 > 7 goto a
    call 7
a:
    call 7
    if r0 > 7 goto b
    call 7
b:
    r7 = *(u64 *)(r10 - 16)
    r1 = r10
    r1 += -8
    r1 += r7
    r2 = 0
    *(u8 *)(r1 + 0) = r2
    r0 = 0
    exit
    """
    with pytest.raises(Rejected) as caught:
        _verify(tc_program(body))
    assert caught.value.message.startswith("invalid write to stack R1")


def test_an_argument_that_mattered_inside_a_function_is_not_merged() -> None:
    body = """
    call 7
    r1 = 0
    if r0 > 5 goto use
    r1 = 4096
use:
    call poke
    r0 = 0
    exit
poke:
    r2 = r10
    r2 += -8
    r2 += r1
    r3 = 0
    *(u8 *)(r2 + 0) = r3
    r0 = 0
    exit
    """
    with pytest.raises(Rejected) as caught:
        _verify(tc_program(body))
    assert caught.value.message.startswith("invalid write to stack R2")


def test_a_null_argument_matters() -> None:
    # csum_diff takes NULL; the path that passes 1 must not be merged with the one that passes NULL.
    body = """
    call 7
    r7 = r0
    r1 = 0
    if r7 == 5 goto one
    goto use
one:
    r1 = 1
use:
    r2 = 0
    r3 = 0
    r4 = 0
    r5 = 0
    call 28
    r0 = 0
    exit
    """
    program = tc_program(body)
    flags = LinkedProgram(program.name, program.section, program.prog_type, program.code, prog_flags=8, licence="GPL")
    with pytest.raises(Rejected) as caught:
        _verify(flags)
    assert caught.value.message.startswith("R1 type=scalar expected=fp")


def test_copies_of_one_number_must_stay_copies() -> None:
    # First walk: r7 is a copy of r6, so the check of r6 bounds r7. Second: r7 is another unknown number.
    body = """
    call 7
    r6 = r0
    call 7
    r7 = r0
    call 7
    if r0 > 4 goto meet
    r7 = r6
meet:
    if r6 > 7 goto out
    r1 = r10
    r1 += -8
    r1 += r7
    r2 = 0
    *(u8 *)(r1 + 0) = r2
out:
    r0 = 0
    exit
    """
    with pytest.raises(Rejected) as caught:
        _verify(tc_program(body))
    assert "unbounded min value" in caught.value.message or "unbounded variable-offset" in caught.value.message


def test_limits_end_a_walk() -> None:
    endless = tc_program("r0 = 0\nagain:\nr0 += 1\nif r0 < 100000000 goto again\nr0 = 0\nexit")
    with pytest.raises(Rejected) as caught:
        _verify(endless, insn_limit=5000)
    assert caught.value.message == "BPF program is too large. Processed 5001 insn"
    assert caught.value.errno == 7
    ladder = "call 7\n" + "if r0 == 1 goto +0\n" * 9000 + "r0 = 0\nexit"
    with pytest.raises(Rejected) as caught:
        _verify(tc_program(ladder))
    assert caught.value.message == "The sequence of 8193 jumps is too complex."


def test_histories_are_shared_not_copied() -> None:
    # A thousand spills without a checkpoint, then hundreds of states put aside: each shares the history before it.
    spills = "*(u64 *)(r10 - 8) = r6\n" * 1000
    forks = "r0 = r6\nr0 s>>= 63\nr0 &= 8\n" * 200
    seen: list[int] = []

    def observe(slot: int, state: State) -> None:
        seen.append(0 if state.history is None else state.history.count)

    program = tc_program(f"call 7\nr6 = r0\n{spills}{forks}r0 = 0\nexit")
    with pytest.raises(Rejected):
        verify(BoundProgram.unpinned(program), VerifyOptions(insn_limit=20000, observer=observe, explain_refusal=False))
    assert max(seen) >= 1000


def test_exponentially_many_chains_of_calls() -> None:
    # Seven functions that each call the next 60 times, behind a branch that is never taken: 60**7 chains.
    functions = "".join(f"f{n}:\nr0 = 0\nif r0 == 0 goto +60\n" + f"call f{n + 1}\n" * 60 + "exit\n" for n in range(6))
    body = "r0 = 0\nif r0 == 0 goto +60\n" + "call f0\n" * 60 + "r0 = 0\nexit\n" + functions + "f6:\nr0 = 0\nexit"
    assert _verify(tc_program(body)).stats.processed == 4


def test_what_an_atomic_fetches_from_the_stack_matters() -> None:
    body = """
    call 7
    r7 = 4096
    if r0 > 5 goto store
    r7 = 0
store:
    *(u64 *)(r10 - 16) = r7
    r1 = 0
    if r0 > 8 goto fetch
    r2 = 0
fetch:
    r7 = 0
    r7 = atomic_fetch_add((u64 *)(r10 - 16), r7)
    r1 = r10
    r1 += -8
    r1 += r7
    r2 = 0
    *(u8 *)(r1 + 0) = r2
    r0 = 0
    exit
    """
    every_state = dataclasses.replace(tc_program(body), prog_flags=8)
    with pytest.raises(Rejected) as caught:
        _verify(every_state)
    assert caught.value.message == "invalid write to stack R1 off=4088 size=1"
