"""A user namespace whose bpffs delegates: bpf-load works there as it does for root; without, exit 5 says what lacks."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping

import pytest

from tests.kernel import userns
from tests.kernel.attaching import marks
from tests.kernel.netns import BPF_LOAD, EXAMPLES, Result

pytestmark = marks()

INGRESS, EGRESS = str(EXAMPLES / "ingress.o"), str(EXAMPLES / "egress.o")
ALL = {f"delegate_{name}": "any" for name in ("cmds", "maps", "progs", "attachs")}


class Inside:
    """bpf-load in such a namespace."""

    def __init__(self, namespace: userns.Namespace) -> None:
        self.namespace = namespace

    def load(self, *words: str, token: str | None = None) -> Result:
        env = {} if token is None else {"LIBBPF_BPF_TOKEN_PATH": token}
        return self.namespace.run(*BPF_LOAD, "-r", "kernel", *words, env=env)

    def json(self, *words: str):
        done = self.load("--json", *words)
        assert done.status == 0, (words, done)
        return json.loads(done.out)


@contextlib.contextmanager
def inside(options: Mapping[str, str]) -> Iterator[Inside]:
    with contextlib.ExitStack() as stack:
        try:
            namespace = stack.enter_context(userns.delegating(options))
        except OSError as error:
            pytest.skip(f"this machine lets nobody delegate: {error}")
        yield Inside(namespace)


@pytest.mark.parametrize("token", [None, "/sys/fs/bpf"])
def test_everything_is_delegated(token):
    with inside(ALL) as ns:
        for words in (
            ("load", INGRESS, "--pin", "in"),
            ("verify", INGRESS, EGRESS),
            ("attach", EGRESS, "lo", "egress", "--pin", "links/out"),
            ("doctor",),
        ):
            done = ns.load(*words, token=token)
            assert done.status == 0, (words, done)
        assert [(each["path"], each["kind"]) for each in ns.json("pin", "tree")["pins"]] == [
            ("in", "prog"), ("links/out", "link"), ("tc/globals/acc", "map")]  # fmt: skip
        before = ns.json("map", "dump", "tc/globals/acc")["entries"]
        done = ns.load("run", "in")
        assert done.status == 0
        assert "warning: what changes in maps is not shown" in done.err
        after = ns.json("map", "dump", "tc/globals/acc")["entries"]
        assert before != after
        assert ns.json("load", EGRESS)["maps"][0]["reused"]
        done = ns.load("map", "show")
        assert (done.status, "name it by its pin" in done.err) == (5, True)
        old = ns.json("link", "show", "links/out")["link"]["prog_id"]
        assert ns.json("replace", EGRESS, "links/out")["link"]["prog_id"] != old


def test_nothing_is_delegated():
    with inside({}) as ns:
        for words in (("load", INGRESS), ("verify", INGRESS), ("attach", INGRESS, "lo", "ingress")):
            done = ns.load(*words)
            assert done.status == 5, (words, done)
            assert "CAP_BPF held in this user namespace only: EPERM" in done.err
            assert "must delegate it" in done.err
        done = ns.load("load", INGRESS, token="/sys/fs/bpf")
        assert (done.status, "cannot make a token" in done.err) == (5, True)
        done = ns.load("load", INGRESS, token="/no/such")
        assert (done.status, "is no directory: ENOENT" in done.err) == (5, True)
        done = ns.load("--json", "doctor")
        found = {each["name"]: each for each in json.loads(done.out)["runtimes"]["kernel"]["checks"]}
        assert (done.status, found["token"]["state"]) == (5, "fail")
        assert "delegate_*" in found["token"]["remedy"]


def test_a_part_is_delegated():
    with inside(
        {"delegate_cmds": "map_create:prog_load:btf_load", "delegate_maps": "any", "delegate_progs": "xdp"}
    ) as ns:
        done = ns.load("load", INGRESS)
        assert done.status == 5
        assert "loading program ingress (sched_cls)" in done.err
        assert ns.json("pin", "tree")["pins"] == []


def test_an_empty_path_means_no_token():
    with inside(ALL) as ns:
        assert ns.load("load", INGRESS, token="").status == 5
        assert ns.load("-r", "auto", "load", INGRESS).out.startswith("program ingress")


def test_outside_nobody_needs_one(bpf_load, monkeypatch):
    monkeypatch.setenv("LIBBPF_BPF_TOKEN_PATH", os.path.dirname(__file__))
    outcome = bpf_load("-r", "kernel", "verify", INGRESS)
    assert (outcome.status, "cannot make a token: EINVAL" in outcome.err) == (5, True)
    monkeypatch.setenv("LIBBPF_BPF_TOKEN_PATH", "")
    assert bpf_load("-r", "kernel", "verify", INGRESS).status == 0
