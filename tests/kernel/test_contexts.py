"""Context tables against the live kernel: every type, offset and width; load, sign-extending load, store."""

import os

import pytest

from tests.kernel import oracle
from toolchain.isa.codec import encode
from toolchain.isa.contexts import CONTEXTS, SOCKETS, ctx_access, return_range
from toolchain.isa.insn import Insn
from toolchain.isa.program_types import AttachType, ProgType, loaded_attach_type

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]

SIZE_BITS = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
EXIT = Insn(0x95)
STRIDE = 64
"""Contexts above this size repeat themselves (registers, trace records): only their start and end are tried."""


def _attach_types(prog_type: ProgType) -> tuple[int, ...]:
    return {
        ProgType.KPROBE: (0, 42, 48, 56, 57),
        ProgType.CGROUP_SKB: (0, 1),
        ProgType.CGROUP_SOCK: (0, 2, 34, 12, 13),
        ProgType.CGROUP_SOCK_ADDR: (8, 9, 10, 11, 14, 15, 19, 20, 29, 30, 31, 32, 49, 50, 51, 52, 53),
        ProgType.CGROUP_SOCKOPT: (21, 22),
        ProgType.CGROUP_DEVICE: (6,),
        ProgType.CGROUP_SYSCTL: (18,),
        ProgType.SOCK_OPS: (3,),
        ProgType.SK_SKB: (4, 5, 38),
        ProgType.SK_MSG: (7,),
        ProgType.SK_LOOKUP: (36,),
        ProgType.SK_REUSEPORT: (0, 39, 40),
        ProgType.FLOW_DISSECTOR: (17,),
        ProgType.NETFILTER: (45,),
        ProgType.XDP: (0, AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP, AttachType.XDP),
    }.get(prog_type, (0,))


CASES = [pytest.param(kind, attach, id=f"{kind.label}-{attach}") for kind in CONTEXTS for attach in _attach_types(kind)]


def _flags(prog_type: ProgType) -> int:
    return 16 if prog_type == ProgType.SYSCALL else 0


def _offsets(size: int) -> list[int]:
    if size <= 256:
        return list(range(size + 8))
    return [*range(STRIDE), *range(size - STRIDE, size + 8)]


def _access(insn: Insn, prog_type: ProgType, attach: int) -> oracle.Verdict:
    low = return_range(prog_type, attach)
    code = encode((insn, Insn(0xB7, 0, imm=low[0] if low else 0), EXIT))
    verdict, fd = oracle.prog_load(prog_type, code, expected_attach_type=attach, flags=_flags(prog_type))
    if fd >= 0:
        os.close(fd)
    return verdict


@pytest.mark.parametrize(("prog_type", "attach"), CASES)
def test_every_offset_and_width(prog_type: ProgType, attach: int) -> None:
    first = _access(Insn(0xB7, 1), prog_type, attach)
    if not first.accepted:
        pytest.skip(f"this kernel loads no {prog_type.label}: errno {first.errno} {first.message}")
    wrong = []
    for offset in _offsets(CONTEXTS[prog_type].size):
        if offset > 32767:
            continue
        for width, bits in SIZE_BITS.items():
            forms = [("load", Insn(0x61 | bits, 2, 1, offset)), ("store", Insn(0x63 | bits, 1, 1, offset))]
            forms[1] = ("store", Insn(0x62 | bits, 1, 0, offset, 0))
            if width < 8:
                forms.append(("sign", Insn(0x81 | bits, 2, 1, offset)))
            for form, insn in forms:
                ours = ctx_access(prog_type, attach, offset, width, form == "store", form == "sign") is not None
                theirs = _access(insn, prog_type, attach)
                if ours != theirs.accepted:
                    wrong.append((form, offset, width, "ours accepts" if ours else "ours refuses", theirs.message))
                elif not ours:
                    assert theirs.message == f"invalid bpf_context access off={offset} size={width}"
    assert not wrong


@pytest.mark.parametrize("prog_type", list(CONTEXTS), ids=lambda kind: kind.label)
def test_attach_types(prog_type: ProgType) -> None:
    for attach in range(64):
        code = encode((Insn(0xB7, 0, imm=1), EXIT))
        verdict, fd = oracle.prog_load(prog_type, code, expected_attach_type=attach, flags=_flags(prog_type))
        if fd >= 0:
            os.close(fd)
        assert (loaded_attach_type(prog_type, attach) is not None) == verdict.accepted, attach


@pytest.mark.parametrize(("prog_type", "attach"), CASES)
def test_return_values(prog_type: ProgType, attach: int) -> None:
    allowed = return_range(prog_type, attach)
    wrong = []
    for value in (-1, 0, 1, 2, 3, 4):
        code = encode((Insn(0xB7, 0, imm=value), EXIT))
        verdict, fd = oracle.prog_load(prog_type, code, expected_attach_type=attach, flags=_flags(prog_type))
        if fd >= 0:
            os.close(fd)
        elif "program exit" not in verdict.message:
            pytest.skip(f"this kernel loads no {prog_type.label}: errno {verdict.errno} {verdict.message}")
        if verdict.accepted != (allowed is None or allowed[0] <= value <= allowed[1]):
            wrong.append((value, verdict.message))
    assert not wrong


def _socket(name: str) -> list[Insn]:
    """Instructions that put a checked socket pointer into r6, in a sched_cls program."""
    code = [Insn(0x79, 6, 1, 168), Insn(0x55, 6, 0, 2, 0), Insn(0xB7, 0), EXIT]
    if name == "sock":
        code += [Insn(0xBF, 1, 6), Insn(0x85, imm=95), Insn(0x55, 0, 0, 1, 0), EXIT, Insn(0xBF, 6, 0)]
    if name == "tcp_sock":
        code += [Insn(0xBF, 1, 6), Insn(0x85, imm=96), Insn(0x55, 0, 0, 1, 0), EXIT, Insn(0xBF, 6, 0)]
    return code


@pytest.mark.parametrize("name", ["sock_common", "sock", "tcp_sock"])
def test_every_offset_of_sockets(name: str) -> None:
    wrong = []
    for offset in range(SOCKETS[name].size + 8):
        for width, bits in SIZE_BITS.items():
            code = encode((*_socket(name), Insn(0x61 | bits, 2, 6, offset), Insn(0xB7, 0), EXIT))
            verdict, fd = oracle.prog_load(ProgType.SCHED_CLS, code)
            if fd >= 0:
                os.close(fd)
            ours = SOCKETS[name].access(offset, width, 0, False) is not None
            if ours != verdict.accepted:
                wrong.append((offset, width, "ours accepts" if ours else "ours refuses", verdict.message))
            elif not ours and "error during ctx access conversion" not in verdict.message:
                # The kernel lets the upper half of a u64 pass its check, then fails to translate it.
                assert verdict.message == f"R6 invalid {name} access off={offset} size={width}"
    assert not wrong
