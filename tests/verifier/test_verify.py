"""The arrow itself: what it gives, what it raises, what it does with broken input."""

from __future__ import annotations

import contextlib
import dataclasses
import random

import pytest

from tests.verifier.walks import tc_program
from toolchain.errors import InsnPlace, Rejected, Unsupported
from toolchain.isa.map_types import MapFlag, MapType
from toolchain.isa.program_types import ProgType
from toolchain.spec.maps import MapSpec
from toolchain.spec.sections import XDP_HAS_FRAGS
from toolchain.spec.stages import (
    BindAction,
    BoundProgram,
    CtxAccess,
    LineInfo,
    LinkedProgram,
    MapBinding,
    VerifierStats,
)
from toolchain.verifier import VerifyOptions, verify

EXIT = bytes.fromhex("9500000000000000")
RETURN_0 = bytes.fromhex("b700000000000000") + EXIT


def _program(code: bytes, prog_type: ProgType = ProgType.SCHED_CLS, **fields: object) -> LinkedProgram:
    program = LinkedProgram("prog", "tc", prog_type, code, licence="GPL")
    return dataclasses.replace(program, **fields)  # type: ignore[arg-type]


def _reject(code: bytes, **fields: object) -> Rejected:
    with pytest.raises(Rejected) as caught:
        verify(BoundProgram.unpinned(_program(code, **fields)))
    return caught.value


def test_what_a_verified_program_says() -> None:
    program = tc_program(
        """
        r2 = *(u32 *)(r1 + 76)
        r3 = *(u32 *)(r1 + 80)
        r0 = 0
        if r0 != 0 goto dead
        *(u32 *)(r1 + 48) = r0
        exit
dead:
        r0 = 1
        exit
        """
    )
    verified = verify(BoundProgram.unpinned(program))
    assert verified.program is program
    assert verified.ctx_accesses == (
        CtxAccess(0, 76, 4, False),
        CtxAccess(1, 80, 4, False),
        CtxAccess(4, 48, 4, True),
    )
    assert verified.dead_slots == {6, 7}
    assert verified.stats.processed == 6
    assert verified.stats.stack_depth == (0,)


def test_what_a_rejection_says() -> None:
    code = bytes.fromhex("bf20000000000000") + EXIT
    lines = (LineInfo(0, "a/b.c", 7, text="  return x;"),)
    error = _reject(code, line_info=lines)
    assert error.message == "R2 !read_ok"
    assert error.where == InsnPlace("prog", 0, "a/b.c:7", "  return x;")
    assert error.errno == 13
    assert isinstance(error.stats, VerifierStats)
    assert error.stats.processed == 1
    assert error.log.splitlines()[-4:] == [
        "; return x; @ b.c:7",
        "0: (bf) r0 = r2",
        "R2 !read_ok",
        "processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
    ]


def test_log_levels() -> None:
    bound = BoundProgram.unpinned(_program(RETURN_0))
    assert verify(bound).log == ""
    assert "0: (b7) r0 = 0" not in verify(bound, VerifyOptions(log_level=1)).log, "an accepted path leaves no trace"
    full = verify(bound, VerifyOptions(log_level=2)).log.splitlines()
    assert full[:3] == ["func#0 @0", "0: R1=ctx() R10=fp0", "0: (b7) r0 = 0                        ; R0=0"]
    figures = verify(bound, VerifyOptions(log_level=4)).log
    assert figures.startswith("verification time ")
    assert "\nstack depth 0\n" in figures


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("0500050000000000", "jump out of range from insn 0 to 6"),
        ("b700000000000000", "last insn is not an exit or jmp"),
        ("050000000000000095000000000000009500000000000000", "unreachable insn 2"),
        ("ff000000000000009500000000000000", "unknown opcode ff"),
        ("85100000050000009500000000000000", "call to invalid destination"),
        ("18000000000000009500000000000000", "invalid bpf_ld_imm64 insn"),
        ("185000000000000000000000000000009500000000000000", "fd 0 is not pointing to valid bpf_map"),
        ("181000000300000000000000000000009500000000000000", "fd 3 is not pointing to valid bpf_map"),
        ("61100000010000009500000000000000", "BPF_LDX uses reserved fields"),
        ("bf0b0000000000009500000000000000", "frame pointer is read only"),
        ("85000000010000809500000000000000", "invalid func unknown#-2147483647"),
    ],
)
def test_malformed_code(code: str, message: str) -> None:
    raw = bytes.fromhex(code)
    if message == "frame pointer is read only":
        raw = bytes.fromhex("bf1a000000000000") + EXIT
    assert _reject(raw).message == message


@pytest.mark.parametrize("code", [b"", b"\x95", RETURN_0[:-1]])
def test_code_of_no_whole_slots(code: bytes) -> None:
    assert _reject(code).message.startswith("program size must be a multiple of 8")


@pytest.mark.parametrize("seed", range(30))
def test_random_bytes_end_in_an_error_of_ours(seed: int) -> None:
    rng = random.Random(seed)
    opcodes = [0x07, 0x0F, 0x18, 0x61, 0x63, 0x7B, 0x85, 0x95, 0xB7, 0xBF, 0x15, 0x2D, 0x05, 0xC3, 0xDB, 0x30, 0xD4]
    for _ in range(40):
        slots = bytearray()
        for _ in range(rng.randrange(1, 24)):
            slots += bytes([rng.choice(opcodes) if rng.random() < 0.9 else rng.randrange(256)])
            slots += bytes([rng.randrange(256) if rng.random() < 0.1 else rng.randrange(11) | rng.randrange(11) << 4])
            slots += rng.choice([0, 1, 2, -8 & 0xFFFF, rng.randrange(65536)]).to_bytes(2, "little")
            slots += rng.choice([0, 1, 7, 16, rng.randrange(1 << 32)]).to_bytes(4, "little")
        program = _program(bytes(slots) + EXIT)
        with contextlib.suppress(Rejected, Unsupported):
            assert verify(BoundProgram.unpinned(program), VerifyOptions(insn_limit=2000)).stats.processed


def test_what_is_not_modelled_is_named() -> None:
    with pytest.raises(Unsupported) as caught:
        verify(BoundProgram.unpinned(_program(RETURN_0, ProgType.TRACING)))
    assert caught.value.feature == "programs of type tracing"
    kfunc = bytes.fromhex("8520000005000000") + RETURN_0
    with pytest.raises(Unsupported) as caught:
        verify(BoundProgram.unpinned(_program(kfunc)))
    assert "kernel functions" in caught.value.feature
    may_goto = bytes.fromhex("e500000000000000") + RETURN_0
    with pytest.raises(Unsupported) as caught:
        verify(BoundProgram.unpinned(_program(may_goto)))
    assert caught.value.feature == "may_goto"


def _map_of(data: bytes, flags: int, is_frozen: bool) -> MapSpec:
    return MapSpec(".rodata", MapType.ARRAY, 4, len(data), 1, flags, data=data, is_frozen=is_frozen)


@pytest.mark.parametrize(
    ("flags", "is_frozen", "is_known"),
    [(MapFlag.RDONLY_PROG, True, True), (MapFlag.RDONLY_PROG, False, False), (0, True, False)],
)
def test_only_frozen_read_only_data_is_known(flags: int, is_frozen: bool, is_known: bool) -> None:
    # r1 = &map[4]; r0 = *(u32 *)r1; the branch is dead only if the number is known.
    code = bytes.fromhex("1861000000000000000000000400000061100000000000001500010007000000") + RETURN_0
    spec = _map_of((5).to_bytes(4, "little") + (7).to_bytes(4, "little"), int(flags), is_frozen)
    verified = verify(BoundProgram.unpinned(_program(code, maps=(spec,))))
    assert (4 in verified.dead_slots) is is_known


def test_helpers_that_only_some_types_may_ask() -> None:
    code = bytes.fromhex("85000000ad000000") + RETURN_0
    verify(BoundProgram.unpinned(_program(code, ProgType.KPROBE)))
    error = _reject(code, prog_type=ProgType.RAW_TRACEPOINT)
    assert error.message == "func bpf_get_func_ip#173 not supported for program type 17"


def test_what_a_pinned_map_holds_is_not_known() -> None:
    code = bytes.fromhex("1861000000000000000000000400000061100000000000001500010007000000") + RETURN_0
    spec = _map_of((5).to_bytes(4, "little") + (7).to_bytes(4, "little"), int(MapFlag.RDONLY_PROG), True)
    program = _program(code, maps=(spec,))
    verified = verify(BoundProgram(program, (MapBinding(spec, BindAction.REUSE, "tc/globals/x", 1),)))
    assert 4 not in verified.dead_slots


def test_what_a_device_map_gives_is_read_only() -> None:
    body = """
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = m ll
    call 1
    if r0 == 0 goto out
    *(u32 *)(r0 + 0) = 7
out:
    r0 = 0
    exit
    """
    verify(BoundProgram.unpinned(tc_program(body, ".map m, hash, key=4, value=4, entries=2")))
    with pytest.raises(Rejected) as caught:
        verify(BoundProgram.unpinned(tc_program(body, ".map m, devmap, key=4, value=4, entries=2")))
    assert caught.value.message == "write into map forbidden, value_size=4 off=0 size=4"


def test_a_second_run_says_the_same() -> None:
    program = tc_program("call 7\nif r0 > 4 goto out\ncall 7\nout:\nr0 = 0\nexit")
    bound = BoundProgram.unpinned(program)
    first, second = (verify(bound, VerifyOptions(log_level=2)) for _ in range(2))
    assert first.log == second.log


def test_fragments_change_no_verdict() -> None:
    program = _program(RETURN_0, ProgType.XDP, prog_flags=XDP_HAS_FRAGS)
    assert verify(BoundProgram.unpinned(program)).stats.processed == 2
    with pytest.raises(Unsupported, match="program flags 0x40"):
        verify(BoundProgram.unpinned(_program(RETURN_0, prog_flags=1 << 6)))
