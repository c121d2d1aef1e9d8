"""The command bpf-load, run inside this process on a pin root of the test's own."""

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from toolchain.cli.bpf_load import main


class Outcome(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        """Its one JSON document."""
        return json.loads(self.out)


@pytest.fixture
def bpf_load(pin_root, capsys, monkeypatch) -> Callable[..., Outcome]:
    monkeypatch.setenv("BPF_PIN_ROOT", pin_root)
    monkeypatch.delenv("BPF_RUNTIME", raising=False)
    monkeypatch.delenv("BPF_TOOLCHAIN_DEBUG", raising=False)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Outcome(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def written(tmp_path):
    """A function that writes bytes to a file and gives its path."""

    def write(data: bytes, name: str = "a.o") -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


@pytest.fixture
def pins(bpf_load):
    """A function that gives what is pinned: path -> (kind, id)."""

    def listed() -> dict[str, tuple[str, int]]:
        outcome = bpf_load("--json", "pin", "tree")
        assert outcome.status == 0, outcome
        return {each["path"]: (each["kind"], each["id"]) for each in outcome.json["pins"]}

    return listed
