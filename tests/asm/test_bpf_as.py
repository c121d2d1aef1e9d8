"""The command: files, options, exit statuses, output."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from toolchain.cli.bpf_as import main
from toolchain.elf import read


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_default_output(own_folder: Path) -> None:
    Path("a.s").write_text("exit\n")
    Path("plain").write_text("exit\n")
    assert run("a.s") == 0
    assert run("plain") == 0
    assert read(Path("a.o").read_bytes()).sections[0].data == read(Path("plain.o").read_bytes()).sections[0].data


def test_machine_options() -> None:
    Path("a.s").write_text("add %r1, 5\nw1 += 1\n")
    assert run("-EB", "-mdialect=auto", "-o", "big.o", "a.s") == 0
    assert read(Path("big.o").read_bytes()).endian == "big"
    assert run("-mcpu=v2", "a.s") == 1
    assert run("-mcpu=v9", "a.s") == 2
    assert run("-mnonsense", "a.s") == 2
    assert run("-DX=y", "a.s") == 2


def test_standard_input_and_output(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"r0 = N\nexit\n")))
    assert run("-D", "N=7", "-o", "-", "-") == 0
    assert read(capfdbinary.readouterr().out).sections[0].data.hex() == "b7000000070000009500000000000000"
    assert run("-") == 2


@pytest.mark.parametrize("option", ["-o", "-l"])
def test_a_source_is_not_overwritten(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_text("exit\n")
    os.symlink("a.s", "link")
    for name in ("a.s", "./a.s", "link"):
        assert run(option, name, "a.s") == 2
        assert "input and output are the same file: a.s" in capsys.readouterr().err
    assert Path("a.s").read_text() == "exit\n"


def test_a_failed_run_leaves_the_old_output() -> None:
    Path("a.s").write_text("nonsense\n")
    Path("a.o").write_text("old")
    assert run("a.s") == 1
    assert Path("a.o").read_text() == "old"
    assert sorted(os.listdir()) == ["a.o", "a.s", "cache"]


def test_the_output_follows_umask_and_links() -> None:
    Path("a.s").write_text("exit\n")
    Path("real.o").touch()
    Path("a.o").symlink_to("real.o")
    old = os.umask(0o027)
    try:
        assert run("a.s") == 0
    finally:
        os.umask(old)
    assert Path("a.o").is_symlink()
    assert Path("real.o").stat().st_mode & 0o777 == 0o640
    assert run("-o", "/dev/null", "a.s") == 0


@pytest.mark.parametrize("path", ["missing.s", ".", "missing/deep.s", "nul\0.s"])
def test_unreadable_source(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-o", "x.o", path) == 1
    assert "cannot read" in capsys.readouterr().err


def test_unwritable_output(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_text("exit\n")
    assert run("-o", "no/such/folder.o", "a.s") == 1
    assert run("-o", ".", "a.s") == 1
    assert "cannot write" in capsys.readouterr().err


def test_errors_have_a_caret(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_text("\tr1 = r99\n\tr2 = 0x1ffffffff\n")
    assert run("a.s") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a.s:1:7: error: unknown register: r99 (r0..r10)"
    assert lines[2] == "      | \t     ^~~"
    assert any("ll`" in line for line in lines)


def test_number_of_errors(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_text("bad\n" * 30)
    assert run("--max-errors", "5", "a.s") == 1
    text = capsys.readouterr().err
    assert text.count("unknown instruction") == 5
    assert "25 more" in text


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_text("bad\nworse\n")
    assert run("--json", "a.s") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "bpf-as.error/1"
    assert document["where"]["line"] == 1
    assert len(document["faults"]) == 2
    Path("a.s").write_text("exit\n")
    assert run("--json", "a.s") == 0
    assert json.loads(capsys.readouterr().out)["output"] == "a.o"


def test_disassemble(capfd: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_text('.section tc,"ax"\n.func f\nL: if r1 == 5 goto L\nexit\n.license "GPL"\n')
    assert run("a.s") == 0
    assert run("-d", "a.o") == 0
    text = capfd.readouterr().out
    assert "if r1 == 5 goto" in text
    Path("b.s").write_text(text)
    assert run("b.s") == 0
    first, second = (read(Path(name).read_bytes()) for name in ("a.o", "b.o"))
    assert first.sections == second.sections
    assert run("-d", "--section", "license", "a.o") == 0
    assert "exit" not in capfd.readouterr().out
    assert run("-d", "--section", "nope", "a.o") == 1
    assert run("-d", "a.s") == 1
    assert run("-d", "-mdialect=normal", "a.o") == 0
    assert "jeq %r1,5," in capfd.readouterr().out


def test_warnings_do_not_fail(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_text('.warning "careful"\nexit\n')
    assert run("a.s") == 0
    assert "a.s:1:1: warning: .warning in the source: careful" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("bpf-as ")
    assert run("-h") == 0
    assert run() == 2


def test_bytes_that_are_not_text(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.s").write_bytes(b'.ascii "\xff\xfe"\n')
    assert run("a.s") == 0
    assert read(Path("a.o").read_bytes()).sections[0].data == b"\xff\xfe"
    Path("b.s").write_bytes(bytes(range(256)) * 3)
    assert run("b.s") == 1
    assert "\x1b" not in capsys.readouterr().err
