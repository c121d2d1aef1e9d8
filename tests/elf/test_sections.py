"""Section names: one row of each rule, and the table's own consistency."""

from __future__ import annotations

import pytest

from toolchain.isa.program_types import AttachType, ProgType
from toolchain.spec.sections import SECTION_ROWS, SLEEPABLE, XDP_HAS_FRAGS, SectionMatch, match_section, tail_slot


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("xdp", SectionMatch(ProgType.XDP, AttachType.XDP)),
        ("xdp.frags/devmap", SectionMatch(ProgType.XDP, AttachType.XDP_DEVMAP, "", XDP_HAS_FRAGS)),
        ("?tc/ingress", SectionMatch(ProgType.SCHED_CLS, AttachType.TCX_INGRESS, is_optional=True)),
        ("kprobe/do_exit+0x4", SectionMatch(ProgType.KPROBE, 0, "do_exit+0x4")),
        ("kprobe", SectionMatch(ProgType.KPROBE)),
        ("fentry.s/bpf_fentry_test1", SectionMatch(ProgType.TRACING, 24, "bpf_fentry_test1", SLEEPABLE)),
        ("tracepoint/syscalls/sys_enter_open", SectionMatch(ProgType.TRACEPOINT, 0, "syscalls/sys_enter_open")),
        ("syscall", SectionMatch(ProgType.SYSCALL, 0, "", SLEEPABLE)),
        ("cgroup_skb/egress", SectionMatch(ProgType.CGROUP_SKB, AttachType.CGROUP_INET_EGRESS)),
        ("cgroup/sock1", SectionMatch(ProgType.CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_CREATE, is_legacy=True)),
        ("socket1", SectionMatch(ProgType.SOCKET_FILTER, is_legacy=True)),
        ("socket/map1", SectionMatch(ProgType.SOCKET_FILTER, is_legacy=True)),
        ("xdp_prog", SectionMatch(ProgType.XDP, AttachType.XDP, is_legacy=True)),
        ("sk_reuseport/migrate", SectionMatch(ProgType.SK_REUSEPORT, AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE)),
        ("prog", SectionMatch(ProgType.XDP)),
        ("action", SectionMatch(ProgType.SCHED_ACT)),
        ("kprobes/x", SectionMatch(None)),
        ("tcx", SectionMatch(None)),
        ("2/7", SectionMatch(None)),
        ("", SectionMatch(None)),
        ("?", SectionMatch(None, is_optional=True)),
    ],
)
def test_names(name: str, match: SectionMatch) -> None:
    assert match_section(name) == match


def test_every_row_matches_itself() -> None:
    assert len(SECTION_ROWS) == len({row.head for row in SECTION_ROWS}) == 116
    for row in SECTION_ROWS:
        expected = SectionMatch(row.prog_type, row.attach_type, "", row.prog_flags)
        assert match_section(row.head) == expected
        if row.target:
            assert match_section(f"{row.head}/some/target").attach_target == "some/target"


@pytest.mark.parametrize(
    ("name", "slot"),
    [("7/3", (7, 3)), ("1/0x1010", (1, 0x1010)), ("010/2", (8, 2)), ("09/1", (9, 1)), ("a/1", None), ("1/2/3", None)],
)
def test_tail_sections(name: str, slot: tuple[int, int] | None) -> None:
    assert tail_slot(name) == slot
