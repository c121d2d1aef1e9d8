"""Faulty texts: one error on each marked line, none elsewhere, at the right column, all in one run."""

import re
from pathlib import Path

import pytest

from toolchain.asm.api import assemble_text
from toolchain.asm.options import AsmOptions
from toolchain.errors import AsmError, Span

FAULTY = Path(__file__).parent.parent / "data" / "asm" / "faulty"
MARK = re.compile(r"# error: (.*)$")


def faults_of(text: str, path: str = "x.s", options: AsmOptions | None = None) -> list[AsmError]:
    with pytest.raises(AsmError) as caught:
        assemble_text(text, path, options)
    return [each for each in caught.value.faults if isinstance(each, AsmError)]


@pytest.mark.parametrize("source", sorted(FAULTY.glob("*.s")), ids=lambda path: path.stem)
def test_marked_lines(source: Path) -> None:
    lines = source.read_text().splitlines()
    wanted = {number: MARK.search(line)[1] for number, line in enumerate(lines, 1) if MARK.search(line)}
    faults = faults_of(source.read_text(), str(source))
    got: dict[int, list[str]] = {}
    for fault in faults:
        assert isinstance(fault.where, Span)
        assert fault.where.path == str(source)
        assert 1 <= fault.where.column < fault.where.end_column
        got.setdefault(fault.where.line, []).append(fault.message)
    assert got.keys() == wanted.keys()
    for number, messages in got.items():
        assert len(messages) == 1, (number, messages)
        assert wanted[number] in messages[0], number


@pytest.mark.parametrize(
    ("text", "guilty"),
    [
        ("  r1 = 0x100000000", "0x100000000"),
        ("r1 = *(u64 *)(r2 + 70000)", "70000"),
        ("r1 = *(u64 *)(r2 - 70000)", "70000"),
        ("nop: goto away # there", "away"),
        ("r1 += w2", "w2"),
        ("r1 = be16 r2", "2"),
        ("r3 = r2 ; r4 = r77", "r77"),
        ("if r1 == 0x1ffffffff goto +1", "0x1ffffffff"),
        ("r1 = foo ll; r2 = foo", "foo"),
        ('.ascii "abc', '"abc'),
        (".type x,@nonsense", "@nonsense"),
        ("add %r1, %r12", "%r12"),
        (".byte 1, 2, 300, 4", "300"),
    ],
)
def test_columns(text: str, guilty: str) -> None:
    (fault,) = faults_of(text)
    span = fault.where
    assert isinstance(span, Span)
    marked = text[span.column - 1 : span.end_column - 1]
    assert marked.startswith(guilty) or guilty in (marked, f"%{marked}", marked.lstrip("r")), marked


def test_a_macro_shows_its_chain() -> None:
    (fault,) = faults_of(".macro inner x\n r0 = \\x\n bad \\x\n.endm\n.macro outer\n inner 5\n.endm\n outer\n")
    assert (fault.where.line, fault.message) == (3, "unknown instruction: bad")
    assert [(span.line, text) for span, text in fault.notes] == [
        (6, "in expansion of macro inner"),
        (8, "in expansion of macro outer"),
    ]


def test_an_included_file_shows_its_chain(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "inc.s").write_text("r0 = 0\nbroken\n")
    main = tmp_path / "main.s"
    text = '.include "inc.s"\nexit\n'
    (fault,) = faults_of(text, str(main), AsmOptions(include_dirs=(str(tmp_path / "deep"),)))
    assert fault.where.path == str(tmp_path / "deep" / "inc.s")
    assert fault.where.line == 2
    assert fault.notes[0][0].path == str(main)


def test_a_duplicate_names_both_places() -> None:
    (fault,) = faults_of("a:\n exit\na:\n")
    assert fault.where.line == 3
    assert fault.notes[0][0].line == 1


def test_a_near_name_is_suggested() -> None:
    (fault,) = faults_of("loop_start: r0 = 0\n goto loop_strat\n")
    assert "loop_start" in fault.hint


@pytest.mark.parametrize(
    ("cpu", "text", "needed"),
    [
        ("v1", "if r1 < r2 goto +1", "v2"),
        ("v2", "w1 += 1", "v3"),
        ("v3", "r1 = (s8)r2", "v4"),
        ("v3", "gotol +5", "v4"),
        ("v3", "may_goto +5", "v4"),
        ("v3", "r1 s/= r2", "v4"),
    ],
)
def test_cpu_names_the_version(cpu: str, text: str, needed: str) -> None:
    (fault,) = faults_of(text, options=AsmOptions(cpu=cpu))
    assert f"-mcpu={needed}" in fault.message
    assemble_text(text, options=AsmOptions(cpu=needed))


def test_text_without_end_is_bounded() -> None:
    faults = faults_of(".macro m\n m\n m\n.endm\n m\n")
    assert "nested too deeply" in faults[0].message
    faults = faults_of(".rept 1000000\n.rept 1000000\n exit\n.endr\n.endr\n")
    assert "too many lines" in faults[0].message


def test_control_characters_are_a_fault_of_their_line() -> None:
    (fault,) = faults_of("r0 = 0\nr1 = \x011\nexit\n")
    assert fault.where.line == 2
