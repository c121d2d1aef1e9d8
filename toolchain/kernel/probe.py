"""What this kernel lets this process do, found out by doing it: one finding a question, each failure with its remedy.

A map is made and a program loaded for every type that the kernel may know; all are closed at once, nothing is attached,
pinned or mounted. Takes a few milliseconds.

The smallest program of a type is ``r0 = 0; exit``. Types that are loaded for one place of the kernel need that place
and are left out: tracing, lsm, ext, struct_ops.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial

from toolchain.errors import RuntimeUnavailable, errno_name
from toolchain.isa.map_types import MAP_IN_MAP_TYPES, MapFlag, MapType
from toolchain.isa.program_types import ProgType
from toolchain.kernel import bpffs, calls, info, privileges
from toolchain.kernel.attach_target import KERNEL_TYPES
from toolchain.kernel.calls import BpfCallError
from toolchain.kernel.since import NEEDS_A_PLACE, smallest
from toolchain.kernel.token import open_token
from toolchain.spec.findings import Finding, State

_NEEDS_TYPES = frozenset(
    {MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE, MapType.STRUCT_OPS}
)
_PAGE_SIZES = {MapType.RINGBUF: 4096, MapType.USER_RINGBUF: 4096}
_SIZES = {
    MapType.LPM_TRIE: (8, 8),
    MapType.STACK_TRACE: (4, 80),
    MapType.QUEUE: (0, 8),
    MapType.STACK: (0, 8),
    MapType.BLOOM_FILTER: (0, 8),
    MapType.RINGBUF: (0, 0),
    MapType.USER_RINGBUF: (0, 0),
    MapType.ARENA: (0, 0),
    MapType.CGROUP_STORAGE: (8, 8),
    MapType.PERCPU_CGROUP_STORAGE: (8, 8),
}
_FLAGS = {MapType.LPM_TRIE: MapFlag.NO_PREALLOC, MapType.ARENA: MapFlag.MMAPABLE}
_JIT_SYSCTL = "net/core/bpf_jit_enable"
_UNPRIVILEGED_SYSCTL = "kernel/unprivileged_bpf_disabled"


def findings(pin_root: str) -> Iterator[Finding]:
    """Every question about the kernel runtime, in the order in which one needs the answers."""
    yield _capabilities()
    token = 0
    if not privileges.is_initial_user_namespace():
        found, token = _token(pin_root)
        yield found
    yield _unprivileged()
    map_types, prog_types = (
        _kinds(MapType, partial(_makes_map, token)),
        _kinds(ProgType, partial(_loads_program, token)),
    )
    yield _found("maps", map_types, "CAP_BPF")
    yield _found("programs", prog_types, "CAP_BPF, and CAP_NET_ADMIN or CAP_PERFMON for most types")
    yield _jit(token)
    yield _bpffs(pin_root)
    yield _types()
    yield from _hooks()


def _capabilities() -> Finding:
    held = privileges.effective()
    lacking = [] if "CAP_SYS_ADMIN" in held else [name for name in privileges.CAPABILITIES if name not in held]
    if not lacking:
        return Finding("capabilities", State.OK, ", ".join(sorted(held)))
    remedy = "run as root, or give the command CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    if lacking == ["CAP_SYS_ADMIN"]:
        return Finding("capabilities", State.WARN, "no CAP_SYS_ADMIN: no objects by id, no lists", "run as root")
    return Finding("capabilities", State.FAIL, f"missing: {', '.join(lacking)}", remedy)


def _token(pin_root: str) -> tuple[Finding, int]:
    """In a user namespace: what its bpffs delegates. The token lives as long as this process."""
    try:
        token = open_token(pin_root)
    except RuntimeUnavailable as error:
        return Finding("token", State.FAIL, str(error), error.hint), 0
    if token:
        return Finding(
            "token", State.OK, "capabilities of this user namespace are passed on, as far as delegated"
        ), token
    text = "capabilities of this user namespace do not count in bpf(2), and no bpffs passes them on"
    remedy = "have root of the machine mount a bpffs for this namespace with delegate_* options"
    return Finding("token", State.FAIL, text, remedy), 0


def _unprivileged() -> Finding:
    value = _sysctl(_UNPRIVILEGED_SYSCTL)
    texts = {"0": "users without capabilities may load socket filters", "1": "closed to users, until the next start",
             "2": "closed to users"}  # fmt: skip
    state = State.WARN if value == "0" else State.OK
    remedy = "sysctl kernel.unprivileged_bpf_disabled=2" if value == "0" else ""
    return Finding("unprivileged_bpf_disabled", state, f"{value or '?'}: {texts.get(value, 'not readable')}", remedy)


def _sysctl(name: str) -> str:
    try:
        with open(f"/proc/sys/{name}") as file:
            return file.read().strip()
    except OSError:
        return ""


def _kinds(kinds: type[MapType] | type[ProgType], attempt: Callable[[int], int]) -> dict[str, int]:
    """Label -> errno, 0 where it works, for every type that can be tried."""
    skipped = _NEEDS_TYPES | {MapType.UNSPEC} if kinds is MapType else NEEDS_A_PLACE
    return {kind.label: attempt(kind) for kind in kinds if kind not in skipped}


def _makes_map(token: int, number: int) -> int:
    kind = MapType(number)
    key, value = _SIZES.get(kind, (4, 4))
    is_storage = kind in (MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE)
    try:
        inner = calls.map_create(MapType.ARRAY, 4, 4, 1, token_fd=token) if kind in MAP_IN_MAP_TYPES else 0
    except BpfCallError as error:
        return error.errno
    try:
        entries = 0 if is_storage else _PAGE_SIZES.get(kind, 1)
        flags = _FLAGS.get(kind, 0)
        os.close(calls.map_create(kind, key, value, entries, map_flags=flags, inner_map_fd=inner, token_fd=token))
    except BpfCallError as error:
        return error.errno
    finally:
        if inner:
            os.close(inner)
    return 0


def _loads_program(token: int, number: int) -> int:
    answer = calls.prog_load(smallest(number, token))
    if answer.fd >= 0:
        os.close(answer.fd)
    return max(-answer.fd, 0) if answer.fd < 0 else 0


def _found(what: str, answers: dict[str, int], needs: str) -> Finding:
    works = [name for name, number in answers.items() if not number]
    if not works:
        number = next(iter(answers.values()))
        remedy = f"it takes {needs}: run as root" if number == errno.EPERM else "boot a kernel with CONFIG_BPF_SYSCALL"
        return Finding(what, State.FAIL, f"none: {errno_name(number)}", remedy)
    others = [f"{name} {errno_name(number)}" for name, number in answers.items() if number]
    text = f"{len(works)} of {len(answers)} types" + (f"; not {', '.join(others)}" if others else "")
    return Finding(what, State.OK, text)


def _jit(token: int) -> Finding:
    answer = calls.prog_load(smallest(ProgType.SOCKET_FILTER, token))
    setting = _sysctl(_JIT_SYSCTL)
    if answer.fd < 0:
        return Finding("JIT", State.WARN, f"net.core.bpf_jit_enable is {setting or 'not readable'}; no program to ask")
    size = info.prog_info(answer.fd).jited_size
    os.close(answer.fd)
    if size:
        return Finding(
            "JIT", State.OK, f"programs are compiled (net.core.bpf_jit_enable is {setting or 'not readable'})"
        )
    remedy = "sysctl net.core.bpf_jit_enable=1"
    return Finding("JIT", State.WARN, "programs are interpreted, several times slower", remedy)


def _bpffs(pin_root: str) -> Finding:
    mounted = bpffs.mounts()
    if not bpffs.mount_point_of(pin_root):
        text = f"{pin_root} lies in none" + (f"; mounted: {', '.join(mounted)}" if mounted else "; none is mounted")
        return Finding("bpffs", State.FAIL, text, f"mount -t bpf bpf {pin_root}, or 'bpf-load load --mount'")
    existing = pin_root
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding("bpffs", State.FAIL, f"{existing} is not writable here", "run as its owner, or chown it")
    return Finding("bpffs", State.OK, f"pins in {pin_root}")


def _types() -> Finding:
    if os.path.exists(KERNEL_TYPES):
        return Finding("kernel types", State.OK, KERNEL_TYPES)
    remedy = "boot a kernel with CONFIG_DEBUG_INFO_BTF"
    return Finding("kernel types", State.WARN, f"no {KERNEL_TYPES}: no attach targets, no CO-RE", remedy)


def _hooks() -> Iterator[Finding]:
    from toolchain.kernel.hooks import has_tcx

    release = os.uname().release
    if has_tcx():
        yield Finding("TCX", State.OK, "links on ingress and egress, with an order")
    elif privileges.missing(("CAP_NET_ADMIN",)):
        yield Finding("TCX", State.WARN, "cannot be asked without CAP_NET_ADMIN", "run as root")
    else:
        yield Finding("TCX", State.WARN, f"not on Linux {release}: 6.6 has it", "attach with the tc verb: clsact")
    try:
        import pyroute2  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: F401
    except ImportError:
        remedy = "install the extra: pip install 'bpf-toolchain[net]'"
        yield Finding("clsact", State.WARN, "pyroute2 is not installed: no clsact, no classic XDP", remedy)
    else:
        yield Finding("clsact", State.OK, "over netlink, by pyroute2")
