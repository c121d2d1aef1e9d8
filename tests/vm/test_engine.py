"""Code: batches, budgets, trace text, and the errors of loading and running."""

import pytest

from tests.vm.vectors import Vector
from toolchain.errors import LoadError, Unsupported
from toolchain.isa.program_types import ProgType
from toolchain.spec.stages import BoundProgram, CtxAccess, LinkedProgram, VerifiedProgram, VerifierStats
from toolchain.vm.engine import MAX_PACKET_SIZE, Code, Fault


def linked(text: str, prog_type: ProgType = ProgType.SOCKET_FILTER) -> LinkedProgram:
    return Vector("test", prog_type, text=text).linked()


def by_hand(program: LinkedProgram, *accesses: CtxAccess, dead: frozenset[int] = frozenset()) -> VerifiedProgram:
    return VerifiedProgram(BoundProgram.unpinned(program), VerifierStats(), accesses, dead)


def test_batch_gives_one_result_a_packet() -> None:
    code = Code(linked("r0 = *(u32 *)(r1 + 0)\nexit"))
    results = code.run_batch(bytes(size) for size in range(14, 1014))
    assert [result.retval for result in results] == list(range(1000))
    assert [len(result.data_out) for result in results] == list(range(14, 1014))


def test_batch_runs_all_and_then_raises_the_first_failure() -> None:
    program = linked(
        "r2 = 1\nr3 = 2\nr4 = 0\nr5 = 0\nr1 = r10\nr1 += -8\n*(u64 *)(r10 - 8) = 0x61\nr2 = 8\ncall 6\nexit"
    )
    code = Code(program)
    with pytest.raises(LoadError, match=r"packet size: 3 "):
        code.run_batch([bytes(20), bytes(3), bytes(20), bytes(4)])
    assert [result.trace for result in code.run_batch([bytes(20), bytes(20)])] == ["", "a\na\n"]


def test_no_packets_no_results() -> None:
    assert Code(linked("r0 = 1\nexit")).run_batch([]) == ()


def test_repeat_goes_on_with_what_is_left() -> None:
    text = "r2 = *(u32 *)(r1 + 8)\nr2 += 1\n*(u32 *)(r1 + 8) = r2\nr0 = r2\nexit"
    assert Code(linked(text, ProgType.SCHED_CLS)).run(bytes(20), repeat=7).retval == 7


@pytest.mark.parametrize("repeat", [0, -1, 1 << 32])
def test_repeat_out_of_range(repeat: int) -> None:
    with pytest.raises(LoadError, match="repeat count"):
        Code(linked("r0 = 1\nexit")).run(bytes(20), repeat=repeat)


@pytest.mark.parametrize("size", [0, 13, MAX_PACKET_SIZE + 1])
def test_packet_size(size: int) -> None:
    with pytest.raises(LoadError, match=r"packet size: \d+ \(14\.\.262144") as caught:
        Code(linked("r0 = 1\nexit")).run(bytes(size))
    assert caught.value.errno == 22


def test_largest_packet() -> None:
    result = Code(linked("r0 = *(u32 *)(r1 + 0)\nexit", ProgType.SCHED_CLS)).run(bytes(MAX_PACKET_SIZE))
    assert (result.retval, len(result.data_out)) == (MAX_PACKET_SIZE, MAX_PACKET_SIZE)


@pytest.mark.parametrize(("offset", "value"), [(0, 1), (16, 8), (180, 1), (160, 5), (166, 1)])
def test_context_that_a_run_does_not_take(offset: int, value: int) -> None:
    ctx = bytearray(192)
    ctx[offset] = value
    with pytest.raises(LoadError, match="context sets a field"):
        Code(linked("r0 = 1\nexit", ProgType.SCHED_CLS)).run(bytes(64), bytes(ctx))


def test_context_too_long() -> None:
    with pytest.raises(LoadError, match="context size: 193"):
        Code(linked("r0 = 1\nexit")).run(bytes(64), bytes(193))


def test_fault_names_program_slot_and_reason() -> None:
    with pytest.raises(Fault, match=r"^test: insn 3: load from 0x10: no memory of the program$") as caught:
        Code(linked("r1 = 5 ll\nr1 = 8\nr0 = *(u64 *)(r1 + 8)\nexit")).run(bytes(64))
    assert caught.value.insn_count == 2


def test_budget_is_spent_to_the_last() -> None:
    code = Code(linked("r0 = 1\nr0 += 1\nexit"))
    assert code.run(bytes(64), budget=2).insn_count == 2
    with pytest.raises(Fault, match="budget spent: 1 instructions"):
        code.run(bytes(64), budget=1)


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("call 25\nexit", "helper perf_event_output"),
        ("call 100000\nexit", "helper"),
        ("callx r1\nexit", "instruction callx"),
        ("r1 = addr_space_cast(r2, 0, 1)\nexit", "instruction addr_space_cast"),
    ],
)
def test_unsupported_is_named_at_load(text: str, feature: str) -> None:
    program = linked(text)
    with pytest.raises(Unsupported, match=feature):
        Code(program, verified=by_hand(program))


def test_unsupported_helper_is_named_for_unverified_code_too() -> None:
    with pytest.raises(Unsupported, match="helper clone_redirect"):
        Code(linked("call 13\nexit"))
    assert Code(linked("if r1 != 0 goto +1\ncall 13\nexit"), takes_anything=True).run(bytes(64)).retval == 0


def test_unsupported_program_type() -> None:
    with pytest.raises(Unsupported, match="programs of type kprobe"):
        Code(linked("r0 = 0\nexit", ProgType.KPROBE))


def test_unsupported_context_field() -> None:
    program = linked("r2 = *(u64 *)(r1 + 168)\nr0 = 0\nexit", ProgType.SCHED_CLS)
    with pytest.raises(Unsupported, match="context field at offset 168"):
        Code(program, verified=by_hand(program, CtxAccess(0, 168, 8, False)))


def test_dead_code_may_be_anything() -> None:
    program = linked("r0 = 3\nexit\ncall 13\nexit")
    assert Code(program, verified=by_hand(program, dead=frozenset({2, 3}))).run(bytes(64)).retval == 3


@pytest.mark.parametrize("code", [bytes(8), b"\xff" * 8, bytes.fromhex("1800000000000000")])
def test_broken_code(code: bytes) -> None:
    program = LinkedProgram("test", "test", ProgType.XDP, code)
    with pytest.raises(LoadError, match="invalid instruction"):
        Code(program, verified=by_hand(program))


def test_map_index_out_of_range() -> None:
    program = LinkedProgram(
        "test", "test", ProgType.XDP, bytes.fromhex("18510000050000000000000000000000" + "95" + "00" * 7)
    )
    with pytest.raises(LoadError, match="wide load of map 5"):
        Code(program, verified=by_hand(program))


def test_closed_code_does_not_run() -> None:
    code = Code(linked("r0 = 1\nexit"))
    code.close()
    with pytest.raises(ValueError, match="closed"):
        code.run(bytes(64))


def test_seed_fixes_random_numbers() -> None:
    program = linked("call 7\nexit")
    first, second = (Code(program, seed=5).run(bytes(64)).retval for _ in range(2))
    assert first == second != Code(program, seed=6).run(bytes(64)).retval


def test_trace_is_bounded_and_cannot_steer_a_terminal() -> None:
    program = linked("*(u64 *)(r10 - 8) = 0x6325\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = 0x1b\ncall 6\nexit")
    result = Code(program).run(bytes(64), repeat=40_000)
    lines = result.trace.splitlines()
    assert set(lines[:-1]) == {"\\x1b"}
    assert lines[-1] == f"[{(40_000 - len(lines) + 1) * 2} bytes of trace text lost]"


def test_a_string_outside_of_the_programs_memory_is_not_shown() -> None:
    program = linked("*(u64 *)(r10 - 8) = 0x7325\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = 0x1000\ncall 6\nexit")
    assert Code(program, verified=by_hand(program)).run(bytes(64)).trace == "\n"


def test_redirect_is_a_verdict_with_a_target() -> None:
    result = Code(linked("r1 = 42\nr2 = 0\ncall 23\nexit", ProgType.XDP)).run(bytes(64))
    assert (result.retval, result.redirect_ifindex) == (4, 42)


def test_packets_do_not_leak_into_each_other() -> None:
    grow = linked("r2 = -32\ncall 44\nexit", ProgType.XDP)
    code = Code(grow)
    assert code.run(b"\xaa" * 2000).data_out == bytes(32) + b"\xaa" * 2000
    assert code.run(bytes(14)).data_out == bytes(46)


def test_a_packet_may_grow_to_the_most_that_a_helper_allows() -> None:
    program = linked("r2 = 16064\nr3 = 0\ncall 38\nexit", ProgType.SCHED_CLS)
    assert Code(program).run(bytes(14)).data_out == bytes(16064)
