"""A BoundProgram to the kernel and its verdict back, in the form that our own verifier uses.

Map references arrive as indexes (PseudoSrc.MAP_IDX, MAP_IDX_VALUE) and leave as fds; types, functions and lines go with
the program (types.py). The log costs nothing where the program is good: it is asked for only after a refusal.

    first try     no log                      good: done
    second try    level, 64 KiB of buffer     the log; its true size where it is longer (ENOSPC, Linux 6.4)
    third try     level, a buffer of it       the log; before 6.4 the buffer grows fourfold until it fits

Who wants the kernel's figures too (``judge``) begins with level 4, which writes those and a refusal's reason, but not
every instruction. The counts are the same with every level.

Source: kernel/bpf/log.c, bpf_vlog_finalize(); kernel/bpf/verifier.c, print_verification_stats(), Linux 6.12.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Sequence

from toolchain.errors import InsnPlace, Rejected, ToolchainError, Unsupported, errno_name
from toolchain.isa.opcodes import LDDW, PseudoSrc
from toolchain.isa.program_types import ProgType
from toolchain.kernel import calls, privileges
from toolchain.kernel.attach_target import AttachPoint
from toolchain.kernel.attr import Command
from toolchain.kernel.calls import BpfCallError, LoadAnswer, ProgLoad
from toolchain.kernel.handles import KernelMap, KernelProgram
from toolchain.kernel.since import require_program_type
from toolchain.kernel.types import TypeSections
from toolchain.spec.stages import LinkedProgram, VerifierStats

LOG_LIMIT = 64 << 20
"""Bytes of log that are read at most."""
FIRST_LOG_SIZE = 64 << 10
LOG_STATS = 4
"""BPF_LOG_STATS: the level that writes the verifier's figures."""
_ENOTSUPP = 524

_RETRIES = 5
"""EAGAIN: the kernel was interrupted by a signal while verifying. libbpf tries as often."""

_PLACE = re.compile(r"^(\d+): \([0-9a-f]{2}\)", re.M)
_STATS = re.compile(
    r"processed (\d+) insns \(limit \d+\) max_states_per_insn (\d+) total_states (\d+) peak_states (\d+)"
    r" mark_read (\d+)"
)
_DEPTH = re.compile(r"^stack depth ([\d+]+)$", re.M)
_TIME = re.compile(r"^verification time (\d+) usec$", re.M)
_NO_REASON = re.compile(
    r"processed \d+ insns|verification time|stack depth|max_states|mark_precise|-- END|arg#\d+ (no|reference)|"
    r"from \d+ to |cur state: |old state: |\d+: (R\d|\(|frame\d)|;|(last_idx|first_idx|parent state|regs=)|"
    r"Live regs before insn|\s+\d+: |(Validating|Func#\d+ |func#\d+ @\d+$)"
)
"""Lines of a log that tell what was done, not why the program was refused."""
_BEHIND_A_JUMP = re.compile(
    r"(infinite loop detected at insn \d+|BPF program is too large\. Processed \d+ insn"
    r"|The sequence of \d+ jumps is too complex\.)$"
)
"""Reasons that level 1 writes right behind a jump: that line ends only where a state follows."""


def with_map_fds(code: bytes, maps: Sequence[KernelMap]) -> bytes:
    """``code`` with each map index replaced by that map's fd."""
    patched = bytearray(code)
    kinds = {int(PseudoSrc.MAP_IDX): int(PseudoSrc.MAP_FD), int(PseudoSrc.MAP_IDX_VALUE): int(PseudoSrc.MAP_VALUE)}
    at = 0
    while at < len(patched):
        is_wide = patched[at] == LDDW
        kind = kinds.get(patched[at + 1] >> 4) if is_wide else None
        if kind is not None:
            (index,) = struct.unpack_from("<I", patched, at + 4)
            patched[at + 1] = kind << 4 | patched[at + 1] & 15
            struct.pack_into("<i", patched, at + 4, maps[index].fileno())
        at += 16 if is_wide else 8
    return bytes(patched)


def request_of(
    program: LinkedProgram, maps: Sequence[KernelMap], types: TypeSections, token_fd: int, point: AttachPoint
) -> ProgLoad:
    """The program as bpf(2) takes it."""
    own = types.of_program(program, token_fd)
    return ProgLoad(
        int(program.prog_type),
        with_map_fds(program.code, maps),
        program.licence,
        program.name,
        program.prog_flags,
        program.kernel_version,
        point.attach_type,
        own.btf_fd,
        own.func_info,
        own.line_info,
        point.btf_id,
        token_fd=token_fd,
    )


def load(program: LinkedProgram, request: ProgLoad, log_level: int = 1) -> KernelProgram:
    """Load a program. Raises Rejected with the kernel's verdict, RuntimeUnavailable on EPERM, LoadError otherwise."""
    answer = _attempt(request, 0, 0)
    if answer.fd < 0:
        answer = load_with_log(request, log_level)
    if answer.fd < 0:
        raise refusal(program, answer, request.token_fd)
    return KernelProgram(answer.fd, program.name)


def judge(program: LinkedProgram, request: ProgLoad, log_level: int = 0) -> tuple[KernelProgram, VerifierStats, str]:
    """Load a program and say what that cost: the handle, the kernel's figures, and the log where ``log_level`` asks.

    Raises: as ``load``.
    """
    answer = load_with_log(request, log_level | LOG_STATS)
    if answer.fd < 0:
        answer = load_with_log(request, log_level | LOG_STATS | 1) if not log_level & 3 else answer
        raise refusal(program, answer, request.token_fd)
    return KernelProgram(answer.fd, program.name), log_stats(answer.log), answer.log if log_level else ""


def _attempt(request: ProgLoad, level: int, size: int) -> LoadAnswer:
    for _ in range(_RETRIES):
        answer = calls.prog_load(request, level, size)
        if answer.fd != -errno.EAGAIN:
            break
    return answer


def load_with_log(request: ProgLoad, level: int) -> LoadAnswer:
    """Load with the whole log; beyond LOG_LIMIT only its end."""
    size = FIRST_LOG_SIZE
    while True:
        answer = _attempt(request, level, size)
        if answer.fd != -errno.ENOSPC or size == LOG_LIMIT:
            return answer
        size = min(max(answer.log_true_size, size * 4 if not answer.log_true_size else size + 1), LOG_LIMIT)


def refusal(program: LinkedProgram, answer: LoadAnswer, token_fd: int = 0) -> ToolchainError:
    """The kernel's refusal as an error of ours. Without a log it is no verdict: the request itself was refused."""
    number = -answer.fd
    if not answer.log:
        return _without_log(program, number, token_fd)
    places = _PLACE.findall(answer.log)
    slot = int(places[-1]) if places else None
    return Rejected(
        reason(answer.log) or f"no reason given but {errno_name(number)}",
        InsnPlace(program.name, slot, *_source(program, slot)),
        log=answer.log,
        stats=log_stats(answer.log),
        errno=number,
    )


def _without_log(program: LinkedProgram, number: int, token_fd: int) -> ToolchainError:
    error = BpfCallError(Command.PROG_LOAD, number)
    kind = program.prog_type
    label = kind.label if isinstance(kind, ProgType) else str(kind)
    try:
        if number in (_ENOTSUPP, errno.EOPNOTSUPP):
            raise Unsupported(f"programs of type {label} here, on Linux {os.uname().release}", program.where)
        if number == errno.EINVAL:
            require_program_type(kind, program.where, token_fd)
        privileges.refuse(error, f"loading program {program.name} ({label})", program.where, privileges.needed(kind))
    except ToolchainError as refused:
        return refused


def reason(log: str) -> str:
    """The line of a log that says why the program was refused; '' where none does."""
    for line in reversed(log.splitlines()):
        if found := _BEHIND_A_JUMP.search(line):
            return found[0]
        if line.strip() and not _NO_REASON.match(line):
            return re.sub(r"processed \d+ insns \(limit.*$", "", line)
    return ""


def _source(program: LinkedProgram, slot: int | None) -> tuple[str, str]:
    """``file:line`` and the text of the source line that a slot came from."""
    found = None
    for line in program.line_info:
        if slot is None or line.slot > slot:
            break
        found = line
    return (f"{found.path}:{found.line}", found.text) if found else ("", "")


def log_stats(log: str) -> VerifierStats:
    """The figures at the end of a log; zeros where they are missing."""
    found = _STATS.search(log)
    if found is None:
        return VerifierStats()
    processed, per_insn, total, peak, mark_read = map(int, found.groups())
    depth, time = _DEPTH.search(log), _TIME.search(log)
    depths = tuple(map(int, depth[1].split("+"))) if depth else ()
    return VerifierStats(processed, peak, total, per_insn, mark_read, depths, int(time[1]) if time else 0)
