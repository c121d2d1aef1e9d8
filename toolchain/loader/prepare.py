"""prepared: an object as it is linked, for our verifier or for the running kernel.

    types that answer CO-RE relocations     core_target.py       both
    functions and variables of a kernel     target.py            the running kernel only
    variables of its configuration          kconfig.py           both

What it asks of the machine is asked when something refers to it.
"""

from __future__ import annotations

from toolchain.loader.core_target import TypesOf, with_core_types
from toolchain.loader.target import for_running_kernel
from toolchain.spec.objects import ObjectSpec


def prepared(obj: ObjectSpec, types: TypesOf | None = None, *, for_kernel: bool) -> ObjectSpec:
    """The object, ready to be linked. Raises ObjectError for a file that the environment names wrongly."""
    obj = with_core_types(for_running_kernel(obj) if for_kernel else obj, types)
    if not any(each.section == ".kconfig" for each in obj.externs):
        return obj
    from toolchain.loader.kconfig import with_kconfig

    return with_kconfig(obj)
