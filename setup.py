"""What pyproject.toml cannot say: the C parts are built through cffi's API mode, the verifier optionally by mypyc.

``TOOLCHAIN_MYPYC=1`` compiles the verifier for a wheel; an editable install leaves it as Python.
"""

import os
from pathlib import Path

from setuptools import setup

BUILDERS = ("toolchain/vm/build_core.py", "toolchain/kernel/build_sys.py")

options = {"cffi_modules": [f"{path}:ffibuilder" for path in BUILDERS if Path(path).exists()]}
if os.environ.get("TOOLCHAIN_MYPYC") == "1":
    from mypyc.build import mypycify

    modules = [str(path) for path in sorted(Path("toolchain/verifier").glob("*.py")) if path.name != "__init__.py"]
    options["ext_modules"] = mypycify(["--strict", *modules], opt_level="3")

setup(**options)
