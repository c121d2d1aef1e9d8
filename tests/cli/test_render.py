"""What a user sees of an error, as text and as JSON."""

import errno
import json
import os
import subprocess
import sys

import pytest

from toolchain.cli import render
from toolchain.errors import (
    AsmError,
    InsnPlace,
    PinConflict,
    PinError,
    Rejected,
    SectionPlace,
    Span,
    ToolchainError,
    Unsupported,
)


def test_caret_stands_below_the_guilty_columns():
    error = AsmError("unknown register: r11 (r0..r10)", Span("a.s", 3, 3, 6, "\tr1r11 = 0"), hint="use r10")
    assert render.error_text(error).splitlines() == [
        "a.s:3:3: error: unknown register: r11 (r0..r10)",
        "    3 | \tr1r11 = 0",
        "      | \t ^~~",
        "  hint: use r10",
    ]


def test_every_fault_of_a_run_is_shown_once():
    faults = tuple(AsmError(f"fault {number}", Span("a.s", number, 1)) for number in (1, 2, 3))
    error = AsmError(faults[0].message, faults[0].where, faults=faults)
    assert render.error_text(error).count("error:") == 3
    document = render.error_document(error)
    assert document["schema"] == "bpf-load.error/1"
    assert [fault["where"]["line"] for fault in document["faults"]] == [1, 2, 3]


def test_a_rejection_shows_source_line_and_the_tail_of_the_log():
    log = "\n".join(f"{number}: (b7) r0 = {number}" for number in range(40))
    log += "\nR0 invalid mem access 'scalar'\nprocessed 40 insns (limit 1000000)\n"
    place = InsnPlace("main", 5, "x.c:7", "return *p;")
    text = render.error_text(Rejected("R0 invalid mem access 'scalar'", place, log=log, rule="mem-type"))
    lines = text.splitlines()
    assert lines[0] == "x.c:7: main: insn 5: error: R0 invalid mem access 'scalar'"
    assert lines[1] == "    7 | return *p;"
    assert lines[2] == "  verifier log (last 10 of 40 lines):"
    assert lines[3].strip() == "30: (b7) r0 = 30"
    assert lines[-1] == "  rule: mem-type"


def test_a_conflict_names_every_field_with_both_values():
    rows = (("acc", "tc/globals/acc", "value_size", 16, 8), ("acc", "tc/globals/acc", "max_entries", 2, 4))
    error = PinConflict("1 map differs from what is pinned", differences=rows)
    text = render.error_text(error)
    assert "value_size   declared 16, pinned 8" in text
    assert "max_entries  declared 2, pinned 4" in text
    assert [row["field"] for row in render.error_document(error)["differences"]] == ["value_size", "max_entries"]


def test_a_file_cannot_drive_the_terminal():
    error = ToolchainError("bad name: \x1b[2Jevil", SectionPlace("a.o", "se\x1bct", 8))
    text = render.error_text(error)
    assert "\x1b" not in text
    assert "se\\x1bct+0x8" in text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ToolchainError("x"), 1),
        (Rejected("x"), 3),
        (PinConflict("x"), 4),
        (Unsupported("x"), 5),
        (PinError("x", 17), 1),
    ],
)
def test_exit_status_and_json_on_stdout(error, status, capsys):
    def fail():
        raise error

    assert render.guarded(fail, as_json=True) == status
    out, err = capsys.readouterr()
    assert json.loads(out)["code"] == error.code
    assert err == ""
    assert render.guarded(fail, as_json=False) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bpf-load: error: ")


def test_a_bug_is_one_line_and_70(capsys, monkeypatch):
    def bug():
        return {}["no"]

    monkeypatch.delenv(render.DEBUG_VARIABLE, raising=False)
    assert render.guarded(bug, as_json=False) == 70
    assert "Traceback" not in (err := capsys.readouterr().err)
    assert err.startswith("bpf-load: internal error: KeyError")
    monkeypatch.setenv(render.DEBUG_VARIABLE, "1")
    assert render.guarded(bug, as_json=True) == 70
    out, err = capsys.readouterr()
    assert "Traceback" in err
    assert json.loads(out)["code"] == "internal"


def test_interrupt_is_130(capsys):
    def stop():
        raise KeyboardInterrupt

    assert render.guarded(stop, as_json=False) == 130
    assert capsys.readouterr().err == "bpf-load: interrupted\n"


def test_a_closed_pipe_is_quiet():
    code = (
        "import sys; from toolchain.cli import render\n"
        "def talk():\n    for n in range(100000): render.write('x' * 80)\n    return 0\n"
        "sys.exit(render.guarded(talk, False))"
    )
    reader, writer = os.pipe()
    child = subprocess.Popen([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (render.BROKEN_PIPE_STATUS, b"")


def test_text_that_the_terminal_cannot_say_is_escaped():
    code = "from toolchain.cli import render; render.write('caf\\u00e9 \\udc80')"
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout
    assert out == b"caf\\xe9 \\udc80\n"


def test_what_no_terminal_should_see_is_escaped():
    assert render.printable("a\tb\x1b[2J") == "a\tb\\x1b[2J"
    assert render.printable(os.fsdecode(b"\xff\xfe.o")) == "\\xff\\xfe.o"
    assert render.printable("\u2028") == "\\u2028"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_limit_met_anywhere_is_no_bug(capsys, number):
    """A command's own imports may meet it."""

    def action() -> int:
        raise OSError(number, os.strerror(number), "/some/module.py")

    assert render.guarded(action, as_json=False) == 5
    assert f"error: cannot go on: {errno.errorcode[number]}" in capsys.readouterr().err
