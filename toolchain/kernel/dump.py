"""A loaded program's code as the kernel shows it, in the form of a linked program.

The instructions are those after the verifier's rewrites: maps are addresses or ids, context accesses those of the
kernel's own structures, helpers offsets of functions. Where the kernel hides them (kptr_restrict), there are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.errors import Unsupported
from toolchain.isa.program_types import ProgType
from toolchain.kernel.info import btf_bytes, func_info, line_info, prog_info, prog_xlated
from toolchain.spec.stages import FunctionInfo, LineInfo, LinkedProgram

if TYPE_CHECKING:
    from toolchain.btf import Btf


def dumped_program(fd: int) -> LinkedProgram:
    """The program behind ``fd``. Raises Unsupported where the kernel shows no code."""
    live = prog_info(fd)
    code = prog_xlated(fd, live.xlated_size) if live.xlated_size else b""
    if not any(code):
        raise Unsupported("dump of a program whose code the kernel hides", hint="see sysctl kernel.kptr_restrict")
    raw = btf_bytes(live.btf_id) if live.btf_id else b""
    functions: tuple[FunctionInfo, ...] = ()
    lines: tuple[LineInfo, ...] = ()
    btf = None
    if raw:
        from toolchain.btf.codec import Btf

        btf = Btf.decode(raw, path=f"btf {live.btf_id}")
        functions = _functions(fd, live.func_info_count, btf) if live.func_info_count else ()
        lines = _lines(fd, live.line_info_count, btf) if live.line_info_count else ()
    kind = ProgType(live.prog_type) if live.prog_type in set(ProgType) else ProgType.UNSPEC
    return LinkedProgram(live.name, "", kind, code, functions=functions, line_info=lines, btf=btf)


def _functions(fd: int, count: int, btf: Btf) -> tuple[FunctionInfo, ...]:
    from toolchain.btf.types import name_of

    return tuple(FunctionInfo(slot, name_of(btf.get(type_id)), type_id) for slot, type_id in func_info(fd, count))


def _lines(fd: int, count: int, btf: Btf) -> tuple[LineInfo, ...]:
    """Source: include/uapi/linux/bpf.h, BPF_LINE_INFO_LINE_NUM and _COL."""
    return tuple(
        LineInfo(slot, btf.strings.at(path), place >> 10, place & 0x3FF, btf.strings.at(text))
        for slot, path, text, place in line_info(fd, count)
    )
