"""What ends a command before it has begun: an interruption, no memory, no descriptors, a module that is not there."""

import importlib
import os
import pathlib
import signal
import subprocess
import sys
import tomllib

import pytest

from toolchain.cli import entry

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("tool", ["bpf-as", "bpf-load"])
@pytest.mark.parametrize(
    ("trouble", "status", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "error: cannot begin: out of memory"),
        (OSError(24, "Too many open files"), 1, "error: cannot begin: [Errno 24] Too many open files"),
        (ModuleNotFoundError("No module named 'click'"), 1, "error: No module named 'click'\n  hint: "),
    ],
    ids=["interrupted", "memory", "descriptors", "module"],
)
def test_trouble_in_an_import(monkeypatch, capsys, tool, trouble, status, text):
    def failing(name):
        raise trouble

    monkeypatch.setattr(importlib, "import_module", failing)
    with pytest.raises(SystemExit) as ended:
        getattr(entry, tool.replace("-", "_"))()
    assert ended.value.code == status
    assert capsys.readouterr().err.startswith(f"{tool}: {text}")


def test_the_commands_that_are_installed_begin_here():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"bpf-as": "toolchain.cli.entry:bpf_as", "bpf-load": "toolchain.cli.entry:bpf_load"}
    for name in scripts:
        done = subprocess.run([ROOT / "bin" / name, "--version"], capture_output=True, text=True)
        assert done.stdout.startswith(f"{name} ")


def test_what_is_imported_before_interruptions_are_caught():
    code = "import sys; before = set(sys.modules); import toolchain.cli.entry; print(*set(sys.modules) - before)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert {name for name in done.stdout.split() if name.split(".")[0] in ("click", "typing", "enum")} == set()


def test_the_end_of_python_is_quiet(monkeypatch):
    class Module:
        @staticmethod
        def main():
            sys.exit(0)

    monkeypatch.setattr(importlib, "import_module", lambda name: Module)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit):
            entry.bpf_load()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
