"""Names of a package that are imported when they are first asked for.

A command starts in a tenth of a second only if it imports what it uses and no more; but importing any module of a
package imports the package first. So a package's ``__init__`` says where its public names live and imports none:

    _HOMES = {"read": "toolchain.elf.reader", "write": "toolchain.elf.writer"}
    __all__ = [*_HOMES]
    __getattr__ = lazy_names(__name__, _HOMES)

with the same imports under TYPE_CHECKING, where the type checker reads them. A name that is also one of the package's
modules (``elf.extract``) cannot be lazy: importing the module puts the module there. Source: PEP 562.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

TYPE_CHECKING = False  # for the type checker only: typing costs 10 ms, and this is imported before all else
if TYPE_CHECKING:
    from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__``. ``homes`` is public name -> the module that has it."""

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
