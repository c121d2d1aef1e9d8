"""Every run vector through BPF_PROG_TEST_RUN: what it expects is what the live kernel does."""

import struct
from contextlib import ExitStack

import pytest

from tests.kernel import oracle
from tests.vm.engines import Observed, summed
from tests.vm.vectors import Vector, vector_files
from toolchain.isa.codec import decode, encode
from toolchain.isa.map_types import PERCPU_TYPES
from toolchain.isa.opcodes import PseudoSrc
from toolchain.spec.stages import LinkedProgram
from toolchain.vm.maps import cpu_count

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(oracle.why_unavailable()), reason=oracle.why_unavailable() or "available"),
]
_KINDS = {PseudoSrc.MAP_IDX: PseudoSrc.MAP_FD, PseudoSrc.MAP_IDX_VALUE: PseudoSrc.MAP_VALUE}


@pytest.mark.parametrize(
    "file", [each for each in vector_files() if each[0].kernel == "yes"], ids=lambda each: each[0].name
)
def test_kernel_agrees(file: tuple[Vector, ...]) -> None:
    for vector in file:
        assert run_kernel(vector).differences(vector, has_trace=False) == []


def run_kernel(vector: Vector) -> Observed:
    """One test run in the kernel."""
    with ExitStack() as stack:
        fds = {}
        for spec in vector.maps:
            inner = fds[spec.inner.name] if spec.inner else 0
            sizes = spec.key_size, spec.value_size, spec.max_entries
            fd = oracle.map_create(spec.map_type, *sizes, spec.map_flags, inner)
            stack.enter_context(oracle.closing(fd))
            fds[spec.name] = fd
        for name, key, value in vector.before:
            oracle.map_update(fds[name], key, value)
        for spec in vector.maps:
            if spec.is_frozen:
                oracle.map_freeze(fds[spec.name])
        programs = {}
        for each in (*vector.others(), vector.linked()):
            verdict, fd = oracle.prog_load(int(vector.prog_type), with_fds(each, list(fds.values())))
            stack.enter_context(oracle.closing(fd))
            assert verdict.accepted, verdict.log
            programs[each.name] = fd
        for name, key, what in vector.slots:
            oracle.map_update(fds[name], key, struct.pack("=i", programs.get(what) or fds[what]))
        retval, packet, ctx = oracle.run_with_ctx(fd, vector.packet, vector.ctx_bytes, room=20_000)
        elements = {(name, key): _element(vector, fds, name, key) for name, key, _ in vector.after}
        return Observed(retval, packet, ctx, elements)


def with_fds(program: LinkedProgram, fds: list[int]) -> bytes:
    """The program's code as bpf(2) takes it: fds instead of map indexes."""
    insns = decode(program.code)
    return encode(
        insn._replace(src=int(_KINDS[PseudoSrc(insn.src)]), imm=fds[insn.imm])
        if insn.is_wide and insn.src in _KINDS
        else insn
        for insn in insns
    )


def _element(vector: Vector, fds: dict[str, int], name: str, key: bytes) -> bytes | None:
    spec = next(each for each in vector.maps if each.name == name)
    size = -(-spec.value_size // 8) * 8 * cpu_count() if spec.map_type in PERCPU_TYPES else spec.value_size
    try:
        return summed(spec, oracle.map_lookup(fds[name], key, size))
    except FileNotFoundError:
        return None
