"""The folder's one arrow: BoundProgram -> VerifiedProgram, or one reason why not.

`verify` is pure: no file, no clock but for the time it reports, no state kept between calls. It speaks for a
privileged load (CAP_BPF, CAP_PERFMON) on Linux 6.18, x86-64.

Source: kernel/bpf/verifier.c bpf_check (6.12, 6.18).
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from toolchain.btf import Btf
from toolchain.errors import InsnPlace, Rejected, Unsupported
from toolchain.isa.program_types import ProgType, loaded_attach_type
from toolchain.spec.maps import MapSpec
from toolchain.spec.sections import SLEEPABLE, XDP_HAS_FRAGS
from toolchain.spec.stages import (
    BindAction,
    BoundProgram,
    CtxAccess,
    LinkedProgram,
    MapBinding,
    VerifiedProgram,
    VerifierStats,
)
from toolchain.verifier import progtypes
from toolchain.verifier.btfmaps import special_field
from toolchain.verifier.engine import Engine
from toolchain.verifier.env import INSN_LIMIT, LOG_PATH, LOG_STATE, Env, Refusal
from toolchain.verifier.insns import decode_slots
from toolchain.verifier.klog import write_stats
from toolchain.verifier.regtypes import MapView
from toolchain.verifier.state import State

STRICT_ALIGNMENT, ANY_ALIGNMENT, TEST_RND_HI32, TEST_STATE_FREQ, TEST_REG_INVARIANTS = 1, 2, 4, 8, 128
_OF_NO_VERDICT = TEST_RND_HI32 | XDP_HAS_FRAGS | TEST_REG_INVARIANTS
_KNOWN_FLAGS = STRICT_ALIGNMENT | ANY_ALIGNMENT | TEST_STATE_FREQ | SLEEPABLE | _OF_NO_VERDICT
_RETRY_LIMIT = 50_000
"""A refused program that took fewer instructions is walked again to give its path log."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """``log_level``: bits as the kernel's, 1 the refused path, 2 every instruction with its state, 4 the figures.

    ``insn_limit``: instructions processed at most. ``cpu_count``: CPUs that bpf_get_smp_processor_id may name, 0 for
    this machine's. ``explain_refusal``: with ``log_level`` 0, a refusal's log holds the refused path all the same.
    ``observer`` is called with (slot, state) before each instruction is checked; it must not change the state.
    """

    log_level: int = 0
    insn_limit: int = INSN_LIMIT
    cpu_count: int = 0
    explain_refusal: bool = True
    observer: Callable[[int, State], None] | None = None


def verify(bound: BoundProgram, options: VerifyOptions | None = None) -> VerifiedProgram:
    """Prove every path of a program safe.

    Raises: Rejected with the kernel's wording (``where`` is the instruction), Unsupported naming what is not modelled.
    """
    options = options or VerifyOptions()
    program = bound.program
    started = time.perf_counter_ns()
    env = _prepare(bound, options.log_level, options)
    try:
        Engine(env, program.functions, program.line_info).run()
    except Unsupported as error:
        raise Unsupported(error.feature, _place(env, program), error.hint) from None
    except Refusal as refusal:
        stats = write_stats(env, (time.perf_counter_ns() - started) // 1000)
        raise _rejection(bound, options, env, refusal, stats) from None
    stats = write_stats(env, (time.perf_counter_ns() - started) // 1000)
    log = env.log.text() if options.log_level else ""
    accesses = tuple(CtxAccess(slot, *what) for slot, what in sorted(env.ctx_accesses.items()))
    dead = frozenset(
        slot
        for slot, insn in enumerate(env.code)
        if not env.reached[slot] and not (slot and env.code[slot - 1].code == 0x18 and insn.code == 0)
    )
    return VerifiedProgram(bound, stats, accesses, dead, log)


def _prepare(bound: BoundProgram, log_level: int, options: VerifyOptions) -> Env:
    """The run's Env, or the refusals that come before any instruction is looked at."""
    program = bound.program
    where = InsnPlace(program.name)
    size = len(program.code)
    if size == 0 or size % 8 or size // 8 > INSN_LIMIT:
        raise Rejected(
            f"program size must be a multiple of 8, at least 8 and at most {INSN_LIMIT * 8} bytes: {size}",
            where,
            stats=VerifierStats(),
            errno=errno.E2BIG if size % 8 == 0 else errno.EINVAL,
        )
    if not progtypes.is_known(program.prog_type):
        raise Unsupported(f"programs of type {program.prog_type.label}", where)
    attach_type = loaded_attach_type(program.prog_type, program.expected_attach_type)
    if attach_type is None:
        raise Rejected(
            f"programs of type {program.prog_type.label} do not load with attach type {program.expected_attach_type}",
            where,
            stats=VerifierStats(),
            errno=errno.EINVAL,
        )
    if program.prog_flags & ~_KNOWN_FLAGS:
        raise Unsupported(f"program flags 0x{program.prog_flags:x}", where)
    _check_sleepable(program, where)
    maps = tuple(
        _view_of(index, declared, binding, program.btf)
        for index, (declared, binding) in enumerate(zip(program.maps, bound.bindings, strict=True))
    )
    env = Env(
        program.name, program.prog_type, program.expected_attach_type, decode_slots(program.code), maps, log_level
    )
    env.insn_limit = min(options.insn_limit, INSN_LIMIT)
    env.cpu_count = options.cpu_count or os.cpu_count() or 1
    env.observer = options.observer
    env.is_gpl = program.is_gpl_compatible
    env.is_strict = program.prog_flags & (STRICT_ALIGNMENT | ANY_ALIGNMENT) == STRICT_ALIGNMENT
    env.is_sleepable = bool(program.prog_flags & SLEEPABLE)
    env.always_checkpoint = bool(program.prog_flags & TEST_STATE_FREQ)
    env.btf = program.btf
    types = [function.type_id for function in program.functions]
    env.has_func_info = program.btf is not None and bool(types) and all(types)
    return env


def _view_of(index: int, declared: MapSpec, binding: MapBinding, btf: Btf | None) -> MapView:
    """A map as the engine sees it. What a map that exists already holds is not known, however it was declared; its
    types are those of the declaration, because ``btf`` is the object's.
    """
    spec = binding.spec
    if binding.action == BindAction.REUSE and spec.data is not None:
        spec = replace(spec, data=None)
    inner = None
    if spec.inner is not None:
        inner = MapView(-1, spec.inner, special_field(declared.inner, btf) if declared.inner else "")
    return MapView(index, spec, special_field(declared, btf), inner)


def _check_sleepable(program: LinkedProgram, where: InsnPlace) -> None:
    """Source: check_attach_btf_id, can_be_sleepable (6.12)."""
    is_sleepable = bool(program.prog_flags & SLEEPABLE)
    message = ""
    if program.prog_type == ProgType.SYSCALL and not is_sleepable:
        message = "Syscall programs can only be sleepable"
    elif is_sleepable and program.prog_type not in (ProgType.SYSCALL, ProgType.KPROBE):
        message = "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable"
    if message:
        raise Rejected(message, where, stats=VerifierStats(), rule=_rule_of(message), errno=errno.EINVAL)


def _place(env: Env, program: LinkedProgram) -> InsnPlace:
    if not env.is_walking:
        return InsnPlace(program.name)
    line = None
    for entry in program.line_info:
        if entry.slot <= env.insn and (line is None or entry.slot > line.slot):
            line = entry
    if line is None:
        return InsnPlace(program.name, env.insn)
    return InsnPlace(program.name, env.insn, f"{line.path}:{line.line}", line.text)


def _rule_of(message: str) -> str:
    """The rule that a refusal names; its table of patterns is made only now, so accepted programs do not pay for it."""
    from toolchain.verifier.rules import rule_of

    return rule_of(message)


def _rejection(
    bound: BoundProgram, options: VerifyOptions, env: Env, refusal: Refusal, stats: VerifierStats
) -> Rejected:
    log = env.log.text()
    message = last_reason(log)
    if not options.log_level & (LOG_PATH | LOG_STATE) and options.explain_refusal and 0 < env.processed <= _RETRY_LIMIT:
        log = _log_again(bound, options) or log
    return Rejected(
        message,
        _place(env, bound.program),
        log=log,
        stats=stats,
        rule=_rule_of(message),
        errno=refusal.errno,
    )


def _log_again(bound: BoundProgram, options: VerifyOptions) -> str:
    """The path log of a refused program: the same walk, deterministic, with the log on."""
    env = _prepare(bound, options.log_level | LOG_PATH, options)
    with contextlib.suppress(Refusal, Unsupported):
        Engine(env, bound.program.functions, bound.program.line_info).run()
    write_stats(env, 0)
    return env.log.text()


_NOT_REASONS = (
    "processed ",
    "verification time ",
    "stack depth ",
    "mark_precise",
    "cur state:",
    "old state:",
    "verifier bug: REG INVARIANTS",
)


def last_reason(log: str) -> str:
    """The last line of a log that gives a reason."""
    for line in reversed(log.splitlines()):
        if line and not line.startswith(_NOT_REASONS):
            return line
    return ""
