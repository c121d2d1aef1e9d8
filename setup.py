"""What pyproject.toml cannot say: the C core is built through cffi's API mode, the verifier optionally by mypyc.

``TOOLCHAIN_MYPYC=1`` compiles the verifier for a wheel; an editable install leaves it as Python.
"""

import os
from pathlib import Path

from setuptools import setup

options = {}
if Path("toolchain/vm/build_core.py").exists():
    options["cffi_modules"] = ["toolchain/vm/build_core.py:ffibuilder"]
if os.environ.get("TOOLCHAIN_MYPYC") == "1":
    from mypyc.build import mypycify

    modules = [str(path) for path in sorted(Path("toolchain/verifier").glob("*.py")) if path.name != "__init__.py"]
    options["ext_modules"] = mypycify(["--strict", *modules], opt_level="3")

setup(**options)
