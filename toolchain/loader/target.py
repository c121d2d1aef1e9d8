"""The running kernel as what an object is linked for: its functions, its variables and its types.

    extern                                   in the code
    function in .ksyms                       call with src 2, imm = id of its FUNC
    variable or function's address, typed    wide load with src 3, imm = id of its VAR or FUNC
    variable without a type (const void)     wide load of its address from /proc/kallsyms

The kernel's types are read when first asked for (60 ms). ``NAME___suffix`` means NAME: the suffix tells declarations
apart.

Source: libbpf.c, bpf_object__resolve_ksym_func_btf_id(), bpf_object__resolve_ksym_var_btf_id() and
bpf_core_essential_name_len().
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import Unsupported
from toolchain.loader.target_names import essential_name
from toolchain.spec.objects import ObjectSpec

if TYPE_CHECKING:
    from toolchain.btf import Btf

_SYMBOLS = "/proc/kallsyms"


class RunningKernel:
    """Answers from /sys/kernel/btf/vmlinux and /proc/kallsyms. Functions and variables of modules are not looked at."""

    @property
    def types(self) -> Btf:
        """The kernel's types. Raises Unsupported where it has none."""
        from toolchain.kernel.attach_target import KERNEL_TYPES, kernel_types

        types = kernel_types()
        if types is None:
            raise Unsupported(f"kernel symbols and types on a kernel without {KERNEL_TYPES}")
        return types

    def function(self, name: str) -> int:
        """The id of a function's FUNC, 0 where there is none."""
        from toolchain.btf.types import Func

        return self.types.find(essential_name(name), Func)

    def variable(self, name: str) -> int:
        """The id of a variable's VAR, 0 where there is none."""
        from toolchain.btf.types import Var

        return self.types.find(essential_name(name), Var)

    def address(self, name: str) -> int:
        """The address of a symbol, 0 where there is none or this process may not know it."""
        wanted = essential_name(name)
        try:
            with open(_SYMBOLS) as lines:
                for line in lines:
                    fields = line.split(None, 3)
                    if len(fields) == 3 and fields[2] == wanted:
                        return int(fields[0], 16)
        except (OSError, ValueError):
            pass
        return 0


def for_running_kernel(obj: ObjectSpec) -> ObjectSpec:
    """The object, to be linked for the running kernel."""
    return replace(obj, target=RunningKernel())
