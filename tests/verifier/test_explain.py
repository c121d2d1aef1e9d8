"""Explanations: every refused case gets one; chosen ones are golden files (BLESS=1 rewrites them)."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from tests.verifier.cases import CASES, Case
from toolchain.asm import assemble_text
from toolchain.elf.extract import extract
from toolchain.errors import Rejected
from toolchain.loader.link import link_all
from toolchain.spec.stages import BoundProgram, LineInfo
from toolchain.verifier import VerifyOptions, verify
from toolchain.verifier.explain import MAX_LINES, WIDTH, Explanation, brief, explain, explain_log, value_range
from toolchain.verifier.logpath import parse_state, read_trail
from toolchain.verifier.rules import OTHER, PACKET_STALE, RULES, match_rule, rule_of

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "data" / "explain"
REFUSED = [case for case in CASES if case.message]
CHOSEN = (
    "reject-clobbered-by-call",
    "reject-ctx-field",
    "reject-ctx-variable",
    "reject-ctx-width",
    "reject-ctx-write",
    "reject-helper-size",
    "reject-infinite-loop",
    "reject-map-beyond",
    "reject-map-null",
    "reject-map-unbounded",
    "reject-map-variable",
    "reject-packet-beyond",
    "reject-packet-stale",
    "reject-packet-variable",
    "reject-return-range",
    "reject-stack-variable",
    "reject-unreachable",
)


def explained(case: Case) -> Explanation:
    bound = BoundProgram.unpinned(case.program())
    with pytest.raises(Rejected) as caught:
        verify(bound)
    return explain(caught.value, bound)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_every_refusal_is_explained(case: Case) -> None:
    explanation = explained(case)
    assert explanation.message.splitlines()[-1] == case.message
    assert explanation.rule != OTHER.id
    assert explanation.needed
    assert explanation.edit
    assert explanation.slot in (case.slot, -1)
    text = explanation.as_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "unknown" not in text.replace("unknown#", "").replace("unknown opcode", "")
    assert json.loads(json.dumps(explanation.as_json()))["rule"] == explanation.rule


@pytest.mark.parametrize("name", CHOSEN)
def test_golden(name: str) -> None:
    case = next(case for case in REFUSED if case.name == name)
    text = explained(case).as_text() + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("BLESS"):
        path.write_text(text)
    assert text == path.read_text()


def messages() -> list[tuple[str, str]]:
    rows = (GOLDEN / "messages.txt").read_text().splitlines()
    return [tuple(row.split("  ", 1)) for row in rows if row and row[0] != "#"]  # type: ignore[misc]


@pytest.mark.parametrize(("rule", "message"), messages())
def test_message_names_its_rule(rule: str, message: str) -> None:
    message = message.replace("\\n", "\n")
    assert rule_of(message) == rule
    explanation = explain_log(message)
    assert explanation.rule == rule
    assert "{" not in explanation.as_text()


def test_every_rule_has_a_message() -> None:
    assert {rule.id for rule in RULES} == {rule for rule, _ in messages()}
    assert PACKET_STALE.id not in {rule.id for rule in RULES}
    assert rule_of("nothing of the kind") == ""
    assert match_rule("nothing of the kind") == (OTHER, {})


LOG = """\
func#0 @0
0: R1=ctx() R10=fp0
; int x = ctx->len; @ a.c:3
0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))
; if (x > 5) @ a.c:4
1: (25) if r2 > 0x5 goto pc+2         ; R2=scalar(smin=smin32=0,smax=umax=smax32=umax32=5,var_off=(0x0; 0x7))
2: (b7) r0 = 0                        ; R0=0
3: (95) exit

from 1 to 4: R1=ctx() R2=scalar(smin=umin=6,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) R10=fp0
4: R1=ctx() R2=scalar(smin=umin=6,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) R10=fp0
; return *(int *)x; @ a.c:5
4: (61) r0 = *(u32 *)(r2 +0)
R2 invalid mem access 'scalar'
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
"""As Linux 6.18 writes it."""


def test_path_of_a_kernel_log() -> None:
    trail = read_trail(LOG)
    assert [(step.slot, step.is_taken) for step in trail.path if step.slot >= 0] == [(0, False), (1, True), (4, False)]
    assert trail.reason == ("R2 invalid mem access 'scalar'",)
    assert trail.processed == 5
    assert trail.visits[1] == 1


def test_a_kernel_log_is_explained() -> None:
    explanation = explain_log(LOG, "prog")
    assert explanation.source == ("a.c", 5, 0, "return *(int *)x;")
    assert explanation.register == "R2"
    assert [(event.slot, event.effect, event.source) for event in explanation.history] == [
        (0, "loaded", "a.c:3"),
        (1, "narrowed", "a.c:4"),
    ]
    assert explanation.as_text().splitlines() == [
        "prog: insn 4: loads or stores through something that is no pointer to memory [V-NOT-POINTER]",
        "  R2 invalid mem access 'scalar'",
        "  a.c:5: return *(int *)x;",
        "  4: r0 = *(u32 *)(r2 +0)",
        "needed: a pointer to memory",
        "known:  R2 is 6..4294967295",
        "how R2 came to be:",
        "      0  a.c:3  r2 = *(u32 *)(r1 +0)  loaded: R2 = 0..4294967295",
        "      1  a.c:4  if r2 > 0x5 (yes)     narrowed: R2 = 6..4294967295",
        "try: keep the pointer itself in a register or a full 8-byte stack slot; "
        "a number cannot become a pointer again",
    ]


def test_line_information_puts_a_caret() -> None:
    lines = explain_log(LOG, "prog", (LineInfo(4, "src/a.c", 5, 12, "  return *(int *)x;"),)).as_text().splitlines()
    assert lines[2:4] == ["  src/a.c:5: return *(int *)x;", " " * 22 + "^"]


def test_a_long_history_is_cut() -> None:
    steps = "".join(f"{slot}: (07) r1 += 1 ; R1=fp{slot}\n" for slot in range(1, 40))
    explanation = explain_log(f"0: (bf) r1 = r10 ; R1=fp0\n{steps}40: (71) r0 = *(u8 *)(r1 +0)\nR1 !read_ok\n")
    assert len(explanation.history) == 9
    assert "32 more" in explanation.as_text()
    assert len(explanation.as_json()["history"]) == 8  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "log", ["", "\n\n", "\0\1\2", "from 1 to 2:\n", "1: (\n", "R1=\n5: R2=", "5: (61) r0 = *(u32 *)(r2 +0)"]
)
def test_any_text_is_taken(log: str) -> None:
    explanation = explain_log(log)
    assert explanation.as_text()
    assert explanation.as_json()["rule"] == OTHER.id


def test_states_are_read() -> None:
    frame, found = parse_state(" frame1: R1=scalar(id=1,var_off=(0x0; 0x1)) fp-8=mmmm???? refs=2", 0)
    assert frame == 1
    assert found == {(1, "R1"): "scalar(id=1,var_off=(0x0; 0x1))", (1, "fp-8"): "mmmm????"}


RANGES = [
    ("5", (5, 5), "5"),
    ("Pscalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))", (0, 255), "0..255"),
    ("scalar(umin=0x10)", (-(1 << 63), None), "any number"),
    ("scalar(smin=0xfffffffffffffffe,smax=4)", (-2, 4), "-2..4"),
    ("scalar()", (-(1 << 63), None), "any number"),
    ("fp-8", (None, None), "fp-8"),
    ("pkt(id=1,off=14,r=34)", (None, None), "pkt+14, 34 bytes proven"),
    (
        "map_value(map=m,ks=4,vs=16,smin=0,smax=umax=9,var_off=(0x0; 0xf))",
        (0, 9),
        "map_value + 0..9, value of 16 bytes",
    ),
]


@pytest.mark.parametrize(("text", "span", "short"), RANGES)
def test_ranges_are_read(text: str, span: tuple[int | None, int | None], short: str) -> None:
    assert value_range(text) == span
    assert brief(text) == short


def test_every_rule_is_documented() -> None:
    text = (GOLDEN.parents[2] / "docs" / "rules.md").read_text()
    for rule in (*RULES, PACKET_STALE):
        assert f"| {rule.id} |" in text
    first = {rule.id: rule for rule in reversed((*RULES, PACKET_STALE))}
    for rule in first.values():
        row = " | ".join((rule.id, rule.title, rule.needed, rule.edit))
        assert f"| {row} |" in text, f"docs/rules.md is stale: {row}"


SCALED = """\
0: (85) call bpf_get_prandom_u32#7 ; R0=scalar()
1: (bf) r6 = r0 ; R6=scalar(id=1)
2: (25) if r6 > 0x4 goto pc+9 ; R6=scalar(smin=smin32=0,smax=umax=smax32=umax32=4,var_off=(0x0; 0x7))
3: (67) r6 <<= 3 ; R6=scalar(smin=smin32=0,smax=umax=smax32=umax32=32,var_off=(0x0; 0x38))
4: (0f) r7 += r6 ; R7=map_value(ks=4,vs=32,smin=smin32=0,smax=umax=smax32=umax32=32,var_off=(0x0; 0x38))
5: (79) r1 = *(u64 *)(r7 +0)
invalid access to map value, value_size=32 off=32 size=8
R7 max value is outside of the allowed memory range
"""


def test_the_check_that_is_there_is_mended() -> None:
    assert explain_log(SCALED).edit == "the check at insn 2 lets R6 be up to 4; let it be up to 3"
    unchecked = SCALED.replace("2: (25) if r6 > 0x4 goto pc+9", "2: (57) r6 &= 4")
    assert explain_log(unchecked).edit == "bound R6 before it is added: leave if R6 is greater than 24 (unsigned)"


def test_a_complex_program_names_where_the_walk_stays() -> None:
    text = """
    .section socket, "ax"
    prog:
        r6 = 0
    again:
        r6 += 1
        call 7
        if r0 != 5 goto again
        r0 = r6
        exit
    """
    bound = BoundProgram.unpinned(link_all(extract(assemble_text(text, "endless.s")))[0])
    with pytest.raises(Rejected) as caught:
        verify(bound, VerifyOptions(insn_limit=3000))
    explanation = explain(caught.value, bound)
    assert explanation.rule == "V-COMPLEX"
    assert {slot for slot, _, _ in explanation.cost} >= {1, 2, 3}
    assert "checked most often:" in explanation.as_text()
