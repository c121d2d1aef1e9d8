"""The user runtime: a C core under Python. runtime.py joins the parts; core/api.h is the C core's contract."""

from toolchain.vm.cmap import CMap
from toolchain.vm.engine import Code, Fault, Outcome
from toolchain.vm.maps import UserMap
from toolchain.vm.program import UserProgram
from toolchain.vm.runtime import UserRuntime

__all__ = ["CMap", "Code", "Fault", "Outcome", "UserMap", "UserProgram", "UserRuntime"]
