"""The user runtime: a C core under Python. runtime.py joins the parts; core/api.h is the C core's contract."""

from toolchain.vm.engine import Code, Fault
from toolchain.vm.maps import Map
from toolchain.vm.program import UserProgram
from toolchain.vm.runtime import UserRuntime

__all__ = ["Code", "Fault", "Map", "UserProgram", "UserRuntime"]
