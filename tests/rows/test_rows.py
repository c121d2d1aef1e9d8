"""Every row of what a pin tree and its links answer, on the user runtime and on the live kernel; see world.py.

The rows are tests/data/rows/*.rows. An answer that differs is said there, with the row of docs/parity.md that lists it;
whatever differs otherwise fails.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.kernel import oracle
from tests.kernel.netns import missing_tools
from tests.rows.table import Section, answers, parity_rows, sections
from tests.rows.user_world import UserWorld
from tests.rows.world import mount

TABLES = ("pins", "links")
SECTIONS = [(table, section) for table in TABLES for section in sections(table)]
IDS = [f"{table}: {section.name}" for table, section in SECTIONS]
_COUNTS: Counter[str] = Counter()


def why_not_kernel() -> str:
    if oracle.why_unavailable() or os.geteuid():
        return oracle.why_unavailable() or "needs root"
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    if release < (6, 18):
        return f"the rows are those of Linux 6.18, this is {os.uname().release}"
    missing = missing_tools(("ip",))
    return f"not installed: {', '.join(missing)}" if missing else ""


on_the_kernel = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(why_not_kernel()), reason=why_not_kernel() or "available"),
]


@pytest.fixture(scope="module", autouse=True)
def summary() -> Iterator[None]:
    yield
    print("\n" + ", ".join(f"{what}: {count} answers" for what, count in sorted(_COUNTS.items())))


def check(section: Section, given: list[str], column: str) -> None:
    wrong = []
    for row, answer in zip(section.rows, given, strict=True):
        expected = getattr(row, column)
        if answer != expected:
            wrong.append(f"line {row.line}: {row.command}: {answer} ({expected})")
        _COUNTS[f"{column}, listed as differing" if row.parity else f"{column}, equal"] += 1
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("table", "section"), SECTIONS, ids=IDS)
def test_user_runtime(table: str, section: Section) -> None:
    is_root = os.geteuid() == 0
    if section.needs_root and not is_root:
        pytest.skip("needs root, to become other users and to mount")

    def make(root: str) -> UserWorld:
        if section.needs_root:
            mount("none", root, "tmpfs", 0, "mode=0700")
        return UserWorld(root)

    check(section, answers(section, make, section.needs_root, "user"), "user")


class TestKernel:
    pytestmark = on_the_kernel

    @pytest.mark.parametrize(("table", "section"), SECTIONS, ids=IDS)
    def test_kernel(self, table: str, section: Section) -> None:
        from tests.rows.kernel_world import KernelWorld

        def make(root: str) -> KernelWorld:
            mount("bpf", root, "bpf")
            return KernelWorld(root)

        check(section, answers(section, make, True, "kernel"), "kernel")


_NOT_ASKED = ("an unlinked pin's link",)
"""Rows of parity about a moment, which a question that is asked again does not show."""


def test_differences_and_parity_are_the_same_list() -> None:
    """Each difference names a row of docs/parity.md; each row there whose test is this one is seen here."""
    rows = [row for _, section in SECTIONS for row in section.rows]
    assert [row.line for row in rows if bool(row.parity) != (row.user != row.kernel)] == []
    named, known = {row.parity for row in rows if row.parity}, parity_rows()
    assert [name for name in sorted(named) if not any(each.startswith(name) for each, _ in known)] == []
    ours = [each for each, test in known if "tests/rows" in test and not each.startswith(_NOT_ASKED)]
    assert [each for each in ours if not any(each.startswith(name) for name in named)] == []
