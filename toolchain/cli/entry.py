"""Where the two commands begin: their imports, which a user may interrupt and which may lack memory or descriptors.

Whatever comes later ends in ``render.guarded``; here nothing is imported yet that could show an error.
"""

from __future__ import annotations

import gc
import importlib
import sys

_GARBAGE_THRESHOLD = 50_000
"""New objects before a collection. At Python's own 700 a start looks 40 times for garbage among modules: 3 % of it."""


def bpf_as() -> None:
    """The command bpf-as. Ends the process."""
    _begin("bpf-as", "toolchain.cli.bpf_as")


def bpf_load() -> None:
    """The command bpf-load. Ends the process."""
    _begin("bpf-load", "toolchain.cli.bpf_load")


def _begin(tool: str, module: str) -> None:
    gc.set_threshold(_GARBAGE_THRESHOLD)
    try:
        main = importlib.import_module(module).main
    except KeyboardInterrupt:
        _end(f"{tool}: interrupted", 130)
    except ModuleNotFoundError as error:
        _end(f"{tool}: error: {error}\n  hint: install the project, or run make in its checkout", 1)
    except (OSError, ImportError, MemoryError) as error:
        _end(f"{tool}: error: cannot begin: {str(error) or 'out of memory'}", 1)
    else:
        try:
            main()
        finally:
            import signal

            signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interruption of Python's own end is quiet


def _end(text: str, status: int) -> None:
    if sys.stderr is not None:
        print(text, file=sys.stderr)
    sys.exit(status)
